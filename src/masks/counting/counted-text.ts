// The tokens of a text with the counts that its mask needs, so that the row of any position, in any part of the text, is found in
// constant time.

/** Kinds of tokens. An image whose marker has several tokens has `image` at the first and `more` at the others; anything else is text. */
export const TOKEN = { text: 0, image: 1, end: 2, more: 3 } as const;

/** The kinds of a text's tokens with the counts that its mask needs. */
export interface CountedText {
  readonly kinds: readonly number[];
  /** The number of images before each position, and before the end of the text. */
  readonly imagesBefore: readonly number[];
  /** The positions of the images' first tokens. */
  readonly imagePositions: readonly number[];
  /** For each image, the number (from 1) of the first image of its unbroken run of neighbours. */
  readonly firstNeighbours: readonly number[];
  /** For each position, the position of the end token that cuts it off from the images before it, the last such one; -1 where there is none. */
  readonly cutAt: readonly number[];
}

/** A part of a text in which images are counted from 1: the positions from `from` up to but not including `to`. */
export interface TextPart {
  readonly text: CountedText;
  readonly from: number;
  readonly to: number;
}

/** Whether a token belongs to an image. */
export const isOfImage = (kind: number | undefined): boolean => kind === TOKEN.image || kind === TOKEN.more;

/** Counts the images of a text, whose tokens are given by their kinds (`TOKEN`). */
export function countText(kinds: readonly number[]): CountedText {
  const imagesBefore = [0];
  const imagePositions: number[] = [];
  const firstNeighbours: number[] = [];
  const cutAt: number[] = [];
  let [run, end] = [0, -1];
  kinds.forEach((kind, l) => {
    if (kind === TOKEN.image) {
      imagePositions.push(l);
      if (run === 0 || !isOfImage(kinds[l - 1])) run = imagePositions.length; // [mask.neighbours]
      firstNeighbours.push(run);
      end = -1;
    }
    imagesBefore.push(imagePositions.length);
    cutAt.push(end);
    if (kind === TOKEN.end) end = l;
  });
  return { kinds, imagesBefore, imagePositions, firstNeighbours, cutAt };
}

/** A whole text as a part. */
export const wholeText = (text: CountedText): TextPart => ({ text, from: 0, to: text.kinds.length });

/** A list of kinds, or a part of a counted text. */
export type TextLike = readonly number[] | TextPart;

export const partOf = (text: TextLike): TextPart => ("text" in text ? text : wholeText(countText(text)));

/** The number of images in the part at or before position l. */
export const imagesUpTo = ({ text, from }: TextPart, l: number): number =>
  (text.imagesBefore[l + 1] ?? 0) - (text.imagesBefore[from] ?? 0);

/** The position of an image of the part (from 1), counted from the part's beginning; undefined where it has no token there. */
export function positionOfImage({ text, from, to }: TextPart, image: number): number | undefined {
  const position = text.imagePositions[(text.imagesBefore[from] ?? 0) + image - 1];
  return position === undefined || position >= to || image < 1 ? undefined : position - from;
}
