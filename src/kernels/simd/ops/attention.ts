// The attention scope: q, k and v are packed, then every thread takes some rows of queries.
import { ShapeError } from "../../../tensor/errors.ts";
import type { Mask } from "../../../tensor/ops/table.ts";
import { offsets, rowMajor, type Shape, sizeOf, type View } from "../../../tensor/tensor.ts";
import type { AttentionAttrs } from "../../attention-attrs.ts";
import type { Engine } from "../engine.ts";
import { bits } from "../thread-pool.ts";
import { type Matrices, pack, panelled } from "./product.ts";

/** As in attention.as.ts and tile.as.ts. */
const [KEYS, QUERIES, WIDTH] = [128, 24, 8];

export interface AttentionInputs {
  readonly q: View;
  readonly k: View;
  readonly v: View;
}

/** The matrices of the last two axes, those that are repeated (stride 0) only once: which one belongs to each place. */
export function distinct(starts: readonly Int32Array[]): { own: Int32Array; first: Int32Array } {
  const seen = new Map<string, number>();
  const first: number[] = [];
  const own = Int32Array.from(starts[0] ?? [], (_, z) => {
    const key = starts.map((list) => list[z]).join(" ");
    const known = seen.get(key);
    if (known !== undefined) return known;
    seen.set(key, first.length);
    return first.push(z) - 1;
  });
  return { own, first: Int32Array.from(first) };
}

export const startsOf = ({ shape, stride }: Pick<View, "shape" | "stride">): Int32Array =>
  offsets(shape.slice(0, -2), stride.slice(0, -2));
const axis = ({ shape, stride }: View, i: number): Int32Array =>
  offsets(shape.slice(i).slice(0, 1), stride.slice(i).slice(0, 1));
const chosen = (list: Int32Array, which: Int32Array): Int32Array => which.map((z) => list[z] ?? 0);

/** */
export function sizesOf({ q, k, v }: AttentionInputs) {
  const lead = q.shape.slice(0, -2);
  const [l = 0, d = 0] = q.shape.slice(-2);
  const [s = 0, e = 0] = v.shape.slice(-2);
  if (`${k.shape}` !== `${[...lead, s, d]}` || `${v.shape.slice(0, -2)}` !== `${lead}`) {
    throw new ShapeError(`attention of q [${q.shape}], k [${k.shape}], v [${v.shape}]`);
  }
  return { lead, batch: sizeOf(lead), l, s, d, e };
}

/** Packed by rows: each of the matrices `which`, all if not said, in panels of `width` rows. */
export function byRows(engine: Engine, v: View, width: number, which?: Int32Array): number {
  return panels(engine, v, [-2, -1], width, which);
}

/** Packed along its rows: in panels of eight columns. */
export function alongRows(engine: Engine, v: View, which?: Int32Array): number {
  return panels(engine, v, [-1, -2], WIDTH, which);
}

function panels(
  engine: Engine,
  v: View,
  [outer, inner]: [number, number],
  width: number,
  which?: Int32Array,
) {
  const starts = which ? chosen(startsOf(v), which) : startsOf(v);
  const lists = { starts, outer: axis(v, outer), inner: axis(v, inner) };
  const matrices: Matrices = { at: engine.place(v).at, ...lists };
  const at = engine.borrow(4 * starts.length * panelled(lists.outer.length, width) * lists.inner.length);
  pack(engine, matrices, width, at);
  return at;
}

/** Words 9 to 15 of a job: the masks, and what the weights of an empty row are. */
export function ruleWords(
  engine: Engine,
  { mayAttend, postSoftmaxMask, emptyRow }: AttentionAttrs,
  scores: Shape,
): number[] {
  const weight = emptyRow === "zero" ? 0 : emptyRow === "uniform" ? 1 / (scores.at(-1) ?? 1) : NaN;
  return [
    ...maskWords(engine, "mayAttend", mayAttend, scores),
    ...maskWords(engine, "postSoftmaxMask", postSoftmaxMask, scores),
    bits(weight),
  ];
}

export function attention(engine: Engine, inputs: AttentionInputs, attrs: AttentionAttrs): View {
  const { q, k, v } = inputs;
  const { lead, batch, l, s, d, e } = sizesOf(inputs);
  const out = engine.result([...lead, l, e]);
  if (out.size === 0) return out;
  if (s === 0) out.data.fill(0);
  else
    engine.within(() => {
      const { own, first } = distinct([startsOf(k), startsOf(v)]);
      const queries = byRows(engine, q, engine.crew.rowTile);
      const keys = byRows(engine, k, WIDTH, first);
      const values = alongRows(engine, v, first);
      const flags = engine.borrow(4 * first.length * Math.ceil(s / KEYS));
      // A block of keys that nobody may see is skipped, if that cannot hide 0 · NaN.
      engine.crew.run("markFinite", {
        tasks: first.length,
        words: [values, s, e, flags],
        cost: (first.length * s * e) / 4,
      });
      const words = [queries, keys, values, out.data.byteOffset, l, s, d, e, engine.list(own)];
      words.push(...ruleWords(engine, attrs, [...lead, l, s]), flags);
      const floats = 4 * QUERIES + 2 * QUERIES * KEYS + QUERIES + QUERIES * panelled(e, WIDTH);
      const cost = batch * l * s * ((d + e) / 20 + 1);
      const tasks = batch * Math.ceil(l / QUERIES);
      engine.crew.run("attend", { tasks, words, cost, scratch: 4 * floats + 64 });
    });
  return out;
}

/** Where a mask stands, where each of its matrices begins, and the bytes between rows; columns are made to lie side by side. */
function maskWords(engine: Engine, what: string, mask: Mask | null, shape: readonly number[]): number[] {
  if (!mask) return [0, 0, 0];
  if (`${mask.shape}` !== `${shape}`)
    throw new ShapeError(`${what} is [${mask.shape}], the scores are [${shape}]`);
  const lined = mask.stride.at(-1) === 1 || mask.shape.at(-1) === 1 ? mask : written(mask);
  const { at, stride } = engine.placeMask(lined);
  return [at, engine.list(startsOf({ shape: [...lined.shape], stride: [...stride] })), stride.at(-2) ?? 0];
}

/** A mask whose columns lie side by side; axes that are repeated before them stay so. */
function written({ data, shape, stride, offset }: Mask): Mask {
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
