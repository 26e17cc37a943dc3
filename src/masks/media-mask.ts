// The mask between text and images. Position l of prompt b has the number text_time[b, l], image m has the number m + 1, and
// the convention compares the two. All latents of an image share its column.

import { correctedPair } from "./conventions/pair.ts";
import type { Convention, EmptyRowBehaviour, Numbering } from "./conventions/schema.ts";
import type { TextPart } from "./counting/counted-text.ts";
import { type ImageRanges, rangeOf } from "./counting/image-ranges.ts";
import type { Grid, Matrix } from "./grid.ts";
import { textsOf } from "./input.ts";
import { type Counting, type NumberedRow, numberedRow } from "./numbering.ts";
import { feedForwardRuns, isZeroed } from "./outcome.ts";

/** The rows of texts, one text after the other. */
export const rowsOfTexts = (
  texts: readonly TextPart[],
  images: number,
  convention: Convention,
): NumberedRow[] =>
  texts.flatMap((part) => part.text.kinds.map((_, l) => numberedRow(part, l, images, convention)));

/** The rows of a batch. */
const rowsOf = (locations: Matrix, images: number, convention: Convention): NumberedRow[] =>
  rowsOfTexts(textsOf(locations, images, convention), images, convention);

/** Numbers with a shape, in row-major order. */
export interface TextTimes {
  readonly shape: readonly number[];
  readonly data: Int32Array;
}

/** The number of every position: the images at or before it, or as the convention counts them. b l -> b l */
export function textTime(locations: Matrix, how: Numbering | Counting = "inclusive"): TextTimes {
  const counting = typeof how === "object" && how !== null ? how : { numbering: how, endTokens: "ignored" };
  const { numbering, endTokens } = counting as Counting;
  const rows = rowsOf(locations, 0, { ...correctedPair.immediate, numbering, endTokens });
  return { shape: [...locations.shape], data: Int32Array.from(rows, ({ number }) => number) };
}

function maskOf(allowed: readonly ImageRanges[], axes: readonly number[], images: number): Grid {
  const data = new Uint8Array(allowed.length * images);
  allowed.forEach((ranges, i) => {
    for (const [first, last] of ranges) data.fill(1, i * images + first - 1, i * images + last); // [mask.polarity]
  });
  return { shape: [...axes, images], data };
}

/** A flag for each row. */
const flags = (
  rows: readonly NumberedRow[],
  axes: readonly number[],
  of: (row: NumberedRow) => boolean,
): Grid => ({
  shape: [...axes],
  data: Uint8Array.from(rows, (row) => Number(of(row))),
});

/**
 * mayAttend: 1 where position l of prompt b may attend to image m. b l -> b l m Throws a RangeError for locations that are no
 * kinds of tokens or have other axes than b l, and unless `images` is a whole number from 0 up.
 */
export function mediaMask(locations: Matrix, images: number, convention: Convention): Grid {
  const allowed = rowsOf(locations, images, convention).map((row) => row.allowed);
  return maskOf(allowed, locations.shape, images);
}

/** 1 for rows that are set to zero after the softmax; null where the convention zeroes none. b l -> b l */
export function zeroedRows(locations: Matrix, convention: Convention): Grid | null {
  const rows = rowsOf(locations, 0, convention);
  if (!convention.zeroBeforeFirstImage) return null;
  return flags(rows, locations.shape, ({ number }) => isZeroed(number, convention));
}

/** The masks of one batch under a convention, computed once per forward pass for all cross-attention blocks. */
export interface Visibility {
  /** b l m: as mediaMask, with the rows opened that the convention unmasks. */
  readonly mayAttend: Grid;
  /** The softmax's result for a row without a 1. */
  readonly emptyRow: Exclude<EmptyRowBehaviour, "unmasked">;
  /** b l: 0 for rows that are set to zero after the softmax; null where there are none. */
  readonly postSoftmaxMask: Grid | null;
  /** b l: 1 where the feed-forward runs; null where it runs on every row. */
  readonly feedForward: Grid | null;
}

/** The emptyRow of a softmax whose unmasked rows have been opened. */
export const softmaxEmptyRow = ({ emptyRow }: Convention): Visibility["emptyRow"] =>
  emptyRow === "unmasked" ? "zero" : emptyRow;

/**
 * The masks of a batch under a convention, for all cross-attention blocks of one forward pass. `locations` has the axes b l.
 * Throws a RangeError if it has others, or if `images` is not a whole number from 0 up.
 */
export const visibilityOf = (locations: Matrix, images: number, convention: Convention): Visibility =>
  visibilityOfRows(rowsOf(locations, images, convention), locations.shape, images, convention);

/** The same from rows that are already known, such as those of a decoding step. `axes`: the numbers of prompts and of their rows. */
export function visibilityOfRows(
  rows: readonly NumberedRow[],
  axes: readonly number[],
  images: number,
  convention: Convention,
): Visibility {
  const { emptyRow, zeroBeforeFirstImage, emptyRowFeedForward } = convention;
  const opened = rangeOf(1, emptyRow === "unmasked" ? images : 0, images);
  const allowed = rows.map((row) => (row.allowed.length > 0 ? row.allowed : opened)); // [mask.unmasked-leak]
  const isKept = ({ number }: NumberedRow) => !isZeroed(number, convention);
  const isFed = (row: NumberedRow) => feedForwardRuns(row.allowed.length > 0, convention);
  return {
    mayAttend: maskOf(allowed, axes, images),
    emptyRow: softmaxEmptyRow(convention),
    postSoftmaxMask: zeroBeforeFirstImage ? flags(rows, axes, isKept) : null,
    feedForward: emptyRowFeedForward === "skip" ? flags(rows, axes, isFed) : null,
  };
}
