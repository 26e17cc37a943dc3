// Ops that treat every element alone, on a card.
import { sameShape } from "../../../../tensor/ops/elementwise.ts";
import type { Ops } from "../../../../tensor/ops/table.ts";
import type { View } from "../../../../tensor/tensor.ts";
import { zerosOf } from "../device-buffers.ts";
import { chosen, eachOfOne, eachOfTwo } from "../kernels/elementwise.ts";
import type { Launcher } from "../launcher.ts";
import { gridOf } from "../offset-tables.ts";

/** By number, as card-kernels.ts has them. */
const UNARY = [
  "copy",
  "neg",
  "mulScalar",
  "addScalar",
  "sqrt",
  "exp",
  "sigmoid",
  "tanh",
  "gelu",
  "geluGrad",
  "sin",
  "cos",
] as const;
const BINARY = ["add", "sub", "mul", "div"] as const;

export async function unary(on: Launcher, op: (typeof UNARY)[number], a: View, by = 0): Promise<View> {
  if (a.size === 0) return zerosOf(a.shape);
  const grid = gridOf(a.shape);
  const at = await on.offsets(grid, [a], [by]);
  return on.run({ body: eachOfOne, constants: { op: UNARY.indexOf(op) }, grid, reads: [a], at });
}

export async function binary(on: Launcher, op: (typeof BINARY)[number], a: View, b: View): Promise<View> {
  sameShape(a.shape, b.shape);
  if (a.size === 0) return zerosOf(a.shape);
  const grid = gridOf(a.shape);
  const at = await on.offsets(grid, [a, b]);
  return on.run({ body: eachOfTwo, constants: { op: BINARY.indexOf(op) }, grid, reads: [a, b], at });
}

export async function where(on: Launcher, attrs: Ops["where"]["attrs"], a: View): Promise<View> {
  const { keep, otherwise } = attrs;
  if (a.size === 0) return zerosOf(a.shape);
  const grid = gridOf(a.shape);
  const at = await on.offsets(grid, [a, keep], [otherwise]);
  return on.run({ body: chosen, constants: {}, grid, reads: [a, await on.mask(keep)], at });
}
