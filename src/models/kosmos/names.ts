// Names within Kosmos: the parameters that the sources train, and the activations that gradient checkpointing keeps.

/**
 * The parameters that each source trains. `layers` is the number of layers of the image tower. The paper freezes CLIP but for its last
 * layer (arXiv 2302.14045, §3.2; so does train_kosmos.py of bjoernpl/KOSMOS_reimplementation); train.py of kyegomez/Kosmos-X freezes
 * nothing.
 */
export const kosmosSets = (layers: number) =>
  ({
    // #region trained
    paper: [/^(?!clip_model\.)/, `clip_model.encoder.layers.${layers - 1}.*`], // [kosmos.trained]
    "kosmosx@0.3.1": ["*"], // [kosmos.trained]
    // #endregion
  }) as const;

/** The results of the layers of decoder and image tower, and of the resampler. */
export const kosmosLayerOutputs = /^(decoder\.layers\.\d+|clip_model\.encoder\.layers\.\d+|perceive)$/;
