// The examples of an evaluation, from the samples of a file, and what is kept of each: a record.
import type { ReadSample, SampleKind } from "../data/samples.ts";

export const TASKS = ["caption", "vqa", "rank"] as const;
export type TaskName = (typeof TASKS)[number];

/** The kind of samples of each task. */
export const KIND_OF_TASK: { readonly [T in TaskName]: SampleKind } = {
  caption: "caption",
  vqa: "question",
  rank: "choice",
};

/** What a model is asked, and what is right. */
export interface Example {
  /** The line of its first sample, from 1. */
  readonly line: number;
  /** The path of its image, or null. */
  readonly image: string | null;
  /** The question of "vqa", the context of "rank"; empty for captions. */
  readonly question: string;
  /** All captions of an image, or all answers to a question; for "rank" the choices. */
  readonly texts: readonly string[];
  /** For "rank", the index of the right choice; else 0. */
  readonly right: number;
}

/** The captions of one image, which may be several samples, are one example, where its first sample is. [runs.examples] */
function captions(samples: Iterable<ReadSample>): Example[] {
  const byImage = new Map<string, Example & { readonly texts: string[] }>();
  for (const { line, sample } of samples) {
    if (sample.kind !== "caption") continue;
    const { image, caption } = sample;
    const known = byImage.get(image);
    if (known) known.texts.push(caption);
    else byImage.set(image, { line, image, question: "", texts: [caption], right: 0 });
  }
  return [...byImage.values()];
}

/** The examples of a task, in the order of the file. */
export function examplesOf(task: TaskName, samples: Iterable<ReadSample>): Example[] {
  if (task === "caption") return captions(samples);
  const found: Example[] = [];
  for (const { line, sample } of samples) {
    if (sample.kind === "question")
      found.push({ line, image: sample.image, question: sample.question, texts: sample.answers, right: 0 });
    else if (sample.kind === "choice") {
      const { image, context, choices, answer } = sample;
      found.push({ line, image, question: context, texts: choices, right: answer });
    }
  }
  return found;
}

/** What a model has answered to an example. */
export interface ExampleRecord {
  /** The number of the example, from 0. */
  readonly example: number;
  readonly line: number;
  /** The lines of the demonstrations. */
  readonly demonstrations: readonly number[];
  /** The answer of "caption" and "vqa". */
  readonly answer?: string;
  /** For "rank": the sum and the mean of the log-probabilities of the tokens of each choice. */
  readonly sums?: readonly number[];
  readonly means?: readonly number[];
  /** Why the example could not be used; such a record has no answer. */
  readonly leftOut?: string;
}
