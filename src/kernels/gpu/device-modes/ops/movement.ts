// Ops that move numbers, on a card: views where strides allow, as in the definitions, else one kernel that copies.

import { gather as gatherRule } from "../../../../tensor/ops/gather.ts";
import {
  concat as concatRule,
  pad as padRule,
  rearrange as rearrangeRule,
  viewStride,
} from "../../../../tensor/ops/movement.ts";
import type { Ops } from "../../../../tensor/ops/table.ts";
import { axesOf, sidesOf } from "../../../../tensor/pattern.ts";
import { flat, offsets, type View, view } from "../../../../tensor/tensor.ts";
import { zerosOf } from "../device-buffers.ts";
import { unary } from "./elementwise.ts";
import { eachOfOne, joined } from "../kernels/elementwise.ts";
import type { Launcher } from "../launcher.ts";
import { type Grid, gridOf, offsetsOf } from "../offset-tables.ts";

/** Axes taken apart and put in order are a view; if they do not join in it, they do in a copy. */
export async function rearrange(
  on: Launcher,
  { pattern, sizes }: Ops["rearrange"]["attrs"],
  a: View,
): Promise<View> {
  const [before, after] = sidesOf(pattern);
  const apart = axesOf(after).flat().join(" ");
  const parts = rearrangeRule.compute({ pattern: `${before} -> ${apart}`, sizes }, a);
  const attrs = { pattern: `${apart} -> ${after}`, sizes };
  const joins = viewStride(parts, attrs.pattern, sizes) !== null; // asked first: the definition would copy
  return rearrangeRule.compute(attrs, joins ? parts : await unary(on, "copy", parts));
}

/** Which cells along an axis come from a second operand, as offsets of a view: 1 there, 0 elsewhere. */
function marks(grid: Grid, axis: number, second: (i: number) => boolean): Int32Array[] {
  const stride = grid.shape.map((_, i) => (i === axis ? 1 : 0));
  const [y, x] = grid.cuts;
  const group = axis < y ? 0 : axis < x ? 1 : 2;
  return offsetsOf(grid, { shape: grid.shape, stride, offset: 0 }).map((list, i) =>
    i === group ? list.map((at) => Number(second(at))) : new Int32Array(list.length),
  );
}

/** `a` from `from` on along an axis, as if it had the shape of the grid. What is outside is never read. */
function shifted(grid: Grid, axis: number, from: number, { stride, offset }: View): Int32Array[] {
  return offsetsOf(grid, { shape: grid.shape, stride, offset: offset - from * (stride[axis] ?? 0) });
}

async function join(on: Launcher, axis: number, a: View, b: View): Promise<View> {
  const n = a.shape[axis] ?? 0;
  const grid = gridOf(concatRule.shape({ axis }, a.shape, b.shape));
  const lists = () => [
    ...shifted(grid, axis, 0, a),
    ...shifted(grid, axis, n, b),
    ...marks(grid, axis, (i) => i >= n),
  ];
  const key = `join ${axis} ${n};${grid.shape};${a.stride};${a.offset};${b.stride};${b.offset}`;
  return on.run({ body: joined, constants: {}, grid, reads: [a, b], at: await on.columns(key, lists) });
}

export async function concat(
  on: Launcher,
  { axis }: Ops["concat"]["attrs"],
  views: readonly View[],
): Promise<View> {
  const shape = concatRule.shape({ axis }, ...views.map((v) => v.shape));
  const [first, ...others] = views.filter((v) => v.size > 0);
  if (!first) return zerosOf(shape);
  if (others.length === 0) return first;
  return on.within(async (borrow) => {
    let sofar = first;
    for (const v of others.slice(0, -1)) sofar = await borrow(join(on, axis, sofar, v));
    return join(on, axis, sofar, others.at(-1) ?? first);
  });
}

export async function pad(on: Launcher, attrs: Ops["pad"]["attrs"], a: View): Promise<View> {
  const { axis, before } = attrs;
  const shape = padRule.shape(attrs, a.shape);
  if (a.size === 0) return zerosOf(shape);
  const grid = gridOf(shape);
  const end = before + (a.shape[axis] ?? 0);
  const lists = () => [
    ...shifted(grid, axis, before, a),
    ...offsetsOf(grid, { shape, stride: shape.map(() => 0), offset: 0 }),
    ...marks(grid, axis, (i) => i < before || i >= end),
  ];
  const key = `pad ${axis} ${before} ${end};${shape};${a.stride};${a.offset}`;
  const zero = await on.constants.get("zero", () => Float32Array.of(0));
  return on.run({ body: joined, constants: {}, grid, reads: [a, zero], at: await on.columns(key, lists) });
}

export async function gather(on: Launcher, attrs: Ops["gather"]["attrs"], table: View): Promise<View> {
  const shape = gatherRule.shape(attrs, table.shape);
  const { shape: row, stride } = table;
  const [count, step] = [row.slice(1), stride[0] ?? 0];
  const made = zerosOf(shape);
  if (made.size === 0) return made;
  const ids = flat(attrs.ids);
  const width = made.size / ids.length;
  const grid = gridOf([ids.length, width]);
  const lists = () => [
    Int32Array.of(table.offset),
    ids.map((id) => id * step),
    offsets(count, stride.slice(1)),
  ];
  const at = await on.columns(`gather ${ids};${count};${stride};${table.offset}`, lists, [0]);
  const out = await on.run({ body: eachOfOne, constants: { op: 0 }, grid, reads: [table], at });
  return view(out.data, shape);
}
