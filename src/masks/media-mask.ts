// Which text position may attend which image. Position l of prompt b has text_time[b, l], image m has the number
// m + 1, and a comparison of the two is the mask. Latents are no concern here: an image's latents share its column.

import type { Convention, Numbering } from "./conventions/schema.ts";
import { type Grid, type Matrix, promptsOf } from "./grid.ts";
import { type Counting, numbersOf, visibilityOf } from "./numbering.ts";

export interface Counts {
  readonly shape: readonly number[];
  readonly data: Int32Array;
}

/** The number of every position: how many images stand at or before it, or as the convention counts. b l -> b l */
export function textTime(locations: Matrix, how: Numbering | Counting = "inclusive"): Counts {
  const counting = typeof how === "string" ? ({ numbering: how, endTokens: "ignored" } as const) : how;
  const times = promptsOf(locations).flatMap((kinds) => numbersOf(kinds, counting)); // [mask.batch]
  return { shape: [...locations.shape], data: Int32Array.from(times) };
}

export function checkImages(images: number): void {
  if (!Number.isInteger(images) || images < 0) {
    throw new RangeError(`The number of images is a whole number from 0 up, but it is ${images}.`); // [mask.input]
  }
}

/** mayAttend: 1 where position l of prompt b may attend image m. b l -> b l m */
export function mediaMask(locations: Matrix, images: number, convention: Convention): Grid {
  checkImages(images);
  const rows = promptsOf(locations).flatMap((kinds) => visibilityOf(kinds, images, convention));
  return { shape: [...locations.shape, images], data: Uint8Array.from(rows.flat(), Number) }; // [mask.polarity]
}

/** Rows that are set to zero after the softmax because no image came yet; null where the convention has none. b l -> b l */
export function zeroedRows(locations: Matrix, convention: Convention): Grid | null {
  if (!convention.zeroBeforeFirstImage) return null;
  const { shape, data: time } = textTime(locations, convention);
  return { shape, data: Uint8Array.from(time, (t) => Number(t === 0)) }; // [mask.silent]
}

/** What a softmax over keys must be told to do what the convention does. */
export interface SoftmaxRule {
  readonly mayAttend: Grid;
  readonly emptyRow: "zero" | "uniform" | "nan";
  readonly zeroed: Grid | null;
}

/** The emptyRow of a softmax whose unmasked rows have been opened. */
export const softmaxEmptyRow = ({ emptyRow }: Convention): SoftmaxRule["emptyRow"] =>
  emptyRow === "unmasked" ? "zero" : emptyRow;

/** As mediaMask, with rows opened that the convention unmasks. b l -> b l m */
export function softmaxRule(locations: Matrix, images: number, convention: Convention): SoftmaxRule {
  const mayAttend = mediaMask(locations, images, convention);
  const rule = {
    mayAttend,
    emptyRow: softmaxEmptyRow(convention),
    zeroed: zeroedRows(locations, convention),
  };
  if (convention.emptyRow !== "unmasked") return rule;
  const data = mayAttend.data.slice();
  for (let at = 0; at < data.length; at += images) {
    const row = data.subarray(at, at + images);
    if (!row.includes(1)) row.fill(1); // [mask.unmasked-leak]
  }
  return { ...rule, mayAttend: { ...mayAttend, data } };
}
