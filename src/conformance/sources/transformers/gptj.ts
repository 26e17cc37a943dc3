// The configuration of transformers' GPTJForCausalLM.
import { integer, oneOf, optional, orNull } from "../../../io/fields.ts";
import { GPTJForCausalLM } from "../../../models/language-models/gptj.ts";
import { layers, size } from "../interface/source.ts";
import { activationName, flag, id, modelClass, numberOrDefault, only, sizeOrDefault } from "./readers.ts";

const gptJOptions = {
  vocab_size: sizeOrDefault,
  n_positions: sizeOrDefault,
  n_embd: sizeOrDefault,
  n_layer: optional(layers, undefined),
  n_head: sizeOrDefault,
  rotary_dim: optional(orNull(size), undefined),
  rotary_precision: optional(oneOf("float32", "float64"), undefined),
  n_inner: optional(orNull(size), undefined),
  activation_function: activationName,
  layer_norm_epsilon: numberOrDefault,
  tie_word_embeddings: flag,
};

const otherGptJOptions = {
  bos_token_id: id,
  pad_token_id: id,
  eos_token_id: optional(orNull(integer), 50_256),
  resid_pdrop: only(0),
  embd_pdrop: only(0),
  attn_pdrop: only(0),
  initializer_range: numberOrDefault,
  use_cache: flag,
};

export const gptJ = modelClass(gptJOptions, otherGptJOptions, (options) => new GPTJForCausalLM(options));
