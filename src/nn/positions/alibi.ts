// Attention with linear biases (ALiBi): Press, Smith and Lewis, arXiv 2108.12409, §3.

import { constant } from "../../tensor/program/constants.ts";
import { Tensor, view } from "../../tensor/tensor.ts";
import { type Check, checked, count, inner, optional, positive } from "../options.ts";
import { type AnglePrecision, anglePrecision, rounding } from "./angles.ts";

export interface AlibiOptions {
  readonly heads: number;
  /** The number of keys, those of a cache included. */
  readonly keys: number;
  /** With n heads, a power of two, head h has the slope 2^(−biasMax · h/n), h = 1 … n. */
  readonly biasMax?: number | undefined;
  /** The arithmetic of slopes and biases, in replays of every precision. */
  readonly precision?: AnglePrecision | undefined;
}

const checks: { readonly [K in keyof AlibiOptions]-?: Check } = {
  heads: count,
  keys: inner,
  biasMax: optional(positive),
  precision: optional(anglePrecision),
};

/**
 * The slopes of all heads. Where their number is no power of two, they are those of the next power of two, first every second one from
 * the second on, then every second one from the first on.
 */
function slopesOf(heads: number, biasMax: number, round: (x: number) => number): number[] {
  // #region slopes
  const all = 2 ** Math.ceil(Math.log2(heads));
  const slope = (h: number): number => round(1 / round(2 ** round(h * (biasMax / all)))); // [alibi.slopes]
  const order = Array.from({ length: all }, (_, i) => i + 1);
  const [odd, even] = [order.filter((h) => h % 2 === 1), order.filter((h) => h % 2 === 0)];
  return (all === heads ? order : [...even, ...odd].slice(0, heads)).map(slope); // [alibi.heads]
  // #endregion
}

/**
 * The bias to add to scaled attention scores: −slope · (keys − 1 − s) for key s. A row of scores that is shifted by one number has the same
 * softmax, so that this equals the paper's −slope · (l − s) for every query l, and one row serves all queries. Give it to `attention` as its
 * `bias`. Throws a RuleError for an option that it refuses.
 */
export function alibi(options: AlibiOptions): Tensor<"h 1 s"> {
  const { heads, keys, biasMax = 8, precision = "float64" } = checked("alibi", options, checks);
  const round = rounding(precision);
  const shape = [heads, 1, keys];
  const make = () => {
    const slopes = slopesOf(heads, biasMax, round);
    const bias = (slope: number) => Array.from({ length: keys }, (_, s) => round((s + 1 - keys) * slope)); // [alibi.bias]
    return view(Float64Array.from(slopes.flatMap(bias)), shape);
  };
  return constant(new Tensor<"h 1 s">(shape, make));
}
