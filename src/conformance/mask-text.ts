// A mask as a page of text for a terminal: the convention, the drawing, decoding, what differs, and warnings.
import type { Convention } from "../masks/convention.ts";
import type { DecodeStep } from "../masks/decode.ts";
import { drawMask, inkOf, isCalm, marks } from "../masks/draw.ts";
import { drawAgainst } from "../masks/draw-conventions.ts";
import { CLASS_WORDS } from "../masks/row-class.ts";
import { type MaskRow, maskRows } from "../masks/rows.ts";
import {
  type Column,
  label,
  type Paint,
  type Piece,
  painter,
  type Style,
  table,
  wrap,
} from "../masks/text-table.ts";
import type { MaskReport } from "./mask-report.ts";

export interface TextOptions {
  readonly colour?: boolean;
  readonly ascii?: boolean;
  /** Columns of the terminal. */
  readonly width?: number;
  readonly latents?: number;
}

interface Drawing {
  readonly tokens: readonly (readonly string[])[];
  readonly colour: boolean;
  readonly ascii: boolean;
}

const MOST_ROWS = 16;

/** [cli.mask-text] */
export function maskText(report: MaskReport, options: TextOptions = {}): string {
  const { scene, convention, against, steps, warnings } = report;
  const { colour = false, ascii = false, width = 80, latents = 1 } = options;
  const paint = painter(colour);
  const tokens = scene.prompts.map((prompt) => prompt.map(({ text }) => text));
  const drawing: Drawing = { tokens, colour, ascii };
  const { yes, no } = marks(ascii);
  const bare = against !== null && (report.difference?.cells ?? 0) > 0; // the difference draws both masks
  const mask = bare
    ? ""
    : drawMask(scene.locations, scene.images, convention, {
        ...drawing,
        latents,
        reasons: !against && !steps,
      });
  const parts = [
    scene.title === null ? "" : heading(scene.title, paint, width),
    [
      ...described(convention, paint, width),
      ...(against ? described(against, paint, width) : []),
      paint(`${yes} may attend   ${no} may not`, "dim"),
    ].join("\n"),
    mask,
    steps ? decoding(report, steps, paint, width) : "",
    against ? differing(report, against, drawing, paint, width) : "",
    scene.attention ? paragraph("", 0, agreement(report), paint, width) : "",
    warned(warnings, paint, width),
  ];
  return parts
    .filter((part) => part !== "")
    .map((part) => folded(part, width))
    .join("\n\n");
}

const words = (text: string, style?: Style): Piece[] =>
  text.split(" ").map((word) => ({ text: word, style }));

const heading = (text: string, paint: Paint, width: number): string =>
  wrap(words(text, "strong"), width, paint).join("\n");

/** A paragraph, its first line behind `head` and the others as far in. */
function paragraph(head: string, indent: number, text: string, paint: Paint, width: number): string {
  const lines = wrap(words(text), width - indent, paint);
  return lines.map((line, i) => (i === 0 ? head : " ".repeat(indent)) + line).join("\n");
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

const verdict = ({ class: kind, images }: MaskRow): Piece =>
  kind === "attends"
    ? { text: `attends {${images.join(",")}}`, style: inkOf(images) }
    : { text: CLASS_WORDS[kind], style: isCalm(kind) ? "dim" : "alarm" };

/** One line for each step and prompt: the row as cached, beside the row of the whole text's mask. */
function decoding(
  { scene, convention, known }: MaskReport,
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
    row.class !== whole.class || `${row.images}` !== `${whole.images}`;
  const shown = lines.length > MOST_ROWS ? lines.filter(differ).slice(0, MOST_ROWS) : lines;
  const strayed = lines.filter(differ).length;
  const column = (head: string, cell: (line: (typeof lines)[number]) => Piece, gap = 3): Column => ({
    head: [head],
    cells: shown.map((line) => [cell(line)]),
    gap,
  });
  const columns = [
    ...(scene.prompts.length > 1 ? [column("prompt", ({ b }) => ({ text: `${b}` }), 2)] : []),
    column("position", ({ position }) => ({ text: `${position}` }), 2),
    column("token", ({ b, position, row }) =>
      row.isImage
        ? { text: `[image ${row.image}]`, style: row.image }
        : { text: label(scene.prompts[b]?.[position]?.text ?? "") },
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
function differing(
  report: MaskReport,
  against: Convention,
  drawing: Drawing,
  paint: Paint,
  width: number,
): string {
  const { scene, convention, difference } = report;
  const { locations, images, prompts } = scene;
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

function agreement({ scene, convention, rows, warnings }: MaskReport): string {
  const { attention } = scene;
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
