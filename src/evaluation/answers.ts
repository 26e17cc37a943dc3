// Answers in generated text, as evaluate.py of open-flamingo 2.0.1 takes them: coco_metric.py and vqa_metric.py.
import { checkGiven } from "../tensor/given.ts";

/** The text before the first match. */
function before(text: string, pattern: RegExp): string {
  const at = text.search(pattern);
  return at < 0 ? text : text.slice(0, at);
}

/** A caption: the text before the next "Output", without quotation marks. */
export function captionAnswer(text: string): string {
  checkGiven("captionAnswer", { text }, "a text");
  return before(text, /Output/).replaceAll('"', ""); // [evaluate.caption-answer]
}

/** A short answer: the text before the first "Question", "Answer" or "Short", and before the first comma with a space behind it. */
export function vqaAnswer(text: string): string {
  checkGiven("vqaAnswer", { text }, "a text");
  return before(before(text, /Question|Answer|Short/), /, /); // [evaluate.vqa-answer]
}

/** The settings with which the release generates captions and short answers; `maxTokens` of short answers is 10 for TextVQA. */
export const ANSWER_SETTINGS = {
  caption: { maxTokens: 20, minTokens: 0, beams: 3, lengthPenalty: 0 },
  vqa: { maxTokens: 5, minTokens: 0, beams: 3, lengthPenalty: 0 },
} as const; // [evaluate.generation]

/** The text before the first of several strings. */
export function textBefore(text: string, ends: readonly string[]): string {
  const places = ends.map((end) => text.indexOf(end)).filter((at) => at >= 0);
  return places.length === 0 ? text : text.slice(0, Math.min(...places));
}
