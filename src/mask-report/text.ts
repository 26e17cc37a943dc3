// The report as text for a terminal: the convention, the mask, decoding, the difference, and warnings.
import type { NamedConvention } from "../masks/conventions/conventions.ts";
import type { DecodeStep } from "../masks/decoding/decode.ts";
import { drawMask, marks, outcomeCell } from "../masks/drawing/draw-mask.ts";
import { asSentence, counted, findingSentence, rowReason } from "../masks/sentences.ts";
import { type Paint, painter } from "../terminal/colour.ts";
import { heading, paragraph, words, wrap } from "../terminal/prose.ts";
import { table } from "../terminal/table.ts";
import { label, printableLine, widthOf } from "../terminal/width.ts";
import { differenceText } from "./difference-text.ts";
import { fits, hasGrid, MOST_LINES, MOST_PROMPTS } from "./limits.ts";
import { noteSentence } from "./notes.ts";
import type { MaskReport } from "./report.ts";
import { type PairRun, pairsOfDecoding } from "./runs.ts";
import { column, type Look, runsText, span, tokenPiece } from "./runs-text.ts";

export interface TextOptions {
  readonly colour?: boolean;
  readonly ascii?: boolean;
  /** Columns of the terminal. */
  readonly width?: number;
  readonly latents?: number;
}

/** The whole report; prose is wrapped at `width`, and a grid that is wider is replaced by runs of equal rows. */
export function maskText(report: MaskReport, options: TextOptions = {}): string {
  const { batch, convention, against, steps } = report;
  const { colour = false, ascii = false, width = 80, latents = 1 } = options;
  const paint = painter(colour);
  const tiles = batch.tiles ?? undefined;
  const look: Look = { paint, width, drawing: { colour, ascii, latents, tiles } };
  const title = batch.title === null ? "" : heading(printableLine(batch.title), paint, width);
  const drawn = against !== null && (report.difference?.cells ?? 0) > 0; // the difference draws both masks
  const parts = [
    title,
    [
      ...described(convention, paint, width),
      ...(against ? described(against, paint, width) : []),
      ...legend(report, look),
    ].join("\n"),
    ...(drawn ? [] : promptTexts(report, look)),
    steps ? decoding(report, steps, paint, width) : "",
    against ? differenceText(report, against, look) : "",
    agreementText(report, paint, width),
    listText("Notes", "strong", report.notes.map(noteSentence), paint, width),
    listText(
      "Warnings",
      "bad",
      report.findings.slice(0, MOST_LINES).map(findingSentence),
      paint,
      width,
      report.findings.length,
    ),
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function described({ name, source, note }: NamedConvention, paint: Paint, width: number): string[] {
  const where = `${source.package} ${source.version}: ${source.where}${source.thread ? `; see ${source.thread}` : ""}`;
  return [
    paint(name, "strong"),
    paragraph("  ", 2, note, paint, width),
    ...wrap(words(where), width - 2, painter(false)).map((line) => `  ${paint(line, "faint")}`),
  ];
}

/** The marks of the grid, the image token, and the tiles of the images. */
function legend({ batch }: MaskReport, { paint, width, drawing }: Look): string[] {
  const { yes, no } = marks(drawing.ascii);
  const marker = batch.marker === null ? "" : `   image token: ${label(batch.marker, 40)}`;
  const line = `${yes} may attend   ${no} may not`;
  const oneLine = widthOf(line + marker) <= width;
  return [
    paint(oneLine ? line + marker : line, "faint"),
    ...(oneLine ? [] : [paint(marker.trim(), "faint")]),
    ...(batch.tiles ? tileLines(batch.tiles, paint, width) : []),
  ];
}

function tileLines(
  { most, counts }: NonNullable<MaskReport["batch"]["tiles"]>,
  paint: Paint,
  width: number,
): string[] {
  return counts.slice(0, MOST_PROMPTS).map((list, b) => {
    const shown = list.slice(0, 32).join(", ") + (list.length > 32 ? ", …" : "");
    const where = counts.length > 1 ? ` of prompt ${b}` : "";
    return paragraph(
      "",
      2,
      `${counted(list.length, "image")}${where} of ${shown} tiles; each has room for ${most}`,
      paint,
      width,
    );
  });
}

/** A grid for each prompt, or its runs where the grid is too long or too wide. */
function promptTexts(report: MaskReport, look: Look): string[] {
  const { batch, convention, against, steps } = report;
  const { locations, images } = batch;
  const reasons = !against && !steps;
  const shown = batch.prompts.slice(0, MOST_PROMPTS);
  const length = locations.shape[1] ?? 0;
  const grids = hasGrid(length, images * Math.max(look.drawing.latents ?? 1, batch.tiles?.most ?? 1));
  const texts = shown.map((prompt, b) => {
    const tokens = [prompt.map(({ text }) => text)];
    const one = { shape: [1, length], data: prompt.map(({ kind }) => kind) };
    const tiles = batch.tiles && { ...batch.tiles, counts: [batch.tiles.counts[b] ?? []] };
    const options = {
      ...look.drawing,
      tokens,
      tiles: tiles ?? undefined,
      first: b,
      reasons: reasons ? rowReason : undefined,
      width: look.width,
    };
    const grid = grids ? drawMask(one, images, convention, options) : null;
    return grid !== null && fits(grid, look.width)
      ? grid
      : runsText(report, b, reasons, look.paint, look.width);
  });
  const more = batch.prompts.length - shown.length;
  return more > 0 ? [...texts, `and ${counted(more, "more prompt")}, which --json lists`] : texts;
}

function decoding(report: MaskReport, steps: readonly DecodeStep[], paint: Paint, width: number): string {
  const { batch, convention, known } = report;
  const tokens = known === 1 ? "first token" : `first ${known} tokens`;
  const head = paint(`Decoding one token at a time after the ${tokens}`, "strong");
  if (convention.cachedStep === "none") {
    const text = "There is no cache: every step runs the whole text again.";
    return [head, paragraph("  ", 2, text, paint, width)].join("\n");
  }
  const runs = pairsOfDecoding(steps);
  const differing = runs.filter(({ differs }) => differs);
  const shown = runs.length > MOST_LINES ? differing.slice(0, MOST_LINES) : runs;
  const rows = (list: readonly PairRun[]): number => list.reduce((n, { from, to }) => n + to - from + 1, 0);
  const columns = [
    ...(batch.prompts.length > 1 ? [column("prompt", shown, ({ prompt }) => `${prompt}`, 2)] : []),
    column("position", shown, ({ from, to }) => span(from, to), 2),
    column("token", shown, ({ prompt, one }) => tokenPiece(report, prompt, one)),
    column("as cached", shown, ({ one }) => outcomeCell(one)),
    column("in the whole mask", shown, ({ other }) => outcomeCell(other)),
    column("", shown, ({ differs }) => (differs ? { text: "<- differs", style: "bad" } : "")),
  ];
  const summary =
    differing.length === 0
      ? "Every cached step has the rows of the whole text's mask."
      : `${rows(differing)} of ${rows(runs)} rows differ from the whole text's mask.`;
  return [head, "", ...(shown.length > 0 ? [...table(columns, paint), ""] : []), `  ${summary}`].join("\n");
}

/** How many rows of what was recorded agree with the convention. */
function agreementText(report: MaskReport, paint: Paint, width: number): string {
  const { batch, convention, rows, findings } = report;
  const all = rows.reduce((n, list) => n + list.length, 0);
  const extent = (tensor: string, kinds: readonly string[]): string => {
    const differing = findings.reduce((n, finding) => {
      if (!kinds.includes(finding.kind) || !("tensor" in finding) || finding.tensor !== tensor) return n;
      return finding.kind === "recorded-mask-mismatch" ? n + finding.to - finding.from + 1 : n + 1;
    }, 0);
    return differing === 0 ? `all ${all}` : `${all - differing} of ${all}`;
  };
  const untiled = convention.tiled && batch.tiles === null ? ", tiles aside" : "";
  const inferred =
    convention.tiled && batch.tiles === null ? "; its tiles were taken from the mask itself" : "";
  const weights = (key: string): string =>
    `the recorded weights (${key}) agree with ${convention.name} on ${extent(key, ["attention-mismatch", "tile-mismatch"])} rows${untiled}`;
  const sentences = [
    ...(batch.attention ? [batch.attention, ...batch.otherLayers] : []).map(({ key }) => weights(key)),
    batch.recorded &&
      `the recorded mask (${batch.recorded.key}) agrees with ${convention.name} on ${extent(batch.recorded.key, ["recorded-mask-mismatch"])} rows${inferred}`,
  ];
  return sentences
    .filter((sentence) => sentence !== null)
    .map((sentence) => paragraph("", 0, asSentence(sentence), paint, width))
    .join("\n");
}

function listText(
  title: string,
  style: "strong" | "bad",
  sentences: readonly string[],
  paint: Paint,
  width: number,
  total = sentences.length,
): string {
  if (sentences.length === 0) return "";
  const mark = style === "bad" ? "  ! " : "  - ";
  const lines = sentences.map((sentence) => paragraph(mark, 4, printableLine(sentence), paint, width));
  const more = total > sentences.length ? [`  and ${total - sentences.length} more`] : [];
  return [paint(title, style), ...lines, ...more].join("\n");
}
