// OPT: Zhang et al., arXiv 2205.01068, §2. Names and defaults are those of transformers 4.57.6, models/opt.
import { ACTIVATIONS, type ActivationName, activation } from "../../nn/activations.ts";
import { PaddedEmbedding } from "../../nn/embedding.ts";
import { Linear, NO_BIAS } from "../../nn/linear.ts";
import { LayerNorm, normalize } from "../../nn/norms/layer-norm.ts";
import {
  type Check,
  checked,
  count,
  flag,
  inner,
  layers,
  nullable,
  oneOf,
  optional,
} from "../../nn/options.ts";
import { normal } from "../../nn/parameter.ts";
import { LearnedPositions } from "../../nn/positions/learned.ts";
import { RuleError } from "../../tensor/errors.ts";
import { rearrange } from "../../tensor/ops/arrange.ts";
import { add, mulScalar } from "../../tensor/ops/functions.ts";
import { named } from "../../tensor/pattern.ts";
import { tap } from "../../tensor/program/apply.ts";
import type { Int, Tensor } from "../../tensor/tensor.ts";
import type { Decoded, DecoderLayer, Decoding, KeyValues, LanguageModel } from "../language-model.ts";
import { multiHead } from "./multi-head.ts";
import { paddingRow, tokenId } from "./padding.ts";
import { tokenPositions } from "./token-positions.ts";

/** Rows of the position table before that of position 0: padding takes the second. */
const OFFSET = 2; // [opt.positions]

/** The arguments of transformers' OPTConfig. */
export interface OPTOptions {
  readonly vocabSize?: number | undefined;
  readonly hiddenSize?: number | undefined;
  readonly numHiddenLayers?: number | undefined;
  readonly ffnDim?: number | undefined;
  readonly maxPositionEmbeddings?: number | undefined;
  /** Whether norms stand before attention and feed-forward (all sizes but 350M), or after their residual additions. Default true. */
  readonly doLayerNormBefore?: boolean | undefined;
  /** Leaves out the norm after the last layer, as early checkpoints do. Default false. */
  readonly removeFinalLayerNorm?: boolean | undefined;
  /** The width of the token embeddings. Default: hiddenSize. Other widths are projected to it and, before the vocabulary, back. */
  readonly wordEmbedProjDim?: number | null | undefined;
  readonly numAttentionHeads?: number | undefined;
  readonly activationFunction?: ActivationName | undefined;
  /** Whether the linear layers of attention and feed-forward have biases. Default true. */
  readonly enableBias?: boolean | undefined;
  /** Whether norms have a scale and a bias. Default true. */
  readonly layerNormElementwiseAffine?: boolean | undefined;
  /** The id whose embedding gets no gradient through the ids; a negative one counts from the end of the table. Default 1. */
  readonly padTokenId?: number | null | undefined;
  /** Whether the projection to the vocabulary is the embedding table. Default true. */
  readonly tieWordEmbeddings?: boolean | undefined;
}

const checks: { readonly [K in keyof OPTOptions]-?: Check } = {
  vocabSize: optional(count),
  hiddenSize: optional(count),
  numHiddenLayers: optional(layers),
  ffnDim: optional(inner),
  maxPositionEmbeddings: optional(count),
  doLayerNormBefore: optional(flag),
  removeFinalLayerNorm: optional(flag),
  wordEmbedProjDim: optional(nullable(count)),
  numAttentionHeads: optional(count),
  activationFunction: optional(oneOf(Object.keys(ACTIVATIONS))),
  enableBias: optional(flag),
  layerNormElementwiseAffine: optional(flag),
  padTokenId: optional(nullable(tokenId)),
  tieWordEmbeddings: optional(flag),
};

/** All options, with the defaults of transformers' OPTConfig. */
interface OptConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly ffnDim: number;
  readonly maxPositionEmbeddings: number;
  readonly normBefore: boolean;
  readonly finalNorm: boolean;
  readonly wordWidth: number;
  readonly heads: number;
  readonly activationFunction: ActivationName;
  readonly bias: boolean;
  readonly affine: boolean;
  readonly padTokenId: number | null;
  readonly tieWordEmbeddings: boolean;
}

function configOf(options: OPTOptions): OptConfig {
  const {
    vocabSize = 50_272,
    hiddenSize = 768,
    numHiddenLayers = 12,
    ffnDim = 3072,
    maxPositionEmbeddings = 2048,
    doLayerNormBefore: normBefore = true, // [opt.norms]
    removeFinalLayerNorm = false,
    wordEmbedProjDim,
    numAttentionHeads: heads = 12,
    activationFunction = "relu", // [opt.feed-forward]
    enableBias: bias = true, // [opt.biases]
    layerNormElementwiseAffine: affine = true, // [opt.affine]
    padTokenId = 1, // [opt.padding]
    tieWordEmbeddings = true, // [opt.tied]
  } = checked("OPTForCausalLM", options, checks);
  if (hiddenSize % heads !== 0)
    throw new RuleError(
      `hiddenSize ${hiddenSize} cannot be split into ${heads} heads: it must be a multiple of numAttentionHeads`,
      "opt.heads",
    );
  return {
    vocabSize,
    hiddenSize,
    numHiddenLayers,
    ffnDim,
    maxPositionEmbeddings,
    normBefore,
    finalNorm: normBefore && !removeFinalLayerNorm, // [opt.final-norm]
    wordWidth: wordEmbedProjDim ?? hiddenSize, // [opt.projections]
    heads,
    activationFunction,
    bias,
    affine,
    padTokenId,
    tieWordEmbeddings,
  };
}

/** A layer norm without scale and bias, which has no state. */
class PlainNorm {
  forward<A extends string>(x: Tensor<A>): Tensor<A> {
    return tap(this, "", normalize(x));
  }
}
type Norm = LayerNorm | PlainNorm;
const normOf = ({ hiddenSize, affine }: OptConfig): Norm =>
  affine ? new LayerNorm(hiddenSize) : new PlainNorm(); // [opt.affine]

class OptAttention {
  k_proj: Linear<"d", "(h k)">;
  v_proj: Linear<"d", "(h k)">;
  q_proj: Linear<"d", "(h k)">;
  out_proj: Linear<"(h k)", "d">;
  readonly options: OptConfig;

  constructor(config: OptConfig) {
    const { hiddenSize, bias } = config;
    this.options = config;
    this.k_proj = new Linear("d -> (h k)", hiddenSize, hiddenSize, { bias });
    this.v_proj = new Linear("d -> (h k)", hiddenSize, hiddenSize, { bias });
    this.q_proj = new Linear("d -> (h k)", hiddenSize, hiddenSize, { bias });
    this.out_proj = new Linear("(h k) -> d", hiddenSize, hiddenSize, { bias });
  }

  /** The cache holds keys and values, b g s k. */
  forward(x: Tensor<"b l d">, at: Decoding, past: KeyValues | null): Decoded {
    const { heads: h, hiddenSize } = this.options;
    const queries = mulScalar(this.q_proj.forward(x), (hiddenSize / h) ** -0.5); // [opt.heads]
    const q = rearrange("b l (h k) -> b h l k", queries, { h });
    const k = named("b g l k", rearrange("b l (h k) -> b h l k", this.k_proj.forward(x), { h }));
    const v = named("b g l k", rearrange("b l (h k) -> b h l k", this.v_proj.forward(x), { h }));
    const { out, now } = multiHead(this, { q, k, v }, at, past); // [opt.cache]
    return { x: tap(this, "", this.out_proj.forward(out)), now };
  }
}

class OptDecoderLayer implements DecoderLayer {
  self_attn: OptAttention;
  self_attn_layer_norm: Norm;
  fc1: Linear<"d", "f">;
  fc2: Linear<"f", "d">;
  final_layer_norm: Norm;
  readonly options: OptConfig;

  constructor(config: OptConfig) {
    const { hiddenSize, ffnDim, bias } = config;
    this.options = config;
    this.self_attn = new OptAttention(config);
    this.self_attn_layer_norm = normOf(config);
    this.fc1 = new Linear("d -> f", hiddenSize, ffnDim, { bias });
    this.fc2 = new Linear("f -> d", ffnDim, hiddenSize, { bias });
    this.final_layer_norm = normOf(config);
  }

  forward(x: Tensor<"b l d">, at: Decoding, past: KeyValues | null): Decoded {
    const { normBefore } = this.options;
    // #region layer
    const { self_attn_layer_norm: first, final_layer_norm: second } = this;
    const { x: attended, now } = this.self_attn.forward(normBefore ? first.forward(x) : x, at, past);
    const sum = add(x, attended);
    const y = normBefore ? sum : first.forward(sum); // [opt.norms]
    const total = add(y, this.#feedForward(normBefore ? second.forward(y) : y));
    return { x: tap(this, "", normBefore ? total : second.forward(total)), now };
    // #endregion
  }

  #feedForward(x: Tensor<"b l d">): Tensor<"b l d"> {
    const act = activation(this.options.activationFunction); // [opt.feed-forward]
    return this.fc2.forward(act(this.fc1.forward(x)));
  }
}

class OptDecoder {
  embed_tokens: PaddedEmbedding<"w">;
  embed_positions: LearnedPositions<"d">;
  project_out: Linear<"d", "w"> | null;
  project_in: Linear<"w", "d"> | null;
  final_layer_norm: Norm | null;
  layers: DecoderLayer[];

  constructor(config: OptConfig) {
    const { vocabSize, hiddenSize, wordWidth, padTokenId, maxPositionEmbeddings } = config;
    const projected = wordWidth !== hiddenSize; // [opt.projections]
    const paddingId = paddingRow(padTokenId, vocabSize, "opt.padding"); // [opt.padding]
    this.embed_tokens = new PaddedEmbedding("w", vocabSize, wordWidth, { initial: normal(0.02), paddingId }); // [opt.padding] [decode.initial]
    const rows = maxPositionEmbeddings + OFFSET;
    this.embed_positions = new LearnedPositions("d", {
      rows,
      dim: hiddenSize,
      offset: OFFSET,
      initial: normal(0.02), // [decode.initial]
    });
    this.project_out = projected ? new Linear("d -> w", hiddenSize, wordWidth, { bias: false }) : null;
    this.project_in = projected ? new Linear("w -> d", wordWidth, hiddenSize, { bias: false }) : null;
    this.final_layer_norm = config.finalNorm ? normOf(config) : null;
    this.layers = Array.from({ length: config.numHiddenLayers }, () => new OptDecoderLayer(config));
  }
}

class OptModel {
  decoder: OptDecoder;

  constructor(config: OptConfig) {
    this.decoder = new OptDecoder(config);
  }
}

/**
 * OPT as a `LanguageModel`; the fields have the names of transformers. [opt.names] Throws a RuleError for a width that the heads
 * do not divide.
 * Source: Zhang et al., arXiv 2205.01068, §2; OPTForCausalLM of transformers 4.57.6.
 */
export class OPTForCausalLM implements LanguageModel {
  model: OptModel;
  lm_head: Linear<"w", "n">;

  constructor(options: OPTOptions = {}) {
    const config = configOf(options);
    this.model = new OptModel(config);
    this.lm_head = new Linear("w -> n", config.wordWidth, config.vocabSize, NO_BIAS);
    if (config.tieWordEmbeddings) this.lm_head.weight = named("o i", this.model.decoder.embed_tokens.weight); // [opt.tied]
  }

  get width(): number {
    return this.model.decoder.embed_positions.weight.shape[1] ?? 0;
  }

  get layers(): DecoderLayer[] {
    return this.model.decoder.layers;
  }

  set layers(layers: DecoderLayer[]) {
    this.model.decoder.layers = layers;
  }

  /** Positions come from the mask, so that padding on either side does not shift them; `positions` of the pass are not read. */
  embed(ids: Int<"b l">, { mayAttend }: Decoding): Tensor<"b l d"> {
    // #region embed
    const { embed_tokens, embed_positions, project_in } = this.model.decoder;
    const words = embed_tokens.forward(ids);
    const x = project_in ? project_in.forward(words) : named("b l d", words); // [opt.projections]
    return add(x, embed_positions.forward(tokenPositions(mayAttend, () => -1))); // [opt.padding]
    // #endregion
  }

  logits(x: Tensor<"b l d">): Tensor<"b l n"> {
    const { final_layer_norm, project_out } = this.model.decoder;
    const y = final_layer_norm ? final_layer_norm.forward(x) : x; // [opt.final-norm]
    return this.lm_head.forward(project_out ? project_out.forward(y) : named("b l w", y));
  }
}
