// Cosines and sines of the angles of positions, as constants of a program.

import { ShapeError } from "../../tensor/errors.ts";
import { constant } from "../../tensor/program/constants.ts";
import { flat, Int, Tensor, view } from "../../tensor/tensor.ts";
import { type AnglePrecision, frequencies, type Positions, positionsFrom, rounding } from "./angles.ts";
import { type RopeScaling, scaled } from "./scaling.ts";

/** Which dimensions are rotated together: i and i + width/2, or 2i and 2i + 1. */
export type Pairing = "halves" | "interleaved";

export interface TableOptions {
  readonly width: number;
  readonly pairing: Pairing;
  readonly base: number;
  readonly from: Positions;
  readonly precision: AnglePrecision;
  readonly scaling: RopeScaling | null;
}

/** Cosines and sines of all rotated dimensions: "l k", or "b 1 … l k" where every row has positions of its own. */
export interface Tables {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/** Frequencies θᵢ, and how an angle m θᵢ and a value of it are rounded. */
export interface Arithmetic {
  readonly theta: readonly number[];
  readonly angle: (x: number) => number;
  readonly value: (x: number) => number;
}

/** f(m θᵢ) for all positions and both dimensions of every pair, row-major. */
export function table(
  f: (angle: number) => number,
  positions: Iterable<number>,
  pairing: Pairing,
  { theta, angle, value }: Arithmetic,
): Float64Array {
  const pairs = theta.length;
  const [step, distance] = pairing === "halves" ? [1, pairs] : [2, 1]; // [rotary.halves] [rotary.interleaved]
  const all = [...positions];
  const out = new Float64Array(all.length * 2 * pairs);
  for (const [row, m] of all.entries())
    for (let i = 0; i < pairs; i++) {
      const at = row * 2 * pairs + i * step;
      out[at] = out[at + distance] = value(f(angle(m * (theta[i] ?? 0)))); // [rotary.precision]
    }
  return out;
}

/** Tables that were computed for an array of positions, and the positions at that time. */
interface Known {
  readonly positions: Int32Array;
  readonly tables: Map<string, Tables>;
}
const known = new WeakMap<Int, Known>();

/** The tables of an array of positions. Those of positions that were changed since are dropped. */
function knownTables(from: Int): Map<string, Tables> {
  const positions = flat(from);
  const found = known.get(from);
  if (found?.positions.every((position, i) => position === positions[i])) return found.tables;
  const tables = new Map<string, Tables>();
  known.set(from, { positions: positions.slice(), tables });
  return tables;
}

/** The shape of the tables for x: rows of their own are aligned with its first axis, and the tokens with its last axis but one. */
function shapeFor(x: Tensor, { from, width }: TableOptions): number[] {
  const count = x.shape.at(-2) ?? 0;
  if (!(from instanceof Int)) return [count, width];
  const rows = from.shape[0] ?? 0;
  if (x.shape.length < 3 || x.shape[0] !== rows)
    throw new ShapeError(
      `from has positions of ${rows} rows, and the heads are [${x.shape.join(" ")}]; their first axis is that of the rows  [rotary.from]`,
      "rotary",
    );
  return [rows, ...x.shape.slice(1, -2).map(() => 1), count, width];
}

/** Cosines and sines for x, "… l k"; the same tensors for every call with the same positions and options. */
export function tablesOf(x: Tensor, options: TableOptions): Tables {
  const { from, width, pairing, base, precision, scaling } = options;
  const shape = shapeFor(x, options);
  const all = positionsFrom("rotary", from, shape.at(-2) ?? 0);
  const make = (): Tables => {
    const round = rounding(precision);
    const theta = scaled(frequencies(width / 2, base, precision), scaling, precision);
    const arithmetic = { theta, angle: round, value: round };
    const lazy = (f: (angle: number) => number) =>
      constant(new Tensor(shape, () => view(table(f, all, pairing, arithmetic), shape)));
    return { cos: lazy(Math.cos), sin: lazy(Math.sin) };
  };
  if (!(from instanceof Int)) return make();
  const tables = knownTables(from);
  const key = [width, pairing, base, precision, JSON.stringify(scaling), shape.length].join(" ");
  const found = tables.get(key) ?? make();
  tables.set(key, found);
  return found; // [rotary.once]
}
