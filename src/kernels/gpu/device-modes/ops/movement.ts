// Ops that move elements, on a graphics card: a view where strides allow it, as in the definitions, otherwise a copying kernel.

import { gather as gatherRule, pick as pickRule, place as placeRule } from "../../../../tensor/ops/gather.ts";
import {
  concat as concatRule,
  pad as padRule,
  rearrange as rearrangeRule,
  viewStride,
} from "../../../../tensor/ops/movement.ts";
import type { Ops } from "../../../../tensor/ops/table.ts";
import { axesOf, sidesOf } from "../../../../tensor/pattern.ts";
import { flat, offsets, sizeOf, type View, viewOf } from "../../../../tensor/tensor.ts";
import { zerosOf } from "../device-buffers.ts";
import { joinedPair, placed, unaryOp } from "../kernels/elementwise.ts";
import { type Launcher, layoutKey } from "../launcher.ts";
import { type Grid, gridOf, offsetsOf } from "../offset-tables.ts";
import { unary } from "./elementwise.ts";

/** Splitting and permuting axes is always a view. Joining axes is a view if their strides allow it; otherwise a copy is made first. */
export async function rearrange(
  launcher: Launcher,
  { pattern, sizes }: Ops["rearrange"]["attrs"],
  a: View,
): Promise<View> {
  const [before, after] = sidesOf(pattern);
  const split = axesOf(after).flat().join(" ");
  const parts = rearrangeRule.compute({ pattern: `${before} -> ${split}`, sizes }, a);
  const attrs = { pattern: `${split} -> ${after}`, sizes };
  const joins = viewStride(parts, attrs.pattern, sizes) !== null; // otherwise the definition would copy, on the host
  return rearrangeRule.compute(attrs, joins ? parts : await unary(launcher, "copy", parts));
}

/** z, y and x columns of flags: 1 at the positions along `axis` that are read from the second operand, otherwise 0. */
function secondOperandFlags(grid: Grid, axis: number, isSecond: (i: number) => boolean): Int32Array[] {
  const stride = grid.shape.map((_, i) => (i === axis ? 1 : 0));
  const [y, x] = grid.cuts;
  const group = axis < y ? 0 : axis < x ? 1 : 2;
  return offsetsOf(grid, { shape: grid.shape, stride, offset: 0 }).map((list, i) =>
    i === group ? list.map((at) => Number(isSecond(at))) : new Int32Array(list.length),
  );
}

/** Offsets of `a` placed at position `from` along `axis` of the grid. Offsets outside of `a` are never read. */
function shifted(grid: Grid, axis: number, from: number, { stride, offset }: View): Int32Array[] {
  return offsetsOf(grid, { shape: grid.shape, stride, offset: offset - from * (stride[axis] ?? 0) });
}

async function join(launcher: Launcher, axis: number, a: View, b: View): Promise<View> {
  const n = a.shape[axis] ?? 0;
  const grid = gridOf(concatRule.shape({ axis }, a.shape, b.shape));
  const lists = () => [
    ...shifted(grid, axis, 0, a),
    ...shifted(grid, axis, n, b),
    ...secondOperandFlags(grid, axis, (i) => i >= n),
  ];
  const key = `join ${axis} ${n};${grid.shape};${a.stride};${a.offset};${b.stride};${b.offset}`;
  const table = await launcher.table(key, lists);
  return launcher.run({ body: joinedPair, constants: {}, grid, operands: [a, b], table });
}

export async function concat(
  launcher: Launcher,
  { axis }: Ops["concat"]["attrs"],
  views: readonly View[],
): Promise<View> {
  const shape = concatRule.shape({ axis }, ...views.map((v) => v.shape));
  const [first, ...others] = views.filter((v) => sizeOf(v.shape) > 0);
  if (!first) return zerosOf(shape);
  if (others.length === 0) return first;
  return launcher.withTemporaries(async (temporary) => {
    let joined = first;
    for (const v of others.slice(0, -1)) joined = await temporary(join(launcher, axis, joined, v));
    return join(launcher, axis, joined, others.at(-1) ?? first);
  });
}

export async function pad(launcher: Launcher, attrs: Ops["pad"]["attrs"], a: View): Promise<View> {
  const { axis, before } = attrs;
  const shape = padRule.shape(attrs, a.shape);
  if (sizeOf(a.shape) === 0) return zerosOf(shape);
  const grid = gridOf(shape);
  const end = before + (a.shape[axis] ?? 0);
  const lists = () => [
    ...shifted(grid, axis, before, a),
    ...offsetsOf(grid, { shape, stride: shape.map(() => 0), offset: 0 }),
    ...secondOperandFlags(grid, axis, (i) => i < before || i >= end),
  ];
  const key = `pad ${axis} ${before} ${end};${shape};${a.stride};${a.offset}`;
  const zero = await launcher.constants.get("zero", () => Float32Array.of(0));
  const table = await launcher.table(key, lists);
  return launcher.run({ body: joinedPair, constants: {}, grid, operands: [a, zero], table });
}

export async function gather(launcher: Launcher, attrs: Ops["gather"]["attrs"], source: View): Promise<View> {
  const shape = gatherRule.shape(attrs, source.shape);
  const { shape: row, stride } = source;
  const [rowShape, rowStride] = [row.slice(1), stride[0] ?? 0];
  const empty = zerosOf(shape);
  if (sizeOf(empty.shape) === 0) return empty;
  const ids = flat(attrs.ids);
  const width = sizeOf(empty.shape) / ids.length;
  const grid = gridOf([ids.length, width]);
  const lists = () => [
    Int32Array.of(source.offset),
    ids.map((id) => id * rowStride),
    offsets(rowShape, stride.slice(1)),
  ];
  const key = `gather ${ids};${rowShape};${stride};${source.offset}`;
  const table = await launcher.table(key, lists, [0]);
  const out = await launcher.run({ body: unaryOp, constants: { op: 0 }, grid, operands: [source], table });
  return viewOf(out.data, shape);
}

export async function pick(launcher: Launcher, attrs: Ops["pick"]["attrs"], a: View): Promise<View> {
  const shape = pickRule.shape(attrs, a.shape);
  const ids = flat(attrs.ids);
  if (ids.length === 0) return zerosOf(shape);
  const step = a.stride.at(-1) ?? 0;
  const lists = () => {
    const rows = offsets(a.shape.slice(0, -1), a.stride.slice(0, -1));
    return [Int32Array.of(a.offset), Int32Array.of(0), rows.map((row, i) => row + (ids[i] ?? 0) * step)];
  };
  const table = await launcher.table(`pick ${ids};${layoutKey(a)}`, lists, [0]);
  const grid = gridOf([ids.length]);
  const out = await launcher.run({ body: unaryOp, constants: { op: 0 }, grid, operands: [a], table });
  return viewOf(out.data, shape);
}

export async function place(launcher: Launcher, attrs: Ops["place"]["attrs"], a: View): Promise<View> {
  const shape = placeRule.shape(attrs, a.shape);
  const ids = flat(attrs.ids);
  if (ids.length === 0) return zerosOf(shape);
  const lists = () => [offsets(a.shape, a.stride, a.offset), ids];
  const table = await launcher.table(`place ${ids};${layoutKey(a)}`, lists);
  const grid = gridOf([ids.length, attrs.width]);
  const out = await launcher.run({ body: placed, constants: {}, grid, operands: [a], table });
  return viewOf(out.data, shape);
}
