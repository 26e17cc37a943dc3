// The attention scope: two products on gpu.js, and between them a softmax on the host, because a thread of gpu.js computes one cell
// and never reads a whole row.
import { ShapeError } from "../../../tensor/errors.ts";
import type { Matrices } from "../../../tensor/ops/matmul.ts";
import { emptyRowWeight } from "../../../tensor/ops/reductions.ts";
import { offsets, type Strided, sizeOf, type View } from "../../../tensor/tensor.ts";
import type { AttentionAttrs } from "../../backend.ts";
import type { HostDevice } from "./host-device.ts";
import { paddedDepth, product } from "./matmul.ts";
import { fours, packLeft, packRight, result, transposed, unpack } from "./matrices.ts";

export interface AttentionMatrices {
  readonly q: Matrices;
  readonly k: Matrices;
  readonly v: Matrices;
  /** [… l s], with as many matrices as q. */
  readonly bias?: View;
}

/** out[z, l, e] = Σₛ softmaxₛ(Σ_d q[z, l, d] k[z, s, d] + bias[z, l, s]) v[z, s, e], row-major. */
export async function attention(
  device: HostDevice,
  inputs: AttentionMatrices,
  mask: AttentionAttrs,
): Promise<Float32Array> {
  const { batch, l, s, d, e } = sizesOf(inputs);
  const { q, k, v, bias } = inputs;
  const [blocks, width, columns] = [fours(l), 4 * fours(s), 4 * fours(e)];
  const depth = paddedDepth(d);
  const softmaxRow = rowSoftmax(mask, bias ?? null, [batch, l, s]);
  const size = { batch, blocks, depth, columns: width };
  const scores = await product(device, packLeft(q, depth), packRight(transposed(k), depth), size);
  // Scores arrive in the layout that the second product reads: groups of four rows.
  const keys = paddedDepth(s);
  const weights = new Float32Array(batch * blocks * keys * 4);
  for (let z = 0, row = 0; z < batch; z++)
    for (let i = 0; i < l; i++, row++) {
      const block = z * blocks + (i >> 2);
      softmaxRow(row, scores, block * width * 4 + (i & 3), weights, block * keys * 4 + (i & 3));
    }
  const out = result(batch, l, e);
  unpack(await product(device, weights, packRight(v, keys), { batch, blocks, depth: keys, columns }), out);
  return out.data;
}

function sizesOf({ q, k, v }: AttentionMatrices) {
  const shape = (a: Matrices) => [a.starts.length, a.rows.length, a.columns.length] as const;
  const [batch, l, d] = shape(q);
  const [, s, e] = shape(v);
  if (`${shape(k)}` !== `${[batch, s, d]}` || v.starts.length !== batch) {
    throw new ShapeError(`attention of q [${shape(q)}], k [${shape(k)}], v [${shape(v)}]`);
  }
  return { batch, l, s, d, e };
}

/** A mask or a bias as offsets of its rows. Repeated axes are not expanded. */
interface Rows<D> {
  readonly data: D;
  readonly starts: Int32Array;
  readonly step: number;
}

function rowsOf<D>(
  array: Strided<D> | null,
  name: string,
  [batch, l, s]: readonly [number, number, number],
): Rows<D> | null {
  if (!array) return null;
  const { data, shape, stride, offset } = array;
  const starts = offsets(shape.slice(0, -1), stride.slice(0, -1), offset);
  if (shape.length < 2 || sizeOf(shape.slice(0, -2)) !== batch || shape.at(-2) !== l || shape.at(-1) !== s) {
    throw new ShapeError(`${name} is [${shape.join(" ")}], the scores are [${batch} ${l} ${s}]`);
  }
  return { data, starts, step: stride.at(-1) ?? 0 };
}

// biome-ignore-start lint/style/noNonNullAssertion: sizes are checked in advance, and these loops are hot
/**
 * Returns a function that reads one row of scores, every fourth float from `from` on, and writes its weights, every fourth float from
 * `to` on. The mask alone determines which entries take part; a score may have any value, −∞ and NaN included.
 */
function rowSoftmax(
  { mayAttend, emptyRow, postSoftmaxMask }: AttentionAttrs,
  addend: View | null,
  size: readonly [number, number, number],
) {
  const allowed = rowsOf(mayAttend, "mayAttend", size);
  const kept = rowsOf(postSoftmaxMask, "postSoftmaxMask", size);
  const bias = rowsOf(addend, "bias", size);
  const s = size[2];
  const emptyWeight = emptyRowWeight(emptyRow, s);
  const row = new Float64Array(s);
  const columns = new Int32Array(s);

  return (i: number, scores: Float32Array, from: number, weights: Float32Array, to: number): void => {
    const count = allowedColumns(allowed, i, columns);
    let top = -Infinity;
    row.fill(count === 0 ? emptyWeight : 0);
    for (let c = 0; c < count; c++) {
      const j = columns[c]!;
      row[j] = scores[from + 4 * j]! + (bias ? bias.data[bias.starts[i]! + j * bias.step]! : 0);
      top = Math.max(top, row[j]!); // keeps NaN
    }
    let total = 0;
    for (let c = 0; c < count; c++) {
      const j = columns[c]!;
      row[j] = Math.exp(row[j]! - top);
      total += row[j]!; // a single NaN makes all allowed entries of the row NaN
    }
    for (let c = 0; c < count; c++) row[columns[c]!]! /= total; // masked entries stay 0
    if (kept) for (let j = 0; j < s; j++) if (!kept.data[kept.starts[i]! + j * kept.step]) row[j] = 0;
    for (let j = 0; j < s; j++) weights[to + 4 * j] = row[j]!;
  };
}

/** Writes the allowed columns of a row to `columns` and returns their number. */
function allowedColumns(allowed: Rows<Uint8Array> | null, row: number, columns: Int32Array): number {
  let count = 0;
  const start = allowed?.starts[row] ?? 0;
  for (let j = 0; j < columns.length; j++)
    if (!allowed || allowed.data[start + j * allowed.step]) columns[count++] = j;
  return count;
}
// biome-ignore-end lint/style/noNonNullAssertion: the hot loops end here
