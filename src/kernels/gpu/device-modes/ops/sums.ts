// Sums and maxima over axes on a graphics card.
import { rearrange } from "../../../../tensor/ops/movement.ts";
import type { Ops } from "../../../../tensor/ops/table.ts";
import { axesOf, shapeOf, sidesOf } from "../../../../tensor/pattern.ts";
import { offsets, type Shape, sizeOf, type View, viewOf } from "../../../../tensor/tensor.ts";
import { transposed } from "../../../reordered.ts";
import { zerosOf } from "../device-buffers.ts";
import { largest, summed } from "../kernels/products.ts";
import { type Launcher, layoutKey } from "../launcher.ts";
import { gridOf } from "../offset-tables.ts";

/** Sums over the first `count` axes of a view, or takes the maximum over them. */
async function reduceLeading(
  launcher: Launcher,
  body: typeof summed | typeof largest,
  count: number,
  a: View,
): Promise<View> {
  const [summedShape, shape] = [a.shape.slice(0, count), a.shape.slice(count)];
  if (sizeOf(shape) === 0 || sizeOf(summedShape) === 0) {
    const empty = zerosOf(shape);
    empty.data.fill(body === largest ? -Infinity : 0);
    return empty;
  }
  const last = Math.max(shape.length - 1, 0);
  const stride = a.stride.slice(count);
  const lists = () => [
    offsets(shape.slice(0, last), stride.slice(0, last), a.offset),
    offsets(shape.slice(last), stride.slice(last)),
    offsets(summedShape, a.stride.slice(0, count)),
  ];
  const table = await launcher.table(`sum ${count};${layoutKey(a)}`, lists, [sizeOf(summedShape)]);
  const grid = gridOf([sizeOf(shape.slice(0, last)), sizeOf(shape.slice(last))]);
  const out = await launcher.run({ body, constants: {}, grid, operands: [a], table });
  return viewOf(out.data, shape);
}

export async function sum(
  launcher: Launcher,
  { pattern, sizes }: Ops["sum"]["attrs"],
  a: View,
): Promise<View> {
  const [before, after] = sidesOf(pattern);
  const kept = axesOf(after).flat();
  const removed = axesOf(before)
    .flat()
    .filter((name) => !kept.includes(name));
  const ordered = rearrange.compute({ pattern: `${before} -> ${[...removed, ...kept].join(" ")}`, sizes }, a);
  const total = await reduceLeading(launcher, summed, removed.length, ordered);
  return viewOf(total.data, shapeOf(after, sizes));
}

/** Reduces the axes that `expand` repeats. */
async function reduced(
  launcher: Launcher,
  body: typeof summed | typeof largest,
  shape: Shape,
  a: View,
): Promise<View> {
  const leading = a.shape.length - shape.length;
  const repeated = a.shape.map((n, i) => i < leading || (shape[i - leading] === 1 && n !== 1));
  const order = [...a.shape.keys()].sort((i, j) => Number(repeated[j]) - Number(repeated[i]) || i - j);
  const total = await reduceLeading(launcher, body, repeated.filter(Boolean).length, transposed(a, order));
  return viewOf(total.data, shape);
}

export const unbroadcast = (
  launcher: Launcher,
  { shape }: Ops["unbroadcast"]["attrs"],
  a: View,
): Promise<View> => reduced(launcher, summed, shape, a);

export const maxTo = (launcher: Launcher, { shape }: Ops["maxTo"]["attrs"], a: View): Promise<View> =>
  reduced(launcher, largest, shape, a);
