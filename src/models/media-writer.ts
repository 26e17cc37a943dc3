// Language models whose layers read images: what their layers are given in a pass, and their steps.
import { passVisibility } from "../masks/decoding/passes.ts";
import { type Grid, mediaLocations } from "../masks/grid.ts";
import type { Bool, Tensor } from "../tensor/tensor.ts";
import { type Decoding, decodingOf } from "./language-model.ts";
import {
  checkWriter,
  type MediaText,
  nextStep,
  type ReadText,
  readOn,
  type Writer,
  type WriterWithStep,
} from "./writer.ts";

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

/** A writer with its step: the one that it has, or that of its language model. Throws a RuleError that names the member which is none of a writer. */
export function withStep(writer: Writer): WriterWithStep {
  checkWriter("withStep", writer);
  if ("step" in writer) return writer;
  const { model, decoder, text } = writer;
  return {
    model,
    context() {
      const media = writer.latents();
      return media ? { media } : {};
    },
    step(ids, mask, cache, { media = null }) {
      const read = readOn(cache, ids);
      const locations = realImages(read, mask, text.mediaTokenId);
      return nextStep(decoder, ids, decodingWithMedia(read, mask, media, text, locations), cache);
    },
  };
}
