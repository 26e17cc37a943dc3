// kosmosx 0.3.1: kosmosx/model.py, on torchscale 0.3.0, transformers 4.57.6 and flamingo-pytorch 0.1.2. Its Kosmos takes no arguments, so that
// cases name the parts that it builds, the ids of the special tokens, and `mode`. KosmosLanguage is that of kyegomez/Kosmos-X at commit
// f927983, which takes sizes; a case may give its table of positions.
import {
  boolean,
  type FieldLocation,
  integer,
  number,
  object,
  oneOf,
  optional,
  orNull,
  type Read,
  string,
} from "../../io/fields.ts";
import type { Json } from "../../io/json.ts";
import type { CamelCased, Readers } from "../../io/snake-case.ts";
import { KOSMOS_MODES, Kosmos } from "../../models/kosmos/kosmos.ts";
import { KosmosLanguage } from "../../models/kosmos/language.ts";
import { CLIPVisionTransformer } from "../../models/vision/clip/transformers.ts";
import { IGNORED } from "../../nn/cross-entropy.ts";
import { LoadError } from "../../tensor/errors.ts";
import { Int } from "../../tensor/tensor.ts";
import { stableAdamW } from "../../training/optimizers/stable-adamw.ts";
import { resamplerOptions } from "./flamingo-pytorch.ts";
import { Arguments } from "./interface/arguments.ts";
import {
  className,
  layers,
  moduleClass,
  procedureClass,
  readOptions,
  type Source,
  type SourceClass,
  size,
} from "./interface/source.ts";
import { betas, groups, call as optimizerCall, orDefault, stepsOf } from "./optimizers/steps.ts";
import { decoderConfig, type Torchscale } from "./torchscale/config.ts";
import { buildDecoder, table } from "./torchscale/decoder.ts";
import { clipOptions } from "./transformers/clip.ts";

/** A part of the model: an object with the member "class". */
const part =
  <O extends object>(name: string, readers: Readers<O>) =>
  (value: Json | undefined, at: FieldLocation): CamelCased<O> => {
    const { class: given, ...config } = object(value, at);
    className({ class: given ?? null }, [name], at);
    return readOptions(readers, config, at);
  };

/** A linear layer without bias. */
const projection: Read<{ readonly inFeatures: number; readonly outFeatures: number }> = (value, at) =>
  readOptions({ in_features: size, out_features: size }, object(value, at), at);

/** Those that the release takes. */
const { num_time_embeds: _, ...resamplerSizes } = resamplerOptions;

const flag = optional(boolean, undefined);
const kosmosOptions = {
  mode: optional(oneOf(...KOSMOS_MODES), undefined),
  multiway: flag,
  image_token_id: integer,
  image_end_token_id: integer,
  bos_token_id: orNull(integer),
  pad_token_id: integer,
  eos_token_id: integer,
  clip_model: part("CLIPVisionTransformer", clipOptions),
  embed: table("Embedding"),
  embed_positions: table("PositionalEmbedding"),
  output_projection: projection,
  decoder: part("Decoder", { args: decoderConfig }),
  perceive: part("PerceiverResampler", resamplerSizes),
  image_proj: projection,
};

/** Throws a LoadError unless two parts have the same width. */
function sameWidth(one: string, width: number, other: string, expected: number): void {
  if (width !== expected)
    throw new LoadError(`${one} is ${width}, and ${other} ${expected}: they must be equal`);
}

const kosmos = moduleClass({
  options: kosmosOptions,
  call: ["text_tokens", "images", "targets"],
  build(
    { clipModel, decoder: { args }, perceive: { dim, ...perceive }, ...options },
    { profile }: { profile: Torchscale },
  ) {
    const { embed, embedPositions, imageProj, outputProjection, multiway } = options;
    if (multiway !== undefined && multiway !== (args.multiway ?? false))
      throw new LoadError(`"multiway" is ${multiway}, and that of the decoder ${args.multiway ?? false}`);
    const clip = new CLIPVisionTransformer(clipModel);
    const outputs = { args: { ...args, vocabSize: outputProjection.outFeatures } };
    const decoder = buildDecoder({ ...outputs, embedTokens: embed, embedPositions }, profile);
    sameWidth("dim of perceive", dim, "the width of clip_model", clip.width);
    sameWidth("in_features of image_proj", imageProj.inFeatures, "the width of clip_model", clip.width);
    sameWidth("out_features of image_proj", imageProj.outFeatures, "the width of the decoder", decoder.width);
    sameWidth(
      "in_features of output_projection",
      outputProjection.inFeatures,
      "the width of the decoder",
      decoder.width,
    );
    const { depth, dimHead = 64, heads = 8, numLatents = 64, numMediaEmbeds = 4, ffMult = 4 } = perceive;
    const resampler = { depth, dimHead, heads, numLatents, numMediaEmbeds, ffMult }; // defaults of flamingo-pytorch
    const tokens = {
      bos: options.bosTokenId,
      pad: options.padTokenId,
      eos: options.eosTokenId,
      image: options.imageTokenId,
      imageEnd: options.imageEndTokenId,
    };
    return new Kosmos({ clip, decoder, tokens, mode: options.mode, resampler });
  },
  forward(model, args) {
    const targets = args.has("targets") ? args.int("targets", "b s") : null;
    const { pad } = model.options.tokens;
    const { logits, loss } = model.forward({
      ids: args.int("text_tokens", "b l"),
      images: args.any("images"),
      targets:
        targets &&
        new Int(
          targets.shape,
          targets.flat().map((id) => (id === pad ? IGNORED : id)),
        ),
    });
    return { logits, ...(loss ? { loss } : {}) };
  },
});

/** The defaults of the constructor. */
const SIZES = { vocab: 64_007, dim: 2048, depth: 24, ffn: 8192, heads: 32, relPos: 2048 };

/** A table of positions, whose class is not named. */
const positions = (value: Json | undefined, at: FieldLocation) =>
  table("PositionalEmbedding")({ class: "PositionalEmbedding", ...object(value, at) }, at);

const languageOptions = {
  vocab_size: optional(size, SIZES.vocab),
  dim: optional(size, SIZES.dim),
  depth: optional(layers, SIZES.depth),
  ffn_dim: optional(size, SIZES.ffn),
  dropout: optional(number, 0.1),
  multiway: optional(boolean, true),
  decoder_heads: optional(size, SIZES.heads),
  activation_fn: optional(string, "gelu"),
  subln: optional(boolean, true),
  alibi_pos_bias: flag, // torchscale has no ALiBi
  alibi_num_heads: optional(number, undefined),
  xpos_rel_pos: optional(boolean, true),
  max_rel_pos: optional(size, SIZES.relPos),
  embed_positions: optional(positions, undefined),
};

const language: SourceClass<Torchscale> = {
  options: Object.keys(languageOptions),
  call: ["x"],
  build(config, at, { profile }) {
    const read = readOptions(languageOptions, config, at);
    const { vocabSize: vocab_size, dim, dropout } = read;
    const args = decoderConfig(
      {
        decoder_layers: read.depth,
        decoder_embed_dim: dim,
        decoder_ffn_embed_dim: read.ffnDim,
        decoder_attention_heads: read.decoderHeads,
        dropout,
        attention_dropout: dropout,
        activation_fn: read.activationFn,
        vocab_size,
        subln: read.subln,
        xpos_rel_pos: read.xposRelPos,
        multiway: read.multiway,
        max_rel_pos: read.maxRelPos,
      },
      at,
    );
    const rows = { numEmbeddings: vocab_size, embeddingDim: dim, paddingIdx: 1 };
    const { embedPositions = { ...rows, numEmbeddings: dim } } = read; // as many positions as the width
    const model = new KosmosLanguage({
      decoder: buildDecoder({ args, embedTokens: rows, embedPositions }, profile),
    });
    return {
      model,
      forward: (inputs) => ({ logits: model.forward({ ids: new Arguments(inputs).int("x", "b l") }).logits }),
    };
  },
};

/** `StableAdamWUnfused` of zetascale, which `train.py` imports. */
const stable = procedureClass({
  options: { lr: orDefault, betas, weight_decay: orDefault, eps: orDefault, clip_thresh: orDefault },
  call: optimizerCall,
  build: ({ lr, weightDecay, betas, eps, clipThresh }) => ({
    optimizer: stableAdamW({
      groups,
      learningRate: lr,
      betas,
      weightDecay,
      epsilon: eps,
      clipThreshold: clipThresh,
    }),
    clipAt: undefined,
  }),
  run: stepsOf,
});

export const kosmosx: Source<Torchscale> = {
  package: "kosmosx",
  profiles: { "kosmosx@0.3.1": { flagsPlaceNorms: true } }, // that of torchscale 0.3.0
  classes: { Kosmos: kosmos, KosmosLanguage: language, StableAdamW: stable },
};
