// The result of a probe in sentences. They are used in the terminal's text and as the document's `sentence`; no code parses them.
import type { Convention } from "../../masks/conventions/schema.ts";
import { TOKEN } from "../../masks/counting/counted-text.ts";
import { isAverage, type RowEffect, type Stretch } from "./effects.ts";
import type { WithoutLocations } from "./match.ts";
import type { Cached, Candidate, ProbeResult } from "./probe.ts";
import type { ProbeVerdict } from "./verdict.ts";

export const letters = (kinds: readonly number[]): string =>
  kinds.map((kind) => (kind === TOKEN.image ? "I" : kind === TOKEN.end ? "e" : "t")).join(" ");

const thread = ({ source }: Convention): string => (source.thread ? `; see ${source.thread}` : "");

export function verdictSentence({ finding }: ProbeVerdict): string {
  switch (finding.kind) {
    case "expected": {
      const { convention, follows, instead } = finding;
      if (follows) return `It follows ${convention.name}.`;
      const other = instead ? `: this is ${instead.name}${thread(instead)}` : "";
      return `It does not follow ${convention.name}${other}.`;
    }
    case "convention":
      return `This is ${finding.convention.name}${thread(finding.convention)}.`;
    case "causal":
      return finding.convention
        ? `With media_locations this is ${finding.convention.name}; without them its cross-attention is causal.`
        : "Without media_locations its cross-attention is causal.";
    case "cached-steps":
      return `The mask of the whole text is ${finding.convention.name}${thread(finding.convention)}, but that of cached steps is not.`;
    case "mistake": {
      const { number, title, seenIn } = finding.mistake;
      return `This is ${finding.convention.name} with a known mistake, number ${number}: ${title} (${seenIn}).`;
    }
    case "unknown":
      return `These rows follow no known convention. The nearest is ${finding.nearest.name}: ${finding.mismatchingRows} rows differ.`;
  }
}

/** Mistakes with the same effects, each once, with the conventions that they were found in. */
export function mistakeSentences(mistakes: readonly Candidate[]): string[] {
  const first = new Map<string, Candidate>();
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
  if (skipped !== null) return `Cached steps were not probed: ${skipped}.`;
  if (steps.length === 0)
    return "Cached steps follow no known rule: they are not the rows of the whole text's mask.";
  return `Cached steps ${steps.map((step) => cachedStepPhrases[step]).join(", or ")}.`; // [probe.cached]
}

export const withoutLocationsSentence: Readonly<Record<WithoutLocations, string>> = {
  everything: "Without media_locations every token sees every image.",
  causal:
    "Without media_locations the attention is causal over keys: token l sees latents 0 to l of all images together.",
  nothing: "Without media_locations no token sees an image.",
  "something else": "Without media_locations some tokens see some images.",
  skipped: "It does not run without media_locations.",
};
