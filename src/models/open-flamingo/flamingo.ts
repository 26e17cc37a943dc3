// OpenFlamingo: Awadalla et al., arXiv 2308.01390; open_flamingo/src/flamingo.py of open-flamingo 2.0.1. An image encoder, a resampler, and
// gated cross-attention before layers of a language model.
import { GatedCrossAttentionBlock } from "../../blocks/gated-cross-attention-block.ts";
import { conventions } from "../../masks/conventions/conventions.ts";
import { type Check, checked, count, layers, optional, passing, whole } from "../../nn/options.ts";
import { RuleError } from "../../tensor/errors.ts";
import { rearrange } from "../../tensor/ops/arrange.ts";
import { detach } from "../../tensor/ops/functions.ts";
import { named, shapes } from "../../tensor/pattern.ts";
import type { Bool, Int, Tensor } from "../../tensor/tensor.ts";
import type { ImageEncoder } from "../flamingo/media.ts";
import {
  type LanguageModel,
  languageModelCheck,
  readOn,
  readTokens,
  type Writer,
} from "../language-model.ts";
import { decodingWithMedia, type MediaText, writerWithMedia } from "../media-writer.ts";
import { FlamingoLayer } from "./flamingo-layer.ts";
import { openFlamingoSets } from "./names.ts";
import { OpenFlamingoResampler, type OpenFlamingoResamplerOptions } from "./perceiver-resampler.ts";

/** Sizes of cross-attention. */
export interface OpenFlamingoCrossAttention {
  readonly dimHead?: number | undefined;
  readonly heads?: number | undefined;
  readonly ffMult?: number | undefined;
}

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
  readonly perceiver?: Omit<OpenFlamingoResamplerOptions, "dim"> | undefined;
  /** Sizes of cross-attention, which the release fixes. */
  readonly crossAttn?: OpenFlamingoCrossAttention | undefined;
}

const hasForward = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "forward" in value && typeof value.forward === "function";
const id = whole(-(2 ** 31), 2 ** 31 - 1);
const optionsOf = (module: string): Check =>
  optional(
    passing(
      `an object of options of ${module}`,
      (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    ),
  );

const checks: { readonly [K in keyof OpenFlamingoOptions]-?: Check } = {
  visionEncoder: passing("a module with a method forward(images)", hasForward),
  langEncoder: languageModelCheck,
  eocTokenId: id,
  mediaTokenId: id,
  visDim: count(),
  crossAttnEveryNLayers: optional(count()),
  crossAttnFirstLayer: optional(layers()),
  perceiver: optionsOf("the resampler"),
  crossAttn: optionsOf("cross-attention"),
};

/**
 * Flamingo of open-flamingo 2.0.1 around any language model: an image encoder, a resampler, and gated cross-attention before every n-th
 * layer. `generate(model.withMedia(images), …)` continues texts with a cache. Throws a RuleError for an option that it refuses.
 */
export class OpenFlamingo {
  vision_encoder: ImageEncoder;
  perceiver: OpenFlamingoResampler;
  lang_encoder: LanguageModel;
  readonly options: MediaText & { readonly eocTokenId: number };

  constructor(options: OpenFlamingoOptions) {
    const known = checked("OpenFlamingo", options, checks);
    const { visionEncoder, langEncoder, eocTokenId, mediaTokenId, visDim, perceiver } = known;
    const { crossAttnEveryNLayers: every = 1, crossAttnFirstLayer: first = 0, crossAttn } = known;
    const convention = conventions["open-flamingo@2.0.1"];
    this.options = { mediaTokenId, eocTokenId, convention, count: "slots" }; // [openflamingo.positions]
    this.vision_encoder = visionEncoder;
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
   * Logits of the next token at every position; those of padding have no meaning. `mask` is false for padding. Throws a RuleError if an
   * image has several frames, and a ShapeError if the shapes do not fit together.
   */
  forward(visionX: Tensor<"b m f c h w">, langX: Int<"b l">, mask: Bool<"b s">): Tensor<"b l n"> {
    shapes("OpenFlamingo", {
      visionX: [visionX, "b m f c h w"],
      langX: [langX, "b l"],
      mask: [named("b l", mask), "b l"],
    });
    const at = decodingWithMedia(readOn(null, langX), mask, this.perceive(visionX), this.options);
    return this.lang_encoder.logits(readTokens(this.lang_encoder, langX, at, null).x);
  }

  /** The latents of the images. The encoder is frozen, so its output is detached. */
  perceive(visionX: Tensor<"b m f c h w">): Tensor<"b m r e"> {
    const { b, m, f } = shapes("OpenFlamingo", { visionX: [visionX, "b m f c h w"] });
    if (f !== 1)
      throw new RuleError(
        `an image has ${f} frames; open-flamingo takes one`,
        "openflamingo.one-frame",
        "AssertionError: Only single frame supported",
      );
    // #region encode
    const images = named("b c h w", rearrange("b m f c h w -> (b m f) c h w", visionX));
    const tokens = named("(b m f) s d", detach(this.vision_encoder.forward(images))); // [openflamingo.encode]
    return named("b m r e", this.perceiver.forward(rearrange("(b m f) s d -> b m f s d", tokens, { b, m })));
    // #endregion
  }

  /** The model with its images fixed, as generation takes it. `emptyRow`: see `Decoding`. */
  withMedia(visionX: Tensor<"b m f c h w">, { emptyRow }: Pick<MediaText, "emptyRow"> = {}): Writer {
    const text = { ...this.options, emptyRow };
    return writerWithMedia(this, this.lang_encoder, () => this.perceive(visionX), text);
  }
}
