// One tensor against the expected one, and the tolerance of each: golden/FORMAT.md §6.

import type { CaseTolerance, HalfNoise } from "../../io/golden/manifest.ts";
import type { Stored } from "../../io/safetensors/read.ts";
import { indexOf } from "../../io/wording.ts";
import { checkMember } from "../../tensor/given.ts";
import type { Precision } from "../../tensor/precision.ts";
import { Bool, Int, indexAt, type Shape, sizeOf, Tensor } from "../../tensor/tensor.ts";
import { type Distance, distance, exactDistance, norm, withoutFill } from "./distance.ts";

/** The largest difference in the worst row. */
export interface WorstElement {
  readonly index: readonly number[];
  readonly actual: number;
  readonly expected: number;
}

/** One tensor beside the expected one. Errors are relative: norms of differences divided by norms of expected values. */
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
  /** Null where nothing differs, or no elements could be compared. */
  readonly element: WorstElement | null;
  /** Rows (probes of a full-size tensor): how many were compared, and how many of them are beyond the tolerance. */
  readonly rows: number;
  readonly beyond: number;
}

/** Index along all axes but the last; none in an empty tensor. */
const rowIndex = (row: number, shape: Shape): number[] =>
  sizeOf(shape) === 0 ? [] : indexAt(row, shape.slice(0, -1));

/** A result; one without values has another shape than the expected one. */
export type Given = Stored | { readonly shape: Shape };

function elements(given: Given): ArrayLike<number> {
  if (given instanceof Tensor) return given.flat();
  return given instanceof Int || given instanceof Bool ? given.flat() : [];
}

/** The number of rows along the last axis; a tensor without axes is one row. */
export const rowsOf = ({ shape }: Stored): number => sizeOf(shape) / Math.max(1, shape.at(-1) ?? 1);

/** Scores after the fill: PerceiverAttention has none, and modules that run again add "@2". */
const isMasked = (name: string): boolean => /(^|\.)scores\.masked(@\d+)?$/.test(name);

const K = 8;

/** One tensor against the expected one. Integers and booleans are compared exactly, whatever the tolerance. */
export function compareTensors(
  name: string,
  actual: Given | undefined,
  expected: Stored,
  tolerance: number,
): Comparison {
  checkMember("compareTensors", { expected }, "shape", "a Tensor, an Int or a Bool");
  const exact = !(expected instanceof Tensor);
  const allowed = exact ? 0 : tolerance;
  const base = { tensor: name, tolerance: allowed, rows: rowsOf(expected) };
  const unlike = unlikeness(actual, expected.shape);
  if (unlike !== null || !actual) {
    const beyond = base.rows;
    return { ...base, error: Infinity, passed: false, row: [], remark: unlike, element: null, beyond };
  }
  const width = Math.max(1, expected.shape.at(-1) ?? 1);
  const [a, e] = [elements(actual), elements(expected)];
  const given = isMasked(name) ? withoutFill(a, e, width, allowed / K) : a;
  const d = exact ? exactDistance(a, e, width) : distance(given, e, width, allowed);
  return {
    ...base,
    error: d.error,
    passed: d.error <= allowed, // [compare.tolerance]
    row: rowIndex(d.row, expected.shape),
    remark: d.remark,
    element: elementOf(d, expected.shape),
    beyond: d.beyond,
  };
}

/** The reason why no elements can be compared. */
function unlikeness(actual: Given | undefined, shape: Shape): string | null {
  if (!actual) return "missing";
  if (actual.shape.join(" ") === shape.join(" ")) return null;
  return `shape [${actual.shape.join(" ")}] where [${shape.join(" ")}] is expected`;
}

const elementOf = ({ place }: Distance, shape: Shape): WorstElement | null =>
  place && { index: indexAt(place.at, shape), actual: place.actual, expected: place.expected };

/** The noise of a case in a precision, by tensor; a sentence if the case is not judged in it. */
export function noiseIn(precision: Precision, tolerance: CaseTolerance | null): HalfNoise {
  if (precision === "float64" || precision === "float32")
    return tolerance?.noise ?? new Map<string, number>();
  const noise = tolerance?.[precision] ?? null; // [compare.half]
  return noise ?? `no noise was measured in ${precision}: export the case again, or judge it in float32`;
}

/** Fixed bounds in float64; otherwise K times the noise that was measured in the precision. Null: not judged in it. */
export function toleranceFor(
  name: string,
  precision: Precision,
  k: number,
  noise: ReadonlyMap<string, number>,
): number | null {
  if (precision === "float64") return name.startsWith("grads.") ? 1e-11 : 1e-12; // [compare.float64]
  const measured = noise.get(name);
  return measured === undefined ? null : k * measured; // [compare.noise]
}

/** The expected values of a full-size tensor: 256 of its elements, the sum of all and their norm. */
export interface Probes {
  readonly shape: Shape;
  readonly index: ArrayLike<number>;
  readonly value: ArrayLike<number>;
  readonly sum: number;
  readonly norm: number;
}

/** Full size: golden/FORMAT.md §6, Probes. */
export function compareProbes(
  tensor: string,
  actual: Given | undefined,
  probes: Probes,
  tolerance: number,
): Comparison {
  const { shape, index, value } = probes;
  const base = { tensor, tolerance, row: [], rows: index.length, element: null };
  const failed = (remark: string | null) => ({ ...base, error: Infinity, passed: false, remark, beyond: 0 });
  const unlike = unlikeness(actual, shape);
  if (unlike !== null || !actual) return failed(unlike);
  const x = elements(actual);
  const wrong = Array.from(x).findIndex((v) => !Number.isFinite(v));
  if (wrong >= 0) return failed(`${x[wrong]} at ${indexOf(wrong, shape)}`); // [compare.nan]
  const whole = norm((i) => x[i] ?? 0, 0, x.length);
  if (probes.norm === 0) {
    const remark = whole === 0 ? null : "not zero throughout, as expected";
    return { ...base, error: whole === 0 ? 0 : Infinity, passed: whole === 0, remark, beyond: 0 };
  }
  const rms = probes.norm / Math.sqrt(x.length);
  const miss = (i: number): number => (x[index[i] ?? -1] ?? Number.NaN) - (value[i] ?? Number.NaN);
  const errorAt = (i: number): number => Math.abs(miss(i)) / Math.max(Math.abs(value[i] ?? 0), rms);
  const errors = Array.from(index, (_, i) => errorAt(i));
  const worst = errors.reduce((w, error, i) => (error > (errors[w] ?? 0) ? i : w), 0);
  const sum = Array.from(x).reduce((total, v) => total + v / probes.norm, 0);
  const error = Math.max(
    errors[worst] ?? Number.NaN,
    norm(miss, 0, index.length) / Math.sqrt(index.length) / rms,
    Math.abs(whole - probes.norm) / probes.norm,
    Math.abs(sum - probes.sum / probes.norm) / Math.sqrt(x.length),
  );
  const at = index[worst] ?? 0;
  const element = {
    index: indexAt(at, shape),
    actual: x[at] ?? Number.NaN,
    expected: value[worst] ?? Number.NaN,
  };
  const beyond = errors.filter((one) => !(one <= tolerance)).length;
  return { ...base, error, passed: error <= tolerance, remark: null, element, beyond }; // [compare.probes]
}
