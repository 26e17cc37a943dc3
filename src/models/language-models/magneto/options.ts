// Options of the Magneto decoder, with the defaults of torchscale's DecoderConfig (torchscale/architecture/config.py).
import type { ActivationName } from "../../../nn/activations.ts";
import { probability } from "../../../nn/dropout.ts";
import {
  type Check,
  checked,
  count,
  flag,
  layers,
  nullable,
  object,
  oneOf,
  optional,
  positive,
  whole,
} from "../../../nn/options.ts";
import { type AnglePrecision, anglePrecision } from "../../../nn/positions/angles.ts";
import { RuleError } from "../../../tensor/errors.ts";
import { paddingRow, tokenId } from "../padding.ts";
import {
  MAGNETO_SCHEMES,
  type MagnetoInit,
  type MagnetoScheme,
  TOKEN_TABLES,
  type TokenTable,
} from "./initializers.ts";

/**
 * Where the layer norms of a layer stand. "pre-ln": before attention and before the feed-forward (Xiong et al., arXiv 2002.04745). "sub-ln":
 * there, and before the last projection of each (Wang et al., arXiv 2210.06423, §2). "post-ln": after the residual sums (Vaswani et al.,
 * arXiv 1706.03762). "post-sub-ln": after the sums, and before the last projections; torchscale at 4d1e0e8 builds it where `subln` is true
 * and `decoder_normalize_before` false.
 */
export type MagnetoNormalization = (typeof NORMALIZATIONS)[number];
export const NORMALIZATIONS = ["sub-ln", "pre-ln", "post-ln", "post-sub-ln"] as const;

export const MAGNETO_ACTIVATIONS = ["gelu", "relu", "swish"] as const satisfies readonly ActivationName[];
export type MagnetoActivation = (typeof MAGNETO_ACTIVATIONS)[number];
export const activationCheck: Check = oneOf(MAGNETO_ACTIVATIONS);

/** Buckets of distances, each with a learned bias for each head. */
export interface RelativePositions {
  readonly buckets: number;
  /** From this distance on all keys share a bucket. */
  readonly maxDistance: number;
}

/** Sizes, norms and position encodings of the decoder. Widths are in features, rates are probabilities. */
export interface MagnetoOptions {
  /** Rows of the table of token embeddings, and logits of a token. */
  readonly vocabSize: number;
  /** A multiple of the number of heads. Default 768. */
  readonly width?: number | undefined;
  /** Default 12. */
  readonly layers?: number | undefined;
  /** Default 12. */
  readonly heads?: number | undefined;
  /** Default 3072. */
  readonly feedForwardWidth?: number | undefined;
  /** Default "gelu", the exact one. */
  readonly activation?: MagnetoActivation | undefined;
  /** Default "sub-ln"; with `deepNorm` "post-ln". */
  readonly normalization?: MagnetoNormalization | undefined;
  /**
   * Multiplies residuals by (2 · layers)^¼ (DeepNorm: Wang et al., arXiv 2203.00555, §4.1). With "post-ln", the default, it is the paper's;
   * "pre-ln" is what torchscale at 4d1e0e8 builds where `deepnorm` alone is true. It has no norms before the last projections. Default false.
   */
  readonly deepNorm?: boolean | undefined;
  /** ε of all layer norms. Default 1e-5. */
  readonly eps?: number | undefined;
  /** Whether queries and keys have xPos (Sun et al., arXiv 2212.10554). Default false. */
  readonly xpos?: boolean | undefined;
  /** The number of positions over which xPos changes by one power of its scale. Default 512. */
  readonly xposScaleBase?: number | undefined;
  /** The arithmetic of xPos' angles: float32 by default, as in torchscale, whatever the precision of the model. */
  readonly rotaryPrecision?: AnglePrecision | undefined;
  /** Learned biases of distances; null: none. Default null. */
  readonly relativePosition?: RelativePositions | null | undefined;
  /** Whether the projections of attention, and the norm before the last one, exist twice: A and B. Default false. */
  readonly multiway?: boolean | undefined;
  /**
   * With `multiway`: the number of tokens at the beginning of a text that use A; those after them use B. −1: all tokens use A.
   * Default −1. `MagnetoDecoder.splitPosition` changes it.
   */
  readonly splitPosition?: number | undefined;
  /** The length of the longest text, whose positions have learned embeddings; null: they have none. Default null. */
  readonly maxPositions?: number | null | undefined;
  /** Whether token embeddings are multiplied by √width. Default false. */
  readonly scaleEmbedding?: boolean | undefined;
  /** Whether a layer norm follows the sum of token and position embeddings. Default false. */
  readonly layerNormEmbedding?: boolean | undefined;
  /** Whether the projection to the vocabulary is the embedding table. Default false. */
  readonly tied?: boolean | undefined;
  /** The id whose embedding is zero at first and gets no gradient through the ids; a negative one counts from the end. Default: none. */
  readonly paddingId?: number | null | undefined;
  /** The rate of dropout after the embeddings, attention and the feed-forward. Default 0, as for the other rates. */
  readonly dropout?: number | undefined;
  /** The rate of dropout of the attention weights. */
  readonly attentionDropout?: number | undefined;
  /** The rate of dropout after the activation function. */
  readonly activationDropout?: number | undefined;
  /** The rate at which the last layer leaves out attention and feed-forward for a row of the batch; it grows linearly from 0 in the first layer. */
  readonly dropPathRate?: number | undefined;
  /** The initial distributions of the weights. Default "torchscale": those of its constructor. */
  readonly init?: MagnetoScheme | undefined;
  /** The initial distribution of the token embeddings. Default "torchscale": that of its TextEmbedding. */
  readonly tokenTable?: TokenTable | undefined;
}

const distanceChecks: { readonly [K in keyof RelativePositions]-?: Check } = {
  buckets: count,
  maxDistance: count,
};

/** The largest split position. [options.bounds] */
export const LARGEST_SPLIT = 2 ** 24;

const checks: { readonly [K in keyof MagnetoOptions]-?: Check } = {
  vocabSize: count,
  width: optional(count),
  layers: optional(layers),
  heads: optional(count),
  feedForwardWidth: optional(count),
  activation: optional(activationCheck),
  normalization: optional(oneOf(NORMALIZATIONS)),
  deepNorm: optional(flag),
  eps: optional(positive),
  xpos: optional(flag),
  xposScaleBase: optional(positive),
  rotaryPrecision: optional(anglePrecision),
  relativePosition: optional(nullable(object("an object such as { buckets: 32, maxDistance: 128 }"))),
  multiway: optional(flag),
  splitPosition: optional(whole(-1, LARGEST_SPLIT)),
  maxPositions: optional(nullable(count)),
  scaleEmbedding: optional(flag),
  layerNormEmbedding: optional(flag),
  tied: optional(flag),
  paddingId: optional(nullable(tokenId)),
  dropout: optional(probability),
  attentionDropout: optional(probability),
  activationDropout: optional(probability),
  dropPathRate: optional(probability),
  init: optional(oneOf(MAGNETO_SCHEMES)),
  tokenTable: optional(oneOf(TOKEN_TABLES)),
};

/** The tokens that use the modules A of a multiway network; shared by all of a decoder's modules, so that it can change. */
export interface Split {
  position: number;
}

/** All options, with their defaults. */
export interface MagnetoSettings {
  readonly vocabSize: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly innerWidth: number;
  readonly activation: MagnetoActivation;
  readonly normBefore: boolean;
  readonly subNorms: boolean;
  /** The factor of residuals. */
  readonly alpha: number;
  readonly epsilon: number;
  /** null: there is no xPos. */
  readonly xpos: { readonly scaleBase: number; readonly precision: AnglePrecision } | null;
  readonly relative: RelativePositions | null;
  /** null without `multiway`. */
  readonly split: Split | null;
  readonly maxPositions: number | null;
  readonly embedScale: number;
  readonly embedNorm: boolean;
  readonly tied: boolean;
  readonly paddingId: number | null;
  readonly dropout: number;
  readonly attentionDropout: number;
  readonly activationDropout: number;
  readonly dropPathRate: number;
  readonly init: MagnetoInit;
  readonly tokenTable: TokenTable;
}

const CALLER = "MagnetoDecoder";

export function settingsOf(options: MagnetoOptions): MagnetoSettings {
  const {
    vocabSize,
    width = 768,
    layers = 12,
    heads = 12,
    feedForwardWidth: innerWidth = 3072,
    activation = "gelu", // [magneto.feed-forward]
    deepNorm = false,
    normalization = deepNorm ? "post-ln" : "sub-ln", // [magneto.norms] [magneto.deep-norm]
    eps: epsilon = 1e-5, // [magneto.sub-norms]
    xpos = false,
    xposScaleBase: scaleBase = 512,
    rotaryPrecision: precision = "float32",
    relativePosition = null,
    multiway = false,
    splitPosition = -1, // [magneto.split]
    maxPositions = null,
    scaleEmbedding = false,
    layerNormEmbedding: embedNorm = false,
    tied = false,
    paddingId = null,
    dropout = 0,
    attentionDropout = 0,
    activationDropout = 0,
    dropPathRate = 0,
    init: scheme = "torchscale",
    tokenTable = "torchscale",
  } = checked(CALLER, options, checks);
  const subNorms = normalization === "sub-ln" || normalization === "post-sub-ln";
  checkTogether({ width, heads, xpos, multiway, splitPosition, deepNorm, subNorms });
  return {
    vocabSize,
    width,
    layers,
    heads,
    innerWidth,
    activation,
    normBefore: normalization === "sub-ln" || normalization === "pre-ln",
    subNorms,
    alpha: deepNorm ? (2 * layers) ** 0.25 : 1, // [magneto.deep-norm]
    epsilon,
    xpos: xpos ? { scaleBase, precision } : null,
    relative: relativePosition && checked(`${CALLER}'s relativePosition`, relativePosition, distanceChecks),
    split: multiway ? { position: splitPosition } : null,
    maxPositions,
    embedScale: scaleEmbedding ? Math.sqrt(width) : 1, // [magneto.embedding]
    embedNorm,
    tied,
    paddingId: paddingRow(paddingId, vocabSize, "magneto.embedding", "paddingId"),
    dropout,
    attentionDropout,
    activationDropout,
    dropPathRate,
    init: { scheme, layers, subLN: subNorms, deepNorm },
    tokenTable,
  };
}

interface Together {
  readonly width: number;
  readonly heads: number;
  readonly xpos: boolean;
  readonly multiway: boolean;
  readonly splitPosition: number;
  readonly deepNorm: boolean;
  readonly subNorms: boolean;
}

/** Throws a RuleError for options that do not go together. */
function checkTogether(options: Together): void {
  const { width, heads, xpos, multiway, splitPosition, deepNorm, subNorms } = options;
  if (width % heads !== 0)
    throw new RuleError(
      `${CALLER}: a width of ${width} cannot be divided among ${heads} heads: it must be a multiple of their number`,
      "magneto.heads",
    );
  if (xpos && (width / heads) % 2 !== 0)
    throw new RuleError(
      `${CALLER}: xpos rotates pairs of dimensions, and a head has ${width / heads}; choose another width or number of heads`,
      "magneto.xpos",
    );
  if (deepNorm && subNorms)
    throw new RuleError(
      `${CALLER}: deepNorm has no norms before the last projections; choose the normalization "post-ln" or "pre-ln"`,
      "magneto.deep-norm",
    );
  if (!multiway && splitPosition !== -1)
    throw new RuleError(
      `${CALLER}: splitPosition is ${splitPosition}, and without multiway there is nothing to split`,
      "magneto.multiway",
    );
}
