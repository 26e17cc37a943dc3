// Kernels for the modes of a graphics card. gpu.js translates their text: each stands alone but for card-functions.ts, and returns one
// float, because results of several cannot stay on the device.
//
// What a kernel reads is somewhere in a buffer: a[i][j][k] is element i + j + k, added in integers (card.ts). Where the rows of
// a view begin is told by `at`, a list of offsets in columns (places.ts): at[0][c][C · i] is number i of column c of C.
// What is read there has a name before it is an index: gpu.js would give it one that it has given before.
import { exponential, hyperbolicTangent, logistic, normalDistribution, turned } from "./functions.ts";

export type Floats = readonly (readonly (readonly number[])[])[];
/** What `this` is inside: the cell, and numbers that are fixed when it is compiled: where loops end, and steps. */
export interface Cell<Names extends string = never> {
  readonly thread: { readonly x: number; readonly y: number; readonly z: number };
  readonly constants: Readonly<Record<Names, number>>;
}

// biome-ignore-start lint/style/noNonNullAssertion: gpu.js reads no more than plain JavaScript
/** What is uploaded, as a result like any other. */
export function copied(this: Cell, a: Floats): number {
  return a[this.thread.z]![this.thread.y]![this.thread.x]!;
}

/** Σₚ A[z, y, p] B[z, p, x]. Columns: A's z and y, B's z and x. */
export function product(this: Cell<"depth" | "stepA" | "stepB">, a: Floats, b: Floats, at: Floats): number {
  const matrixA = at[0]![0]![this.thread.z * 4]!;
  const row = at[0]![1]![this.thread.y * 4]!;
  const matrixB = at[0]![2]![this.thread.z * 4]!;
  const column = at[0]![3]![this.thread.x * 4]!;
  let sum = 0;
  for (let p = 0; p < this.constants.depth; p++) {
    sum += a[matrixA]![row]![p * this.constants.stepA]! * b[matrixB]![column]![p * this.constants.stepB]!;
  }
  return sum;
}

/** Columns: z, y and x, and one number. */
export function eachOfOne(this: Cell<"op">, a: Floats, at: Floats): number {
  const z = at[0]![0]![this.thread.z * 4]!;
  const y = at[0]![1]![this.thread.y * 4]!;
  const x = at[0]![2]![this.thread.x * 4]!;
  const by = at[0]![3]![0]!;
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
  if (this.constants.op === 10) out = turned(value, 0);
  if (this.constants.op === 11) out = turned(value, 1);
  return out;
}

/** Columns: z, y and x of both. */
export function eachOfTwo(this: Cell<"op">, a: Floats, b: Floats, at: Floats): number {
  const zA = at[0]![0]![this.thread.z * 6]!;
  const yA = at[0]![1]![this.thread.y * 6]!;
  const xA = at[0]![2]![this.thread.x * 6]!;
  const zB = at[0]![3]![this.thread.z * 6]!;
  const yB = at[0]![4]![this.thread.y * 6]!;
  const xB = at[0]![5]![this.thread.x * 6]!;
  const left = a[zA]![yA]![xA]!;
  const right = b[zB]![yB]![xB]!;
  let out = left + right;
  if (this.constants.op === 1) out = left - right;
  if (this.constants.op === 2) out = left * right;
  if (this.constants.op === 3) out = left / right;
  return out;
}

/** a where the mask is set, a number elsewhere. Columns: z, y and x of both, and that number. */
export function chosen(this: Cell, a: Floats, mask: Floats, at: Floats): number {
  const zA = at[0]![0]![this.thread.z * 7]!;
  const yA = at[0]![1]![this.thread.y * 7]!;
  const xA = at[0]![2]![this.thread.x * 7]!;
  const zM = at[0]![3]![this.thread.z * 7]!;
  const yM = at[0]![4]![this.thread.y * 7]!;
  const xM = at[0]![5]![this.thread.x * 7]!;
  const kept = mask[zM]![yM]![xM]!;
  let out = at[0]![6]![0]!;
  if (kept > 0) out = a[zA]![yA]![xA]!;
  return out;
}

/** a, or b where one of three marks says so. Columns: z, y and x of both, and the marks. */
export function joined(this: Cell, a: Floats, b: Floats, at: Floats): number {
  const zA = at[0]![0]![this.thread.z * 9]!;
  const yA = at[0]![1]![this.thread.y * 9]!;
  const xA = at[0]![2]![this.thread.x * 9]!;
  const zB = at[0]![3]![this.thread.z * 9]!;
  const yB = at[0]![4]![this.thread.y * 9]!;
  const xB = at[0]![5]![this.thread.x * 9]!;
  const mark =
    at[0]![6]![this.thread.z * 9]! + at[0]![7]![this.thread.y * 9]! + at[0]![8]![this.thread.x * 9]!;
  let out = 0;
  if (mark > 0) {
    out = b[zB]![yB]![xB]!;
  } else {
    out = a[zA]![yA]![xA]!;
  }
  return out;
}

/** Σₚ a[y, x, p]. Columns: y, x and p. */
export function summed(this: Cell<"depth">, a: Floats, at: Floats): number {
  const row = at[0]![0]![this.thread.y * 3]!;
  const column = at[0]![1]![this.thread.x * 3]!;
  let sum = 0;
  for (let p = 0; p < this.constants.depth; p++) {
    const term = at[0]![2]![p * 3]!;
    sum += a[row]![column]![term]!;
  }
  return sum;
}
// biome-ignore-end lint/style/noNonNullAssertion: the kernels end here
