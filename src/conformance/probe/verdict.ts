// What a probe comes to: a verdict, and a document with stable keys.
import type { Convention } from "../../masks/conventions/conventions.ts";
import { EFFECT } from "../../masks/exhaustive/effect.ts";
import type { ProbeResult } from "./probe.ts";
import { ALL, cachedInWords, imagesIn, leaksInWords, letters, mismatchesInWords } from "./words.ts";

export interface Verdict {
  /** followed: a named convention on every row; mistaken: a known mistake; unknown: neither. */
  readonly status: "followed" | "mistaken" | "unknown";
  /** One sentence. */
  readonly sentence: string;
}

const thread = ({ source }: Convention): string => (source.thread ? `; see ${source.thread}` : "");

const cachedFails = ({ cached, nearest }: ProbeResult): boolean =>
  cached.skipped === null &&
  !cached.steps.includes(nearest.cachedStep === "none" ? "rows" : nearest.cachedStep);

/** [probe.names] */
export function verdictOf(result: ProbeResult, expect: Convention | null): Verdict {
  const { exact, mistakes, nearest, mismatches, withoutLocations } = result;
  const [first] = exact;
  if (expect) {
    const follows = mismatches.length === 0 && !cachedFails(result) && withoutLocations !== "causal";
    const sentence = follows
      ? `It follows ${expect.name}.`
      : `It does not follow ${expect.name}${first ? `: this is ${first.name}${thread(first)}` : ""}.`;
    return { status: follows ? "followed" : "mistaken", sentence };
  }
  if (withoutLocations === "causal") {
    return {
      status: "mistaken",
      sentence: `${first ? `With media_locations this is ${first.name}; without them its` : "Its"} cross-attention is causal.`,
    };
  }
  if (first && cachedFails({ ...result, nearest: first })) {
    return {
      status: "mistaken",
      sentence: `The whole text's mask is ${first.name}${thread(first)}, but cached steps are not.`,
    };
  }
  if (first) return { status: "followed", sentence: `This is ${first.name}${thread(first)}.` }; // [probe.names]
  const [wrong] = mistakes;
  if (wrong) {
    const { number, title, seenIn } = wrong.mistake;
    return {
      status: "mistaken",
      sentence: `This is ${wrong.convention.name} with a known mistake, number ${number}: ${title} (${seenIn}).`,
    }; // [probe.names]
  }
  return {
    status: "unknown",
    sentence: `No known convention moves these rows. Nearest is ${nearest.name}: ${mismatches.length} rows depart.`,
  }; // [probe.names]
}

/** Mistakes that look alike from outside, each once, with the conventions from which they depart. */
export function mistakesInWords({ mistakes }: ProbeResult): string[] {
  const byId = new Map<string, string[]>();
  const told = new Map<string, string>();
  for (const { mistake, convention } of mistakes) {
    byId.set(mistake.id, [...(byId.get(mistake.id) ?? []), convention.name]);
    told.set(mistake.id, `number ${mistake.number}, ${mistake.id}: ${mistake.title} (${mistake.seenIn})`);
  }
  return [...byId].map(([id, names]) => `Beside ${names.join(", ")}: ${told.get(id)}.`);
}

/** [probe.json] */
export function probeDocument(result: ProbeResult, expect: Convention | null): object {
  const { exact, mistakes, nearest, mismatches, cached, withoutLocations, refused, call, measured } = result;
  const { status, sentence } = verdictOf(result, expect);
  return {
    status,
    sentence,
    convention: exact[0]?.name ?? null,
    also: exact.slice(1).map(({ name }) => name),
    mistakes: mistakes.map(({ mistake, convention }) => ({ ...mistake, beside: convention.name })),
    comparedWith: nearest.name,
    departures: mismatchesInWords(result),
    departingRows: mismatches.length,
    leaks: leaksInWords(result),
    cached: { ...cached, sentence: cachedInWords(cached) },
    withoutLocations,
    refused,
    output: measured.kind,
    prompts: call.prompts.map((kinds, p) => ({
      tokens: letters(kinds),
      rows: (measured.effects[p] ?? []).map((effect, l) => ({
        images: imagesIn(effect),
        evenly: (effect & ALL) !== 0 && !(effect & EFFECT.weighs),
        feedForward:
          (measured.known[p]?.[l] ?? 0) & EFFECT.feedForward ? (effect & EFFECT.feedForward) !== 0 : null,
        nan: (effect & EFFECT.nan) !== 0,
      })),
    })),
  };
}
