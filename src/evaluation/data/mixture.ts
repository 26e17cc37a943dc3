// Mixtures of sources by weight, as KOSMOS-1 mixes its corpora (arXiv 2302.14045, §3.1 and table 20).
import { checkValue, passing, positive, whole } from "../../nn/options.ts";
import { Bug } from "../../tensor/errors.ts";
import { checkGiven } from "../../tensor/given.ts";
import { generator } from "../../tensor/random.ts";

/** The share of each corpus of text in KOSMOS-1's training, per cent: table 20. They add up to 99.9. */
export const KOSMOS_TEXT_MIXTURE: Readonly<Record<string, number>> = {
  OpenWebText2: 21.8,
  "CC-2021-04": 17.7,
  Books3: 16.2,
  "CC-2020-50": 14.7,
  "Pile-CC": 10.6,
  RealNews: 10.2,
  Wikipedia: 5.4,
  BookCorpus2: 1.1,
  "Gutenberg (PG-19)": 1,
  "CC-Stories": 1,
  "NIH ExPorter": 0.2,
};

const weightsCheck = passing(
  "a list with at least one weight",
  (value) => Array.isArray(value) && value.length > 0,
);

const finite = passing("a finite number; write smaller weights", Number.isFinite);

/**
 * Draws indices of sources without end, each in proportion to its weight and independently of the others, from a seed. Throws a RuleError if a weight is
 * not above 0, or their sum is not finite.
 */
export function* mixture(weights: readonly number[], seed: number): Generator<number, never, undefined> {
  checkValue("mixture", "weights", weights, weightsCheck);
  for (const weight of weights) checkValue("mixture", "a weight", weight, positive);
  checkValue("mixture", "seed", seed, whole(0, Number.MAX_SAFE_INTEGER));
  const { uniform } = generator(seed, "mixture"); // [mixture.seed]
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  checkValue("mixture", "the sum of the weights", total, finite);
  for (;;) {
    let left = uniform() * total; // [mixture.weights]
    const found = weights.findIndex((weight) => {
      left -= weight;
      return left < 0;
    });
    yield found < 0 ? weights.length - 1 : found; // rounding may leave a little
  }
}

/** A source that begins again when it is at its end, which counts as a pass. */
interface Repeated<T> {
  readonly items: () => Iterator<T>;
  current: Iterator<T>;
  passes: number;
}

/**
 * Items of several sources in the order of `mixture`, as in `mixed([() => text.values(), () => pairs.values()], [1, 3], 0, fail)`. Each source is a function that begins it, and is called again when it has ended. `onEmpty` is called for
 * one without items, and throws.
 */
export function* mixed<T>(
  sources: readonly (() => Iterator<T>)[],
  weights: readonly number[],
  seed: number,
  onEmpty: (source: number) => never,
): Generator<{ readonly source: number; readonly pass: number; readonly item: T }, never, undefined> {
  checkGiven("mixed", { sources, weights }, "a list");
  const all = sources.map((items): Repeated<T> => ({ items, current: items(), passes: 0 }));
  for (const source of mixture(weights, seed)) {
    const one = all[source];
    if (!one) continue;
    let next = one.current.next();
    if (next.done) {
      one.current = one.items(); // [mixture.passes]
      one.passes++;
      next = one.current.next();
      if (next.done) onEmpty(source);
    }
    yield { source, pass: one.passes, item: next.value };
  }
  throw new Bug("a mixture has no end");
}
