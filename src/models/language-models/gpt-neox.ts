// GPT-NeoX: Black et al., arXiv 2204.06745, §2.1. Names and defaults are those of transformers 4.57.6, models/gpt_neox.
import { ACTIVATIONS, type ActivationName, activation } from "../../nn/activations.ts";
import { Embedding } from "../../nn/embedding.ts";
import { Linear, NO_BIAS } from "../../nn/linear.ts";
import { LayerNorm } from "../../nn/norms/layer-norm.ts";
import {
  between,
  type Check,
  checked,
  count,
  flag,
  layers,
  nullable,
  oneOf,
  optional,
  positive,
} from "../../nn/options.ts";
import { normal } from "../../nn/parameter.ts";
import { type AnglePrecision, anglePrecision } from "../../nn/positions/angles.ts";
import { rotary } from "../../nn/positions/rotary.ts";
import { checkScaling, type RopeScaling, ropeScaling } from "../../nn/positions/scaling.ts";
import { RuleError } from "../../tensor/errors.ts";
import { rearrange, split } from "../../tensor/ops/arrange.ts";
import { add, mulScalar } from "../../tensor/ops/functions.ts";
import { named } from "../../tensor/pattern.ts";
import { tap } from "../../tensor/program/apply.ts";
import type { Int, Tensor } from "../../tensor/tensor.ts";
import type { Decoded, DecoderLayer, Decoding, KeyValues, LanguageModel } from "../language-model.ts";
import { multiHead } from "./multi-head.ts";

/** The arguments of transformers' GPTNeoXConfig. */
export interface GPTNeoXOptions {
  readonly vocabSize?: number | undefined;
  /** A multiple of the number of heads. */
  readonly hiddenSize?: number | undefined;
  readonly numHiddenLayers?: number | undefined;
  readonly numAttentionHeads?: number | undefined;
  readonly intermediateSize?: number | undefined;
  readonly hiddenAct?: ActivationName | undefined;
  /** The share of a head's dimensions that is rotated; their number is rounded down and has to be even. */
  readonly rotaryPct?: number | undefined;
  readonly rotaryEmbBase?: number | undefined;
  /** Other frequencies than those of the paper, of checkpoints whose context was lengthened. Default: null. */
  readonly ropeScaling?: RopeScaling | null | undefined;
  /** The arithmetic of rotary angles: float32 by default, as in transformers, whatever the precision of the model. */
  readonly rotaryPrecision?: AnglePrecision | undefined;
  readonly layerNormEps?: number | undefined;
  /** Whether the projection to the vocabulary is the embedding table. Default false. */
  readonly tieWordEmbeddings?: boolean | undefined;
  /** Whether the feed-forward reads the layer's input, as attention does, or the sum of that input and attention. Default true. */
  readonly useParallelResidual?: boolean | undefined;
  readonly attentionBias?: boolean | undefined;
}

const checks: { readonly [K in keyof GPTNeoXOptions]-?: Check } = {
  vocabSize: optional(count),
  hiddenSize: optional(count),
  numHiddenLayers: optional(layers),
  numAttentionHeads: optional(count),
  intermediateSize: optional(count),
  hiddenAct: optional(oneOf(Object.keys(ACTIVATIONS))),
  rotaryPct: optional(between(0, 1, "a number from 0 to 1")),
  rotaryEmbBase: optional(positive),
  ropeScaling: optional(nullable(ropeScaling)),
  rotaryPrecision: optional(anglePrecision),
  layerNormEps: optional(positive),
  tieWordEmbeddings: optional(flag),
  useParallelResidual: optional(flag),
  attentionBias: optional(flag),
};

/** All options, with the defaults of transformers' GPTNeoXConfig. */
interface GPTNeoXConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly heads: number;
  readonly headDim: number;
  readonly intermediateSize: number;
  readonly hiddenAct: ActivationName;
  readonly rotaryWidth: number;
  readonly rotaryEmbBase: number;
  readonly ropeScaling: RopeScaling | null;
  readonly rotaryPrecision: AnglePrecision;
  readonly epsilon: number;
  readonly tieWordEmbeddings: boolean;
  readonly parallel: boolean;
  readonly attentionBias: boolean;
}

function configOf(options: GPTNeoXOptions): GPTNeoXConfig {
  const {
    vocabSize = 50_432,
    hiddenSize = 6144,
    numHiddenLayers = 44,
    numAttentionHeads: heads = 64,
    intermediateSize = 24_576,
    hiddenAct = "gelu", // [neox.feed-forward]
    rotaryPct = 0.25, // [neox.rotary]
    rotaryEmbBase = 10_000, // [neox.rotary]
    ropeScaling = null, // [neox.rotary-scaling]
    rotaryPrecision = "float32", // [neox.rotary-precision]
    layerNormEps: epsilon = 1e-5, // [neox.epsilon]
    tieWordEmbeddings = false, // [neox.tied]
    useParallelResidual: parallel = true, // [neox.residual]
    attentionBias = true, // [neox.biases]
  } = checked("GPTNeoXForCausalLM", options, checks);
  checkScaling("GPTNeoXForCausalLM", ropeScaling);
  if (hiddenSize % heads !== 0)
    throw new RuleError(
      `a width of ${hiddenSize} cannot be divided among ${heads} heads: hiddenSize must be a multiple of numAttentionHeads`,
      "neox.heads",
    );
  const headDim = hiddenSize / heads;
  const rotaryWidth = Math.trunc(headDim * rotaryPct); // [neox.rotary]
  if (rotaryWidth % 2 !== 0 || rotaryWidth === 0)
    throw new RuleError(
      `rotaryPct ${rotaryPct} rotates ${rotaryWidth} of a head's ${headDim} dimensions; their number must be even and not 0`,
      "neox.rotary",
    );
  return {
    vocabSize,
    hiddenSize,
    numHiddenLayers,
    heads,
    headDim,
    intermediateSize,
    hiddenAct,
    rotaryWidth,
    rotaryEmbBase,
    ropeScaling,
    rotaryPrecision,
    epsilon,
    tieWordEmbeddings,
    parallel,
    attentionBias,
  };
}

class GPTNeoXAttention {
  query_key_value: Linear<"d", "(h c)">;
  dense: Linear<"(h k)", "d">;
  readonly options: GPTNeoXConfig;

  constructor(config: GPTNeoXConfig) {
    const { hiddenSize, attentionBias: bias } = config;
    this.options = config;
    this.query_key_value = new Linear("d -> (h c)", hiddenSize, 3 * hiddenSize, { bias });
    this.dense = new Linear("(h k) -> d", hiddenSize, hiddenSize, { bias });
  }

  /** The cache holds rotated keys, and values, b g s k. */
  forward(x: Tensor<"b l d">, at: Decoding, past: KeyValues | null): Decoded {
    const {
      heads: h,
      headDim,
      rotaryWidth: width,
      rotaryEmbBase: base,
      ropeScaling: scaling,
      rotaryPrecision: precision,
    } = this.options;
    const angles = { width, base, from: at.positions, precision, scaling };
    // #region attend
    const heads = rearrange("b l (h c) -> b h l c", this.query_key_value.forward(x), { h }); // [neox.interleaved]
    const { q, k, v } = split(heads, { q: headDim, k: headDim, v: headDim });
    const queries = mulScalar(rotary(named("b h l k", q), angles), headDim ** -0.5);
    const keys = rotary(named("b g l k", k), angles); // [neox.rotary]
    const { out, now } = multiHead(this, { q: queries, k: keys, v: named("b g l k", v) }, at, past); // [neox.cache]
    const y = this.dense.forward(out);
    return { x: tap(this, "", y), now };
    // #endregion
  }
}

class GPTNeoXMLP {
  dense_h_to_4h: Linear<"d", "f">;
  dense_4h_to_h: Linear<"f", "d">;
  readonly options: { readonly hiddenAct: ActivationName };

  constructor({ hiddenSize, intermediateSize, hiddenAct }: GPTNeoXConfig) {
    this.options = { hiddenAct };
    this.dense_h_to_4h = new Linear("d -> f", hiddenSize, intermediateSize);
    this.dense_4h_to_h = new Linear("f -> d", intermediateSize, hiddenSize);
  }

  forward(x: Tensor<"b l d">): Tensor<"b l d"> {
    const inner = activation(this.options.hiddenAct)(this.dense_h_to_4h.forward(x)); // [neox.feed-forward]
    return tap(this, "", this.dense_4h_to_h.forward(inner));
  }
}

class GPTNeoXLayer implements DecoderLayer {
  input_layernorm: LayerNorm;
  post_attention_layernorm: LayerNorm;
  attention: GPTNeoXAttention;
  mlp: GPTNeoXMLP;
  readonly options: { readonly parallel: boolean };

  constructor(config: GPTNeoXConfig) {
    const { hiddenSize, epsilon, parallel } = config;
    this.options = { parallel };
    this.input_layernorm = new LayerNorm(hiddenSize, { epsilon });
    this.post_attention_layernorm = new LayerNorm(hiddenSize, { epsilon });
    this.attention = new GPTNeoXAttention(config);
    this.mlp = new GPTNeoXMLP(config);
  }

  forward(x: Tensor<"b l d">, at: Decoding, past: KeyValues | null): Decoded {
    // #region layer
    const { x: attended, now } = this.attention.forward(this.input_layernorm.forward(x), at, past);
    const y = add(x, attended);
    const fed = this.mlp.forward(this.post_attention_layernorm.forward(this.options.parallel ? x : y)); // [neox.residual]
    return { x: tap(this, "", add(y, fed)), now };
    // #endregion
  }
}

class GPTNeoXModel {
  embed_in: Embedding<"d">;
  layers: DecoderLayer[];
  final_layer_norm: LayerNorm;

  constructor(config: GPTNeoXConfig) {
    const { vocabSize, hiddenSize, numHiddenLayers, epsilon } = config;
    this.embed_in = new Embedding("d", vocabSize, hiddenSize, { initial: normal(0.02) }); // [decode.initial]
    this.layers = Array.from({ length: numHiddenLayers }, () => new GPTNeoXLayer(config));
    this.final_layer_norm = new LayerNorm(hiddenSize, { epsilon });
  }
}

/** The names of checkpoints of transformers 5, where they differ from 4.57.6: a rule `rename` of `loadStateDict`. [neox.names] */
export const GPT_NEOX_5_NAMES: Readonly<Record<string, string>> = { "lm_head.weight": "embed_out.weight" };

/**
 * GPT-NeoX as a `LanguageModel`; the fields have the names of transformers. [neox.names] Throws a RuleError for a width that the
 * heads do not divide, and for an odd number of rotated dimensions.
 * Source: Black et al., arXiv 2204.06745, §2.1; GPTNeoXForCausalLM of transformers 4.57.6.
 */
export class GPTNeoXForCausalLM implements LanguageModel {
  gpt_neox: GPTNeoXModel;
  embed_out: Linear<"d", "n">;

  constructor(options: GPTNeoXOptions = {}) {
    const config = configOf(options);
    this.gpt_neox = new GPTNeoXModel(config);
    this.embed_out = new Linear("d -> n", config.hiddenSize, config.vocabSize, NO_BIAS);
    if (config.tieWordEmbeddings) this.embed_out.weight = named("o i", this.gpt_neox.embed_in.weight); // [neox.tied]
  }

  get width(): number {
    return this.gpt_neox.embed_in.weight.shape[1] ?? 0;
  }

  get layers(): DecoderLayer[] {
    return this.gpt_neox.layers;
  }

  set layers(layers: DecoderLayer[]) {
    this.gpt_neox.layers = layers;
  }

  embed(ids: Int<"b l">): Tensor<"b l d"> {
    return this.gpt_neox.embed_in.forward(ids);
  }

  logits(x: Tensor<"b l d">): Tensor<"b l n"> {
    return this.embed_out.forward(this.gpt_neox.final_layer_norm.forward(x)); // [neox.layer]
  }
}
