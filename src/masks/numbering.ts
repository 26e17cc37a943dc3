// Image counting within one text: the number of each position, and the images that it may attend to.

import type { Compare, Convention, Numbering } from "./conventions/schema.ts";
import {
  countText,
  cutBefore,
  imagesUpTo,
  isOfImage,
  type TextPart,
  wholeText,
} from "./counting/counted-text.ts";
import { type ImageRange, type ImageRanges, rangeOf, rangesOf } from "./counting/image-ranges.ts";

export type Counting = Pick<Convention, "numbering" | "endTokens">;

/** Whether position l holds a token of an image; a part may begin in the middle of an image's tokens. */
const isOwnToken = (part: TextPart, l: number): boolean =>
  isOfImage(part.text.kinds[l]) && imagesUpTo(part, l) > 0;

// #region text-time
const numberings: Record<Numbering, (part: TextPart, l: number) => number> = {
  inclusive: imagesUpTo, // [mask.numbering] [mask.prefix-stable]
  exclusive: (part, l) => imagesUpTo(part, l) - Number(isOwnToken(part, l)), // [mask.exclusive]
  next: (part, l) => {
    const coming = imagesUpTo(part, l) + Number(!isOwnToken(part, l)); // [mask.next]
    return coming > imagesUpTo(part, part.to - 1) ? 0 : coming; // [mask.next]
  },
};
// #endregion

/** The number of position l of a text, counted in a part of it. */
function numberAt(part: TextPart, l: number, { numbering, endTokens }: Counting): number {
  const isCut = endTokens === "cut" && cutBefore(part, l) >= 0; // the end token itself still counts the image [mask.end-token]
  return isCut ? 0 : numberings[numbering](part, l); // [mask.end-token]
}

/** The number of each position of one prompt. */
export function numbersOf(kinds: readonly number[], counting: Counting): number[] {
  const whole = wholeText(countText(kinds));
  return kinds.map((_, l) => numberAt(whole, l, counting));
}

/** A position's number (text_time), and the images that it may attend to. */
export interface NumberedRow {
  readonly number: number;
  readonly allowed: ImageRanges;
}

/** The number of position l of a text, counted in a part of it, and the images, of `images` in all, that it may attend to. */
export function numberedRow(part: TextPart, l: number, images: number, convention: Convention): NumberedRow {
  const number = numberAt(part, l, convention);
  return { number, allowed: allowedAt(part, l, number, images, convention) };
}

/** The number of the first image that is seen together with image `number`. */
function firstTogether({ text, from }: TextPart, number: number, { neighbours }: Convention): number {
  if (neighbours === "apart" || number === 0) return number;
  const earlier = text.imagesBefore[from] ?? 0;
  const first = (text.firstNeighbours[earlier + number - 1] ?? 0) - earlier + 1;
  return Math.max(1, first); // [mask.neighbours]
}

// #region compare
/** `first` is the position's own number, or the number of its image's first neighbour where neighbours are seen together. */
const comparisons: Record<Extract<Compare, string>, (number: number, first: number) => ImageRange> = {
  equal: (number, first) => [first, number], // [mask.immediate] [mask.neighbours]
  "at-least": (number) => [1, number], // [mask.all-previous]
  everything: () => [1, Number.POSITIVE_INFINITY], // [mask.everything]
};
// #endregion

/** The images that position l of a text may attend to. `number` is its number in the part. */
function allowedAt(
  part: TextPart,
  l: number,
  number: number,
  images: number,
  convention: Convention,
): ImageRanges {
  const { compare } = convention;
  if (typeof compare === "object" && "explicit" in compare)
    return rangesOf(compare.explicit[l - part.from] ?? [], images); // [mask.explicit]
  const together = firstTogether(part, number, convention);
  const [first, last] =
    typeof compare === "string"
      ? comparisons[compare](number, together)
      : [Math.min(together, number - compare.last + 1), number]; // [mask.last]
  return rangeOf(first, last, images); // [mask.padding-image]
}
