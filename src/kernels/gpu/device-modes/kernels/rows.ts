// Kernels for softmax and layer normalisation on a graphics card. A kernel computes one cell, so each statistic of a row (maximum, sum,
// mean …) has a kernel of its own, and a last kernel computes the elements. See elementwise.ts for the conventions of kernels.
import { exponential } from "./functions.ts";
import type { Cell, Floats } from "./types.ts";

type SoftmaxCell = Cell<"stride" | "maskStride" | "postMaskStride">;
type NormalizeCell = Cell<"depth" | "stride">;

// biome-ignore-start lint/style/noNonNullAssertion: gpu.js compiles plain JavaScript only
// Softmax. Table: z and y offsets of the scores, of the mask, of the post-softmax mask and of the row statistics; then the weight of
// an empty row and the length of a row, which is no constant, so that one kernel serves all lengths of a text.

/** The largest allowed score of a row. The mask alone determines whether a score is allowed, never its value. */
export function rowMaxima(this: SoftmaxCell, scores: Floats, mask: Floats, table: Floats): number {
  const matrix = table[0]![0]![this.thread.z * 10]!;
  const row = table[0]![1]![this.thread.y * 10]!;
  const maskMatrix = table[0]![2]![this.thread.z * 10]!;
  const maskRow = table[0]![3]![this.thread.y * 10]!;
  const depth = table[0]![9]![0]!;
  let maximum = 0;
  let found = 0;
  for (let j = 0; j < depth; j++) {
    const allowed = mask[maskMatrix]![maskRow]![j * this.constants.maskStride]!;
    const score = scores[matrix]![row]![j * this.constants.stride]!;
    if (allowed > 0 && (found < 1 || score > maximum)) maximum = score;
    if (allowed > 0) found = 1;
  }
  return maximum;
}

/** Σ exp(score − maximum) over allowed scores: at least 1; NaN if one is NaN or all are −∞; −1 if none is allowed. */
export function rowSums(
  this: SoftmaxCell,
  scores: Floats,
  mask: Floats,
  maxima: Floats,
  table: Floats,
): number {
  const matrix = table[0]![0]![this.thread.z * 10]!;
  const row = table[0]![1]![this.thread.y * 10]!;
  const maskMatrix = table[0]![2]![this.thread.z * 10]!;
  const maskRow = table[0]![3]![this.thread.y * 10]!;
  const z = table[0]![6]![this.thread.z * 10]!;
  const y = table[0]![7]![this.thread.y * 10]!;
  const maximum = maxima[z]![y]![0]!;
  const depth = table[0]![9]![0]!;
  let sum = 0;
  let found = 0;
  for (let j = 0; j < depth; j++) {
    const allowed = mask[maskMatrix]![maskRow]![j * this.constants.maskStride]!;
    let term = 0;
    if (allowed > 0) {
      term = exponential(scores[matrix]![row]![j * this.constants.stride]! - maximum);
      found = 1;
    }
    sum += term;
  }
  if (found < 1) return -1;
  return sum;
}

/** The weights. The post-softmax mask is applied last. */
export function softmaxWeights(
  this: SoftmaxCell,
  scores: Floats,
  mask: Floats,
  postMask: Floats,
  maxima: Floats,
  sums: Floats,
  table: Floats,
): number {
  const matrix = table[0]![0]![this.thread.z * 10]!;
  const row = table[0]![1]![this.thread.y * 10]!;
  const maskMatrix = table[0]![2]![this.thread.z * 10]!;
  const maskRow = table[0]![3]![this.thread.y * 10]!;
  const postMatrix = table[0]![4]![this.thread.z * 10]!;
  const postRow = table[0]![5]![this.thread.y * 10]!;
  const z = table[0]![6]![this.thread.z * 10]!;
  const y = table[0]![7]![this.thread.y * 10]!;
  const sum = sums[z]![y]![0]!;
  const allowed = mask[maskMatrix]![maskRow]![this.thread.x * this.constants.maskStride]!;
  const kept = postMask[postMatrix]![postRow]![this.thread.x * this.constants.postMaskStride]!;
  let weight = 0;
  if (kept > 0) {
    if (sum < 0) {
      weight = table[0]![8]![0]!;
    } else if (allowed > 0) {
      const score = scores[matrix]![row]![this.thread.x * this.constants.stride]!;
      weight = exponential(score - maxima[z]![y]![0]!) / sum;
    }
  }
  return weight;
}

/** Σ exp(x − shift) of a row. Table: z and y offsets of x, of the shifts and of the row statistics. */
export function rowExponentials(this: NormalizeCell, x: Floats, shifts: Floats, table: Floats): number {
  const matrix = table[0]![0]![this.thread.z * 6]!;
  const row = table[0]![1]![this.thread.y * 6]!;
  const z = table[0]![2]![this.thread.z * 6]!;
  const y = table[0]![3]![this.thread.y * 6]!;
  const shift = shifts[z]![y]![0]!;
  let sum = 0;
  for (let j = 0; j < this.constants.depth; j++)
    sum += exponential(x[matrix]![row]![j * this.constants.stride]! - shift);
  return sum;
}

// Layer normalisation. Table: z and y offsets of x and of the row statistics, and ε.

/** Σ x / n */
export function rowMeans(this: NormalizeCell, x: Floats, table: Floats): number {
  const matrix = table[0]![0]![this.thread.z * 5]!;
  const row = table[0]![1]![this.thread.y * 5]!;
  let sum = 0;
  for (let j = 0; j < this.constants.depth; j++) sum += x[matrix]![row]![j * this.constants.stride]!;
  return sum / this.constants.depth;
}

/** Σ (x − m) / n, the rounding error of the mean m. Without it, rows with a large mean would lose precision. */
export function rowMeanErrors(this: NormalizeCell, x: Floats, means: Floats, table: Floats): number {
  const matrix = table[0]![0]![this.thread.z * 5]!;
  const row = table[0]![1]![this.thread.y * 5]!;
  const z = table[0]![2]![this.thread.z * 5]!;
  const y = table[0]![3]![this.thread.y * 5]!;
  const mean = means[z]![y]![0]!;
  let sum = 0;
  for (let j = 0; j < this.constants.depth; j++) sum += x[matrix]![row]![j * this.constants.stride]! - mean;
  return sum / this.constants.depth;
}

/** √(Σ (x − μ)² / n + ε) */
export function rowDeviations(
  this: NormalizeCell,
  x: Floats,
  means: Floats,
  meanErrors: Floats,
  table: Floats,
): number {
  const matrix = table[0]![0]![this.thread.z * 5]!;
  const row = table[0]![1]![this.thread.y * 5]!;
  const z = table[0]![2]![this.thread.z * 5]!;
  const y = table[0]![3]![this.thread.y * 5]!;
  const mean = means[z]![y]![0]!;
  const meanError = meanErrors[z]![y]![0]!;
  let sum = 0;
  for (let j = 0; j < this.constants.depth; j++) {
    const centred = x[matrix]![row]![j * this.constants.stride]! - mean - meanError;
    sum += centred * centred;
  }
  return Math.sqrt(sum / this.constants.depth + table[0]![4]![0]!);
}

/** (x − μ) / deviation */
export function normalized(
  this: NormalizeCell,
  x: Floats,
  means: Floats,
  meanErrors: Floats,
  deviations: Floats,
  table: Floats,
): number {
  const matrix = table[0]![0]![this.thread.z * 5]!;
  const row = table[0]![1]![this.thread.y * 5]!;
  const z = table[0]![2]![this.thread.z * 5]!;
  const y = table[0]![3]![this.thread.y * 5]!;
  const value = x[matrix]![row]![this.thread.x * this.constants.stride]!;
  return (value - means[z]![y]![0]! - meanErrors[z]![y]![0]!) / deviations[z]![y]![0]!;
}

/** √(Σ x² / n + ε), for a norm without centring. */
export function rowRootMeanSquares(this: NormalizeCell, x: Floats, table: Floats): number {
  const matrix = table[0]![0]![this.thread.z * 5]!;
  const row = table[0]![1]![this.thread.y * 5]!;
  let sum = 0;
  for (let j = 0; j < this.constants.depth; j++) {
    const value = x[matrix]![row]![j * this.constants.stride]!;
    sum += value * value;
  }
  return Math.sqrt(sum / this.constants.depth + table[0]![4]![0]!);
}

/** x / the number of its row. */
export function dividedByRow(this: NormalizeCell, x: Floats, rows: Floats, table: Floats): number {
  const matrix = table[0]![0]![this.thread.z * 5]!;
  const row = table[0]![1]![this.thread.y * 5]!;
  const z = table[0]![2]![this.thread.z * 5]!;
  const y = table[0]![3]![this.thread.y * 5]!;
  return x[matrix]![row]![this.thread.x * this.constants.stride]! / rows[z]![y]![0]!;
}
// biome-ignore-end lint/style/noNonNullAssertion: the kernels end here
