// Kernels for what is computed row by row, softmax and layer normalisation: the numbers of a row first, each by a kernel of its own,
// then its elements. How they find what they read: card-kernels.ts.
import { exponential } from "./functions.ts";
import type { Cell, Floats } from "./elementwise.ts";

type SoftmaxCell = Cell<"depth" | "step" | "stepMay" | "stepHeard">;
type NormalizeCell = Cell<"depth" | "step">;

// biome-ignore-start lint/style/noNonNullAssertion: gpu.js reads no more than plain JavaScript
// Softmax. Columns: z and y of the scores, of the mask, of what is heard, of a row's numbers, and what an empty row is.

/** The largest score of a row that counts, from the first one on. Whether one counts, the mask says and never its value. */
export function rowTops(this: SoftmaxCell, scores: Floats, may: Floats, at: Floats): number {
  const matrix = at[0]![0]![this.thread.z * 9]!;
  const row = at[0]![1]![this.thread.y * 9]!;
  const maskMatrix = at[0]![2]![this.thread.z * 9]!;
  const maskRow = at[0]![3]![this.thread.y * 9]!;
  let top = 0;
  let seen = 0;
  for (let j = 0; j < this.constants.depth; j++) {
    const open = may[maskMatrix]![maskRow]![j * this.constants.stepMay]!;
    const score = scores[matrix]![row]![j * this.constants.step]!;
    if (open > 0 && (seen < 1 || score > top)) top = score;
    if (open > 0) seen = 1;
  }
  return top;
}

/** Σ exp(score − top) over what counts: at least 1, NaN where a score is or all are −∞; −1 if the mask lets none count. */
export function rowSums(this: SoftmaxCell, scores: Floats, may: Floats, tops: Floats, at: Floats): number {
  const matrix = at[0]![0]![this.thread.z * 9]!;
  const row = at[0]![1]![this.thread.y * 9]!;
  const maskMatrix = at[0]![2]![this.thread.z * 9]!;
  const maskRow = at[0]![3]![this.thread.y * 9]!;
  const z = at[0]![6]![this.thread.z * 9]!;
  const y = at[0]![7]![this.thread.y * 9]!;
  const top = tops[z]![y]![0]!;
  let sum = 0;
  let seen = 0;
  for (let j = 0; j < this.constants.depth; j++) {
    const open = may[maskMatrix]![maskRow]![j * this.constants.stepMay]!;
    let term = 0;
    if (open > 0) {
      term = exponential(scores[matrix]![row]![j * this.constants.step]! - top);
      seen = 1;
    }
    sum += term;
  }
  if (seen < 1) return -1;
  return sum;
}

/** The weights. What is not heard becomes zero, after the softmax. */
export function softWeights(
  this: SoftmaxCell,
  scores: Floats,
  may: Floats,
  postSoftmaxMask: Floats,
  tops: Floats,
  sums: Floats,
  at: Floats,
): number {
  const matrix = at[0]![0]![this.thread.z * 9]!;
  const row = at[0]![1]![this.thread.y * 9]!;
  const maskMatrix = at[0]![2]![this.thread.z * 9]!;
  const maskRow = at[0]![3]![this.thread.y * 9]!;
  const heardMatrix = at[0]![4]![this.thread.z * 9]!;
  const heardRow = at[0]![5]![this.thread.y * 9]!;
  const z = at[0]![6]![this.thread.z * 9]!;
  const y = at[0]![7]![this.thread.y * 9]!;
  const sum = sums[z]![y]![0]!;
  const open = may[maskMatrix]![maskRow]![this.thread.x * this.constants.stepMay]!;
  const loud = postSoftmaxMask[heardMatrix]![heardRow]![this.thread.x * this.constants.stepHeard]!;
  let weight = 0;
  if (loud > 0) {
    if (sum < 0) {
      weight = at[0]![8]![0]!;
    } else if (open > 0) {
      const score = scores[matrix]![row]![this.thread.x * this.constants.step]!;
      weight = exponential(score - tops[z]![y]![0]!) / sum;
    } else {
      weight = sum * 0;
    }
  }
  return weight;
}

// Layer normalisation. Columns: z and y of x, and of a row's numbers, and ε.

/** Σ x / n */
export function rowMeans(this: NormalizeCell, x: Floats, at: Floats): number {
  const matrix = at[0]![0]![this.thread.z * 5]!;
  const row = at[0]![1]![this.thread.y * 5]!;
  let sum = 0;
  for (let j = 0; j < this.constants.depth; j++) sum += x[matrix]![row]![j * this.constants.step]!;
  return sum / this.constants.depth;
}

/** Σ (x − m) / n: what the mean m lacks. Rows far from zero would lose their digits without it. */
export function rowRests(this: NormalizeCell, x: Floats, means: Floats, at: Floats): number {
  const matrix = at[0]![0]![this.thread.z * 5]!;
  const row = at[0]![1]![this.thread.y * 5]!;
  const z = at[0]![2]![this.thread.z * 5]!;
  const y = at[0]![3]![this.thread.y * 5]!;
  const mean = means[z]![y]![0]!;
  let sum = 0;
  for (let j = 0; j < this.constants.depth; j++) sum += x[matrix]![row]![j * this.constants.step]! - mean;
  return sum / this.constants.depth;
}

/** √(Σ (x − μ)² / n + ε) */
export function rowSpreads(this: NormalizeCell, x: Floats, means: Floats, rests: Floats, at: Floats): number {
  const matrix = at[0]![0]![this.thread.z * 5]!;
  const row = at[0]![1]![this.thread.y * 5]!;
  const z = at[0]![2]![this.thread.z * 5]!;
  const y = at[0]![3]![this.thread.y * 5]!;
  const mean = means[z]![y]![0]!;
  const rest = rests[z]![y]![0]!;
  let sum = 0;
  for (let j = 0; j < this.constants.depth; j++) {
    const centred = x[matrix]![row]![j * this.constants.step]! - mean - rest;
    sum += centred * centred;
  }
  return Math.sqrt(sum / this.constants.depth + at[0]![4]![0]!);
}

/** (x − μ) / spread */
export function normalized(
  this: NormalizeCell,
  x: Floats,
  means: Floats,
  rests: Floats,
  spreads: Floats,
  at: Floats,
): number {
  const matrix = at[0]![0]![this.thread.z * 5]!;
  const row = at[0]![1]![this.thread.y * 5]!;
  const z = at[0]![2]![this.thread.z * 5]!;
  const y = at[0]![3]![this.thread.y * 5]!;
  const value = x[matrix]![row]![this.thread.x * this.constants.step]!;
  return (value - means[z]![y]![0]! - rests[z]![y]![0]!) / spreads[z]![y]![0]!;
}
// biome-ignore-end lint/style/noNonNullAssertion: the kernels end here
