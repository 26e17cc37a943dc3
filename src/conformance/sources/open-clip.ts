// open_clip_torch 3.3.0: transformer.py and transform.py. A case names the activation (`act`) in place of the package's `act_layer`, and which tokens are
// given: `raw` with the package's `final_ln_after_pool`, else `ln_post`.
import { boolean, type FieldLocation, number, oneOf, optional, type Read, refuse } from "../../io/fields.ts";
import { openClipPreprocessing, preprocessImage } from "../../io/images/preprocessing.ts";
import type { JsonObject } from "../../io/json.ts";
import { OPEN_CLIP_ACTIVATIONS, OpenClipVisionTransformer } from "../../models/vision/clip/open-clip.ts";
import { CLIP_TOKENS } from "../../models/vision/clip/tower.ts";
import { bytesOf, imageOf } from "./images.ts";
import {
  layers,
  moduleClass,
  procedureClass,
  readOptions,
  type Source,
  side,
  size,
} from "./interface/source.ts";

const towerOptions = {
  image_size: side,
  patch_size: side,
  width: size,
  layers,
  heads: size,
  mlp_ratio: number,
  output_dim: optional(size, undefined),
  act: optional(oneOf(...OPEN_CLIP_ACTIVATIONS), undefined),
  tokens: optional(oneOf(...CLIP_TOKENS), "ln_post" as const),
};

/** The tower that an object `{ "class": "VisionTransformer", … }` describes. */
export function openClipTower(
  { class: _, ...config }: JsonObject,
  at: FieldLocation,
): OpenClipVisionTransformer {
  return new OpenClipVisionTransformer(readOptions(towerOptions, config, at));
}

/** The transforms of training draw random numbers. */
const evaluation: Read<false> = (value, at) => {
  if (!boolean(value, at)) return false;
  throw refuse(at, "has to be false: training augments images at random");
};

export const openClip: Source = {
  package: "open-clip",
  profiles: { "open-clip@3.3.0": {} },
  classes: {
    VisionTransformer: moduleClass({
      options: towerOptions,
      call: ["x"],
      build: (options) => new OpenClipVisionTransformer(options),
      forward: (model, args) => ({ ...model.encode(args.tensor("x", "b c h w")) }),
    }),
    image_transform: procedureClass({
      options: { image_size: size, is_train: optional(evaluation, false as const) },
      call: ["image"],
      build: ({ imageSize }) => openClipPreprocessing(imageSize),
      run: async (steps, args) => {
        const { resized, cropped, pixels } = preprocessImage(imageOf(args), steps);
        return { resized: bytesOf(resized), cropped: bytesOf(cropped), pixel_values: pixels };
      },
    }),
  },
};
