// The loss of OpenFlamingo's labels, as the language models of transformers compute it.
import { crossEntropy, IGNORED } from "../../nn/cross-entropy.ts";
import { type Int, Tensor, view } from "../../tensor/tensor.ts";
import { labelledLoss } from "../labelled-loss.ts";
import type { LanguageModel } from "../language-model.ts";
import type { OpenFlamingoBehaviour } from "./profiles.ts";

type Behaviour = Pick<OpenFlamingoBehaviour, "lossWithoutLabels">;

/** NaN, without derivatives: what torch's mean over no targets is. */
const nan = (): Tensor<""> => new Tensor([], view(Float64Array.of(Number.NaN), []));

const isNan = (targets: Int, { lossWithoutLabels }: Behaviour): boolean =>
  lossWithoutLabels === "nan" && targets.flat().every((id) => id === IGNORED);

/** The mean cross-entropy of the targets that are not ignored. Throws a RuleError if there are none, unless the profile has NaN. */
export function labelLoss(logits: Tensor<"b l n">, targets: Int<"b l">, behaviour: Behaviour): Tensor<""> {
  if (isNan(targets, behaviour)) return nan(); // [openflamingo.no-labels]
  return crossEntropy(logits, targets).mean; // [openflamingo.loss]
}

/** The same from hidden states, with the logits of positions that have a target only. */
export const labelLossOfStates = (
  model: LanguageModel,
  x: Tensor<"b l d">,
  targets: Int<"b l">,
  behaviour: Behaviour,
): Tensor<""> => (isNan(targets, behaviour) ? nan() : labelledLoss(model, x, targets)); // [openflamingo.no-labels]
