// Kosmos-1: Huang et al., arXiv 2302.14045, as kosmosx 0.3.1 (kosmosx/model.py of kyegomez/Kosmos-X) and bjoernpl/KOSMOS_reimplementation
// build it: CLIP's image tower, the resampler of Flamingo, and the decoder of Magneto, which reads images and text as one sequence.
import { PerceiverResampler } from "../../blocks/perceiver-resampler.ts";
import { crossEntropy, IGNORED } from "../../nn/cross-entropy.ts";
import type { Embedding } from "../../nn/embedding.ts";
import { Linear } from "../../nn/linear.ts";
import { type Check, checked, object, oneOf, optional, passing } from "../../nn/options.ts";
import { normal } from "../../nn/parameter.ts";
import type { LearnedPositions } from "../../nn/positions/learned.ts";
import { RuleError } from "../../tensor/errors.ts";
import { rearrange } from "../../tensor/ops/arrange.ts";
import { add, mulScalar } from "../../tensor/ops/functions.ts";
import { named } from "../../tensor/pattern.ts";
import { Int, type Tensor } from "../../tensor/tensor.ts";
import { labelledLoss } from "../labelled-loss.ts";
import { type Decoding, decodingOf, readTokens, rowsOf } from "../language-model.ts";
import { MagnetoDecoder } from "../language-models/magneto/decoder.ts";
import { CLIPVisionTransformer } from "../vision/clip/transformers.ts";
import { checkStep, nextLogits, readOn, type WriterWithStep } from "../writer.ts";
import {
  checkedImages,
  checkedInputs,
  type KosmosImages,
  type KosmosInputs,
  type KosmosOutputs,
} from "./inputs.ts";
import { checkedTokens, type KosmosTokens, kosmosTextLimit, targetsOf } from "./layout.ts";
import { kosmosLayerOutputs, kosmosSets } from "./names.ts";
import {
  checkSurplus,
  formOf,
  type ImageVectors,
  lastOf,
  type SplicedText,
  spliced,
  splicedText,
  tokenPlaces,
  vectorRows,
  vectorsAt,
  withoutPadding,
} from "./splice.ts";

export const KOSMOS_MODES = ["seed", "published"] as const;
/**
 * How often a token gets the embedding of its position. "seed": once, at its place in the whole sequence. "published": twice, first at its
 * place among the tokens alone, as kosmosx and KOSMOS_reimplementation compute it.
 */
export type KosmosMode = (typeof KOSMOS_MODES)[number];

/** The parts of the model: image tower, decoder, special tokens and resampler. */
export interface KosmosOptions {
  /** The image tower. All tokens after its last layer are read, before its last norm. */
  readonly clip: CLIPVisionTransformer;
  /** The decoder, whose tables of tokens and positions are the model's. */
  readonly decoder: MagnetoDecoder;
  /** The ids of the special tokens. */
  readonly tokens: KosmosTokens;
  /** Default "seed". */
  readonly mode?: KosmosMode | undefined;
  /** Sizes of the resampler. Default: depth 2, dimHead 64, heads 8, numLatents 64, numMediaEmbeds 256, ffMult 4. */
  readonly resampler?: Partial<KosmosResampler> | undefined;
}

/** Sizes of the resampler. */
export interface KosmosResampler {
  readonly depth: number;
  readonly dimHead: number;
  readonly heads: number;
  readonly numLatents: number;
  /** Rows of the table of positions of images, of which the first is read: 256 in the README of Kosmos-X, 257 in its code. */
  readonly numMediaEmbeds: number;
  readonly ffMult: number;
}

const MEDIA_EMBEDS = 256; // [kosmos.media-embeds]
/** Each size is checked by the resampler. */
const any: Check = optional(passing("a size", () => true));
const sizeChecks: { readonly [K in keyof KosmosResampler]-?: Check } = {
  depth: any,
  dimHead: any,
  heads: any,
  numLatents: any,
  numMediaEmbeds: any,
  ffMult: any,
};

/** All sizes of a resampler. */
function resamplerSizes(given: Partial<KosmosResampler>): KosmosResampler {
  const {
    depth = 2,
    dimHead = 64,
    heads = 8,
    numLatents = 64,
    numMediaEmbeds = MEDIA_EMBEDS,
    ffMult = 4,
  } = checked("Kosmos: resampler", given, sizeChecks);
  return { depth, dimHead, heads, numLatents, numMediaEmbeds, ffMult };
}

const checks: { readonly [K in keyof KosmosOptions]-?: Check } = {
  clip: passing(
    "a CLIPVisionTransformer; for a CLIPVisionModel give its vision_model",
    (value) => value instanceof CLIPVisionTransformer,
  ),
  decoder: passing("a MagnetoDecoder", (value) => value instanceof MagnetoDecoder),
  tokens: object("the ids of the special tokens, { bos, pad, eos, image, imageEnd }"),
  mode: optional(oneOf(KOSMOS_MODES)),
  resampler: optional(object("an object of options of PerceiverResampler")),
};

/**
 * Kosmos-1: images and text in one sequence, in any order and number. `generate(kosmos.withMedia(images), …)` continues texts.
 * Throws a RuleError for an option that it refuses. The fields have the names of kosmosx.
 * Source: Huang et al., arXiv 2302.14045, §2; names of kosmosx 0.3.1.
 */
export class Kosmos {
  clip_model: CLIPVisionTransformer;
  embed: Embedding<"d">;
  embed_positions: LearnedPositions<"d"> | null;
  output_projection: Linear<"d", "n">;
  decoder: MagnetoDecoder;
  perceive: PerceiverResampler;
  image_proj: Linear<"e", "d">;
  readonly options: {
    readonly mode: KosmosMode;
    readonly tokens: KosmosTokens;
    /** The number of vectors of an image. */
    readonly slots: number;
    readonly resampler: KosmosResampler;
  };

  constructor(options: KosmosOptions) {
    const known = checked("Kosmos", options, checks);
    const { clip, decoder } = known;
    const tokens = checkedTokens("Kosmos", known.tokens);
    checkTokens(tokens, decoder);
    const { mode = "seed" } = known;
    const sizes = resamplerSizes(known.resampler ?? {});
    this.options = { mode, tokens, slots: sizes.numLatents, resampler: sizes };
    this.clip_model = clip;
    this.embed = decoder.embed_tokens; // [kosmos.shared] [kosmos.names]
    this.embed_positions = decoder.embed_positions; // [kosmos.shared] [kosmos.names]
    this.output_projection = decoder.output_projection; // [kosmos.shared] [kosmos.names]
    this.decoder = decoder;
    this.perceive = new PerceiverResampler({ ...sizes, dim: clip.width });
    const initial = normal(decoder.width ** -0.5); // [kosmos.projection]
    this.image_proj = new Linear("e -> d", clip.width, decoder.width, { bias: false, initial });
  }

  /** The parameters that the sources train. */
  get parameterSets(): ReturnType<typeof kosmosSets> {
    return kosmosSets(this.clip_model.encoder.layers.length);
  }

  /** The named activations to keep in gradient checkpointing, for `keepOnly` of `train`. */
  get layerOutputs(): RegExp {
    return kosmosLayerOutputs;
  }

  /**
   * Logits of the next token at every position of the sequence, the vectors of images included, and the loss of `targets`. Throws a
   * RuleError for images that do not go with the text, and for a text that is longer than the table of positions; a ShapeError for
   * shapes that do not fit together.
   */
  forward(inputs: KosmosInputs): KosmosOutputs {
    // #region forward
    const { x, targets } = this.#read("Kosmos.forward", inputs);
    const logits = named("b s n", this.decoder.logits(x));
    return { logits, loss: targets ? crossEntropy(logits, targets).mean : null }; // [kosmos.loss]
    // #endregion
  }

  /**
   * The loss of `forward`, for training: it computes the logits at positions with a target only. The default targets are all tokens but
   * padding, `</image>`, and an `<image>` at the beginning of a text. Throws as `forward` does.
   */
  loss(inputs: KosmosInputs): Tensor<""> {
    const { text, x, targets } = this.#read("Kosmos.loss", inputs);
    return labelledLoss(this.decoder, x, named("b l", targets ?? this.#targets(text))); // [kosmos.loss]
  }

  /** The outputs of the image tower for images, n s e: all tokens, the class token first. Training may compute them once, and give `features`. */
  encode(images: Tensor<"n c h w">): Tensor<"n s e"> {
    // #region encode
    const { lastHiddenState } = this.clip_model.outputs(named("b c h w", images)); // [kosmos.features]
    return named("n s e", lastHiddenState);
    // #endregion
  }

  /** The vectors of images, n r d, or b m r d where the images have the axes b m. */
  vectors(images: KosmosImages): Tensor<"n r d"> | Tensor<"b m r d"> {
    const { all, perRow } = this.#vectors("Kosmos.vectors", checkedImages("Kosmos.vectors", images));
    return perRow === null ? all : rearrange("(b m) r d -> b m r d", named("(b m) r d", all), { m: perRow });
  }

  /**
   * The model with its images fixed, as generation takes it: "b m …", m images for each prompt, or "n …", one image for each of n prompts.
   * A prompt with fewer images reads the first ones. In prompts every vector has a place, as `kosmosLayout` writes it.
   */
  withMedia(images: KosmosImages = {}): WriterWithStep {
    const given = checkedImages("Kosmos.withMedia", images);
    return {
      model: this,
      context: () => {
        if (!given) return {};
        const { all, perRow } = this.#vectors("Kosmos.withMedia", given);
        const m = perRow ?? 1;
        return { vectors: rearrange("(b m) r d -> b m r d", named("(b m) r d", all), { m }) };
      },
      step: (ids, mask, cache, { vectors = null }) => {
        const read = readOn(cache, ids);
        const text = { ids: named("b s", read.text), mask };
        const at = { ...decodingOf(mask, ids.shape[1] ?? 0), media: null, visibility: null };
        checkStep(this.decoder, ids, at, cache);
        const form = vectors && formOf("Kosmos.withMedia", "vectors", vectors, 3);
        if (cache) this.#checkPass(text, ids.shape[1] ?? 0);
        else this.#checkPrompt(text, form);
        const x = this.#embedded(text, at, form);
        const { x: last, layers } = readTokens(this.decoder, ids, at, cache?.layers ?? null, { layer: 0, x });
        return { logits: nextLogits(this.decoder, last), cache: { layers, ...read } }; // [kosmos.cached]
      },
    };
  }

  /** Hidden states after the last layer, of the whole sequence, and its targets. */
  #read(caller: string, given: KosmosInputs): ReadSequence {
    const { inputs, images } = checkedInputs(caller, given);
    const { tokens, slots } = this.options;
    const rows = withoutPadding(rowsOf(inputs.ids), inputs.mask ?? null, tokens.pad);
    const text = splicedText(rows, tokens, slots, inputs.ids.shape[1] ?? 0);
    this.#checkLength(text, rows);
    const targets = inputs.targets ?? null;
    if (targets) checkTargets(caller, targets, text);
    const vectors = images && this.#vectors(caller, images);
    checkSurplus(vectorsAt(text, tokens.image, slots), vectors, slots);
    const at = { ...decodingOf(text.mask, text.ids.shape[1] ?? 0), media: null, visibility: null };
    const x = this.#embedded(text, at, vectors);
    const last = readTokens(this.decoder, named("b l", text.ids), at, null, { layer: 0, x });
    return { text, x: last.x, targets };
  }

  /** What the first layer reads of the last tokens of a text: those whose positions are in `at`. */
  #embedded(text: SplicedText, at: Decoding, vectors: ImageVectors | null): Tensor<"b l d"> {
    const { decoder } = this;
    const { embedScale } = decoder.options;
    const { mode, tokens, slots } = this.options;
    const l = at.positions.shape[1] ?? 0;
    const places = vectorsAt(text, tokens.image, slots);
    const from = lastOf(vectorRows(places, vectors, slots), l);
    const scaled = <A extends string>(x: Tensor<A>): Tensor<A> =>
      embedScale === 1 ? x : mulScalar(x, embedScale);
    // #region embed
    const embedded = decoder.tokens(lastOf(text.ids, l));
    if (mode === "seed") {
      const x = vectors ? spliced(embedded, scaled(vectors.all), from) : embedded;
      return decoder.placed(x, at.positions); // [kosmos.seed]
    }
    const first = this.embed_positions?.forward(lastOf(tokenPlaces(text, places), l));
    const placed = first ? add(embedded, first) : embedded; // [kosmos.published]
    const x = vectors ? spliced(placed, vectors.all, from) : placed;
    return decoder.placed(scaled(x), at.positions); // [kosmos.published]
    // #endregion
  }

  /** The vectors of images in any form. */
  #vectors(caller: string, images: KosmosImages | null): ImageVectors {
    const pixels = images?.images && formOf(caller, "images", images.images, 4);
    const features = images?.features ? formOf(caller, "features", images.features, 3) : null;
    const vectors = images?.vectors && formOf(caller, "vectors", images.vectors, 3);
    if (vectors) return { all: this.#checkedVectors(caller, vectors.all), perRow: vectors.perRow };
    const given = pixels ? { all: this.encode(pixels.all), perRow: pixels.perRow } : features;
    if (!given)
      throw new RuleError(
        `${caller} needs images: images, or features or vectors that were computed before`,
        "kosmos.images",
      );
    // #region vectors
    const latents = named("n 1 r e", this.perceive.forward(named("b s d", given.all)));
    const projected = this.image_proj.forward(rearrange("n 1 r e -> n r e", latents)); // [kosmos.projection]
    // #endregion
    return { all: projected, perRow: given.perRow };
  }

  #checkedVectors(caller: string, vectors: Tensor): Tensor<"n r d"> {
    const { slots } = this.options;
    const [, r = 0, d = 0] = vectors.shape;
    if (r === slots && d === this.decoder.width) return named("n r d", vectors);
    throw new RuleError(
      `${caller}: vectors are ${r} of width ${d} for each image, and this model has ${slots} of width ${this.decoder.width}: give those that its method vectors returns`,
      "kosmos.images",
    );
  }

  /** The default targets: the tokens that follow each position, those of padding left out. */
  #targets({ ids, mask }: SplicedText): Int<"b s"> {
    const { tokens, slots } = this.options;
    const real = mask.flat();
    const [b = 0, s = 0] = ids.shape;
    const places = rowsOf(vectorsAt({ ids, mask }, tokens.image, slots));
    const targets = rowsOf(ids).flatMap((row, i) => {
      const at = (places[i] ?? []).flatMap((place, j) => (place < 0 ? [] : [j]));
      const next = targetsOf(row, at, tokens);
      return next.map((id, j) => (id === tokens.pad || !real[i * s + j + 1] ? IGNORED : id)); // [kosmos.targets]
    });
    return new Int([b, s], Int32Array.from(targets));
  }

  /** Throws a RuleError for a sequence for which the table of positions is too short. */
  #checkLength({ ids }: SplicedText, rows: readonly (readonly number[])[]): void {
    const { maxPositions } = this.decoder.options;
    const { tokens, slots } = this.options;
    const s = ids.shape[1] ?? 0;
    if (maxPositions === null || s <= maxPositions) return;
    const images = Math.max(0, ...rows.map((row) => row.filter((id) => id === tokens.imageEnd).length));
    const most = kosmosTextLimit({ slots, maxPositions, images });
    throw new RuleError(
      `the sequence has ${s} positions, and the model's table ${maxPositions}: with ${images} images of ${slots} vectors shorten the text to ${most} ids, image tokens included, or build the decoder with a larger maxPositions`,
      "kosmos.length",
    ); // [kosmos.length]
  }

  /** Throws a RuleError for a prompt in which a vector has no place, and for images that no prompt reads. */
  #checkPrompt({ ids, mask }: SplicedText, vectors: ImageVectors | null): void {
    const { tokens, slots } = this.options;
    const s = ids.shape[1] ?? 0;
    const real = mask.flat();
    for (const [b, row] of rowsOf(ids).entries()) {
      const read = row.filter((_, i) => real[b * s + i] === 1);
      const text = splicedText([read], tokens, slots, read.length);
      if (text.ids.shape[1] !== read.length)
        throw new RuleError(
          `prompt ${b} has <image> </image> without places for the ${slots} vectors of an image; generation takes prompts in which every vector has a place, as kosmosLayout writes them`,
          "kosmos.places",
        );
    }
    checkSurplus(vectorsAt({ ids, mask }, tokens.image, slots), vectors, slots);
  }

  /** Throws a RuleError for the place of an image in the last l tokens of a text, which follow its first pass. */
  #checkPass(text: SplicedText, l: number): void {
    const { tokens, slots } = this.options;
    const places = lastOf(vectorsAt(text, tokens.image, slots), l);
    if (places.flat().some((place) => place >= 0))
      throw new RuleError(
        `a place of an image follows the first pass of its text, which has all images; keep the model from writing <image> with never: [${tokens.image}]`,
        "kosmos.cached",
      );
  }
}

interface ReadSequence {
  readonly text: SplicedText;
  readonly x: Tensor<"b l d">;
  readonly targets: Int<"b s"> | null;
}

/** Throws a RuleError for the id of a special token that the tables do not have. */
function checkTokens(tokens: KosmosTokens, { options: { vocabSize } }: MagnetoDecoder): void {
  const unknown = Object.entries(tokens).find(([, id]) => id !== null && id >= vocabSize);
  if (unknown === undefined) return;
  throw new RuleError(
    `Kosmos: ${unknown[0]} has the id ${unknown[1]}, and the tables have ${vocabSize} rows: build the decoder with a vocabSize that covers the tokenizer's special tokens`,
    "kosmos.tokens",
  );
}

/** Throws a RuleError unless there is a target for every position. */
function checkTargets(caller: string, targets: Int, { ids }: SplicedText): void {
  const [given, wanted] = [targets.shape.join(" "), ids.shape.join(" ")];
  if (given !== wanted)
    throw new RuleError(
      `${caller}: targets is [${given}], but with a place for every vector of the images the texts are [${wanted}]: give a target for every position, −100 where there is no loss, as kosmosLayout does`,
      "kosmos.targets",
    );
}
