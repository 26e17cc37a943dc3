// The scores of an evaluation: what the records of its examples are worth.
import { classProbabilities } from "../classes.ts";
import { captionTokens } from "../scorers/captions/caption-tokens.ts";
import { cider } from "../scorers/cider.ts";
import { bestOf, exactMatch, f1 } from "../scorers/spans.ts";
import { vqaAccuracy } from "../scorers/vqa-accuracy.ts";
import type { Example, ExampleRecord, TaskName } from "./examples.ts";
import { type Interval, meanWithInterval, rocAucWithInterval } from "./interval.ts";

/** A score of all examples, with its 95 % interval. */
export interface Metric extends Interval {
  readonly name: string;
}

interface Answered {
  readonly example: Example;
  readonly record: ExampleRecord;
}

/** The index of the largest score: the first one of several. */
function best(scores: readonly number[]): number {
  let at = 0;
  for (const [i, score] of scores.entries()) if (score > (scores[at] ?? 0)) at = i;
  return at; // [runs.rank]
}

const matches = ({ example, record }: Answered): number =>
  bestOf(exactMatch, record.answer ?? "", example.texts);

const isRight =
  (of: (record: ExampleRecord) => readonly number[] | undefined) =>
  ({ example, record }: Answered): number =>
    Number(best(of(record) ?? []) === example.right);

const ranked = (all: readonly Answered[]) => ({
  "accuracy, by the sum": all.map(isRight(({ sums }) => sums)),
  "accuracy, by the mean": all.map(isRight(({ means }) => means)),
});

/** The scores of each example by metric. [runs.metrics] */
const scorers: {
  readonly [T in TaskName]: (all: readonly Answered[]) => Readonly<Record<string, readonly number[]>>;
} = {
  caption: (all) => ({
    CIDEr: cider(
      all.map(({ example, record }) => ({
        candidate: captionTokens(record.answer ?? ""),
        references: example.texts.map(captionTokens),
      })),
    ).scores,
    "exact match": all.map(matches),
  }),
  vqa: (all) => ({
    "VQA accuracy": all.map(({ example, record }) => vqaAccuracy(record.answer ?? "", example.texts)),
    "exact match": all.map(matches),
    F1: all.map(({ example, record }) => bestOf(f1, record.answer ?? "", example.texts)),
  }),
  name: (all) => ({ accuracy: all.map(matches) }),
  rank: ranked,
  iq: (all) => ({ accuracy: all.map(isRight(({ sums }) => sums)) }),
  describe: ranked,
};

/** The area under the ROC curve of the probability of one choice among all of an example. [runs.positive] */
function aucOf(all: readonly Answered[], positive: string): Metric {
  const at = all.map(({ example }) => example.texts.indexOf(positive));
  const scores = all.map(({ record }, i) => classProbabilities(record.sums ?? [])[at[i] ?? -1] ?? 0);
  const labels = all.map(({ example }, i) => example.right === at[i]);
  return { name: "ROC AUC", ...rocAucWithInterval(scores, labels) };
}

/**
 * The metrics of a task. `records` are those of the first examples, in order; `positive` is the choice whose probability is scored too. Throws a
 * RuleError if there is none, or `positive` is right, or wrong, in all.
 */
export function metricsOf(
  task: TaskName,
  examples: readonly Example[],
  records: readonly ExampleRecord[],
  positive: string | null = null,
): Metric[] {
  const all = records.flatMap((record, i) => {
    const example = examples[i];
    return example ? [{ example, record }] : [];
  });
  const means = Object.entries(scorers[task](all)).map(([name, scores]) => ({
    name,
    ...meanWithInterval(scores),
  }));
  return positive === null ? means : [...means, aucOf(all, positive)];
}
