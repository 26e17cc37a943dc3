// The mask between text and images. Position l of prompt b has the number text_time[b, l], image m has the number m + 1, and
// the convention compares the two. All latents of an image share its column.

import { checkConvention, checkCounting } from "./conventions/check.ts";
import type { Convention, EmptyRowBehaviour, Numbering } from "./conventions/schema.ts";
import { countText, wholeText } from "./counting/counted-text.ts";
import { type Grid, kindsOf, type Matrix } from "./grid.ts";
import { allowedAt, type Counting, numberAt, numbersOf } from "./numbering.ts";
import { feedForwardRuns, isZeroed } from "./outcome.ts";

/** Numbers with a shape, in row-major order. */
export interface TextTimes {
  readonly shape: readonly number[];
  readonly data: Int32Array;
}

/** The number of every position: the images at or before it, or as the convention counts them. b l -> b l */
export function textTime(locations: Matrix, how: Numbering | Counting = "inclusive"): TextTimes {
  const counting = typeof how === "string" ? ({ numbering: how, endTokens: "ignored" } as const) : how;
  checkCounting(counting);
  const times = kindsOf(locations).flatMap((kinds) => numbersOf(kinds, counting)); // [mask.batch]
  return { shape: [...locations.shape], data: Int32Array.from(times) };
}

export function checkImages(images: number): void {
  if (!Number.isInteger(images) || images < 0) {
    throw new RangeError(`The number of images is a whole number from 0 up, but it is ${images}.`); // [mask.input]
  }
}

/**
 * mayAttend: 1 where position l of prompt b may attend to image m. b l -> b l m Throws a RangeError for locations that are no
 * kinds of tokens or have other axes than b l, and unless `images` is a whole number from 0 up.
 */
export function mediaMask(locations: Matrix, images: number, convention: Convention): Grid {
  checkImages(images);
  checkConvention(convention);
  const prompts = kindsOf(locations);
  const length = locations.shape[1] ?? 0;
  const data = new Uint8Array(prompts.length * length * images);
  prompts.forEach((kinds, b) => {
    const whole = wholeText(countText(kinds));
    for (let l = 0; l < length; l++) {
      const row = (b * length + l) * images;
      const allowed = allowedAt(whole, l, numberAt(whole, l, convention), images, convention);
      for (const [first, last] of allowed) data.fill(1, row + first - 1, row + last); // [mask.polarity]
    }
  });
  return { shape: [...locations.shape, images], data };
}

/** 1 for rows that are set to zero after the softmax; null where the convention zeroes none. b l -> b l */
export function zeroedRows(locations: Matrix, convention: Convention): Grid | null {
  checkConvention(convention);
  if (!convention.zeroBeforeFirstImage) return null;
  const { shape, data: time } = textTime(locations, convention);
  return { shape, data: Uint8Array.from(time, (t) => Number(isZeroed(t, convention))) };
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
export function visibilityOf(locations: Matrix, images: number, convention: Convention): Visibility {
  return visibilityFrom(
    mediaMask(locations, images, convention),
    zeroedRows(locations, convention),
    convention,
  );
}

/** The same from a mask that is already computed, such as that of a decoding step. `zeroed` as zeroedRows returns it. */
export function visibilityFrom(mask: Grid, zeroed: Grid | null, convention: Convention): Visibility {
  const mayAttend = convention.emptyRow === "unmasked" ? opened(mask) : mask;
  return {
    mayAttend,
    emptyRow: softmaxEmptyRow(convention),
    postSoftmaxMask: zeroed && { ...zeroed, data: zeroed.data.map((row) => 1 - row) },
    feedForward: convention.emptyRowFeedForward === "run" ? null : fedRows(mask, convention),
  };
}

function fedRows({ shape, data }: Grid, convention: Convention): Grid {
  const [b = 0, l = 0, images = 0] = shape;
  const runs = (_: unknown, i: number): number =>
    Number(feedForwardRuns(data.subarray(i * images, (i + 1) * images).includes(1), convention));
  return { shape: [b, l], data: Uint8Array.from({ length: b * l }, runs) };
}

/** A mask whose empty rows allow every image. */
function opened({ shape, data }: Grid): Grid {
  const images = shape[2] ?? 0;
  const open = data.slice();
  for (let at = 0; at < open.length; at += images) {
    const row = open.subarray(at, at + images);
    if (!row.includes(1)) row.fill(1); // [mask.unmasked-leak]
  }
  return { shape, data: open };
}
