// The attention scope: two products on gpu.js, and between them a softmax on the host, because a thread of gpu.js computes one cell
// and never reads a whole row.
import { ShapeError } from "../../../tensor/errors.ts";
import { emptyRowWeight } from "../../../tensor/ops/reductions.ts";
import type { Mask } from "../../../tensor/ops/table.ts";
import { offsets, sizeOf } from "../../../tensor/tensor.ts";
import type { AttentionAttrs } from "../../backend.ts";
import type { HostDevice } from "./host-device.ts";
import { product } from "./matmul.ts";
import { fours, type Matrices, packLeft, packRight, result, transposed, unpack } from "./matrices.ts";

export interface AttentionMatrices {
  readonly q: Matrices;
  readonly k: Matrices;
  readonly v: Matrices;
}

/** out[z, l, e] = Σₛ softmaxₛ(Σ_d q[z, l, d] k[z, s, d]) v[z, s, e], row-major. */
export async function attention(
  device: HostDevice,
  inputs: AttentionMatrices,
  mask: AttentionAttrs,
): Promise<Float32Array> {
  const { batch, l, s, d, e } = sizesOf(inputs);
  const { q, k, v } = inputs;
  const [blocks, width, columns] = [fours(l), 4 * fours(s), 4 * fours(e)];
  const softmaxInPlace = rowSoftmax(mask, [batch, l, s]);
  const weights = await product(device, packLeft(q), packRight(transposed(k)), {
    batch,
    blocks,
    depth: d,
    columns: width,
  });
  // Scores arrive in the layout that the second product reads (groups of four rows), and the weights overwrite them.
  for (let z = 0, row = 0; z < batch; z++) {
    for (let i = 0; i < l; i++, row++)
      softmaxInPlace(weights, row, (z * blocks + (i >> 2)) * width * 4 + (i & 3));
  }
  const out = result(batch, l, e);
  unpack(await product(device, weights, packRight(v, width), { batch, blocks, depth: width, columns }), out);
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

/** A mask as offsets of its rows. Repeated axes are not expanded. */
interface Rows {
  readonly data: Uint8Array;
  readonly starts: Int32Array;
  readonly step: number;
}

function rowsOf(
  mask: Mask | null,
  name: string,
  [batch, l, s]: readonly [number, number, number],
): Rows | null {
  if (!mask) return null;
  const { data, shape, stride, offset } = mask;
  const starts = offsets(shape.slice(0, -1), stride.slice(0, -1), offset);
  if (shape.length < 2 || sizeOf(shape.slice(0, -2)) !== batch || shape.at(-2) !== l || shape.at(-1) !== s) {
    throw new ShapeError(`${name} is [${shape.join(" ")}], the scores are [${batch} ${l} ${s}]`);
  }
  return { data, starts, step: stride.at(-1) ?? 0 };
}

// biome-ignore-start lint/style/noNonNullAssertion: sizes are checked in advance, and these loops are hot
/**
 * Returns a function that replaces one row of scores, every fourth float from `from` on, by its weights. The mask alone determines
 * which entries take part; a score may have any value, −∞ and NaN included.
 */
function rowSoftmax(
  { mayAttend, emptyRow, postSoftmaxMask }: AttentionAttrs,
  size: readonly [number, number, number],
) {
  const allowed = rowsOf(mayAttend, "mayAttend", size);
  const kept = rowsOf(postSoftmaxMask, "postSoftmaxMask", size);
  const s = size[2];
  const emptyWeight = emptyRowWeight(emptyRow, s);
  const width = 4 * fours(s);
  const weights = new Float64Array(width);
  const columns = new Int32Array(s);

  return (scores: Float32Array, row: number, from: number): void => {
    const count = allowedColumns(allowed, row, columns);
    let top = -Infinity;
    for (let i = 0; i < count; i++) top = Math.max(top, scores[from + 4 * columns[i]!]!); // keeps NaN
    let total = 0;
    weights.fill(count === 0 ? emptyWeight : 0, 0, s);
    for (let i = 0; i < count; i++) {
      const weight = Math.exp(scores[from + 4 * columns[i]!]! - top);
      weights[columns[i]!] = weight;
      total += weight; // a single NaN makes the whole row NaN
    }
    if (count > 0) for (let j = 0; j < s; j++) weights[j]! /= total;
    if (kept) for (let j = 0; j < s; j++) if (!kept.data[kept.starts[row]! + j * kept.step]) weights[j] = 0;
    for (let j = 0; j < width; j++) scores[from + 4 * j] = weights[j]!; // overwrites the padding too, which is NaN where a query is
  };
}

/** Writes the allowed columns of a row to `columns` and returns their number. */
function allowedColumns(allowed: Rows | null, row: number, columns: Int32Array): number {
  let count = 0;
  const start = allowed?.starts[row] ?? 0;
  for (let j = 0; j < columns.length; j++)
    if (!allowed || allowed.data[start + j * allowed.step]) columns[count++] = j;
  return count;
}
// biome-ignore-end lint/style/noNonNullAssertion: the hot loops end here
