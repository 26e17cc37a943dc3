// MosaicML's MPT: models/mpt/configuration_mpt.py of llm-foundry 0.22.0, and its predecessor MosaicGPT, whose configuration and names
// llm-foundry's scripts/misc/convert_examples_ckpt.py translates.
import { boolean, object, oneOf, optional, orNull, type Read } from "../../io/fields.ts";
import { isObject, type Json, type JsonObject } from "../../io/json.ts";
import {
  ATTENTION_TYPES,
  MOSAIC_GPT_NAMES,
  type MosaicMptAttentionOptions,
  MosaicMptForCausalLM,
  NORMS,
} from "../../models/language-models/mosaic-mpt.ts";
import {
  configuration,
  deciding,
  flag,
  idOrNull,
  inside,
  numberOrDefault,
  numberOrNull,
  only,
  readMembers,
  unsupported,
} from "./configuration.ts";
import { feedForward, numberOrText } from "./mpt.ts";

export const attentionOptions = {
  attn_type: optional(deciding(oneOf(...ATTENTION_TYPES)), undefined),
  kv_n_heads: numberOrNull,
  qk_ln: flag,
  clip_qkv: numberOrNull,
  softmax_scale: numberOrNull,
  alibi: flag,
  alibi_bias_max: numberOrDefault,
  prefix_lm: flag,
  attn_uses_sequence_id: flag,
  qk_gn: flag,
  fused_qkv: flag,
  rope: flag,
  sliding_window_size: numberOrDefault,
  attn_logit_softcapping: numberOrNull,
};

/** A factor of queries that grows with their position; there is none where its scale is 0. */
const temperature: Read<null> = (value, at) => {
  if (value === undefined || value === null) return null;
  const { attn_scale: scale = 0 } = object(value, at);
  if (scale !== 0) throw unsupported(inside(at, "attn_scale"), "has to be 0; other values are not supported");
  return null;
};

/** Options of attention that would change the numbers of a forward pass, and that have one supported value. */
export const fixedAttentionOptions = {
  nope: only(false),
  kv_dim: only(null),
  attn_temperature_tuning: temperature,
};

const attention: Read<MosaicMptAttentionOptions> = (value, at) => {
  const members = object(value, at);
  readMembers(fixedAttentionOptions, members, at);
  return readMembers(attentionOptions, members, at);
};
const normType = optional(deciding(oneOf(...NORMS)), undefined);
const flagOrNull = optional(orNull(boolean), undefined);
const attentionOrNull = optional(orNull(attention), undefined);

/** Values with which the MPT of transformers computes the same; it ignores all others. Those of attention are below `attn_config`. */
const IGNORED: Readonly<Record<string, readonly Json[]>> = {
  expansion_ratio: [4],
  logit_scale: [null],
  no_bias: [true],
  attention_bias: [null, false],
  norm_type: ["low_precision_layernorm", "layernorm"],
  norm_eps: [1e-5],
  embedding_fraction: [1],
};
const IGNORED_OF_ATTENTION: Readonly<Record<string, readonly Json[]>> = {
  attn_type: ["multihead_attention"],
  kv_n_heads: [null],
  qk_ln: [false],
  alibi: [true],
  alibi_bias_max: [8],
};

const differs = (members: JsonObject, values: Readonly<Record<string, readonly Json[]>>): boolean =>
  Object.entries(values).some(([name, same]) => {
    const given = members[name];
    return given !== undefined && !same.includes(given);
  });

/**
 * Whether transformers' MptForCausalLM would ignore an option of this configuration, and compute another model. One that names that class
 * was saved by it: its weights belong to what that class computes.
 */
export function needsMosaicMpt(config: JsonObject): boolean {
  const { architectures } = config;
  if (Array.isArray(architectures) && architectures[0] === "MptForCausalLM") return false; // [mosaic.config]
  const attention = isObject(config.attn_config) ? config.attn_config : {};
  return differs(config, IGNORED) || differs(attention, IGNORED_OF_ATTENTION); // [mosaic.config]
}

export const mosaicMpt = configuration({
  name: "MPTForCausalLM",
  modelType: "mpt",
  options: {
    d_model: numberOrDefault,
    n_heads: numberOrDefault,
    n_layers: numberOrDefault,
    expansion_ratio: numberOrDefault,
    max_seq_len: numberOrDefault,
    vocab_size: numberOrDefault,
    learned_pos_emb: flag,
    attn_config: attentionOrNull,
    logit_scale: numberOrText,
    no_bias: flag,
    attention_bias: flagOrNull,
    embedding_fraction: numberOrDefault,
    norm_type: normType,
    norm_eps: numberOrDefault,
    tie_word_embeddings: flag,
    pad_token_id: idOrNull,
  },
  fixed: {
    head_dim: only(null),
    block_overrides: only(null),
    final_logit_softcapping: only(null),
    ffn_config: feedForward,
  },
  longest: { option: "max_seq_len", byDefault: 2048 },
  buffers: [],
  base: { prefix: "transformer.", names: ["wte.*", "wpe.*", "blocks.*", "norm_f.*"] },
  build: (options) => new MosaicMptForCausalLM(options),
});

/** Options of attention that MosaicGPT has beside the others, and their names in `attn_config`. */
const MOSAIC_GPT_ATTENTION: Readonly<Record<string, string>> = {
  attn_qk_ln: "qk_ln",
  attn_clip_qkv: "clip_qkv",
  softmax_scale: "softmax_scale",
  prefix_lm: "prefix_lm",
  attn_uses_sequence_id: "attn_uses_sequence_id",
  alibi: "alibi",
  alibi_bias_max: "alibi_bias_max",
};

/** A configuration of MosaicGPT in the names of llm-foundry. */
function fromMosaicGpt(config: JsonObject): JsonObject {
  const { mlp_ratio: ratio, ...others } = config;
  const entries = Object.entries(MOSAIC_GPT_ATTENTION).flatMap(([old, name]) => {
    const value = config[old];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...others,
    ...(ratio === undefined ? {} : { expansion_ratio: ratio }),
    attn_config: Object.fromEntries(entries), // [mosaic.config]
  };
}

export const mosaicGpt = configuration({
  ...mosaicMpt,
  name: "MosaicGPT",
  modelType: "mosaic_gpt",
  renamed: fromMosaicGpt,
  otherNames: MOSAIC_GPT_NAMES,
});
