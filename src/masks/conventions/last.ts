// The family of conventions in which a token sees the last k images, for any k.
import { shown } from "./check.ts";
import { paper } from "./paper.ts";
import type { NamedConvention } from "./schema.ts";

const WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/** "last 2" or "last two" as a convention; null where the text is not of that form, or k is 0. [mask.lookup] */
export function lastConvention(name: string): NamedConvention | null {
  const [, text = ""] = /^last (\d{1,7}|[a-z]+)$/.exec(name) ?? [];
  const k = /^\d/.test(text) ? Number(text) : WORDS.indexOf(text) + 1;
  return k > 0 ? lastImages(k) : null; // [mask.lookup]
}

/** A token sees the last k images at or before it; a row without an image is zeroed. Throws a RangeError unless k is a whole number from 1 up. */
export function lastImages(k: number): NamedConvention {
  if (!Number.isInteger(k) || k < 1)
    throw new RangeError(`The number k of last images is a whole number from 1 up, not ${shown(k)}.`); // [mask.input]
  return {
    ...paper.immediate,
    name: `last ${k}`,
    source: {
      package: "Flamingo, the paper",
      version: "arXiv 2204.14198v2",
      where: "section 2.3, with the last k images in place of the last one",
      thread: "streaming-vlm #18",
    },
    compare: { last: k },
    unproven: "no released package was found that computes it",
    note: `A token sees the last ${k === 1 ? "image" : `${k} images`} at or before it; attention adds nothing to a token that sees no image.`,
  };
}
