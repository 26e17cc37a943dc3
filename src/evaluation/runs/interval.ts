// Confidence intervals of means: the percentile bootstrap (Efron 1979, doi 10.1214/aos/1176344552).
import { type Check, checked, checkValue, optional, passing, whole } from "../../nn/options.ts";
import { generator } from "../../tensor/random.ts";
import { rocAuc } from "../scorers/classification.ts";

/** The confidence level and the resampling. */
export interface IntervalOptions {
  /** The probability that the interval is to have. Default 0.95. */
  readonly level?: number | undefined;
  /** The number of resamples. Default 1000. */
  readonly resamples?: number | undefined;
  /** Default 0. */
  readonly seed?: number | undefined;
}
const checks: { readonly [K in keyof IntervalOptions]-?: Check } = {
  level: optional(passing("a number between 0 and 1", (n) => typeof n === "number" && n > 0 && n < 1)),
  resamples: optional(whole(1, 1_000_000)),
  seed: optional(whole(0, Number.MAX_SAFE_INTEGER)),
};
const values = passing(
  "a list of at least one finite number",
  (list) => Array.isArray(list) && list.length > 0 && list.every(Number.isFinite),
);

/** A mean and the bounds of its confidence interval. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  /** The number of values. */
  readonly n: number;
}

/** The q-quantile of sorted values, with linear interpolation between neighbours. */
function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const [below, above] = [Math.floor(at), Math.ceil(at)];
  const [low = 0, high = 0] = [sorted[below], sorted[above]];
  return low + (at - below) * (high - low);
}

/** Quantiles of a statistic of samples of the same size, drawn with replacement; null is no value, and another sample is drawn. */
function bootstrapped(
  n: number,
  statistic: (at: Int32Array) => number | null,
  { level = 0.95, resamples = 1000, seed = 0 }: IntervalOptions,
): Pick<Interval, "low" | "high"> {
  const { uniform } = generator(seed, "bootstrap"); // [interval.seed]
  const at = new Int32Array(n);
  const found: number[] = [];
  for (let tries = 0; found.length < resamples && tries < 100 * resamples; tries++) {
    for (let i = 0; i < n; i++) at[i] = Math.floor(uniform() * n); // [interval.bootstrap]
    const value = statistic(at);
    if (value !== null) found.push(value);
  }
  const sorted = Float64Array.from(found).sort();
  const tail = (1 - level) / 2;
  return { low: quantile(sorted, tail), high: quantile(sorted, 1 - tail) };
}

/**
 * The area under the ROC curve, and its percentile bootstrap interval over samples that have positive and negative examples. Throws a RuleError as
 * `rocAuc` does.
 */
export function rocAucWithInterval(
  scores: readonly number[],
  labels: readonly boolean[],
  options: IntervalOptions = {},
): Interval {
  const known = checked("rocAucWithInterval", options, checks);
  const mean = rocAuc(scores, labels);
  const statistic = (at: Int32Array): number | null => {
    const drawn = Array.from(at, (i) => labels[i] ?? false);
    const isMixed = drawn.includes(true) && drawn.includes(false); // [interval.roc-auc]
    return isMixed
      ? rocAuc(
          Array.from(at, (i) => scores[i] ?? 0),
          drawn,
        )
      : null;
  };
  return { mean, ...bootstrapped(scores.length, statistic, known), n: scores.length };
}

/**
 * The mean of the scores of examples, and its percentile bootstrap interval: means of samples of the same size, drawn with replacement, of which the
 * middle ones are taken. [interval.bootstrap] Throws a RuleError if there is no score, or one is not finite.
 */
export function meanWithInterval(scores: readonly number[], options: IntervalOptions = {}): Interval {
  checkValue("meanWithInterval", "scores", scores, values);
  const known = checked("meanWithInterval", options, checks);
  const n = scores.length;
  const meanAt = (at: Int32Array): number => at.reduce((sum, i) => sum + (scores[i] ?? 0), 0) / n;
  const mean = scores.reduce((sum, one) => sum + one, 0) / n;
  return { mean, ...bootstrapped(n, meanAt, known), n };
}
