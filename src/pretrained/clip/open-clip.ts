// Towers of open_clip: their sizes by open_clip_config.json, or by the shapes of their weights.
import {
  boolean,
  type FieldLocation,
  integer,
  list,
  number,
  object,
  optional,
  orNull,
  type Read,
  refuse,
} from "../../io/fields.ts";
import type { JsonObject } from "../../io/json.ts";
import type { TensorFile } from "../../io/tensor-file.ts";
import type { OpenClipActivation, OpenClipOptions } from "../../models/vision/clip/open-clip.ts";
import { LoadError } from "../../tensor/errors.ts";
import { inside, only, readMembers, unsupported } from "../configurations/configuration.ts";

/** The width of a head, unless a configuration has another one. */
const HEAD_WIDTH = 64;

/** Sizes that no shape tells. */
export interface OpenClipHints {
  readonly heads?: number | undefined;
  readonly act?: OpenClipActivation | undefined;
  readonly imageSize?: OpenClipOptions["imageSize"] | undefined;
}

const sides: Read<OpenClipOptions["imageSize"]> = (value, at) => {
  if (!Array.isArray(value)) return integer(value, at);
  const [height, width, ...more] = list(integer)(value, at);
  if (height === undefined || width === undefined || more.length > 0)
    throw refuse(at, "has to be one or two sides");
  return [height, width];
};

const members = {
  image_size: optional(sides, 224),
  patch_size: optional(sides, 16),
  width: optional(integer, 768),
  layers: optional(integer, 12),
  head_width: optional(integer, HEAD_WIDTH),
  mlp_ratio: optional(number, 4),
  norm_kwargs: optional(orNull(object), null),
};

/** Members of CLIPVisionCfg that would make another tower. */
const fixed = {
  ls_init_value: only(null),
  attentional_pool: only(false),
  no_ln_pre: only(false),
  pos_embed_type: only("learnable"),
  pool_type: only("tok"),
  timm_model_name: only(null),
  act_kwargs: only(null),
  block_type: only(null, "default"),
  qk_norm: only(false),
  scaled_cosine_attn: only(false),
  scale_heads: only(false),
  scale_attn_inner: only(false),
  scale_attn: only(false),
  scale_fc: only(false),
};

/** The epsilon in `norm_kwargs`. */
function epsilonIn(norms: JsonObject | null | undefined, at: FieldLocation): number | undefined {
  const [odd] = Object.keys(norms ?? {}).filter((name) => name !== "eps");
  if (odd !== undefined) throw unsupported(inside(at, "norm_kwargs"), "may have eps alone");
  return norms?.eps === undefined ? undefined : number(norms.eps, inside(at, "norm_kwargs.eps"));
}

/** The tower of `model_cfg` in open_clip_config.json. */
export function openClipConfiguration(config: JsonObject, at: FieldLocation): OpenClipOptions {
  const vision = object(config.vision_cfg, inside(at, "vision_cfg"));
  const place = inside(at, "vision_cfg");
  if (Array.isArray(vision.layers))
    throw unsupported(
      inside(place, "layers"),
      "is a list: this is a ResNet, and Vision Transformers are supported",
    );
  readMembers(fixed, vision, place);
  const { headWidth = HEAD_WIDTH, normKwargs, ...sizes } = readMembers(members, vision, place);
  const quick = optional(orNull(boolean), null)(config.quick_gelu, inside(at, "quick_gelu")) ?? false;
  const { width = 768 } = sizes;
  return {
    ...sizes,
    heads: Math.trunc(width / Math.max(1, headWidth)), // [clipfile.heads]
    outputDim: integer(config.embed_dim, inside(at, "embed_dim")),
    act: quick ? "quick_gelu" : "gelu", // [clipfile.activation]
    epsilon: epsilonIn(normKwargs, place),
  };
}

/** Tensors that the archives of OpenAI hold beside the weights. */
const OPENAI = ["input_resolution", "context_length", "vocab_size"];

/** Names of layers below a prefix. */
function layersBelow(file: TensorFile, prefix: string): number {
  const pattern = /^transformer\.resblocks\.(\d+)\./;
  const numbers = file.keys.flatMap((key) => {
    const [, n] = (key.startsWith(prefix) && pattern.exec(key.slice(prefix.length))) || [];
    return n === undefined ? [] : [n];
  });
  return new Set(numbers).size;
}

/** The image's sides: a square, unless they are hints. */
function imageSizeOf(
  file: TensorFile,
  patches: number,
  [high, wide]: readonly [number, number],
  hints: OpenClipHints["imageSize"],
): OpenClipOptions["imageSize"] {
  if (hints !== undefined) return hints;
  const across = Math.round(Math.sqrt(patches));
  if (across * across === patches) return [across * high, across * wide]; // [clipfile.sizes]
  throw new LoadError(
    `${file.name}: ${patches} patches make no square; give the height and the width of the images as imageSize  [clipfile.sizes]`,
  );
}

/** The tower whose weights begin with `prefix`, by their shapes. */
export function openClipShapes(file: TensorFile, prefix: string, hints: OpenClipHints): OpenClipOptions {
  const shapeOf = (name: string, rank: number): readonly number[] => {
    const key = prefix + name;
    const shape = file.has(key) ? file.info(key).shape : [];
    if (shape.length === rank) return shape;
    const problem = file.has(key) ? `has ${shape.length} axes, not ${rank}` : "is missing";
    throw new LoadError(
      `${file.name}: "${key}" ${problem}; the sizes of the tower are in its shape  [clipfile.sizes]`,
    );
  };
  const [width = 0, , high = 0, wide = 0] = shapeOf("conv1.weight", 4);
  const [positions = 0] = shapeOf("positional_embedding", 2);
  const layers = layersBelow(file, prefix);
  const [inner = 0] = layers > 0 ? shapeOf("transformer.resblocks.0.mlp.c_fc.weight", 2) : [];
  const [, outputDim = 0] = shapeOf("proj", 2);
  const isOpenAi = OPENAI.every((name) => file.has(name));
  const act = hints.act ?? (isOpenAi ? "quick_gelu" : undefined); // [clipfile.activation]
  if (act === undefined)
    throw new LoadError(
      `${file.name}: weights do not tell the activation; give it as act: "quick_gelu" for OpenAI's weights and models whose name ends in -quickgelu, "gelu" for others  [clipfile.activation]`,
    );
  if (hints.heads === undefined && width % HEAD_WIDTH !== 0)
    throw new LoadError(
      `${file.name}: a width of ${width} is no multiple of ${HEAD_WIDTH}, the width of a head; give the number of heads as heads  [clipfile.heads]`,
    );
  return {
    imageSize: imageSizeOf(file, positions - 1, [high, wide], hints.imageSize),
    patchSize: [high, wide],
    width,
    layers,
    heads: hints.heads ?? width / HEAD_WIDTH, // [clipfile.heads]
    mlpRatio: (inner + 0.5) / Math.max(1, width), // rounded down again
    outputDim,
    act,
  };
}
