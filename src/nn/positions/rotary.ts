// Rotary position embedding, in the general form that language models use: Su et al., arXiv 2104.09864, §3.2.2.
import { ShapeError } from "../../tensor/errors.ts";
import { concat, rearrange, slice } from "../../tensor/ops/arrange.ts";
import { add, expand, mul } from "../../tensor/ops/functions.ts";
import { checkTensors } from "../../tensor/program/apply.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type Check, checked, even, nullable, oneOf, optional, positive } from "../options.ts";
import { type AnglePrecision, anglePrecision, type Positions, positions } from "./angles.ts";
import { BASE, rotateHalf } from "./palm-rotary.ts";
import { checkScaling, type RopeScaling, ropeScaling } from "./scaling.ts";
import { type Pairing, tablesOf } from "./tables.ts";

/** (x₁, x₂, x₃, x₄ …) -> (−x₂, x₁, −x₄, x₃ …), by neighbours of the last axis. */
function rotateNeighbours<A extends string>(x: Tensor<A>): Tensor<A> {
  const pairs = rearrange("... (j p) -> ... j p", x, { p: 2 });
  return rearrange("... j p -> ... (j p)", rotateHalf(pairs)); // [rotary.interleaved]
}

/** x cos mθ + rotateHalf(x) sin mθ, or with neighbours, with the cosines and sines of all pairs of dimensions. */
export function rotateBy<A extends string>(
  x: Tensor<A>,
  { cos, sin }: { readonly cos: Tensor; readonly sin: Tensor },
  pairing: Pairing,
): Tensor<A> {
  const turned = pairing === "halves" ? rotateHalf(x) : rotateNeighbours(x);
  return add(mul(x, expand(cos, x)), mul(turned, expand(sin, x))); // [rotary.rotate]
}

/** Width, frequencies and positions of a rotary embedding. */
export interface RotaryOptions {
  /** How many of a head's dimensions are rotated, from the first one on: an even number. The others pass unchanged. */
  readonly width: number;
  /** "halves" pairs dimensions i and i + width/2 (LLaMA, GPT-NeoX), "interleaved" 2i and 2i + 1 (the paper, GPT-J). */
  readonly pairing?: Pairing | undefined;
  /** θᵢ = base^(−2i/width). */
  readonly base?: number | undefined;
  /** The position of the first token, or positions "b l" of all tokens. */
  readonly from?: Positions | undefined;
  /** The arithmetic of frequencies, angles, cosines and sines, in replays of every precision. */
  readonly precision?: AnglePrecision | undefined;
  /** Other frequencies than θᵢ, of models whose context was lengthened. Default: null. */
  readonly scaling?: RopeScaling | null | undefined;
}

const checks: { readonly [K in keyof RotaryOptions]-?: Check } = {
  width: even,
  pairing: optional(oneOf(["halves", "interleaved"])),
  base: optional(positive),
  from: optional(positions),
  precision: optional(anglePrecision),
  scaling: optional(nullable(ropeScaling)),
};

/**
 * Rotates each pair of a head's dimensions by the angle m θᵢ of its token's position m. x: "… l k" if `from` is a number, "b … l
 * k" if it has positions for each row; k ≥ width. Cosines and sines are computed once for all calls with the same object `from`
 * and the same options, so that a model gives every layer the same positions. Throws a RuleError where an option is refused, and
 * a ShapeError where x is narrower than `width` or has other rows than `from`.
 * Shapes: x `... l k` → `... l k`.
 * Source: Su et al., arXiv 2104.09864, §3.2.2.
 */
export function rotary<A extends string>(x: Tensor<A>, options: RotaryOptions): Tensor<A> {
  checkTensors("rotary", x);
  const {
    width,
    pairing = "halves",
    base = BASE,
    from = 0,
    precision = "float64",
    scaling = null,
  } = checked("rotary", options, checks);
  checkScaling("rotary", scaling);
  const k = x.shape.at(-1) ?? 0;
  if (x.shape.length < 2 || k < width)
    throw new ShapeError(
      `[${x.shape.join(" ")}] has no ${width} dimensions to rotate  [rotary.width]`,
      "rotary",
    );
  const tables = tablesOf(x, { width, pairing, base, from, precision, scaling });
  if (k === width) return rotateBy(x, tables, pairing);
  const rotated = rotateBy(slice(x, -1, 0, width), tables, pairing);
  return concat("... i, ... j -> ... k", rotated, slice(x, -1, width, k)); // [rotary.width]
}
