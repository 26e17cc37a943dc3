// Two conventions on the same prompts: where they first part, and the shortest prompt on which they part at all.

import type { Convention } from "./conventions/schema.ts";
import { sameRow } from "./decoding/decode.ts";
import { strings } from "./exhaustive/prompts.ts";
import type { Matrix } from "./grid.ts";
import { type MaskRow, maskRows } from "./rows.ts";

export interface RowDifference {
  readonly prompt: number;
  readonly position: number;
  /** The first image that the two treat differently, from 1; null where they differ only in what an empty row does. */
  readonly image: number | null;
  readonly one: MaskRow;
  readonly other: MaskRow;
  /** One sentence for each convention. */
  readonly sentence: string;
}

export interface Difference {
  /** Every row that differs, in reading order. */
  readonly rows: readonly RowDifference[];
  readonly first: RowDifference | null;
  /** How many entries of the boolean masks differ: it may be none, although rows differ. */
  readonly cells: number;
}

/** [mask.difference] */
export function differenceOf(
  locations: Matrix,
  images: number,
  one: Convention,
  other: Convention,
): Difference {
  const theirs = maskRows(locations, images, other);
  let cells = 0;
  const rows = maskRows(locations, images, one).flatMap((list, prompt) =>
    list.flatMap((row, position): RowDifference[] => {
      const against = theirs[prompt]?.[position];
      if (!against) return [];
      const parted = row.mayAttend.flatMap((may, m) => (may === against.mayAttend[m] ? [] : [m + 1]));
      cells += parted.length;
      if (parted.length === 0 && sameRow(row, against)) return []; // [mask.difference]
      const reached = row.mayAttend.findIndex(
        (_, m) => row.images.includes(m + 1) !== against.images.includes(m + 1),
      );
      const image = parted[0] ?? (reached < 0 ? null : reached + 1); // [mask.difference]
      const sentence = `${one.name}: ${row.reason}. ${other.name}: ${against.reason}.`;
      return [{ prompt, position, image, one: row, other: against, sentence }];
    }),
  );
  return { rows, first: rows[0] ?? null, cells };
}

export interface DistinguishingPrompt {
  readonly kinds: readonly number[];
  readonly images: number;
  readonly difference: Difference;
}

/** The shortest prompt, with the fewest images, whose rows tell two conventions apart; null up to those bounds. [mask.telling] */
export function distinguishingPrompt(
  one: Convention,
  other: Convention,
  { longest = 6, images = 4 }: { readonly longest?: number; readonly images?: number } = {},
): DistinguishingPrompt | null {
  const letters = [one, other].some(({ endTokens }) => endTokens === "cut") ? 3 : 2;
  for (let length = 1; length <= longest; length++) {
    for (let n = 1; n <= images; n++) {
      for (const kinds of strings(length, letters)) {
        const difference = differenceOf({ shape: [1, length], data: kinds }, n, one, other);
        if (difference.first) return { kinds, images: n, difference }; // [mask.telling]
      }
    }
  }
  return null;
}
