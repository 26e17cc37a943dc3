// A mask as a page of text for a terminal: the convention, the drawing, decoding, what differs, and warnings.
import type { Convention } from "../masks/conventions/conventions.ts";
import type { DecodeStep } from "../masks/decoding/decode.ts";
import { drawMask, marks } from "../masks/drawing/draw-mask.ts";
import { type Paint, painter } from "../terminal/colour.ts";
import { heading, paragraph, words, wrap } from "../terminal/prose.ts";
import { type Column, type Piece, table } from "../terminal/table.ts";
import { label } from "../terminal/width.ts";
import { type Drawing, differing, verdict } from "./difference-text.ts";
import type { MaskReport } from "./report.ts";

export interface TextOptions {
  readonly colour?: boolean;
  readonly ascii?: boolean;
  /** Columns of the terminal. */
  readonly width?: number;
  readonly latents?: number;
}

const MOST_ROWS = 16;

/** */
export function maskText(report: MaskReport, options: TextOptions = {}): string {
  const { batch, convention, against, steps, warnings } = report;
  const { colour = false, ascii = false, width = 80, latents = 1 } = options;
  const paint = painter(colour);
  const tokens = batch.prompts.map((prompt) => prompt.map(({ text }) => text));
  const drawing: Drawing = { tokens, colour, ascii };
  const { yes, no } = marks(ascii);
  const bare = against !== null && (report.difference?.cells ?? 0) > 0; // the difference draws both masks
  const mask = bare
    ? ""
    : drawMask(batch.locations, batch.images, convention, {
        ...drawing,
        latents,
        reasons: !against && !steps,
      });
  const parts = [
    batch.title === null ? "" : heading(batch.title, paint, width),
    [
      ...described(convention, paint, width),
      ...(against ? described(against, paint, width) : []),
      paint(`${yes} may attend   ${no} may not`, "dim"),
    ].join("\n"),
    mask,
    steps ? decoding(report, steps, paint, width) : "",
    against ? differing(report, against, drawing, paint, width) : "",
    batch.attention ? paragraph("", 0, agreement(report), paint, width) : "",
    warned(warnings, paint, width),
  ];
  return parts
    .filter((part) => part !== "")
    .map((part) => folded(part, width))
    .join("\n\n");
}

/** Sentences that are wider than the terminal; a line of a grid is left as it is. */
const folded = (part: string, width: number): string =>
  part
    .split("\n")
    .map((line) =>
      line.length > width && /^ {2}position \d/.test(line)
        ? paragraph("  ", 4, line.trim(), painter(false), width)
        : line,
    )
    .join("\n");

function described({ name, source, note }: Convention, paint: Paint, width: number): string[] {
  const where = `${source.package} ${source.version}: ${source.where}${source.thread ? `; see ${source.thread}` : ""}`;
  return [
    paint(name, "strong"),
    paragraph("  ", 2, note, paint, width),
    ...wrap(words(where), width - 2, painter(false)).map((line) => `  ${paint(line, "dim")}`),
  ];
}

/** One line for each step and prompt: the row as cached, beside the row of the whole text's mask. */
function decoding(
  { batch, convention, known }: MaskReport,
  steps: readonly DecodeStep[],
  paint: Paint,
  width: number,
): string {
  const tokens = `${known === 1 ? "first token" : `first ${known} tokens`}`;
  const head = paint(`Decoding, the ${tokens} known, then one at a time`, "strong");
  if (convention.cachedStep === "none") {
    return [
      head,
      paragraph("  ", 2, "There is no cache: every step runs the whole text again.", paint, width),
    ].join("\n");
  }
  const lines = steps
    .slice(1)
    .flatMap(({ rows, full, from }) =>
      rows.flatMap((list, b) =>
        list.map((row, i) => ({ b, row, whole: full[b]?.[i] ?? row, position: from + i })),
      ),
    );
  const differ = ({ row, whole }: (typeof lines)[number]) =>
    row.outcome !== whole.outcome || `${row.images}` !== `${whole.images}`;
  const shown = lines.length > MOST_ROWS ? lines.filter(differ).slice(0, MOST_ROWS) : lines;
  const strayed = lines.filter(differ).length;
  const column = (head: string, cell: (line: (typeof lines)[number]) => Piece, gap = 3): Column => ({
    head: [head],
    cells: shown.map((line) => [cell(line)]),
    gap,
  });
  const columns = [
    ...(batch.prompts.length > 1 ? [column("prompt", ({ b }) => ({ text: `${b}` }), 2)] : []),
    column("position", ({ position }) => ({ text: `${position}` }), 2),
    column("token", ({ b, position, row }) =>
      row.isImage
        ? { text: `[image ${row.image}]`, style: row.image }
        : { text: label(batch.prompts[b]?.[position]?.text ?? "") },
    ),
    column("as cached", ({ row }) => verdict(row)),
    column("in the whole mask", ({ whole }) => verdict(whole)),
    column("", (line) => (differ(line) ? { text: "<- differs", style: "alarm" } : { text: "" })),
  ];
  const sum =
    strayed === 0
      ? "Every cached step has the rows of the whole text's mask."
      : `${strayed} of ${lines.length} rows are not those of the whole text's mask.`;
  return [head, "", ...(shown.length > 0 ? [...table(columns, paint), ""] : []), `  ${sum}`].join("\n");
}

function agreement({ batch, convention, rows, warnings }: MaskReport): string {
  const { attention } = batch;
  const strayed = warnings.filter((sentence) => sentence.includes(` in ${attention?.key}, `)).length;
  const all = rows.flat().length;
  return strayed === 0
    ? `The recorded weights (${attention?.key}) agree with ${convention.name} on all ${all} rows.`
    : `The recorded weights (${attention?.key}) agree with ${convention.name} on ${all - strayed} of ${all} rows.`;
}

function warned(warnings: readonly string[], paint: Paint, width: number): string {
  if (warnings.length === 0) return "";
  const shown = warnings.slice(0, MOST_ROWS).map((sentence) => paragraph("  ! ", 4, sentence, paint, width));
  const more = warnings.length > MOST_ROWS ? [`  and ${warnings.length - MOST_ROWS} more`] : [];
  return [paint("Warnings", "alarm"), ...shown, ...more].join("\n");
}
