// Elementwise ops on a graphics card.
import { sameShape } from "../../../../tensor/ops/elementwise.ts";
import type { Ops } from "../../../../tensor/ops/table.ts";
import { sizeOf, type View } from "../../../../tensor/tensor.ts";
import { zerosOf } from "../device-buffers.ts";
import { binaryOp, selected, unaryOp } from "../kernels/elementwise.ts";
import type { Launcher } from "../launcher.ts";
import { gridOf } from "../offset-tables.ts";

/** The position of a name is the op's number in `unaryOp`. */
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
  "relu",
  "positive",
  "log",
] as const;
/** The position of a name is the op's number in `binaryOp`. */
const BINARY = ["add", "sub", "mul", "div"] as const;

export async function unary(
  launcher: Launcher,
  op: (typeof UNARY)[number],
  a: View,
  scalar = 0,
): Promise<View> {
  if (sizeOf(a.shape) === 0) return zerosOf(a.shape);
  const grid = gridOf(a.shape);
  const table = await launcher.offsets(grid, [a], [scalar]);
  return launcher.run({ body: unaryOp, constants: { op: UNARY.indexOf(op) }, grid, operands: [a], table });
}

export async function binary(
  launcher: Launcher,
  op: (typeof BINARY)[number],
  a: View,
  b: View,
): Promise<View> {
  sameShape(a.shape, b.shape);
  if (sizeOf(a.shape) === 0) return zerosOf(a.shape);
  const grid = gridOf(a.shape);
  const table = await launcher.offsets(grid, [a, b]);
  const constants = { op: BINARY.indexOf(op) };
  return launcher.run({ body: binaryOp, constants, grid, operands: [a, b], table });
}

export async function where(launcher: Launcher, attrs: Ops["where"]["attrs"], a: View): Promise<View> {
  const { keep, otherwise } = attrs;
  if (sizeOf(a.shape) === 0) return zerosOf(a.shape);
  const grid = gridOf(a.shape);
  const table = await launcher.offsets(grid, [a, keep], [otherwise]);
  const operands = [a, await launcher.mask(keep)];
  return launcher.run({ body: selected, constants: {}, grid, operands, table });
}
