// Two conventions on the same prompts, as text: both grids, the outcomes of neighbouring rows, and the first row's reasons.
import type { Convention } from "../masks/conventions/conventions.ts";
import { outcomeCell } from "../masks/drawing/draw-mask.ts";
import { drawAgainst } from "../masks/drawing/side-by-side.ts";
import { promptsOf } from "../masks/grid.ts";
import { type MaskRow, maskRows } from "../masks/rows.ts";
import { rowReason } from "../masks/sentences.ts";
import type { Paint } from "../terminal/colour.ts";
import { heading, paragraph } from "../terminal/prose.ts";
import { type Column, type Piece, table } from "../terminal/table.ts";
import type { MaskReport } from "./report.ts";

export interface Drawing {
  readonly tokens: readonly (readonly string[])[];
  readonly colour: boolean;
  readonly ascii: boolean;
}

/** Neighbouring rows that both conventions treat alike. */
interface RowRange {
  readonly prompt: number;
  readonly from: number;
  to: number;
  readonly one: Piece;
  readonly other: Piece;
  readonly differs: boolean;
}

function rowRanges({ rows, difference }: MaskReport, others: readonly (readonly MaskRow[])[]): RowRange[] {
  const ranges: RowRange[] = [];
  rows.forEach((list, prompt) => {
    for (const row of list) {
      const { position } = row;
      const [one, other] = [outcomeCell(row), outcomeCell(others[prompt]?.[position] ?? row)];
      const differs =
        difference?.rows.some((row) => row.prompt === prompt && row.position === position) ?? false;
      const last = ranges.at(-1);
      const joins =
        last?.prompt === prompt &&
        last.one.text === one.text &&
        last.other.text === other.text &&
        last.differs === differs;
      if (joins) last.to = position;
      else ranges.push({ prompt, from: position, to: position, one, other, differs });
    }
  });
  return ranges;
}

/** The section on the difference. Where the names of the conventions are long, the grids are called (1) and (2). */
export function differenceText(
  report: MaskReport,
  against: Convention,
  drawing: Drawing,
  paint: Paint,
  width: number,
): string {
  const { batch, convention, difference } = report;
  const { locations, images, prompts } = batch;
  const head = heading(`${convention.name} against ${against.name}`, paint, width);
  const first = difference?.first;
  if (!first) {
    const subject = prompts.length > 1 ? "These prompts do" : "This prompt does";
    const text = `${subject} not distinguish them: every row is the same.`;
    return `${head}\n${paragraph("  ", 2, text, paint, width)}`;
  }
  const long = convention.name.length + against.name.length + 48 > width;
  const renamed = (full: Convention, name: string): Convention => (long ? { ...full, name } : full);
  const [one, other] = [renamed(convention, "(1)"), renamed(against, "(2)")];
  const { rows, cells } = difference;
  const ranges = rowRanges(report, maskRows(locations, images, against));
  const column = (head: string, cell: (range: RowRange) => Piece, gap = 3): Column => ({
    head: [head],
    cells: ranges.map((range) => [cell(range)]),
    gap,
  });
  const columns = [
    ...(prompts.length > 1 ? [column("prompt", ({ prompt }) => ({ text: `${prompt}` }), 2)] : []),
    column("position", ({ from, to }) => ({ text: from === to ? `${from}` : `${from} to ${to}` }), 2),
    column(one.name, (range) => range.one),
    column(other.name, (range) => range.other),
    column("", ({ differs }) => ({ text: differs ? "<- differs" : "" })),
  ];
  const count = `${rows.length} ${rows.length === 1 ? "row differs" : "rows differ"}`;
  const entries = `${cells} ${cells === 1 ? "entry" : "entries"} of the mask ${cells === 1 ? "differs" : "differ"}`;
  const extent = cells === 0 ? "the masks are equal, only the outcomes of empty rows differ" : entries;
  const where = prompts.length > 1 ? `, the first in prompt ${first.prompt}` : "";
  const kinds = promptsOf(locations)[first.prompt] ?? [];
  return [
    head,
    ...(long ? [`  (1) ${convention.name}`, `  (2) ${against.name}`] : []),
    "",
    ...(cells > 0 ? [drawAgainst(locations, images, one, other, drawing), ""] : []),
    ...table(columns, paint),
    "",
    paragraph("  ", 4, `${count} (${extent})${where}:`, paint, width),
    paragraph("  ", 4, `${one.name}: ${rowReason(first.one, kinds, convention)}`, paint, width),
    paragraph("  ", 4, `${other.name}: ${rowReason(first.other, kinds, against)}`, paint, width),
  ].join("\n");
}
