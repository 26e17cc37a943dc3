// einsum as a product of packed operands: C[z, i, j] = Σₚ A[z, i, p] B[z, p, j].
import { contraction } from "../../../tensor/ops/einsum.ts";
import { axesOf, axisOffsets } from "../../../tensor/pattern.ts";
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

/** An operand: its axes, and those that it alone has. */
interface Side {
  readonly axes: string;
  readonly own: Names;
}

/**
 * A contraction with what follows from the shapes: sizes, the operand that is packed into panels of eight and their layout, and the
 * result as it is computed and as the pattern orders it. `swap`: the transposed product is computed, so that the longer side fills panels.
 */
function newlyPlanned(pattern: string, a: Shape, b: Shape) {
  const { sizes, batch, m, n, k, ...sides } = contraction(pattern, a, b);
  const count = (names: Names): number => sizeOf(names.map((name) => sizes[name] ?? 1));
  const [high, wide] = [count(m), count(n)];
  const swap = wide < WIDTH / 2 && high > wide;
  const [left, right]: [Side, Side] = [
    { axes: sides.a, own: m },
    { axes: sides.b, own: n },
  ];
  const [rows, columns] = swap ? [right, left] : [left, right];
  const computed = [...batch, ...rows.own, ...columns.own];
  const shape = computed.map((name) => sizes[name] ?? 1);
  const size = { batch: count(batch), m: swap ? wide : high, n: swap ? high : wide, depth: count(k) };
  const layout = layoutOf(columns.axes, columns.own, k);
  return {
    sizes,
    batch,
    k,
    rows,
    columns,
    swap,
    size,
    layout,
    computed,
    shape,
    order: axesOf(sides.c).flat(),
  };
}

/** The layout of an operand's panels if it is the one that is packed into panels of eight, otherwise null. */
export function panelLayout(
  pattern: string,
  [a = [], b = []]: readonly Shape[],
  operand: number,
): Layout | null {
  const { batch, swap, layout } = planned(pattern, a, b);
  return batch.length > 0 || (operand === 1) === swap ? null : layout;
}

export function einsum(engine: Engine, pattern: string, a: View, b: View, packed: Packed): View {
  const plan = planned(pattern, a.shape, b.shape);
  const { rowTile } = engine.threads;
  const { sizes, batch, k, rows, columns, swap, size, layout } = plan;
  const c = engine.result(plan.shape);
  if (sizeOf(c.shape) > 0 && size.depth === 0) c.data.fill(0);
  else if (sizeOf(c.shape) > 0) {
    const [left, right] = swap ? [b, a] : [a, b];
    const matrices = (v: View, { axes, own }: Side): Matrices => {
      const list = (names: Names) => axisOffsets(v, axes, names, sizes);
      return { address: engine.operand(v).address, starts: list(batch), outer: list(own), inner: list(k) };
    };
    engine.withTemporaries(() => {
      const stored = batch.length === 0 ? packed.panels(right, layout) : null;
      const panels: Panels = stored ?? {
        address: packedInto(engine, matrices(right, columns), WIDTH),
        dtype: "float32",
      };
      const product = { ...size, b: panels, c: c.data.byteOffset };
      if (size.m > 1 || size.batch > 1)
        multiply(engine, { ...product, a: packedInto(engine, matrices(left, rows), rowTile) });
      else if (isContiguous(left, rows.axes, k))
        multiplyRow(engine, { ...product, a: engine.operand(left).address });
      else multiplyRow(engine, { ...product, a: packedInto(engine, matrices(left, rows), 1) });
    });
  }
  return reordered(c.data, plan.computed, plan.order, sizes);
}

/** Whether the elements along the named axes lie one after another, in the order of the names. */
function isContiguous({ shape, stride }: View, side: string, names: Names): boolean {
  const axes = axesOf(side).flat();
  let step = 1;
  for (let i = names.length - 1; i >= 0; i--) {
    const axis = axes.indexOf(names[i] ?? "");
    if (shape[axis] !== 1 && stride[axis] !== step) return false;
    step *= shape[axis] ?? 1;
  }
  return true;
}

function layoutOf(side: string, outer: Names, inner: Names): Layout {
  const axes = axesOf(side).flat();
  const numbers = (names: Names): number[] => names.map((name) => axes.indexOf(name));
  const layout = { outer: numbers(outer), inner: numbers(inner) };
  return { key: `${layout.outer.join(" ")},${layout.inner.join(" ")}`, ...layout };
}

/** Matrices in panels of `width` rows, in a temporary block. */
function packedInto(engine: Engine, matrices: Matrices, width: number): number {
  const { starts, outer, inner } = matrices;
  const address = engine.temporary(4 * starts.length * panelled(outer.length, width) * inner.length);
  pack(engine, matrices, width, address);
  return address;
}

/** One row, contiguous at address a, times packed panels. */
function multiplyRow(engine: Engine, { n, depth, a, b, c }: Product): void {
  const wide = 64;
  const words = [a, b.address, c, 1, n, depth, 0, wide, 0, 0, PANEL_DTYPES.indexOf(b.dtype)];
  engine.threads.run("rowTimesPanels", { tasks: Math.ceil(n / wide), words, cost: (n * depth) / 5 });
}
