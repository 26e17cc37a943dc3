// Draws a mask as text: the prompt as a strip of tokens, then a grid with a line for each token and a column for each image.

import { type Paint, painter, type Style } from "../../terminal/colour.ts";
import { hanging, words } from "../../terminal/prose.ts";
import { type Column, type Piece, table } from "../../terminal/table.ts";
import { label } from "../../terminal/width.ts";
import { shown } from "../conventions/check.ts";
import type { Convention } from "../conventions/schema.ts";
import { hasImage, type ImageRanges, rangesText } from "../counting/image-ranges.ts";
import { type Tiles, tilesOf } from "../counting/tiles.ts";
import type { Matrix } from "../grid.ts";
import { textsOf } from "../input.ts";
import { isLeak, outcomeLabel } from "../outcome.ts";
import { type MaskRow, textRows } from "../rows.ts";

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

export const marks = (ascii?: boolean) => (ascii ? { yes: "#", no: "." } : { yes: "■", no: "·" });

/** The label of each token: [image 2] for the second media token of the prompt. */
export const labelsOf = (rows: readonly MaskRow[], tokens: readonly string[] = []): Piece[] =>
  rows.map(({ image, position }) =>
    image > 0 ? { text: `[image ${image}]`, style: image } : { text: label(tokens[position] ?? "text") },
  );

/** The whole prompt in a few lines, with each image's number. */
export function strip(b: number, labels: readonly Piece[], paint: Paint): string {
  const name = `prompt ${b}`;
  return hanging(`${paint(name, "strong")}   `, name.length + 3, labels, paint, 78, "  ");
}

/** Position, token and text_time. */
export const tokenColumns = (rows: readonly MaskRow[], labels: readonly Piece[]): Column[] => [
  { cells: rows.map(({ position }) => [{ text: `${position}`, style: "faint" }]), align: "right" },
  { head: ["token"], cells: labels.map((label) => [label]) },
  { head: ["text_time"], cells: rows.map(({ number }) => [{ text: `${number}` }]), align: "center" },
];

/** The number of columns of an image; throws a RangeError for latents that its tiles do not divide. */
function columnsPerImage({ latents = 1, tiles }: DrawOptions): number {
  const most = tiles?.most ?? 1;
  if (latents !== 1 && !(Number.isInteger(latents) && latents > 0 && latents % most === 0))
    throw new RangeError(
      `The number of latents is ${tiles ? `1 or a multiple of the ${most} tiles` : "a whole number from 1 up"}, not ${shown(latents)}.`,
    ); // [mask.input]
  return Math.max(latents, most);
}

/** A column for each image, `latents` cells wide. Where there are many, the heading is the number alone. */
function imageColumns(b: number, rows: readonly MaskRow[], latents: number, options: DrawOptions): Column[] {
  const { tiles, ascii } = options;
  const images = rows[0]?.imageCount ?? 0;
  const { yes, no } = marks(ascii);
  const heading = images * (2 + Math.max("image 1".length, 2 * latents - 1)) > 40 ? "" : "image ";
  return Array.from({ length: images }, (_, m) => {
    const image = m + 1;
    const real = tiles ? (latents * tilesOf(tiles, b, image)) / tiles.most : latents; // [mask.tiles]
    const cells = rows.map(({ allowed }): Piece[] => {
      const open = hasImage(allowed, image) ? real : 0;
      return Array.from(
        { length: latents },
        (_, r) => (r < open ? { text: yes, style: image } : { text: no, style: "faint" }), // [mask.latents]
      );
    });
    return { head: [heading + image], cells, align: "center" };
  });
}

/** The colour of a single image; several images are strong. */
export const imageStyle = ([range, another]: ImageRanges): Style =>
  range && range[0] === range[1] && !another ? range[0] : "strong";

/** attends {1,2}; zeroed; UNIFORM LEAK. */
export const outcomeCell = ({ outcome, reaching }: MaskRow): Piece => {
  if (outcome === "attends")
    return { text: `attends {${rangesText(reaching)}}`, style: imageStyle(reaching) };
  return { text: outcomeLabel(outcome), style: isLeak(outcome) || outcome === "nan" ? "bad" : "faint" };
};

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
  const { reasons, width = Number.POSITIVE_INFINITY, first = 0 } = options;
  if (reasons !== undefined && typeof reasons !== "function")
    throw new RangeError(`reasons is a function like rowReason, not ${shown(reasons)}.`); // [mask.input]
  const latents = columnsPerImage(options);
  const paint = painter(options.colour);
  const prompts = textsOf(locations, images, convention).map((whole, b) => {
    const rows = textRows(whole, images, convention);
    const labels = labelsOf(rows, options.tokens?.[b]);
    const outcomes: Column = { cells: rows.map((row) => [outcomeCell(row)]), gap: 4 };
    const columns = [...tokenColumns(rows, labels), ...imageColumns(b, rows, latents, options), outcomes];
    const sentences = reasons ? rows.map((row) => words(reasons(row, whole.text.kinds, convention))) : [];
    const below = sentences.map((sentence) => hanging("  ", 4, sentence, paint, width));
    const lines = [strip(first + b, labels, paint), "", ...table(columns, paint), ...(reasons ? [""] : [])];
    return [...lines, ...below].join("\n"); // [mask.drawing]
  });
  return prompts.join("\n\n");
}
