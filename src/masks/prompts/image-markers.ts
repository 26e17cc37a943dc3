// Finds the tokens that stand for images: one token, a sequence of several, or a run of placeholders that together are one image.

/** 0 text, 1 the first token of an image, 2 an end token, 3 a further token of the same image. */
export type TokenKind = 0 | 1 | 2 | 3;

export interface ImageMarker<T = string | number> {
  /** The tokens that stand for an image, one after the other. */
  readonly tokens: readonly T[];
  /** The number of occurrences, one directly after the other, that are one image; "run" where each unbroken run is one. */
  readonly length: number | "run";
}

/** The kind of each token. A rest of a run that is shorter than `length` is one more image. [prompt.image-length] */
export function markedKinds<T>(
  list: readonly T[],
  marker: ImageMarker<T>,
  isEnd: (token: T) => boolean,
): TokenKind[] {
  const { tokens, length } = marker;
  const kinds = list.map((token): TokenKind => (isEnd(token) ? 2 : 0));
  const size = tokens.length;
  const occursAt = (l: number): boolean => size > 0 && tokens.every((token, i) => list[l + i] === token);
  let joined = 0; // occurrences of this run so far
  for (let l = 0; l < list.length; ) {
    if (!occursAt(l)) {
      joined = 0;
      l++;
      continue;
    }
    const begins = length === "run" ? joined === 0 : joined % length === 0; // [prompt.image-length]
    for (let i = 0; i < size; i++) kinds[l + i] = begins && i === 0 ? 1 : 3; // [prompt.image-length]
    joined++;
    l += size;
  }
  return kinds;
}

/** An image whose run of tokens is shorter than it should be: text that was cut there, or a wrong length. */
export interface PartialImage {
  readonly position: number;
  readonly tokens: number;
  readonly expected: number;
}

/** The images that have fewer tokens than `expected`. [prompt.image-length] */
export function partialImages(kinds: ArrayLike<TokenKind>, expected: number): PartialImage[] {
  const partial: PartialImage[] = [];
  for (let l = 0; l < kinds.length; l++) {
    if (kinds[l] !== 1) continue;
    let end = l + 1;
    while (kinds[end] === 3) end++;
    if (end - l < expected) partial.push({ position: l, tokens: end - l, expected }); // [prompt.image-length]
  }
  return partial;
}
