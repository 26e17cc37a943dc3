// The preprocessing of a CLIP folder: preprocessor_config.json of transformers, and `preprocess_cfg` of open_clip_config.json.

import type { FieldLocation } from "../../io/fields.ts";
import {
  boolean,
  integer,
  list,
  number,
  object,
  optional,
  orNull,
  type Read,
  refuse,
  string,
} from "../../io/fields.ts";
import {
  clipPreprocessing,
  type ImagePreprocessing,
  openClipPreprocessing,
} from "../../io/images/preprocessing.ts";
import type { ImageSize, ResizeFilter } from "../../io/images/resize.ts";
import { clipNormalizations, type Normalization } from "../../io/images/transforms.ts";
import type { Json, JsonObject } from "../../io/json.ts";
import { RuleError } from "../../tensor/errors.ts";
import { inside, readMembers, unsupported } from "../configurations/configuration.ts";

/** Pillow's numbers of its filters. */
const FILTERS: Readonly<Record<number, ResizeFilter>> = {
  1: "lanczos",
  2: "bilinear",
  3: "bicubic",
  4: "box",
  5: "hamming",
};

const LARGEST_SIDE = 2 ** 12;

const side: Read<number> = (value, at) => {
  const n = integer(value, at);
  if (n >= 1 && n <= LARGEST_SIDE) return n;
  throw refuse(at, `is ${n}; a side has from 1 to ${LARGEST_SIDE} pixels`);
};

/** `{ height, width }` */
const bothSides = (members: JsonObject, at: FieldLocation): ImageSize => ({
  width: side(members.width, inside(at, "width")),
  height: side(members.height, inside(at, "height")),
});

/** A number is the short side, as `{ shortest_edge }` is. */
const resizeSize: Read<ImagePreprocessing["resize"]> = (value, at) => {
  if (typeof value === "number") return { shortSide: side(value, at) };
  const members = object(value, at);
  if (members.shortest_edge === undefined) return bothSides(members, at);
  if (members.longest_edge !== undefined && members.longest_edge !== null)
    throw unsupported(inside(at, "longest_edge"), "limits the long side, which is not supported");
  return { shortSide: side(members.shortest_edge, inside(at, "shortest_edge")) };
};

/** A number is the side of a square; so is `{ shortest_edge }`, as transformers reads old files. */
const cropSize: Read<ImageSize> = (value, at) => {
  const members = typeof value === "number" ? { shortest_edge: value } : object(value, at);
  if (members.shortest_edge === undefined) return bothSides(members, at);
  const n = side(members.shortest_edge, inside(at, "shortest_edge"));
  return { width: n, height: n };
};

const resample: Read<ResizeFilter> = (value, at) => {
  const filter = FILTERS[integer(value, at)];
  if (filter) return filter;
  throw unsupported(at, `is ${integer(value, at)}; Pillow's filters from 1 to 5 are supported`);
};

/** One number for every channel, or a list. */
const channels: Read<readonly number[]> = (value, at) => {
  const found = typeof value === "number" ? [value, value, value] : list(number)(value, at);
  if (found.length === 3) return found;
  throw refuse(at, `has ${found.length} numbers; an image has 3 channels`);
};

/** Standard deviations, by which values are divided. */
const deviations: Read<readonly number[]> = (value, at) => {
  const found = channels(value, at);
  if (found.every((one) => one !== 0)) return found;
  throw refuse(at, "has a 0; values are divided by it, so give another number");
};

const flag = optional(orNull(boolean), null);
const processorReaders = {
  do_resize: flag,
  size: optional(orNull(resizeSize), null),
  resample: optional(orNull(resample), null),
  do_center_crop: flag,
  crop_size: optional(orNull(cropSize), null),
  do_rescale: flag,
  rescale_factor: optional(orNull(number), null),
  do_normalize: flag,
  image_mean: optional(orNull(channels), null),
  image_std: optional(orNull(deviations), null),
  do_convert_rgb: flag,
  use_square_size: flag,
};

/** The members of preprocessor_config.json that decide something. */
export const processorMembers: readonly string[] = Object.keys(processorReaders);

/**
 * The steps of a CLIPImageProcessor, with transformers' defaults for absent members. Members of other names decide nothing here. Throws a
 * LoadError for a member that is refused.
 */
export function clipImageProcessor(config: JsonObject, at: FieldLocation): ImagePreprocessing {
  const read = readMembers(processorReaders, config, at);
  if (read.useSquareSize)
    throw unsupported(inside(at, "use_square_size"), "is set; give size as height and width instead");
  const usual = clipPreprocessing(224);
  const on = (given: boolean | null | undefined): boolean => given ?? true; // [clipfile.processor]
  const normalization: Normalization = {
    mean: read.imageMean ?? clipNormalizations.openai.mean,
    std: read.imageStd ?? clipNormalizations.openai.std,
  };
  return {
    convert: on(read.doConvertRgb) ? "first" : "never",
    resize: on(read.doResize) ? (read.size ?? usual.resize) : null,
    filter: read.resample ?? usual.filter,
    crop: on(read.doCenterCrop) ? (read.cropSize ?? usual.crop) : null,
    rounding: usual.rounding,
    scale: on(read.doRescale) ? (read.rescaleFactor ?? usual.scale) : null,
    normalization: on(read.doNormalize) ? normalization : null,
  };
}

/**
 * preprocessor_config.json of a CLIPImageProcessor with these steps. Throws a RuleError for steps that it does not have: images that become RGB
 * last, and open_clip's rounding and scale.
 */
export function clipProcessorConfig(steps: ImagePreprocessing): JsonObject {
  const { convert, resize, filter, crop, rounding, scale, normalization } = steps;
  const resampling = Object.entries(FILTERS).find(([, name]) => name === filter);
  if (convert === "last" || rounding !== "down" || scale === "1/255" || resampling === undefined)
    throw new RuleError(
      "preprocessor_config.json has no place for the preprocessing of open_clip; give that of transformers, clipPreprocessing(size)",
      "clipfile.processor",
    );
  const square = ({ height, width }: ImageSize) => ({ height, width });
  return {
    image_processor_type: "CLIPImageProcessor",
    do_convert_rgb: convert === "first",
    do_resize: resize !== null,
    ...(resize && { size: "shortSide" in resize ? { shortest_edge: resize.shortSide } : square(resize) }),
    resample: Number(resampling[0]),
    do_center_crop: crop !== null,
    ...(crop && { crop_size: square(crop) }),
    do_rescale: scale !== null,
    ...(scale !== null && { rescale_factor: scale }),
    do_normalize: normalization !== null,
    ...(normalization && { image_mean: [...normalization.mean], image_std: [...normalization.std] }),
  }; // [clipfile.processor]
}

/** `preprocess_cfg` of open_clip_config.json, for images of `size` pixels. */
export function openClipImageProcessor(
  config: Json | undefined,
  size: number,
  at: FieldLocation,
): ImagePreprocessing {
  const members = config === undefined || config === null ? {} : object(config, at);
  const choice = (name: string, supported: string): void => {
    const given = optional(orNull(string), null)(members[name], inside(at, name)) ?? supported;
    if (given !== supported)
      throw unsupported(
        inside(at, name),
        `has to be ${JSON.stringify(supported)}; other values are not supported`,
      );
  };
  choice("interpolation", "bicubic");
  choice("resize_mode", "shortest");
  const read = readMembers(
    { mean: optional(orNull(channels), null), std: optional(orNull(deviations), null) },
    members,
    at,
  );
  return openClipPreprocessing(size, {
    mean: read.mean ?? clipNormalizations.openai.mean,
    std: read.std ?? clipNormalizations.openai.std,
  });
}
