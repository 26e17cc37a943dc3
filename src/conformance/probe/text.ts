// What a probe found, as a page of text for a terminal.
import type { Convention } from "../../masks/conventions/conventions.ts";
import { type Paint, painter } from "../../terminal/colour.ts";
import { wrap } from "../../terminal/prose.ts";
import { type Column, type Piece, table } from "../../terminal/table.ts";
import { effectsOfConvention } from "./mistakes.ts";
import { IMAGES } from "./plan.ts";
import type { ProbeResult } from "./probe.ts";
import { mistakesInWords, verdictOf } from "./verdict.ts";
import {
  brief,
  cachedInWords,
  isAverage,
  leaksInWords,
  letters,
  mismatchesInWords,
  withoutInWords,
} from "./words.ts";

export interface ProbeTextOptions {
  readonly colour?: boolean;
  readonly width?: number;
}

const MOST_SENTENCES = 12;

/** [probe.text] */
export function probeText(
  result: ProbeResult,
  expect: Convention | null,
  { colour = false, width = 80 }: ProbeTextOptions = {},
): string {
  const paint = painter(colour);
  const { status, sentence } = verdictOf(result, expect);
  const prose = (text: string, indent = 2): string => {
    const pieces = text.split(" ").map((word) => ({ text: word }));
    const lines = wrap(pieces, width - indent - 2, paint);
    return lines.map((line, i) => " ".repeat(i === 0 ? indent : indent + 2) + line).join("\n");
  };
  const style = status === "followed" ? "strong" : "alarm";
  const headline = wrap(
    sentence.split(" ").map((word): Piece => ({ text: word, style })),
    width,
    paint,
  ).join("\n");
  const { exact, refused } = result;
  const [first] = exact;
  const away = mismatchesInWords(result);
  const listed = (title: string, sentences: readonly string[]): string =>
    sentences.length === 0
      ? ""
      : [
          paint(title, "strong"),
          ...sentences.slice(0, MOST_SENTENCES).map((told) => prose(told)),
          ...(sentences.length > MOST_SENTENCES ? [`  and ${sentences.length - MOST_SENTENCES} more`] : []),
        ].join("\n");
  const more = [
    ...(first && !expect ? [first.note] : []),
    ...(exact.length > 1 && !expect
      ? [
          `The same on every row: ${exact
            .slice(1)
            .map(({ name }) => name)
            .join(", ")}.`,
        ]
      : []),
    ...(refused === null ? [] : [`Prompts with too many or too few image tokens were left out: ${refused}.`]),
  ];
  return [
    [headline, ...more.map((told) => prose(told))].join("\n"),
    [paint("What moves each row", "strong"), prose(LEGEND), "", ...grid(result, paint)].join("\n"),
    listed("Departures", away),
    listed("Leaks", away.length > 0 ? [] : leaksInWords(result)), // departures tell them already
    listed("Known mistakes that look like this", mistakesInWords(result)),
    listed("In decoding, and without locations", [
      cachedInWords(result.cached),
      withoutInWords(result.withoutLocations),
    ]),
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

const LEGEND = `t text, I an image's token, e an end token; ${IMAGES} images were given to each prompt. {1} moved by image 1, - by none, = and no feed-forward either, LEAK the plain average of all.`;

/** Three lines a prompt: tokens, what was measured, and what the convention it is compared with says, where that differs. */
function grid({ call, measured, nearest, mismatches }: ProbeResult, paint: Paint): string[] {
  const expected = effectsOfConvention(nearest, call.prompts, IMAGES);
  const lines = call.prompts.flatMap((kinds, p) => {
    const away = new Set(mismatches.filter(({ prompt }) => prompt === p).map(({ position }) => position));
    const known = (l: number): number => measured.known[p]?.[l] ?? 0;
    const found = (measured.effects[p] ?? []).map(
      (effect, l): Piece => ({
        text: brief(effect, known(l)),
        style: away.has(l) || isAverage(effect) ? "alarm" : undefined,
      }),
    );
    const should = (expected[p] ?? []).map(
      (effect, l): Piece => ({ text: away.has(l) ? brief(effect, known(l)) : "", style: "dim" }),
    );
    const tokens = letters(kinds).split(" ");
    return [
      ...(p === 0 ? [] : [{ name: "", cells: [] }]),
      { name: "", cells: tokens.map((text): Piece => ({ text, style: "dim" })) },
      { name: "measured", cells: found },
      ...(away.size > 0 ? [{ name: nearest.name, cells: should }] : []),
    ];
  });
  const positions = call.prompts[0]?.length ?? 0;
  const long = lines.some(({ name }) => name.length > 16);
  const columns: Column[] = [
    {
      head: ["row"],
      cells: lines.map(({ name }) => [{ text: long && name === nearest.name ? "by convention" : name }]),
    },
    ...Array.from(
      { length: positions },
      (_, l): Column => ({
        head: [`${l}`],
        cells: lines.map(({ cells }) => [cells[l] ?? { text: "" }]),
        align: "center",
        gap: 1,
      }),
    ),
  ];
  return table(columns, paint);
}
