// Scaled dot-product attention: Vaswani et al., arXiv 1706.03762, equation (1), with masks.
import { einsum } from "../../tensor/ops/arrange.ts";
import { maskedSoftmax, softmax, where } from "../../tensor/ops/functions.ts";
import type { EmptyRow } from "../../tensor/ops/table.ts";
import { scope, tap } from "../../tensor/program/record.ts";
import type { Bool, Tensor } from "../../tensor/tensor.ts";
import type { Dropout } from "../dropout.ts";

export interface AttentionOptions {
  /** A mask with the axes of the scores; null allows all entries. */
  readonly mayAttend: Bool | null;
  /** The weights of a row without allowed entries. */
  readonly emptyRow: EmptyRow;
  /** Weights that are kept; the others are set to zero after the softmax. null keeps all. */
  readonly postSoftmaxMask?: Bool | null;
  /** Dropout of the weights. While it is active, attention is not dispatched to a fused kernel. */
  readonly dropout?: Dropout | null;
}

/**
 * softmax(q kᵀ) v over the last two axes, for any leading axes. The caller scales q. A backend may dispatch the scope to a fused
 * kernel. Taps of the owner: `scores`, `scores.masked`, `attn`, `out`.
 */
export function attention<Q extends string, S extends string>(
  owner: object,
  q: Tensor<`${Q} k`>,
  k: Tensor<`${S} k`>,
  v: Tensor<`${NoInfer<S>} k`>,
  { mayAttend, emptyRow, postSoftmaxMask = null, dropout = null }: AttentionOptions,
): Tensor<`${Q} k`> {
  // #region definition
  const definition = ({ q, k, v }: { q: Tensor; k: Tensor; v: Tensor }): Tensor => {
    const scores = tap(owner, "scores", einsum("... l k, ... s k -> ... l s", q, k)); // [attention.scores]
    const weights = mayAttend ? maskedSoftmaxWeights(owner, scores, mayAttend, emptyRow) : softmax(scores);
    const maskedWeights = postSoftmaxMask ? where(postSoftmaxMask, weights) : weights; // [attention.post-softmax-mask]
    const attn = tap(owner, "attn", dropout ? dropout.forward(maskedWeights) : maskedWeights);
    return tap(owner, "out", einsum("... l s, ... s k -> ... l k", attn, v)); // [attention.values]
  };
  // #endregion
  if (dropout?.generator) return definition({ q, k, v }); // [attention.dropout]
  return scope("attention", { q, k, v }, { mayAttend, emptyRow, postSoftmaxMask }, definition);
}

function maskedSoftmaxWeights(owner: object, scores: Tensor, mayAttend: Bool, emptyRow: EmptyRow): Tensor {
  // #region masked
  const masked = tap(owner, "scores.masked", where(mayAttend, scores, -Infinity)); // [attention.masked]
  return maskedSoftmax(masked, mayAttend, { emptyRow });
  // #endregion
}
