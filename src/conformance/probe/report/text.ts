// The result of a probe as a page of text for a terminal.
import type { Convention } from "../../../masks/conventions/schema.ts";
import { checkMember } from "../../../tensor/given.ts";
import { type Paint, painter, type Style } from "../../../terminal/colour.ts";
import { words, wrap } from "../../../terminal/prose.ts";
import { type Column, type Piece, table } from "../../../terminal/table.ts";
import { effectsOfConvention } from "../mistakes.ts";
import { IMAGES } from "../plan.ts";
import type { ProbeResult } from "../probe.ts";
import { probeVerdict } from "../verdict.ts";
import { isAverage, leakStretches, mismatchStretches, type RowEffect, rowEffect } from "./effects.ts";
import {
  cachedSentence,
  differenceSentence,
  letters,
  mistakeSentences,
  refusalSentence,
  stretchSentence,
  verdictSentence,
  withoutLocationsSentence,
} from "./words.ts";

export interface ProbeTextOptions {
  readonly colour?: boolean;
  readonly width?: number;
}

const MOST_SENTENCES = 12;
const LEGEND = `t text, I an image's token, e an end token; each prompt has ${IMAGES} images. {1}: changed by image 1; -: by none; =: by none, and no feed-forward either; LEAK: the plain average of all.`;

/** The verdict, the measured rows, and one section each for mismatches, leaks, mistakes and decoding. [probe.text] */
export function probeText(
  result: ProbeResult,
  expect: Convention | null,
  { colour = false, width = 80 }: ProbeTextOptions = {},
): string {
  checkMember("probeText", { result }, "refused", "a result, as findConvention returns it");
  const paint = painter(colour);
  const item = (text: string): string =>
    wrap(words(text), width - 4, paint)
      .map((line, i) => " ".repeat(i === 0 ? 2 : 4) + line)
      .join("\n");
  const section = (title: string, sentences: readonly string[]): string[] => {
    const shown = sentences.slice(0, MOST_SENTENCES).map(item);
    const left = sentences.length - shown.length;
    const more = left > 0 ? [`  and ${left} more`] : [];
    return sentences.length === 0 ? [] : [[paint(title, "strong"), ...shown, ...more].join("\n")];
  };
  const verdict = probeVerdict(result, expect);
  const style: Style = verdict.status === "followed" ? "strong" : "bad";
  const headline = wrap(words(verdictSentence(verdict), style), width, paint);
  const top = [...headline, ...notes(result, expect).map(item)].join("\n");
  const batches = [
    ...section("Comparisons of batches", (result.batch?.differences ?? []).map(differenceSentence)),
    ...section("Calls without an answer", result.refused.map(refusalSentence)),
  ];
  if (result.batch?.call === result.call.name) return [top, ...batches].join("\n\n"); // its rows have no mask of their own
  const mismatches = mismatchStretches(result);
  const leaks = mismatches.length > 0 ? [] : leakStretches(result); // mismatches include them
  const inSentences = (stretches: typeof mismatches) => stretches.map((one) => stretchSentence(one, result));
  return [
    top,
    ...batches,
    [paint("Images that change each row", "strong"), item(LEGEND), "", ...grid(result, paint)].join("\n"),
    ...section("Mismatches", inSentences(mismatches)),
    ...section("Leaks", inSentences(leaks)),
    ...section("Known mistakes with these effects", mistakeSentences(result.mistakes)),
    ...section("Decoding, and calls without locations", [
      cachedSentence(result.cached),
      withoutLocationsSentence(result),
    ]),
  ].join("\n\n");
}

/** The lines after the verdict: the convention's note, and others with the same rows. */
function notes({ exact }: ProbeResult, expect: Convention | null): string[] {
  const [first, ...others] = expect ? [] : exact;
  const names = others.map(({ name }) => name).join(", ");
  return [
    ...(first?.note ? [first.note] : []),
    ...(names === "" ? [] : [`The same on every row: ${names}.`]),
  ];
}

/** A cell: {1,2}; - for none; LEAK for the average of all images; = where the feed-forward does not run either. */
function cellText(effect: RowEffect): string {
  if (effect.nan) return "NaN";
  if (isAverage(effect)) return "LEAK";
  if (effect.images.length > 0) return `{${effect.images.join(",")}}`;
  return effect.feedForward === false ? "=" : "-";
}

interface Line {
  readonly name: string;
  readonly cells: readonly Piece[];
}

/** The lines of one prompt: tokens, measured rows, and the convention's rows where these differ. */
function promptLines({ call, measured, nearest, mismatches }: ProbeResult, p: number): Line[] {
  const expected = effectsOfConvention(nearest, call.prompts, IMAGES)[p] ?? [];
  const differs = new Set(mismatches.filter(({ prompt }) => prompt === p).map(({ position }) => position));
  const effectAt = (effect: number, l: number) => rowEffect(effect, measured.known[p]?.[l] ?? 0);
  const actual = (measured.effects[p] ?? []).map((bits, l): Piece => {
    const effect = effectAt(bits, l);
    return { text: cellText(effect), style: differs.has(l) || isAverage(effect) ? "bad" : undefined };
  });
  const convention = expected.map(
    (bits, l): Piece => ({ text: differs.has(l) ? cellText(effectAt(bits, l)) : "", style: "faint" }),
  );
  return [
    ...(p === 0 ? [] : [{ name: "", cells: [] }]),
    { name: "", cells: words(letters(call.prompts[p] ?? []), "faint") },
    { name: "measured", cells: actual },
    ...(differs.size > 0 ? [{ name: nearest.name, cells: convention }] : []),
  ];
}

const LONGEST_NAME = 16;

function grid(result: ProbeResult, paint: Paint): string[] {
  const { call, nearest } = result;
  const lines = call.prompts.flatMap((_, p) => promptLines(result, p));
  const nameOf = ({ name }: Line): string =>
    name === nearest.name && name.length > LONGEST_NAME ? "by convention" : name;
  const positions = Array.from({ length: call.prompts[0]?.length ?? 0 }, (_, l) => l);
  const columns: Column[] = [
    { head: ["row"], cells: lines.map((line) => [{ text: nameOf(line) }]) },
    ...positions.map(
      (l): Column => ({
        head: [`${l}`],
        cells: lines.map(({ cells }) => [cells[l] ?? { text: "" }]),
        align: "center",
        gap: 1,
      }),
    ),
  ];
  return table(columns, paint);
}
