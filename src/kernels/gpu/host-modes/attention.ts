// The attention scope on gpu.js: two products there, the softmax between them here, since no thread sees a whole row.
import { ShapeError } from "../../../tensor/errors.ts";
import type { Mask } from "../../../tensor/ops/table.ts";
import { offsets, sizeOf } from "../../../tensor/tensor.ts";
import type { AttentionAttrs } from "../../attention-attrs.ts";
import type { Device } from "./device.ts";
import { fourRows, fours, type Matrices, result, transposed, unpack, wideRows } from "./matrices.ts";
import { product } from "./matmul.ts";

export interface AttentionInputs {
  readonly q: Matrices;
  readonly k: Matrices;
  readonly v: Matrices;
}

/** out[z, l, e] = Σₛ softmaxₛ(Σ_d q[z, l, d] k[z, s, d]) v[z, s, e], row-major. */
export async function attention(
  device: Device,
  inputs: AttentionInputs,
  mask: AttentionAttrs,
): Promise<Float32Array> {
  const { batch, l, s, d, e } = sizesOf(inputs);
  const { q, k, v } = inputs;
  const [blocks, width, columns] = [fours(l), 4 * fours(s), 4 * fours(e)];
  const soften = rowSoftmax(mask, [batch, l, s]);
  const weights = await product(device, fourRows(q), wideRows(transposed(k)), {
    batch,
    blocks,
    depth: d,
    columns: width,
  });
  // The scores come in the layout that the second product reads, four rows side by side, and are overwritten in it.
  for (let z = 0, row = 0; z < batch; z++) {
    for (let i = 0; i < l; i++, row++) soften(weights, row, (z * blocks + (i >> 2)) * width * 4 + (i & 3));
  }
  const out = result(batch, l, e);
  unpack(await product(device, weights, wideRows(v, width), { batch, blocks, depth: width, columns }), out);
  return out.data;
}

function sizesOf({ q, k, v }: AttentionInputs) {
  const shape = (a: Matrices) => [a.starts.length, a.rows.length, a.columns.length] as const;
  const [batch, l, d] = shape(q);
  const [, s, e] = shape(v);
  if (`${shape(k)}` !== `${[batch, s, d]}` || v.starts.length !== batch) {
    throw new ShapeError(`attention of q [${shape(q)}], k [${shape(k)}], v [${shape(v)}]`);
  }
  return { batch, l, s, d, e };
}

/** A mask by rows; its repeated axes are not written out. */
interface Rows {
  readonly data: Uint8Array;
  readonly starts: Int32Array;
  readonly step: number;
}

function rowsOf(
  mask: Mask | null,
  what: string,
  [batch, l, s]: readonly [number, number, number],
): Rows | null {
  if (!mask) return null;
  const { data, shape, stride, offset } = mask;
  const starts = offsets(shape.slice(0, -1), stride.slice(0, -1), offset);
  if (shape.length < 2 || sizeOf(shape.slice(0, -2)) !== batch || shape.at(-2) !== l || shape.at(-1) !== s) {
    throw new ShapeError(`${what} is [${shape.join(" ")}], the scores are [${batch} ${l} ${s}]`);
  }
  return { data, starts, step: stride.at(-1) ?? 0 };
}

// biome-ignore-start lint/style/noNonNullAssertion: sizes are checked before, and these loops are hot
/**
 * Turns one row of scores, every fourth float from `from` on, into weights, in place. Which entries count is read from the
 * mask and never from the scores: a score may be anything, −∞ and NaN included.
 */
function rowSoftmax(
  { mayAttend, emptyRow, postSoftmaxMask }: AttentionAttrs,
  size: readonly [number, number, number],
) {
  const allowed = rowsOf(mayAttend, "mayAttend", size);
  const kept = rowsOf(postSoftmaxMask, "postSoftmaxMask", size);
  const s = size[2];
  const ofEmpty = emptyRow === "zero" ? 0 : emptyRow === "uniform" ? 1 / s : NaN;
  const width = 4 * fours(s);
  const weights = new Float64Array(width);
  const open = new Int32Array(s);

  return (scores: Float32Array, row: number, from: number): void => {
    const count = columnsOf(allowed, row, open);
    let top = -Infinity;
    for (let i = 0; i < count; i++) top = Math.max(top, scores[from + 4 * open[i]!]!); // keeps NaN
    let total = 0;
    weights.fill(count === 0 ? ofEmpty : 0, 0, s);
    for (let i = 0; i < count; i++) {
      const weight = Math.exp(scores[from + 4 * open[i]!]! - top);
      weights[open[i]!] = weight;
      total += weight; // one NaN, and the whole row is NaN
    }
    if (count > 0) for (let j = 0; j < s; j++) weights[j]! /= total;
    if (kept) for (let j = 0; j < s; j++) if (!kept.data[kept.starts[row]! + j * kept.step]) weights[j] = 0;
    for (let j = 0; j < width; j++) scores[from + 4 * j] = weights[j]!; // padding too, which is NaN where a query is
  };
}

/** Writes down the columns that are allowed in a row, and returns their number. */
function columnsOf(allowed: Rows | null, row: number, open: Int32Array): number {
  let count = 0;
  const start = allowed?.starts[row] ?? 0;
  for (let j = 0; j < open.length; j++)
    if (!allowed || allowed.data[start + j * allowed.step]) open[count++] = j;
  return count;
}
// biome-ignore-end lint/style/noNonNullAssertion: the hot loops end here
