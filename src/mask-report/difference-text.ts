// Two conventions on the same prompts, as text: both grids, the outcomes of neighbouring rows, and the first row's reasons.
import type { Convention } from "../masks/conventions/conventions.ts";
import { outcomeCell } from "../masks/drawing/draw-mask.ts";
import { drawAgainst } from "../masks/drawing/side-by-side.ts";
import { counted, rowReason } from "../masks/sentences.ts";
import { heading, paragraph } from "../terminal/prose.ts";
import { table } from "../terminal/table.ts";
import { fits, hasGrid, MOST_PROMPTS, MOST_RUNS } from "./limits.ts";
import { type MaskReport, textOf } from "./report.ts";
import { pairsOfDifference } from "./runs.ts";
import { column, type Look, span } from "./runs-text.ts";

/** The section on the difference. Where the names of the conventions are long, the grids are called (1) and (2). */
export function differenceText(report: MaskReport, against: Convention, look: Look): string {
  const { batch, convention, difference } = report;
  const { paint, width } = look;
  const head = heading(`${convention.name} against ${against.name}`, paint, width);
  const first = difference?.first;
  if (!first) {
    const subject = batch.prompts.length > 1 ? "These prompts do" : "This prompt does";
    const text = `${subject} not distinguish them: every row is the same.`;
    return `${head}\n${paragraph("  ", 2, text, paint, width)}`;
  }
  const long = convention.name.length + against.name.length + 48 > width;
  const renamed = (full: Convention, name: string): Convention => (long ? { ...full, name } : full);
  const [one, other] = [renamed(convention, "(1)"), renamed(against, "(2)")];
  const { rows, cells } = difference;
  const runs = pairsOfDifference(report);
  const shown = runs.slice(0, MOST_RUNS);
  const columns = [
    ...(batch.prompts.length > 1 ? [column("prompt", shown, ({ prompt }) => `${prompt}`, 2)] : []),
    column("position", shown, ({ from, to }) => span(from, to), 2),
    column(one.name, shown, (run) => outcomeCell(run.one)),
    column(other.name, shown, (run) => outcomeCell(run.other)),
    column("", shown, ({ differs }) => (differs ? "<- differs" : "")),
  ];
  const more = runs.length - shown.length;
  const count = `${counted(rows.length, "row")} ${rows.length === 1 ? "differs" : "differ"}`;
  const entries = `${cells} ${cells === 1 ? "entry" : "entries"} of the mask ${cells === 1 ? "differs" : "differ"}`;
  const extent = cells === 0 ? "the masks are equal, only the outcomes of empty rows differ" : entries;
  const where = batch.prompts.length > 1 ? `, the first in prompt ${first.prompt}` : "";
  const text = textOf(report, first.prompt);
  const grids = cells > 0 ? gridsText(report, one, other, look) : null;
  return [
    head,
    ...(long ? [`  (1) ${convention.name}`, `  (2) ${against.name}`] : []),
    "",
    ...(grids === null ? [] : [grids, ""]),
    ...table(columns, paint),
    ...(more > 0 ? [`  and ${more} more runs, which --json lists`] : []),
    "",
    paragraph("  ", 4, `${count} (${extent})${where}:`, paint, width),
    paragraph("  ", 4, `${one.name}: ${rowReason(first.one, text, convention)}`, paint, width),
    paragraph("  ", 4, `${other.name}: ${rowReason(first.other, text, against)}`, paint, width),
  ].join("\n");
}

/** Both grids side by side; null where they are too long or too wide. */
function gridsText(
  report: MaskReport,
  one: Convention,
  other: Convention,
  { drawing, width }: Look,
): string | null {
  const { locations, images, prompts } = report.batch;
  if (!hasGrid(locations.shape[1] ?? 0, 2 * images) || prompts.length > MOST_PROMPTS) return null;
  const tokens = prompts.map((prompt) => prompt.map(({ text }) => text));
  const grids = drawAgainst(locations, images, one, other, { ...drawing, tokens });
  return fits(grids, width) ? grids : null;
}
