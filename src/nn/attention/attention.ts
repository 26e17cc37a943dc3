// Scaled dot-product attention: Vaswani et al., arXiv 1706.03762, equation (1), with masks.
import { einsum } from "../../tensor/ops/arrange.ts";
import { add, expand, maskedSoftmax, softmax, where } from "../../tensor/ops/functions.ts";
import type { SoftmaxEmptyRow } from "../../tensor/ops/table.ts";
import { scope, tap } from "../../tensor/program/apply.ts";
import type { Bool, Tensor } from "../../tensor/tensor.ts";
import type { Dropout } from "../dropout.ts";
import { checkObject } from "../options.ts";

/** The masks, the bias and the dropout of `attention`. */
export interface AttentionOptions {
  /** A mask with the axes of the scores; null allows all entries. */
  readonly mayAttend: Bool | null;
  /** The weights of a row without allowed entries. */
  readonly emptyRow: SoftmaxEmptyRow;
  /** Weights that are kept; the others are set to zero after the softmax. null keeps all. */
  readonly postSoftmaxMask?: Bool | null;
  /** Added to the scaled scores. Its trailing axes are those of the scores, or 1, as in `expand`; leading ones may be absent. */
  readonly bias?: Tensor | null;
  /** Dropout of the weights. While it is active, attention is not dispatched to a fused kernel. */
  readonly dropout?: Dropout | null;
}

/** Every query attends to every key. */
export const EVERYTHING: AttentionOptions = { mayAttend: null, emptyRow: "nan" };

type Inputs = { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor; readonly bias?: Tensor };

/**
 * softmax(q kᵀ + bias) v over the last two axes, for any leading axes. The caller scales q. A backend may dispatch the scope to a
 * fused kernel. Taps of the owner: `scores` (without the bias), `scores.masked`, `attn`, `out`. Throws a ShapeError if shapes do
 * not match.
 * Shapes: q `... l k`, k `... s k`, v `... s e`, mayAttend `... l s` → `... l e`.
 * Source: Vaswani et al., arXiv 1706.03762, equation (1).
 */
export function attention<Q extends string, S extends string>(
  owner: object,
  q: Tensor<`${Q} k`>,
  k: Tensor<`${S} k`>,
  v: Tensor<`${NoInfer<S>} k`>,
  options: AttentionOptions,
): Tensor<`${Q} k`>;
/** Values may have a width of their own, e. */
export function attention<Q extends string, S extends string>(
  owner: object,
  q: Tensor<`${Q} k`>,
  k: Tensor<`${S} k`>,
  v: Tensor<`${NoInfer<S>} e`>,
  options: AttentionOptions,
): Tensor<`${Q} e`>;
export function attention(owner: object, q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor {
  checkObject("attention", options);
  const { mayAttend, emptyRow, postSoftmaxMask = null, bias = null, dropout = null } = options;
  // #region definition
  const definition = ({ q, k, v, bias }: Inputs): Tensor => {
    const products = tap(owner, "scores", einsum("... l k, ... s k -> ... l s", q, k)); // [attention.scores]
    const scores = bias ? add(products, expand(bias, products)) : products; // [attention.bias]
    const weights = mayAttend ? maskedSoftmaxWeights(owner, scores, mayAttend, emptyRow) : softmax(scores);
    const maskedWeights = postSoftmaxMask ? where(postSoftmaxMask, weights) : weights; // [attention.post-softmax-mask]
    const attn = tap(owner, "attn", dropout ? dropout.forward(maskedWeights) : maskedWeights);
    return tap(owner, "out", einsum("... l s, ... s e -> ... l e", attn, v)); // [attention.values]
  };
  // #endregion
  const inputs: Inputs = bias ? { q, k, v, bias } : { q, k, v };
  if (dropout?.generator) return definition(inputs); // [attention.dropout]
  return scope("attention", inputs, { mayAttend, emptyRow, postSoftmaxMask }, definition);
}

function maskedSoftmaxWeights(
  owner: object,
  scores: Tensor,
  mayAttend: Bool,
  emptyRow: SoftmaxEmptyRow,
): Tensor {
  // #region masked
  const masked = tap(owner, "scores.masked", where(mayAttend, scores, -Infinity)); // [attention.masked]
  return maskedSoftmax(masked, mayAttend, { emptyRow });
  // #endregion
}
