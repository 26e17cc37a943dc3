// Image counting within one prompt: the number of each position, and the images that it may attend to.
import type { Compare, Convention, Numbering } from "./conventions/schema.ts";

/** Kinds of tokens. Anything but an image token and an end token is text. */
export const TOKEN = { text: 0, image: 1, end: 2 } as const;

export type Counting = Pick<Convention, "numbering" | "endTokens">;

// #region text-time
/** The number of images at or before each position. */
const countImages = (kinds: readonly number[]): number[] => {
  let count = 0;
  return kinds.map((kind) => (count += Number(kind === TOKEN.image))); // [mask.numbering] [mask.prefix-stable]
};
// #endregion

const numberings: Record<Numbering, (kinds: readonly number[]) => number[]> = {
  inclusive: countImages,
  exclusive: (kinds) => countImages(kinds).map((n, l) => n - Number(kinds[l] === TOKEN.image)), // [mask.exclusive]
  next: (kinds) => {
    const counts = countImages(kinds);
    const last = counts.at(-1) ?? 0;
    const coming = counts.map((n, l) => n + Number(kinds[l] !== TOKEN.image)); // [mask.next]
    return coming.map((n) => (n > last ? 0 : n)); // [mask.next]
  },
};

/** The number of each position of one prompt. */
export function numbersOf(kinds: readonly number[], { numbering, endTokens }: Counting): number[] {
  const numbers = numberings[numbering](kinds);
  if (endTokens === "ignored") return numbers;
  let cut = false;
  return numbers.map((n, l) => {
    const before = cut && kinds[l] !== TOKEN.image; // the end token itself still counts the image [mask.end-token]
    cut = kinds[l] === TOKEN.end || before;
    return before ? 0 : n; // [mask.end-token]
  });
}

/** For each image number, the number of the first image in its run of neighbours. */
function firstNeighbours(kinds: readonly number[]): number[] {
  const firsts = [0];
  kinds.forEach((kind, l) => {
    if (kind !== TOKEN.image) return;
    const joins = kinds[l - 1] === TOKEN.image; // [mask.neighbours]
    firsts.push(joins ? (firsts.at(-1) ?? 0) : firsts.length);
  });
  return firsts;
}

interface Position {
  readonly l: number;
  readonly number: number;
  /** The number of the first image that is seen together with the position's own. */
  readonly first: number;
}

type Comparison = (position: Position, image: number) => boolean;

// #region compare
/** `first` is the position's own number, or the number of its image's first neighbour where neighbours are seen together. */
const comparisons: Record<Extract<Compare, string>, Comparison> = {
  equal: ({ number, first }, image) => first <= image && image <= number, // [mask.immediate] [mask.neighbours]
  "at-least": ({ number }, image) => number >= image, // [mask.all-previous]
  everything: () => true, // [mask.everything]
};
// #endregion

function comparisonOf(compare: Compare): Comparison {
  if (typeof compare === "string") return comparisons[compare];
  if ("explicit" in compare) return ({ l }, image) => compare.explicit[l]?.includes(image) ?? false; // [mask.explicit]
  return ({ number, first }, image) => Math.min(first, number - compare.last + 1) <= image && image <= number; // [mask.last]
}

/** For each position of one prompt, whether it may attend to each of the images. */
export function attendableImages(
  kinds: readonly number[],
  images: number,
  convention: Convention,
): boolean[][] {
  const allowed = comparisonOf(convention.compare);
  const firsts = convention.neighbours === "together" ? firstNeighbours(kinds) : [];
  return numbersOf(kinds, convention).map((number, l) => {
    const position = { l, number, first: firsts[number] ?? number };
    return Array.from({ length: images }, (_, m) => {
      const mediaTime = m + 1; // [mask.padding-image]
      return allowed(position, mediaTime);
    });
  });
}
