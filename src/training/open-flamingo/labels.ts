// Which tokens have a loss in the two datasets of OpenFlamingo: open_flamingo/train/train_utils.py of open-flamingo 2.0.1, train_one_epoch.
// Labels stand at their own tokens; `nextLabels` of nn moves them to the positions that predict them.

import { IGNORED } from "../../nn/cross-entropy.ts";
import { type Check, checked, whole } from "../../nn/options.ts";
import { RuleError } from "../../tensor/errors.ts";
import { shapes } from "../../tensor/pattern.ts";
import { Int } from "../../tensor/tensor.ts";

/** The ids of the special tokens. */
export interface LabelOptions {
  readonly mediaTokenId: number;
  /** The token that ends the text of an image. */
  readonly eocTokenId: number;
  readonly padTokenId: number;
}

const id = whole(-(2 ** 31), 2 ** 31 - 1);
const checks: { readonly [K in keyof LabelOptions]-?: Check } = {
  mediaTokenId: id,
  eocTokenId: id,
  padTokenId: id,
};

/** Checks the arguments of both. Throws a RuleError for ids that are none, and for special tokens that are not three. */
function checkLabels(caller: string, ids: Int<"b l">, options: LabelOptions): LabelOptions {
  if (!(ids instanceof Int))
    throw new RuleError(`${caller} takes a batch of token ids; int() makes it`, "labels.ids");
  shapes(caller, { ids: [ids, "b l"] });
  const known = checked(caller, options, checks);
  const { mediaTokenId, eocTokenId, padTokenId } = known;
  if (new Set([mediaTokenId, eocTokenId, padTokenId]).size < 3)
    throw new RuleError(
      `image ${mediaTokenId}, end of a chunk ${eocTokenId} and padding ${padTokenId} must be different tokens`,
      "labels.ids",
    );
  return known;
}

/**
 * Labels of captions: every token but images and padding. Throws a RuleError for anything but token ids, and for special tokens
 * that are not different.
 */
export function laionLabels(ids: Int<"b l">, options: LabelOptions): Int<"b l"> {
  const { mediaTokenId, padTokenId } = checkLabels("laionLabels", ids, options);
  const labels = ids.flat().map((id) => (id === padTokenId || id === mediaTokenId ? IGNORED : id)); // [labels.laion]
  return new Int(ids.shape, labels);
}

/**
 * Labels of interleaved text: the text of each image up to its end-of-chunk token. Text before the first image, and between that
 * token and the next image, has none. Throws a RuleError for anything but token ids, and for special tokens that are not
 * different.
 */
export function mmc4Labels(ids: Int<"b l">, options: LabelOptions): Int<"b l"> {
  const { mediaTokenId, eocTokenId, padTokenId } = checkLabels("mmc4Labels", ids, options);
  const [, l = 0] = ids.shape;
  let ofImage = false;
  const labels = ids.flat().map((id, at) => {
    if (at % l === 0) ofImage = false; // [labels.before-first-image]
    if (id === mediaTokenId) {
      ofImage = true; // [labels.mmc4]
      return IGNORED; // [labels.mmc4]
    }
    const counts = ofImage && id !== padTokenId; // [labels.mmc4]
    if (id === eocTokenId) ofImage = false; // [labels.end-of-chunk]
    return counts ? id : IGNORED;
  });
  return new Int(ids.shape, labels);
}
