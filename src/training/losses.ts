// The weighted sum of losses over datasets: Alayrac et al., arXiv 2204.14198v2, §2.4, equation (2).

import { RuleError } from "../tensor/errors.ts";
import { add, mulScalar } from "../tensor/ops/functions.ts";
import { Tensor } from "../tensor/tensor.ts";

/** The loss of a dataset, and its weight λ. */
export interface Weighted {
  readonly weight: number;
  readonly loss: Tensor<"">;
}

/**
 * Σ λ · loss over datasets, equation (2) of the paper; its λ are 1 for M3W, 0.2 for ALIGN and LTIP, and 0.03 for VTP. Throws a
 * RuleError for no loss at all, and for a weight that is not finite.
 */
export function weightedSum(parts: readonly [Weighted, ...Weighted[]]): Tensor<""> {
  const isPart = (part: Weighted) => Number.isFinite(part?.weight) && part.loss instanceof Tensor;
  if (!Array.isArray(parts) || parts.length === 0 || !parts.every(isPart))
    throw new RuleError("a sum needs at least one { weight, loss }, with finite weights", "loss.datasets");
  const [first, ...rest] = parts;
  const scaled = ({ weight, loss }: Weighted) => mulScalar(loss, weight);
  return rest.reduce((sum, part) => add(sum, scaled(part)), scaled(first)); // [loss.datasets]
}
