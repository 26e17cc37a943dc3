// The parameter groups of OpenFlamingo for AdamW: open_flamingo/train/train.py of open-flamingo 2.0.1, get_grouped_params.
import { stateDict } from "../../nn/state-dict.ts";
import { checkGiven } from "../../tensor/given.ts";
import type { ParameterGroup } from "../optimizers/optimizer.ts";
import { type FlamingoTrainingBehaviour, flamingoTraining } from "./behaviour.ts";

/**
 * Two groups: the gated layers, which decay, and all else, which does not. Under the release gates, norms and biases of the gated layers decay too,
 * which pulls the gates towards 0, where no image is seen; by default only matrices do.
 */
export function flamingoGroups(
  model: object,
  names: readonly string[],
  weightDecay = 0.1,
  { decay }: Pick<FlamingoTrainingBehaviour, "decay"> = flamingoTraining,
): ParameterGroup[] {
  const state = stateDict(model);
  checkGiven("flamingoGroups", { names }, "a list");
  const isMatrix = (name: string): boolean => (state.get(name)?.shape.length ?? 0) > 1;
  const decays = (name: string): boolean =>
    name.includes("gated_cross_attn") && (decay === "gated layers" || isMatrix(name)); // [trainflamingo.decay]
  return [
    { names: names.filter(decays), weightDecay },
    { names: names.filter((name) => !decays(name)), weightDecay: 0 }, // [trainflamingo.decay]
  ];
}
