// The attention scope: q, k and v are packed, then each task computes some rows of queries.
import { ShapeError } from "../../../tensor/errors.ts";
import { emptyRowWeight, expand } from "../../../tensor/ops/reductions.ts";
import type { Mask } from "../../../tensor/ops/table.ts";
import { offsets, rowMajor, type Shape, sizeOf, type View } from "../../../tensor/tensor.ts";
import type { AttentionAttrs, AttentionInputs } from "../../backend.ts";
import type { Engine } from "../engine.ts";
import { bits } from "../thread-pool.ts";
import { type Matrices, pack, panelled } from "./pack.ts";

/** The constants of attention.as.ts and tile.as.ts. */
const [KEYS, QUERIES, WIDTH] = [128, 24, 8];

/**
 * Matrices that are repeated along leading axes (stride 0) are packed once. `first` lists the positions at which a new combination of
 * starts occurs, and `index` the combination of every position.
 */
export function distinctMatrices(starts: readonly Int32Array[]): { index: Int32Array; first: Int32Array } {
  const seen = new Map<string, number>();
  const first: number[] = [];
  const index = Int32Array.from(starts[0] ?? [], (_, z) => {
    const key = starts.map((list) => list[z]).join(" ");
    const known = seen.get(key);
    if (known !== undefined) return known;
    seen.set(key, first.length);
    return first.push(z) - 1;
  });
  return { index, first: Int32Array.from(first) };
}

export const startsOf = ({ shape, stride }: Pick<View, "shape" | "stride">): Int32Array =>
  offsets(shape.slice(0, -2), stride.slice(0, -2));
const axis = ({ shape, stride }: View, i: number): Int32Array =>
  offsets(shape.slice(i).slice(0, 1), stride.slice(i).slice(0, 1));
const chosen = (list: Int32Array, which: Int32Array): Int32Array => which.map((z) => list[z] ?? 0);

export function sizesOf({ q, k, v }: AttentionInputs) {
  const lead = q.shape.slice(0, -2);
  const [l = 0, d = 0] = q.shape.slice(-2);
  const [s = 0, e = 0] = v.shape.slice(-2);
  if (`${k.shape}` !== `${[...lead, s, d]}` || `${v.shape.slice(0, -2)}` !== `${lead}`) {
    throw new ShapeError(`attention of q [${q.shape}], k [${k.shape}], v [${v.shape}]`);
  }
  return { lead, batch: sizeOf(lead), l, s, d, e };
}

/** Packs the matrices at the positions `which` (all by default) into panels of `width` rows. */
export function packRows(engine: Engine, v: View, width: number, which?: Int32Array): number {
  return packed(engine, v, [-2, -1], width, which);
}

/** Packs the matrices at the positions `which` (all by default) into panels of eight columns. */
export function packColumns(engine: Engine, v: View, which?: Int32Array): number {
  return packed(engine, v, [-1, -2], WIDTH, which);
}

function packed(
  engine: Engine,
  v: View,
  [outer, inner]: [number, number],
  width: number,
  which?: Int32Array,
) {
  const starts = which ? chosen(startsOf(v), which) : startsOf(v);
  const lists = { starts, outer: axis(v, outer), inner: axis(v, inner) };
  const matrices: Matrices = { address: engine.operand(v).address, ...lists };
  const panels = engine.temporary(
    4 * starts.length * panelled(lists.outer.length, width) * lists.inner.length,
  );
  pack(engine, matrices, width, panels);
  return panels;
}

/** Arguments 9 to 15 of the kernel: both masks, and the weight of the entries of an empty row. */
export function maskArguments(
  engine: Engine,
  { mayAttend, postSoftmaxMask, emptyRow }: AttentionAttrs,
  scores: Shape,
): number[] {
  return [
    ...maskArgument(engine, "mayAttend", mayAttend, scores),
    ...maskArgument(engine, "postSoftmaxMask", postSoftmaxMask, scores),
    bits(emptyRowWeight(emptyRow, scores.at(-1) ?? 1)),
  ];
}

/** Four arguments of the kernel: the address of a bias, the list of its matrices' offsets, and its strides along queries and keys. */
export function biasArguments(engine: Engine, bias: View | undefined, scores: Shape): number[] {
  if (!bias) return [0, 0, 0, 0];
  expand.shape({ shape: scores }, bias.shape);
  const { address, shape, stride } = engine.operand(expand.compute({ shape: scores }, bias));
  const starts = startsOf({ shape: [...shape], stride: [...stride] });
  return [address, engine.list(starts), ...stride.slice(-2)];
}

export function attention(engine: Engine, inputs: AttentionInputs, attrs: AttentionAttrs): View {
  const { q, k, v } = inputs;
  const { lead, batch, l, s, d, e } = sizesOf(inputs);
  const out = engine.result([...lead, l, e]);
  if (sizeOf(out.shape) === 0) return out;
  if (s === 0) out.data.fill(0);
  else
    engine.withTemporaries(() => {
      const { index, first } = distinctMatrices([startsOf(k), startsOf(v)]);
      const queries = packRows(engine, q, engine.threads.rowTile);
      const keys = packRows(engine, k, WIDTH, first);
      const values = packColumns(engine, v, first);
      const flags = engine.temporary(4 * first.length * Math.ceil(s / KEYS));
      // A block of keys that no query may attend to is skipped only if its values are finite: 0 · NaN is NaN.
      engine.threads.run("markFinite", {
        tasks: first.length,
        words: [values, s, e, flags],
        cost: (first.length * s * e) / 4,
      });
      const words = [queries, keys, values, out.data.byteOffset, l, s, d, e, engine.list(index)];
      words.push(...maskArguments(engine, attrs, [...lead, l, s]), flags);
      words.push(...biasArguments(engine, inputs.bias, [...lead, l, s]));
      const floats = 4 * QUERIES + 2 * QUERIES * KEYS + QUERIES + QUERIES * panelled(e, WIDTH);
      const cost = batch * l * s * ((d + e) / 20 + 1);
      const tasks = batch * Math.ceil(l / QUERIES);
      engine.threads.run("attend", { tasks, words, cost, scratch: 4 * floats + 64 });
    });
  return out;
}

/** A mask's address, the list of its matrices' offsets, and the bytes between rows. Columns are made contiguous if they are not. */
function maskArgument(engine: Engine, name: string, mask: Mask | null, shape: readonly number[]): number[] {
  if (!mask) return [0, 0, 0];
  if (`${mask.shape}` !== `${shape}`)
    throw new ShapeError(`${name} is [${mask.shape}], the scores are [${shape}]`);
  const isContiguous = mask.stride.at(-1) === 1 || mask.shape.at(-1) === 1;
  const contiguous = isContiguous ? mask : contiguousCopy(mask);
  const { address, stride } = engine.maskOperand(contiguous);
  const starts = startsOf({ shape: [...contiguous.shape], stride: [...stride] });
  return [address, engine.list(starts), stride.at(-2) ?? 0];
}

/** A copy of a mask with contiguous columns. Repeated axes before the columns stay repeated. */
function contiguousCopy({ data, shape, stride, offset }: Mask): Mask {
  const kept = shape.map((n, i) => (i < shape.length - 1 && stride[i] === 0 ? 1 : n));
  const from = offsets(kept, stride, offset);
  const dense = rowMajor(kept);
  return {
    data: Uint8Array.from(from, (at) => data[at] ?? 0),
    shape,
    stride: dense.map((step, i) => (kept[i] === 1 && shape[i] !== 1 ? 0 : step)),
    offset: 0,
  };
}
