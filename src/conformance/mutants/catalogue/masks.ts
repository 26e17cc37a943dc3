// Which token sees which image: mutants 1, 6–9.
import type { Mutant } from "../mutant.ts";
import { cell, compares, type MaskedAttention, seeing } from "../visibility.ts";

/** A position's number by another way of counting, compared and silenced as the convention has it. */
const counted = (layer: MaskedAttention, time: (b: number, l: number) => number) => ({
  may: (b: number, l: number, m: number) => compares(layer.convention, time(b, l), m + 1),
  zeroed: (b: number, l: number) => layer.convention.zeroBeforeFirstImage && time(b, l) === 0,
});

export const masks: readonly Mutant[] = [
  {
    id: "at-least",
    number: 1,
    title: "The mask compares with >= instead of ==: every earlier image is seen",
    seenIn: "flamingo-pytorch before commit 0e1a915, #6",
    needs: "two images",
    apply: seeing(({ convention, time }) =>
      convention.compare === "equal" ? { may: (b, l, m) => cell(time, b, l) >= m + 1 } : null,
    ),
  },
  {
    id: "exclusive-count",
    number: 6,
    title: "An image's own token does not count it: it sees the image before",
    seenIn: "the paper's φ read literally; mlx-vlm #2229",
    needs: "an image token",
    apply: seeing((layer) => counted(layer, (b, l) => cell(layer.time, b, l) - cell(layer.located, b, l))),
  },
  {
    id: "image-token-sees-nothing",
    number: 6,
    title: "An image's own token sees nothing",
    seenIn: "off-by-one readings of the paper's φ",
    needs: "an image token",
    apply: seeing(({ located, visibility }) => ({
      may: (b, l, m) => visibility.may(b, l, m) && !cell(located, b, l),
      zeroed: (b, l) => visibility.zeroed(b, l) || cell(located, b, l) === 1,
    })),
  },
  {
    id: "images-from-zero",
    number: 7,
    title: "Images are numbered from 0 while positions count from 1",
    seenIn: "off-by-one readings of media_time",
    needs: "an image",
    apply: seeing(({ convention, time }) => ({
      may: (b, l, m) => compares(convention, cell(time, b, l), m),
    })),
  },
  {
    id: "next-image",
    number: 8,
    title: "Text attends to the next image instead of the last",
    seenIn: "OpenFlamingo 0.0.2 and 0.1.1, #242, from commit 4eb2f30 on",
    needs: "two images",
    apply: seeing((layer) =>
      counted(layer, (b, l) => {
        const next = cell(layer.time, b, l) + 1 - cell(layer.located, b, l);
        return next > Math.max(...(layer.time[b] ?? [])) ? 0 : next;
      }),
    ),
  },
  {
    id: "first-prompt-for-all",
    number: 9,
    title: "The first prompt's mask serves the whole batch",
    seenIn: "sglang #40476 and other batching mistakes",
    needs: "prompts of unequal layout",
    apply: seeing(({ visibility }) => ({
      may: (_, l, m) => visibility.may(0, l, m),
      zeroed: (_, l) => visibility.zeroed(0, l),
    })),
  },
];
