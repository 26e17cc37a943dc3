// Texts about digits: captions, and questions with answers, in the forms of open-flamingo's evaluation.
import { captionTask, vqaTask } from "../../evaluation/prompts.ts";
import type { Tokenizer } from "../../io/tokenizers/tokenizer.ts";
import { FLAMINGO_TOKENS } from "../../models/open-flamingo/tokens.ts";
import { IGNORED } from "../../nn/cross-entropy.ts";
import { type Generator, generator } from "../../tensor/random.ts";
import { Int } from "../../tensor/tensor.ts";
import { NUMBERS } from "../digits/captions.ts";
import { pick } from "../digits/data.ts";

const { image: IMAGE, endOfChunk: END } = FLAMINGO_TOKENS;
/** A number replaces each `#`. */
export const CAPTIONS = ["This is a handwritten #.", "A handwritten #.", "The digit is #."] as const;

const question = (words: string): string => vqaTask.before({ question: words });
/** Prompts, which end where the model continues them. */
const PROMPTS = {
  caption: `${IMAGE}${captionTask.before({})}`,
  question: `${IMAGE}${question("Which digit is this?")}`,
  /** Two pictures, then a question: under OpenFlamingo's mask the text sees the second picture alone. */
  second: `${IMAGE}${IMAGE}${question("Which digit does the second picture show?")}`,
  /** The same place in the text, so that no mask of the release lets it see the first picture. Training has no such question. */
  first: `${IMAGE}${IMAGE}${question("Which digit does the first picture show?")}`,
} as const;

/** Between the texts of two images, as the evaluation joins its examples. */
const BETWEEN = `${END}${captionTask.separator}`;

const numberOf = (digit: number): string => NUMBERS[digit] ?? "?";
const encode = (tokenizer: Tokenizer, text: string): number[] => [
  ...tokenizer.encode(text, { special: false }),
];

/** The ids of a prompt: those of a text that came before, if there is one, and those of one of PROMPTS. */
export const promptIds = (
  tokenizer: Tokenizer,
  prompt: keyof typeof PROMPTS,
  before: readonly number[] = [],
): number[] => [
  ...before,
  ...(before.length > 0
    ? encode(tokenizer, before.at(-1) === idOf(tokenizer, END) ? captionTask.separator : BETWEEN)
    : []),
  ...encode(tokenizer, PROMPTS[prompt]),
];

const idOf = (tokenizer: Tokenizer, token: string): number => tokenizer.tokenToId(token) ?? -1;

/** A text about two pictures of the digits `digits`. */
export interface PairText {
  readonly ids: readonly number[];
  readonly digits: readonly [number, number];
}

function answered(prompt: "caption" | "question", digit: number, random: Generator): string {
  const answer =
    prompt === "caption" ? pick(CAPTIONS, random).replace("#", numberOf(digit)) : numberOf(digit);
  return `${PROMPTS[prompt]}${answer}`;
}

/** Shares of texts that ask about the second of two pictures at their end, and of captions among the others' parts. */
const [ASKS_SECOND, IS_CAPTION] = [1 / 6, 3 / 5];

function pairText(tokenizer: Tokenizer, random: Generator): PairText {
  const digit = (): number => Math.floor(random.uniform() * NUMBERS.length);
  const digits = [digit(), digit()] as const;
  const part = (one: number): string =>
    answered(random.uniform() < IS_CAPTION ? "caption" : "question", one, random);
  const text =
    random.uniform() < ASKS_SECOND
      ? `${PROMPTS.second}${numberOf(digits[1])}`
      : `${part(digits[0])}${BETWEEN}${part(digits[1])}`;
  return { ids: encode(tokenizer, `${text}${END}`), digits };
}

/** Texts for training, in the order of their lengths. [smollm2Digits.texts] */
export function pairTexts(tokenizer: Tokenizer, count: number, seed: number): PairText[] {
  const random = generator(seed, "texts");
  const texts = Array.from({ length: count }, () => pairText(tokenizer, random));
  return texts.sort((a, b) => a.ids.length - b.ids.length);
}

/** Labels of the answers alone: in the text of each image, what follows its last colon, and the end of the chunk. [smollm2Digits.labels] */
export function answerLabels(tokenizer: Tokenizer): (ids: Int<"b l">) => Int<"b l"> {
  const [colon, end] = [encode(tokenizer, PROMPTS.caption).at(-1), idOf(tokenizer, END)];
  return (ids) => {
    const [, l = 0] = ids.shape;
    const given = ids.flat();
    const labels = new Int32Array(given.length).fill(IGNORED);
    let inAnswer = false;
    for (let at = given.length - 1; at >= 0; at--) {
      if (at % l === l - 1) inAnswer = false;
      const id = given[at] ?? IGNORED;
      if (id === end) inAnswer = true;
      if (id === colon) inAnswer = false;
      if (inAnswer) labels[at] = id;
    }
    return new Int(ids.shape, labels);
  };
}

/** The digit that a text names, or null where it names none or several. [smollm2Digits.accuracy] */
export function digitIn(text: string): number | null {
  const words = new Set(text.toLowerCase().match(/[a-z]+/g) ?? []);
  const named = [...NUMBERS.keys()].filter((digit) => words.has(numberOf(digit)));
  return named.length === 1 ? (named[0] ?? null) : null;
}
