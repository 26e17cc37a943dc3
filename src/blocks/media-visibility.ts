// Which images the tokens of a batch may attend to, as an argument of the blocks: locations of image tokens, or the finished mask.

import { isConvention } from "../masks/conventions/check.ts";
import type { Convention } from "../masks/conventions/conventions.ts";
import { countText, TOKEN, wholeText } from "../masks/counting/counted-text.ts";
import { rowsOfTexts, type Visibility, visibilityOfRows } from "../masks/media-mask.ts";
import { type Check, checked, nullable, optional, passing } from "../nn/options.ts";
import { RuleError } from "../tensor/errors.ts";
import { shapes } from "../tensor/pattern.ts";
import { Bool, type Int, type Tensor } from "../tensor/tensor.ts";

/** The images that the tokens of a batch may attend to; without either field every token sees every image. */
export interface MediaVisibility {
  /** b l: true where the text holds an image token. */
  readonly mediaLocations?: Bool<"b l"> | null | undefined;
  /** The mask itself, as `visibilityOf` of flamboyance/masks computes it from the locations: a model computes it once for all its blocks. */
  readonly visibility?: Visibility | null | undefined;
}

const isGrid = (value: unknown): boolean => {
  const { shape, data } = Object(value);
  return Array.isArray(shape) && data instanceof Uint8Array;
};

function isVisibility(value: unknown): boolean {
  const { mayAttend, postSoftmaxMask, feedForward } = Object(value); // the softmax checks emptyRow
  return isGrid(mayAttend) && [postSoftmaxMask, feedForward].every((grid) => grid === null || isGrid(grid));
}

/** The check of an option that takes a mask convention. */
export const conventionCheck: Check = optional(
  passing("a mask convention, such as one of `conventions`", isConvention),
);

/** Also where end tokens (2) and further tokens of an image (3) are marked. */
const isLocations = (value: unknown): boolean =>
  value instanceof Bool && value.flat().every((kind) => kind <= TOKEN.more);

const checks: { readonly [K in keyof MediaVisibility]-?: Check } = {
  mediaLocations: optional(nullable(passing("booleans b l, as bool() makes them", isLocations))),
  visibility: optional(nullable(passing("a mask, as visibilityOf() computes it", isVisibility))),
};

/** The visibility of a batch of texts; `kindOf` gives the kind of a token: 1 for an image (TOKEN). */
export function visibilityOfText(
  tokens: Int<"b l"> | Bool<"b l">,
  kindOf: (token: number) => number,
  images: number,
  convention: Convention,
): Visibility {
  const [b = 0, l = 0] = tokens.shape;
  const kinds = Array.from(tokens.flat(), kindOf);
  const texts = Array.from({ length: b }, (_, i) => wholeText(countText(kinds.slice(i * l, (i + 1) * l)))); // [mask.batch]
  return visibilityOfRows(rowsOfTexts(texts, images, convention), tokens.shape, images, convention);
}

/**
 * The visibility in a block's forward pass: the one that is given, or that of the locations under a convention; null without either.
 * Throws a RuleError if both are given, and a ShapeError if the locations are those of another text.
 */
export function visibilityIn(
  caller: string,
  x: Tensor<"b l d">,
  media: Tensor<"b m r e">,
  masks: MediaVisibility,
  convention: Convention,
): Visibility | null {
  const { mediaLocations = null, visibility = null } = checked(`${caller}.forward`, masks, checks);
  if (!mediaLocations) return visibility;
  if (visibility)
    throw new RuleError(
      `${caller}.forward takes mediaLocations or visibility, two forms of one mask, and was given both`,
      "xattn.one-mask",
    );
  const { m } = shapes(caller, {
    x: [x, "b l d"],
    media: [media, "b m r e"],
    mediaLocations: [mediaLocations, "b l"],
  });
  return visibilityOfText(mediaLocations, Number, m, convention);
}
