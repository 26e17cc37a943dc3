// GPT-J (Wang and Komatsuzaki, github.com/kingoflolz/mesh-transformer-jax, 2021): rotary embeddings of Su et al., arXiv 2104.09864, on a part
// of each head, and attention beside the feed-forward. Names and defaults are those of transformers 4.57.6, models/gptj.
import { ACTIVATIONS, type ActivationName, activation } from "../../nn/activations.ts";
import { Embedding } from "../../nn/embedding.ts";
import { Linear } from "../../nn/linear.ts";
import { LayerNorm } from "../../nn/norms/layer-norm.ts";
import {
  type Check,
  checked,
  count,
  even,
  flag,
  inner,
  layers,
  nullable,
  oneOf,
  optional,
  positive,
} from "../../nn/options.ts";
import { normal } from "../../nn/parameter.ts";
import { type AnglePrecision, anglePrecision } from "../../nn/positions/angles.ts";
import { type RotaryOptions, rotary } from "../../nn/positions/rotary.ts";
import { RuleError } from "../../tensor/errors.ts";
import { rearrange } from "../../tensor/ops/arrange.ts";
import { add, mulScalar } from "../../tensor/ops/functions.ts";
import { named } from "../../tensor/pattern.ts";
import { tap } from "../../tensor/program/apply.ts";
import type { Int, Tensor } from "../../tensor/tensor.ts";
import type { Decoded, DecoderLayer, Decoding, KeyValues, LanguageModel } from "../language-model.ts";
import { multiHead } from "./multi-head.ts";

/** The arguments of transformers' GPTJConfig. */
export interface GPTJOptions {
  readonly vocabSize?: number | undefined;
  /** The length of the table of angles: no text may be longer. */
  readonly nPositions?: number | undefined;
  readonly nEmbd?: number | undefined;
  readonly nLayer?: number | undefined;
  readonly nHead?: number | undefined;
  /** The number of rotated dimensions of a head, from the first one on; even. Null stands for nEmbd, for a single head. */
  readonly rotaryDim?: number | null | undefined;
  /** The arithmetic of rotary angles: float32 by default, as in transformers, whatever the precision of the model. */
  readonly rotaryPrecision?: AnglePrecision | undefined;
  /** The inner width of the feed-forward. Default: 4 nEmbd. */
  readonly nInner?: number | null | undefined;
  readonly activationFunction?: ActivationName | undefined;
  readonly layerNormEpsilon?: number | undefined;
  /** Whether the projection to the vocabulary is the embedding table; its bias is its own in any case. Default false. */
  readonly tieWordEmbeddings?: boolean | undefined;
}

const checks: { readonly [K in keyof GPTJOptions]-?: Check } = {
  vocabSize: optional(count),
  nPositions: optional(count),
  nEmbd: optional(count),
  nLayer: optional(layers),
  nHead: optional(count),
  rotaryDim: optional(nullable(even)),
  rotaryPrecision: optional(anglePrecision),
  nInner: optional(nullable(inner)),
  activationFunction: optional(oneOf(Object.keys(ACTIVATIONS))),
  layerNormEpsilon: optional(positive),
  tieWordEmbeddings: optional(flag),
};

/** All options, with the defaults of transformers' GPTJConfig. */
interface GptJConfig {
  readonly vocabSize: number;
  readonly nPositions: number;
  readonly width: number;
  readonly nLayer: number;
  readonly heads: number;
  readonly rotaryDim: number;
  readonly rotaryPrecision: AnglePrecision;
  readonly innerWidth: number;
  readonly activationFunction: ActivationName;
  readonly epsilon: number;
  readonly tieWordEmbeddings: boolean;
}

function configOf(options: GPTJOptions): GptJConfig {
  const {
    vocabSize = 50_400,
    nPositions = 2048, // [gptj.positions]
    nEmbd: width = 4096,
    nLayer = 28,
    nHead: heads = 16,
    rotaryDim: rotated = 64, // [gptj.rotary]
    rotaryPrecision = "float32", // [gptj.rotary-precision]
    nInner,
    activationFunction = "gelu_new", // [gptj.feed-forward]
    layerNormEpsilon: epsilon = 1e-5, // [gptj.norm]
    tieWordEmbeddings = false, // [gptj.head]
  } = checked("GPTJForCausalLM", options, checks);
  if (width % heads !== 0)
    throw new RuleError(
      `nEmbd ${width} cannot be split into ${heads} heads: it must be a multiple of nHead`,
      "gptj.heads",
    );
  const rotaryDim = rotated ?? width; // [gptj.rotary]
  if (rotaryDim > width / heads || rotaryDim % 2 !== 0)
    throw new RuleError(
      `rotaryDim is ${rotated}, which rotates ${rotaryDim} dimensions, and a head has ${width / heads}; give an even number up to that`,
      "gptj.rotary",
    );
  return {
    vocabSize,
    nPositions,
    width,
    nLayer,
    heads,
    rotaryDim,
    rotaryPrecision,
    innerWidth: nInner ?? 4 * width, // [gptj.feed-forward]
    activationFunction,
    epsilon,
    tieWordEmbeddings,
  };
}

class GptJAttention {
  k_proj: Linear<"d", "(h k)">;
  v_proj: Linear<"d", "(h k)">;
  q_proj: Linear<"d", "(h k)">;
  out_proj: Linear<"(h k)", "d">;
  readonly options: GptJConfig;

  constructor(config: GptJConfig) {
    const { width } = config;
    this.options = config;
    this.k_proj = new Linear("d -> (h k)", width, width, { bias: false });
    this.v_proj = new Linear("d -> (h k)", width, width, { bias: false });
    this.q_proj = new Linear("d -> (h k)", width, width, { bias: false });
    this.out_proj = new Linear("(h k) -> d", width, width, { bias: false });
  }

  /** The cache holds rotated keys, and values, b g s k. */
  forward(x: Tensor<"b l d">, at: Decoding, past: KeyValues | null): Decoded {
    const { heads: h, width, rotaryDim, rotaryPrecision: precision } = this.options;
    const angles: RotaryOptions = { width: rotaryDim, pairing: "interleaved", from: at.positions, precision }; // [gptj.rotary]
    // #region attend
    const q = rotary(rearrange("b l (h k) -> b h l k", this.q_proj.forward(x), { h }), angles);
    const k = rotary(rearrange("b l (h k) -> b h l k", this.k_proj.forward(x), { h }), angles);
    const v = rearrange("b l (h k) -> b h l k", this.v_proj.forward(x), { h });
    const heads = {
      q: mulScalar(q, (width / h) ** -0.5), // [gptj.heads]
      k: named("b g l k", k),
      v: named("b g l k", v),
    };
    const { out, now } = multiHead(this, heads, at, past); // [gptj.cache]
    return { x: tap(this, "", this.out_proj.forward(out)), now };
    // #endregion
  }
}

class GptJMLP {
  fc_in: Linear<"d", "f">;
  fc_out: Linear<"f", "d">;
  readonly options: GptJConfig;

  constructor(config: GptJConfig) {
    this.options = config;
    this.fc_in = new Linear("d -> f", config.width, config.innerWidth);
    this.fc_out = new Linear("f -> d", config.innerWidth, config.width);
  }

  forward(x: Tensor<"b l d">): Tensor<"b l d"> {
    const act = activation(this.options.activationFunction);
    return tap(this, "", this.fc_out.forward(act(this.fc_in.forward(x)))); // [gptj.feed-forward]
  }
}

class GptJBlock implements DecoderLayer {
  ln_1: LayerNorm;
  attn: GptJAttention;
  mlp: GptJMLP;

  constructor(config: GptJConfig) {
    this.ln_1 = new LayerNorm(config.width, { epsilon: config.epsilon });
    this.attn = new GptJAttention(config);
    this.mlp = new GptJMLP(config);
  }

  forward(x: Tensor<"b l d">, at: Decoding, past: KeyValues | null): Decoded {
    // #region layer
    const normed = this.ln_1.forward(x);
    const { x: attended, now } = this.attn.forward(normed, at, past);
    return { x: tap(this, "", add(add(attended, this.mlp.forward(normed)), x)), now }; // [gptj.layer]
    // #endregion
  }
}

class GptJModel {
  wte: Embedding<"d">;
  h: DecoderLayer[];
  ln_f: LayerNorm;

  constructor(config: GptJConfig) {
    const { vocabSize, width, nLayer, epsilon } = config;
    this.wte = new Embedding("d", vocabSize, width, { initial: normal(0.02) }); // [decode.initial]
    this.h = Array.from({ length: nLayer }, () => new GptJBlock(config));
    this.ln_f = new LayerNorm(width, { epsilon }); // [gptj.norm]
  }
}

/**
 * GPT-J as a `LanguageModel`; the fields have the names of transformers. [gptj.names] Throws a RuleError for a width that the
 * heads do not divide, and for a rotated width that is odd or beyond a head.
 * Source: Wang and Komatsuzaki, github.com/kingoflolz/mesh-transformer-jax, 2021; GPTJForCausalLM of transformers 4.57.6.
 */
export class GPTJForCausalLM implements LanguageModel {
  transformer: GptJModel;
  lm_head: Linear<"d", "n">;
  readonly options: { readonly nPositions: number };

  constructor(options: GPTJOptions = {}) {
    const config = configOf(options);
    this.options = config;
    this.transformer = new GptJModel(config);
    this.lm_head = new Linear("d -> n", config.width, config.vocabSize); // [gptj.head]
    if (config.tieWordEmbeddings) this.lm_head.weight = named("o i", this.transformer.wte.weight);
  }

  get width(): number {
    return this.transformer.wte.weight.shape[1] ?? 0;
  }

  get layers(): DecoderLayer[] {
    return this.transformer.h;
  }

  set layers(layers: DecoderLayer[]) {
    this.transformer.h = layers;
  }

  /** The embeddings of tokens. Throws a RuleError for a position beyond `nPositions`. */
  embed(ids: Int<"b l">, { positions }: Decoding): Tensor<"b l d"> {
    const { nPositions } = this.options;
    const furthest = positions.flat().reduce((most, position) => Math.max(most, position), 0);
    if (furthest >= nPositions)
      throw new RuleError(
        `position ${furthest} is beyond the ${nPositions} positions of the model; shorten the text or raise nPositions`,
        "gptj.positions",
      );
    return this.transformer.wte.forward(ids);
  }

  logits(x: Tensor<"b l d">): Tensor<"b l n"> {
    return this.lm_head.forward(this.transformer.ln_f.forward(x)); // [gptj.norm]
  }
}
