// The relative error of one tensor against another, over the tensor and over each row: golden/FORMAT.md §6.

/** A position at which two tensors differ, in row-major order, and both values. */
export interface Place {
  readonly at: number;
  readonly actual: number;
  readonly expected: number;
}

export interface Distance {
  /** The larger of the tensor's and the worst row's relative error; infinite where something discrete differs. */
  readonly error: number;
  /** The worst row, or the first one in which something discrete differs. */
  readonly row: number;
  /** The largest difference in that row; null where nothing differs. */
  readonly place: Place | null;
  /** A difference that is not a matter of size: a NaN, an infinity at another position, a number in a row of zeros. */
  readonly remark: string | null;
  /** How many rows have an error beyond the tolerance. */
  readonly beyond: number;
}

type Numbers = ArrayLike<number>;

const SAME: Distance = { error: 0, row: 0, place: null, remark: null, beyond: 0 };

/** Infinities agree exactly where they are compared, and then count as zero. */
const finite = (x = 0): number => (Number.isFinite(x) ? x : 0);

/** Multiplication by 2^exponent in two steps, because the inverse of a subnormal number overflows. */
function scaling(exponent: number): (x: number) => number {
  const half = Math.trunc(exponent / 2);
  return (x) => x * 2 ** half * 2 ** (exponent - half);
}

const exponentOf = (x: number): number => (x === 0 ? 0 : Math.floor(Math.log2(x)));

function largest(value: (i: number) => number, from: number, end: number): number {
  let most = 0;
  for (let i = from; i < end; i++) most = Math.max(most, Math.abs(value(i)));
  return most;
}

/** The root of the sum of the squares of value(i), from ≤ i < end; the squares neither overflow nor vanish. */
export function norm(value: (i: number) => number, from: number, end: number): number {
  const most = largest(value, from, end);
  if (most === 0 || !Number.isFinite(most)) return most;
  const exponent = exponentOf(most);
  const scaled = scaling(-exponent);
  let squares = 0;
  for (let i = from; i < end; i++) squares += scaled(value(i)) ** 2;
  return scaling(exponent)(Math.sqrt(squares));
}

/** Compares what is equal or not: the first difference, and the number of rows that have one. */
function exactly(
  actual: Numbers,
  expected: Numbers,
  width: number,
  differs: (a: number, e: number) => boolean,
): Distance {
  let place: Place | null = null;
  let [beyond, last] = [0, -1];
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i] ?? Number.NaN, expected[i] ?? Number.NaN];
    if (!differs(a, e)) continue;
    place ??= { at: i, actual: a, expected: e };
    const row = Math.floor(i / width);
    if (row > last) beyond++;
    last = row;
  }
  if (place === null) return SAME;
  const remark = `${place.actual} where ${place.expected} is expected`;
  return { error: Infinity, row: Math.floor(place.at / width), place, remark, beyond };
}

/** Integers and booleans are equal or not; the first row with a difference is the worst one. [compare.integers] */
export const exactDistance = (actual: Numbers, expected: Numbers, width: number): Distance =>
  exactly(actual, expected, width, (a, e) => a !== e);

/** An infinity or NaN agrees with the same infinity only. [compare.discrete] [compare.nan] */
const differsDiscretely = (a: number, e: number): boolean =>
  a !== e && !(Number.isFinite(a) && Number.isFinite(e));

/**
 * The distance of two tensors of equally many elements, with rows of `width`. Both are scaled by the power of two that brings
 * the largest expected number to about 1, so that no difference or norm of finite numbers overflows.
 */
export function distance(actual: Numbers, expected: Numbers, width: number, tolerance = Infinity): Distance {
  const differing = exactly(actual, expected, width, differsDiscretely);
  if (differing.place) return differing;
  const n = expected.length;
  const scaled = scaling(-exponentOf(largest((i) => finite(expected[i]), 0, n)));
  const e = (i: number): number => scaled(finite(expected[i]));
  const difference = (i: number): number => scaled(finite(actual[i])) - e(i);
  const whole = norm(e, 0, n);
  const share = whole * Math.sqrt(width / n);
  let [worst, beyond] = [SAME, 0];
  for (let from = 0, row = 0; from < n; from += width, row++) {
    const { at, zero } = largestDifference(actual, expected, from, from + width);
    if (at < 0) continue;
    const wrong = norm(difference, from, from + width);
    const error = zero ? Infinity : wrong / Math.max(norm(e, from, from + width), share); // [compare.discrete] [compare.rows]
    if (error > tolerance) beyond++;
    if (error < worst.error || (worst.place && error === worst.error)) continue;
    const where =
      whole > 0 ? "not zero, where the whole row is expected to be" : "not zero throughout, as expected";
    const place = { at, actual: actual[at] ?? 0, expected: expected[at] ?? 0 };
    worst = { error, row, place, remark: zero ? where : null, beyond };
  }
  const overall = whole > 0 ? norm(difference, 0, n) / whole : 0;
  return { ...worst, error: Math.max(worst.error, overall), beyond };
}

/** The position of a row's largest difference, −1 if there is none, and whether the whole row is expected to be zero. */
function largestDifference(actual: Numbers, expected: Numbers, from: number, end: number) {
  let [at, most, zero] = [-1, 0, true];
  for (let i = from; i < end; i++) {
    const [a, e] = [finite(actual[i]), finite(expected[i])];
    if (e !== 0) zero = false;
    const size = Math.abs(a / 2 - e / 2);
    if (a === e || (at >= 0 && size <= most)) continue;
    [at, most] = [i, size];
  }
  return { at, zero };
}

/**
 * The actual masked scores with −∞ wherever their fill masks what is expected to be masked: numbers whose weight after the softmax
 * is at most `weight` times that of the row's least allowed score; in a row in which nothing is allowed, one and the same number.
 * Implementations fill with different numbers (−∞, −finfo.max, −10,000), and the softmax is the same. [compare.fill]
 */
export function withoutFill(actual: Numbers, expected: Numbers, width: number, weight: number): Float64Array {
  const scores = Float64Array.from(actual);
  for (let from = 0; from < scores.length; from += width) {
    let least = Infinity;
    for (let i = from; i < from + width; i++)
      if (expected[i] !== -Infinity) least = Math.min(least, expected[i] ?? Number.NaN);
    const row = scores.subarray(from, from + width);
    const masks = (a: number): boolean =>
      least === Infinity ? a === row[0] && a < Infinity : a <= least + Math.log(weight);
    row.set(row.map((a, i) => (expected[from + i] === -Infinity && masks(a) ? -Infinity : a)));
  }
  return scores;
}
