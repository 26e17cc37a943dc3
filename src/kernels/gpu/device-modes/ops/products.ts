// Products, sums and the attention scope on a card.
import { contraction } from "../../../../tensor/ops/einsum.ts";
import { rearrange } from "../../../../tensor/ops/movement.ts";
import type { Ops } from "../../../../tensor/ops/table.ts";
import { axesOf, shapeOf, sidesOf } from "../../../../tensor/pattern.ts";
import { offsets, sizeOf, type View, view } from "../../../../tensor/tensor.ts";
import type { AttentionAttrs } from "../../../attention-attrs.ts";
import { reordered } from "../../../reordered.ts";
import { zerosOf } from "../device-buffers.ts";
import { unary } from "./elementwise.ts";
import { product, summed } from "../kernels/elementwise.ts";
import type { Launcher } from "../launcher.ts";
import { gridOf } from "../offset-tables.ts";
import { softmax } from "./rows.ts";

type Names = readonly string[];

/** A view whose axes have names. */
interface Operand {
  readonly v: View;
  readonly axes: Names;
}

const stepsOf = ({ v, axes }: Operand, names: Names): number[] =>
  names.map((name) => v.stride[axes.indexOf(name)] ?? 0);

/** The one step of several axes that are walked through as one; null if there is none. */
function stepOf(operand: Operand, names: Names, size: (name: string) => number): number | null {
  const wide = names.filter((name) => size(name) !== 1);
  const steps = stepsOf(operand, wide);
  const joins = steps.every((step, i) => {
    const next = wide[i + 1];
    return next === undefined || step === (steps[i + 1] ?? 0) * size(next);
  });
  return joins ? (steps.at(-1) ?? 0) : null;
}

/** C[z, i, j] = Σₚ A[z, i, p] B[z, p, j], whatever the operands' axes: an operand is copied only if its sum has no one step. */
export async function einsum(on: Launcher, pattern: string, a: View, b: View): Promise<View> {
  const { sizes, batch, m, n, k, ...sides } = contraction(pattern, a.shape, b.shape);
  const size = (name: string): number => sizes[name] ?? 1;
  const shape = [batch, m, n].map((names) => sizeOf(names.map(size)));
  const depth = sizeOf(k.map(size));
  if (sizeOf(shape) === 0 || depth === 0) return zerosOf(shapeOf(sides.c, sizes));
  return on.within(async (borrow) => {
    const lined = async (v: View, side: string, outer: Names) => {
      const operand = { v, axes: axesOf(side).flat() };
      const step = stepOf(operand, k, size);
      if (step !== null) return { ...operand, step };
      const axes = [...outer, ...k];
      const order = rearrange.compute({ pattern: `${side} -> ${axes.join(" ")}`, sizes }, v);
      return { v: await borrow(unary(on, "copy", order)), axes, step: 1 };
    };
    const left = await lined(a, sides.a, [...batch, ...m]);
    const right = await lined(b, sides.b, [...batch, ...n]);
    const list = (operand: Operand, names: Names, base = 0) =>
      offsets(names.map(size), stepsOf(operand, names), base);
    const lists = () => [
      list(left, batch, left.v.offset),
      list(left, m),
      list(right, batch, right.v.offset),
      list(right, n),
    ];
    const told = [left, right].map(({ v, axes }) => `${axes};${v.shape};${v.stride};${v.offset}`);
    const at = await on.columns(`product ${pattern} ${told.join(" ")}`, lists);
    const constants = { depth, stepA: left.step, stepB: right.step };
    const grid = gridOf(shape);
    const c = await on.run({ body: product, constants, grid, reads: [left.v, right.v], at });
    return reordered(c.data, [...batch, ...m, ...n], sides.c, sizes);
  });
}

/** Scores, softmax and the sum over values, none of which leaves the device. */
export function attention(
  on: Launcher,
  attrs: AttentionAttrs,
  { q, k, v }: { readonly q: View; readonly k: View; readonly v: View },
): Promise<View> {
  return on.within(async (borrow) => {
    const scores = await borrow(there(on, einsum(on, "... l k, ... s k -> ... l s", q, k)));
    const weights = await borrow(softmax(on, attrs, scores));
    return einsum(on, "... l s, ... s k -> ... l k", weights, v);
  });
}

/** A sum over nothing is made here, and read there. */
async function there(on: Launcher, made: Promise<View>): Promise<View> {
  return on.buffers.upload(await made);
}

/** Sums over the leading axes of a view, to the shape of the others. */
async function sumOver(on: Launcher, lead: number, a: View): Promise<View> {
  const [gone, kept] = [a.shape.slice(0, lead), a.shape.slice(lead)];
  if (sizeOf(kept) === 0 || sizeOf(gone) === 0) return zerosOf(kept);
  const last = Math.max(kept.length - 1, 0);
  const stride = a.stride.slice(lead);
  const lists = () => [
    offsets(kept.slice(0, last), stride.slice(0, last), a.offset),
    offsets(kept.slice(last), stride.slice(last)),
    offsets(gone, a.stride.slice(0, lead)),
  ];
  const at = await on.columns(`sum ${lead};${a.shape};${a.stride};${a.offset}`, lists);
  const grid = gridOf([sizeOf(kept.slice(0, last)), sizeOf(kept.slice(last))]);
  const out = await on.run({ body: summed, constants: { depth: sizeOf(gone) }, grid, reads: [a], at });
  return view(out.data, kept);
}

export async function sum(on: Launcher, { pattern, sizes }: Ops["sum"]["attrs"], a: View): Promise<View> {
  const [before, after] = sidesOf(pattern);
  const kept = axesOf(after).flat();
  const gone = axesOf(before)
    .flat()
    .filter((name) => !kept.includes(name));
  const lined = rearrange.compute({ pattern: `${before} -> ${[...gone, ...kept].join(" ")}`, sizes }, a);
  const total = await sumOver(on, gone.length, lined);
  return view(total.data, shapeOf(after, sizes));
}

/** What `expand` repeats is what is summed: the axes along which a view of that shape would stand still. */
export async function unbroadcast(
  on: Launcher,
  { shape }: Ops["unbroadcast"]["attrs"],
  a: View,
): Promise<View> {
  const lead = a.shape.length - shape.length;
  const repeated = a.shape.map((n, i) => i < lead || (shape[i - lead] === 1 && n !== 1));
  const order = [...a.shape.keys()].sort((i, j) => Number(repeated[j]) - Number(repeated[i]) || i - j);
  const total = await sumOver(on, repeated.filter(Boolean).length, a.transpose(...order));
  return view(total.data, shape);
}
