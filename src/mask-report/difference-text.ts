// Two conventions on the same prompts, as text: both grids, what becomes of each stretch of rows, and the first reason.
import type { Convention } from "../masks/conventions/conventions.ts";
import { inkOf, isCalm } from "../masks/drawing/draw-mask.ts";
import { drawAgainst } from "../masks/drawing/side-by-side.ts";
import { OUTCOME_LABELS } from "../masks/outcome.ts";
import { type MaskRow, maskRows } from "../masks/rows.ts";
import type { Paint } from "../terminal/colour.ts";
import { heading, paragraph } from "../terminal/prose.ts";
import { type Column, type Piece, table } from "../terminal/table.ts";
import type { MaskReport } from "./report.ts";

export interface Drawing {
  readonly tokens: readonly (readonly string[])[];
  readonly colour: boolean;
  readonly ascii: boolean;
}

export const verdict = ({ outcome: kind, images }: MaskRow): Piece =>
  kind === "attends"
    ? { text: `attends {${images.join(",")}}`, style: inkOf(images) }
    : { text: OUTCOME_LABELS[kind], style: isCalm(kind) ? "dim" : "alarm" };

/** Neighbouring rows that both conventions treat alike. */
interface Stretch {
  readonly prompt: number;
  readonly from: number;
  to: number;
  readonly one: Piece;
  readonly other: Piece;
  readonly differs: boolean;
}

function stretches({ rows, difference }: MaskReport, others: readonly (readonly MaskRow[])[]): Stretch[] {
  const parted = new Set(difference?.rows.map(({ prompt, position }) => `${prompt} ${position}`));
  const found: Stretch[] = [];
  rows.forEach((list, prompt) => {
    for (const row of list) {
      const { position } = row;
      const [one, other] = [verdict(row), verdict(others[prompt]?.[position] ?? row)];
      const differs = parted.has(`${prompt} ${position}`);
      const last = found.at(-1);
      const joins =
        last?.prompt === prompt &&
        last.one.text === one.text &&
        last.other.text === other.text &&
        last.differs === differs;
      if (joins) last.to = position;
      else found.push({ prompt, from: position, to: position, one, other, differs });
    }
  });
  return found;
}

/** Names of conventions can be long: then the grids are called (1) and (2). */
export function differing(
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
    const same = prompts.length > 1 ? "These prompts" : "This prompt";
    return `${head}\n  ${same} cannot tell them apart: every row is the same.`;
  }
  const long = convention.name.length + against.name.length + 48 > width;
  const called = (full: Convention, name: string): Convention => (long ? { ...full, name } : full);
  const [one, other] = [called(convention, "(1)"), called(against, "(2)")];
  const { rows, cells } = difference;
  const all = stretches(report, maskRows(locations, images, against));
  const column = (head: string, cell: (stretch: Stretch) => Piece, gap = 3): Column => ({
    head: [head],
    cells: all.map((stretch) => [cell(stretch)]),
    gap,
  });
  const columns = [
    ...(prompts.length > 1 ? [column("prompt", ({ prompt }) => ({ text: `${prompt}` }), 2)] : []),
    column("position", ({ from, to }) => ({ text: from === to ? `${from}` : `${from} to ${to}` }), 2),
    column(one.name, (stretch) => stretch.one),
    column(other.name, (stretch) => stretch.other),
    column("", ({ differs }) => ({ text: differs ? "<- differs" : "" })),
  ];
  const count = `${rows.length} ${rows.length === 1 ? "row differs" : "rows differ"}`;
  const entries = `${cells} ${cells === 1 ? "entry" : "entries"} of the mask among them`;
  const what = cells === 0 ? "the masks are equal, only empty rows part" : entries;
  const where = prompts.length > 1 ? `, the first in prompt ${first.prompt}` : "";
  return [
    head,
    ...(long ? [`  (1) ${convention.name}`, `  (2) ${against.name}`] : []),
    "",
    ...(cells > 0 ? [drawAgainst(locations, images, one, other, drawing), ""] : []),
    ...table(columns, paint),
    "",
    paragraph("  ", 4, `${count} (${what})${where}:`, paint, width),
    paragraph("  ", 4, `${one.name}: ${first.one.reason}`, paint, width),
    paragraph("  ", 4, `${other.name}: ${first.other.reason}`, paint, width),
  ].join("\n");
}
