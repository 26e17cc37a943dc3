// Exact match and F1 of answers in a text: Rajpurkar et al., arXiv 1606.05250, §6, and the official evaluation of SQuAD, as transformers 4.57.6 has
// it (data/metrics/squad_metrics.py).
import { checkGiven } from "../../tensor/given.ts";
import { wordsOf } from "./words.ts";

/** string.punctuation of Python: the punctuation and symbols of ASCII. */
const PUNCTUATION = /[!-/:-@[-`{-~]/g;
/** An article between characters that are no part of a word; a word is made of letters, numbers and underscores. */
const ARTICLES = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu;

/** The words that are compared: in lower case, without punctuation and articles. */
const tokensOf = (text: string): string[] =>
  wordsOf(text.toLowerCase().replace(PUNCTUATION, "").replace(ARTICLES, " ")); // [score.span-words]

/** 1 if an answer has the words of the right one in their order, else 0. */
export function exactMatch(answer: string, right: string): number {
  checkGiven("exactMatch", { answer, right }, "a text");
  return tokensOf(answer).join(" ") === tokensOf(right).join(" ") ? 1 : 0; // [score.exact-match]
}

/** The harmonic mean of precision and recall of the words of an answer, without regard to their order. Two answers without words agree. */
export function f1(answer: string, right: string): number {
  checkGiven("f1", { answer, right }, "a text");
  const [given, wanted] = [tokensOf(answer), tokensOf(right)];
  if (given.length + wanted.length === 0) return 1; // [score.f1-empty]
  const left = new Map<string, number>();
  for (const word of wanted) left.set(word, (left.get(word) ?? 0) + 1);
  let same = 0;
  for (const word of given) {
    const n = left.get(word) ?? 0;
    if (n === 0) continue;
    same++;
    left.set(word, n - 1);
  }
  if (same === 0) return 0;
  const [precision, recall] = [same / given.length, same / wanted.length];
  return (2 * precision * recall) / (precision + recall); // [score.f1]
}

/**
 * The best score of an answer over several right ones, as in `bestOf(f1, "the cat", ["a cat", "a dog"])`; right answers without words count
 * only if there is no other.
 */
export function bestOf(score: typeof f1, answer: string, right: readonly string[]): number {
  checkGiven("bestOf", { score }, "a function");
  checkGiven("bestOf", { answer }, "a text");
  checkGiven("bestOf", { right }, "a list");
  const withWords = right.filter((one) => tokensOf(one).length > 0); // [score.best-answer]
  const compared = withWords.length > 0 ? withWords : [""];
  return compared.reduce((best, one) => Math.max(best, score(answer, one)), 0);
}
