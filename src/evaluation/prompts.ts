// The prompts of open-flamingo 2.0.1 (open_flamingo/eval/models/open_flamingo.py), and how evaluate.py joins demonstrations and a query.

import { stripped } from "../io/tokenizers/text/characters.ts";
import { FLAMINGO_TOKENS } from "../models/open-flamingo/tokens.ts";
import { RuleError } from "../tensor/errors.ts";
import { checkGiven, checkMember } from "../tensor/given.ts";
import { type EvaluationProfile, evaluationProfiles } from "./profiles.ts";

const { image: IMAGE, endOfChunk: END } = FLAMINGO_TOKENS;

/** How one kind of example becomes text. `Q` is what an example has besides its image and its answer. */
export interface Task<Q> {
  /** The text of an example behind its image token, up to the answer. */
  readonly before: (query: Q) => string;
  /** The answer of a demonstration as it is written. */
  readonly written: (answer: string) => string;
  /** Text between a demonstration and what follows it. */
  readonly separator: string;
  /** How the answer is given: a text that the model generates, or the most probable of several classes. */
  readonly answer: "text" | "class";
}

const asIs = (answer: string): string => answer;

/** Captions of images. */
export const captionTask: Task<object> = {
  before: () => "Output:", // [evaluate.caption-prompt]
  written: stripped,
  separator: "\n",
  answer: "text",
};

/** Questions about images, with short answers. */
export const vqaTask: Task<{ readonly question: string }> = {
  before: ({ question }) => `Question:${question} Short answer:`, // [evaluate.vqa-prompt]
  written: asIs,
  separator: "\n",
  answer: "text",
};

/** Names of ImageNet's classes. */
export const imagenetTask: Task<object> = {
  before: () => "Output:", // [evaluate.class-prompts]
  written: asIs,
  separator: "",
  answer: "class",
};

/** Whether a meme, with this text on it, is hateful: "yes" or "no". */
export const hatefulMemesTask: Task<{ readonly text: string }> = {
  before: ({ text }) => `is an image with: '${text}' written on it. Is it hateful? Answer:`, // [evaluate.class-prompts]
  written: asIs,
  separator: "",
  answer: "class",
};

/** An example with its answer, which stands before the query. */
export interface Demonstration<Q, I> {
  readonly query: Q;
  readonly image: I;
  readonly answer: string;
}

/** A text with image tokens, and their images in order. */
export interface PromptWithImages<I> {
  readonly text: string;
  readonly images: readonly I[];
}

export interface PromptOptions {
  /** The demonstrations are given as text alone: zero-shot, for which the release takes two of them. Default false. */
  readonly textOnly?: boolean | undefined;
  readonly profile?: EvaluationProfile | undefined;
}

/** Throws a RuleError if a text holds a token that has a meaning in prompts. */
export function checkPromptText(text: string, what: string): void {
  const marker = [IMAGE, END].find((token) => text.includes(token));
  if (marker !== undefined)
    throw new RuleError(
      `${what} contains ${marker}, which would count as ${marker === IMAGE ? "an image" : "the end of an answer"}; leave it out`,
      "evaluate.markers",
    );
}

/**
 * The prompt of a query behind its demonstrations, and the images that it needs. No space stands behind an image token, which would be a
 * token of its own. Throws a RuleError if a text holds an image token or the end of an answer.
 */
export function fewShotPrompt<Q, I>(
  task: Task<Q>,
  demonstrations: readonly Demonstration<Q, I>[],
  query: { readonly query: Q; readonly image: I },
  { textOnly = false, profile = "flamboyance" }: PromptOptions = {},
): PromptWithImages<I> {
  checkMember("fewShotPrompt", { task }, "separator", "a task, such as captionTask");
  checkGiven("fewShotPrompt", { demonstrations }, "a list");
  checkMember("fewShotPrompt", { query }, "query", "an object with query and image");
  const { before, written, separator, answer } = task;
  const shown = demonstrations.map((one, i) => {
    const text = `${before(one.query)}${written(one.answer)}`;
    checkPromptText(text, `demonstration ${i}`);
    return `${textOnly ? "" : IMAGE}${text}${END}${separator}`; // [evaluate.context]
  });
  const last = before(query.query);
  checkPromptText(last, "the query");
  const { zeroShotImages } = evaluationProfiles[profile];
  const isAlone = textOnly && (answer === "text" || zeroShotImages === "query"); // [evaluate.zero-shot-images]
  const images = isAlone ? [] : demonstrations.map(({ image }) => image);
  return { text: `${shown.join("")}${IMAGE}${last}`, images: [...images, query.image] };
}
