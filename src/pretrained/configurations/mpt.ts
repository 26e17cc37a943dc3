// MPT in transformers: models/mpt/configuration_mpt.py of release 4.57.6. The model itself refuses the options that the package ignores.
import { object, optional, orNull, type Read, string } from "../../io/fields.ts";
import { type MptAttentionOptions, MptForCausalLM } from "../../models/language-models/mpt.ts";
import { configuration, flag, numberOrDefault, numberOrNull, only, readMembers } from "./configuration.ts";

const text = optional(string, undefined);

export const attentionOptions = {
  clip_qkv: numberOrNull,
  softmax_scale: numberOrNull,
  attn_type: text,
  prefix_lm: flag,
  qk_ln: flag,
  attn_uses_sequence_id: flag,
  alibi: flag,
  alibi_bias_max: numberOrDefault,
};

/** Options of llm-foundry that transformers ignores, with the value that describes what it computes. */
const otherAttentionOptions = {
  rope: only(false),
  qk_gn: only(false),
  sliding_window_size: only(-1),
  kv_n_heads: only(null),
};

const attention: Read<MptAttentionOptions> = (value, at) => {
  const members = object(value, at);
  readMembers(otherAttentionOptions, members, at);
  return readMembers(attentionOptions, members, at);
};
const attentionOrNull = optional(orNull(attention), undefined);

export const numberOrText: Read<number | string | null | undefined> = (value, at) =>
  typeof value === "string" ? value : numberOrNull(value, at);

/** llm-foundry's choice of a feed-forward. */
export const feedForward: Read<unknown> = (value, at) =>
  value === undefined || value === null
    ? null
    : readMembers({ ffn_type: only("mptmlp") }, object(value, at), at);

export const mpt = configuration({
  name: "MptForCausalLM",
  modelType: "mpt",
  options: {
    d_model: numberOrDefault,
    n_heads: numberOrDefault,
    n_layers: numberOrDefault,
    max_seq_len: numberOrDefault,
    vocab_size: numberOrDefault,
    layer_norm_epsilon: numberOrDefault,
    attn_config: attentionOrNull,
    tie_word_embeddings: flag,
    expansion_ratio: numberOrDefault,
    logit_scale: numberOrText,
    no_bias: flag,
    norm_type: text,
    embedding_fraction: numberOrDefault,
  },
  fixed: { ffn_config: feedForward, final_logit_softcapping: only(null) },
  aliases: { hidden_size: "d_model", num_attention_heads: "n_heads", num_hidden_layers: "n_layers" },
  longest: { option: "max_seq_len", byDefault: 2048 },
  buffers: [],
  base: { prefix: "transformer.", names: ["wte.*", "blocks.*", "norm_f.*"] },
  build: (options) => new MptForCausalLM(options),
});
