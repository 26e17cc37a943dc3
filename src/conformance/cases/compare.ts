// The error of one tensor against another: golden/FORMAT.md §6.

import type { Stored } from "../../io/safetensors/read.ts";
import type { Precision } from "../../tensor/precision.ts";
import { flat, rowMajor, type Shape, Tensor } from "../../tensor/tensor.ts";

export interface Comparison {
  /** Name in expected.safetensors: outputs.out, taps.attn.scores, grads.weights.to_q.weight, probes.out. */
  readonly tensor: string;
  /** The larger of the tensor's and the worst row's relative error; infinite where something discrete differs. */
  readonly error: number;
  readonly tolerance: number;
  readonly passed: boolean;
  /** Index of the worst row (all axes but the last). */
  readonly row: readonly number[];
  /** A difference that is not a matter of size: a shape, a NaN, an infinity at another index. */
  readonly remark: string | null;
}

interface Distance {
  readonly error: number;
  readonly row: number;
  readonly remark: string | null;
}

const different = (remark: string, row = 0): Distance => ({ error: Infinity, row, remark });

/** Infinities and NaN must agree exactly, and then count as zero. */
const finite = (x: number): number => (Number.isFinite(x) ? x : 0);

/** Relative error over the tensor and over each row, a row's relative to the larger of its own norm and its share of the tensor's. */
export function distance(actual: ArrayLike<number>, expected: ArrayLike<number>, width: number): Distance {
  const n = expected.length;
  let sumSquares = 0;
  let sumErrors = 0;
  let equal = true;
  for (let i = 0; i < n; i++) {
    const [a, e] = [actual[i] ?? 0, expected[i] ?? 0];
    if (Object.is(a, e) || a === e) {
      sumSquares += finite(e) ** 2;
      continue;
    }
    if (!Number.isFinite(a) || !Number.isFinite(e)) {
      return different(`${a} where ${e} is expected`, Math.floor(i / width)); // [compare.discrete]
    }
    equal = false;
    sumSquares += e ** 2;
    sumErrors += (a - e) ** 2;
  }
  if (equal) return { error: 0, row: 0, remark: null };
  const norm = Math.sqrt(sumSquares);
  if (norm === 0) return different("not zero throughout, as expected");
  if (norm === Infinity) return different("different, and too large for a relative error"); // [compare.discrete]
  const share = norm * Math.sqrt(width / n);
  let worst = { error: Math.sqrt(sumErrors) / norm, row: 0, remark: null };
  let worstRow = -1;
  for (let from = 0, row = 0; from < n; from += width, row++) {
    let [squares, errors] = [0, 0];
    for (let i = from; i < from + width; i++) {
      const e = finite(expected[i] ?? 0);
      squares += e ** 2;
      errors += (finite(actual[i] ?? 0) - e) ** 2;
    }
    if (squares === 0 && errors > 0) return different("not zero, where the whole row is expected to be", row); // [compare.discrete]
    const error = Math.sqrt(errors) / Math.max(Math.sqrt(squares), share); // [compare.rows]
    if (error > worstRow) {
      worstRow = error;
      worst = { error: Math.max(worst.error, error), row, remark: null };
    }
  }
  return worst;
}

/** Index along all axes but the last. */
export function rowIndex(row: number, shape: Shape): number[] {
  const lead = shape.slice(0, -1);
  return rowMajor(lead).map((step, axis) => Math.floor(row / step) % (lead[axis] ?? 1));
}

/** Integers and booleans are equal or not; the first row with a difference is the worst one. [compare.integers] */
function exactDistance(actual: ArrayLike<number>, expected: ArrayLike<number>, width: number): Distance {
  for (let i = 0; i < expected.length; i++)
    if (actual[i] !== expected[i])
      return different(`${actual[i]} where ${expected[i]} is expected`, Math.floor(i / width));
  return { error: 0, row: 0, remark: null };
}

const elements = (stored: Stored): ArrayLike<number> =>
  stored instanceof Tensor ? flat(stored.data) : stored.flat();

/** One tensor against the expected one. Integers and booleans are compared exactly, whatever the tolerance. */
export function compare(
  name: string,
  actual: Stored | undefined,
  expected: Stored,
  tolerance: number,
): Comparison {
  const exact = !(expected instanceof Tensor);
  const allowed = exact ? 0 : tolerance;
  const judged = (d: Distance): Comparison => ({
    tensor: name,
    error: d.error,
    tolerance: allowed,
    passed: d.error <= allowed, // [compare.tolerance]
    row: rowIndex(d.row, expected.shape),
    remark: d.remark,
  });
  if (!actual) return judged(different("missing"));
  if (actual.shape.join(" ") !== expected.shape.join(" ")) {
    return judged(
      different(`shape [${actual.shape.join(" ")}] where [${expected.shape.join(" ")}] is expected`),
    );
  }
  const width = Math.max(1, expected.shape.at(-1) ?? 1);
  return judged((exact ? exactDistance : distance)(elements(actual), elements(expected), width));
}

/** Unit roundoff of each format, relative to that of float32. The tolerance grows by the same factor. */
const COARSER: Readonly<Record<Exclude<Precision, "float64">, number>> = {
  float32: 1,
  bfloat16: 2 ** 16,
  float16: 2 ** 13,
};

/** Fixed bounds in float64; otherwise K times the noise that was measured for this tensor. */
export function toleranceFor(name: string, precision: Precision, k: number, noise: number): number {
  if (precision === "float64") return name.startsWith("grads.") ? 1e-11 : 1e-12; // [compare.float64]
  return k * noise * COARSER[precision]; // [compare.noise]
}

/** The expected values of a full-size tensor: 256 of its elements, the sum of all and their norm. */
export interface Probes {
  readonly shape: Shape | null;
  readonly index: ArrayLike<number>;
  readonly value: ArrayLike<number>;
  readonly sum: number;
  readonly norm: number;
}

/** Full size: golden/FORMAT.md §6, Probes. */
export function compareProbes(
  tensor: string,
  actual: Stored | undefined,
  probes: Probes,
  tolerance: number,
): Comparison {
  const base = { tensor, tolerance, row: [] };
  if (!actual || (probes.shape && actual.shape.join(" ") !== probes.shape.join(" "))) {
    const remark = actual ? `shape [${actual.shape.join(" ")}]` : "missing";
    return { ...base, error: Infinity, passed: false, remark };
  }
  const x = elements(actual);
  let [sum, squares] = [0, 0];
  for (const value of Array.from(x)) {
    sum += value;
    squares += value * value;
  }
  const rms = probes.norm / Math.sqrt(x.length);
  let [worst, errors] = [0, 0];
  for (let i = 0; i < probes.index.length; i++) {
    const expected = probes.value[i] ?? 0;
    const miss = Math.abs((x[probes.index[i] ?? 0] ?? NaN) - expected);
    worst = Math.max(worst, miss / Math.max(Math.abs(expected), rms));
    errors += miss * miss;
  }
  const error = Math.max(
    worst,
    Math.sqrt(errors / probes.index.length) / rms,
    Math.abs(Math.sqrt(squares) - probes.norm) / probes.norm,
    Math.abs(sum - probes.sum) / (probes.norm * Math.sqrt(x.length)),
  );
  return { ...base, error, passed: error <= tolerance, remark: null }; // [compare.probes]
}
