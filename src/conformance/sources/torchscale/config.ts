// torchscale's DecoderConfig (torchscale/architecture/config.py), as cases give it: `args`.
import { boolean, number, optional, type Read, string } from "../../../io/fields.ts";
import type { CamelCased } from "../../../io/snake-case.ts";
import type {
  MagnetoActivation,
  MagnetoNormalization,
  MagnetoOptions,
} from "../../../models/language-models/magneto/options.ts";
import { only } from "../../../pretrained/configurations/configuration.ts";
import { layers, readOptions, size } from "../interface/source.ts";

/** A release, or a commit, of torchscale. */
export interface Torchscale {
  /**
   * Whether `deepnorm` sets `decoder_normalize_before` to false and `subln` to true, as in 0.3.0. At 4d1e0e8 both set
   * `encoder_normalize_before` in its place, which a decoder does not read.
   */
  readonly flagsPlaceNorms: boolean;
}

const flag = optional(boolean, undefined);
const numberOrDefault = optional(number, undefined);
const sizeOrDefault = optional(size, undefined);

/** The name of an activation; the package raises an error without a text for another one. */
export const activationName = string as Read<MagnetoActivation>;

/** Options that the decoder reads. */
const read = {
  decoder_embed_dim: sizeOrDefault,
  decoder_attention_heads: sizeOrDefault,
  decoder_ffn_embed_dim: sizeOrDefault,
  decoder_layers: optional(layers, undefined),
  decoder_normalize_before: optional(boolean, true),
  activation_fn: optional(activationName, undefined),
  dropout: numberOrDefault,
  drop_path_rate: numberOrDefault,
  attention_dropout: numberOrDefault,
  activation_dropout: numberOrDefault,
  no_scale_embedding: optional(boolean, true),
  layernorm_embedding: flag,
  rel_pos_buckets: optional(size, 0),
  max_rel_pos: optional(size, 0),
  deepnorm: optional(boolean, false),
  subln: optional(boolean, true),
  multiway: flag,
  share_decoder_input_output_embed: optional(boolean, false),
  layernorm_eps: numberOrDefault,
  vocab_size: optional(size, -1),
  xpos_rel_pos: flag,
  xpos_scale_base: numberOrDefault,
};

/** Options that do not change what a decoder computes in evaluation mode from given weights, or that have one supported value. */
const others = {
  bert_init: flag,
  max_target_positions: numberOrDefault,
  checkpoint_activations: flag,
  fsdp: flag,
  ddp_rank: numberOrDefault,
  seq_parallel: flag,
  no_output_layer: only(false),
  moe_freq: only(0),
  moe_top1_expert: flag,
  moe_expert_count: numberOrDefault,
  moe_gating_use_fp32: flag,
  moe_eval_capacity_token_fraction: numberOrDefault,
  moe_second_expert_policy: optional(string, undefined),
  moe_normalize_gate_prob_before_dropping: flag,
  use_xmoe: only(false),
  flash_attention: only(false),
  segment_length: only(null),
  dilated_ratio: only(null),
  // DecoderConfig takes any option. Kosmos-X gives it these, and no part of torchscale reads them.
  alibi_pos_bias: flag,
  alibi_num_heads: numberOrDefault,
};

const readers = { ...read, ...others };
type Values<R> = { readonly [K in keyof R]: R[K] extends Read<infer T> ? T : never };
export type DecoderConfig = CamelCased<Values<typeof read>>;

/** A DecoderConfig. */
export const decoderConfig: Read<DecoderConfig> = (value, at) => readOptions(readers, value ?? {}, at);

/** Where the norms stand, after `DecoderConfig.postprocessing`. */
export function normalizationOf(
  { deepnorm, subln, decoderNormalizeBefore }: DecoderConfig,
  { flagsPlaceNorms }: Torchscale,
): MagnetoNormalization {
  const sub = subln && !deepnorm; // deepnorm sets it to false
  const before = flagsPlaceNorms && (deepnorm || sub) ? sub : decoderNormalizeBefore;
  if (before) return sub ? "sub-ln" : "pre-ln";
  return sub ? "post-sub-ln" : "post-ln";
}

/** The options of the decoder that a configuration describes, without its tables. */
export function decoderOptions(
  config: DecoderConfig,
  release: Torchscale,
): Omit<MagnetoOptions, "vocabSize" | "maxPositions" | "splitPosition"> {
  const { relPosBuckets: buckets, maxRelPos: maxDistance, xposRelPos, multiway } = config;
  return {
    width: config.decoderEmbedDim,
    heads: config.decoderAttentionHeads,
    feedForwardWidth: config.decoderFfnEmbedDim,
    layers: config.decoderLayers,
    activation: config.activationFn,
    normalization: normalizationOf(config, release),
    deepNorm: config.deepnorm,
    eps: config.layernormEps,
    xpos: xposRelPos,
    xposScaleBase: config.xposScaleBase,
    relativePosition: buckets > 0 && maxDistance > 0 ? { buckets, maxDistance } : null,
    multiway,
    scaleEmbedding: !config.noScaleEmbedding,
    layerNormEmbedding: config.layernormEmbedding,
    tied: config.shareDecoderInputOutputEmbed,
    dropout: config.dropout,
    attentionDropout: config.attentionDropout,
    activationDropout: config.activationDropout,
    dropPathRate: config.dropPathRate,
  };
}
