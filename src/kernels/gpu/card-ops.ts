// The product and the attention scope on a graphics card, as chains of kernels.
import { ShapeError } from "../../tensor/errors.ts";
import type { AttentionAttrs } from "../attention-attrs.ts";
import { type AttentionInputs, maskCodes, sizesOf } from "./attention.ts";
import type { Argument, Card, CardBuffer } from "./card.ts";
import { rowSums, rowTops, scalarProduct, softWeights } from "./card-kernels.ts";
import { fours, type Matrices, wideRows } from "./matrices.ts";

const matrix = (a: Matrices): Argument => ({
  values: wideRows(a),
  size: [4 * fours(a.columns.length), a.rows.length, a.starts.length],
});

/** C[z, i, j] = Σₚ A[z, i, p] B[z, p, j], row-major. */
export async function cardMatmul(card: Card, a: Matrices, b: Matrices): Promise<Float32Array> {
  const [batch, rows, depth, columns] = [a.starts.length, a.rows.length, a.columns.length, b.columns.length];
  if (b.starts.length !== batch || b.rows.length !== depth) {
    throw new ShapeError(
      `[${batch} ${rows} ${depth}] times [${b.starts.length} ${b.rows.length} ${columns}]  [gpu.sizes]`,
    );
  }
  const cells = batch * rows * columns;
  if (cells === 0 || depth === 0) return new Float32Array(cells); // [gpu.empty]
  const c = await card.run("product", scalarProduct, depth, [columns, rows, batch], [matrix(a), matrix(b)]);
  return taken(card, c); // [gpu.product]
}

async function taken(card: Card, buffer: CardBuffer): Promise<Float32Array> {
  try {
    return await card.download(buffer);
  } finally {
    card.release(buffer);
  }
}

/** Scores, softmax and the sum over values, none of which leaves the device but the last. */
export async function cardAttention(
  card: Card,
  inputs: AttentionInputs,
  attrs: AttentionAttrs,
): Promise<Float32Array> {
  const { batch, l, s, d, e } = sizesOf(inputs);
  const { q, k, v } = inputs;
  const codes = maskCodes(attrs, [batch, l, s]);
  if (batch * l * e === 0 || s === 0) return new Float32Array(batch * l * e); // [gpu.empty]
  const ofEmpty = attrs.emptyRow === "zero" ? 0 : attrs.emptyRow === "uniform" ? 1 / s : NaN; // [gpu.empty-row]
  const fill: Argument = { values: Float32Array.of(ofEmpty), size: [1, 1, 1] };
  const none: Argument = { values: new Float32Array(s * l * batch), size: [s, l, batch] };
  const held: CardBuffer[] = [];
  const keep = async (made: Promise<CardBuffer>): Promise<CardBuffer> => {
    held.push(await made);
    return held.at(-1) as CardBuffer;
  };
  const flipped = { ...k, rows: k.columns, columns: k.rows };
  try {
    const mask = await keep(card.upload(codes, [s, l, batch]));
    const scores =
      d === 0
        ? none
        : await keep(card.run("scores", scalarProduct, d, [s, l, batch], [matrix(q), matrix(flipped)]));
    const tops = await keep(card.run("tops", rowTops, s, [1, l, batch], [scores, mask]));
    const sums = await keep(card.run("sums", rowSums, s, [1, l, batch], [scores, mask, tops]));
    const weights = await keep(
      card.run("weights", softWeights, s, [s, l, batch], [scores, mask, tops, sums, fill]),
    );
    const out = await card.run("values", scalarProduct, s, [e, l, batch], [weights, matrix(v)]);
    return await taken(card, out); // [gpu.attention]
  } finally {
    card.release(...held);
  }
}
