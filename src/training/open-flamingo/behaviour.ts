// Decisions in which the training loop of open-flamingo differs from what most users expect.

/** The options that a profile of training may change. */
export interface FlamingoTrainingBehaviour {
  /** When the accumulated gradient is clipped: once for a step, or after each of its micro-batches. */
  readonly clipping: "step" | "micro-batch";
  /**
   * A batch without any label, whose mean loss would be 0 / 0. "skip": it adds nothing. "discard": it also discards everything that was accumulated
   * before it in the step, and the step is not taken if it is in the last micro-batch.
   */
  readonly withoutLabels: "skip" | "discard";
  /** The steps that the schedule counts: all, or those that changed the weights. */
  readonly scheduleCounts: "steps" | "updates";
  /** Weight decay of the gated layers: of their matrices, or of gates, norms and biases too. */
  readonly decay: "matrices" | "gated layers";
}

export const flamingoTraining: FlamingoTrainingBehaviour = {
  clipping: "step", // [trainflamingo.clip]
  withoutLabels: "skip", // [trainflamingo.no-labels]
  scheduleCounts: "steps",
  decay: "matrices", // [trainflamingo.decay]
};

/** Behaviours of releases, to give as `behaviour`. */
export const flamingoTrainingProfiles = {
  /** open_flamingo/train/train_utils.py and train.py */
  "open-flamingo@2.0.1": {
    clipping: "micro-batch", // [trainflamingo.clip]
    withoutLabels: "discard", // [trainflamingo.no-labels]
    scheduleCounts: "updates", // [trainflamingo.no-labels]
    decay: "gated layers", // [trainflamingo.decay]
  },
} as const satisfies Readonly<Record<string, FlamingoTrainingBehaviour>>;
