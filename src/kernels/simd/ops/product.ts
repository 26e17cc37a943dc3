// einsum as a product of packed operands: C[z, i, j] = Σₚ A[z, i, p] B[z, p, j].
import { axisOffsets, contraction } from "../../../tensor/ops/einsum.ts";
import { axesOf } from "../../../tensor/pattern.ts";
import { type Shape, sizeOf, type View } from "../../../tensor/tensor.ts";
import { reordered } from "../../reordered.ts";
import type { Engine } from "../engine.ts";

/** Columns of a panel of B. */
export const WIDTH = 8;
/** Marks a list of offsets without a constant stride. */
const NO_STRIDE = -(2 ** 31);
/** Rows and columns of C in a task; multiples of both tile sizes. */
const [HIGH, WIDE] = [96, 512];

type Names = readonly string[];

/** A batch of matrices in the heap: element (z, i, p) is at `address` + 4 (starts[z] + outer[i] + inner[p]). */
export interface Matrices {
  readonly address: number;
  readonly starts: Int32Array;
  readonly outer: Int32Array;
  readonly inner: Int32Array;
}

/** The constant difference between the numbers of a list that begins with 0, otherwise NO_STRIDE. */
function strideOf(list: Int32Array): number {
  const stride = (list[1] ?? 1) - (list[0] ?? 0);
  for (let i = 1; i < list.length; i++) if ((list[i] ?? 0) - (list[i - 1] ?? 0) !== stride) return NO_STRIDE;
  return (list[0] ?? 0) === 0 ? stride : NO_STRIDE;
}

/** n rounded up to whole panels. */
export const panelled = (n: number, width: number): number => Math.ceil(n / width) * width;

/** Packs matrices into panels of `width` rows of the outer axis, from address `to` on. */
export function pack(
  engine: Engine,
  { address, starts, outer, inner }: Matrices,
  width: number,
  to: number,
): void {
  const panels = Math.ceil(outer.length / width);
  const perTask = Math.max(1, Math.min(16, Math.ceil(65536 / (width * inner.length + 1))));
  const stride = strideOf(inner);
  const words = [
    address,
    engine.list(starts),
    engine.list(outer),
    outer.length,
    stride === NO_STRIDE ? engine.list(inner) : 0,
    stride,
    inner.length,
    width,
    to,
    perTask,
  ];
  const tasks = starts.length * Math.ceil(panels / perTask);
  engine.threads.run("pack", { tasks, words, cost: starts.length * outer.length * inner.length });
}

/** A product of packed operands: its sizes, and the addresses of A, B and C. */
export interface Product {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly depth: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

export function multiply(engine: Engine, { batch, m, n, depth, a, b, c }: Product): void {
  const { rowTile } = engine.threads;
  let wide = WIDE;
  const tasksOf = () => batch * Math.ceil(m / HIGH) * Math.ceil(n / wide);
  while (wide > 32 && tasksOf() < 16) wide /= 2;
  const words = [a, b, c, m, n, depth, HIGH, wide, panelled(m, rowTile) * depth, panelled(n, WIDTH) * depth];
  const cost = (batch * m * n * depth) / 20;
  engine.threads.run("multiply", { tasks: tasksOf(), words, cost, scratch: 4 * rowTile * WIDTH });
}

/** Operands that are stored as panels. */
export interface Packed {
  /** The address of the panels that `b` represents, if they have the layout `key`. */
  find(b: View, key: string): number | null;
}

/** A contraction with its sizes. `swap`: the transposed product is computed, so that the longer side fills panels of eight. */
function planned(pattern: string, a: Shape, b: Shape) {
  const plan = contraction(pattern, a, b);
  const count = (names: Names): number => sizeOf(names.map((name) => plan.sizes[name] ?? 1));
  const size = { batch: count(plan.batch), m: count(plan.m), n: count(plan.n), depth: count(plan.k) };
  return { ...plan, size, swap: size.n < WIDTH / 2 && size.m > size.n };
}

/** The layout of an operand's panels if it is the one that is packed into panels of eight, otherwise null. */
export function panelLayout(pattern: string, [a = [], b = []]: readonly Shape[], operand: number) {
  const { batch, k, m, n, swap, sizes, ...sides } = planned(pattern, a, b);
  if (batch.length > 0 || (operand === 1) === swap) return null;
  const [side, outer] = operand === 0 ? [sides.a, m] : [sides.b, n];
  const axes = axesOf(side).flat();
  const numbers = (names: Names): number[] => names.map((name) => axes.indexOf(name));
  return { key: layoutKey(side, outer, k), outer: numbers(outer), inner: numbers(k) };
}

export function einsum(engine: Engine, pattern: string, a: View, b: View, packed: Packed): View {
  const { sizes, batch, k, m, n, size, swap, ...sides } = planned(pattern, a.shape, b.shape);
  const from = swap ? [...batch, ...n, ...m] : [...batch, ...m, ...n];
  const shape = from.map((name) => sizes[name] ?? 1);
  const c = engine.result(shape);
  if (c.size > 0 && size.depth === 0) c.data.fill(0);
  else if (c.size > 0) {
    const [left, right] = [
      { v: a, side: sides.a, rows: m },
      { v: b, side: sides.b, rows: n },
    ];
    const [rows, columns] = swap ? [right, left] : [left, right];
    const sized = swap ? { ...size, m: size.n, n: size.m } : size;
    const key = layoutKey(columns.side, columns.rows, k);
    const matrices = ({ v, side, rows }: typeof left): Matrices => {
      const list = (names: Names) => axisOffsets(v, side, names, sizes);
      return { address: engine.operand(v).address, starts: list(batch), outer: list(rows), inner: list(k) };
    };
    engine.withTemporaries(() => {
      const ready = batch.length === 0 ? packed.find(columns.v, key) : null;
      const panels = ready ?? engine.temporary(4 * sized.batch * panelled(sized.n, WIDTH) * sized.depth);
      if (ready === null) pack(engine, matrices(columns), WIDTH, panels);
      compute(engine, matrices(rows), panels, { ...sized, c: c.data.byteOffset });
    });
  }
  return reordered(c.data, from, axesOf(sides.c).flat(), sizes);
}

/** Identifies the layout of an operand's panels. */
function layoutKey(side: string, outer: Names, inner: Names): string {
  const axes = axesOf(side).flat();
  return [outer, inner].map((names) => names.map((name) => axes.indexOf(name)).join(" ")).join(",");
}

type Sized = Omit<Product, "a" | "b">;

function compute(engine: Engine, rows: Matrices, panels: number, size: Sized): void {
  const { batch, m, n, depth, c } = size;
  const width = m === 1 && batch === 1 ? 1 : engine.threads.rowTile;
  const a = engine.temporary(4 * batch * panelled(m, width) * depth);
  pack(engine, rows, width, a);
  if (width > 1) {
    multiply(engine, { ...size, a, b: panels });
    return;
  }
  const wide = 64;
  const words = [a, panels, c, m, n, depth, 0, wide];
  engine.threads.run("rowTimesPanels", { tasks: Math.ceil(n / wide), words, cost: (n * depth) / 5 });
}
