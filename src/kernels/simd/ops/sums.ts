// Sums over axes, computed as products with ones.

import { rules } from "../../../tensor/ops/rules.ts";
import type { Ops } from "../../../tensor/ops/table.ts";
import { axesOf, sidesOf } from "../../../tensor/pattern.ts";
import { type Shape, type View, view } from "../../../tensor/tensor.ts";
import type { Engine } from "../engine.ts";
import { einsum } from "./product.ts";

/** Ones of a shape: a single number with strides of 0. */
const ones = (shape: Shape): View => view(Float32Array.of(1), shape, new Array<number>(shape.length).fill(0));
const noPanels = { panels: () => null };

/** Sums over all axes whose index is not in `kept`. */
function sumOver(engine: Engine, a: View, kept: readonly number[]): View {
  const removed = a.shape.map((_, axis) => axis).filter((axis) => !kept.includes(axis));
  const name = (axes: readonly number[]): string => axes.map((axis) => `x${axis}`).join(" ");
  const all = name(a.shape.map((_, axis) => axis));
  const operand = ones(removed.map((axis) => a.shape[axis] ?? 1));
  return einsum(engine, `${all}, ${name(removed)} -> ${name(kept)}`, a, operand, noPanels);
}

export function unbroadcast(engine: Engine, { shape }: Ops["unbroadcast"]["attrs"], a: View): View {
  const leading = a.shape.length - shape.length;
  const kept = a.shape
    .map((_, axis) => axis)
    .filter((axis) => axis >= leading && shape[axis - leading] === a.shape[axis]);
  const { data, stride, offset } = sumOver(engine, a, kept);
  const strides = shape.map((_, i) => stride[kept.indexOf(leading + i)] ?? 0);
  return view(data, shape, strides, offset);
}

export function sum(engine: Engine, attrs: Ops["sum"]["attrs"], a: View): View {
  const [before, after] = sidesOf(attrs.pattern).map((side) => axesOf(side)) as [string[][], string[][]];
  if ([...before, ...after].some((names) => names.length !== 1)) return rules.sum.compute(attrs, a);
  const names = before.flat();
  return sumOver(
    engine,
    a,
    after.flat().map((name) => names.indexOf(name)),
  );
}
