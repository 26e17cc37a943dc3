// Image counting within one text: the number of each position, and the images that it may attend to.

import type { Compare, Convention, Numbering } from "./conventions/schema.ts";
import { countText, imagesUpTo, isOfImage, type TextPart, wholeText } from "./counting/counted-text.ts";
import { type ImageRange, type ImageRanges, rangeOf, rangesOf } from "./counting/image-ranges.ts";

export type Counting = Pick<Convention, "numbering" | "endTokens">;

// #region text-time
/** `seen`: the images at or before the position; `own`: 1 at a token of one of them, otherwise 0; `all`: the images of the text. */
const numberings: Record<Numbering, (seen: number, own: number, all: number) => number> = {
  inclusive: (seen) => seen, // [mask.numbering] [mask.prefix-stable]
  exclusive: (seen, own) => seen - own, // [mask.exclusive]
  next: (seen, own, all) => (seen - own < all ? seen - own + 1 : 0), // [mask.next]
};
// #endregion

/** The number of position l of a text, counted in a part of it, which may begin in the middle of an image's tokens. */
function numberAt(part: TextPart, l: number, { numbering, endTokens }: Counting): number {
  if (endTokens === "cut" && (part.text.cutAt[l] ?? -1) >= part.from) return 0; // the end token itself still counts the image [mask.end-token]
  const seen = imagesUpTo(part, l);
  const own = Number(seen > 0 && isOfImage(part.text.kinds[l]));
  return numberings[numbering](seen, own, imagesUpTo(part, part.to - 1));
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

// #region compare
/** `first` is the position's own number, or the number of its image's first neighbour where neighbours are seen together. */
export const comparisons: Record<Extract<Compare, string>, (number: number, first: number) => ImageRange> = {
  equal: (number, first) => [first, number], // [mask.immediate] [mask.neighbours]
  "at-least": (number) => [1, number], // [mask.all-previous]
  everything: () => [1, Number.POSITIVE_INFINITY], // [mask.everything]
};
// #endregion

/** The row of position l of a text, of whose images `images` are given. They are counted in a part of the text. */
export function numberedRow(part: TextPart, l: number, images: number, convention: Convention): NumberedRow {
  const { compare, neighbours } = convention;
  const number = numberAt(part, l, convention);
  if (typeof compare === "object" && "explicit" in compare)
    return { number, allowed: rangesOf(compare.explicit[l - part.from] ?? [], images) }; // [mask.explicit]
  const earlier = part.text.imagesBefore[part.from] ?? 0;
  const first =
    neighbours === "together"
      ? Math.max(1, (part.text.firstNeighbours[earlier + number - 1] ?? 0) - earlier) // [mask.neighbours]
      : number;
  const [from, to] =
    typeof compare === "string"
      ? comparisons[compare](number, first)
      : [Math.min(first, number - compare.last + 1), number]; // [mask.last]
  return { number, allowed: rangeOf(from, to, images) }; // [mask.padding-image]
}
