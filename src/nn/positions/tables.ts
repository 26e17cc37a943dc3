// Cosines and sines of the angles of positions, as constants of a program.

import { ShapeError } from "../../tensor/errors.ts";
import { constant } from "../../tensor/program/record.ts";
import { flat, Int, Tensor, type View, view } from "../../tensor/tensor.ts";
import { type AnglePrecision, frequencies, type Positions, rounding, rowsOf } from "./angles.ts";

/** Which dimensions are rotated together: i and i + width/2, or 2i and 2i + 1. */
export type Pairing = "halves" | "interleaved";

export interface TableOptions {
  readonly width: number;
  readonly pairing: Pairing;
  readonly base: number;
  readonly from: Positions;
  readonly precision: AnglePrecision;
}

/** Cosines and sines of all rotated dimensions: "l k", or "b 1 … l k" where every row has positions of its own. */
export interface Tables {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/** f(m θᵢ) for the positions of every row and every dimension, with each pair's value in both of its dimensions. */
function table(
  f: (angle: number) => number,
  rows: readonly Int32Array[],
  { width, pairing, base, precision }: TableOptions,
): Float64Array {
  const round = rounding(precision);
  const pairs = width / 2;
  const theta = frequencies(pairs, base, precision);
  const [step, distance] = pairing === "halves" ? [1, pairs] : [2, 1];
  const out = new Float64Array(rows.reduce((all, row) => all + row.length, 0) * width);
  let at = 0;
  for (const row of rows)
    for (const m of row) {
      for (let i = 0; i < pairs; i++) {
        const value = round(f(round(m * (theta[i] ?? 0)))); // [rotary.precision]
        out[at + i * step] = value;
        out[at + i * step + distance] = value; // [rotary.halves] [rotary.interleaved]
      }
      at += width;
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
  const { from, width, pairing, base, precision } = options;
  const shape = shapeFor(x, options);
  const rows = rowsOf("rotary", from, shape.at(-2) ?? 0);
  const make = (): Tables => {
    const lazy = (f: (angle: number) => number) =>
      constant(new Tensor(shape, (): View => view(table(f, rows, options), shape)));
    return { cos: lazy(Math.cos), sin: lazy(Math.sin) };
  };
  if (!(from instanceof Int)) return make();
  const tables = knownTables(from);
  const key = [width, pairing, base, precision, shape.length].join(" ");
  const found = tables.get(key) ?? make();
  tables.set(key, found);
  return found; // [rotary.once]
}
