// Logits of a step as scores, one row for each text.
import { RuleError } from "../tensor/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Settings } from "./options.ts";

/** Throws a RuleError unless the logits have `rows` rows, and the tokens of the settings are tokens of the model. */
function checkLogits(
  { shape }: Tensor,
  rows: number,
  { stops, never = [], badWords = [] }: Settings,
): number {
  const n = shape[1] ?? 0;
  if (shape.length !== 2 || shape[0] !== rows)
    throw new RuleError(
      `the logits after ${rows} rows are [${rows} n], not [${shape.join(" ")}]`,
      "generate.logits",
    );
  const refuse = (what: string, ids: readonly number[], rule: string): void => {
    const wrong = ids.find((id) => id >= n);
    if (wrong === undefined) return;
    throw new RuleError(`${what} ${wrong}, which is none of the model's ${n} tokens`, rule);
  };
  refuse("stop is", stops, "generate.stop");
  refuse("never lists", never, "generate.never");
  refuse("badWords has", badWords.flat(), "generate.bad-words");
  return n;
}

/** The logits of each row. Throws a RuleError if they do not fit the settings, or one is NaN or +∞. */
export function scoresOf(logits: Tensor, rows: number, settings: Settings): Float64Array[] {
  const n = checkLogits(logits, rows, settings);
  const values = logits.flat();
  return Array.from({ length: rows }, (_, b) => {
    const scores = Float64Array.from(values.subarray(b * n, (b + 1) * n));
    const wrong = scores.findIndex((x) => !(x < Number.POSITIVE_INFINITY));
    if (wrong >= 0)
      throw new RuleError(
        `the logit of token ${wrong} after prompt ${b} is ${scores[wrong]}; look for a weight or an input that is not finite`,
        "generate.finite",
      );
    return scores;
  });
}
