// The configuration of transformers' MptForCausalLM. The model itself refuses the options that the package ignores.
import { number, object, oneOf, optional, orNull, type Read, string } from "../../../io/fields.ts";
import { type MptAttentionOptions, MptForCausalLM } from "../../../models/language-models/mpt.ts";
import { layers, readOptions } from "../interface/source.ts";
import { flag, id, modelClass, numberOrDefault, only, sizeOrDefault } from "./readers.ts";

const text = optional(string, undefined);

const attentionOptions = {
  clip_qkv: optional(orNull(number), undefined),
  softmax_scale: optional(orNull(number), undefined),
  attn_type: text,
  prefix_lm: flag,
  qk_ln: flag,
  attn_uses_sequence_id: flag,
  alibi: flag,
  alibi_bias_max: numberOrDefault,
  attn_pdrop: only(0),
  attn_impl: optional(oneOf("torch", "flash", "triton"), undefined),
};

const attention: Read<MptAttentionOptions> = (value, at) => {
  const { attnPdrop, attnImpl, ...options } = readOptions(attentionOptions, object(value, at), at);
  return options;
};

const numberOrText: Read<number | string | null> = (value, at) =>
  typeof value === "string" ? value : orNull(number)(value, at);

const modelOptions = {
  d_model: sizeOrDefault,
  n_heads: sizeOrDefault,
  n_layers: optional(layers, undefined),
  max_seq_len: sizeOrDefault,
  vocab_size: sizeOrDefault,
  layer_norm_epsilon: numberOrDefault,
  attn_config: optional(orNull(attention), undefined),
  tie_word_embeddings: flag,
  expansion_ratio: numberOrDefault,
  logit_scale: optional(numberOrText, undefined),
  no_bias: flag,
  norm_type: text,
  embedding_fraction: numberOrDefault,
};

const otherOptions = {
  bos_token_id: id,
  pad_token_id: id,
  eos_token_id: id,
  emb_pdrop: only(0),
  resid_pdrop: only(0),
  learned_pos_emb: flag, // MPT has no learned positions where it has ALiBi
  init_device: text,
  initializer_range: numberOrDefault,
  use_cache: flag,
  verbose: numberOrDefault,
};

export const mpt = modelClass(modelOptions, otherOptions, (options) => new MptForCausalLM(options));
