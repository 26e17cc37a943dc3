// The worked mask of a tutorial (two prompts of four tokens), told in a terminal: its masks, what becomes of each row,
// and what this example cannot show.

import { painter } from "../../terminal/colour.ts";
import { conventionOf, conventions } from "../conventions/conventions.ts";
import type { Grid } from "../grid.ts";
import { type DrawOptions, drawMask, marks } from "./draw-mask.ts";
import { drawAgainst, drawClasses } from "./side-by-side.ts";

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

/** Its masks under equal and at-least differ, from the second image on. */
export const distinguishingExample = { locations: prompts([1, 0, 1, 0]), images: 3 } as const;

/** The text that `flamboyance check --tour` ends with. [mask.tour] */
export function tour(options: Pick<DrawOptions, "colour" | "ascii"> = {}): string {
  const { locations, images, latents } = workedExample;
  const { immediate, "all-previous": allPrevious } = conventions;
  const released = ["immediate", "all-previous"].map((mode) =>
    conventionOf(`flamingo-pytorch@0.1.2 ${mode}`),
  );
  const all = [immediate, allPrevious, ...released];
  const { yes, no } = marks(options.ascii);

  return [
    painter(options.colour)("Which token sees which image: the worked mask", "strong"),
    "",
    "Two prompts of four tokens, three images of two latents each. A line is a token",
    "with its text_time (image tokens so far), every two columns are an image:",
    `${yes} may attend   ${no} may not`,
    "",
    drawMask(locations, images, immediate, { ...options, latents }),
    "",
    "The rule all-previous draws the same masks. What differs between conventions is",
    "what becomes of a row that may attend nothing:",
    "",
    drawClasses(locations, images, all, options),
    "",
    "  {1} attends image 1   - set to zero   LEAK the average of all images",
    "",
    "So this example cannot tell eq from ge: no token has a second image before it,",
    "the masks are equal, only empty rows differ. Two images in a prompt can tell:",
    "",
    drawAgainst(
      distinguishingExample.locations,
      distinguishingExample.images,
      immediate,
      allPrevious,
      options,
    ),
    "",
    "And if just one image is given, positions 2 and 3 ask for one that is missing:",
    "",
    drawClasses(distinguishingExample.locations, 1, all, options),
  ].join("\n"); // [mask.tour]
}
