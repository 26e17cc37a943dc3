// Kernels for the modes of a graphics card. gpu.js translates their text: each stands alone, and returns one float, because results
// of several cannot stay on the device. Arrays are read as [z][y][x], which gpu.js finds with integers. [gpu.index]

type Floats = readonly (readonly (readonly number[])[])[];
/** What `this` is inside: the cell, and the constant where loops end. [gpu.depth] */
interface Cell {
  readonly thread: { readonly x: number; readonly y: number; readonly z: number };
  readonly constants: { readonly depth: number };
}

// biome-ignore-start lint/style/noNonNullAssertion: gpu.js reads no more than plain JavaScript
/** What is uploaded, as a result like any other. */
export function copied(this: Cell, a: Floats): number {
  return a[this.thread.z]![this.thread.y]![this.thread.x]!;
}

/** Σₚ a[z][y][p] b[z][p][x] */
export function scalarProduct(this: Cell, a: Floats, b: Floats): number {
  let sum = 0;
  for (let p = 0; p < this.constants.depth; p++) {
    sum += a[this.thread.z]![this.thread.y]![p]! * b[this.thread.z]![p]![this.thread.x]!;
  }
  return sum;
}

/** The largest score of a row that counts. Whether one counts, its code says and never its value: odd codes do. [gpu.masked] */
export function rowTops(this: Cell, scores: Floats, codes: Floats): number {
  let top = -3.4e38;
  for (let j = 0; j < this.constants.depth; j++) {
    const code = codes[this.thread.z]![this.thread.y]![j]!;
    if (code === 1 || code === 3) {
      const score = scores[this.thread.z]![this.thread.y]![j]!;
      if (score > top) top = score;
    }
  }
  return top;
}

/** Σ exp(score − top) over what counts: at least 1, 0 for a row without any, NaN where a score is. [gpu.nan] */
export function rowSums(this: Cell, scores: Floats, codes: Floats, tops: Floats): number {
  let sum = 0;
  const top = tops[this.thread.z]![this.thread.y]![0]!;
  for (let j = 0; j < this.constants.depth; j++) {
    const code = codes[this.thread.z]![this.thread.y]![j]!;
    if (code === 1 || code === 3) sum += Math.exp(scores[this.thread.z]![this.thread.y]![j]! - top);
  }
  return sum;
}

/** The weights. Codes from 2 on are heard; the others become zero, after the softmax. [gpu.silent] */
export function softWeights(
  this: Cell,
  scores: Floats,
  codes: Floats,
  tops: Floats,
  sums: Floats,
  ofEmpty: Floats,
): number {
  const code = codes[this.thread.z]![this.thread.y]![this.thread.x]!;
  const sum = sums[this.thread.z]![this.thread.y]![0]!;
  let weight = 0;
  if (code > 1) {
    if (sum === 0) {
      weight = ofEmpty[0]![0]![0]!;
    } else if (code === 3) {
      weight =
        Math.exp(
          scores[this.thread.z]![this.thread.y]![this.thread.x]! - tops[this.thread.z]![this.thread.y]![0]!,
        ) / sum;
    } else {
      weight = sum * 0;
    }
  }
  return weight;
}
// biome-ignore-end lint/style/noNonNullAssertion: the kernels end here
