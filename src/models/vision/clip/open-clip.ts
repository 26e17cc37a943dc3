// open_clip's VisionTransformer (open_clip/transformer.py of open_clip_torch 3.3.0), with the package's names: the image tower of
// OpenAI's CLIP and of most CLIP models that open_clip publishes.
import { activation } from "../../../nn/activations.ts";
import { Conv2d } from "../../../nn/conv/conv2d.ts";
import { type Sides, sides } from "../../../nn/conv/planes.ts";
import { Linear } from "../../../nn/linear.ts";
import { LayerNorm } from "../../../nn/norms/layer-norm.ts";
import {
  type Check,
  checked,
  count,
  layers as layerCount,
  multiple,
  notNegative,
  oneOf,
  optional,
} from "../../../nn/options.ts";
import { constant, normal, Parameter, uniform } from "../../../nn/parameter.ts";
import { RuleError } from "../../../tensor/errors.ts";
import { einsum, split } from "../../../tensor/ops/arrange.ts";
import { add, expand } from "../../../tensor/ops/functions.ts";
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
  residual,
  selfAttention,
  tokensOf,
} from "./tower.ts";

/** The exact GELU, or the sigmoid approximation with which OpenAI's models were trained. */
export const OPEN_CLIP_ACTIVATIONS = ["gelu", "quick_gelu"] as const;
export type OpenClipActivation = (typeof OPEN_CLIP_ACTIVATIONS)[number];

/** The arguments of open_clip's VisionTransformer, and `tokens`. */
export interface OpenClipOptions {
  /** Side of the square images, or their height and width, in pixels. */
  readonly imageSize: Sides;
  readonly patchSize: Sides;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** The width of the feed-forward in multiples of `width`; rounded down. */
  readonly mlpRatio: number;
  /** The width of the image's embedding. Default 512. */
  readonly outputDim?: number | undefined;
  /** Default "gelu", as in the package. The weights of OpenAI need "quick_gelu". */
  readonly act?: OpenClipActivation | undefined;
  /** Default "raw": the tokens on which the released OpenFlamingo models were trained. open_clip 3.3.0 gives "ln_post". */
  readonly tokens?: ClipTokens | undefined;
  /** The norms' epsilon. Default 1e-5. */
  readonly epsilon?: number | undefined;
}

const checks: { readonly [K in keyof OpenClipOptions]-?: Check } = {
  imageSize: sides(1),
  patchSize: sides(1),
  width: count,
  layers: layerCount,
  heads: count,
  mlpRatio: multiple,
  outputDim: optional(count),
  act: optional(oneOf(OPEN_CLIP_ACTIVATIONS)),
  tokens: optional(oneOf(CLIP_TOKENS)),
  epsilon: optional(notNegative),
};

interface Config {
  readonly width: number;
  readonly heads: number;
  readonly inner: number;
  readonly act: OpenClipActivation;
  readonly epsilon: number;
}

/** torch.nn.MultiheadAttention of queries, keys and values of one width: their projections are one matrix. */
class MultiheadAttention {
  in_proj_weight: Parameter<"o i">;
  in_proj_bias: Parameter<"o">;
  out_proj: Linear<"(h k)", "d">;
  readonly options: { readonly heads: number };

  constructor({ width, heads }: Config) {
    this.options = { heads };
    this.in_proj_weight = new Parameter("o i", [3 * width, width], uniform(Math.sqrt(6 / (4 * width))));
    this.in_proj_bias = new Parameter("o", [3 * width], constant(0));
    this.out_proj = new Linear("(h k) -> d", width, width, { initial: uniform(width ** -0.5) });
  }

  forward(x: Tensor<"b n d">): Tensor<"b n d"> {
    const d = x.shape[2] ?? 0;
    const all = einsum("b n i, o i -> b n o", named("b n i", x), this.in_proj_weight);
    const { q, k, v } = split(add(all, expand(this.in_proj_bias, all)), { q: d, k: d, v: d }); // [clip.names]
    const heads = { q: named("b n (h k)", q), k: named("b n (h k)", k), v: named("b n (h k)", v) };
    return tap(this, "", this.out_proj.forward(selfAttention(this, heads, this.options.heads)));
  }
}

class Mlp {
  c_fc: Linear<"d", "f">;
  c_proj: Linear<"f", "d">;
  readonly options: { readonly act: OpenClipActivation };

  constructor({ width, inner, act }: Config) {
    this.options = { act };
    this.c_fc = new Linear("d -> f", width, inner);
    this.c_proj = new Linear("f -> d", inner, width);
  }

  forward(x: Tensor<"b n d">): Tensor<"b n d"> {
    const act = activation(this.options.act); // [clip.activation]
    return tap(this, "", this.c_proj.forward(act(this.c_fc.forward(x))));
  }
}

class ResidualAttentionBlock implements ClipLayer {
  ln_1: LayerNorm;
  attn: MultiheadAttention;
  ln_2: LayerNorm;
  mlp: Mlp;

  constructor(config: Config) {
    const { width, epsilon } = config;
    this.ln_1 = new LayerNorm(width, { epsilon });
    this.attn = new MultiheadAttention(config);
    this.ln_2 = new LayerNorm(width, { epsilon });
    this.mlp = new Mlp(config);
  }

  forward(x: Tensor<"b n d">): Tensor<"b n d"> {
    const { ln_1, attn, ln_2, mlp } = this;
    return tap(this, "", residual({ firstNorm: ln_1, attend: attn, secondNorm: ln_2, feedForward: mlp }, x));
  }
}

class Transformer {
  resblocks: ResidualAttentionBlock[];

  constructor(config: Config, layers: number) {
    this.resblocks = Array.from({ length: layers }, () => new ResidualAttentionBlock(config));
  }
}

const pair = (size: Sides): readonly [number, number] => (typeof size === "number" ? [size, size] : size);

/**
 * The image tower under open_clip's names. [clip.names] Throws a RuleError for a width that the heads do not divide.
 * Source: Radford et al., arXiv 2103.00020, §2.4; VisionTransformer of open-clip-torch 3.3.0, open_clip/transformer.py.
 */
export class OpenClipVisionTransformer implements ClipTower {
  class_embedding: Parameter<"d">;
  positional_embedding: Parameter<"n d">;
  /** From the normalised class token to the embedding. */
  proj: Parameter<"d o">;
  conv1: Conv2d;
  ln_pre: LayerNorm;
  transformer: Transformer;
  ln_post: LayerNorm;
  readonly options: {
    readonly imageSize: readonly [height: number, width: number];
    readonly patchSize: readonly [height: number, width: number];
    readonly tokens: ClipTokens;
  };

  constructor(options: OpenClipOptions) {
    const known = checked("OpenClipVisionTransformer", options, checks);
    const { width, layers, heads, mlpRatio, outputDim = 512 } = known;
    const { act = "gelu", tokens = "raw", epsilon = 1e-5 } = known; // [clip.activation] [clip.tokens]
    const [imageSize, patchSize] = [pair(known.imageSize), pair(known.patchSize)];
    if (width % heads !== 0)
      throw new RuleError(
        `OpenClipVisionTransformer: width ${width} cannot be split into ${heads} heads: it must be a multiple of heads`,
        "clip.attention",
        { caller: "OpenClipVisionTransformer", width, heads },
      );
    this.options = { imageSize, patchSize, tokens };
    const std = width ** -0.5;
    this.class_embedding = new Parameter("d", [width], normal(std));
    const rows = patchesIn(imageSize, patchSize) + 1; // [clip.class-token]
    this.positional_embedding = new Parameter("n d", [rows, width], normal(std));
    this.proj = new Parameter("d o", [width, outputDim], normal(std));
    this.conv1 = new Conv2d(3, width, { kernelSize: patchSize, stride: patchSize, bias: false });
    this.ln_pre = new LayerNorm(width, { epsilon });
    const inner = Math.trunc(width * mlpRatio);
    this.transformer = new Transformer({ width, heads, inner, act, epsilon }, layers);
    this.ln_post = new LayerNorm(width, { epsilon });
  }

  get width(): number {
    return this.class_embedding.size;
  }

  get imageSize(): readonly [height: number, width: number] {
    return this.options.imageSize;
  }

  /** The tokens of the patches, b n d, by the option `tokens`. Throws a RuleError if the images have another size. */
  forward(images: Tensor<"b c h w">): Tensor<"b n d"> {
    return this.encode(images).tokens;
  }

  /** The embedding of each image, b o. Throws a RuleError if the images have another size. */
  features(images: Tensor<"b c h w">): Tensor<"b o"> {
    return this.encode(images).pooled;
  }

  /** Tokens and embedding of each image, as the package gives them where `output_tokens` is set. */
  encode(images: Tensor<"b c h w">): { readonly tokens: Tensor<"b n d">; readonly pooled: Tensor<"b o"> } {
    const parts = this.#parts();
    checkImages(parts, images);
    const { last } = hiddenStates(parts, images);
    const { tokens, pooled } = tokensOf(last, this.ln_post, this.options.tokens);
    return { tokens, pooled: einsum("b d, d o -> b o", pooled, this.proj) }; // [clip.projection]
  }

  #parts(): ClipParts {
    return {
      name: "OpenClipVisionTransformer",
      imageSize: this.options.imageSize,
      patches: this.conv1,
      classToken: this.class_embedding,
      positions: this.positional_embedding,
      firstNorm: this.ln_pre,
      layers: this.transformer.resblocks,
    };
  }
}
