// The result of a probe as a JSON document with stable keys.
import type { Convention } from "../../../masks/conventions/schema.ts";
import { isUnnamed } from "../combinations.ts";
import type { ProbeResult } from "../probe.ts";
import { exitStatus, type ProbeVerdict, probeVerdict } from "../verdict.ts";
import { leakStretches, mismatchStretches, rowEffect, type Stretch } from "./effects.ts";
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

/** The finding behind the verdict, with names in place of conventions and mistakes. */
function findingOf({ finding }: ProbeVerdict): object {
  const { kind } = finding;
  if (kind === "batch") {
    const { call, dependence, differences } = finding;
    return { kind, call, dependence, differences };
  }
  if (kind === "combination") {
    const { compare, numbering, neighbours, endTokens, emptyRow, zeroBeforeFirstImage, emptyRowFeedForward } =
      finding.convention;
    return {
      kind,
      convention: isUnnamed(finding.convention) ? null : finding.convention.name,
      fields: {
        compare,
        numbering,
        neighbours,
        endTokens,
        emptyRow,
        zeroBeforeFirstImage,
        emptyRowFeedForward,
      },
    };
  }
  if (kind === "unknown") return { kind, nearest: finding.nearest.name };
  if (kind === "ambiguous")
    return { kind, convention: finding.convention.name, mistake: finding.candidate.mistake.id };
  if (kind === "mistake") return { kind, convention: finding.convention.name, mistake: finding.mistake.id };
  return { kind, convention: finding.convention?.name ?? null };
}

/** The document of `probe --json`. [probe.json] */
export function probeDocument(result: ProbeResult, expect: Convention | null): object {
  const { exact, mistakes, nearest, mismatches, cached, refused, call, measured } = result;
  const { withoutLocations, withoutLocationsSkipped } = result;
  const verdict = probeVerdict(result, expect);
  return {
    status: verdict.status,
    exitStatus: exitStatus(verdict),
    finding: findingOf(verdict),
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
    withoutLocationsSkipped,
    refused: refused.map(({ call, reason }) => ({ call, reason })),
    output: measured.kind,
    prompts: call.prompts.map((kinds, p) => ({
      tokens: letters(kinds),
      rows: (measured.effects[p] ?? []).map((effect, l) => rowEffect(effect, measured.known[p]?.[l] ?? 0)),
    })),
  };
}
