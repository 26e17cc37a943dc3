// The configuration of transformers' GPTNeoXForCausalLM.
import { integer, number, oneOf, optional, orNull } from "../../../io/fields.ts";
import { GPTNeoXForCausalLM } from "../../../models/language-models/gpt-neox.ts";
import { layers } from "../interface/source.ts";
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

const modelOptions = {
  vocab_size: sizeOrDefault,
  hidden_size: sizeOrDefault,
  num_hidden_layers: optional(layers, undefined),
  num_attention_heads: sizeOrDefault,
  intermediate_size: sizeOrDefault,
  hidden_act: activationName,
  rotary_pct: numberOrDefault,
  rotary_emb_base: numberOrDefault,
  rope_scaling: ropeScaling,
  rotary_precision: optional(oneOf("float32", "float64"), undefined),
  layer_norm_eps: numberOrDefault,
  tie_word_embeddings: flag,
  use_parallel_residual: flag,
  attention_bias: flag,
};

const otherOptions = {
  max_position_embeddings: sizeOrDefault,
  bos_token_id: id,
  pad_token_id: id,
  eos_token_id: optional(orNull(integer), 2),
  classifier_dropout: optional(number, 0),
  initializer_range: optional(number, 0),
  use_cache: flag,
  attention_dropout: only(0),
  hidden_dropout: only(0),
};

export const gptNeoX = modelClass(modelOptions, otherOptions, (options) => new GPTNeoXForCausalLM(options));
