// The report as text for a terminal: the convention, the drawing, decoding, the difference, and warnings.
import type { Convention } from "../masks/conventions/conventions.ts";
import type { DecodeStep } from "../masks/decoding/decode.ts";
import { drawMask, marks, outcomeCell } from "../masks/drawing/draw-mask.ts";
import type { Finding } from "../masks/findings.ts";
import { type MaskRow, sameRow } from "../masks/rows.ts";
import { findingSentence } from "../masks/sentences.ts";
import { type Paint, painter } from "../terminal/colour.ts";
import { heading, paragraph, words, wrap } from "../terminal/prose.ts";
import { type Column, type Piece, table } from "../terminal/table.ts";
import { label } from "../terminal/width.ts";
import { type Drawing, differenceText } from "./difference-text.ts";
import type { MaskReport } from "./report.ts";

export interface TextOptions {
  readonly colour?: boolean;
  readonly ascii?: boolean;
  /** Columns of the terminal. */
  readonly width?: number;
  readonly latents?: number;
}

const MOST_ROWS = 16;

/** The whole report; prose is wrapped at `width`, grids are not. */
export function maskText(report: MaskReport, options: TextOptions = {}): string {
  const { batch, convention, against, steps, findings } = report;
  const { colour = false, ascii = false, width = 80, latents = 1 } = options;
  const paint = painter(colour);
  const tokens = batch.prompts.map((prompt) => prompt.map(({ text }) => text));
  const drawing: Drawing = { tokens, colour, ascii };
  const { yes, no } = marks(ascii);
  const drawn = against !== null && (report.difference?.cells ?? 0) > 0; // the difference draws both masks
  const mask = drawn
    ? ""
    : drawMask(batch.locations, batch.images, convention, {
        ...drawing,
        latents,
        width,
        reasons: !against && !steps,
      });
  const parts = [
    batch.title === null ? "" : heading(batch.title, paint, width),
    [
      ...described(convention, paint, width),
      ...(against ? described(against, paint, width) : []),
      paint(`${yes} may attend   ${no} may not`, "faint"),
    ].join("\n"),
    mask,
    steps ? decoding(report, steps, paint, width) : "",
    against ? differenceText(report, against, drawing, paint, width) : "",
    batch.attention ? paragraph("", 0, agreement(report), paint, width) : "",
    warningText(findings, paint, width),
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function described({ name, source, note }: Convention, paint: Paint, width: number): string[] {
  const where = `${source.package} ${source.version}: ${source.where}${source.thread ? `; see ${source.thread}` : ""}`;
  return [
    paint(name, "strong"),
    paragraph("  ", 2, note, paint, width),
    ...wrap(words(where), width - 2, painter(false)).map((line) => `  ${paint(line, "faint")}`),
  ];
}

/** A row of a cached step, next to the row of the whole text's mask. */
interface StepLine {
  readonly prompt: number;
  readonly position: number;
  readonly cached: MaskRow;
  readonly full: MaskRow;
  readonly differs: boolean;
}

const stepLines = (steps: readonly DecodeStep[]): StepLine[] =>
  steps.slice(1).flatMap(({ rows, full, from }) =>
    rows.flatMap((list, prompt) =>
      list.map((cached, i) => {
        const row = full[prompt]?.[i] ?? cached;
        return { prompt, position: from + i, cached, full: row, differs: !sameRow(cached, row) };
      }),
    ),
  );

function decoding(
  { batch, convention, known }: MaskReport,
  steps: readonly DecodeStep[],
  paint: Paint,
  width: number,
): string {
  const tokens = known === 1 ? "first token" : `first ${known} tokens`;
  const head = paint(`Decoding one token at a time after the ${tokens}`, "strong");
  if (convention.cachedStep === "none") {
    const text = "There is no cache: every step runs the whole text again.";
    return [head, paragraph("  ", 2, text, paint, width)].join("\n");
  }
  const lines = stepLines(steps);
  const differing = lines.filter(({ differs }) => differs);
  const shown = lines.length > MOST_ROWS ? differing.slice(0, MOST_ROWS) : lines;
  const column = (title: string, cell: (line: StepLine) => Piece, gap = 3): Column => ({
    head: [title],
    cells: shown.map((line) => [cell(line)]),
    gap,
  });
  const columns = [
    ...(batch.prompts.length > 1 ? [column("prompt", ({ prompt }) => ({ text: `${prompt}` }), 2)] : []),
    column("position", ({ position }) => ({ text: `${position}` }), 2),
    column("token", ({ prompt, position, cached }) =>
      cached.isImage
        ? { text: `[image ${cached.image}]`, style: cached.image }
        : { text: label(batch.prompts[prompt]?.[position]?.text ?? "") },
    ),
    column("as cached", ({ cached }) => outcomeCell(cached)),
    column("in the whole mask", ({ full }) => outcomeCell(full)),
    column("", ({ differs }) => (differs ? { text: "<- differs", style: "bad" } : { text: "" })),
  ];
  const summary =
    differing.length === 0
      ? "Every cached step has the rows of the whole text's mask."
      : `${differing.length} of ${lines.length} rows differ from the whole text's mask.`;
  return [head, "", ...(shown.length > 0 ? [...table(columns, paint), ""] : []), `  ${summary}`].join("\n");
}

function agreement({ batch, convention, rows, findings }: MaskReport): string {
  const all = rows.flat().length;
  const differing = findings.filter(({ kind }) => kind === "attention-mismatch").length;
  const extent = differing === 0 ? `all ${all}` : `${all - differing} of ${all}`;
  return `The recorded weights (${batch.attention?.key}) agree with ${convention.name} on ${extent} rows.`;
}

function warningText(findings: readonly Finding[], paint: Paint, width: number): string {
  if (findings.length === 0) return "";
  const shown = findings
    .slice(0, MOST_ROWS)
    .map((finding) => paragraph("  ! ", 4, findingSentence(finding), paint, width));
  const more = findings.length > MOST_ROWS ? [`  and ${findings.length - MOST_ROWS} more`] : [];
  return [paint("Warnings", "bad"), ...shown, ...more].join("\n");
}
