// Classifies the rows of a mask. Two conventions with the same boolean mask can still differ in what they compute for a row
// that allows no image, so the outcome is worked out from the mask and the convention together.

import type { Convention } from "./conventions/schema.ts";
import { type ImageRanges, NO_IMAGES, rangeOf } from "./counting/image-ranges.ts";

/**
 * The result of attention, and of the layer around it, for a text position. attends: a softmax over the images it may attend to;
 * zeroed: attention adds nothing; identity: attention adds nothing and the feed-forward does not run, so the layer leaves
 * the row unchanged; uniform-leak: the plain average of all latents of all images, whatever the query; unmasked-leak: a
 * softmax over all images, as if there were no mask; nan: NaN.
 */
export type RowOutcome = "attends" | "zeroed" | "identity" | "uniform-leak" | "unmasked-leak" | "nan";

/** Whether image content reaches a row although the mask allows none. */
export const isLeak = (outcome: RowOutcome): outcome is "uniform-leak" | "unmasked-leak" =>
  outcome === "uniform-leak" || outcome === "unmasked-leak";

/** The label of an outcome in drawings and documents: its name, but UNIFORM LEAK, UNMASKED LEAK and NaN. */
export const outcomeLabel = (outcome: RowOutcome): string =>
  isLeak(outcome) ? outcome.replace("-", " ").toUpperCase() : outcome === "nan" ? "NaN" : outcome;

/** Whether the layer's attention adds nothing to the row. */
export const addsNothing = (outcome: RowOutcome): outcome is "zeroed" | "identity" =>
  outcome === "zeroed" || outcome === "identity";

/**
 * Whether the feed-forward of the layer runs on a row. Where the convention skips empty rows, the mask alone decides: a row that
 * may attend to no image is skipped, also if it leaks. [gate.empty-row-feed-forward]
 */
export const feedForwardRuns = (
  allowsAnImage: boolean,
  { emptyRowFeedForward }: Pick<Convention, "emptyRowFeedForward">,
): boolean => emptyRowFeedForward === "run" || allowsAnImage;

/** Whether a row with this text_time is set to zero after the softmax. */
export const isZeroed = (
  textTime: number,
  { zeroBeforeFirstImage }: Pick<Convention, "zeroBeforeFirstImage">,
): boolean => zeroBeforeFirstImage && textTime === 0; // [mask.zeroed]

/**
 * The outcome of a row whose mask allows the ranges `allowed` of `images` images. `zeroed`: the row is set to zero after the
 * softmax. Whether a row is empty depends on the mask alone, not on text_time. [mask.outcome]
 */
export function rowOutcome(
  allowed: ImageRanges,
  images: number,
  zeroed: boolean,
  convention: Convention,
): RowOutcome {
  const nothing = feedForwardRuns(allowed.length > 0, convention) ? "zeroed" : "identity"; // [mask.identity]
  if (images === 0 || zeroed) return nothing; // [mask.no-image] [mask.zeroed]
  if (allowed.length > 0) return "attends";
  const outcomes = {
    zero: nothing, // [mask.empty-row]
    uniform: "uniform-leak", // [mask.uniform-leak]
    unmasked: "unmasked-leak", // [mask.unmasked-leak]
    nan: "nan",
  } as const;
  return outcomes[convention.emptyRow];
}

/** The images (from 1) that change the row when they are changed. */
export function reachingImages(allowed: ImageRanges, outcome: RowOutcome, images: number): ImageRanges {
  if (isLeak(outcome)) return rangeOf(1, images, images); // [mask.uniform-leak] [mask.unmasked-leak]
  return outcome === "attends" ? allowed : NO_IMAGES;
}
