// Every row of a batch with its outcome, for the drawings, the command line and the page.

import { checkMade } from "./conventions/check.ts";
import type { Convention } from "./conventions/schema.ts";
import { countText, imagesUpTo, type TextPart, TOKEN, wholeText } from "./counting/counted-text.ts";
import { hasImage, type ImageRanges, imagesIn, sameRanges } from "./counting/image-ranges.ts";
import type { Matrix } from "./grid.ts";
import { textsOf } from "./input.ts";
import { numberedRow } from "./numbering.ts";
import { isZeroed, type RowOutcome, reachingImages, rowOutcome } from "./outcome.ts";

/**
 * The origin of a cached step's row that is not the text's own row. prompt-row: the row of a position of the prompt; own-pass:
 * images are counted from position `from`, where the pass begins; last-count: the images of the text last counted;
 * beyond-prompt: the position lies after the prompt, whose mask is not continued.
 */
export type StepOrigin =
  | { readonly kind: "prompt-row"; readonly position: number }
  | { readonly kind: "own-pass"; readonly from: number }
  | { readonly kind: "last-count" }
  | { readonly kind: "beyond-prompt" };

/** The row that a cached step uses: that of a position of a part of some text. `how` is null where it is the text's own row. */
export interface RowOrigin {
  readonly how: StepOrigin | null;
  readonly part: TextPart;
  /** Counted from the beginning of the part. */
  readonly position: number;
}

export interface RowFields {
  readonly position: number;
  /** The number of the image whose first token the position holds, from 1; 0 where it holds none. */
  readonly image: number;
  /** The position's number (text_time). */
  readonly number: number;
  /** The number of images in the batch. */
  readonly imageCount: number;
  /** The images (from 1) that the mask allows. */
  readonly allowed: ImageRanges;
  readonly outcome: RowOutcome;
  /** The images that reach the row: those it attends to, or all of them in a leak. */
  readonly reaching: ImageRanges;
  /** Set in the rows of a decoding step. */
  readonly origin?: RowOrigin;
}

/** A row of a mask. Its images are ranges, which rows share; `mayAttend` and `images` list them on demand. */
export class MaskRow implements RowFields {
  declare readonly position: number;
  declare readonly image: number;
  declare readonly number: number;
  declare readonly imageCount: number;
  declare readonly allowed: ImageRanges;
  declare readonly outcome: RowOutcome;
  declare readonly reaching: ImageRanges;
  declare readonly origin?: RowOrigin;

  constructor(fields: RowFields) {
    Object.assign(this, fields);
  }

  /** Whether the position holds an image token. */
  get isImage(): boolean {
    return this.image > 0;
  }

  /** For each image, whether the mask allows it. */
  get mayAttend(): boolean[] {
    return Array.from({ length: this.imageCount }, (_, m) => hasImage(this.allowed, m + 1));
  }

  /** Numbers (from 1) of the images that reach the row. */
  get images(): number[] {
    return imagesIn(this.reaching);
  }
}

/** The row of position l of a part of a text. Positions are counted from the beginning of the part. */
export function rowAt(part: TextPart, l: number, images: number, convention: Convention): MaskRow {
  const at = part.from + l;
  const { number, allowed } = numberedRow(part, at, images, convention);
  const outcome = rowOutcome(allowed, images, isZeroed(number, convention), convention);
  const image = part.text.kinds[at] === TOKEN.image ? imagesUpTo(part, at) : 0;
  const reaching = reachingImages(allowed, outcome, images);
  return new MaskRow({ position: l, image, number, imageCount: images, allowed, outcome, reaching });
}

/** The rows of a whole text. */
export const textRows = (whole: TextPart, images: number, convention: Convention): MaskRow[] =>
  whole.text.kinds.map((_, l) => rowAt(whole, l, images, convention));

/** The rows of one prompt, given as the kinds of its tokens. */
export const promptRows = (kinds: readonly number[], images: number, convention: Convention): MaskRow[] =>
  textRows(wholeText(countText(kinds)), images, convention);

/** A list of rows for each prompt. */
export const maskRows = (locations: Matrix, images: number, convention: Convention): MaskRow[][] =>
  textsOf(locations, images, convention).map((whole) => textRows(whole, images, convention));

/** Whether two masks allow the same images in a row. */
export const sameMask = (one: MaskRow, other: MaskRow): boolean => sameRanges(one.allowed, other.allowed);

/** Whether the same images reach two rows in the same way. The masks may differ: a leak ignores them. */
export const sameRow = (one: MaskRow, other: MaskRow | undefined): boolean =>
  one.outcome === other?.outcome && sameRanges(one.reaching, other.reaching);

/** Whether two rows have the same mask and the same outcome. [mask.runs] */
export const alikeRows = (one: MaskRow, other: MaskRow): boolean =>
  sameRow(one, other) && sameMask(one, other); // [mask.runs]

/** Neighbouring positions that are alike; `to` is the last one. */
export interface Run {
  readonly from: number;
  readonly to: number;
}

/** Adds a run to a list. If it follows the last one directly and is like it, the last one is extended instead. */
export function addRun<R extends Run>(runs: R[], run: R, alike: (last: R, run: R) => boolean): void {
  const last = runs.at(-1);
  if (last?.to === run.from - 1 && alike(last, run)) runs[runs.length - 1] = { ...last, to: run.to };
  else runs.push(run);
}

/** Neighbouring rows with the same mask and the same outcome. */
export interface RowRun extends Run {
  /** The first of them. */
  readonly row: MaskRow;
}

/** The rows of a prompt as runs of equal rows. [mask.runs] */
export function runsOf(rows: readonly MaskRow[]): RowRun[] {
  checkMade("runsOf", rows, "map", "a list of rows, as maskRows makes them");
  const runs: RowRun[] = [];
  for (const row of rows)
    addRun(runs, { from: row.position, to: row.position, row }, (last, one) => alikeRows(last.row, one.row));
  return runs;
}
