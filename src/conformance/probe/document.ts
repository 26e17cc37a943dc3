// The result of a probe as a JSON document with stable keys.
import type { Convention } from "../../masks/conventions/schema.ts";
import { leakStretches, mismatchStretches, rowEffect, type Stretch } from "./effects.ts";
import type { ProbeResult } from "./probe.ts";
import { verdictOf } from "./verdict.ts";
import { cachedSentence, letters, verdictSentence } from "./words.ts";

/** Rows by the index of their prompt; both ends are included. */
const mismatch = ({ prompt, from, to, measured, expected }: Stretch) => ({
  prompt,
  from,
  to,
  measured,
  expected,
});
const leak = ({ prompt, from, to, measured: { images, nan } }: Stretch) => ({
  prompt,
  from,
  to,
  images,
  nan,
});

/** The document of `probe --json`. [probe.json] */
export function probeDocument(result: ProbeResult, expect: Convention | null): object {
  const { exact, mistakes, nearest, mismatches, cached, withoutLocations, refused, call, measured } = result;
  const verdict = verdictOf(result, expect);
  return {
    status: verdict.status,
    sentence: verdictSentence(verdict),
    convention: exact[0]?.name ?? null,
    also: exact.slice(1).map(({ name }) => name),
    mistakes: mistakes.map(({ mistake: { id, number, title, seenIn }, convention }) => ({
      id,
      number,
      title,
      seenIn,
      beside: convention.name,
    })),
    comparedWith: nearest.name,
    mismatches: mismatchStretches(result).map(mismatch),
    mismatchingRows: mismatches.length,
    leaks: leakStretches(result).map(leak),
    cached: { ...cached, sentence: cachedSentence(cached) },
    withoutLocations,
    refused,
    output: measured.kind,
    prompts: call.prompts.map((kinds, p) => ({
      tokens: letters(kinds),
      rows: (measured.effects[p] ?? []).map((effect, l) => rowEffect(effect, measured.known[p]?.[l] ?? 0)),
    })),
  };
}
