// The rotary position embedding of PaLM, whose frequencies are a buffer of the state dict: Su et al., arXiv 2104.09864, §3.2.2.
import { chunk, concat, einsum } from "../../tensor/ops/arrange.ts";
import { add, arange, cos, expand, mul, neg, sin } from "../../tensor/ops/functions.ts";
import { tap } from "../../tensor/program/apply.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { checkNoMore, checkValue, even, inner } from "../options.ts";
import { Parameter, values } from "../parameter.ts";

const CLASS = "RotaryEmbedding";

/** The base of the frequencies θᵢ = base^(−2i/width). */
export const BASE = 10_000;

/**
 * PaLM's rotary embedding, with the buffer `inv_freq`: angles m θᵢ of every position m, for both halves of the features. See
 * `rotary`. Throws a RuleError for an odd width.
 * Source: Su et al., arXiv 2104.09864, §3.2.2; RotaryEmbedding of flamingo-pytorch 0.1.2.
 */
export class RotaryEmbedding {
  static readonly buffers: readonly string[] = ["inv_freq"];
  inv_freq: Parameter<"j">;

  constructor(dim: number, ...surplus: readonly never[]) {
    checkNoMore(CLASS, "a width", surplus);
    checkValue(CLASS, "dim", dim, even); // [rotary.halves]
    // The source packages compute θ in float32, which differs from float64 by up to 4.7e-8; parameters are drawn in float32 as well.
    this.inv_freq = new Parameter(
      "j",
      [dim / 2],
      values((i) => 1 / Math.fround(BASE ** Math.fround((2 * i) / dim))),
    ); // [rotary.float32]
  }

  /** The angles of positions that begin at `from`. */
  forward(positions: number, from = 0): Tensor<"l k"> {
    const caller = `${CLASS}.forward`;
    checkValue(caller, "positions", positions, inner);
    checkValue(caller, "from", from, inner);
    const angles = einsum("l, j -> l j", arange("l", positions, from), this.inv_freq); // [rotary.angles]
    return tap(this, "", concat("l j, l j -> l k", angles, angles));
  }
}

/** (x₁, x₂) -> (−x₂, x₁), by halves of the last axis. */
export function rotateHalf<A extends string>(x: Tensor<A>): Tensor<A> {
  const [first, second] = chunk(x);
  return concat("... j, ... j -> ... k", neg(second), first); // [rotary.halves]
}

/** x cos mθ + rotateHalf(x) sin mθ: each pair of dimensions is rotated by its angle. */
export function rotate<A extends string>(x: Tensor<A>, angles: Tensor<"l k">): Tensor<A> {
  return add(mul(x, expand(cos(angles), x)), mul(rotateHalf(x), expand(sin(angles), x))); // [rotary.rotate]
}
