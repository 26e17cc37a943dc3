// The arguments that every mask is computed from, checked.
import { checkConvention, shown } from "./conventions/check.ts";
import type { Convention } from "./conventions/schema.ts";
import { countText, type TextPart, wholeText } from "./counting/counted-text.ts";
import { kindsOf, type Matrix } from "./grid.ts";

/**
 * The prompts of a batch, counted. Throws a RangeError for locations that are no kinds of tokens or have other axes than b l,
 * for a number of images that is no whole number from 0 up, and for a value that is no convention.
 */
export function textsOf(locations: Matrix, images: number, convention: Convention): TextPart[] {
  checkConvention(convention);
  if (!Number.isInteger(images) || images < 0)
    throw new RangeError(`The number of images is a whole number from 0 up, not ${shown(images)}.`); // [mask.input]
  return kindsOf(locations).map((kinds) => wholeText(countText(kinds))); // [mask.batch]
}
