// Queries and keys: mutants 17, 18.
import { PerceiverAttention } from "../../../blocks/perceiver-attention.ts";
import { maskedSoftmax, mulScalar } from "../../../tensor/ops/functions.ts";
import { apply } from "../../../tensor/ops/rules.ts";
import { Bool, type Tensor } from "../../../tensor/tensor.ts";
import { type Change, changing, type Mutant } from "../mutant.ts";
import { attentions, attentionsOf, operandOf } from "../pattern-matchers.ts";
import { concatOf } from "./flamingo-parts.ts";

/** Another factor of the queries. */
const scaling = (factor: (by: number, heads: number) => number) =>
  changing(({ program }) =>
    attentions(program).flatMap(({ scope }): Change[] => {
      const scaled = operandOf(program, "mulScalar", scope.inputs.q);
      const heads = scaled?.node.shape[1] ?? 1;
      return scaled ? [[scaled.id, (q) => mulScalar(q, factor(scaled.attrs.by, heads))]] : [];
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
    apply: scaling((by, heads) => by / Math.sqrt(heads)),
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
