// vit-pytorch 1.26.11: vit.py and extractor.py.
import {
  between,
  boolean,
  type FieldLocation,
  integer,
  list,
  number,
  object,
  oneOf,
  optional,
  type Read,
  refuse,
} from "../../io/fields.ts";
import type { JsonObject } from "../../io/json.ts";
import { Extractor, ViT } from "../../models/vision/vit.ts";
import { className, layers, moduleClass, readOptions, type Source } from "./source.ts";

const count = between(integer, 1, 2 ** 31);
const rate = between(number, 0, 1);

/** One side, or height and width. */
const side: Read<number | readonly [number, number]> = (value, at) => {
  if (!Array.isArray(value)) return count(value, at);
  const [height, width, ...rest] = list(count)(value, at);
  if (height === undefined || width === undefined || rest.length > 0)
    throw refuse(at, "has to be a height and a width");
  return [height, width];
};

const vitOptions = {
  image_size: side,
  patch_size: side,
  num_classes: between(integer, 0, 2 ** 31),
  dim: count,
  depth: layers,
  heads: count,
  mlp_dim: count,
  pool: optional(oneOf("cls", "mean"), undefined),
  channels: optional(count, undefined),
  dim_head: optional(count, undefined),
  dropout: optional(rate, undefined),
  emb_dropout: optional(rate, undefined),
};

/** The ViT that an object `{ "class": "ViT", … }` describes. */
export function vitOf({ class: _, ...config }: JsonObject, at: FieldLocation): ViT {
  return new ViT(readOptions(vitOptions, config, at));
}

const vit: Read<ViT> = (value, at) => {
  const config = object(value, at);
  className(config, ["ViT"], at);
  return vitOf(config, at);
};

/** Without this option the extractor returns the classification too, which is not supported. */
const embeddingsOnly: Read<true> = (value, at) => {
  if (boolean(value, at)) return true;
  throw refuse(at, "has to be true");
};

export const vitPytorch: Source = {
  package: "vit-pytorch",
  /** ViT and Extractor have one behaviour. Cases name the profile of the package that they were made for. */
  profiles: { "vit-pytorch@1.26.11": {}, "flamingo-pytorch@0.1.2": {}, flamboyance: {} },
  classes: {
    ViT: moduleClass({
      options: vitOptions,
      call: ["img"],
      build: (options) => new ViT(options),
      forward: (model, args) => model.forward(args.tensor("img", "b c h w")),
    }),
    Extractor: moduleClass({
      options: { vit, return_embeddings_only: embeddingsOnly },
      call: ["img"],
      build: (options) => new Extractor(options.vit),
      forward: (model, args) => model.forward(args.tensor("img", "b c h w")),
    }),
  },
};
