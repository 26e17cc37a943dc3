// Compares two conventions: every row on which they differ, and the shortest prompt that distinguishes them.

import { checkConvention } from "./conventions/check.ts";
import type { Convention } from "./conventions/schema.ts";
import { countOf, differingRanges, hasImage } from "./counting/image-ranges.ts";
import { kindStrings } from "./exhaustive/prompts.ts";
import type { Matrix } from "./grid.ts";
import { type MaskRow, maskRows, sameMask, sameRow } from "./rows.ts";

/** A row on which two conventions differ. Prompts and positions count from 0. */
export interface RowDifference {
  readonly prompt: number;
  readonly position: number;
  /** The first image that the two treat differently, from 1; null where only the outcome of an empty row differs. */
  readonly image: number | null;
  readonly one: MaskRow;
  readonly other: MaskRow;
}

/** The rows on which two conventions differ. */
export interface MaskDifference {
  /** Every row that differs, in reading order. */
  readonly rows: readonly RowDifference[];
  readonly first: RowDifference | null;
  /** The number of entries of the boolean masks that differ; 0 where only outcomes do. */
  readonly cells: number;
}

/** Whether two rows differ, in the mask or in the images that reach them. [mask.difference] */
export const rowsDiffer = (one: MaskRow, other: MaskRow): boolean =>
  !sameMask(one, other) || !sameRow(one, other);

/** For each image, whether two rows treat it differently: in the mask, or because it reaches one of them only. */
export function differingImages(one: MaskRow, other: MaskRow): boolean[] {
  const masks = differingRanges(one.allowed, other.allowed);
  const reach = differingRanges(one.reaching, other.reaching);
  return Array.from(
    { length: one.imageCount },
    (_, m) => hasImage(masks, m + 1) || hasImage(reach, m + 1), // [mask.difference]
  );
}

/** The number of entries in which the masks of two rows differ. */
export const differingCells = (one: MaskRow, other: MaskRow): number =>
  countOf(differingRanges(one.allowed, other.allowed));

/** [mask.difference] */
export function differenceOf(
  locations: Matrix,
  images: number,
  one: Convention,
  other: Convention,
): MaskDifference {
  return differenceOfRows(maskRows(locations, images, one), maskRows(locations, images, other));
}

/** The difference of two masks of one batch, given as their rows. [mask.difference] */
export function differenceOfRows(
  ones: readonly (readonly MaskRow[])[],
  others: readonly (readonly MaskRow[])[],
): MaskDifference {
  let cells = 0;
  const rows = ones.flatMap((list, prompt) =>
    list.flatMap((row, position): RowDifference[] => {
      const counterpart = others[prompt]?.[position];
      if (!counterpart || !rowsDiffer(row, counterpart)) return [];
      const [inMask] = differingRanges(row.allowed, counterpart.allowed);
      const [reaching] = differingRanges(row.reaching, counterpart.reaching);
      cells += differingCells(row, counterpart);
      const image = (inMask ?? reaching)?.[0] ?? null; // [mask.difference]
      return [{ prompt, position, image, one: row, other: counterpart }];
    }),
  );
  return { rows, first: rows[0] ?? null, cells };
}

/** A prompt on which two conventions differ. */
export interface DistinguishingPrompt {
  readonly kinds: readonly number[];
  readonly images: number;
  readonly difference: MaskDifference;
}

/**
 * The shortest prompt, with the fewest images, on which two conventions differ; null where there is none up to those
 * bounds. [mask.distinguishing-prompt]
 */
export function distinguishingPrompt(
  one: Convention,
  other: Convention,
  { longest = 6, images = 4 }: { readonly longest?: number; readonly images?: number } = {},
): DistinguishingPrompt | null {
  for (const convention of [one, other]) checkConvention(convention);
  const letters = [one, other].some(({ endTokens }) => endTokens === "cut") ? 3 : 2;
  for (let length = 1; length <= longest; length++) {
    for (let n = 1; n <= images; n++) {
      for (const kinds of kindStrings(length, letters)) {
        const difference = differenceOf({ shape: [1, length], data: kinds }, n, one, other);
        if (difference.first) return { kinds, images: n, difference }; // [mask.distinguishing-prompt]
      }
    }
  }
  return null;
}
