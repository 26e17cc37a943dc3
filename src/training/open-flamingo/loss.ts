import type { StatesBefore } from "../../models/language-model.ts";
import type { OpenFlamingo } from "../../models/open-flamingo/flamingo.ts";
import { IGNORED, nextLabels } from "../../nn/cross-entropy.ts";
import { checkMember } from "../../tensor/given.ts";
import { named } from "../../tensor/pattern.ts";
import type { Bool, Int, Tensor } from "../../tensor/tensor.ts";

/** Texts with their images, either as pixels or as the image encoder's tokens. */
export interface FlamingoBatch {
  readonly images?: Tensor<"b m f c h w"> | undefined;
  /** Outputs of the frozen image encoder for the images, so that each is encoded once for all steps. */
  readonly features?: Tensor<"b m s d"> | undefined;
  /** See `OpenFlamingo.loss`. */
  readonly states?: StatesBefore | undefined;
  readonly ids: Int<"b l">;
  /** False at padding. */
  readonly mask: Bool<"b l">;
}

/** Whether a position of the batch predicts a token with a label. */
export const hasLabels = (labels: Int<"b l">): boolean =>
  nextLabels(labels)
    .flat()
    .some((id) => id !== IGNORED);

/**
 * The mean of −log p over the labels, each predicted by the position before it. Logits are computed at these positions only. Throws a
 * RuleError if no position has a label, unless the model's profile has NaN, and as `OpenFlamingo.loss` does.
 */
export function flamingoLoss(model: OpenFlamingo, batch: FlamingoBatch, labels: Int<"b l">): Tensor<""> {
  checkMember("flamingoLoss", { model }, "loss", "an OpenFlamingo");
  checkMember("flamingoLoss", { batch }, "ids", "an object with ids, a mask, and images, features or states");
  const { images: visionX, features, states, ids: langX, mask } = batch;
  // #region loss
  return model.loss({ visionX, features, langX, attentionMask: named("b s", mask), labels, states }); // [trainflamingo.loss]
  // #endregion
}
