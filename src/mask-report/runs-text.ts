// A long or wide prompt as text: a line for each run of equal rows.
import { type DrawOptions, outcomeCell } from "../masks/drawing/draw-mask.ts";
import { type MaskRow, runsOf } from "../masks/rows.ts";
import { counted, rowReason } from "../masks/sentences.ts";
import type { Paint } from "../terminal/colour.ts";
import { paragraph } from "../terminal/prose.ts";
import { type Column, type Piece, table } from "../terminal/table.ts";
import { label } from "../terminal/width.ts";
import { MOST_REASONS, MOST_RUNS } from "./limits.ts";
import { type MaskReport, textOf } from "./report.ts";

/** How a report is drawn. */
export interface Look {
  readonly paint: Paint;
  readonly width: number;
  readonly drawing: DrawOptions;
}

/** A column of text cells. */
export const column = <T>(
  title: string,
  items: readonly T[],
  cell: (item: T) => Piece | string,
  gap = 3,
): Column => ({
  head: [title],
  cells: items.map((item) => {
    const piece = cell(item);
    return [typeof piece === "string" ? { text: piece } : piece];
  }),
  gap,
});

/** "3" or "3 to 7" */
export const span = (from: number, to: number): string => (from === to ? `${from}` : `${from} to ${to}`);

/** The token of a row: [image 2], or its text. */
export const tokenPiece = ({ batch }: MaskReport, prompt: number, row: MaskRow): Piece =>
  row.isImage
    ? { text: `[image ${row.image}]`, style: row.image }
    : { text: label(batch.prompts[prompt]?.[row.position]?.text ?? "") };

/** One prompt: its size, its runs, and the reasons where there are few. [mask.runs] */
export function runsText(
  report: MaskReport,
  prompt: number,
  reasons: boolean,
  paint: Paint,
  width: number,
): string {
  const rows = report.rows[prompt] ?? [];
  const images = rows.reduce((count, { isImage }) => count + Number(isImage), 0);
  const all = runsOf(rows);
  const runs = all.slice(0, MOST_RUNS);
  const head = `${paint(`prompt ${prompt}`, "strong")}   ${counted(rows.length, "token")}, ${counted(images, "image token")}`;
  const number = (position: number): number => rows[position]?.number ?? 0;
  const columns = [
    column("positions", runs, ({ from, to }) => span(from, to), 2),
    column("first token", runs, ({ row }) => tokenPiece(report, prompt, row)),
    column("text_time", runs, ({ from, to }) => span(number(from), number(to))),
    column("", runs, ({ row }) => outcomeCell(row)),
  ];
  const text = textOf(report, prompt);
  const sentences =
    reasons && all.length <= MOST_REASONS
      ? all.map(({ row }) =>
          paragraph("  ", 4, rowReason(row, text, report.convention), (words) => words, width),
        )
      : [];
  return [
    head,
    "",
    ...table(columns, paint),
    ...(all.length > runs.length ? [`  and ${all.length - runs.length} more runs, which --json lists`] : []),
    ...(sentences.length > 0 ? ["", ...sentences] : []),
  ].join("\n");
}
