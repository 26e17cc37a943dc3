// VQA accuracy: Antol et al., arXiv 1505.00468, §3, and the official evaluation, GT-Vision-Lab/VQA, PythonEvaluationTools/vqaEvaluation/vqaEval.py.

import { stripped } from "../../io/tokenizers/text/characters.ts";
import { type Check, checked, oneOf, optional } from "../../nn/options.ts";
import { RuleError } from "../../tensor/errors.ts";
import { checkGiven } from "../../tensor/given.ts";
import { contractions } from "./contractions.ts";
import { wordsOf } from "./words.ts";

const NUMBERS = "zero one two three four five six seven eight nine ten".split(" ");
const DIGITS: ReadonlyMap<string, string> = new Map([
  ["none", "0"],
  ...NUMBERS.map((word, i): [string, string] => [word, String(i)]),
]);
const ARTICLES: ReadonlySet<string> = new Set(["a", "an", "the"]);
const PUNCTUATION = [...';/[]"{}()=+\\_-><@`,?!'];
/** A number with a comma, such as 1,000. */
const COMMA = /\p{Nd},\p{Nd}/u;
/** A period that no digit follows. */
const PERIOD = /\.(?!\p{Nd})/gu;
/** The official code passes re.UNICODE, which is 32, where re.sub takes the largest number of replacements. */
const MOST_PERIODS = 32;

function withoutPunctuation(text: string): string {
  const hasComma = COMMA.test(text);
  let out = text;
  for (const mark of PUNCTUATION) {
    const isApart = text.includes(`${mark} `) || text.includes(` ${mark}`);
    out = out.replaceAll(mark, hasComma || isApart ? "" : " "); // [score.vqa-punctuation]
  }
  let periods = 0;
  return out.replace(PERIOD, (period) => (periods++ < MOST_PERIODS ? "" : period)); // [score.vqa-periods]
}

/** An answer as it is compared: without punctuation and articles, in lower case, with numbers from zero to ten as digits. */
export function normalizedAnswer(answer: string): string {
  checkGiven("normalizedAnswer", { answer }, "a text");
  const words = wordsOf(withoutPunctuation(answer).toLowerCase())
    .map((word) => DIGITS.get(word) ?? word) // [score.vqa-numbers]
    .filter((word) => !ARTICLES.has(word)) // [score.vqa-articles]
    .map((word) => contractions.get(word) ?? word); // [score.vqa-contractions]
  return words.join(" ");
}

const onOneLine = (answer: string): string => stripped(answer.replace(/[\n\t]/g, " "));

/** Which answers are normalized. */
export interface VqaAccuracyOptions {
  /**
   * Which answers are normalized: all of them ("always"), as in open_flamingo/eval/vqa_metric.py of open-flamingo 2.0.1; or those of questions
   * on which annotators differ ("where-annotators-differ"), as in the official code. Default "always".
   */
  readonly normalize?: "always" | "where-annotators-differ" | undefined;
}
const checks: { readonly [K in keyof VqaAccuracyOptions]-?: Check } = {
  normalize: optional(oneOf(["always", "where-annotators-differ"])),
};

/**
 * The accuracy of an answer, from 0 to 1, given those of the annotators, usually ten: the mean, over all annotators, of min(1, n/3), where n of the
 * others gave this answer. [score.vqa-accuracy] Throws a RuleError without annotators.
 */
export function vqaAccuracy(
  answer: string,
  annotators: readonly string[],
  options: VqaAccuracyOptions = {},
): number {
  checkGiven("vqaAccuracy", { answer }, "a text");
  checkGiven("vqaAccuracy", { annotators }, "a list");
  const { normalize = "always" } = checked("vqaAccuracy", options, checks);
  if (annotators.length === 0)
    throw new RuleError("a question needs at least one annotator's answer", "score.vqa-accuracy");
  const given = annotators.map(onOneLine);
  const isNormalized = normalize === "always" || new Set(given).size > 1; // [score.vqa-agreement]
  const compared = isNormalized ? normalizedAnswer : (text: string): string => text;
  const asked = compared(onOneLine(answer));
  const matches = given.map((one) => Number(compared(one) === asked));
  const all = matches.reduce((sum, one) => sum + one, 0);
  const total = matches.reduce((sum, own) => sum + Math.min(1, (all - own) / 3), 0); // [score.vqa-accuracy]
  return total / matches.length;
}
