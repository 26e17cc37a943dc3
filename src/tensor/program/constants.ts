// Tensors that a model computes from its options, such as the cosines of rotary embeddings.
import type { Tensor } from "../tensor.ts";

const constants = new WeakSet<Tensor>();

/** Marks a tensor as a constant of the model: a recording does not warn of its size. */
export function constant<T extends Tensor>(t: T): T {
  constants.add(t);
  return t;
}

/** Whether a tensor is marked as a constant of the model. */
export const isConstant = (t: Tensor): boolean => constants.has(t);
