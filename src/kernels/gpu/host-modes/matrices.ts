// Matrices as offsets into an array, and the two packed layouts that the product kernel reads.
import { ShapeError } from "../../../tensor/errors.ts";
import type { Matrices } from "../../../tensor/ops/matmul.ts";
import type { Floats } from "../../../tensor/tensor.ts";

const multiples = (n: number, step: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i * step);

/** Row-major matrices, one after another. */
export function dense(data: Floats, batch: number, rows: number, columns: number): Matrices {
  if (data.length !== batch * rows * columns) {
    throw new ShapeError(
      `[${batch} ${rows} ${columns}] holds ${batch * rows * columns} values, got ${data.length}`,
    );
  }
  return {
    data,
    starts: multiples(batch, rows * columns),
    rows: multiples(rows, columns),
    columns: multiples(columns, 1),
  };
}

export const transposed = (a: Matrices): Matrices => ({ ...a, rows: a.columns, columns: a.rows });

/** The number of groups of four that hold n elements. */
export const fours = (n: number): number => Math.ceil(n / 4);

/** Checks every offset in advance: neither gpu.js nor a typed array reports an index outside the array. */
function checked(a: Matrices): Matrices {
  if (a.starts.length === 0 || a.rows.length === 0 || a.columns.length === 0) return a;
  const extreme = (choose: (x: number, y: number) => number): number =>
    [a.starts, a.rows, a.columns].reduce((sum, offsets) => sum + offsets.reduce((x, y) => choose(x, y)), 0);
  const [least, most] = [extreme(Math.min), extreme(Math.max)];
  if (least < 0 || most >= a.data.length) {
    throw new ShapeError(`matrices reach from ${least} to ${most} in an array of ${a.data.length} values`);
  }
  return a;
}

// biome-ignore-start lint/style/noNonNullAssertion: offsets are checked in advance, and these loops are hot
/** A in the layout of the kernel, [batch, rows / 4, depth, 4], padded with zeros. */
export function packLeft(a: Matrices, depth = a.columns.length): Float32Array {
  const { data, starts, rows, columns } = checked(a);
  const blocks = fours(rows.length);
  const out = new Float32Array(starts.length * blocks * depth * 4);
  for (let z = 0; z < starts.length; z++) {
    for (let i = 0; i < rows.length; i++) {
      const from = starts[z]! + rows[i]!;
      let at = (z * blocks + (i >> 2)) * depth * 4 + (i & 3);
      for (let p = 0; p < columns.length; p++, at += 4) out[at] = data[from + columns[p]!]!;
    }
  }
  return out;
}

/** B in the layout of the kernel, [batch, depth, width]. The width is a multiple of 4: only such rows are computed with SIMD. */
export function packRight(b: Matrices, depth = b.rows.length): Float32Array {
  const { data, starts, rows, columns } = checked(b);
  const width = 4 * fours(columns.length);
  const out = new Float32Array(starts.length * depth * width);
  const STRIP = 16; // uses whole cache lines, whichever of rows and columns are contiguous
  for (let z = 0; z < starts.length; z++) {
    for (let top = 0; top < rows.length; top += STRIP) {
      const bottom = Math.min(top + STRIP, rows.length);
      for (let j = 0; j < columns.length; j++) {
        const from = starts[z]! + columns[j]!;
        for (let p = top; p < bottom; p++) out[(z * depth + p) * width + j] = data[from + rows[p]!]!;
      }
    }
  }
  return out;
}

/** A row-major result [batch, rows, columns] that `unpack` writes to. */
export interface Result {
  readonly data: Float32Array;
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
}

export const result = (batch: number, rows: number, columns: number): Result => ({
  data: new Float32Array(batch * rows * columns),
  batch,
  rows,
  columns,
});

/** Copies the kernel's result, [batch, rows / 4, width, 4], without its padding into n columns from `first` on. */
export function unpack(
  c: Float32Array,
  { data, batch, rows, columns }: Result,
  first = 0,
  n = columns,
): void {
  const [blocks, width] = [fours(rows), 4 * fours(n)];
  for (let z = 0; z < batch; z++) {
    for (let i = 0; i < rows; i++) {
      let at = (z * blocks + (i >> 2)) * width * 4 + (i & 3);
      const to = (z * rows + i) * columns + first;
      for (let j = 0; j < n; j++, at += 4) data[to + j] = c[at]!;
    }
  }
}
// biome-ignore-end lint/style/noNonNullAssertion: the hot loops end here
