// Names within Kosmos: the parameters that the sources train, and the activations that gradient checkpointing keeps.

/** Sets of parameters, by name, each with the place where it is stated. `layers` is the number of layers of the image tower. */
export const kosmosSets = (layers: number) =>
  ({
    // #region trained
    paper: {
      source:
        "arXiv 2302.14045, §3.2: CLIP is frozen but for its last layer; so it is in train_kosmos.py of bjoernpl/KOSMOS_reimplementation",
      includes: (name: string) =>
        !name.startsWith("clip_model.") || name.startsWith(`clip_model.encoder.layers.${layers - 1}.`), // [kosmos.trained]
    },
    "kosmosx@0.3.1": {
      source: "train.py of kyegomez/Kosmos-X, which freezes nothing",
      includes: () => true, // [kosmos.trained]
    },
    // #endregion
  }) as const;

/** The results of the layers of decoder and image tower, and of the resampler. */
export const kosmosLayerOutputs = /^(decoder\.layers\.\d+|clip_model\.encoder\.layers\.\d+|perceive)$/;
