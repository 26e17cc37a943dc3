// einsum as a product of packed operands: C[z, i, j] = Σₚ A[z, i, p] B[z, p, j].
import { axisOffsets, contraction } from "../../../tensor/ops/einsum.ts";
import { axesOf } from "../../../tensor/pattern.ts";
import { type Shape, sizeOf, type View } from "../../../tensor/tensor.ts";
import { reordered } from "../../reordered.ts";
import type { Engine } from "../engine.ts";
import {
  DEPTH,
  type Layout,
  type Matrices,
  PANEL_DTYPES,
  type Packed,
  type Panels,
  pack,
  panelled,
  WIDTH,
} from "./pack.ts";

/** Rows and columns of C in a task; multiples of both tile sizes. */
const [HIGH, WIDE] = [96, 512];

type Names = readonly string[];

/** A product of packed operands: its sizes, the addresses of A and C, and the panels of B. */
export interface Product {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly depth: number;
  readonly a: number;
  readonly b: Panels;
  readonly c: number;
}

export function multiply(engine: Engine, { batch, m, n, depth, a, b, c }: Product): void {
  const { rowTile } = engine.threads;
  let wide = WIDE;
  const tasksOf = () => batch * Math.ceil(m / HIGH) * Math.ceil(n / wide);
  while (wide > 32 && tasksOf() < 16) wide /= 2;
  const words = [a, b.address, c, m, n, depth, HIGH, wide];
  words.push(panelled(m, rowTile) * depth, panelled(n, WIDTH) * depth, PANEL_DTYPES.indexOf(b.dtype));
  const strip = b.dtype === "float32" ? 0 : 4 * WIDTH * DEPTH;
  const cost = (batch * m * n * depth) / 20;
  engine.threads.run("multiply", { tasks: tasksOf(), words, cost, scratch: 4 * rowTile * WIDTH + strip });
}

/** The last contractions of each pattern: a decoder computes the same ones for every token. */
const contractions = new Map<string, { a: Shape; b: Shape; plan: ReturnType<typeof newlyPlanned> }[]>();
const MOST_SHAPES = 16;

const isSame = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((n, i) => n === b[i]);

function planned(pattern: string, a: Shape, b: Shape): ReturnType<typeof newlyPlanned> {
  const known = contractions.get(pattern) ?? [];
  const same = known.find((entry) => isSame(entry.a, a) && isSame(entry.b, b));
  if (same) return same.plan;
  const plan = newlyPlanned(pattern, a, b);
  contractions.set(pattern, [{ a: [...a], b: [...b], plan }, ...known].slice(0, MOST_SHAPES));
  return plan;
}

/** A contraction with its sizes. `swap`: the transposed product is computed, so that the longer side fills panels of eight. */
function newlyPlanned(pattern: string, a: Shape, b: Shape) {
  const plan = contraction(pattern, a, b);
  const count = (names: Names): number => sizeOf(names.map((name) => plan.sizes[name] ?? 1));
  const size = { batch: count(plan.batch), m: count(plan.m), n: count(plan.n), depth: count(plan.k) };
  return { ...plan, size, swap: size.n < WIDTH / 2 && size.m > size.n };
}

/** The layout of an operand's panels if it is the one that is packed into panels of eight, otherwise null. */
export function panelLayout(
  pattern: string,
  [a = [], b = []]: readonly Shape[],
  operand: number,
): Layout | null {
  const { batch, k, m, n, swap, sizes, ...sides } = planned(pattern, a, b);
  if (batch.length > 0 || (operand === 1) === swap) return null;
  const [side, outer] = operand === 0 ? [sides.a, m] : [sides.b, n];
  return layoutOf(side, outer, k);
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
    const layout = layoutOf(columns.side, columns.rows, k);
    const matrices = ({ v, side, rows }: typeof left): Matrices => {
      const list = (names: Names) => axisOffsets(v, side, names, sizes);
      return { address: engine.operand(v).address, starts: list(batch), outer: list(rows), inner: list(k) };
    };
    engine.withTemporaries(() => {
      const stored = batch.length === 0 ? packed.panels(columns.v, layout) : null;
      const panels = stored ?? packedOperand(engine, matrices(columns));
      compute(engine, matrices(rows), panels, { ...sized, c: c.data.byteOffset });
    });
  }
  return reordered(c.data, from, axesOf(sides.c).flat(), sizes);
}

function layoutOf(side: string, outer: Names, inner: Names): Layout {
  const axes = axesOf(side).flat();
  const numbers = (names: Names): number[] => names.map((name) => axes.indexOf(name));
  const layout = { outer: numbers(outer), inner: numbers(inner) };
  return { key: `${layout.outer.join(" ")},${layout.inner.join(" ")}`, ...layout };
}

type Sized = Omit<Product, "a" | "b">;

/** The operand of the columns, packed for this product. */
function packedOperand(engine: Engine, matrices: Matrices): Panels {
  const { starts, outer, inner } = matrices;
  const address = engine.temporary(4 * starts.length * panelled(outer.length, WIDTH) * inner.length);
  pack(engine, matrices, WIDTH, address);
  return { address, dtype: "float32" };
}

function compute(engine: Engine, rows: Matrices, panels: Panels, size: Sized): void {
  const { batch, m, n, depth, c } = size;
  const width = m === 1 && batch === 1 ? 1 : engine.threads.rowTile;
  const a = engine.temporary(4 * batch * panelled(m, width) * depth);
  pack(engine, rows, width, a);
  if (width > 1) {
    multiply(engine, { ...size, a, b: panels });
    return;
  }
  const wide = 64;
  const dtype = PANEL_DTYPES.indexOf(panels.dtype);
  const words = [a, panels.address, c, m, n, depth, 0, wide, 0, 0, dtype];
  engine.threads.run("rowTimesPanels", { tasks: Math.ceil(n / wide), words, cost: (n * depth) / 5 });
}
