// Kernels for products and sums on a graphics card. See elementwise.ts for their conventions. The number of terms is read from the
// table, so that one kernel serves all lengths of a text.
import type { Cell, Floats } from "./types.ts";

// biome-ignore-start lint/style/noNonNullAssertion: gpu.js compiles plain JavaScript only
/** Σₚ A[z, y, p] B[z, p, x]. Table: z and y offsets of A, z and x offsets of B, and the number of terms. */
export function product(this: Cell<"strideA" | "strideB">, a: Floats, b: Floats, table: Floats): number {
  const matrixA = table[0]![0]![this.thread.z * 5]!;
  const row = table[0]![1]![this.thread.y * 5]!;
  const matrixB = table[0]![2]![this.thread.z * 5]!;
  const column = table[0]![3]![this.thread.x * 5]!;
  const depth = table[0]![4]![0]!;
  let sum = 0;
  for (let p = 0; p < depth; p++) {
    sum += a[matrixA]![row]![p * this.constants.strideA]! * b[matrixB]![column]![p * this.constants.strideB]!;
  }
  return sum;
}

/** Σₚ a[y, x, p]. Table: y, x and p offsets, and the number of terms. */
export function summed(this: Cell, a: Floats, table: Floats): number {
  const row = table[0]![0]![this.thread.y * 4]!;
  const column = table[0]![1]![this.thread.x * 4]!;
  const depth = table[0]![3]![0]!;
  let sum = 0;
  for (let p = 0; p < depth; p++) {
    const term = table[0]![2]![p * 4]!;
    sum += a[row]![column]![term]!;
  }
  return sum;
}

/** The largest a[y, x, p]; NaN if one is. Table: y, x and p offsets, and the number of terms. */
export function largest(this: Cell, a: Floats, table: Floats): number {
  const row = table[0]![0]![this.thread.y * 4]!;
  const column = table[0]![1]![this.thread.x * 4]!;
  const depth = table[0]![3]![0]!;
  const first = table[0]![2]![0]!;
  let top = a[row]![column]![first]!;
  let poison = top;
  let bad = 0;
  for (let p = 0; p < depth; p++) {
    const term = table[0]![2]![p * 4]!;
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
