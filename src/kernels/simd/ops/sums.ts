// Sums over axes, as products with ones.

import { rules } from "../../../tensor/ops/rules.ts";
import type { Ops } from "../../../tensor/ops/table.ts";
import { axesOf, sidesOf } from "../../../tensor/pattern.ts";
import { type Shape, type View, view } from "../../../tensor/tensor.ts";
import type { Engine } from "../engine.ts";
import { einsum } from "./product.ts";

/** Ones of a shape: one number, seen again and again. */
const ones = (shape: Shape): View => view(Float32Array.of(1), shape, new Array<number>(shape.length).fill(0));
const nothingPacked = { find: () => null };

/** Sums over the axes that `kept` leaves out; axes are numbered. */
function sumOver(engine: Engine, a: View, kept: readonly number[]): View {
  const gone = a.shape.map((_, axis) => axis).filter((axis) => !kept.includes(axis));
  const name = (axes: readonly number[]): string => axes.map((axis) => `x${axis}`).join(" ");
  const all = name(a.shape.map((_, axis) => axis));
  const operand = ones(gone.map((axis) => a.shape[axis] ?? 1));
  return einsum(engine, `${all}, ${name(gone)} -> ${name(kept)}`, a, operand, nothingPacked);
}

export function unbroadcast(engine: Engine, { shape }: Ops["unbroadcast"]["attrs"], a: View): View {
  const lead = a.shape.length - shape.length;
  const kept = a.shape
    .map((_, axis) => axis)
    .filter((axis) => axis >= lead && shape[axis - lead] === a.shape[axis]);
  const { data, stride, offset } = sumOver(engine, a, kept);
  const strides = shape.map((_, i) => stride[kept.indexOf(lead + i)] ?? 0);
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
