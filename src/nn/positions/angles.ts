// The angles m θᵢ of positions m, θᵢ = base^(−i/pairs): Su et al., arXiv 2104.09864v5, §3.2.2. They are computed on the host, so that
// they do not depend on the precision of a replay.

import { RuleError } from "../../tensor/errors.ts";
import { flat, Int } from "../../tensor/tensor.ts";
import { type Check, oneOf, passing, whole } from "../options.ts";

/** The arithmetic of the angles. "float32" rounds every step to float32, as the released packages do by default. */
export type AnglePrecision = "float32" | "float64";
export const anglePrecision: Check = oneOf(["float32", "float64"]);

/** The largest position: float32 holds every whole number up to it. [options.bounds] */
const FURTHEST = 2 ** 24;
export const position: Check = whole(-FURTHEST, FURTHEST);

/** The position of the first token, the others following, or one position for each token. */
export type Positions = number | Int<"b l">;
export const positions: Check = passing(
  `${position.wanted}, or integers "b l"`,
  (value) => position.accepts(value) || (value instanceof Int && value.shape.length === 2),
);

/** The positions of all tokens, one row after another, where each row has `count`; a single row if `from` is a number. */
export function positionsFrom(caller: string, from: Positions, count: number): Int32Array {
  if (typeof from === "number") return Int32Array.from({ length: count }, (_, i) => from + i);
  const [, length = 0] = from.shape;
  if (length !== count)
    throw new RuleError(
      `${caller}: from has positions of ${length} tokens, and the text has ${count}`,
      "rotary.from",
    );
  const all = flat(from).slice();
  const beyond = all.find((value) => !position.accepts(value));
  if (beyond !== undefined)
    throw new RuleError(`${caller}: position ${beyond} is not ${position.wanted}`, "rotary.from");
  return all;
}

const asIs = (x: number): number => x;
/** Rounds to the precision of the angles. */
export const rounding = (precision: AnglePrecision): ((x: number) => number) =>
  precision === "float32" ? Math.fround : asIs;

/** θ₀ … θ₍pairs−1₎ = base^(−i/pairs). */
export function frequencies(pairs: number, base: number, precision: AnglePrecision): number[] {
  const round = rounding(precision);
  return Array.from({ length: pairs }, (_, i) => round(1 / round(round(base) ** round(i / pairs)))); // [rotary.precision]
}
