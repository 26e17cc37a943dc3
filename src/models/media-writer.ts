// Language models whose layers read images: what their layers are given in a pass, and the models as writers.
import type { Convention } from "../masks/conventions/conventions.ts";
import { passVisibility } from "../masks/decoding/passes.ts";
import { locate } from "../masks/grid.ts";
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
}

/** What the layers are given in the last of several passes over a text; `media` are the latents of all its images. */
export function decodingWithMedia(
  { text, passes }: ReadText,
  mask: Bool<"b s">,
  media: Tensor<"b m r e"> | null,
  { mediaTokenId, convention, count }: MediaText,
): Decoding {
  const images = media?.shape[1] ?? 0;
  const visibility = media && passVisibility(locate(text, mediaTokenId), passes, images, convention); // [decode.visibility]
  return { ...decodingOf(mask, passes.at(-1) ?? 0, count), media, visibility };
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
    return nextStep(model, ids, decodingWithMedia(readOn(cache, ids), mask, media, text), cache);
  },
});
