// The results of `flamboyance train digits` as Markdown, as a JSON document, and as a chart of the gates.
import type { Paint } from "../../terminal/colour.ts";
import { markdownTable } from "../../terminal/markdown.ts";
import { paragraph } from "../../terminal/prose.ts";
import { columnsFrom, table } from "../../terminal/table.ts";
import type { Condition, EvidenceRow } from "./evidence.ts";

export interface Gates {
  readonly attn: number;
  readonly ff: number;
}

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
const percent = (x: number | undefined): string => (x === undefined ? "" : `${(100 * x).toFixed(1)} %`);

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

function conditionText(condition: Condition): string {
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

/** The evidence as Markdown, for docs/30-training.md and for DIR/report.md. */
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

const SIZE = { width: 720, height: 320, margin: 44 } as const;
/** Hues run from blue (the first layer) to red (the last). */
const hue = (layer: number, layers: number): number => 210 - (200 * layer) / Math.max(1, layers - 1);

/** An SVG chart of |tanh(gate)| in each layer over the steps: attention solid, feed-forward dashed. [digits.gates-picture] */
export function gatesPicture(history: readonly (readonly Gates[])[]): string {
  const { width, height, margin } = SIZE;
  const layers = history[0]?.length ?? 0;
  const x = (step: number): number =>
    margin + ((width - 2 * margin) * step) / Math.max(1, history.length - 1);
  const y = (value: number): number => height - margin - (height - 2 * margin) * value;
  const every = Math.max(1, Math.floor(history.length / 200));
  const line = (layer: number, gate: keyof Gates): string => {
    const points = history.flatMap((gates, step) =>
      step % every === 0 || step === history.length - 1
        ? [`${x(step).toFixed(1)},${y(Math.abs(gates[layer]?.[gate] ?? 0)).toFixed(1)}`]
        : [],
    );
    const dashes = gate === "ff" ? ' stroke-dasharray="5 4"' : "";
    return `<polyline fill="none" stroke="hsl(${hue(layer, layers)} 70% 42%)" stroke-width="2"${dashes} points="${points.join(" ")}"/>`;
  };
  const label = (layer: number): string =>
    `<text x="${margin + 8 + 74 * layer}" y="${margin - 12}" fill="hsl(${hue(layer, layers)} 70% 36%)">layer ${layer}</text>`;
  const grid = [0, 0.25, 0.5, 0.75, 1].map(
    (value) =>
      `<path d="M${margin} ${y(value)}H${width - margin}" stroke="#ddd"/><text x="8" y="${y(value) + 4}" fill="#666">${value}</text>`,
  );
  const indices = Array.from({ length: layers }, (_, layer) => layer);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>|tanh(gate)| of each layer during the Flamingo phase: attention solid, feed-forward dashed</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...grid,
    ...indices.map(label),
    ...indices.flatMap((layer) => [line(layer, "attn"), line(layer, "ff")]), // [digits.gates-picture]
    `<text x="${width - margin}" y="${height - 14}" text-anchor="end" fill="#666">step ${history.length}</text>`,
    "</svg>",
    "",
  ].join("\n");
}
