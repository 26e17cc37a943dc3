// The loss of an OpenFlamingo on a batch: the mean cross-entropy over its labels, as the language models of transformers compute it.
import { readOn, readTokens } from "../../models/language-model.ts";
import { decodingWithMedia } from "../../models/media-writer.ts";
import type { OpenFlamingo } from "../../models/open-flamingo/flamingo.ts";
import { crossEntropy, IGNORED, nextLabels } from "../../nn/cross-entropy.ts";
import { rearrange } from "../../tensor/ops/arrange.ts";
import { gather } from "../../tensor/ops/functions.ts";
import { named, shapes } from "../../tensor/pattern.ts";
import { type Bool, Int, type Tensor } from "../../tensor/tensor.ts";

/** Texts with their images, either as pixels or as the image encoder's tokens. */
export interface FlamingoBatch {
  readonly images?: Tensor<"b m f c h w"> | undefined;
  /** What the frozen image encoder gives for the images, to encode each of them once for all steps. */
  readonly features?: Tensor<"b m s d"> | undefined;
  readonly ids: Int<"b l">;
  /** False at padding. */
  readonly mask: Bool<"b l">;
}

/** The latents of a batch's images. */
function latentsOf(model: OpenFlamingo, { images, features }: FlamingoBatch): Tensor<"b m r e"> | null {
  if (images) return model.perceive(images);
  if (!features) return null;
  const frames = rearrange("b m s d -> b m 1 s d", features);
  return named("b m r e", model.perceiver.forward(named("b m f s d", frames)));
}

/** Whether a position of the batch predicts a token with a label. */
export const hasLabels = (labels: Int<"b l">): boolean =>
  nextLabels(labels)
    .flat()
    .some((id) => id !== IGNORED);

/**
 * The mean of −log p over the labels, each predicted by the position before it. Logits are computed at these positions only. Throws a
 * RuleError if no position has a label.
 */
export function flamingoLoss(model: OpenFlamingo, batch: FlamingoBatch, labels: Int<"b l">): Tensor<""> {
  const { ids, mask } = batch;
  shapes("flamingoLoss", { ids: [ids, "b l"], mask: [mask, "b l"], labels: [labels, "b l"] });
  const { lang_encoder: language, options } = model;
  // #region loss
  const targets = nextLabels(labels).flat();
  const places = Int32Array.from(targets.keys()).filter((at) => targets[at] !== IGNORED); // [flamingoTraining.loss]
  const at = decodingWithMedia(readOn(null, ids), named("b s", mask), latentsOf(model, batch), options);
  const { x } = readTokens(language, ids, at, null);
  const rows = gather(named("n d", rearrange("b l d -> (b l) d", x)), new Int<"p">([places.length], places));
  const logits = language.logits(named("b l d", rearrange("p d -> 1 p d", rows)));
  const labelled = new Int<"b l">(
    [1, places.length],
    places.map((place) => targets[place] ?? IGNORED),
  );
  return crossEntropy(logits, labelled).mean; // [flamingoTraining.loss]
  // #endregion
}
