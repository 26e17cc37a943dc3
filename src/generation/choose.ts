// Choosing the next token from its logits: greedily, or by sampling.
import { type Check, checked, optional, passing, positive, whole } from "../nn/options.ts";
import { generator } from "../tensor/random.ts";

/** Maps the logits of the next token, [vocabulary], to a token id. */
export type Choose = (logits: Float64Array) => number;

/** The token with the highest logit; ties go to the lowest id. */
export const greedy: Choose = (logits) =>
  logits.reduce((best, x, id) => (x > (logits[best] ?? 0) ? id : best), 0); // [generate.greedy]

export interface SamplingOptions {
  readonly seed: number;
  /** Divides the logits: below 1 the distribution is sharper, above 1 flatter. Default 1. */
  readonly temperature?: number | undefined;
  /** Only the k most probable tokens can be drawn. Default: all. */
  readonly topK?: number | undefined;
}

/** A seed: any whole number that a double represents exactly. */
const seedCheck = whole(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
const isTopK = (value: unknown): boolean =>
  value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && Number(value) >= 1);
const checks: { readonly [K in keyof SamplingOptions]-?: Check } = {
  seed: seedCheck,
  temperature: optional(positive),
  topK: optional(passing("a whole number of at least 1, or Infinity", isTopK)),
};

/** Draws from softmax(logits / temperature), restricted to the `topK` most probable tokens. Throws a RuleError for an option that it refuses. */
export function sampled(options: SamplingOptions): Choose {
  const { seed, temperature = 1, topK = Number.POSITIVE_INFINITY } = checked("sampled", options, checks);
  const { uniform } = generator(seed, "sampling");
  return (logits) => {
    const least = [...logits].sort((a, b) => b - a)[Math.min(topK, logits.length) - 1] ?? 0; // [generate.top-k]
    const top = logits.reduce((largest, x) => Math.max(largest, x), Number.NEGATIVE_INFINITY);
    const weights = logits.map((x) => (x < least ? 0 : Math.exp((x - top) / temperature))); // [generate.sampled]
    let remaining = uniform() * weights.reduce((sum, weight) => sum + weight, 0);
    for (const [id, weight] of weights.entries()) {
      remaining -= weight;
      if (remaining < 0) return id;
    }
    return greedy(logits);
  };
}
