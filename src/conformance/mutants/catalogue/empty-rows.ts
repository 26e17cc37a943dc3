// What becomes of text that sees no image: mutants 2–5, 14.
import { repeat } from "../../../tensor/ops/arrange.ts";
import { mul, where } from "../../../tensor/ops/functions.ts";
import { Bool, type Tensor } from "../../../tensor/tensor.ts";
import { type Change, changing, type Mutant } from "../mutant.ts";
import { boolOf, gates, join } from "../pattern-matchers.ts";
import { type MaskedAttention, maskedAttentions, seeing, withVisibility } from "../visibility.ts";

const nobody = () => false;

/** The rows of one attention that are set to zero, over the features of the text. */
function attendingRows({ located, visibility }: MaskedAttention, d: number): Bool {
  const rows = located.flatMap((prompt, b) => prompt.map((_, l) => Number(!visibility.zeroed(b, l))));
  const shape = [located.length, rows.length / located.length];
  return repeat("b l -> b l d", new Bool<"b l">(shape, Uint8Array.from(rows)), { d });
}

const unzeroed = (layer: MaskedAttention): Change[] =>
  withVisibility(layer, { ...layer.visibility, zeroed: nobody });

export const emptyRows: readonly Mutant[] = [
  {
    id: "no-zeroing",
    number: 2,
    title: "Rows before the first image are not set to zero: they average every image",
    seenIn: "flamingo-pytorch before 0.0.17; IDEFICS, transformers #26428",
    needs: "text before the first image",
    apply: seeing(() => ({ zeroed: nobody })),
  },
  {
    id: "zeroing-discarded",
    number: 3,
    title: "The zeroed weights are computed and then not used",
    seenIn: "flamingo-pytorch commit 26ca8db, repaired by 10913ab",
    needs: "text before the first image",
    apply: changing((context) =>
      maskedAttentions(context).flatMap(({ attention: { zeroing } }): Change[] => {
        const discarded = (weights: Tensor): Tensor => {
          if (zeroing) where(boolOf(zeroing.attrs.keep), weights);
          return weights;
        };
        return zeroing ? [[zeroing.id, discarded]] : [];
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
      maskedAttentions(context).flatMap((layer) => {
        const block = gates(context.program).find(
          ({ path, name }) => name === "ff_gate" && join(path, "attn") === layer.attention.path,
        );
        if (!block || !layer.attention.zeroing) return [];
        const { id, node } = block.product;
        const zeroed: Change = [
          id,
          (fed, gate) => where(attendingRows(layer, node.shape[2] ?? 0), mul(fed, gate)),
        ];
        return [...unzeroed(layer), zeroed];
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
    id: "empty-rows-unmasked",
    number: 14,
    title: "The additive mask times its own row indicator: rows that may attend nothing attend everything",
    seenIn: "Mllama, transformers #34280",
    needs: "text before the first image",
    apply: seeing(({ visibility, images }) => ({
      may: (b, l, m) =>
        visibility.may(b, l, m) ||
        !Array.from({ length: images }, (_, i) => visibility.may(b, l, i)).includes(true),
      zeroed: nobody,
    })),
  },
  {
    id: "mask-of-zeros",
    number: 14,
    title: "The additive mask is zero everywhere: everything attends to everything",
    seenIn: "Mllama with a single image, transformers #34280",
    needs: "text before the first image, or two images",
    apply: seeing(() => ({ may: () => true, zeroed: nobody })),
  },
];
