// The configuration of transformers' GPTJForCausalLM.
import { type FieldLocation, integer, oneOf, optional, orNull } from "../../../io/fields.ts";
import type { JsonObject } from "../../../io/json.ts";
import { GPTJForCausalLM } from "../../../models/language-models/gptj.ts";
import { layers, readOptions, size } from "../source.ts";
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

const gptJOptions = {
  vocab_size: sizeOrDefault,
  n_positions: sizeOrDefault,
  n_embd: sizeOrDefault,
  n_layer: optional(layers, undefined),
  n_head: sizeOrDefault,
  rotary_dim: sizeOrDefault,
  rotary_precision: optional(oneOf("float32", "float64"), undefined),
  n_inner: optional(orNull(size), undefined),
  activation_function: activationName,
  layer_norm_epsilon: numberOrDefault,
  tie_word_embeddings: flag,
};

/** Options that decide nothing about the numbers of a forward pass, or that have one supported value. */
const otherGptJOptions = {
  bos_token_id: id,
  pad_token_id: id,
  eos_token_id: optional(orNull(integer), 50_256),
  resid_pdrop: only(0),
  embd_pdrop: only(0),
  attn_pdrop: only(0),
};

function build(config: JsonObject, at: FieldLocation): BuiltModel {
  const { bosTokenId, padTokenId, eosTokenId, residPdrop, embdPdrop, attnPdrop, ...options } = readOptions(
    { ...gptJOptions, ...otherGptJOptions },
    config,
    at,
  );
  return { model: new GPTJForCausalLM(options), eosTokenId };
}

export const gptJ: ModelClass = {
  options: [...Object.keys(gptJOptions), ...Object.keys(otherGptJOptions)],
  build,
};
