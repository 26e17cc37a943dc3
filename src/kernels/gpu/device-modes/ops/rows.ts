// Ops on every row alone, on a card: softmax and layer normalisation, each a chain of kernels.
import { sameShape } from "../../../../tensor/ops/elementwise.ts";
import type { EmptyRow, Mask } from "../../../../tensor/ops/table.ts";
import { rowMajor, type Strided, type View } from "../../../../tensor/tensor.ts";
import { zerosOf } from "../device-buffers.ts";
import { allOf, type Launcher } from "../launcher.ts";
import { gridOf, offsetsOf } from "../offset-tables.ts";
import { normalized, rowMeans, rowRests, rowSpreads, rowSums, rowTops, softWeights } from "../kernels/rows.ts";

type Placed = Omit<Strided<unknown>, "data">;

interface Attrs {
  readonly mayAttend: Mask | null;
  readonly emptyRow: EmptyRow;
  /** Weights that survive; null: all. */
  readonly postSoftmaxMask?: Mask | null;
}

/** The rows of a view: their cells, a cell for each of them, and where views of that shape have them. */
function rowsOf(on: Launcher, { shape }: View) {
  const each = [...shape.slice(0, -1), 1];
  const grid = gridOf(shape);
  const numbers: Placed = { shape: each, stride: rowMajor(each), offset: 0 };
  const at = (views: readonly Placed[], values: readonly number[]) => {
    const all = [...views, numbers];
    const key = all.map(({ shape, stride, offset }) => `${shape};${stride};${offset}`);
    const lists = () => all.flatMap((v) => offsetsOf(grid, v).slice(0, 2));
    return on.columns(`rows ${key.join(" ")}`, lists, values);
  };
  return { grid, one: gridOf(each), depth: shape.at(-1) ?? 1, at };
}

const stepOf = ({ stride }: Placed): number => stride.at(-1) ?? 0;

/** */
export async function softmax(on: Launcher, attrs: Attrs, a: View): Promise<View> {
  const may = attrs.mayAttend ?? allOf(a.shape);
  const postSoftmaxMask = attrs.postSoftmaxMask ?? allOf(a.shape);
  sameShape(a.shape, may.shape);
  sameShape(a.shape, postSoftmaxMask.shape);
  if (a.size === 0) return zerosOf(a.shape);
  const { grid, one, depth, at: placed } = rowsOf(on, a);
  const { emptyRow } = attrs;
  const ofEmpty = emptyRow === "zero" ? 0 : emptyRow === "uniform" ? 1 / depth : NaN;
  const at = await placed([a, may, postSoftmaxMask], [ofEmpty]);
  const [open, loud] = [await on.mask(may), await on.mask(postSoftmaxMask)];
  const constants = { depth, step: stepOf(a), stepMay: stepOf(may), stepHeard: stepOf(postSoftmaxMask) };
  return on.within(async (borrow) => {
    const tops = await borrow(on.run({ body: rowTops, constants, grid: one, reads: [a, open], at }));
    const sums = await borrow(on.run({ body: rowSums, constants, grid: one, reads: [a, open, tops], at }));
    return on.run({ body: softWeights, constants, grid, reads: [a, open, loud, tops, sums], at });
  });
}

export async function normalize(on: Launcher, epsilon: number, a: View): Promise<View> {
  if (a.size === 0) return zerosOf(a.shape);
  const { grid, one, depth, at: placed } = rowsOf(on, a);
  const at = await placed([a], [epsilon]);
  const constants = { depth, step: stepOf(a) };
  return on.within(async (borrow) => {
    const means = await borrow(on.run({ body: rowMeans, constants, grid: one, reads: [a], at }));
    const rests = await borrow(on.run({ body: rowRests, constants, grid: one, reads: [a, means], at }));
    const read = [a, means, rests];
    const spreads = await borrow(on.run({ body: rowSpreads, constants, grid: one, reads: read, at }));
    return on.run({ body: normalized, constants, grid, reads: [...read, spreads], at });
  });
}
