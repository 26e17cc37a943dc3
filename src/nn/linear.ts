// Linear layers.
import { einsum } from "../tensor/ops/arrange.ts";
import { add, expand } from "../tensor/ops/functions.ts";
import { type Any, Tensor } from "../tensor/tensor.ts";
import { checked, checkValue, flag, inner, optional, passing } from "./options.ts";
import { constant, distribution, type Initial, Parameter, uniform } from "./parameter.ts";

/** The axes of the result: bare if those of the input are. */
type Then<P extends string, O extends string> = string extends P ? Any : `${P} ${O}`;

/** The check of an option that takes a tensor of floats. */
export const tensorCheck = passing("a tensor", (value) => value instanceof Tensor);

/** The bias, and initial values. */
export interface LinearOptions {
  readonly bias?: boolean;
  /** The initial distribution of the weight; the bias then begins at 0. Default: that of torch.nn.Linear for both. */
  readonly initial?: Initial | undefined;
  /** The initial distribution of the bias, where it is another one. */
  readonly initialBias?: Initial | undefined;
}

/** The options of a layer without a bias. */
export const NO_BIAS: LinearOptions = { bias: false };

/**
 * y = x Wᵀ + b over the last axis, which is renamed as the pattern says: `new Linear("d -> (h k)", …)`. The weight is [out, in].
 * Weight and bias are initialised uniformly within ±1/√in (torch.nn.Linear).
 * Source: torch.nn.Linear.
 */
export class Linear<I extends string, O extends string> {
  /** Assign the weight of another layer to tie the two. */
  weight: Tensor<"o i">;
  bias: Parameter<"o"> | null;

  constructor(_pattern: `${I} -> ${O}`, dim: number, out: number, options: LinearOptions = {}) {
    checkValue("Linear", "in", dim, inner);
    checkValue("Linear", "out", out, inner);
    const checks = {
      bias: optional(flag),
      initial: optional(distribution),
      initialBias: optional(distribution),
    };
    const { bias = true, initial, initialBias } = checked("Linear", options, checks);
    const bound = 1 / Math.sqrt(dim); // [linear.uniform]
    this.weight = new Parameter("o i", [out, dim], initial ?? uniform(bound)); // [linear.initial]
    const ofBias = initialBias ?? (initial ? constant(0) : uniform(bound)); // [linear.initial]
    this.bias = bias ? new Parameter("o", [out], ofBias) : null;
  }

  /**
   * x Wᵀ + b.
   * Shapes: x `... i` → `... o`.
   */
  forward<P extends string>(x: Tensor<`${P} ${I}`>): Tensor<Then<P, O>> {
    const y = einsum("... i, o i -> ... o", x, this.weight); // [linear.out-in]
    return this.bias ? add(y, expand(this.bias, y)) : y; // [linear.bias]
  }
}
