// OPT in transformers: models/opt/configuration_opt.py of release 4.57.6.
import { OPTForCausalLM } from "../../models/language-models/opt.ts";
import {
  activationName,
  configuration,
  flag,
  idOrNull,
  numberOrDefault,
  numberOrNull,
} from "./configuration.ts";

export const opt = configuration({
  name: "OPTForCausalLM",
  modelType: "opt",
  options: {
    vocab_size: numberOrDefault,
    hidden_size: numberOrDefault,
    num_hidden_layers: numberOrDefault,
    ffn_dim: numberOrDefault,
    max_position_embeddings: numberOrDefault,
    do_layer_norm_before: flag,
    word_embed_proj_dim: numberOrNull,
    num_attention_heads: numberOrDefault,
    activation_function: activationName,
    enable_bias: flag,
    layer_norm_elementwise_affine: flag,
    pad_token_id: idOrNull,
    _remove_final_layer_norm: flag,
    tie_word_embeddings: flag,
  },
  fixed: {},
  longest: { option: "max_position_embeddings", byDefault: 2048 },
  buffers: [],
  base: { prefix: "model.", names: ["decoder.*"] },
  build: ({ RemoveFinalLayerNorm: removeFinalLayerNorm, ...options }) =>
    new OPTForCausalLM({ ...options, removeFinalLayerNorm }),
});
