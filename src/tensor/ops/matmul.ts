// Batched matrix products on any views, for every einsum.
import type { Floats } from "../tensor.ts";

/** Matrices within an array: element (i, j) of the matrix n is at starts[n] + rows[i] + columns[j]. */
export interface Matrices {
  readonly data: Floats;
  readonly starts: Int32Array;
  readonly rows: Int32Array;
  readonly columns: Int32Array;
}

const TILE = 4;

// biome-ignore-start lint/style/noNonNullAssertion: offsets are within bounds by construction, and these loops are the hot ones

/** Interleaves four columns (or rows), so that the inner loop reads both operands in sequence. The other lanes of an incomplete tile keep what they hold; their sums are not stored. */
function pack(data: Floats, start: number, outer: Int32Array, inner: Int32Array, out: Float64Array): void {
  for (let i = 0; i < outer.length; i++) {
    const lane = i % TILE;
    const at = start + outer[i]!;
    for (let p = 0, to = (i - lane) * inner.length + lane; p < inner.length; p++, to += TILE)
      out[to] = data[at + inner[p]!]!;
  }
}

/** Overwrites the matrices of c with a · b. Panels are packed and multiplied in tiles of 4×4 sums, which fit in registers. */
export function matmul(a: Matrices, b: Matrices, c: Matrices): void {
  const depth = a.columns.length;
  const panelA = new Float64Array(TILE * depth);
  const panelsB = new Float64Array(TILE * depth * Math.ceil(b.columns.length / TILE));
  for (let n = 0; n < c.starts.length; n++) {
    pack(b.data, b.starts[n]!, b.columns, b.rows, panelsB);
    for (let i = 0; i < a.rows.length; i += TILE) {
      pack(a.data, a.starts[n]!, a.rows.subarray(i, i + TILE), a.columns, panelA);
      for (let j = 0; j < b.columns.length; j += TILE) tile(panelA, panelsB, j * depth, depth, c, n, i, j);
    }
  }
}

// biome-ignore format: sixteen sums are easiest to read as a square
function tile(a: Float64Array, b: Float64Array, atB: number, depth: number, c: Matrices, n: number, i: number, j: number): void {
  let s00 = 0, s01 = 0, s02 = 0, s03 = 0;
  let s10 = 0, s11 = 0, s12 = 0, s13 = 0;
  let s20 = 0, s21 = 0, s22 = 0, s23 = 0;
  let s30 = 0, s31 = 0, s32 = 0, s33 = 0;
  for (let p = 0, x = 0, y = atB; p < depth; p++, x += TILE, y += TILE) {
    const a0 = a[x]!, a1 = a[x + 1]!, a2 = a[x + 2]!, a3 = a[x + 3]!;
    const b0 = b[y]!, b1 = b[y + 1]!, b2 = b[y + 2]!, b3 = b[y + 3]!;
    s00 += a0 * b0; s01 += a0 * b1; s02 += a0 * b2; s03 += a0 * b3;
    s10 += a1 * b0; s11 += a1 * b1; s12 += a1 * b2; s13 += a1 * b3;
    s20 += a2 * b0; s21 += a2 * b1; s22 += a2 * b2; s23 += a2 * b3;
    s30 += a3 * b0; s31 += a3 * b1; s32 += a3 * b2; s33 += a3 * b3;
  }
  store(c, n, i, j, s00, s01, s02, s03);
  store(c, n, i + 1, j, s10, s11, s12, s13);
  store(c, n, i + 2, j, s20, s21, s22, s23);
  store(c, n, i + 3, j, s30, s31, s32, s33);
}

/** Writes four sums into row i, or as many of them as it has columns from j on. */
function store(
  c: Matrices,
  n: number,
  i: number,
  j: number,
  s0: number,
  s1: number,
  s2: number,
  s3: number,
): void {
  if (i >= c.rows.length) return;
  const row = c.starts[n]! + c.rows[i]!;
  const left = c.columns.length - j;
  c.data[row + c.columns[j]!] = s0;
  if (left > 1) c.data[row + c.columns[j + 1]!] = s1;
  if (left > 2) c.data[row + c.columns[j + 2]!] = s2;
  if (left > 3) c.data[row + c.columns[j + 3]!] = s3;
}
// biome-ignore-end lint/style/noNonNullAssertion: the hot loop ends here
