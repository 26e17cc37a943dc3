// Which token sees which image: mutants 1–9, 14.
import { repeat } from "../../tensor/arrange.ts";
import { mul, where } from "../../tensor/functions.ts";
import { Bool, type Tensor } from "../../tensor/tensor.ts";
import { boolOf, gates, join } from "./anatomy.ts";
import { type Change, changing, type Mutant } from "./mutant.ts";
import { cell, compares, resighted, type Scene, scenes, seeing } from "./sight.ts";

/** A position's number by another way of counting, compared and silenced as the convention has it. */
const counted = (scene: Scene, time: (b: number, l: number) => number) => ({
  may: (b: number, l: number, m: number) => compares(scene.convention, time(b, l), m + 1),
  silent: (b: number, l: number) => scene.convention.silentBeforeFirstImage && time(b, l) === 0,
});

const nobody = () => false;

/** The rows of one attention that are set to zero, over the features of the text. */
function heardRows({ located, sight }: Scene, d: number): Bool {
  const rows = located.flatMap((prompt, b) => prompt.map((_, l) => Number(!sight.silent(b, l))));
  const shape = [located.length, rows.length / located.length];
  return repeat("b l -> b l d", new Bool<"b l">(shape, Uint8Array.from(rows)), { d });
}

const unzeroed = (scene: Scene): Change[] => resighted(scene, { ...scene.sight, silent: nobody });

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
    id: "no-zeroing",
    number: 2,
    title: "Rows before the first image are not set to zero: they average every image",
    seenIn: "flamingo-pytorch before 0.0.17; IDEFICS, transformers #26428",
    needs: "text before the first image",
    apply: seeing(() => ({ silent: nobody })),
  },
  {
    id: "zeroing-discarded",
    number: 3,
    title: "The zeroed weights are computed and then not used",
    seenIn: "flamingo-pytorch commit 26ca8db, repaired by 10913ab",
    needs: "text before the first image",
    apply: changing((context) =>
      scenes(context).flatMap(({ attention: { heard } }): Change[] => {
        const discarded = (weights: Tensor): Tensor => {
          if (heard) where(boolOf(heard.attrs.keep), weights);
          return weights;
        };
        return heard ? [[heard.id, discarded]] : [];
      }),
    ),
  },
  {
    id: "zeroing-of-feed-forward",
    number: 4,
    title: "The feed-forward of rows before the first image is zeroed, not their attention",
    seenIn: "Mllama, transformers #39379, #47103",
    needs: "text before the first image, gates away from 0",
    apply: changing((context) =>
      scenes(context).flatMap((scene) => {
        const block = gates(context.program).find(
          ({ path, name }) => name === "ff_gate" && join(path, "attn") === scene.attention.path,
        );
        if (!block || !scene.attention.heard) return [];
        const { id, node } = block.product;
        const zeroed: Change = [
          id,
          (fed, gate) => where(heardRows(scene, node.shape[2] ?? 0), mul(fed, gate)),
        ];
        return [...unzeroed(scene), zeroed];
      }),
    ),
  },
  {
    id: "zeroing-of-every-empty-row",
    number: 5,
    title: "Rows whose image is missing are set to zero too, and not averaged as the release does",
    seenIn: "flamingo-pytorch and OpenFlamingo do the reverse (a gate on text_time == 0); IDEFICS does this",
    needs: "more image tokens than images",
    apply: seeing(() => ({ emptyRow: "zero" })),
  },
  {
    id: "exclusive-count",
    number: 6,
    title: "An image's own token does not count it: it sees the image before",
    seenIn: "the paper's φ read literally; mlx-vlm #2229",
    needs: "an image token",
    apply: seeing((scene) => counted(scene, (b, l) => cell(scene.time, b, l) - cell(scene.located, b, l))),
  },
  {
    id: "image-token-sees-nothing",
    number: 6,
    title: "An image's own token sees nothing",
    seenIn: "off-by-one readings of the paper's φ",
    needs: "an image token",
    apply: seeing(({ located, sight }) => ({
      may: (b, l, m) => sight.may(b, l, m) && !cell(located, b, l),
      silent: (b, l) => sight.silent(b, l) || cell(located, b, l) === 1,
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
    apply: seeing((scene) =>
      counted(scene, (b, l) => {
        const next = cell(scene.time, b, l) + 1 - cell(scene.located, b, l);
        return next > Math.max(...(scene.time[b] ?? [])) ? 0 : next;
      }),
    ),
  },
  {
    id: "first-prompt-for-all",
    number: 9,
    title: "The first prompt's mask serves the whole batch",
    seenIn: "sglang #40476 and other batching mistakes",
    needs: "prompts of unequal layout",
    apply: seeing(({ sight }) => ({
      may: (_, l, m) => sight.may(0, l, m),
      silent: (_, l) => sight.silent(0, l),
    })),
  },
  {
    id: "empty-rows-unmasked",
    number: 14,
    title: "The additive mask times its own row indicator: rows that may attend nothing attend everything",
    seenIn: "Mllama, transformers #34280",
    needs: "text before the first image",
    apply: seeing(({ sight, images }) => ({
      may: (b, l, m) =>
        sight.may(b, l, m) || !Array.from({ length: images }, (_, i) => sight.may(b, l, i)).includes(true),
      silent: nobody,
    })),
  },
  {
    id: "mask-of-zeros",
    number: 14,
    title: "The additive mask is zero everywhere: everything attends to everything",
    seenIn: "Mllama with a single image, transformers #34280",
    needs: "text before the first image, or two images",
    apply: seeing(() => ({ may: () => true, silent: nobody })),
  },
];
