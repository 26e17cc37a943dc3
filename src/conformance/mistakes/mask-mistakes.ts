// Mistakes in the mask of a cross-attention (numbers 1-9 and 14), and two that show only in cached decoding or in calls without locations.

import { isZeroed } from "../../masks/outcome.ts";
import type { Mistake } from "./mistake.ts";
import { cell, compares, type MaskedBatch, type MistakenRule, type VisibilityRule } from "./visibility.ts";

export interface MaskMistake extends Mistake {
  /** The property that a case needs to detect it. */
  readonly needs: string;
  readonly rule: MistakenRule;
}

/** Another number for each position, compared and zeroed as under the convention. */
const counted = (
  { convention }: MaskedBatch,
  time: (b: number, l: number) => number,
): Partial<VisibilityRule> => ({
  may: (b, l, m) => compares(convention, time(b, l), m + 1),
  zeroed: (b, l) => isZeroed(time(b, l), convention),
});

const never = () => false;

/** Mistakes in the numbers and their comparison: 1, 6-9. */
const numbering: readonly MaskMistake[] = [
  {
    id: "at-least",
    number: 1,
    title: "The mask compares with >= instead of ==: every earlier image is seen",
    seenIn: "flamingo-pytorch before commit 0e1a915, #6",
    needs: "two images",
    rule: ({ convention, time }) =>
      convention.compare === "equal" ? { may: (b, l, m) => cell(time, b, l) >= m + 1 } : null,
  },
  {
    id: "exclusive-count",
    number: 6,
    title: "An image's own token does not count it: it sees the image before",
    seenIn: "the paper's φ read literally; mlx-vlm #2229",
    needs: "an image token",
    rule: (batch) => counted(batch, (b, l) => cell(batch.time, b, l) - cell(batch.located, b, l)),
  },
  {
    id: "image-token-sees-nothing",
    number: 6,
    title: "An image's own token sees nothing",
    seenIn: "off-by-one readings of the paper's φ",
    needs: "an image token",
    rule: ({ located, visibility }) => ({
      may: (b, l, m) => visibility.may(b, l, m) && !cell(located, b, l),
      zeroed: (b, l) => visibility.zeroed(b, l) || cell(located, b, l) === 1,
    }),
  },
  {
    id: "images-from-zero",
    number: 7,
    title: "Images are numbered from 0 while positions count from 1",
    seenIn: "off-by-one readings of media_time",
    needs: "an image",
    rule: ({ convention, time }) => ({ may: (b, l, m) => compares(convention, cell(time, b, l), m) }),
  },
  {
    id: "next-image",
    number: 8,
    title: "Text attends to the next image instead of the last",
    seenIn: "OpenFlamingo 0.0.2 and 0.1.1, #242, from commit 4eb2f30 on",
    needs: "two images",
    rule: (batch) =>
      counted(batch, (b, l) => {
        const next = cell(batch.time, b, l) + 1 - cell(batch.located, b, l);
        return next > Math.max(...(batch.time[b] ?? [])) ? 0 : next;
      }),
  },
  {
    id: "first-prompt-for-all",
    number: 9,
    title: "The first prompt's mask serves the whole batch",
    seenIn: "sglang #40476 and other batching mistakes",
    needs: "prompts of unequal layout",
    rule: ({ visibility }) => ({
      may: (_, l, m) => visibility.may(0, l, m),
      zeroed: (_, l) => visibility.zeroed(0, l),
    }),
  },
];

/** Mistakes on rows that may attend no image: 2-5, 14. */
const emptyRows: readonly MaskMistake[] = [
  {
    id: "no-zeroing",
    number: 2,
    title: "Rows before the first image are not set to zero: they average every image",
    seenIn: "flamingo-pytorch before 0.0.17; IDEFICS, transformers #26428",
    needs: "text before the first image",
    rule: () => ({ zeroed: never }),
  },
  {
    id: "zeroing-discarded",
    number: 3,
    title: "The zeroed weights are computed and then not used",
    seenIn: "flamingo-pytorch commit 26ca8db, repaired by 10913ab",
    needs: "text before the first image",
    rule: () => ({ zeroed: never }),
  },
  {
    id: "zeroing-of-feed-forward",
    number: 4,
    title: "The feed-forward of rows before the first image is zeroed, not their attention",
    seenIn: "Mllama, transformers #39379, #47103",
    needs: "text before the first image, gates away from 0",
    rule: ({ visibility }) => ({ zeroed: never, fed: (b, l) => !visibility.zeroed(b, l) }),
  },
  {
    id: "zeroing-of-every-empty-row",
    number: 5,
    title: "Rows whose image is missing are set to zero too, and not averaged as the release does",
    seenIn: "flamingo-pytorch and OpenFlamingo do the reverse (a gate on text_time == 0); IDEFICS does this",
    needs: "more image tokens than images",
    rule: () => ({ emptyRow: "zero" }),
    asInPaper: true,
  },
  {
    id: "empty-rows-unmasked",
    number: 14,
    title: "The additive mask times its own row indicator: rows that may attend nothing attend everything",
    seenIn: "Mllama, transformers #34280",
    needs: "text before the first image",
    rule: ({ visibility, images }) => ({
      may: (b, l, m) =>
        visibility.may(b, l, m) ||
        !Array.from({ length: images }, (_, i) => visibility.may(b, l, i)).includes(true),
      zeroed: never,
    }),
  },
  {
    id: "mask-of-zeros",
    number: 14,
    title: "The additive mask is zero everywhere: everything attends to everything",
    seenIn: "Mllama with a single image, transformers #34280",
    needs: "text before the first image, or two images",
    rule: () => ({ may: () => true, zeroed: never }),
  },
];

export const maskMistakes: readonly MaskMistake[] = [...numbering, ...emptyRows].sort(
  (a, b) => a.number - b.number,
);

/** A mistake that shows only in cached steps. */
export const countingRestarts: Mistake = {
  id: "counting-restarts",
  number: 10,
  title: "Each cached step counts images from 0: after the prompt no token sees one",
  seenIn: "a comment in OpenFlamingo's flamingo_lm.py; flamingo-mini #6; Otter",
};

/** A mistake that shows only in calls without media locations. */
export const causalWithoutMask: Mistake = {
  id: "causal-without-mask",
  number: 13,
  title: "Without a mask the cross-attention is silently causal",
  seenIn: "Mllama, transformers #48172",
};
