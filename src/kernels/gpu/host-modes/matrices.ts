// Matrices wherever they lie, and the two layouts that the product kernel reads.
import { ShapeError } from "../../../tensor/errors.ts";
import type { Floats } from "../../../tensor/tensor.ts";

/** A batch of matrices somewhere in an array: element (z, i, j) stands at starts[z] + rows[i] + columns[j]. */
export interface Matrices {
  readonly data: Floats;
  readonly starts: Int32Array;
  readonly rows: Int32Array;
  readonly columns: Int32Array;
}

const multiples = (n: number, step: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i * step);

/** Matrices that lie row-major, one after another. */
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

export const fours = (n: number): number => Math.ceil(n / 4);

/** gpu.js and typed arrays both answer an index outside with a number or with nothing, so all are checked beforehand. */
function within(a: Matrices): Matrices {
  if (a.starts.length === 0 || a.rows.length === 0 || a.columns.length === 0) return a;
  const reach = (pick: (sofar: number, x: number) => number): number =>
    [a.starts, a.rows, a.columns].reduce((sum, offsets) => sum + offsets.reduce(pick), 0);
  const least = reach((sofar, x) => Math.min(sofar, x));
  const most = reach((sofar, x) => Math.max(sofar, x));
  if (least < 0 || most >= a.data.length) {
    throw new ShapeError(`matrices reach from ${least} to ${most} in an array of ${a.data.length} values`);
  }
  return a;
}

// biome-ignore-start lint/style/noNonNullAssertion: offsets are checked before, and these loops are hot
/** A as the kernel reads it: [batch, rows / 4, depth, 4]. Missing rows and columns are zero. */
export function fourRows(a: Matrices): Float32Array {
  const { data, starts, rows, columns } = within(a);
  const blocks = fours(rows.length);
  const depth = columns.length;
  const out = new Float32Array(starts.length * blocks * depth * 4);
  for (let z = 0; z < starts.length; z++) {
    for (let i = 0; i < rows.length; i++) {
      const from = starts[z]! + rows[i]!;
      let at = (z * blocks + (i >> 2)) * depth * 4 + (i & 3);
      for (let p = 0; p < depth; p++, at += 4) out[at] = data[from + columns[p]!]!;
    }
  }
  return out;
}

/** B as the kernel reads it: [batch, depth, a multiple of 4], since only such rows are computed four cells at a time. */
export function wideRows(b: Matrices, depth = b.rows.length): Float32Array {
  const { data, starts, rows, columns } = within(b);
  const width = 4 * fours(columns.length);
  const out = new Float32Array(starts.length * depth * width);
  const STRIP = 16; // whichever of rows and columns lie side by side, a line of the cache is used whole
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

/** A row-major result [batch, rows, columns] to write into. */
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

/** Writes what the kernel returns, [batch, rows / 4, width, 4], into the columns from `first` on, without the padding. */
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
