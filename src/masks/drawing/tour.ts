// A worked example for the terminal: two prompts of four tokens, their masks, the outcome of each row, and the
// conventions that it cannot distinguish.

import { painter } from "../../terminal/colour.ts";
import { conventionOf, conventions } from "../conventions/conventions.ts";
import type { Grid } from "../grid.ts";
import { rowReason } from "../sentences.ts";
import { type DrawOptions, drawMask, marks } from "./draw-mask.ts";
import { drawAgainst, drawOutcomes } from "./side-by-side.ts";

const prompts = (...located: readonly (readonly number[])[]): Grid => ({
  shape: [located.length, located[0]?.length ?? 0],
  data: Uint8Array.from(located.flat()),
});

/** B = 2, T_txt = 4, T_img = 3, n = 2. */
export const workedExample = {
  locations: prompts([0, 1, 0, 0], [0, 0, 1, 0]),
  images: 3,
  latents: 2,
} as const;

/** The masks of this prompt under equal and at-least differ, from the second image on. */
export const distinguishingExample = { locations: prompts([1, 0, 1, 0]), images: 3 } as const;

/** The text that `flamboyance check --tour` ends with. [mask.tour] */
export function tour(options: Pick<DrawOptions, "colour" | "ascii"> = {}): string {
  const { locations, images, latents } = workedExample;
  const { immediate, "all-previous": allPrevious } = conventions;
  const releases = ["immediate", "all-previous"].map((mode) =>
    conventionOf(`flamingo-pytorch@0.1.2 ${mode}`),
  );
  const all = [immediate, allPrevious, ...releases];
  const { yes, no } = marks(options.ascii);

  return [
    painter(options.colour)("Which token sees which image: a worked example", "strong"),
    "",
    "Two prompts of four tokens and three images of two latents each. A line is a",
    "token with its text_time (image tokens so far); every two columns are an image:",
    `${yes} may attend   ${no} may not`,
    "",
    drawMask(locations, images, immediate, { ...options, latents, reasons: rowReason }),
    "",
    "The rule all-previous has the same masks here. The conventions differ in the",
    "outcome of a row that may attend to no image:",
    "",
    drawOutcomes(locations, images, all, options),
    "",
    "  {1} attends image 1   - set to zero   LEAK the average of all images",
    "",
    "This example cannot distinguish immediate from all-previous: no token follows a",
    "second image, so only empty rows differ. Two images in a prompt can:",
    "",
    drawAgainst(
      distinguishingExample.locations,
      distinguishingExample.images,
      immediate,
      allPrevious,
      options,
    ),
    "",
    "If only one image is given, positions 2 and 3 belong to a missing image:",
    "",
    drawOutcomes(distinguishingExample.locations, 1, all, options),
  ].join("\n"); // [mask.tour]
}
