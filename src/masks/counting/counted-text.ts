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
  /** For each image (from 0), the first image of its unbroken run of neighbours (from 0). */
  readonly firstNeighbours: readonly number[];
  /** The number of end tokens before each position, and before the end of the text. */
  readonly endsBefore: readonly number[];
  /** The positions of end tokens. */
  readonly endPositions: readonly number[];
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
  const endsBefore = [0];
  const endPositions: number[] = [];
  kinds.forEach((kind, l) => {
    if (kind === TOKEN.end) endPositions.push(l);
    if (kind === TOKEN.image) {
      const joins = isOfImage(kinds[l - 1]); // [mask.neighbours]
      firstNeighbours.push(joins ? (firstNeighbours.at(-1) ?? 0) : imagePositions.length);
      imagePositions.push(l);
    }
    imagesBefore.push(imagePositions.length);
    endsBefore.push(endPositions.length);
  });
  return { kinds, imagesBefore, imagePositions, firstNeighbours, endsBefore, endPositions };
}

/** A whole text as a part. */
export const wholeText = (text: CountedText): TextPart => ({ text, from: 0, to: text.kinds.length });

/** A list of kinds, or a part of a counted text. A caller that needs many rows counts the text once. */
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

/** The position of the first end token between position l and the last image of the part at or before l; -1 where there is none. */
export function cutBefore(part: TextPart, l: number): number {
  const { text, from } = part;
  const image = positionOfImage(part, imagesUpTo(part, l)) ?? -1;
  const end = text.endPositions[text.endsBefore[from + image + 1] ?? 0];
  return end !== undefined && end < l ? end : -1;
}
