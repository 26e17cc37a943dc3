// The configuration of transformers' LlamaForCausalLM.
import { integer, oneOf, optional, orNull } from "../../../io/fields.ts";
import { LlamaForCausalLM } from "../../../models/language-models/llama.ts";
import { layers, size } from "../interface/source.ts";
import {
  activationName,
  flag,
  id,
  modelClass,
  numberOrDefault,
  only,
  ropeScaling,
  sizeOrDefault,
} from "./readers.ts";

const llamaOptions = {
  vocab_size: sizeOrDefault,
  hidden_size: sizeOrDefault,
  intermediate_size: sizeOrDefault,
  num_hidden_layers: optional(layers, undefined),
  num_attention_heads: sizeOrDefault,
  num_key_value_heads: optional(orNull(size), undefined),
  head_dim: optional(orNull(size), undefined),
  hidden_act: activationName,
  rms_norm_eps: numberOrDefault,
  rope_theta: numberOrDefault,
  rope_scaling: ropeScaling,
  rotary_precision: optional(oneOf("float32", "float64"), undefined),
  attention_bias: flag,
  mlp_bias: flag,
  pad_token_id: optional(orNull(integer), undefined),
  tie_word_embeddings: flag,
};

const otherLlamaOptions = {
  max_position_embeddings: sizeOrDefault,
  bos_token_id: id,
  eos_token_id: optional(orNull(integer), 2),
  attention_dropout: only(0),
  initializer_range: numberOrDefault,
  pretraining_tp: numberOrDefault,
  use_cache: flag,
};

export const llama = modelClass(llamaOptions, otherLlamaOptions, (options) => new LlamaForCausalLM(options));
