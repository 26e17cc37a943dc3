// Choosing the next token from its scores: the highest, or one that is drawn.
import { checkGiven } from "../tensor/given.ts";
import type { Generator } from "../tensor/random.ts";
import { largest } from "./largest.ts";

/** Maps the scores of the next token, [vocabulary], to a token id. */
export type Choose = (scores: Float64Array) => number;

/** The token with the highest score; ties go to the lowest id. */
export const greedy: Choose = (scores) => {
  checkGiven("greedy", { scores }, "a list");
  return scores.reduce((best, x, id) => (x > (scores[best] ?? 0) ? id : best), 0); // [generate.greedy]
};

/** exp(scores − the highest one), and the sum of these. */
function weightsOf(scores: Float64Array): readonly [weights: Float64Array, sum: number] {
  const top = scores.reduce((most, x) => Math.max(most, x), Number.NEGATIVE_INFINITY);
  const weights = scores.map((x) => Math.exp(x - top));
  return [weights, weights.reduce((sum, weight) => sum + weight, 0)];
}

/** softmax(scores) */
export function softmaxOf(scores: Float64Array): Float64Array {
  const [weights, sum] = weightsOf(scores);
  return weights.map((weight) => weight / sum);
}

/** Draws from softmax(scores). */
export const drawn =
  ({ uniform }: Generator): Choose =>
  (scores) => {
    const [weights, sum] = weightsOf(scores); // [generate.sampled]
    let remaining = uniform() * sum;
    for (const [id, weight] of weights.entries()) {
      remaining -= weight;
      if (remaining < 0) return id;
    }
    return greedy(scores);
  };

/** log softmax(scores) */
export function logProbabilities(scores: Float64Array): Float64Array {
  const top = scores.reduce((most, x) => Math.max(most, x), Number.NEGATIVE_INFINITY);
  const shift = Math.log(scores.reduce((sum, x) => sum + Math.exp(x - top), 0));
  return scores.map((x) => x - top - shift); // [generate.log-probabilities]
}

/** A token and the logarithm of its probability. */
export interface Alternative {
  readonly id: number;
  readonly logProbability: number;
}

/** A generated token. `logProbability` is null, and there are no alternatives, unless they are requested. */
export interface ChosenToken {
  readonly id: number;
  readonly logProbability: number | null;
  /** The most probable tokens in its place, the chosen one included, in descending order. */
  readonly alternatives: readonly Alternative[];
}

/** The chosen token with `count` alternatives; undefined: none are requested, nor its own probability. */
export function described(id: number, scores: Float64Array, count: number | undefined): ChosenToken {
  if (count === undefined) return { id, logProbability: null, alternatives: [] };
  const logs = logProbabilities(scores);
  const alternative = (token: number): Alternative => ({ id: token, logProbability: logs[token] ?? 0 });
  return { ...alternative(id), alternatives: largest(logs, Math.min(count, logs.length)).map(alternative) };
}
