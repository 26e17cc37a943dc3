// The loss of OpenFlamingo's labels, as the language models of transformers compute it.
import { crossEntropy, IGNORED } from "../../nn/cross-entropy.ts";
import { rearrange } from "../../tensor/ops/arrange.ts";
import { gather } from "../../tensor/ops/functions.ts";
import { named } from "../../tensor/pattern.ts";
import { Int, Tensor, view } from "../../tensor/tensor.ts";
import type { LanguageModel } from "../language-model.ts";
import type { OpenFlamingoBehaviour } from "./profiles.ts";

type Behaviour = Pick<OpenFlamingoBehaviour, "lossWithoutLabels">;

/** NaN, without derivatives: what torch's mean over no targets is. */
const nan = (): Tensor<""> => new Tensor([], view(Float64Array.of(Number.NaN), []));

const hasTarget = (targets: Int): boolean => targets.flat().some((id) => id !== IGNORED);

/** The mean cross-entropy of the targets that are not ignored. Throws a RuleError if there are none, unless the profile has NaN. */
export function labelLoss(
  logits: Tensor<"b l n">,
  targets: Int<"b l">,
  { lossWithoutLabels }: Behaviour,
): Tensor<""> {
  if (lossWithoutLabels === "nan" && !hasTarget(targets)) return nan(); // [openflamingo.no-labels]
  return crossEntropy(logits, targets).mean; // [openflamingo.loss]
}

/** The same from hidden states, with the logits of positions that have a target only. */
export function labelledLoss(
  model: LanguageModel,
  x: Tensor<"b l d">,
  targets: Int<"b l">,
  behaviour: Behaviour,
): Tensor<""> {
  const given = targets.flat();
  const at = Int32Array.from(given.keys()).filter((i) => given[i] !== IGNORED); // [openflamingo.labelled-logits]
  if (at.length === 0) return labelLoss(model.logits(x), targets, behaviour);
  const rows = gather(named("r d", rearrange("b l d -> (b l) d", x)), new Int<"k">([at.length], at));
  const logits = model.logits(named("b l d", rearrange("k d -> 1 k d", rows)));
  return labelLoss(
    logits,
    new Int(
      [1, at.length],
      at.map((i) => given[i] ?? IGNORED),
    ),
    behaviour,
  );
}
