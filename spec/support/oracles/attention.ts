// Attention computed from its formula in float64, with an error bound for float32, and random cases with every kind of mask.
import fc from "fast-check";
import type { SoftmaxEmptyRow } from "../../../src/tensor/ops/table.ts";

/** The unit roundoff of float32. */
export const U = 2 ** -24;
/** The error constant γₙ = n·u / (1 − n·u) of a sum of n products (Higham, section 3.1). */
export const gamma = (n: number): number => (n * U) / (1 - n * U);

type Numbers = ArrayLike<number>;
export interface AttentionCase<
  Floats extends Numbers = readonly number[],
  Bits extends Numbers = readonly number[],
> {
  readonly q: Floats;
  readonly k: Floats;
  readonly v: Floats;
  readonly size: readonly [z: number, l: number, s: number, d: number, e: number];
  /** [l s], the same for every z. */
  readonly mayAttend: Bits | null;
  /** [l], the same for every z and s: rows whose weights are kept after the softmax. */
  readonly keptRows: Bits | null;
  readonly emptyRow: SoftmaxEmptyRow;
  /** Sizes of the axes [z l s], 1 where it is repeated; leading ones may be absent. */
  readonly bias?: { readonly shape: readonly number[]; readonly values: Floats } | null;
}

/** The number that is added to the score of a query and a key. */
function biasAt({ bias }: AttentionCase<Numbers, Numbers>, place: readonly number[]): number {
  if (!bias) return 0;
  const from = 3 - bias.shape.length;
  const at = bias.shape.reduce((sum, n, axis) => sum * n + (n === 1 ? 0 : Number(place[from + axis])), 0);
  return Number(bias.values[at]);
}

/** float32 numbers between −size and size, determined by the seed. */
export function numbers(n: number, seed: number, size = 1): number[] {
  let state = seed | 0;
  return Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.fround((state / 2 ** 31) * size);
  });
}

/** A case with values of their own width, whose first query may attend to nothing, and with a bias of the given shape. */
export function biasedCase([z, l, s, d, e]: AttentionCase["size"], shape: readonly number[]): AttentionCase {
  const elements = shape.reduce((x, y) => x * y, 1);
  return {
    q: numbers(z * l * d, 1),
    k: numbers(z * s * d, 2),
    v: numbers(z * s * e, 3),
    size: [z, l, s, d, e],
    mayAttend: numbers(l * s, 4).map((x, i) => (i < s || x < 0 ? 0 : 1)),
    keptRows: null,
    emptyRow: "uniform",
    bias: { shape, values: numbers(elements, 5, 3) },
  };
}

const upTo = (max: number) => fc.integer({ min: 1, max });
/** Random cases. Queries and keys lie between −x and x for an x of `logits`. */
export const attentionCases = (...logits: readonly number[]): fc.Arbitrary<AttentionCase> =>
  fc
    .record({
      size: fc.tuple(upTo(3), upTo(7), upTo(9), upTo(6), upTo(7)),
      seed: fc.integer(),
      logits: fc.constantFrom(...logits),
      masked: fc.boolean(),
      zeroed: fc.boolean(),
      emptyRow: fc.constantFrom<SoftmaxEmptyRow[]>("zero", "uniform"),
      axes: fc.constantFrom(null, "z l s", "1 l s", "z 1 s", "z l 1", "l s", "s", "1"),
    })
    .map(({ size, seed, logits, masked, zeroed, emptyRow, axes }) => {
      const [z, l, s, d, e] = size;
      const shape = axes?.split(" ").map((name) => ({ z, l, s })[name] ?? 1);
      const elements = shape?.reduce((x, y) => x * y, 1) ?? 0;
      const bits = (n: number, salt: number) => numbers(n, seed ^ salt).map((x) => (x > 0 ? 1 : 0));
      return {
        q: numbers(z * l * d, seed, logits),
        k: numbers(z * s * d, seed + 1, logits),
        v: numbers(z * s * e, seed + 2),
        size,
        mayAttend: masked ? bits(l * s, 0x5bd1).map((x, i) => (i < s ? 0 : x)) : null, // the first row is empty
        keptRows: zeroed ? bits(l, 0x7f4a) : null,
        emptyRow,
        bias: shape ? { shape, values: numbers(elements, seed + 3, logits) } : null,
      };
    });

/** The allowed error of the output. */
interface Tolerance {
  /** The relative error of a weight, given the error of its row's scores, their range, and their number s. */
  readonly relative: (scoreError: number, scoreRange: number, s: number) => number;
  /** The absolute error allowed in addition. */
  readonly absolute: number;
}
/** Two float32 products and a rounded weight. */
export const HOST_MODES: Tolerance = {
  relative: (scoreError, _, s) => Math.exp(2 * scoreError) * (1 + 4 * U) * (1 + gamma(s + 3)) - 1,
  absolute: 1e-40,
};
/** Two float32 products, and exponentials with the error that WGSL allows: 3 + 2|x| units in the last place. */
export const DEVICE_MODES: Tolerance = {
  relative: (scoreError, scoreRange, s) =>
    Math.exp(2 * (scoreError + (3 + 2 * scoreRange) * 2 * U)) * (1 + 8 * U) * (1 + gamma(2 * s + 6)) - 1,
  absolute: 1e-37,
};

/** The exact output and the bound of a float32 implementation's error, row-major [z l e]. */
export function formula(c: AttentionCase<Numbers, Numbers>, tolerance: Tolerance) {
  const { q, k, v, mayAttend, keptRows, emptyRow } = c;
  const [batch, l, s, d, e] = c.size;
  const out: number[] = [];
  const bound: number[] = [];
  for (let z = 0; z < batch; z++)
    for (let i = 0; i < l; i++) {
      const keys = [...Array(s).keys()].filter((j) => !mayAttend || mayAttend[i * s + j] === 1);
      const score = (j: number, f: (x: number) => number) => {
        let sum = f(biasAt(c, [z, i, j]));
        for (let p = 0; p < d; p++) sum += f(Number(q[(z * l + i) * d + p]) * Number(k[(z * s + j) * d + p]));
        return sum;
      };
      const top = Math.max(...keys.map((j) => score(j, (x) => x)));
      const total = keys.map((j) => Math.exp(score(j, (x) => x) - top)).reduce((x, y) => x + y, 0);
      const weight = (j: number): number => {
        if (keptRows && keptRows[i] === 0) return 0;
        if (keys.length === 0) return emptyRow === "zero" ? 0 : emptyRow === "uniform" ? 1 / s : NaN;
        return keys.includes(j) ? Math.exp(score(j, (x) => x) - top) / total : 0;
      };
      const scoreError = Math.max(0, ...keys.map((j) => gamma(d + 1) * score(j, Math.abs)));
      const scoreRange = Math.max(0, ...keys.map((j) => top - score(j, (x) => x)));
      const relative = tolerance.relative(scoreError, scoreRange, s);
      for (let column = 0; column < e; column++) {
        const terms = [...Array(s).keys()].map((j) => weight(j) * Number(v[(z * s + j) * e + column]));
        out.push(terms.reduce((x, y) => x + y, 0));
        bound.push(terms.reduce((sum, x) => sum + relative * Math.abs(x), tolerance.absolute));
      }
    }
  return { out, bound };
}

/** The largest error relative to its bound; NaN if an error is NaN or the lengths differ. */
export function worstOf(
  actual: ArrayLike<number>,
  exact: readonly number[],
  bound: readonly number[],
): number {
  if (actual.length !== exact.length) return NaN;
  let most = 0;
  for (const [i, x] of exact.entries()) {
    const error = Math.abs(Number(actual[i]) - x);
    most = Math.max(most, error === 0 ? 0 : error / Number(bound[i]));
  }
  return most;
}

/** A product in float64, with the error bound of a float32 product. */
export function productOf(a: Numbers, b: Numbers, size: readonly number[]) {
  const [batch = 0, m = 0, k = 0, n = 0] = size;
  const out: number[] = [];
  const bound: number[] = [];
  for (let z = 0; z < batch; z++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        const terms = Array.from(
          { length: k },
          (_, p) => Number(a[(z * m + i) * k + p]) * Number(b[(z * k + p) * n + j]),
        );
        out.push(terms.reduce((x, y) => x + y, 0));
        bound.push(gamma(k) * terms.reduce((x, y) => x + Math.abs(y), 0) + 2 ** -149);
      }
  return { out, bound };
}
