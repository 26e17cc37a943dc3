// OpenFlamingo: Awadalla et al., arXiv 2308.01390; open_flamingo/src/flamingo.py of open-flamingo 2.0.1. An image encoder, a resampler, and
// gated cross-attention before layers of a language model.
import { GatedCrossAttentionBlock } from "../../blocks/gated-cross-attention-block.ts";
import { nextLabels } from "../../nn/cross-entropy.ts";
import {
  type Check,
  checked,
  checkObject,
  count,
  flag,
  layers,
  optional,
  passing,
  whole,
} from "../../nn/options.ts";
import { RuleError } from "../../tensor/errors.ts";
import { rearrange } from "../../tensor/ops/arrange.ts";
import { detach } from "../../tensor/ops/functions.ts";
import { named, shapes } from "../../tensor/pattern.ts";
import type { Int, Tensor } from "../../tensor/tensor.ts";
import { walk } from "../../tensor/walk.ts";
import { encoderCheck, type ImageEncoder } from "../flamingo/media.ts";
import {
  decodingOf,
  type KeyValues,
  type LanguageModel,
  languageModelCheck,
  readTokens,
  type StatesBefore,
} from "../language-model.ts";
import { withStep } from "../media-writer.ts";
import { checkStep, type MediaText, readOn, type WriterWithStep } from "../writer.ts";
import {
  type Conditioning,
  checkImages,
  countedAfter,
  type ImagePass,
  imagesOf,
  visibilityOfPass,
} from "./conditioning.ts";
import { FlamingoLayer } from "./flamingo-layer.ts";
import {
  type FlamingoImages,
  type FlamingoInputs,
  type FlamingoOutputs,
  idsCheck,
  imageInputs,
  passInputs,
  textMask,
} from "./inputs.ts";
import { labelLoss, labelLossOfStates } from "./loss.ts";
import { openFlamingoLayerOutputs, openFlamingoSets } from "./names.ts";
import { OpenFlamingoResampler, type OpenFlamingoResamplerOptions } from "./perceiver-resampler.ts";
import {
  type OpenFlamingoBehaviour,
  type OpenFlamingoProfile,
  openFlamingoBehaviour,
  openFlamingoProfileCheck,
} from "./profiles.ts";

/** Sizes of cross-attention. */
export interface OpenFlamingoCrossAttention {
  readonly dimHead?: number | undefined;
  readonly heads?: number | undefined;
  readonly ffMult?: number | undefined;
}

type Resampler = Omit<OpenFlamingoResamplerOptions, "dim">;

/** The parts of the model, the spacing of its gated layers, and the release whose behaviour it reproduces. */
export interface OpenFlamingoOptions {
  /** From images "b c h w" to tokens "b n d", without a pooled token; d is `visDim`. */
  readonly visionEncoder: ImageEncoder;
  /** The language model. Its list of layers is replaced: each becomes a FlamingoLayer around the old one. */
  readonly langEncoder: LanguageModel;
  /** The token that ends the text of an image, at which generation stops. */
  readonly eocTokenId: number;
  /** The token in whose place an image stands. */
  readonly mediaTokenId: number;
  /** The width of the image encoder's tokens. */
  readonly visDim: number;
  /** The layers n − 1, 2n − 1, … have cross-attention. Default 1. */
  readonly crossAttnEveryNLayers?: number | undefined;
  /** The first layer that may have cross-attention; an option of this project, not of the package. Default 0. */
  readonly crossAttnFirstLayer?: number | undefined;
  /** Sizes of the resampler, which the release fixes. */
  readonly perceiver?: Resampler | undefined;
  /** Sizes of cross-attention, which the release fixes. */
  readonly crossAttn?: OpenFlamingoCrossAttention | undefined;
  /** Whether training computes activations inside layers a second time, see `keepOnly`. Default false. */
  readonly gradientCheckpointing?: boolean | undefined;
  /** The release whose behaviour to reproduce. Default "flamboyance". */
  readonly profile?: OpenFlamingoProfile | undefined;
  /** Options that override those of the profile. */
  readonly behaviour?: Partial<OpenFlamingoBehaviour> | undefined;
}

const id = whole(-(2 ** 31), 2 ** 31 - 1);
/** Each value is checked by the module that is given it. */
const any: Check = optional(passing("any value", () => true));
const resamplerChecks: { readonly [K in keyof Resampler]-?: Check } = {
  depth: any,
  dimHead: any,
  heads: any,
  numLatents: any,
  maxNumMedia: any,
  maxNumFrames: any,
  ffMult: any,
};
const crossAttentionChecks: { readonly [K in keyof OpenFlamingoCrossAttention]-?: Check } = {
  dimHead: any,
  heads: any,
  ffMult: any,
};
const optionsOf = (module: string): Check =>
  optional(
    passing(
      `an object of options of ${module}`,
      (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    ),
  );

const checks: { readonly [K in keyof OpenFlamingoOptions]-?: Check } = {
  visionEncoder: encoderCheck,
  langEncoder: languageModelCheck,
  eocTokenId: id,
  mediaTokenId: id,
  visDim: count,
  crossAttnEveryNLayers: optional(count),
  crossAttnFirstLayer: optional(layers),
  perceiver: optionsOf("the resampler"),
  crossAttn: optionsOf("cross-attention"),
  gradientCheckpointing: optional(flag),
  profile: openFlamingoProfileCheck,
  behaviour: optional(
    passing("an object of options of OpenFlamingoBehaviour", (value) => typeof value === "object"),
  ),
};

/** An image encoder below the name `visual`, as the part of a CLIP model that has both of its towers. */
class ClipVisual implements ImageEncoder {
  visual: ImageEncoder;

  constructor(visual: ImageEncoder) {
    this.visual = visual;
  }

  forward(images: Tensor<"b c h w">): Tensor<"b n d"> {
    return this.visual.forward(images);
  }
}

/** Throws a RuleError for a language model whose layers are an OpenFlamingo's. */
function checkUnwrapped({ layers }: LanguageModel): void {
  if (layers.some((layer) => layer instanceof FlamingoLayer))
    throw new RuleError(
      "OpenFlamingo: the layers of langEncoder have cross-attention of another OpenFlamingo; give a language model of its own",
      "openflamingo.once",
    );
}

/** A pass that was read. */
interface ReadPass {
  readonly x: Tensor<"b l d">;
  readonly layers: readonly KeyValues[];
  readonly pass: ImagePass;
  readonly inputs: FlamingoInputs;
  /** The images that stay cached after the call. */
  readonly cached: Conditioning | null;
}

/**
 * Flamingo of open-flamingo 2.0.1 around any language model: an image encoder, a resampler, and gated cross-attention before
 * every n-th layer. `generateFlamingo(model, …)` continues texts. Throws a RuleError for an option that it refuses.
 * Source: Awadalla et al., arXiv 2308.01390, §3; Flamingo of open-flamingo 2.0.1.
 */
export class OpenFlamingo {
  vision_encoder: ImageEncoder;
  perceiver: OpenFlamingoResampler;
  lang_encoder: LanguageModel;
  readonly options: MediaText & {
    readonly eocTokenId: number;
    readonly behaviour: OpenFlamingoBehaviour;
    readonly gradientCheckpointing: boolean;
  };
  /** Media that `cacheMedia` was given. The only state of the model; set when a method has succeeded. */
  #cached: Conditioning | null = null;

  constructor(options: OpenFlamingoOptions) {
    const known = checked("OpenFlamingo", options, checks);
    const { visionEncoder, langEncoder, eocTokenId, mediaTokenId, visDim } = known;
    const { crossAttnEveryNLayers: every = 1, crossAttnFirstLayer: first = 0 } = known;
    const perceiver = checked("OpenFlamingo: perceiver", known.perceiver ?? {}, resamplerChecks);
    const crossAttn = checked("OpenFlamingo: crossAttn", known.crossAttn ?? {}, crossAttentionChecks);
    checkUnwrapped(langEncoder);
    const { gradientCheckpointing = false } = known;
    const behaviour = openFlamingoBehaviour(known.profile ?? "flamboyance", known.behaviour);
    const { convention, encoderName } = behaviour;
    this.options = {
      mediaTokenId,
      eocTokenId,
      convention,
      count: "slots", // [openflamingo.positions]
      behaviour,
      gradientCheckpointing,
    };
    this.vision_encoder =
      encoderName === "vision_encoder.visual" ? new ClipVisual(visionEncoder) : visionEncoder; // [openflamingo.encoder-name]
    this.perceiver = new OpenFlamingoResampler({ ...perceiver, dim: visDim });
    this.lang_encoder = langEncoder;
    const cross = { ...crossAttn, dim: langEncoder.width, dimMedia: visDim, convention };
    // #region layers
    langEncoder.layers = langEncoder.layers.map((layer, i) => {
      const crosses = (i + 1) % every === 0 && i >= first; // [openflamingo.every] [openflamingo.first-layer]
      return new FlamingoLayer(crosses ? new GatedCrossAttentionBlock(cross) : null, layer);
    });
    // #endregion
  }

  /** The parameters that the package trains. */
  get parameterSets(): typeof openFlamingoSets {
    return openFlamingoSets;
  }

  /**
   * Logits of the next token at every position, the loss of `labels`, and a cache where it is asked for. Images are those of the call, or
   * those that `cacheMedia` was given. Throws a RuleError for images that do not go with the text, and a ShapeError for shapes that do not
   * fit together; the model is then as before the call.
   */
  forward(inputs: FlamingoInputs): FlamingoOutputs {
    // #region forward
    const { behaviour } = this.options;
    const { x, layers, pass, inputs: given, cached } = this.#read("OpenFlamingo.forward", inputs);
    const { labels, useCache } = given;
    const logits = this.lang_encoder.logits(x);
    const loss = labels ? labelLoss(logits, nextLabels(labels), behaviour) : null; // [openflamingo.loss]
    this.#cached = cached;
    return { logits, loss, pastKeyValues: useCache ? { layers, ...pass.read, mask: pass.mask } : null };
    // #endregion
  }

  /**
   * The loss of `forward`, for training: it computes the logits at positions with a label only. `states` are the text's hidden states before a
   * layer, none before which has cross-attention: they depend on frozen weights and the text alone, so that they can be computed once for all
   * steps, and the gradient ends there. Throws as `forward` does.
   */
  loss(
    options: FlamingoInputs & {
      readonly labels: Int<"b l">;
      readonly states?: StatesBefore | null | undefined;
    },
  ): Tensor<""> {
    checkObject("OpenFlamingo.loss", options);
    const { states = null, ...inputs } = options;
    const { x, inputs: given, cached } = this.#read("OpenFlamingo.loss", inputs, states);
    if (!given.labels)
      throw new RuleError(
        "OpenFlamingo.loss needs labels, the token at each position or −100",
        "openflamingo.loss",
      );
    const loss = labelLossOfStates(this.lang_encoder, x, nextLabels(given.labels), this.options.behaviour);
    this.#cached = cached;
    return loss;
  }

  /**
   * Encodes images once for several calls of `forward`, which are then given none. `inputIds` is the text in which the images stand; a text
   * without an image token follows it, and sees its last image. Throws as `forward` does.
   */
  cacheMedia(options: FlamingoImages & { readonly inputIds: Int<"b l"> }): void {
    const caller = "OpenFlamingo.cacheMedia";
    checkObject(caller, options);
    const { inputIds, ...images } = options;
    checked(caller, { inputIds }, { inputIds: idsCheck });
    const { inputs } = passInputs(caller, { langX: inputIds });
    const { langX } = inputs;
    const media = this.#media(imageInputs(caller, images));
    const pass = { read: readOn(null, langX), mask: textMask(inputs, false) };
    checkImages(imagesOf(pass, this.options), media, this.options, true);
    this.#cached = { media, counted: langX };
  }

  /** Forgets the images that `cacheMedia` was given. */
  uncacheMedia(): void {
    this.#cached = null;
  }

  /** The latents of the images. The encoder is frozen, so its output is detached. Throws a RuleError for no images, or several frames. */
  perceive(images: Tensor<"b m f c h w"> | FlamingoImages): Tensor<"b m r e"> {
    return this.#media(imageInputs("OpenFlamingo.perceive", images));
  }

  /** The outputs of the image encoder, which is frozen: training may compute them once for all steps, and give `features`. */
  encode(visionX: Tensor<"b m f c h w">): Tensor<"b m s d"> {
    const { b, m, f } = shapes("OpenFlamingo", { visionX: [visionX, "b m f c h w"] });
    checkFrames(m, f);
    // #region encode
    const images = named("b c h w", rearrange("b m f c h w -> (b m f) c h w", visionX));
    const tokens = named("(b m) s d", detach(this.vision_encoder.forward(images))); // [openflamingo.encode]
    return rearrange("(b m) s d -> b m s d", tokens, { b, m });
    // #endregion
  }

  /** The model with its images fixed, as generation takes it. `emptyRow`: see `Decoding`. */
  withMedia(
    images: Tensor<"b m f c h w"> | FlamingoImages,
    { emptyRow }: Pick<MediaText, "emptyRow"> = {},
  ): WriterWithStep {
    const form = imageInputs("OpenFlamingo.withMedia", images);
    const writer = withStep({
      model: this,
      decoder: this.lang_encoder,
      text: { ...this.options, emptyRow },
      latents: () => this.#media(form),
    });
    return {
      ...writer,
      step: (ids, mask, cache, context) => {
        const { media } = context;
        if (media && !cache) {
          const prompt = { read: readOn(null, ids), mask };
          checkImages(imagesOf(prompt, this.options), named("b m r e", media), this.options, true);
        }
        return writer.step(ids, mask, cache, context);
      },
    };
  }

  /** The named activations to keep in gradient checkpointing, for `keepOnly` of `train`; null keeps all. */
  get keepOnly(): RegExp | null {
    return this.options.gradientCheckpointing ? openFlamingoLayerOutputs : null; // [openflamingo.checkpointing]
  }

  /** Names of the cross-attention weights, one for each layer that has cross-attention; axes b h l (m r). */
  get crossAttentionWeights(): string[] {
    return [...walk(this)].flatMap(([path, module]) =>
      module instanceof GatedCrossAttentionBlock ? [`${path}.attn.attn`] : [],
    );
  }

  /** Reads the tokens of a call, and the images with them. */
  #read(caller: string, given: FlamingoInputs, states: StatesBefore | null = null): ReadPass {
    const { inputs, images } = passInputs(caller, given);
    const { langX, pastKeyValues: past = null, useCache = false } = inputs;
    const { options } = this;
    const mask = textMask(inputs, options.behaviour.cachedPadding === "remember");
    const decoding = decodingOf(mask, langX.shape[1] ?? 0, options.count);
    checkStep(this.lang_encoder, langX, decoding, past);
    // #region condition
    const pass = { read: readOn(past, langX), mask };
    const located = imagesOf(pass, options);
    const conditioning = this.#conditioning(images);
    checkImages(located, conditioning.media, options, images !== null && !past && !useCache);
    const visibility = visibilityOfPass(pass, located, conditioning, options);
    const at = { ...decoding, media: conditioning.media, visibility };
    const { x, layers } = readTokens(this.lang_encoder, langX, at, past?.layers ?? null, states);
    // #endregion
    const { clearConditionedLayers: clears = true } = inputs;
    const kept = !images && !clears; // [openflamingo.clear]
    const cached = kept ? { ...conditioning, counted: countedAfter(langX, conditioning, options) } : null;
    return { x, layers, pass, inputs, cached };
  }

  /** The images of a call: its own, or the cached ones. */
  #conditioning(images: FlamingoImages | null): Conditioning {
    const cached = this.#cached;
    if (images && cached)
      throw new RuleError(
        "images are cached, and the call has images, too: call uncacheMedia() first, or leave them out",
        "openflamingo.cached",
      );
    if (images) return { media: this.#media(images), counted: null };
    if (cached) return cached;
    throw new RuleError(
      "there are no images: give visionX, or call cacheMedia first, and forward with clearConditionedLayers: false if several calls use them",
      "openflamingo.no-images",
      { missing: "visionX" },
    );
  }

  /** Latents from any form of images. */
  #media({ visionX, features, media }: FlamingoImages): Tensor<"b m r e"> {
    if (media) {
      const { m } = shapes("OpenFlamingo", { media: [media, "b m r e"] });
      checkFrames(m, 1);
      return media;
    }
    const tokens = features ?? (visionX && this.encode(visionX));
    if (!tokens) throw new RuleError("there are no images", "openflamingo.no-images");
    const { m } = shapes("OpenFlamingo", { features: [tokens, "b m s d"] });
    checkFrames(m, 1);
    const frames = named("b m f s d", rearrange("b m s d -> b m 1 s d", tokens));
    return named("b m r e", this.perceiver.forward(frames));
  }
}

function checkFrames(m: number, f: number): void {
  if (f !== 1)
    throw new RuleError(
      `an image has ${f} frames; open-flamingo takes one: give the frames of a video as images with a token each`,
      "openflamingo.one-frame",
    );
  if (m === 0)
    throw new RuleError(
      "visionX has 0 images for each text: give at least one, or use the language model without images",
      "openflamingo.no-images",
    );
}
