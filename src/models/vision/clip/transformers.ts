// CLIPVisionTransformer of transformers 4.57.6 (models/clip/modeling_clip.py), with its names, and the two models around it.
import { ACTIVATIONS, type ActivationName, activation } from "../../../nn/activations.ts";
import { Conv2d } from "../../../nn/conv/conv2d.ts";
import { Embedding } from "../../../nn/embedding.ts";
import { Linear } from "../../../nn/linear.ts";
import { LayerNorm } from "../../../nn/norms/layer-norm.ts";
import {
  type Check,
  checked,
  checkObject,
  count,
  inner,
  layers as layerCount,
  notNegative,
  oneOf,
  optional,
} from "../../../nn/options.ts";
import { normal, Parameter } from "../../../nn/parameter.ts";
import { RuleError } from "../../../tensor/errors.ts";
import { named } from "../../../tensor/pattern.ts";
import { tap } from "../../../tensor/program/apply.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import {
  CLIP_TOKENS,
  type ClipLayer,
  type ClipParts,
  type ClipTokens,
  type ClipTower,
  checkImages,
  hiddenStates,
  patchesIn,
  pooledToken,
  residual,
  selfAttention,
  tokensOf,
} from "./tower.ts";

/** The arguments of transformers' CLIPVisionConfig, and `tokens`. */
export interface CLIPVisionOptions {
  readonly hiddenSize?: number | undefined;
  readonly intermediateSize?: number | undefined;
  readonly numHiddenLayers?: number | undefined;
  readonly numAttentionHeads?: number | undefined;
  readonly numChannels?: number | undefined;
  /** Side of the square images, in pixels. */
  readonly imageSize?: number | undefined;
  readonly patchSize?: number | undefined;
  readonly hiddenAct?: ActivationName | undefined;
  readonly layerNormEps?: number | undefined;
  /** The tokens that `forward` gives. Default "raw", as the package's last hidden state. */
  readonly tokens?: ClipTokens | undefined;
}

/** The arguments of CLIPVisionConfig with those of the projection. */
export interface CLIPVisionProjectionOptions extends CLIPVisionOptions {
  /** The width of the image's embedding. Default 512. */
  readonly projectionDim?: number | undefined;
}

const checks: { readonly [K in keyof CLIPVisionOptions]-?: Check } = {
  hiddenSize: optional(count),
  intermediateSize: optional(inner),
  numHiddenLayers: optional(layerCount),
  numAttentionHeads: optional(count),
  numChannels: optional(count),
  imageSize: optional(count),
  patchSize: optional(count),
  hiddenAct: optional(oneOf(Object.keys(ACTIVATIONS))),
  layerNormEps: optional(notNegative),
  tokens: optional(oneOf(CLIP_TOKENS)),
};

/** All options, with the defaults of CLIPVisionConfig. */
type Config = { readonly [K in keyof CLIPVisionOptions]-?: NonNullable<CLIPVisionOptions[K]> };

function configOf(options: CLIPVisionOptions): Config {
  const {
    hiddenSize = 768,
    intermediateSize = 3072,
    numHiddenLayers = 12,
    numAttentionHeads: heads = 12,
    numChannels = 3,
    imageSize = 224,
    patchSize = 32,
    hiddenAct = "quick_gelu", // [clip.activation]
    layerNormEps = 1e-5,
    tokens = "raw", // [clip.tokens]
  } = checked("CLIPVisionTransformer", options, checks);
  if (hiddenSize % heads === 0)
    return {
      hiddenSize,
      intermediateSize,
      numHiddenLayers,
      numAttentionHeads: heads,
      numChannels,
      imageSize,
      patchSize,
      hiddenAct,
      layerNormEps,
      tokens,
    };
  throw new RuleError(
    `CLIPVisionTransformer: hiddenSize ${hiddenSize} cannot be split into ${heads} heads: it must be a multiple of numAttentionHeads`,
    "clip.attention",
    { caller: "CLIPVisionTransformer", width: hiddenSize, heads },
  );
}

class CLIPVisionEmbeddings {
  class_embedding: Parameter<"d">;
  patch_embedding: Conv2d;
  position_embedding: Embedding<"d">;

  constructor({ hiddenSize, numChannels, imageSize, patchSize }: Config) {
    const [image, patch] = [[imageSize, imageSize] as const, [patchSize, patchSize] as const];
    this.class_embedding = new Parameter("d", [hiddenSize], normal(hiddenSize ** -0.5));
    this.patch_embedding = new Conv2d(numChannels, hiddenSize, {
      kernelSize: patch,
      stride: patch,
      bias: false,
      initial: normal(0.02),
    });
    const rows = patchesIn(image, patch) + 1; // [clip.class-token]
    this.position_embedding = new Embedding("d", rows, hiddenSize, { initial: normal(0.02) });
  }
}

class CLIPAttention {
  k_proj: Linear<"d", "(h k)">;
  v_proj: Linear<"d", "(h k)">;
  q_proj: Linear<"d", "(h k)">;
  out_proj: Linear<"(h k)", "d">;
  readonly options: { readonly heads: number };

  constructor({ hiddenSize: d, numHiddenLayers, numAttentionHeads: heads }: Config) {
    const initial = normal((2 * numHiddenLayers * d) ** -0.5);
    this.options = { heads };
    this.k_proj = new Linear("d -> (h k)", d, d, { initial });
    this.v_proj = new Linear("d -> (h k)", d, d, { initial });
    this.q_proj = new Linear("d -> (h k)", d, d, { initial });
    this.out_proj = new Linear("(h k) -> d", d, d, { initial: normal(d ** -0.5) });
  }

  forward(x: Tensor<"b n d">): Tensor<"b n d"> {
    const { q_proj, k_proj, v_proj, out_proj } = this;
    const heads = { q: q_proj.forward(x), k: k_proj.forward(x), v: v_proj.forward(x) }; // [clip.names]
    return tap(this, "", out_proj.forward(selfAttention(this, heads, this.options.heads)));
  }
}

class CLIPMLP {
  fc1: Linear<"d", "f">;
  fc2: Linear<"f", "d">;
  readonly options: { readonly hiddenAct: ActivationName };

  constructor({ hiddenSize: d, intermediateSize, numHiddenLayers, hiddenAct }: Config) {
    this.options = { hiddenAct };
    this.fc1 = new Linear("d -> f", d, intermediateSize, { initial: normal((2 * d) ** -0.5) });
    this.fc2 = new Linear("f -> d", intermediateSize, d, {
      initial: normal((2 * numHiddenLayers * d) ** -0.5),
    });
  }

  forward(x: Tensor<"b n d">): Tensor<"b n d"> {
    const act = activation(this.options.hiddenAct); // [clip.activation]
    return tap(this, "", this.fc2.forward(act(this.fc1.forward(x))));
  }
}

class CLIPEncoderLayer implements ClipLayer {
  self_attn: CLIPAttention;
  layer_norm1: LayerNorm;
  mlp: CLIPMLP;
  layer_norm2: LayerNorm;

  constructor(config: Config) {
    const { hiddenSize, layerNormEps: epsilon } = config;
    this.self_attn = new CLIPAttention(config);
    this.layer_norm1 = new LayerNorm(hiddenSize, { epsilon });
    this.mlp = new CLIPMLP(config);
    this.layer_norm2 = new LayerNorm(hiddenSize, { epsilon });
  }

  forward(x: Tensor<"b n d">): Tensor<"b n d"> {
    const { self_attn, layer_norm1, mlp, layer_norm2 } = this;
    const parts = { firstNorm: layer_norm1, attend: self_attn, secondNorm: layer_norm2, feedForward: mlp };
    return tap(this, "", residual(parts, x));
  }
}

class CLIPEncoder {
  layers: CLIPEncoderLayer[];

  constructor(config: Config) {
    this.layers = Array.from({ length: config.numHiddenLayers }, () => new CLIPEncoderLayer(config));
  }
}

/** The outputs of the package's class with `output_hidden_states`. */
export interface CLIPVisionOutput {
  /** All tokens after the last layer, the class token first; not normalised. */
  readonly lastHiddenState: Tensor<"b n d">;
  /** The class token, normalised. */
  readonly poolerOutput: Tensor<"b d">;
  /** The tokens before the first layer, and after each layer. */
  readonly hiddenStates: readonly Tensor<"b n d">[];
}

/**
 * The image tower under transformers' names. [clip.names] Throws a RuleError for a width that the heads do not divide.
 * Source: Radford et al., arXiv 2103.00020, §2.4; CLIPVisionTransformer of transformers 4.57.6.
 */
export class CLIPVisionTransformer implements ClipTower {
  embeddings: CLIPVisionEmbeddings;
  pre_layrnorm: LayerNorm;
  encoder: CLIPEncoder;
  post_layernorm: LayerNorm;
  readonly options: Config;

  constructor(options: CLIPVisionOptions = {}) {
    const config = configOf(options);
    const { hiddenSize, layerNormEps: epsilon } = config;
    this.options = config;
    this.embeddings = new CLIPVisionEmbeddings(config);
    this.pre_layrnorm = new LayerNorm(hiddenSize, { epsilon });
    this.encoder = new CLIPEncoder(config);
    this.post_layernorm = new LayerNorm(hiddenSize, { epsilon });
  }

  get width(): number {
    return this.options.hiddenSize;
  }

  get imageSize(): readonly [height: number, width: number] {
    return [this.options.imageSize, this.options.imageSize];
  }

  /** The tokens of the patches, b n d, by the option `tokens`. Throws a RuleError if the images have another size. */
  forward(images: Tensor<"b c h w">): Tensor<"b n d"> {
    return tokensOf(this.outputs(images).lastHiddenState, this.post_layernorm, this.options.tokens).tokens;
  }

  /** The normalised class token of each image, b o. Throws a RuleError if the images have another size. */
  features(images: Tensor<"b c h w">): Tensor<"b o"> {
    return named("b o", this.outputs(images).poolerOutput);
  }

  /** The last hidden state, the pooled token and all hidden states. Throws a RuleError if the images have another size. */
  outputs(images: Tensor<"b c h w">): CLIPVisionOutput {
    const parts = this.#parts();
    checkImages(parts, images);
    const { states, last } = hiddenStates(parts, images);
    return {
      lastHiddenState: last,
      poolerOutput: pooledToken(last, this.post_layernorm),
      hiddenStates: states,
    };
  }

  #parts(): ClipParts {
    const { class_embedding, patch_embedding, position_embedding } = this.embeddings;
    return {
      name: "CLIPVisionTransformer",
      imageSize: this.imageSize,
      patches: patch_embedding,
      classToken: class_embedding,
      positions: position_embedding.weight,
      firstNorm: this.pre_layrnorm,
      layers: this.encoder.layers,
    };
  }
}

/**
 * The tower as a model of its own, whose weights have the prefix `vision_model`. Throws as `CLIPVisionTransformer` does.
 * Source: CLIPVisionModel of transformers 4.57.6.
 */
export class CLIPVisionModel implements ClipTower {
  vision_model: CLIPVisionTransformer;

  constructor(options: CLIPVisionOptions = {}) {
    this.vision_model = new CLIPVisionTransformer(options);
  }

  get width(): number {
    return this.vision_model.width;
  }

  get imageSize(): readonly [height: number, width: number] {
    return this.vision_model.imageSize;
  }

  forward(images: Tensor<"b c h w">): Tensor<"b n d"> {
    return this.vision_model.forward(images);
  }

  features(images: Tensor<"b c h w">): Tensor<"b o"> {
    return this.vision_model.features(images);
  }

  outputs(images: Tensor<"b c h w">): CLIPVisionOutput {
    return this.vision_model.outputs(images);
  }
}

/**
 * CLIPVisionModel with the projection to the embedding that images and texts share. Throws as `CLIPVisionTransformer` does.
 * Source: CLIPVisionModelWithProjection of transformers 4.57.6.
 */
export class CLIPVisionModelWithProjection extends CLIPVisionModel {
  visual_projection: Linear<"d", "o">;

  constructor(given: CLIPVisionProjectionOptions = {}) {
    checkObject("CLIPVisionModelWithProjection", given);
    const { projectionDim = 512, ...options } = given;
    super(options);
    checked("CLIPVisionModelWithProjection", { projectionDim }, { projectionDim: count });
    const { width } = this;
    const initial = normal(width ** -0.5);
    this.visual_projection = new Linear("d -> o", width, projectionDim, { bias: false, initial });
  }

  /** The embedding of each image, b o. */
  override features(images: Tensor<"b c h w">): Tensor<"b o"> {
    const { poolerOutput } = this.outputs(images);
    return this.visual_projection.forward(poolerOutput); // [clip.projection]
  }
}
