// Decisions in which published training loops of Kosmos differ from what their authors meant.

import { type Check, checked, oneOf, optional } from "../../nn/options.ts";

export interface KosmosTrainingBehaviour {
  /**
   * The loss of a step of several micro-batches: the mean over all their targets, so that they are one batch, or the mean of their means, as
   * accelerate divides each loss by the number of micro-batches.
   */
  readonly mean: "targets" | "micro-batches";
  /**
   * Gradients of parameters that the optimiser does not have. "none": there are none. "kept": they are computed, count in the norm that
   * gradients are clipped to, and are added to those of the next step, because `optimizer.zero_grad` clears those of its own parameters alone.
   */
  readonly untrained: "none" | "kept";
}

export const kosmosTraining: KosmosTrainingBehaviour = {
  mean: "targets", // [trainkosmos.mean]
  untrained: "none", // [trainkosmos.untrained]
};

const checks: { readonly [K in keyof KosmosTrainingBehaviour]-?: Check } = {
  mean: optional(oneOf(["targets", "micro-batches"])),
  untrained: optional(oneOf(["none", "kept"])),
};

/** A behaviour with its defaults. Throws a RuleError for a decision that is none of these. */
export const behaviourOf = (given: Partial<KosmosTrainingBehaviour> = {}): KosmosTrainingBehaviour => ({
  ...kosmosTraining,
  ...checked("a behaviour of trainKosmos", given, checks),
});
