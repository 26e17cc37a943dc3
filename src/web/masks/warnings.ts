// The warnings of the page: the findings of each convention, with the place that each one leads to.
import { countAsText, noteSentence } from "../../mask-report/notes.ts";
import { maskReport } from "../../mask-report/report.ts";
import { type MaskFinding, placeOf, toneOf } from "../../masks/findings.ts";
import { counted, findingSentence } from "../../masks/sentences.ts";
import { label } from "../../terminal/width.ts";
import type { Cut, TileMisfit } from "./batch.ts";
import { queryOf } from "./copies.ts";
import type { Place } from "./state.ts";
import type { View } from "./view.ts";

export interface Warning {
  readonly sentence: string;
  /** alarm: something is wrong; note: information. */
  readonly tone: "alarm" | "note";
  readonly at: Place | null;
}

const warningOf = (finding: MaskFinding): Warning => ({
  sentence: findingSentence(finding),
  tone: toneOf(finding),
  at: placeOf(finding),
});

/** The findings under either convention; those that do not depend on the convention occur once. */
function findingsIn(view: View): MaskFinding[] {
  const query = queryOf(view);
  if (!query) return [];
  const all = view.conventions.flatMap(
    (convention) => maskReport({ ...query, convention, against: null }).findings,
  );
  return [...new Map(all.map((finding) => [JSON.stringify(finding), finding])).values()];
}

const LONGEST_NAME = 60;

const quoted = (text: string): string => `“${label(text.slice(0, 2 * LONGEST_NAME), LONGEST_NAME)}”`;

function unknownWarning(name: string): Warning {
  const sentence = `No convention is called ${quoted(name)}; this page shows another one instead.`;
  return { sentence, tone: "alarm", at: null };
}

const CUT_SENTENCES: Readonly<Record<Cut["unit"], (shown: number, of: number) => string>> = {
  prompts: (shown, of) => `This page shows the first ${shown} of ${of} prompts.`,
  characters: (shown, of) =>
    `This page reads the first ${shown} characters of each prompt; the longest has ${of}.`,
  tokens: (shown, of) => `This page shows the first ${shown} tokens of each prompt; the longest has ${of}.`,
};

function cutWarning({ unit, shown, of }: Cut): Warning {
  const sentence = `${CUT_SENTENCES[unit](shown, of)} Use flamboyance mask for longer texts.`;
  return { sentence, tone: "alarm", at: null };
}

function misfitWarning({ prompt, images, given }: TileMisfit): Warning {
  const sentence = `Tiles are given for ${counted(given, "image")} of prompt ${prompt}, which has ${counted(images, "image")}; they are not shown.`;
  return { sentence, tone: "alarm", at: null };
}

function noteWarnings({ batch }: View): Warning[] {
  return batch.notes.flatMap((note): Warning[] => {
    if (note.kind === "no-image-token") {
      const sentence = `No image token occurs, and ${countAsText(note.tokens, quoted)}. Write ${quoted(note.marker)} for an image, or name another token with --image-token of flamboyance mask.`;
      return [{ sentence, tone: "alarm", at: null }];
    }
    if (note.kind !== "other-image-token") return []; // the others are on options that the page does not have
    const sentence = `${quoted(note.token)} counts as text, because ${quoted(note.marker)} stands for an image in this batch.`;
    return [{ sentence, tone: "alarm", at: null }];
  });
}

export function warningsOf(view: View): Warning[] {
  const findings = findingsIn(view);
  return [
    ...view.unknown.map(unknownWarning),
    ...view.cuts.map(cutWarning),
    ...(view.misfit ? [misfitWarning(view.misfit)] : []),
    ...noteWarnings(view),
    ...agreement(view, findings),
    ...findings.map(warningOf),
  ];
}

const unknownTiles = (tensor: string, convention: string): Warning => ({
  sentence: noteSentence({ kind: "unknown-tiles", tensor, convention }),
  tone: "note",
  at: null,
});

/** A note for recorded weights, and for a recorded mask, that agree with the conventions. */
function agreement({ batch, conventions }: View, findings: readonly MaskFinding[]): Warning[] {
  const names = conventions.map(({ name }) => name).join(" and ");
  const differs = (...kinds: readonly MaskFinding["kind"][]) =>
    findings.some(({ kind }) => kinds.includes(kind));
  const note = (what: string): Warning => ({
    sentence: `The recorded ${what} with ${names} on every row.`,
    tone: "note",
    at: null,
  });
  const { attention, otherLayers, recorded } = batch;
  return [
    ...(attention && !differs("attention-mismatch", "tile-mismatch")
      ? [note(`weights (${[attention, ...otherLayers].map(({ key }) => key).join(", ")}) agree`)]
      : []),
    ...(attention && batch.tiles === null ? conventions.filter(({ tiled }) => tiled) : []).map(({ name }) =>
      unknownTiles(attention?.key ?? "", name),
    ),
    ...(recorded && !differs("recorded-mask-mismatch") ? [note(`mask (${recorded.key}) agrees`)] : []),
  ];
}
