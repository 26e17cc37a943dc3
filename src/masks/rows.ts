// Every row of a batch with its outcome, for the drawings, the command line and the page.

import type { Convention } from "./conventions/schema.ts";
import { type Matrix, promptsOf } from "./grid.ts";
import { checkImages } from "./media-mask.ts";
import { attendableImages, numbersOf, TOKEN } from "./numbering.ts";
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

/** The row that a cached step uses: that of a position of some text. `how` is null where it is the text's own row. */
export interface RowOrigin {
  readonly how: StepOrigin | null;
  readonly kinds: readonly number[];
  readonly position: number;
}

export interface MaskRow {
  readonly position: number;
  /** Whether the position holds an image token. */
  readonly isImage: boolean;
  /** That image's number, from 1; 0 where the position holds none. */
  readonly image: number;
  /** The position's number (text_time). */
  readonly number: number;
  readonly mayAttend: readonly boolean[];
  readonly outcome: RowOutcome;
  /** Numbers (from 1) of the images that reach the row: those it attends to, or all of them in a leak. */
  readonly images: readonly number[];
  /** Set in the rows of a decoding step. */
  readonly origin?: RowOrigin;
}

/** The rows of one prompt, given as the kinds of its tokens. */
export function promptRows(kinds: readonly number[], images: number, convention: Convention): MaskRow[] {
  const numbers = numbersOf(kinds, convention);
  let count = 0;
  return attendableImages(kinds, images, convention).map((mayAttend, position) => {
    const number = numbers[position] ?? 0;
    const zeroed = isZeroed(number, convention);
    const outcome = rowOutcome(mayAttend, zeroed, convention);
    const isImage = kinds[position] === TOKEN.image;
    const image = isImage ? ++count : 0;
    return {
      position,
      isImage,
      image,
      number,
      mayAttend,
      outcome,
      images: reachingImages(mayAttend, outcome),
    };
  });
}

/** A list of rows for each prompt. */
export function maskRows(locations: Matrix, images: number, convention: Convention): MaskRow[][] {
  checkImages(images);
  return promptsOf(locations).map((kinds) => promptRows(kinds, images, convention));
}

/** Whether two masks allow the same images in a row. */
export const sameMask = (one: MaskRow, other: MaskRow): boolean =>
  one.mayAttend.every((may, m) => may === other.mayAttend[m]);

/** Whether the same images reach two rows in the same way. The masks may differ: a leak ignores them. */
export const sameRow = (one: MaskRow, other: MaskRow | undefined): boolean =>
  one.outcome === other?.outcome &&
  one.images.length === other.images.length &&
  one.images.every((image, i) => image === other.images[i]);
