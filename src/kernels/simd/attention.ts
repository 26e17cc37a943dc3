// The attention scope: q, k and v are packed, then every thread takes some rows of queries.
import { ShapeError } from "../../tensor/errors.ts";
import type { Mask } from "../../tensor/ops.ts";
import { offsets, rowMajor, sizeOf, type View } from "../../tensor/tensor.ts";
import type { AttentionAttrs } from "../attention-attrs.ts";
import { bits } from "./crew.ts";
import type { Engine } from "./engine.ts";
import { type Matrices, pack, panelled } from "./product.ts";

/** As in attention.as.ts and tile.as.ts. */
const [KEYS, QUERIES, WIDTH] = [128, 24, 8];

export interface AttentionInputs {
  readonly q: View;
  readonly k: View;
  readonly v: View;
}

/** The matrices of the last two axes, those that are repeated (stride 0) only once: which one belongs to each place. */
function distinct(starts: readonly Int32Array[]): { own: Int32Array; first: Int32Array } {
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

const startsOf = ({ shape, stride }: Pick<View, "shape" | "stride">): Int32Array =>
  offsets(shape.slice(0, -2), stride.slice(0, -2));
const axis = ({ shape, stride }: View, i: number): Int32Array =>
  offsets(shape.slice(i).slice(0, 1), stride.slice(i).slice(0, 1));
const chosen = (list: Int32Array, which: Int32Array): Int32Array => which.map((z) => list[z] ?? 0);

export function attention(engine: Engine, { q, k, v }: AttentionInputs, attrs: AttentionAttrs): View {
  const lead = q.shape.slice(0, -2);
  const [l = 0, d = 0] = q.shape.slice(-2);
  const [s = 0, e = 0] = v.shape.slice(-2);
  if (`${k.shape}` !== `${[...lead, s, d]}` || `${v.shape.slice(0, -2)}` !== `${lead}`) {
    throw new ShapeError(`attention of q [${q.shape}], k [${k.shape}], v [${v.shape}]  [simd.sizes]`); // [simd.sizes]
  }
  const batch = sizeOf(lead);
  const out = engine.result([...lead, l, e]);
  if (out.size === 0) return out;
  if (s === 0)
    out.data.fill(0); // [simd.empty]
  else
    engine.within(() => {
      const { own, first } = distinct([startsOf(k), startsOf(v)]);
      const { rowTile } = engine.crew;
      const panels = (
        view: View,
        starts: Int32Array,
        outer: number,
        inner: number,
        width: number,
      ): number => {
        const lists = { starts, outer: axis(view, outer), inner: axis(view, inner) };
        const matrices: Matrices = { at: engine.place(view).at, ...lists };
        const size = starts.length * panelled(lists.outer.length, width) * lists.inner.length;
        const at = engine.borrow(4 * size);
        pack(engine, matrices, width, at);
        return at;
      };
      const queries = panels(q, startsOf(q), -2, -1, rowTile);
      const keys = panels(k, chosen(startsOf(k), first), -2, -1, WIDTH);
      const values = panels(v, chosen(startsOf(v), first), -1, -2, WIDTH);
      const flags = engine.borrow(4 * first.length * Math.ceil(s / KEYS));
      // A block of keys that nobody may see is skipped, if that cannot hide 0 · NaN. [simd.skip]
      engine.crew.run("markFinite", {
        tasks: first.length,
        words: [values, s, e, flags],
        cost: (first.length * s * e) / 4,
      });
      const shape = [...lead, l, s];
      const weight = attrs.emptyRow === "zero" ? 0 : attrs.emptyRow === "uniform" ? 1 / s : NaN; // [simd.empty-row]
      const words = [queries, keys, values, out.data.byteOffset, l, s, d, e, engine.list(own)];
      words.push(...maskWords(engine, "mayAttend", attrs.mayAttend, shape)); // [simd.masked]
      words.push(...maskWords(engine, "heard", attrs.heard, shape)); // [simd.silent]
      words.push(bits(weight), flags);
      const floats = 4 * QUERIES + 2 * QUERIES * KEYS + QUERIES + QUERIES * panelled(e, WIDTH);
      const cost = batch * l * s * ((d + e) / 20 + 1);
      const tasks = batch * Math.ceil(l / QUERIES);
      engine.crew.run("attend", { tasks, words, cost, scratch: 4 * floats + 64 }); // [simd.attention]
    });
  return out;
}

/** Where a mask stands, where each of its matrices begins, and the bytes between rows; columns are made to lie side by side. */
function maskWords(engine: Engine, what: string, mask: Mask | null, shape: readonly number[]): number[] {
  if (!mask) return [0, 0, 0];
  if (`${mask.shape}` !== `${shape}`)
    throw new ShapeError(`${what} is [${mask.shape}], the scores are [${shape}]  [simd.sizes]`); // [simd.sizes]
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
