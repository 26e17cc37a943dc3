// Names within OpenFlamingo: the parameters that the package trains, and the activations that gradient checkpointing keeps.

/** Resampler and gated layers, which have no pretrained values. */
export const isNewLayer = (name: string): boolean => /^perceiver\.|\.gated_cross_attn_layer\./.test(name);
/** The table of the token embeddings, in any language model. */
export const isInputTable = (name: string): boolean =>
  /^lang_encoder\.(.*\.)?(embed_tokens|embed_in|wte)\.weight$/.test(name);

/**
 * The parameters that the package trains: everything is frozen but the perceiver, gated_cross_attn_layers and, without
 * freeze_lm_embeddings, the language model's input embeddings (open_flamingo/src/factory.py of open-flamingo 2.0.1,
 * create_model_and_transforms).
 */
export const openFlamingoSets = {
  // #region trained
  "open-flamingo": [isNewLayer, isInputTable], // [factory.frozen]
  "open-flamingo, frozen embeddings": [isNewLayer], // [factory.frozen]
  // #endregion
} as const;

/**
 * The results that open-flamingo's gradient checkpointing keeps: those of the resampler, of every gated layer and of every layer of the language
 * model (open_flamingo/src/flamingo.py, `_use_gradient_checkpointing`; open_flamingo/train/train.py). With these kept, the inside of one
 * of them at a time is computed again.
 */
export const openFlamingoLayerOutputs =
  /^(perceiver|lang_encoder\..*\.\d+\.(gated_cross_attn_layer|decoder_layer))$/; // [trainflamingo.checkpointing]
