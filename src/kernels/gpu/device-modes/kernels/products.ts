// Kernels for products and sums on a graphics card. See elementwise.ts for their conventions.
import type { Cell, Floats } from "./types.ts";

// biome-ignore-start lint/style/noNonNullAssertion: gpu.js compiles plain JavaScript only
/** Σₚ A[z, y, p] B[z, p, x]. Table: z and y offsets of A, z and x offsets of B. */
export function product(
  this: Cell<"depth" | "strideA" | "strideB">,
  a: Floats,
  b: Floats,
  table: Floats,
): number {
  const matrixA = table[0]![0]![this.thread.z * 4]!;
  const row = table[0]![1]![this.thread.y * 4]!;
  const matrixB = table[0]![2]![this.thread.z * 4]!;
  const column = table[0]![3]![this.thread.x * 4]!;
  let sum = 0;
  for (let p = 0; p < this.constants.depth; p++) {
    sum += a[matrixA]![row]![p * this.constants.strideA]! * b[matrixB]![column]![p * this.constants.strideB]!;
  }
  return sum;
}

/** Σₚ a[y, x, p]. Table: y, x and p offsets. */
export function summed(this: Cell<"depth">, a: Floats, table: Floats): number {
  const row = table[0]![0]![this.thread.y * 3]!;
  const column = table[0]![1]![this.thread.x * 3]!;
  let sum = 0;
  for (let p = 0; p < this.constants.depth; p++) {
    const term = table[0]![2]![p * 3]!;
    sum += a[row]![column]![term]!;
  }
  return sum;
}

/** The largest a[y, x, p]; NaN if one is. Table: y, x and p offsets. */
export function largest(this: Cell<"depth">, a: Floats, table: Floats): number {
  const row = table[0]![0]![this.thread.y * 3]!;
  const column = table[0]![1]![this.thread.x * 3]!;
  const first = table[0]![2]![0]!;
  let top = a[row]![column]![first]!;
  let poison = top;
  let bad = 0;
  for (let p = 0; p < this.constants.depth; p++) {
    const term = table[0]![2]![p * 3]!;
    const value = a[row]![column]![term]!;
    let isOrdered = 0;
    if (value <= top) isOrdered = 1;
    if (value > top) isOrdered = 1;
    if (isOrdered < 1) bad = 1;
    if (isOrdered < 1) poison = value + top;
    if (value > top) top = value;
  }
  if (bad > 0) return poison;
  return top;
}
// biome-ignore-end lint/style/noNonNullAssertion: the kernels end here
