// The feed-forward network of Flamingo.
import { gelu } from "../tensor/ops/functions.ts";
import { tap } from "../tensor/program/apply.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Linear, NO_BIAS } from "./linear.ts";
import { LayerNorm } from "./norms/layer-norm.ts";
import { checked, count, multiple, optional } from "./options.ts";

export interface FeedForwardOptions {
  readonly dim: number;
  readonly mult?: number | undefined;
}

/**
 * FFW(x) = W₂ gelu(W₁ norm(x)), without biases; a torch Sequential whose slot 2 (the GELU) has no parameters.
 * Source: Alayrac et al., arXiv 2204.14198v2, figures 4 and 5; FeedForward of flamingo-pytorch 0.1.2.
 */
export class FeedForward {
  readonly 0: LayerNorm;
  readonly 1: Linear<"d", "f">;
  readonly 3: Linear<"f", "d">;

  constructor(options: FeedForwardOptions) {
    const checks = { dim: count, mult: optional(multiple) };
    const { dim, mult = 4 } = checked("FeedForward", options, checks);
    const inner = Math.trunc(dim * mult); // [ffw.inner]
    this[0] = new LayerNorm(dim);
    this[1] = new Linear("d -> f", dim, inner, NO_BIAS);
    this[3] = new Linear("f -> d", inner, dim, NO_BIAS);
  }

  /**
   * W₂ gelu(W₁ norm(x)).
   * Shapes: x `... d` → `... d`.
   */
  forward<P extends string>(x: Tensor<`${P} d`>): Tensor<`${P} d`> {
    const { 0: norm, 1: up, 3: down } = this;
    return tap(this, "", down.forward(gelu(up.forward(norm.forward(x))))); // [ffw.order]
  }
}
