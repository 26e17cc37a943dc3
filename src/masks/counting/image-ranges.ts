// Sets of images as ranges of numbers, so that the row of a mask takes the same space whether it allows one image or thousands.

/** Images from `first` to `last`, both counted from 1 and included. */
export type ImageRange = readonly [first: number, last: number];

/** Ranges in ascending order that neither overlap nor touch. */
export type ImageRanges = readonly ImageRange[];

export const NO_IMAGES: ImageRanges = [];

/** The images `first` to `last` among the images 1 to `images`. */
export function rangeOf(first: number, last: number, images: number): ImageRanges {
  const [from, to] = [Math.max(first, 1), Math.min(last, images)];
  return from <= to ? [[from, to]] : NO_IMAGES;
}

/** The ranges of numbers in any order; numbers that no image has are left out. */
export function rangesOf(numbers: readonly number[], images: number): ImageRanges {
  const ranges: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    if (!Number.isInteger(number) || number < 1 || number > images) continue;
    const last = ranges.at(-1);
    if (last && number <= last[1] + 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges;
}

export const hasImage = (ranges: ImageRanges, image: number): boolean =>
  ranges.some(([first, last]) => first <= image && image <= last);

/** Whether a set has every image of a range. */
export const containsRange = (ranges: ImageRanges, [from, to]: ImageRange): boolean =>
  ranges.some(([first, last]) => first <= from && to <= last);

export const countOf = (ranges: ImageRanges): number =>
  ranges.reduce((count, [first, last]) => count + last - first + 1, 0);

export const sameRanges = (one: ImageRanges, other: ImageRanges): boolean =>
  one === other ||
  (one.length === other.length &&
    one.every(([first, last], i) => first === other[i]?.[0] && last === other[i]?.[1]));

/** The numbers in the ranges, one by one. */
export const imagesIn = (ranges: ImageRanges): number[] =>
  ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));

/** The images that are in exactly one of two sets. */
export function differingRanges(one: ImageRanges, other: ImageRanges): ImageRanges {
  // Between two neighbouring boundaries an image is in a set exactly if an odd number of the set's boundaries are at or below it.
  const boundaries = [...one, ...other].flatMap(([first, last]) => [first, last + 1]).sort((a, b) => a - b);
  const ranges: [number, number][] = [];
  for (let i = 0; i + 1 < boundaries.length; i += 2) {
    const [first = 0, end = 0] = [boundaries[i], boundaries[i + 1]];
    const last = ranges.at(-1);
    if (first === end) continue;
    if (last && last[1] === first - 1) last[1] = end - 1;
    else ranges.push([first, end - 1]);
  }
  return ranges;
}

/** "1,2,5": the numbers one by one; four and more in a row as "1-4". */
export const rangesText = (ranges: ImageRanges): string =>
  ranges
    .map(([first, last]) => (last - first >= 3 ? `${first}-${last}` : `${imagesIn([[first, last]])}`))
    .join(",");
