// Draws a mask as text: the prompt as a strip of tokens, then a grid with a line for each token and a column for each image.

import { type Paint, painter, type Style } from "../../terminal/colour.ts";
import { paragraph, wrap } from "../../terminal/prose.ts";
import { type Column, type Piece, table } from "../../terminal/table.ts";
import { label } from "../../terminal/width.ts";
import type { Convention } from "../conventions/schema.ts";
import { hasImage, type ImageRanges, rangesText } from "../counting/image-ranges.ts";
import { type Tiles, tilesOf } from "../counting/tiles.ts";
import { kindsOf, type Matrix } from "../grid.ts";
import { addsNothing, OUTCOME_LABELS } from "../outcome.ts";
import { type MaskRow, maskRows } from "../rows.ts";

/** What a drawing shows. */
export interface DrawOptions {
  /** Columns per image: 1 collapses its latents (the default), n shows n of them. */
  readonly latents?: number;
  /** The tiles of each image: those that only pad are drawn as masked. Then `latents` is a multiple of the stored tiles, or 1. */
  readonly tiles?: Tiles | undefined;
  /** The tokens as text, a list for each prompt; without it, "text". Images show their numbers. */
  readonly tokens?: readonly (readonly string[])[];
  /** The number of the first prompt; by default 0. */
  readonly first?: number;
  /** Writes the reason for a row, to be printed under the grid: `rowReason`. `text` are the kinds of the row's prompt. Default none. */
  readonly reasons?: ((row: MaskRow, text: readonly number[], convention: Convention) => string) | undefined;
  /** Columns at which reasons are wrapped; by default they are not. */
  readonly width?: number;
  /** ANSI colour, which only repeats what the text says. */
  readonly colour?: boolean;
  /** # and . in place of ■ and ·. */
  readonly ascii?: boolean;
}

export const marks = (ascii = false) => (ascii ? { yes: "#", no: "." } : { yes: "■", no: "·" });

/** The label of a token: [image 2] for the second media token of the prompt. */
const tokenLabel = (row: MaskRow, token = "text"): Piece =>
  row.isImage ? { text: `[image ${row.image}]`, style: row.image } : { text: label(token) };

/** The whole prompt in a few lines, with each image's number. */
export function strip(
  b: number,
  rows: readonly MaskRow[],
  tokens: readonly string[] = [],
  paint: Paint,
): string[] {
  const name = `prompt ${b}`;
  const labels = rows.map((row) => tokenLabel(row, tokens[row.position]));
  const lines = wrap(labels, 75 - name.length, paint, "  ");
  return lines.map((line, i) =>
    `${i === 0 ? paint(name, "strong") : " ".repeat(name.length)}   ${line}`.trimEnd(),
  );
}

const oneEach = (rows: readonly MaskRow[], of: (row: MaskRow) => Piece) => rows.map((row) => [of(row)]);

/** Position, token and text_time. */
export const tokenColumns = (rows: readonly MaskRow[], tokens: readonly string[] | undefined): Column[] => [
  {
    head: [],
    cells: oneEach(rows, ({ position }) => ({ text: `${position}`, style: "faint" })),
    align: "right",
  },
  { head: ["token"], cells: oneEach(rows, (row) => tokenLabel(row, tokens?.[row.position])) },
  { head: ["text_time"], cells: oneEach(rows, ({ number }) => ({ text: `${number}` })), align: "center" },
];

/** A column for each image, `latents` cells wide. Where there are many, the heading is the number alone. */
function imageColumns(b: number, rows: readonly MaskRow[], options: DrawOptions): Column[] {
  const { tiles, ascii } = options;
  const images = rows[0]?.imageCount ?? 0;
  const latents = Math.max(options.latents ?? 1, tiles?.most ?? 1);
  const { yes, no } = marks(ascii);
  const short = images * (2 + Math.max("image 1".length, 2 * latents - 1)) > 40;
  const cells = (row: MaskRow, image: number): Piece[] => {
    const real = tiles ? (latents * tilesOf(tiles, b, image)) / tiles.most : latents; // [mask.tiles]
    const open = hasImage(row.allowed, image) ? real : 0;
    return Array.from(
      { length: latents },
      (_, r) => (r < open ? { text: yes, style: image } : { text: no, style: "faint" }), // [mask.latents]
    );
  };
  return Array.from({ length: images }, (_, m) => ({
    head: [short ? `${m + 1}` : `image ${m + 1}`],
    cells: rows.map((row) => cells(row, m + 1)),
    align: "center",
  }));
}

/** The colour of a single image; several images are strong. */
export const imageStyle = (images: ImageRanges): Style => {
  const [range] = images;
  return images.length === 1 && range?.[0] === range?.[1] ? (range?.[0] ?? "strong") : "strong";
};

/** attends {1,2}; zeroed; UNIFORM LEAK. */
export const outcomeCell = ({ outcome, reaching }: MaskRow): Piece => {
  if (outcome === "attends")
    return { text: `attends {${rangesText(reaching)}}`, style: imageStyle(reaching) };
  return { text: OUTCOME_LABELS[outcome], style: addsNothing(outcome) ? "faint" : "bad" };
};

function checkOptions({ latents = 1, tiles, reasons }: DrawOptions): void {
  if (reasons !== undefined && typeof reasons !== "function")
    throw new RangeError(`The option reasons is a function such as rowReason, not ${String(reasons)}.`); // [mask.input]
  if (!Number.isInteger(latents) || latents < 1)
    throw new RangeError(`The number of latents is a whole number from 1 up, not ${latents}.`); // [mask.input]
  if (tiles && latents > 1 && latents % tiles.most !== 0)
    throw new RangeError(
      `The number of latents is 1 or a multiple of the ${tiles.most} stored tiles, not ${latents}.`,
    ); // [mask.input]
}

/**
 * One convention's mask of a batch: strip, grid and outcomes for each prompt, and reasons if they are asked for. Throws a
 * RangeError for input that maskRows refuses, and for a number of latents that the options exclude. [mask.drawing]
 */
export function drawMask(
  locations: Matrix,
  images: number,
  convention: Convention,
  options: DrawOptions = {},
): string {
  checkOptions(options);
  const paint = painter(options.colour);
  const { reasons, width = Number.POSITIVE_INFINITY } = options;
  const kinds = kindsOf(locations);
  const prompts = maskRows(locations, images, convention).map((rows, b) => {
    const tokens = options.tokens?.[b];
    const outcomes: Column = { head: [], cells: oneEach(rows, outcomeCell), gap: 4 };
    const grid = table([...tokenColumns(rows, tokens), ...imageColumns(b, rows, options), outcomes], paint);
    const sentences = reasons ? rows.map((row) => reasons(row, kinds[b] ?? [], convention)) : [];
    const wrapped = sentences.map((text) => paragraph("  ", 4, text, painter(false), width));
    const below = reasons ? ["", ...wrapped] : [];
    return [...strip((options.first ?? 0) + b, rows, tokens, paint), "", ...grid, ...below].join("\n"); // [mask.drawing]
  });
  return prompts.join("\n\n");
}
