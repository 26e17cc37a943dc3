// vit-pytorch 1.26.11: vit.py and extractor.py.
import {
  boolean,
  type FieldLocation,
  number,
  object,
  optional,
  type Read,
  refuse,
  string,
} from "../../io/fields.ts";
import type { JsonObject } from "../../io/json.ts";
import { Extractor, ViT } from "../../models/vision/vit.ts";
import { className, layers, moduleClass, readOptions, type Source, side, size } from "./interface/source.ts";

/** ViT refuses other names, in the words of the release. */
const pool: Read<"cls" | "mean"> = (value, at) => string(value, at) as "cls" | "mean";

const vitOptions = {
  image_size: side,
  patch_size: side,
  num_classes: size,
  dim: size,
  depth: layers,
  heads: size,
  mlp_dim: size,
  pool: optional(pool, undefined),
  channels: optional(size, undefined),
  dim_head: optional(size, undefined),
  dropout: optional(number, undefined),
  emb_dropout: optional(number, undefined),
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
