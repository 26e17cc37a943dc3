// Language models whose layers read images: what their layers are given in a pass, and the models as writers.
import type { Convention } from "../masks/conventions/conventions.ts";
import { passVisibility } from "../masks/decoding/passes.ts";
import { type Grid, mediaLocations } from "../masks/grid.ts";
import type { SoftmaxEmptyRow } from "../tensor/ops/table.ts";
import type { Bool, Tensor } from "../tensor/tensor.ts";
import {
  type Decoding,
  decodingOf,
  type LanguageModel,
  nextStep,
  type PositionCount,
  type ReadText,
  readOn,
  type Writer,
} from "./language-model.ts";

/** How a model finds the images in its text, and which tokens see them. */
export interface MediaText {
  readonly mediaTokenId: number;
  readonly convention: Convention;
  readonly count?: PositionCount;
  /** See `Decoding`. */
  readonly emptyRow?: SoftmaxEmptyRow | undefined;
}

/**
 * What the layers are given in the last of several passes over a text; `media` are the latents of all its images. `locations` are its
 * image tokens; by default those of padding are among them, as in open-flamingo.
 */
export function decodingWithMedia(
  { text, passes, moved }: ReadText,
  mask: Bool<"b s">,
  media: Tensor<"b m r e"> | null,
  { mediaTokenId, convention, count, emptyRow }: MediaText,
  locations: Grid = mediaLocations(moved?.fed ?? text, mediaTokenId),
): Decoding {
  const visibility =
    media && passVisibility(locations, passes, media.shape[1] ?? 0, convention, moved?.parents); // [decode.visibility] [mask.step-beams]
  return { ...decodingOf(mask, passes.at(-1) ?? 0, count), media, visibility, emptyRow };
}

/**
 * Image tokens of a text without those of padding, which may be any token in generation, the image token included. Rows that change places
 * continue the same prompt, so that their padding stands in the same places.
 */
function realImages({ text, moved }: ReadText, mask: Bool<"b s">, mediaTokenId: number): Grid {
  const { shape, data } = mediaLocations(moved?.fed ?? text, mediaTokenId);
  const real = mask.flat();
  return { shape, data: data.map((image, i) => (real[i] ? image : 0)) }; // [generate.padding]
}

/** A writer for fixed images. `perceive` encodes them; it runs once. `owner` is the module that has all parameters. */
export const writerWithMedia = (
  owner: object,
  model: LanguageModel,
  perceive: () => Tensor<"b m r e"> | null,
  text: MediaText,
): Writer => ({
  model: owner,
  context() {
    const media = perceive();
    return media ? { media } : {};
  },
  step(ids, mask, cache, { media = null }) {
    const read = readOn(cache, ids);
    const locations = realImages(read, mask, text.mediaTokenId);
    return nextStep(model, ids, decodingWithMedia(read, mask, media, text, locations), cache);
  },
});
