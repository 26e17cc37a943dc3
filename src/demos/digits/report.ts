// The results of `flamboyance train digits` as Markdown and as a JSON document.
import type { Paint } from "../../terminal/colour.ts";
import { markdownTable } from "../../terminal/markdown.ts";
import { paragraph } from "../../terminal/prose.ts";
import { columnsFrom, table } from "../../terminal/table.ts";
import type { Gates } from "../gates.ts";
import type { Condition, EvidenceRow } from "./evidence.ts";

export interface DigitsReport {
  readonly seed: number;
  readonly plan: string;
  readonly seconds: number;
  readonly backend: string;
  readonly classifier: number;
  readonly rows: readonly EvidenceRow[];
  readonly frozenUnchanged: boolean;
  readonly trainedChanged: boolean;
  /** The gates of each layer after each step of the last phase. */
  readonly history: readonly (readonly Gates[])[];
}

const hundredths = (x: number | undefined): string => (x === undefined ? "" : (100 * x).toFixed(1));
export const percent = (x: number | undefined): string =>
  x === undefined ? "" : `${(100 * x).toFixed(1)} %`;

/** The document of `train digits --json`; its accuracies are those of sequences of two pictures. [digits.document] */
export function digitsDocument({ seconds, rows, frozenUnchanged, history }: DigitsReport): object {
  const pairs = (kind: EvidenceRow["condition"]["kind"]): number =>
    rows.find(({ pictures, condition }) => pictures === 2 && condition.kind === kind)?.all ?? Number.NaN;
  return {
    seconds,
    heldOut: { accuracy: pairs("as-trained"), blanked: pairs("blanked"), swapped: pairs("swapped") },
    frozenUnchanged,
    gates: history.at(-1) ?? [],
  }; // [digits.document]
}

export function conditionText(condition: Condition): string {
  switch (condition.kind) {
    case "as-trained":
      return "as trained";
    case "swapped":
      return "swapped";
    case "blanked":
      return "blanked";
    case "convention":
      return `mask: ${condition.convention}`;
  }
}

const PLACES = ["first", "second", "third"] as const;

const summary = ({ seed, seconds, backend, classifier }: DigitsReport, plan: string): string =>
  `Plan ${plan}, seed ${seed}, backend ${backend}: ${seconds.toFixed(0)} seconds. The image encoder alone classifies ${percent(classifier)} of the held-out digits correctly.`;

const changes = ({ frozenUnchanged, trainedChanged }: DigitsReport): string =>
  `All frozen parameters unchanged, bit for bit: ${frozenUnchanged ? "yes" : "NO"}. All trained parameters changed: ${trainedChanged ? "yes" : "NO"}.`;

const evidenceRows = ({ rows }: DigitsReport, share: (x: number | undefined) => string): string[][] =>
  rows.map((row) => [
    `${row.pictures} pictures, ${conditionText(row.condition)}`,
    share(row.all),
    ...PLACES.map((_, i) => share(row.places[i])),
  ]);

const gateRows = ({ history }: DigitsReport): string[][] =>
  (history.at(-1) ?? []).map(({ attn, ff }, layer) => [
    String(layer),
    Math.abs(attn).toFixed(3),
    Math.abs(ff).toFixed(3),
  ]);

/** The evidence as Markdown, for docs/guides/30-training.md and for DIR/report.md. */
export function digitsMarkdown(report: DigitsReport): string {
  const head = ["held-out sequences", "correct captions", ...PLACES];
  const gateHead = ["layer", "\\|tanh(attention gate)\\|", "\\|tanh(feed-forward gate)\\|"];
  return [
    summary(report, `\`${report.plan}\``),
    changes(report),
    "",
    ...markdownTable(head, evidenceRows(report, percent), { numbers: true }),
    "",
    ...markdownTable(gateHead, gateRows(report), { numbers: true }),
  ].join("\n");
}

/** The evidence for a terminal. */
export function digitsText(report: DigitsReport, paint: Paint, width: number): string {
  const drawn = (heads: readonly (readonly string[])[], rows: readonly (readonly string[])[]): string =>
    table(
      columnsFrom(
        heads.map((head, i) => ({ head, align: i === 0 ? "left" : "right" })),
        rows,
      ),
      paint,
    ).join("\n");
  const places = [["1st"], ["2nd"], ["3rd"]];
  return [
    paragraph("", 0, summary(report, report.plan), paint, width),
    paragraph("", 0, changes(report), paint, width),
    drawn([["% of captions correct"], ["all"], ...places], evidenceRows(report, hundredths)),
    drawn([["layer"], ["|tanh(attention gate)|"], ["|tanh(feed-forward gate)|"]], gateRows(report)),
  ].join("\n\n");
}

/**
 * Replaces the text between two marks of a document. Returns null if it does not have the first mark once, with the second after
 * it: then it is unclear what to replace.
 */
export function replaceBetween(
  document: string,
  text: string,
  marks: readonly [string, string],
): string | null {
  const [before = "", rest, ...more] = document.split(marks[0]);
  const to = rest?.indexOf(marks[1]) ?? -1;
  if (rest === undefined || more.length > 0 || to < 0) return null;
  return `${before}${marks[0]}\n\n${text}\n\n${rest.slice(to)}`; // [digits.report]
}
