// LLaMA: Touvron et al., arXiv 2302.13971, §2.2, with grouped queries (Ainslie et al., arXiv 2305.13245) as in LLaMA 2. Names and defaults
// are those of transformers 4.57.6, models/llama.
import { ACTIVATIONS, type ActivationName, activation } from "../../nn/activations.ts";
import { attention } from "../../nn/attention/attention.ts";
import { PaddedEmbedding } from "../../nn/embedding.ts";
import { Linear, NO_BIAS } from "../../nn/linear.ts";
import { RMSNorm } from "../../nn/norms/layer-norm.ts";
import {
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
import { rearrange, repeat } from "../../tensor/ops/arrange.ts";
import { add, mul, mulScalar } from "../../tensor/ops/functions.ts";
import { named } from "../../tensor/pattern.ts";
import { tap } from "../../tensor/program/apply.ts";
import type { Int, Tensor } from "../../tensor/tensor.ts";
import {
  appended,
  type Decoded,
  type DecoderLayer,
  type Decoding,
  type KeyValues,
  type LanguageModel,
} from "../language-model.ts";
import { paddingRow, tokenId } from "./padding.ts";

/** The arguments of transformers' LlamaConfig. */
export interface LlamaOptions {
  readonly vocabSize?: number | undefined;
  readonly hiddenSize?: number | undefined;
  readonly intermediateSize?: number | undefined;
  readonly numHiddenLayers?: number | undefined;
  readonly numAttentionHeads?: number | undefined;
  /** Heads of keys and values, each of which serves as many neighbouring heads of queries. Default: as many as there are of queries. */
  readonly numKeyValueHeads?: number | null | undefined;
  /** The width of a head. Default: hiddenSize / numAttentionHeads, rounded down. */
  readonly headDim?: number | null | undefined;
  /** The activation of the gate. Default "silu". */
  readonly hiddenAct?: ActivationName | undefined;
  readonly rmsNormEps?: number | undefined;
  readonly ropeTheta?: number | undefined;
  /** Other frequencies than those of the paper, as Llama 3.1 has them. Default: null. */
  readonly ropeScaling?: RopeScaling | null | undefined;
  /** The arithmetic of rotary angles: float32 by default, as in transformers, whatever the precision of the model. */
  readonly rotaryPrecision?: AnglePrecision | undefined;
  readonly attentionBias?: boolean | undefined;
  readonly mlpBias?: boolean | undefined;
  /** The id whose embedding gets no gradient through the ids; a negative one counts from the end of the table. Default: null. */
  readonly padTokenId?: number | null | undefined;
  /** Whether the projection to the vocabulary is the embedding table. Default false. */
  readonly tieWordEmbeddings?: boolean | undefined;
}

const checks: { readonly [K in keyof LlamaOptions]-?: Check } = {
  vocabSize: optional(count),
  hiddenSize: optional(count),
  intermediateSize: optional(count),
  numHiddenLayers: optional(layers),
  numAttentionHeads: optional(count),
  numKeyValueHeads: optional(nullable(count)),
  headDim: optional(nullable(count)),
  hiddenAct: optional(oneOf(Object.keys(ACTIVATIONS))),
  rmsNormEps: optional(positive),
  ropeTheta: optional(positive),
  ropeScaling: optional(nullable(ropeScaling)),
  rotaryPrecision: optional(anglePrecision),
  attentionBias: optional(flag),
  mlpBias: optional(flag),
  padTokenId: optional(nullable(tokenId)),
  tieWordEmbeddings: optional(flag),
};

/** All options, with the defaults of transformers' LlamaConfig. */
interface LlamaConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly hiddenAct: ActivationName;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  readonly ropeScaling: RopeScaling | null;
  readonly rotaryPrecision: AnglePrecision;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  readonly padTokenId: number | null;
  readonly tieWordEmbeddings: boolean;
}

function configOf(options: LlamaOptions): LlamaConfig {
  const {
    vocabSize = 32_000,
    hiddenSize = 4096,
    intermediateSize = 11_008,
    numHiddenLayers = 32,
    numAttentionHeads: heads = 32,
    numKeyValueHeads,
    headDim,
    hiddenAct = "silu", // [llama.mlp]
    rmsNormEps = 1e-6, // [llama.epsilon]
    ropeTheta = 10_000, // [llama.rotary]
    ropeScaling = null, // [llama.rotary-scaling]
    rotaryPrecision = "float32", // [llama.rotary-precision]
    attentionBias = false,
    mlpBias = false,
    padTokenId = null, // [llama.padding]
    tieWordEmbeddings = false, // [llama.tied]
  } = checked("LlamaForCausalLM", options, checks);
  checkScaling("LlamaForCausalLM", ropeScaling);
  const keyValueHeads = numKeyValueHeads ?? heads;
  if (heads % keyValueHeads !== 0)
    throw new RuleError(
      `${heads} heads of queries cannot share ${keyValueHeads} heads of keys and values: the first must be a multiple of the second`,
      "llama.groups",
    );
  const width = headDim ?? Math.floor(hiddenSize / heads);
  if (width % 2 !== 0 || width === 0)
    throw new RuleError(`a head is ${width} wide, but rotary embeddings need an even width`, "llama.rotary");
  return {
    vocabSize,
    hiddenSize,
    intermediateSize,
    numHiddenLayers,
    heads,
    keyValueHeads,
    headDim: width,
    hiddenAct,
    rmsNormEps,
    ropeTheta,
    ropeScaling,
    rotaryPrecision,
    attentionBias,
    mlpBias,
    padTokenId,
    tieWordEmbeddings,
  };
}

class LlamaAttention {
  q_proj: Linear<"d", "(h k)">;
  k_proj: Linear<"d", "(g k)">;
  v_proj: Linear<"d", "(g k)">;
  o_proj: Linear<"(h k)", "d">;
  readonly options: LlamaConfig;

  constructor(config: LlamaConfig) {
    const { hiddenSize, heads, keyValueHeads, headDim, attentionBias: bias } = config;
    this.options = config;
    this.q_proj = new Linear("d -> (h k)", hiddenSize, heads * headDim, { bias });
    this.k_proj = new Linear("d -> (g k)", hiddenSize, keyValueHeads * headDim, { bias });
    this.v_proj = new Linear("d -> (g k)", hiddenSize, keyValueHeads * headDim, { bias });
    this.o_proj = new Linear("(h k) -> d", heads * headDim, hiddenSize, { bias });
  }

  /** The cache holds rotated keys, and values, b g s k. */
  forward(
    x: Tensor<"b l d">,
    { positions, mayAttend, emptyRow = "zero" }: Decoding,
    past: KeyValues | null,
  ): Decoded {
    const {
      heads,
      keyValueHeads: g,
      headDim,
      ropeTheta,
      ropeScaling,
      rotaryPrecision: precision,
    } = this.options;
    const angles = { width: headDim, base: ropeTheta, from: positions, precision, scaling: ropeScaling };
    // #region attend
    const q = rotary(rearrange("b l (h k) -> b h l k", this.q_proj.forward(x), { h: heads }), angles); // [llama.rotary]
    const k = rotary(rearrange("b l (g k) -> b g l k", this.k_proj.forward(x), { g }), angles);
    const v = rearrange("b l (g k) -> b g l k", this.v_proj.forward(x), { g });
    const now = appended(past, { k, v }); // [llama.cache]

    const h = heads / g; // neighbouring heads of queries share a head of keys and values  [llama.groups]
    const queries = rearrange("b (g h) l k -> b g h l k", named("b (g h) l k", q), { g });
    const keys = repeat("b g s k -> b g h s k", named("b g s k", now.k), { h });
    const values = repeat("b g s k -> b g h s k", named("b g s k", now.v), { h });
    const mask = repeat("b l s -> b g h l s", mayAttend, { g, h });

    const out = attention(this, mulScalar(queries, headDim ** -0.5), keys, values, {
      mayAttend: mask,
      emptyRow, // [decode.empty-row]
    });
    const y = this.o_proj.forward(named("b l (h k)", rearrange("b g h l k -> b l (g h k)", out)));
    return { x: tap(this, "", y), now };
    // #endregion
  }
}

/** W₂ (silu(W x) ⊙ V x): SwiGLU of Shazeer, arXiv 2002.05202, equation (6); gate, up and down are W, V and W₂. */
class LlamaMLP {
  gate_proj: Linear<"d", "f">;
  up_proj: Linear<"d", "f">;
  down_proj: Linear<"f", "d">;

  readonly options: { readonly hiddenAct: ActivationName };

  constructor({ hiddenSize, intermediateSize, mlpBias: bias, hiddenAct }: LlamaConfig) {
    this.options = { hiddenAct };
    this.gate_proj = new Linear("d -> f", hiddenSize, intermediateSize, { bias });
    this.up_proj = new Linear("d -> f", hiddenSize, intermediateSize, { bias });
    this.down_proj = new Linear("f -> d", intermediateSize, hiddenSize, { bias });
  }

  forward(x: Tensor<"b l d">): Tensor<"b l d"> {
    // #region mlp
    const gate = activation(this.options.hiddenAct)(this.gate_proj.forward(x)); // [llama.mlp]
    return tap(this, "", this.down_proj.forward(mul(gate, this.up_proj.forward(x)))); // [llama.mlp]
    // #endregion
  }
}

class LlamaDecoderLayer implements DecoderLayer {
  self_attn: LlamaAttention;
  mlp: LlamaMLP;
  input_layernorm: RMSNorm;
  post_attention_layernorm: RMSNorm;

  constructor(config: LlamaConfig) {
    this.self_attn = new LlamaAttention(config);
    this.mlp = new LlamaMLP(config);
    this.input_layernorm = new RMSNorm(config.hiddenSize, { epsilon: config.rmsNormEps });
    this.post_attention_layernorm = new RMSNorm(config.hiddenSize, { epsilon: config.rmsNormEps });
  }

  forward(x: Tensor<"b l d">, at: Decoding, past: KeyValues | null): Decoded {
    // #region layer
    const { x: attended, now } = this.self_attn.forward(this.input_layernorm.forward(x), at, past); // [llama.layer]
    const y = add(x, attended);
    const fed = this.mlp.forward(this.post_attention_layernorm.forward(y));
    return { x: tap(this, "", add(y, fed)), now };
    // #endregion
  }
}

class LlamaModel {
  embed_tokens: PaddedEmbedding<"d">;
  layers: DecoderLayer[];
  norm: RMSNorm;

  constructor(config: LlamaConfig) {
    const { vocabSize, hiddenSize, numHiddenLayers, rmsNormEps, padTokenId } = config;
    const paddingId = paddingRow(padTokenId, vocabSize, "llama.padding"); // [llama.padding]
    this.embed_tokens = new PaddedEmbedding("d", vocabSize, hiddenSize, { initial: normal(0.02), paddingId }); // [decode.initial]
    this.layers = Array.from({ length: numHiddenLayers }, () => new LlamaDecoderLayer(config));
    this.norm = new RMSNorm(hiddenSize, { epsilon: rmsNormEps }); // [llama.norm]
  }
}

/**
 * LLaMA as a `LanguageModel`; `generate(writerOf(llama), …)` continues texts with a cache. Fields and state dict have the names
 * of transformers' LlamaForCausalLM. Throws a RuleError for options that it refuses, such as heads that cannot share keys.
 * [llama.names]
 * Source: Touvron et al., arXiv 2302.13971, §2.2; LlamaForCausalLM of transformers 4.57.6.
 */
export class LlamaForCausalLM implements LanguageModel {
  model: LlamaModel;
  lm_head: Linear<"d", "n">;

  constructor(options: LlamaOptions = {}) {
    const config = configOf(options);
    this.model = new LlamaModel(config);
    this.lm_head = new Linear("d -> n", config.hiddenSize, config.vocabSize, NO_BIAS);
    if (config.tieWordEmbeddings) this.lm_head.weight = named("o i", this.model.embed_tokens.weight); // [llama.tied]
  }

  get width(): number {
    return this.model.embed_tokens.weight.shape[1] ?? 0;
  }

  get layers(): DecoderLayer[] {
    return this.model.layers;
  }

  set layers(layers: DecoderLayer[]) {
    this.model.layers = layers;
  }

  embed(ids: Int<"b l">): Tensor<"b l d"> {
    return this.model.embed_tokens.forward(ids);
  }

  logits(x: Tensor<"b l d">): Tensor<"b l n"> {
    return this.lm_head.forward(this.model.norm.forward(x)); // [llama.layer]
  }
}
