// Flamingo with PaLM as its language model, as in flamingo-pytorch: Alayrac et al., arXiv 2204.14198v2, figure 3;
// Chowdhery et al., arXiv 2204.02311.

import { GatedCrossAttentionBlock } from "../../blocks/gated-cross-attention-block.ts";
import { visibilityOfText } from "../../blocks/media-visibility.ts";
import { ParallelTransformerBlock, type SharedKeyValues } from "../../blocks/parallel-transformer-block.ts";
import { type HeadOptions, headChecks } from "../../blocks/perceiver-attention.ts";
import { PerceiverResampler } from "../../blocks/perceiver-resampler.ts";
import { conventionIn } from "../../masks/conventions/pair.ts";
import type { Convention } from "../../masks/conventions/schema.ts";
import { Embedding } from "../../nn/embedding.ts";
import { Linear, NO_BIAS } from "../../nn/linear.ts";
import { PaLMLayerNorm } from "../../nn/norms/layer-norm.ts";
import {
  type Check,
  checked,
  count,
  flag,
  inner,
  layers,
  nullable,
  optional,
  passing,
  whole,
} from "../../nn/options.ts";
import { normal, Parameter } from "../../nn/parameter.ts";
import { add } from "../../tensor/ops/functions.ts";
import { named, shapes } from "../../tensor/pattern.ts";
import { tap } from "../../tensor/program/apply.ts";
import type { Bool, Int, Tensor } from "../../tensor/tensor.ts";
import {
  type DecoderLayer,
  type Decoding,
  type KeyValues,
  type LanguageModel,
  wholeTexts,
} from "../language-model.ts";
import type { WriterWithMedia } from "../writer.ts";
import { CLASS, chooseMedia, embedMedia, encoderCheck, type ImageEncoder, type Media } from "./media.ts";
import { crossAttentionWeights, layerOutputs, trainedParameters } from "./names.ts";
import {
  behaviourOf,
  checkAccepted,
  type FlamingoBehaviour,
  type ProfileName,
  profileCheck,
} from "./profiles.ts";

/** The sizes of the model and the release whose behaviour it reproduces. Widths are in features, `ffMult` is a multiple of `dim`. */
export interface FlamingoPaLMOptions extends HeadOptions {
  readonly numTokens: number;
  readonly depth: number;
  readonly ffMult?: number | undefined;
  /** The token id that stands for an image or video in the text. Default 3. */
  readonly mediaTokenId?: number | undefined;
  /** A gated cross-attention block follows the layers 0, n, 2n, … Default 3. */
  readonly crossAttnEvery?: number | undefined;
  readonly imgEncoder?: ImageEncoder | null | undefined;
  readonly perceiverNumLatents?: number | undefined;
  readonly perceiverDepth?: number | undefined;
  /** The largest number of frames of a video. Videos are refused without it. */
  readonly maxVideoFrames?: number | null | undefined;
  /** Whether a token attends to the last image before it only, or to all images before it. Default true. */
  readonly onlyAttendImmediateMedia?: boolean | undefined;
  /** The package whose behaviour to reproduce. Default "flamboyance". */
  readonly profile?: ProfileName | undefined;
  /** Options that override those of the profile. */
  readonly behaviour?: Partial<FlamingoBehaviour> | undefined;
}

const checks: { readonly [K in keyof FlamingoPaLMOptions]-?: Check } = {
  ...headChecks,
  numTokens: count,
  depth: layers,
  ffMult: optional(inner),
  mediaTokenId: optional(whole(-(2 ** 31), 2 ** 31 - 1)),
  crossAttnEvery: optional(count),
  imgEncoder: optional(nullable(encoderCheck)),
  perceiverNumLatents: optional(count),
  perceiverDepth: optional(layers),
  maxVideoFrames: optional(nullable(count)),
  onlyAttendImmediateMedia: optional(flag),
  profile: profileCheck,
  behaviour: optional(passing("options", () => true)), // checked by behaviourOf
};

class Residual {
  fn: ParallelTransformerBlock;

  constructor(fn: ParallelTransformerBlock) {
    this.fn = fn;
  }

  forward(x: Tensor<"b l d">, mayAttend: Bool<"b l s">, past: SharedKeyValues | null): Read {
    const { x: y, now } = this.fn.read(x, mayAttend, past);
    return { x: tap(this, "", add(y, x)), now };
  }
}

interface Read {
  readonly x: Tensor<"b l d">;
  readonly now: SharedKeyValues;
}

/** A block of PaLM, followed by gated cross-attention in some layers. */
export class FlamingoPaLMLayer implements DecoderLayer {
  readonly 0: Residual;
  readonly 1: GatedCrossAttentionBlock | null;

  constructor(block: Residual, cross: GatedCrossAttentionBlock | null) {
    this[0] = block;
    this[1] = cross;
  }

  forward(x: Tensor<"b l d">, { mayAttend, media, visibility }: Decoding, past: KeyValues | null): Read {
    // #region layer
    const { 0: block, 1: cross } = this;
    const { x: y, now } = block.forward(x, mayAttend, past);
    return { x: cross && media ? cross.forward(y, media, { visibility }) : y, now }; // [flamingo.after]
    // #endregion
  }
}

/** Norm and projection to the vocabulary. The projection is tied to the embedding table. */
class ToLogits {
  readonly 0: PaLMLayerNorm;
  readonly 1: Linear<"d", "n">;

  constructor(dim: number, embedding: Embedding<"d">) {
    this[0] = new PaLMLayerNorm(dim);
    const table = named("o i", embedding.weight);
    this[1] = new Linear("d -> n", dim, table.shape[0] ?? 0, NO_BIAS);
    this[1].weight = table; // [palm.tied]
  }

  forward(x: Tensor<"b l d">): Tensor<"b l n"> {
    return this[1].forward(this[0].forward(x));
  }
}

/**
 * Flamingo with PaLM as its language model: logits of the next token of texts about images or videos. The fields have the names
 * of flamingo-pytorch. Throws a RuleError for options that the profile refuses, such as a model without an image encoder.
 * Source: Alayrac et al., arXiv 2204.14198v2, figure 3; Chowdhery et al., arXiv 2204.02311; FlamingoPaLM of flamingo-pytorch
 * 0.1.2.
 */
export class FlamingoPaLM implements LanguageModel {
  video_frame_pos_emb: Parameter<"f d"> | null;
  token_emb: Embedding<"d">;
  img_encoder: ImageEncoder | null;
  perceiver_resampler: PerceiverResampler;
  layers: FlamingoPaLMLayer[];
  to_logits: ToLogits;
  readonly options: {
    readonly mediaTokenId: number;
    readonly behaviour: FlamingoBehaviour;
    readonly convention: Convention;
  };

  constructor(options: FlamingoPaLMOptions) {
    const {
      dim,
      dimHead,
      heads,
      depth,
      numTokens,
      ffMult,
      mediaTokenId = 3,
      crossAttnEvery = 3,
      imgEncoder = null,
      perceiverNumLatents = 64,
      perceiverDepth = 2,
      maxVideoFrames = null,
      onlyAttendImmediateMedia,
      profile = "flamboyance",
      behaviour: overrides,
    } = checked(CLASS, options, checks);
    const behaviour = behaviourOf(profile, overrides);
    const convention = conventionIn(behaviour, onlyAttendImmediateMedia); // [gate.empty-row-feed-forward]
    this.options = { mediaTokenId, behaviour, convention };
    if (!imgEncoder) checkAccepted(behaviour, "withoutEncoder"); // [flamingo.encoder-optional]
    const head = { dim, dimHead, heads };
    this.video_frame_pos_emb =
      maxVideoFrames === null ? null : new Parameter("f d", [maxVideoFrames, dim], normal(1));
    this.token_emb = new Embedding("d", numTokens, dim, { initial: normal(0.02) }); // [palm.embedding-std]
    this.img_encoder = imgEncoder;
    this.perceiver_resampler = new PerceiverResampler({
      ...head,
      depth: perceiverDepth,
      numLatents: perceiverNumLatents,
    });
    // #region layers
    this.layers = Array.from({ length: depth }, (_, i) => {
      const cross = i % crossAttnEvery === 0 ? new GatedCrossAttentionBlock({ ...head, convention }) : null; // [flamingo.every]
      return new FlamingoPaLMLayer(new Residual(new ParallelTransformerBlock({ ...head, ffMult })), cross);
    });
    // #endregion
    this.to_logits = new ToLogits(dim, this.token_emb);
  }

  /**
   * Logits of the next token at every position, [b l n]. Without media this is the language model alone. Throws a
   * ShapeError or a RuleError if the media do not fit the model or its profile.
   */
  forward(text: Int<"b l">, media: Media | Tensor<"b m c h w"> = {}): Tensor<"b l n"> {
    const { b, l } = shapes(CLASS, { text: [text, "b l"] });
    const { mediaTokenId, convention } = this.options;
    // #region forward
    let x = this.embed(text); // [flamingo.text]
    const perceived = this.perceive(media);
    const visibility =
      perceived &&
      visibilityOfText(text, (id) => Number(id === mediaTokenId), perceived.shape[1] ?? 0, convention); // [mask.location]
    const at = { ...wholeTexts(b, l), media: perceived, visibility };
    for (const layer of this.layers) x = layer.forward(x, at, null).x;
    return this.logits(x);
    // #endregion
  }

  /** The latents of the images or videos, one set for each; null without media. */
  perceive(media: Media | Tensor<"b m c h w">): Tensor<"b m r e"> | null {
    const embeds = embedMedia(this, chooseMedia(media, this.options.behaviour));
    return embeds && named("b m r e", this.perceiver_resampler.forward(embeds));
  }

  /** The embeddings of tokens, before the first layer. */
  embed(ids: Int<"b l">): Tensor<"b l d"> {
    return this.token_emb.forward(ids);
  }

  /** Logits of the next token, from the hidden states after the last layer. */
  logits(x: Tensor<"b l d">): Tensor<"b l n"> {
    return this.to_logits.forward(x);
  }

  get width(): number {
    return this.token_emb.weight.shape[1] ?? 0;
  }

  /** The model with its media fixed, as generation takes it. */
  withMedia(media: Media): WriterWithMedia {
    return { model: this, decoder: this, text: this.options, latents: () => this.perceive(media) };
  }

  /** The parameters that each source trains, for `trainable(model, set)`. */
  get parameterSets(): typeof trainedParameters {
    return trainedParameters;
  }

  /** The named activations to keep in gradient checkpointing, for `keepOnly`. */
  get layerOutputs(): RegExp {
    return layerOutputs;
  }

  /** Names of the cross-attention weights, one for each layer that has a cross-attention block; axes b h l (m r). */
  get crossAttentionWeights(): string[] {
    return this.layers.flatMap(({ 1: cross }, i) => (cross ? [crossAttentionWeights(i)] : []));
  }

  /** The part that `setTraining` leaves in evaluation mode: the image encoder, which is frozen. */
  get evaluationOnly(): object | null {
    return this.options.behaviour.trainModeReachesEncoder ? null : this.img_encoder; // [flamingo.frozen-encoder]
  }
}
