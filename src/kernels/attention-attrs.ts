import type { EmptyRow, Mask } from "../tensor/ops/table.ts";

/** Attributes of the `attention` scope (nn/attention.ts): softmax(q kᵀ) v over the last two axes; q comes scaled. */
export interface AttentionAttrs {
  /** Shape of the scores […, l, s]; 1 = may attend. null: all may. Often a view with repeated axes (stride 0). */
  readonly mayAttend: Mask | null;
  readonly emptyRow: EmptyRow;
  /** Shape of the scores; weights where it is 0 are set to zero after the softmax. null: all survive. */
  readonly postSoftmaxMask: Mask | null;
}
