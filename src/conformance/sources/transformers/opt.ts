// The configuration of transformers' OPTForCausalLM.
import { integer, oneOf, optional, orNull } from "../../../io/fields.ts";
import { OPTForCausalLM } from "../../../models/language-models/opt.ts";
import { layers, size } from "../interface/source.ts";
import { activationName, flag, id, modelClass, numberOrDefault, only, sizeOrDefault } from "./readers.ts";

const optOptions = {
  vocab_size: sizeOrDefault,
  hidden_size: sizeOrDefault,
  num_hidden_layers: optional(layers, undefined),
  ffn_dim: sizeOrDefault,
  max_position_embeddings: sizeOrDefault,
  do_layer_norm_before: flag,
  word_embed_proj_dim: optional(orNull(size), undefined),
  num_attention_heads: sizeOrDefault,
  activation_function: activationName,
  enable_bias: flag,
  layer_norm_elementwise_affine: flag,
  pad_token_id: optional(orNull(integer), undefined),
  _remove_final_layer_norm: flag,
  tie_word_embeddings: flag,
};

const otherOptOptions = {
  bos_token_id: id,
  eos_token_id: optional(orNull(integer), 2),
  dropout: only(0),
  attention_dropout: only(0),
  layerdrop: only(0),
  init_std: numberOrDefault,
  use_cache: flag,
  rotary_precision: optional(oneOf("float32", "float64"), undefined), // every language model of a case may give it; OPT has no angles
};

export const opt = modelClass(
  optOptions,
  otherOptOptions,
  ({ RemoveFinalLayerNorm: removeFinalLayerNorm, ...options }) =>
    new OPTForCausalLM({ ...options, removeFinalLayerNorm }),
);
