// Queries and keys: mutants 17, 18.
import { PerceiverAttention } from "../../../blocks/perceiver-attention.ts";
import { maskedSoftmax, mulScalar } from "../../../tensor/ops/functions.ts";
import { apply } from "../../../tensor/ops/rules.ts";
import type { Program } from "../../../tensor/program/program.ts";
import { Bool, type Tensor } from "../../../tensor/tensor.ts";
import { type Change, changing, type Mutant } from "../mutant.ts";
import {
  attentions,
  attentionsOf,
  type Found,
  GROUPED,
  operandOf,
  widthBefore,
} from "../pattern-matchers.ts";
import { concatOf } from "./flamingo-parts.ts";

/** The widths of a head, of all heads together and of the tokens that queries are projected from. */
interface Widths {
  readonly head: number;
  readonly inner: number;
  readonly model: number;
}

function widthsOf(program: Program, { id, node }: Found<"mulScalar">): Widths {
  const [, heads = 1, perGroup = 1] = node.shape;
  const head = node.shape.at(-1) ?? 1;
  const grouped = operandOf(program, "rearrange", node.inputs[0])?.attrs.pattern === GROUPED;
  return { head, inner: heads * (grouped ? perGroup : 1) * head, model: widthBefore(program, id) ?? head };
}

/** Another factor of the queries. */
const scaling = (factor: (by: number, widths: Widths) => number) =>
  changing(({ program }) =>
    attentions(program).flatMap(({ scope }): Change[] => {
      const scaled = operandOf(program, "mulScalar", scope.inputs.q);
      if (!scaled) return [];
      const by = factor(scaled.attrs.by, widthsOf(program, scaled));
      return [[scaled.id, (q) => mulScalar(q, by)]];
    }),
  );

/** Keys and values of the images only. */
function withoutLatents(x: Tensor): Tensor {
  const [r = 0, j = 0] = x.shape.slice(-2);
  const columns = Uint8Array.from({ length: j }, (_, i) => Number(i < j - r));
  const stride = x.shape.map((_, axis) => Number(axis === x.shape.length - 1));
  return maskedSoftmax(x, new Bool(x.shape, columns, stride), { emptyRow: "zero" });
}

export const attention: readonly Mutant[] = [
  {
    id: "query-unscaled",
    number: 17,
    title: "Queries are not scaled",
    seenIn: "jax-ai-stack #71 and other ports",
    needs: "any attention",
    apply: scaling(() => 1),
  },
  {
    id: "query-scaled-by-inner-width",
    number: 17,
    title: "Queries are scaled by the width of all heads together",
    seenIn: "jax-ai-stack #71 (feat_dim ** -0.5)",
    needs: "several heads",
    apply: scaling((by, { head, inner }) => by * Math.sqrt(head / inner)),
  },
  {
    id: "query-scaled-by-model-width",
    number: 17,
    title: "Queries are scaled by the width of the model (dim ** -0.5)",
    seenIn: "vit-pytorch #65",
    needs: "a model whose width is that of neither one head nor all heads",
    apply: scaling((by, { head, model }) => by * Math.sqrt(head / model)),
  },
  {
    id: "query-scaled-twice",
    number: 17,
    title: "Queries are scaled, and the scores again",
    seenIn: "ports onto attention functions that scale by themselves",
    needs: "any attention",
    apply: scaling((by) => by * by),
  },
  {
    id: "query-divided-by-scale",
    number: 17,
    title: "Queries are divided by their factor, dim_head ** -0.5, and not multiplied",
    seenIn: "esceptico/perceiver-io #9",
    needs: "any attention",
    apply: scaling((by) => 1 / by),
  },
  {
    id: "latents-unseen",
    number: 18,
    title: "Latents attend to the image only and not to themselves",
    seenIn: "ports of Perceiver taken for Flamingo's",
    needs: "a resampler",
    apply: changing((context) =>
      attentionsOf(context, PerceiverAttention).map((a): Change => [a.softmax.id, withoutLatents]),
    ),
  },
  {
    id: "latents-first",
    number: 18,
    title: "Latents come before the image in the keys",
    seenIn: "ports, correctly",
    needs: "nothing: it is equivalent",
    apply: changing((context) =>
      attentionsOf(context, PerceiverAttention).flatMap(({ path }): Change[] => {
        const joined = concatOf(context.program, path);
        return joined ? [[joined.id, (media, latents) => apply("concat", joined.attrs, latents, media)]] : [];
      }),
    ),
    equivalent: {
      proof: "a softmax-weighted sum does not depend on the order of its terms; rounding leaves 2e-16",
      where: null,
    },
  },
];
