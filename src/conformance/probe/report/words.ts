// The result of a probe in sentences. They are used in the terminal's text and as the document's `sentence`; no code parses them.
import type { Convention } from "../../../masks/conventions/schema.ts";
import { counted } from "../../../masks/sentences.ts";
import type { Refusal } from "../ask.ts";
import type { Difference } from "../batch/compare.ts";
import type { BatchFault, Dependence } from "../batch/independence.ts";
import { isUnnamed } from "../combinations.ts";
import type { WithoutLocations } from "../match.ts";
import type { Cached, Modes } from "../modes.ts";
import { lettersOf } from "../plan.ts";
import type { ConventionCandidate, ProbeResult } from "../probe.ts";
import type { ProbeVerdict } from "../verdict.ts";
import { combinationPhrase } from "./combination.ts";
import { isAverage, type RowEffect, type Stretch } from "./effects.ts";

export const letters = (kinds: readonly number[]): string => [...lettersOf(kinds)].join(" ");

const thread = ({ source }: Convention): string => (source?.thread ? `; see ${source.thread}` : "");

/** How rows depend on the batch, and the remedy where the adapter is the cause. [probe.batch-fault] */
const dependenceSentences = {
  random:
    "The output is random: the same call gives other numbers the second time. Switch dropout off (eval mode), and make the same weights in every run.",
  "first-images": "All rows see the images of the first prompt of the batch.",
  "other-images": "Rows see other prompts' images.",
  "images-disabled": "A prompt without images silences the batch: with it, no image changes any row.",
  "first-mask": "All rows have the mask of the first prompt of the batch.",
  place: "The rows depend on their place in the batch, or on the texts beside them.",
  "other-prompts":
    "The rows depend on the other prompts of the batch: on their number or their tokens, not on their images.",
} as const satisfies Record<Dependence, string>;

const batchSentence = ({ call, dependence }: BatchFault): string => {
  const sentence = dependenceSentences[dependence];
  if (call === "cached") return `In cached decoding: ${sentence}`;
  return call === "without-locations" ? `Without media_locations: ${sentence}` : sentence;
};

/** One comparison of batches. */
export function differenceSentence({ call, differing, compared }: Difference): string {
  if (call === null) return "Equal prompts with equal images have unequal rows in one batch.";
  const rows = `${differing} of ${counted(compared, "prompt")}`;
  return `In the call "${call}", ${rows} differ${differing === 1 ? "s" : ""} from the same in the first batch.`;
}

/** A sentence that ends with words of the adapter. */
const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

export const refusalSentence = ({ call, reason }: Refusal): string =>
  sentence(`The call "${call}" was not answered: ${reason}`);

/** A known mistake in the middle of a sentence. */
const mistakePhrase = ({ mistake: { number, title, seenIn } }: ConventionCandidate): string =>
  `number ${number}: ${title} (${seenIn})`;

export function verdictSentence({ finding }: ProbeVerdict): string {
  switch (finding.kind) {
    case "batch":
      return batchSentence(finding);
    case "expected": {
      const { convention, follows, instead } = finding;
      if (follows) return `It follows ${convention.name}.`;
      const other = instead ? `: ${thisIs(instead)}` : "";
      return `It does not follow ${convention.name}${other}.`;
    }
    case "convention":
      return `This is ${finding.convention.name}${thread(finding.convention)}.`;
    case "ambiguous": {
      const { convention, candidate } = finding;
      return `This is ${convention.name}, and also ${candidate.convention.name} with a known mistake, ${mistakePhrase(candidate)}. If ${convention.name} is intended, certify it with --expect "${convention.name}".`;
    }
    case "causal":
      return finding.convention
        ? `With media_locations this is ${finding.convention.name}; without them its cross-attention is causal.`
        : "Without media_locations its cross-attention is causal.";
    case "cached-steps":
      return `The mask of the whole text is ${finding.convention.name}${thread(finding.convention)}, but that of cached steps is not.`;
    case "mistake":
      return `This is ${finding.convention.name} with a known mistake, ${mistakePhrase(finding)}.`;
    case "combination":
      return isUnnamed(finding.convention)
        ? `No named convention has these rows, but a combination of known behaviours: ${combinationPhrase(finding.convention)}.`
        : `This is no released convention, but "${finding.convention.name}": ${combinationPhrase(finding.convention)}. If that is intended, certify it with --expect "${finding.convention.name}".`;
    case "unknown":
      return `These rows follow no known convention. The nearest is ${finding.nearest.name}: ${finding.mismatchingRows} rows differ.`;
    case "incomplete":
      return `The answers are those of ${finding.convention.name}, but not every call was answered, so that nothing is certified.`;
  }
}

/** The convention that is followed in place of the expected one. */
const thisIs = (convention: Convention): string =>
  isUnnamed(convention) ? combinationPhrase(convention) : `this is ${convention.name}${thread(convention)}`;

/** Mistakes with the same effects, each once, with the conventions that they were found in. */
export function mistakeSentences(mistakes: readonly ConventionCandidate[]): string[] {
  const first = new Map<string, ConventionCandidate>();
  for (const candidate of mistakes)
    if (!first.has(candidate.mistake.id)) first.set(candidate.mistake.id, candidate);
  return [...first].map(([id, { mistake }]) => {
    const names = mistakes.filter((one) => one.mistake.id === id).map((one) => one.convention.name);
    const { number, title, seenIn } = mistake;
    return `Compared with ${names.join(", ")}: number ${number}, ${id}: ${title} (${seenIn}).`;
  });
}

/** Of one row, or of several. */
function effectPhrase(effect: RowEffect, one: boolean): string {
  const s = one ? "s" : "";
  const { images, evenly, feedForward, nan } = effect;
  const seen = nan
    ? `become${s} NaN`
    : isAverage(effect)
      ? `average${s} all images`
      : images.length === 0
        ? `see${s} nothing`
        : `see${s} {${images.join(",")}}${evenly ? " as a plain average" : ""}`;
  if (feedForward === null) return seen;
  return `${seen}, and the feed-forward ${feedForward ? "runs" : one ? "skips it" : "skips them"}`;
}

/** One sentence for neighbouring rows with the same effect. [probe.words] */
export function stretchSentence(
  { prompt, from, to, measured, expected }: Stretch,
  { call, nearest }: ProbeResult,
): string {
  const one = from === to;
  const rows = one ? `row ${from}` : `rows ${from}–${to}`;
  const otherwise = expected
    ? `, where under ${nearest.name} ${one ? "it" : "they"} ${effectPhrase(expected, one)}`
    : "";
  return `In "${letters(call.prompts[prompt] ?? [])}", ${rows} ${effectPhrase(measured, one)}${otherwise}.`; // [probe.words]
}

/** The behaviour of each kind of cached step. */
const cachedStepPhrases = {
  none: "",
  rows: "are the rows of the whole text's mask",
  count: "see the prompt's last image, until a new token is an image",
  restart: "count images from 0 in each pass, and lose those that came before",
  "prompt-end": "count as the prompt's last tokens did",
  "mask-end": "have the last rows of the prompt's mask",
  "last-row": "have the last row of the prompt's mask",
  ahead: "lie beyond the prompt's mask, where its images end",
} as const;

/** [probe.cached] */
export function cachedSentence({ skipped, steps }: Cached): string {
  if (skipped !== null) return sentence(`Cached steps were not probed: ${skipped}`);
  if (steps.length === 0)
    return "Cached steps follow no known rule: they are not the rows of the whole text's mask.";
  return `Cached steps ${steps.map((step) => cachedStepPhrases[step]).join(", or ")}.`; // [probe.cached]
}

const withoutLocationsSentences: Readonly<Record<Exclude<WithoutLocations, "skipped">, string>> = {
  everything: "Without media_locations every token sees every image.",
  causal:
    "Without media_locations the attention is causal over keys: token l sees latents 0 to l of all images together.",
  nothing: "Without media_locations no token sees an image.",
  "something else": "Without media_locations some tokens see some images.",
  "not finite": "Without media_locations some rows hold numbers that are not finite.",
};

/** [probe.without-locations] */
export const withoutLocationsSentence = ({ withoutLocations, withoutLocationsSkipped }: Modes): string =>
  withoutLocations === "skipped"
    ? sentence(`Calls without media_locations were not probed: ${withoutLocationsSkipped}`)
    : withoutLocationsSentences[withoutLocations];
