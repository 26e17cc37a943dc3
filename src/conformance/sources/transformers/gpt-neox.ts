// The configuration of transformers' GPTNeoXForCausalLM.
import { type FieldLocation, integer, number, oneOf, optional, orNull } from "../../../io/fields.ts";
import type { JsonObject } from "../../../io/json.ts";
import { GPTNeoXForCausalLM } from "../../../models/language-models/gpt-neox.ts";
import { layers, readOptions } from "../source.ts";
import {
  activationName,
  type BuiltModel,
  flag,
  id,
  type ModelClass,
  numberOrDefault,
  only,
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
  rotary_precision: optional(oneOf("float32", "float64"), undefined),
  layer_norm_eps: numberOrDefault,
  tie_word_embeddings: flag,
  use_parallel_residual: flag,
  attention_bias: flag,
};

/** Options that decide nothing about the numbers of a forward pass, or that have one supported value. */
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
  rope_scaling: only(null),
};

function build(config: JsonObject, at: FieldLocation): BuiltModel {
  const {
    maxPositionEmbeddings,
    bosTokenId,
    padTokenId,
    eosTokenId,
    classifierDropout,
    initializerRange,
    useCache,
    attentionDropout,
    hiddenDropout,
    ropeScaling,
    ...options
  } = readOptions({ ...modelOptions, ...otherOptions }, config, at);
  return { model: new GPTNeoXForCausalLM(options), eosTokenId };
}

export const gptNeoX: ModelClass = {
  options: [...Object.keys(modelOptions), ...Object.keys(otherOptions)],
  build,
};
