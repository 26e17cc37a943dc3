// Rounding to lower precision, emulated in float64: each function returns the nearest number of the format.
//
// As in IEEE 754: round to nearest, ties to even, once, from the float64 value. (torch's conversions
// from float64 to bfloat16 and float16 pass through float32 and so round twice; numpy's float16 rounds once, as here.)

import { RuleError } from "./errors.ts";

export const PRECISIONS = ["float64", "float32", "bfloat16", "float16"] as const;
/** The floating-point formats of IEEE 754 and bfloat16, in which programs are evaluated and weights are stored. */
export type Precision = (typeof PRECISIONS)[number];

/** A precision by its name. Throws a RuleError for any other value. */
export function precisionOf(name: unknown): Precision {
  const found = PRECISIONS.find((one) => one === name);
  if (found !== undefined) return found;
  const given = typeof name === "string" ? JSON.stringify(name.slice(0, 40)) : String(name);
  throw new RuleError(`${given} is not a precision; known are ${PRECISIONS.join(", ")}`, "precision.known");
}

interface Format {
  readonly largest: number;
  /** For each biased float64 exponent: 1.5 · 2⁵² times the spacing of the format. Adding it rounds off all bits below one spacing. */
  readonly magic: Float64Array;
}

/** A binary format with `digits` significant bits whose normal numbers run from 2^lowest to below 2^(highest + 1). */
function format(digits: number, lowest: number, highest: number): Format {
  const magic = new Float64Array(2048); // 0 leaves x unchanged: for overflow, ±inf and NaN
  for (let e = 0; e <= highest + 1023; e++)
    magic[e] = 1.5 * 2 ** (52 + Math.max(e - 1023, lowest) - (digits - 1));
  return { largest: (2 - 2 ** (1 - digits)) * 2 ** highest, magic };
}

const bfloat16 = format(8, -126, 127);
const float16 = format(11, -14, 15);

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);
/** The index of the 32-bit word of a float64 that holds sign and exponent: 1 on every processor in use. */
const HIGH = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 1 : 0;

/** `high` is the 32-bit word of x that holds its exponent. */
function nearest({ largest, magic }: Format, x: number, high: number): number {
  const m = magic[(high >>> 20) & 0x7ff] ?? 0;
  const rounded = x + m - m; // [io.round-half-even]
  if (rounded === 0) return x * 0; // a zero keeps its sign
  if (rounded > largest) return Infinity;
  return rounded < -largest ? -Infinity : rounded;
}

function highWord(x: number): number {
  float[0] = x;
  return words[HIGH] ?? 0;
}

export const toBfloat16 = (x: number): number => nearest(bfloat16, x, highWord(x));
export const toFloat16 = (x: number): number => nearest(float16, x, highWord(x));

export const round: Record<Precision, (x: number) => number> = {
  float64: (x) => x,
  float32: Math.fround,
  bfloat16: toBfloat16,
  float16: toFloat16,
};

/** Rounds every value in place. */
export function roundInto(values: Float64Array, precision: Precision): void {
  if (precision === "float64") return;
  if (precision === "float32") {
    for (let i = 0; i < values.length; i++) values[i] = Math.fround(values[i] ?? 0);
    return;
  }
  const to = precision === "bfloat16" ? bfloat16 : float16;
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
  for (let i = 0; i < values.length; i++) values[i] = nearest(to, values[i] ?? 0, words[2 * i + HIGH] ?? 0);
}
