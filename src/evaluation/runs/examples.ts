// The examples of an evaluation, from the samples of a file, and what is kept of each: a record.
import type { ReadSample, SampleKind } from "../data/samples.ts";

export const TASKS = ["caption", "vqa", "name", "rank", "iq", "describe"] as const;
export type TaskName = (typeof TASKS)[number];

/** The kind of samples of each task. */
export const KIND_OF_TASK: { readonly [T in TaskName]: SampleKind } = {
  caption: "caption",
  vqa: "question",
  name: "caption",
  rank: "choice",
  iq: "matrix",
  describe: "description",
};

/** Tasks that score given answers by their log-probabilities; the others generate an answer. */
export const isRanked = (task: TaskName): boolean => task === "rank" || task === "iq" || task === "describe";

/** What a model is asked, and what is right. */
export interface Example {
  /** The line of its first sample, from 1. */
  readonly line: number;
  /** The path of its image, or null. */
  readonly image: string | null;
  /** The question of "vqa", the context of "rank", the category of "describe"; empty for captions. */
  readonly question: string;
  /** All captions of an image, or all answers to a question; for "rank" and "describe" the choices, for "iq" the paths of the candidates. */
  readonly texts: readonly string[];
  /** The index of the right choice or candidate; else 0. */
  readonly right: number;
  /** The paths of the images of a matrix, for "iq". */
  readonly matrix?: readonly string[];
  /** The descriptions of the classes, for "describe". */
  readonly descriptions?: readonly string[];
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
  if (KIND_OF_TASK[task] === "caption") return captions(samples);
  const found: Example[] = [];
  for (const { line, sample } of samples) {
    if (sample.kind === "question")
      found.push({ line, image: sample.image, question: sample.question, texts: sample.answers, right: 0 });
    else if (sample.kind === "choice") {
      const { image, context, choices, answer } = sample;
      found.push({ line, image, question: context, texts: choices, right: answer });
    } else if (sample.kind === "matrix") {
      const { matrix, candidates, answer } = sample;
      found.push({ line, image: null, question: "", texts: candidates, right: answer, matrix });
    } else if (sample.kind === "description") {
      const { image, descriptions, category, choices, answer } = sample;
      found.push({ line, image, question: category, texts: choices, right: answer, descriptions });
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
  /** What the first stage of a chain of thought has said about the image. */
  readonly rationale?: string;
  /** The sum and the mean of the log-probabilities of the tokens of each choice; for "iq" those of "Yes" behind each candidate. */
  readonly sums?: readonly number[];
  readonly means?: readonly number[];
  /** Why the example could not be used; such a record has no answer. */
  readonly leftOut?: string;
}
