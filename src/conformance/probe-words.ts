// What a probe found, in words and as a document.
import type { Convention } from "../masks/convention.ts";
import { EFFECT } from "../masks/effect.ts";
import { TOKEN } from "../masks/numbering.ts";
import type { Cached, ProbeResult, WithoutLocations } from "./probe.ts";
import { IMAGES } from "./probe-plan.ts";

export const letters = (kinds: readonly number[]): string =>
  kinds.map((kind) => (kind === TOKEN.image ? "I" : kind === TOKEN.end ? "e" : "t")).join(" ");

const ALL = 2 ** IMAGES - 1;
const imagesIn = (effect: number): number[] =>
  Array.from({ length: IMAGES }, (_, m) => m + 1).filter((m) => effect & (1 << (m - 1)));

/** A row that averages all images, whatever its text. */
export const isAverage = (effect: number): boolean =>
  (effect & ALL) === ALL && !(effect & (EFFECT.weighs | EFFECT.nan));

/** In a cell: {1,2}, - for nothing, LEAK for the average of all images; = where not even the feed-forward ran. */
export function brief(effect: number, known: number): string {
  if (effect & EFFECT.nan) return "NaN";
  if (isAverage(effect)) return "LEAK";
  const images = imagesIn(effect);
  if (images.length > 0) return `{${images.join(",")}}`;
  return known & ~effect & EFFECT.feedForward ? "=" : "-";
}

/** What the feed-forward does is said only where that is the difference. */
function inWords(effect: number, other: number, known: number): string {
  const images = imagesIn(effect);
  const seen =
    effect & EFFECT.nan
      ? "become NaN"
      : isAverage(effect)
        ? "average all images"
        : images.length === 0
          ? "see nothing"
          : `see {${images.join(",")}}${effect & EFFECT.weighs ? "" : " as a plain average"}`;
  if (!((effect ^ other) & known & EFFECT.feedForward)) return seen;
  return `${seen}, and the feed-forward ${effect & EFFECT.feedForward ? "runs" : "skips them"}`;
}

const rows = (from: number, to: number): string => (from === to ? `row ${from}` : `rows ${from}–${to}`);

/** One sentence for each stretch of neighbouring rows that depart alike. [probe.words] */
export function departuresInWords({ call, measured, departures, nearest }: ProbeResult): string[] {
  const stretches: { prompt: number; from: number; to: number; told: string }[] = [];
  for (const { prompt, position, measured: found, expected } of departures) {
    const known = measured.known[prompt]?.[position] ?? 0;
    const told = `${inWords(found, expected, known)}, where under ${nearest.name} they ${inWords(expected, found, known)}`; // [probe.words]
    const last = stretches.at(-1);
    if (last?.prompt === prompt && last.told === told && last.to === position - 1) last.to = position;
    else stretches.push({ prompt, from: position, to: position, told });
  }
  return stretches.map(
    ({ prompt, from, to, told }) => `In "${letters(call.prompts[prompt] ?? [])}", ${rows(from, to)} ${told}.`,
  );
}

/** Rows that average all images, or are no number: wrong whoever does it. [probe.words] */
export function leaksInWords({ call, measured }: ProbeResult): string[] {
  return call.prompts.flatMap((kinds, p) => {
    const runs: { from: number; to: number; told: string }[] = [];
    measured.effects[p]?.forEach((effect, l) => {
      const told = isAverage(effect) ? "average all images" : effect & EFFECT.nan ? "become NaN" : null; // [probe.words]
      if (told === null) return;
      const last = runs.at(-1);
      if (last?.to === l - 1 && last.told === told) last.to = l;
      else runs.push({ from: l, to: l, told });
    });
    return runs.map(({ from, to, told }) => `In "${letters(kinds)}", ${rows(from, to)} ${told}.`);
  });
}

/** The convention's own rows, of a way to make cached steps. */
const nameOfWay = {
  none: "",
  rows: "are the rows of the whole text's mask",
  count: "see the prompt's last image, until a new token is an image",
  restart:
    "count images anew at each pass: what was seen before is forgotten (number 10 of the known mistakes)",
  "prompt-end": "count as the prompt's last tokens did",
  "mask-end": "are given the last rows of the prompt's mask",
  "last-row": "are given the last row of the prompt's mask",
  ahead: "lie beyond the prompt's mask, where its images end",
} as const;

/** [probe.cached] */
export function cachedInWords({ skipped, steps }: Cached): string {
  if (skipped !== null) return `Cached steps were not probed: ${skipped}.`;
  if (steps.length === 0)
    return "Cached steps follow no known way: they are not the rows of the whole text's mask.";
  return `Cached steps ${steps.map((step) => nameOfWay[step]).join(", or ")}.`; // [probe.cached]
}

const withoutWords: Readonly<Record<WithoutLocations, string>> = {
  everything: "Without media_locations every token sees every image.",
  causal:
    "Without media_locations the attention is causal over keys: token l sees latents 0 to l, whatever image they are of (number 13 of the known mistakes; transformers #48172).",
  nothing: "Without media_locations no token sees an image.",
  "something else": "Without media_locations some tokens see some images: read the rows.",
  skipped: "It does not run without media_locations.",
};

export const withoutInWords = (found: WithoutLocations): string => withoutWords[found];

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
  const { exact, mistakes, nearest, departures, withoutLocations } = result;
  const [first] = exact;
  if (expect) {
    const follows = departures.length === 0 && !cachedFails(result) && withoutLocations !== "causal";
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
  if (wrong?.mistake) {
    const { number, title, seenIn } = wrong.mistake;
    return {
      status: "mistaken",
      sentence: `This is ${wrong.convention.name} with a known mistake, number ${number}: ${title} (${seenIn}).`,
    }; // [probe.names]
  }
  return {
    status: "unknown",
    sentence: `No known convention moves these rows. Nearest is ${nearest.name}: ${departures.length} rows depart.`,
  }; // [probe.names]
}

/** Mistakes that look alike from outside, each once, with the conventions from which they depart. */
export function mistakesInWords({ mistakes }: ProbeResult): string[] {
  const byId = new Map<string, string[]>();
  const told = new Map<string, string>();
  for (const { mistake, convention } of mistakes) {
    if (!mistake) continue;
    byId.set(mistake.id, [...(byId.get(mistake.id) ?? []), convention.name]);
    told.set(mistake.id, `number ${mistake.number}, ${mistake.id}: ${mistake.title} (${mistake.seenIn})`);
  }
  return [...byId].map(([id, names]) => `Beside ${names.join(", ")}: ${told.get(id)}.`);
}

/** [probe.json] */
export function probeDocument(result: ProbeResult, expect: Convention | null): object {
  const { exact, mistakes, nearest, departures, cached, withoutLocations, refused, call, measured } = result;
  const { status, sentence } = verdictOf(result, expect);
  return {
    status,
    sentence,
    convention: exact[0]?.name ?? null,
    also: exact.slice(1).map(({ name }) => name),
    mistakes: mistakes.map(({ mistake, convention }) => ({ ...mistake, beside: convention.name })),
    comparedWith: nearest.name,
    departures: departuresInWords(result),
    departingRows: departures.length,
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
