// What the releases say where a rule is broken, by the rule of the RuleError: a message, or a function of the error's facts, which is not
// called for an error without facts.
import { unexpectedArgument } from "./options.ts";
import {
  broadcastError,
  convolutionError,
  EMPTY_ROW,
  ID_OUT_OF_RANGE,
  layerNormError,
  paddingError,
} from "./torch.ts";

type Shape = readonly number[];

/** Embeddings of positions that are added to more things than there are positions; torch repeats those of a single position. */
const tooMany = (given: number, limit: number, axis: number): string | null =>
  limit === 1 ? null : broadcastError(given, limit, axis);

/** flamingo-pytorch 0.1.2. */
const flamingo = {
  "flamingo.encoder-optional": "AttributeError: 'NoneType' object has no attribute 'eval'",
  "flamingo.needs-encoder": ({ kind }: { kind: string }) =>
    `AssertionError: img_encoder must be passed in for automatic ${kind} encoding`,
  "flamingo.embeds": ({ images }: { images: Shape | null }) =>
    images ? "AssertionError: " : "NameError: name 'video' is not defined",
  "flamingo.max-video-frames": ({ frames, limit }: { frames: number; limit: number | null }) => {
    if (limit === null) return "TypeError: 'NoneType' object is not subscriptable";
    return frames === 0 ? null : tooMany(frames, limit, 2);
  },
  "readme.calls": ({ name }: { name?: string }) =>
    name === undefined
      ? "TypeError: FlamingoPaLM.forward() takes 2 positional arguments but 3 were given"
      : unexpectedArgument({ caller: "PerceiverResampler", name }),
  "resampler.media-limit": ({ images, limit }: { images: number; limit: number }) =>
    tooMany(images, limit, 1),
  "xattn.no-media": EMPTY_ROW,
  "palm.empty-text": EMPTY_ROW,
  "swiglu.order": ({ x }: { x: Shape }) => {
    const width = x.at(-1) ?? 0; // torch repeats the half that has a single column
    return width < 5 ? null : broadcastError(Math.floor(width / 2), Math.ceil(width / 2), x.length - 1);
  },
};

/** open-flamingo 2.0.1. */
const openFlamingo = {
  "openflamingo.unconditioned": "ValueError: vis_x must be conditioned before forward pass",
  "openflamingo.cached":
    "AssertionError: Expect vision_x to be None when media has been cached using cache_media(). Try uncache_media() first.",
  "openflamingo.no-images": ({ missing }: { missing: string }) =>
    missing === "visionX"
      ? "AssertionError: Must provide either vision_x or have precached media using cache_media()."
      : null,
  "openflamingo.one-frame": "AssertionError: Only single frame supported",
  "openflamingo.limits": ({ given, limit, axis }: { given: number; limit: number; axis: number }) =>
    broadcastError(given, limit, axis),
};

interface VitFacts {
  /** Of the constructor, whose image the patches do not divide. */
  readonly imageSize?: Shape;
  readonly patchSize: Shape;
  readonly images?: Shape;
  readonly norm?: Shape;
  readonly classToken?: Shape;
  readonly positions?: Shape;
}

/** vit-pytorch 1.26.11 on images of another size: the patches, their norm, and the sum with the positions. */
function vit({ images, patchSize: [p = 1, q = 1], norm, classToken, positions }: VitFacts): string | null {
  if (!images) return "AssertionError: Image dimensions must be divisible by the patch size.";
  const [b = 0, c = 0, h = 0, w = 0] = images;
  for (const [length, side] of [[h, p] as const, [w, q] as const])
    if (length % side !== 0)
      return `EinopsError: Shape mismatch, can't divide axis of length ${length} in chunks of ${side}`;
  const [patches, values] = [(h / p) * (w / q), norm?.[0] ?? 0];
  if (c * p * q !== values) return layerNormError(values, [b, patches, c * p * q]);
  const [tokens, limit] = [patches + (classToken?.[0] ?? 0), positions?.[0] ?? 0];
  return tokens > limit ? broadcastError(tokens, limit, 1) : null;
}

interface ClipFacts {
  readonly caller: string;
  readonly imageSize: Shape;
  readonly images: Shape;
  readonly patches: Shape;
  readonly positions: Shape;
}

/** The image towers of transformers 4.57.6 and of open_clip 3.3.0, which accepts other sides with as many patches. */
function clipSize({ caller, imageSize, images, patches, positions }: ClipFacts): string | null {
  const [, c = 0, h = 0, w = 0] = images;
  const [, channels = 0, high = 1, wide = 1] = patches;
  if (c !== channels) return convolutionError(patches, images);
  if (caller === "CLIPVisionTransformer")
    return `ValueError: Input image size (${h}*${w}) doesn't match model (${imageSize.join("*")}).`;
  const [tokens, limit] = [Math.floor(h / high) * Math.floor(w / wide) + 1, positions[0] ?? 0];
  return tokens === limit ? null : broadcastError(tokens, limit, 1);
}

const vision = {
  "vit.patches": vit,
  "vit.size": vit,
  "clip.size": clipSize,
  "clip.attention": ({ caller, width, heads }: { caller: string; width: number; heads: number }) =>
    caller === "CLIPVisionTransformer"
      ? `ValueError: embed_dim must be divisible by num_heads (got \`embed_dim\`: ${width} and \`num_heads\`: ${heads}).`
      : "AssertionError: embed_dim must be divisible by num_heads",
};

/** What is shared by the heads, and their number, in the names of JOBR0/PerceiverIO_Pytorch. */
const SHARED: Readonly<Record<string, readonly [channels: string, heads: string]>> = {
  numSelfAttendHeads: ["num_z_channels", "num_self_attend_heads"],
  numCrossAttendHeads: ["num_z_channels", "num_cross_attend_heads"],
  qkOutChannels: ["qk_out_channels", "num_heads"],
  vOutChannels: ["v_channels", "num_heads"],
};

const QUERY: Readonly<Record<string, string>> = {
  concatPreprocessedInput:
    "AssertionError: concat_preprocessed_input must be True if position_encoding_type is None",
  preprocessedInputChannels:
    "AssertionError: preprocessed_input_channels must be set if concat_preprocessed_input is True",
  inputs: "ValueError: Value is required for inputs_without_pos if concat_preprocessed_input is True",
};

/** JOBR0/PerceiverIO_Pytorch at 64947cf. */
const perceiver = {
  "perceiverio.heads": (facts: { name: string; channels: number; heads: number }) => {
    const [channels, heads] = SHARED[facts.name] ?? [];
    return `ValueError: ${channels} (${facts.channels}) must be divisible by ${heads} (${facts.heads}).`;
  },
  "perceiverio.image-output": "ValueError: Pixels postprocessing should not currently upsample.",
  "perceiverio.stem":
    "ValueError: Only powers of 4 expected for spatial and 1 expected for temporal downsampling with conv.",
  "perceiverio.conv1x1": "AssertionError: conv1x1 does not downsample in time.",
  "perceiverio.query": ({ missing }: { missing: string }) => QUERY[missing] ?? null,
};

/** torchscale 0.3.0 and kosmosx 0.3.1. */
const kosmos = {
  "kosmos.length": ID_OUT_OF_RANGE,
  "kosmos.tokens": ID_OUT_OF_RANGE,
  "magneto.positions": ID_OUT_OF_RANGE,
  "magneto.relative": ({ scores, length }: { scores: number; length: number }) =>
    scores === length
      ? null
      : `RuntimeError: shape '[${scores}, 1, ${length}]' is invalid for input of size ${length ** 2}`,
};

/** torch 2.13 and transformers 4.57.6. */
const layersAndTraining = {
  "ops.gather": () => ID_OUT_OF_RANGE,
  "conv.pool": ({ padding, size }: { padding: Shape; size: Shape }) => paddingError(padding, size),
  "loss.counted": "nan",
  "sgd.nesterov": "ValueError: Nesterov momentum requires a momentum and zero dampening",
  "scheduler.steps": ({ name }: { name: string }) =>
    `ValueError: ${name} requires \`num_training_steps\`, please provide that argument.`,
};

export const rules = {
  ...flamingo,
  ...openFlamingo,
  ...vision,
  ...perceiver,
  ...kosmos,
  ...layersAndTraining,
};
