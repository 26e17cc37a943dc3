// flamingo-pytorch 0.1.2: flamingo_pytorch.py and flamingo_palm.py. Option names go from snake_case to camelCase.
import { GatedCrossAttentionBlock } from "../../blocks/gated-cross-attention-block.ts";
import { MaskedCrossAttention } from "../../blocks/masked-cross-attention.ts";
import { ParallelTransformerBlock, SwiGLU } from "../../blocks/parallel-transformer-block.ts";
import { PerceiverAttention } from "../../blocks/perceiver-attention.ts";
import { PerceiverResampler } from "../../blocks/perceiver-resampler.ts";
import { boolean, integer, number, object, optional, orNull, type Read } from "../../io/fields.ts";
import { conventionIn } from "../../masks/conventions/pair.ts";
import { FlamingoPaLM } from "../../models/flamingo/flamingo-palm.ts";
import type { ImageEncoder } from "../../models/flamingo/media.ts";
import { type FlamingoBehaviour, profiles } from "../../models/flamingo/profiles.ts";
import { Extractor } from "../../models/vision/vit.ts";
import { FeedForward } from "../../nn/feed-forward.ts";
import { PaLMLayerNorm } from "../../nn/norms/layer-norm.ts";
import { RotaryEmbedding } from "../../nn/positions/palm-rotary.ts";
import { LoadError, RuleError } from "../../tensor/errors.ts";
import { named } from "../../tensor/pattern.ts";
import { trainable } from "../../training/trainable.ts";
import type { Arguments } from "./interface/arguments.ts";
import {
  type BuildContext,
  className,
  layers,
  moduleClass,
  readOptions,
  type Source,
  size,
} from "./interface/source.ts";
import { vitOf } from "./vit-pytorch.ts";

type Context = BuildContext<FlamingoBehaviour>;

const countOrDefault = optional(size, undefined);
const integerOrDefault = optional(integer, undefined);
const layersOrDefault = optional(layers, undefined);
const headOptions = { dim: size, dim_head: countOrDefault, heads: countOrDefault };
/** The feed-forward's width in multiples of the model's; a fraction is allowed. */
const mult = optional(number, undefined);
export const resamplerOptions = {
  ...headOptions,
  depth: layers,
  num_latents: countOrDefault,
  num_media_embeds: countOrDefault,
  num_time_embeds: countOrDefault, // the README's name, which the release refuses
  ff_mult: mult,
};
const onlyImmediate = { only_attend_immediate_media: optional(boolean, undefined) };

/** An image encoder: a ViT stands for `Extractor(ViT(…), return_embeddings_only=True)`. */
const encoder: Read<ImageEncoder> = (value, at) => {
  const config = object(value, at);
  if (className(config, ["ViT", "Identity"], at) === "ViT") return new Extractor(vitOf(config, at));
  const { class: _, ...options } = config;
  readOptions({}, options, at); // refuses every option [conform.options]
  return { forward: (x) => named("b n d", x) };
};

const imgEncoder = optional(orNull(encoder), null);
const maxVideoFrames = optional(orNull(size), undefined);

/** A length that a case gives as a number, and no file holds. */
function positions(n: number): number {
  if (n >= 0 && n <= MOST_POSITIONS) return n;
  throw new LoadError(`max_seq_len is ${n}; it has to be between 0 and ${MOST_POSITIONS}  [conform.budget]`); // [conform.budget]
}
const MOST_POSITIONS = 2 ** 16;

/** The release cannot take embeddings, because of an undefined name; these cases were made with that name defined. */
const REPAIRED = "RepairedVideoName";

const crossAttentionCall = (args: Arguments) =>
  [
    args.tensor("x", "b l d"),
    args.tensor("media", "b m r e"),
    { mediaLocations: args.has("media_locations") ? args.bool("media_locations", "b l") : null },
  ] as const;

function mediaOf(args: Arguments) {
  const media = {
    images: args.optional("images", "b m c h w"),
    videos: args.optional("videos", "b m f c h w"),
    embeds: args.has("embeds") ? args.any("embeds") : null,
  };
  if (!args.positional.includes("images")) return media;
  if (media.videos ?? media.embeds)
    throw new LoadError(
      "images by position go without videos and embeds; pass them by name  [conform.options]",
    );
  return args.tensor("images", "b m c h w");
}

/** flamingo_pytorch.py */
const flamingoClasses = {
  FeedForward: moduleClass({
    options: { dim: size, mult },
    call: ["input"],
    build: (options) => new FeedForward(options),
    forward: (model, args) => model.forward(args.any("input")),
  }),
  PerceiverAttention: moduleClass({
    options: headOptions,
    call: ["x", "latents"],
    build: (options) => new PerceiverAttention(options),
    forward: (model, args) => model.forward(args.tensor("x", "b m s d"), args.tensor("latents", "b m r d")),
  }),
  PerceiverResampler: moduleClass({
    options: resamplerOptions,
    call: ["x"],
    build: (options, { profile }: Context) => {
      if (options.numTimeEmbeds !== undefined && profile.readmeCalls === "refuse")
        throw new RuleError("numTimeEmbeds is numMediaEmbeds in flamingo-pytorch 0.1.2", "readme.calls", {
          name: "numTimeEmbeds",
        });
      return new PerceiverResampler(options);
    },
    forward: (model, args) => model.forward(args.any("x")),
  }),
  MaskedCrossAttention: moduleClass({
    options: { ...headOptions, ...onlyImmediate },
    call: ["x", "media", "media_locations"],
    build: (options, { profile }: Context) =>
      new MaskedCrossAttention({
        ...options,
        convention: conventionIn(profile, options.onlyAttendImmediateMedia),
      }),
    forward: (model, args) => model.forward(...crossAttentionCall(args)),
  }),
  GatedCrossAttentionBlock: moduleClass({
    options: { ...headOptions, ...onlyImmediate, ff_mult: mult },
    call: ["x", "media", "media_locations"],
    build: (options, { profile }: Context) =>
      new GatedCrossAttentionBlock({
        ...options,
        convention: conventionIn(profile, options.onlyAttendImmediateMedia),
      }),
    forward: (model, args) => model.forward(...crossAttentionCall(args)),
  }),
};

/** flamingo_palm.py */
const palmClasses = {
  LayerNorm: moduleClass({
    options: { dim: size },
    call: ["x"],
    build: ({ dim }) => new PaLMLayerNorm(dim),
    forward: (model, args) => model.forward(args.any("x")),
  }),
  RotaryEmbedding: moduleClass({
    options: { dim: size },
    call: ["max_seq_len"],
    build: ({ dim }) => new RotaryEmbedding(dim),
    forward: (model, args) => model.forward(positions(args.number("max_seq_len"))),
  }),
  SwiGLU: moduleClass({
    options: {},
    call: ["x"],
    build: () => new SwiGLU(),
    forward: (model, args) => model.forward(args.any("x")),
  }),
  ParallelTransformerBlock: moduleClass({
    options: { ...headOptions, ff_mult: mult },
    call: ["x"],
    build: (options) => new ParallelTransformerBlock(options),
    forward: (model, args) => model.forward(args.tensor("x", "b l d")),
  }),
  FlamingoPaLM: moduleClass({
    options: {
      ...headOptions,
      ...onlyImmediate,
      num_tokens: size,
      depth: layers,
      ff_mult: mult,
      media_token_id: integerOrDefault,
      cross_attn_every: countOrDefault,
      img_encoder: imgEncoder,
      perceiver_num_latents: countOrDefault,
      perceiver_depth: layersOrDefault,
      max_video_frames: maxVideoFrames,
    },
    call: ["text", "images", "videos", "embeds"],
    build: (options, { profile, flags }: Context) =>
      new FlamingoPaLM({
        ...options,
        behaviour: flags.includes(REPAIRED) ? { ...profile, embeds: "accept" } : profile,
      }),
    forward: (model, args) => model.forward(args.int("text", "b l"), mediaOf(args)),
    trainable: (model, args) => {
      const media = ["images", "videos", "embeds"].some((name) => args.has(name));
      return trainable(model, media ? "flamingo-pytorch@0.1.2" : "flamingo-pytorch@0.1.2 text");
    },
  }),
};

export const flamingoPytorch: Source<FlamingoBehaviour> = {
  package: "flamingo-pytorch",
  profiles,
  classes: { ...flamingoClasses, ...palmClasses },
};
