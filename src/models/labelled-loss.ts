// The loss of some positions of a text, for models whose vocabulary is large.
import { crossEntropy, IGNORED } from "../nn/cross-entropy.ts";
import { RuleError } from "../tensor/errors.ts";
import { rearrange } from "../tensor/ops/arrange.ts";
import { gather } from "../tensor/ops/functions.ts";
import { named } from "../tensor/pattern.ts";
import { Int, type Tensor } from "../tensor/tensor.ts";
import type { LanguageModel } from "./language-model.ts";

/**
 * The mean cross-entropy of hidden states and targets, with the logits of positions that have a target only. Throws a RuleError if there
 * are none.
 */
export function labelledLoss(
  model: Pick<LanguageModel, "logits">,
  x: Tensor<"b l d">,
  targets: Int<"b l">,
): Tensor<""> {
  const given = targets.flat();
  const at = Int32Array.from(given.keys()).filter((i) => given[i] !== IGNORED); // [openflamingo.labelled-logits] [kosmos.loss]
  if (at.length === 0)
    throw new RuleError("all targets are ignored, so the mean is undefined", "loss.counted");
  const rows = gather(named("r d", rearrange("b l d -> (b l) d", x)), new Int<"k">([at.length], at));
  const logits = model.logits(named("b l d", rearrange("k d -> 1 k d", rows)));
  const labels = at.map((i) => given[i] ?? IGNORED);
  return crossEntropy(logits, new Int<"b l">([1, at.length], labels)).mean;
}
