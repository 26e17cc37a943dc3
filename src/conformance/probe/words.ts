// What a probe found, in words.
import { EFFECT } from "../../masks/exhaustive/effect.ts";
import { TOKEN } from "../../masks/numbering.ts";
import type { WithoutLocations } from "./match.ts";
import { IMAGES } from "./plan.ts";
import type { Cached, ProbeResult } from "./probe.ts";

export const letters = (kinds: readonly number[]): string =>
  kinds.map((kind) => (kind === TOKEN.image ? "I" : kind === TOKEN.end ? "e" : "t")).join(" ");

export const ALL = 2 ** IMAGES - 1;
export const imagesIn = (effect: number): number[] =>
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

/** Of one row, or of several. What the feed-forward does is said only where that is the difference. */
function inWords(effect: number, other: number, known: number, one: boolean): string {
  const s = one ? "s" : "";
  const images = imagesIn(effect);
  const seen =
    effect & EFFECT.nan
      ? `become${s} NaN`
      : isAverage(effect)
        ? `average${s} all images`
        : images.length === 0
          ? `see${s} nothing`
          : `see${s} {${images.join(",")}}${effect & EFFECT.weighs ? "" : " as a plain average"}`;
  if (!((effect ^ other) & known & EFFECT.feedForward)) return seen;
  return `${seen}, and the feed-forward ${effect & EFFECT.feedForward ? "runs" : one ? "skips it" : "skips them"}`;
}

interface Told {
  readonly prompt: number;
  readonly position: number;
  /** What is said of one row, or of several. */
  readonly said: (one: boolean) => string;
}

/** One sentence for each stretch of neighbouring rows of which the same is to be said. */
function inStretches(told: readonly Told[], { call }: ProbeResult): string[] {
  const stretches: (Told & { to: number })[] = [];
  for (const next of told) {
    const last = stretches.at(-1);
    const joins =
      last?.prompt === next.prompt && last.to === next.position - 1 && last.said(true) === next.said(true);
    if (joins) last.to = next.position;
    else stretches.push({ ...next, to: next.position });
  }
  return stretches.map(({ prompt, position, to, said }) => {
    const one = position === to;
    const where = one ? `row ${position}` : `rows ${position}–${to}`;
    return `In "${letters(call.prompts[prompt] ?? [])}", ${where} ${said(one)}.`;
  });
}

/** Where the rows are not those of the convention they are compared with. [probe.words] */
export function mismatchesInWords(result: ProbeResult): string[] {
  const { measured, mismatches, nearest } = result;
  const told = mismatches.map(({ prompt, position, measured: found, expected }): Told => {
    const known = measured.known[prompt]?.[position] ?? 0;
    const said = (one: boolean) => {
      const should = `${one ? "it" : "they"} ${inWords(expected, found, known, one)}`;
      return `${inWords(found, expected, known, one)}, where under ${nearest.name} ${should}`; // [probe.words]
    };
    return { prompt, position, said };
  });
  return inStretches(told, result);
}

/** Rows that average all images, or are no number: wrong whoever does it. [probe.words] */
export function leaksInWords(result: ProbeResult): string[] {
  const told = result.measured.effects.flatMap((effects, prompt) =>
    effects.flatMap((effect, position): Told[] => {
      const wrong = isAverage(effect) || (effect & EFFECT.nan) !== 0; // [probe.words]
      return wrong ? [{ prompt, position, said: (one) => inWords(effect, effect, 0, one) }] : [];
    }),
  );
  return inStretches(told, result);
}

/** The convention's own rows, of a way to make cached steps. */
const nameOfWay = {
  none: "",
  rows: "are the rows of the whole text's mask",
  count: "see the prompt's last image, until a new token is an image",
  restart: "count images anew at each pass, and forget those that came before",
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
    "Without media_locations the attention is causal over keys: token l sees latents 0 to l, whatever image they are of.",
  nothing: "Without media_locations no token sees an image.",
  "something else": "Without media_locations some tokens see some images: read the rows.",
  skipped: "It does not run without media_locations.",
};

export const withoutInWords = (found: WithoutLocations): string => withoutWords[found];
