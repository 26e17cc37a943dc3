// What `flamboyance train digits` found, as a table, as one document, and as a picture of the gates.
import type { EvidenceRow } from "./evidence.ts";

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
  /** Each layer's gates after each step of the last phase. */
  readonly history: readonly (readonly Gates[])[];
}

const percent = (x: number | undefined): string => (x === undefined ? "" : `${(100 * x).toFixed(1)} %`);
const rowOf = (rows: readonly EvidenceRow[], what: string): number =>
  rows.find((row) => row.pictures === 2 && row.what.includes(what))?.all ?? Number.NaN;

/** The document of --json. [digits.document] */
export function digitsDocument({ seconds, rows, frozenUnchanged, history }: DigitsReport): object {
  return {
    seconds,
    heldOut: {
      accuracy: rowOf(rows, "as trained"),
      blanked: rowOf(rows, "blanked"),
      swapped: rowOf(rows, "swapped"),
    },
    frozenUnchanged,
    gates: history.at(-1) ?? [],
  }; // [digits.document]
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(line)];
}

/** The evidence as Markdown, for docs/30-training.md and for DIR/report.md. */
export function digitsMarkdown(report: DigitsReport): string {
  const { seed, plan, seconds, backend, classifier, rows, frozenUnchanged, trainedChanged, history } = report;
  const places = ["first", "second", "third"];
  const evidenceRows = rows.map((row) => [
    `${row.pictures} pictures, ${row.what}`,
    percent(row.all),
    ...places.map((_, i) => percent(row.places[i])),
  ]);
  const gates = (history.at(-1) ?? []).map(({ attn, ff }, layer) => [
    String(layer),
    Math.abs(attn).toFixed(3),
    Math.abs(ff).toFixed(3),
  ]);
  return [
    `Plan \`${plan}\`, seed ${seed}, backend ${backend}: ${seconds.toFixed(0)} seconds. The encoder's own classifier is right on ${percent(classifier)} of the held-out digits.`,
    `Frozen parameters unchanged, bit for bit: ${frozenUnchanged ? "yes" : "NO"}. Trained parameters all changed: ${trainedChanged ? "yes" : "NO"}.`,
    "",
    ...table(["held-out sequences", "captions right", ...places], evidenceRows),
    "",
    ...table(["layer", "\\|tanh(attention gate)\\|", "\\|tanh(feed-forward gate)\\|"], gates),
  ].join("\n");
}

/** Text between a document's two marks is replaced; a document without them becomes the text. */
export function placed(document: string, text: string, marks: readonly [string, string]): string {
  const [from, to] = marks.map((mark) => document.indexOf(mark)) as [number, number];
  if (from < 0 || to < from) return `${text}\n`;
  return `${document.slice(0, from + marks[0].length)}\n\n${text}\n\n${document.slice(to)}`; // [digits.report]
}

const SIZE = { width: 720, height: 320, margin: 44 } as const;
/** From the first layer's to the last one's. */
const hue = (layer: number, layers: number): number => 210 - (200 * layer) / Math.max(1, layers - 1);

/** |tanh(gate)| of each layer over the steps: attention drawn through, feed-forward dashed. [digits.gates-picture] */
export function gatesPicture(history: readonly (readonly Gates[])[]): string {
  const { width, height, margin } = SIZE;
  const layers = history[0]?.length ?? 0;
  const across = (step: number): number =>
    margin + ((width - 2 * margin) * step) / Math.max(1, history.length - 1);
  const up = (value: number): number => height - margin - (height - 2 * margin) * value;
  const every = Math.max(1, Math.floor(history.length / 200));
  const line = (layer: number, gate: keyof Gates): string => {
    const points = history.flatMap((gates, step) =>
      step % every === 0 || step === history.length - 1
        ? [`${across(step).toFixed(1)},${up(Math.abs(gates[layer]?.[gate] ?? 0)).toFixed(1)}`]
        : [],
    );
    const dashes = gate === "ff" ? ' stroke-dasharray="5 4"' : "";
    return `<polyline fill="none" stroke="hsl(${hue(layer, layers)} 70% 42%)" stroke-width="2"${dashes} points="${points.join(" ")}"/>`;
  };
  const label = (layer: number): string =>
    `<text x="${margin + 8 + 74 * layer}" y="${margin - 12}" fill="hsl(${hue(layer, layers)} 70% 36%)">layer ${layer}</text>`;
  const grid = [0, 0.25, 0.5, 0.75, 1].map(
    (value) =>
      `<path d="M${margin} ${up(value)}H${width - margin}" stroke="#ddd"/><text x="8" y="${up(value) + 4}" fill="#666">${value}</text>`,
  );
  const each = Array.from({ length: layers }, (_, layer) => layer);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>|tanh(gate)| of each layer while the Flamingo phase trains: attention drawn through, feed-forward dashed</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...grid,
    ...each.map(label),
    ...each.flatMap((layer) => [line(layer, "attn"), line(layer, "ff")]), // [digits.gates-picture]
    `<text x="${width - margin}" y="${height - 14}" text-anchor="end" fill="#666">step ${history.length}</text>`,
    "</svg>",
    "",
  ].join("\n");
}
