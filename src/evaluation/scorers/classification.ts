// Accuracy, and the area under the ROC curve (Fawcett 2006, doi 10.1016/j.patrec.2005.10.010).
import { RuleError } from "../../tensor/errors.ts";
import { checkGiven } from "../../tensor/given.ts";

function checkPairs(what: string, a: readonly unknown[], b: readonly unknown[], names: string): void {
  if (a.length !== b.length)
    throw new RuleError(`${what}: ${a.length} ${names} ${b.length}; each needs the other`, "score.pairs");
  if (a.length === 0) throw new RuleError(`${what} needs at least one pair`, "score.pairs"); // [score.pairs]
}

/** The share of predictions that equal their labels. Throws a RuleError for no predictions, or another number of labels. */
export function accuracy<T>(predictions: readonly T[], labels: readonly T[]): number {
  checkGiven("accuracy", { predictions, labels }, "a list");
  checkPairs("accuracy", predictions, labels, "predictions, and labels:");
  return predictions.filter((one, i) => one === labels[i]).length / labels.length; // [score.accuracy]
}

/**
 * The area under the ROC curve: the probability that a positive example has a higher score than a negative one, where equal scores count half.
 * Throws a RuleError if all labels are alike or a score is not finite.
 */
export function rocAuc(scores: readonly number[], labels: readonly boolean[]): number {
  checkGiven("rocAuc", { scores, labels }, "a list");
  checkPairs("rocAuc", scores, labels, "scores, and labels:");
  const bad = scores.findIndex((score) => !Number.isFinite(score));
  if (bad >= 0)
    throw new RuleError(`rocAuc: score ${bad} is ${scores[bad]}, not a finite number`, "score.roc-auc");
  const positives = labels.filter(Boolean).length;
  const negatives = labels.length - positives;
  if (positives === 0 || negatives === 0)
    throw new RuleError(
      "rocAuc: all labels are alike; the area needs positive and negative examples",
      "score.roc-auc",
    );
  const order = scores.map((_, i) => i).sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0));
  let below = 0; // negatives with a lower score than the group of equal scores
  let area = 0;
  for (let at = 0; at < order.length; ) {
    let [up, down, end] = [0, 0, at];
    for (; end < order.length && scores[order[end] ?? 0] === scores[order[at] ?? 0]; end++)
      if (labels[order[end] ?? 0]) up++;
      else down++;
    area += up * (below + down / 2); // [score.roc-auc]
    below += down;
    at = end;
  }
  return area / (positives * negatives);
}
