// Elementwise kernels for a graphics card. gpu.js compiles the source text of a kernel, so a kernel uses its arguments, `this` and the
// functions of functions.ts only. It returns one float, because results with several floats in a cell cannot stay on the device.
//
// An operand is a flat buffer in which a[i][j][k] is element i + j + k, added as integers (gpu-device.ts). The last argument, `table`,
// holds offsets in columns (offset-tables.ts): table[0][c][C * i] is entry i of column c in a table of C columns. Each offset is
// assigned to a variable before it is used as an index: gpu.js would generate the same name for two nested reads.
import {
  exponential,
  hyperbolicTangent,
  logarithm,
  logistic,
  normalDistribution,
  sineOfShifted,
} from "./functions.ts";
import type { Cell, Floats } from "./types.ts";

// biome-ignore-start lint/style/noNonNullAssertion: gpu.js compiles plain JavaScript only
/** Copies an uploaded array, which makes it a result like any other. */
export function copied(this: Cell, a: Floats): number {
  return a[this.thread.z]![this.thread.y]![this.thread.x]!;
}

/** An op on one operand. Table: z, y and x offsets, and a number. */
export function unaryOp(this: Cell<"op">, a: Floats, table: Floats): number {
  const z = table[0]![0]![this.thread.z * 4]!;
  const y = table[0]![1]![this.thread.y * 4]!;
  const x = table[0]![2]![this.thread.x * 4]!;
  const by = table[0]![3]![0]!;
  const value = a[z]![y]![x]!;
  let out = value;
  if (this.constants.op === 1) out = -value;
  if (this.constants.op === 2) out = value * by;
  if (this.constants.op === 3) out = value + by;
  if (this.constants.op === 4) out = Math.sqrt(value);
  if (this.constants.op === 5) out = exponential(value);
  if (this.constants.op === 6) out = logistic(value);
  if (this.constants.op === 7) out = hyperbolicTangent(value);
  if (this.constants.op === 8) out = value * normalDistribution(value);
  if (this.constants.op === 9)
    out = normalDistribution(value) + value * 0.398942280401 * exponential(-0.5 * value * value);
  if (this.constants.op === 10) out = sineOfShifted(value, 0);
  if (this.constants.op === 11) out = sineOfShifted(value, 1);
  if (this.constants.op === 12 && value < 0) out = 0;
  if (this.constants.op === 13) out = 0;
  if (this.constants.op === 13 && value > 0) out = 1;
  if (this.constants.op === 14) out = logarithm(value);
  return out;
}

/** An op on two operands. Table: z, y and x offsets of both. */
export function binaryOp(this: Cell<"op">, a: Floats, b: Floats, table: Floats): number {
  const zA = table[0]![0]![this.thread.z * 6]!;
  const yA = table[0]![1]![this.thread.y * 6]!;
  const xA = table[0]![2]![this.thread.x * 6]!;
  const zB = table[0]![3]![this.thread.z * 6]!;
  const yB = table[0]![4]![this.thread.y * 6]!;
  const xB = table[0]![5]![this.thread.x * 6]!;
  const left = a[zA]![yA]![xA]!;
  const right = b[zB]![yB]![xB]!;
  let out = left + right;
  if (this.constants.op === 1) out = left - right;
  if (this.constants.op === 2) out = left * right;
  if (this.constants.op === 3) out = left / right;
  return out;
}

/** a where the mask is set, otherwise a number. Table: z, y and x offsets of both, and the number. */
export function selected(this: Cell, a: Floats, mask: Floats, table: Floats): number {
  const zA = table[0]![0]![this.thread.z * 7]!;
  const yA = table[0]![1]![this.thread.y * 7]!;
  const xA = table[0]![2]![this.thread.x * 7]!;
  const zM = table[0]![3]![this.thread.z * 7]!;
  const yM = table[0]![4]![this.thread.y * 7]!;
  const xM = table[0]![5]![this.thread.x * 7]!;
  const isSet = mask[zM]![yM]![xM]!;
  let out = table[0]![6]![0]!;
  if (isSet > 0) out = a[zA]![yA]![xA]!;
  return out;
}

/** b where one of the flags of the z, y and x position is set, otherwise a. Table: z, y and x offsets of both, and the flags. */
export function joinedPair(this: Cell, a: Floats, b: Floats, table: Floats): number {
  const zA = table[0]![0]![this.thread.z * 9]!;
  const yA = table[0]![1]![this.thread.y * 9]!;
  const xA = table[0]![2]![this.thread.x * 9]!;
  const zB = table[0]![3]![this.thread.z * 9]!;
  const yB = table[0]![4]![this.thread.y * 9]!;
  const xB = table[0]![5]![this.thread.x * 9]!;
  const flag =
    table[0]![6]![this.thread.z * 9]! + table[0]![7]![this.thread.y * 9]! + table[0]![8]![this.thread.x * 9]!;
  let out = 0;
  if (flag > 0) {
    out = b[zB]![yB]![xB]!;
  } else {
    out = a[zA]![yA]![xA]!;
  }
  return out;
}

/** a at the id of its row, 0 elsewhere. Table: y offsets of a, and the id of each row. */
export function placed(this: Cell, a: Floats, table: Floats): number {
  const y = table[0]![0]![this.thread.y * 2]!;
  const id = table[0]![1]![this.thread.y * 2]!;
  let out = 0;
  if (Math.abs(this.thread.x - id) < 0.5) out = a[0]![0]![y]!;
  return out;
}

// biome-ignore-end lint/style/noNonNullAssertion: the kernels end here
