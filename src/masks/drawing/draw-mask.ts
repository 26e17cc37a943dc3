// Masks as text: the prompt as a strip of tokens, under it a grid with a line for each token and a column for each image.

import { type Paint, painter, type Style } from "../../terminal/colour.ts";
import { wrap } from "../../terminal/prose.ts";
import { type Column, type Piece, table } from "../../terminal/table.ts";
import { label } from "../../terminal/width.ts";
import type { Convention } from "../conventions/schema.ts";
import type { Matrix } from "../grid.ts";
import { OUTCOME_LABELS, type RowOutcome } from "../outcome.ts";
import { type MaskRow, maskRows } from "../rows.ts";

export interface DrawOptions {
  /** Columns an image: 1 collapses its latents (the default), n unfolds them. */
  readonly latents?: number;
  /** The tokens as text, a list for each prompt; without it, "text". Images show their numbers. */
  readonly tokens?: readonly (readonly string[])[];
  /** A sentence for each row (the default). */
  readonly reasons?: boolean;
  /** ANSI colour. The drawing says the same without it. */
  readonly colour?: boolean;
  /** # and . in place of square and dot. */
  readonly ascii?: boolean;
}

export const marks = (ascii = false) => (ascii ? { yes: "#", no: "." } : { yes: "■", no: "·" });

/** A token's chip: [image 2] for the second media token of the prompt. */
const chip = (row: MaskRow, token = "text"): Piece =>
  row.isImage ? { text: `[image ${row.image}]`, style: row.image } : { text: label(token) };

/** The whole prompt in one go, with each image's number. */
export function strip(
  b: number,
  rows: readonly MaskRow[],
  tokens: readonly string[] = [],
  paint: Paint,
): string[] {
  const name = `prompt ${b}`;
  const chips = rows.map((row) => chip(row, tokens[row.position]));
  const lines = wrap(chips, 75 - name.length, paint, "  ");
  return lines.map((line, i) =>
    `${i === 0 ? paint(name, "strong") : " ".repeat(name.length)}   ${line}`.trimEnd(),
  );
}

const oneEach = (rows: readonly MaskRow[], of: (row: MaskRow) => Piece) => rows.map((row) => [of(row)]);

/** Position, token and text_time. */
export const tokenColumns = (rows: readonly MaskRow[], tokens: readonly string[] | undefined): Column[] => [
  {
    head: [],
    cells: oneEach(rows, ({ position }) => ({ text: `${position}`, style: "dim" })),
    align: "right",
  },
  { head: ["token"], cells: oneEach(rows, (row) => chip(row, tokens?.[row.position])) },
  { head: ["text_time"], cells: oneEach(rows, ({ number }) => ({ text: `${number}` })), align: "center" },
];

/** A column for each image, `latents` cells wide. Where there are many, the heading is the number alone. */
function imageColumns(rows: readonly MaskRow[], { latents = 1, ascii }: DrawOptions): Column[] {
  const images = rows[0]?.mayAttend.length ?? 0;
  const { yes, no } = marks(ascii);
  const short = images * (2 + Math.max("image 1".length, 2 * latents - 1)) > 40;
  const cell = (seen: boolean | undefined, m: number): Piece[] =>
    new Array(latents).fill(seen ? { text: yes, style: m + 1 } : { text: no, style: "dim" }); // [mask.latents]
  return Array.from({ length: images }, (_, m) => ({
    head: [short ? `${m + 1}` : `image ${m + 1}`],
    cells: rows.map((row) => cell(row.mayAttend[m], m)),
    align: "center",
  }));
}

/** A single image's own colour. */
export const inkOf = (images: readonly number[]): Style =>
  images.length === 1 ? (images[0] ?? "strong") : "strong";

/** Rows that add nothing are no reason for alarm. */
export const isCalm = (kind: RowOutcome): boolean => kind === "zeroed" || kind === "identity";

const verdict = ({ outcome: kind, images }: MaskRow): Piece => {
  if (kind === "attends") return { text: `attends {${images.join(",")}}`, style: inkOf(images) };
  return { text: OUTCOME_LABELS[kind], style: isCalm(kind) ? "dim" : "alarm" };
};

/** One convention's mask of a batch: strip, grid, row classes and reasons for each prompt. [mask.drawing] */
export function drawMask(
  locations: Matrix,
  images: number,
  convention: Convention,
  options: DrawOptions = {},
): string {
  const paint = painter(options.colour);
  const prompts = maskRows(locations, images, convention).map((rows, b) => {
    const tokens = options.tokens?.[b];
    const verdicts: Column = { head: [], cells: oneEach(rows, verdict), gap: 4 };
    const grid = table([...tokenColumns(rows, tokens), ...imageColumns(rows, options), verdicts], paint);
    const reasons = options.reasons === false ? [] : ["", ...rows.map((row) => `  ${row.reason}`)];
    return [...strip(b, rows, tokens, paint), "", ...grid, ...reasons].join("\n"); // [mask.drawing]
  });
  return prompts.join("\n\n");
}
