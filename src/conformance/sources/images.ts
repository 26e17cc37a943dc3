// Pillow 13.0.0 and torchvision 0.28.0: images as bytes with axes h w c.
import {
  between,
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
import type { Image } from "../../io/images/image.ts";
import { type ResizeFilter, resizeImage } from "../../io/images/resize.ts";
import { centerCrop, imageTensor, type Normalization, resizeShortSide } from "../../io/images/transforms.ts";
import type { JsonObject } from "../../io/json.ts";
import { LoadError } from "../../tensor/errors.ts";
import { Int, type Tensor } from "../../tensor/tensor.ts";
import type { Arguments } from "./interface/arguments.ts";
import { type Outputs, procedureClass, readOptions, type Source } from "./interface/source.ts";

/** The longest side; the number of pixels is checked where an image is made. */
const side = between(integer, 1, 2 ** 16);

/** Pillow's names of the filters. */
const FILTERS = {
  BOX: "box",
  BILINEAR: "bilinear",
  HAMMING: "hamming",
  BICUBIC: "bicubic",
  LANCZOS: "lanczos",
} as const satisfies Readonly<Record<string, ResizeFilter>>;

const filter: Read<ResizeFilter> = (value, at) =>
  FILTERS[oneOf<keyof typeof FILTERS>("BOX", "BILINEAR", "HAMMING", "BICUBIC", "LANCZOS")(value, at)];

const pair: Read<readonly [number, number]> = (value, at) => {
  const [first, second, ...rest] = list(side)(value, at);
  if (first === undefined || second === undefined || rest.length > 0) throw refuse(at, "has to be two sides");
  return [first, second];
};

/** One side of a square, or height and width. */
const sides: Read<readonly [height: number, width: number]> = (value, at) =>
  Array.isArray(value) ? pair(value, at) : [side(value, at), side(value, at)];

/** The argument `image`: bytes h w c, of 1 or 3 channels. */
export function imageOf(args: Arguments): Image {
  const bytes = args.int("image", "h w c");
  const [height = 0, width = 0, channels = 0] = bytes.shape;
  const values = bytes.flat();
  if ((channels === 1 || channels === 3) && values.every((value) => value >= 0 && value <= 255))
    return { width, height, channels, data: Uint8Array.from(values) };
  throw new LoadError("an image has 1 or 3 channels, and samples from 0 to 255  [conform.run]"); // [conform.run]
}

/** An image as bytes h w c. */
export const bytesOf = ({ width, height, channels, data }: Image): Int<"h w c"> =>
  new Int([height, width, channels], Int32Array.from(data));

const outputOf = (result: Image | Tensor): Outputs => ({
  out: "channels" in result ? bytesOf(result) : result,
});

interface Transforms {
  readonly steps: readonly ((image: Image) => Image)[];
  /** "none" if the result is an image; null for ToTensor without Normalize. */
  readonly normalization: Normalization | null | "none";
}

const NAMES = ["Resize", "CenterCrop", "ToTensor", "Normalize"] as const;
type Name = (typeof NAMES)[number];

interface Step {
  readonly name: Name;
  readonly options: JsonObject;
  readonly at: FieldLocation;
}

/** The options of torchvision.transforms.Resize and CenterCrop, with their defaults. */
function stepOf({ name, options, at }: Step): (image: Image) => Image {
  if (name === "Resize") {
    const readers = { size: side, interpolation: optional(filter, "bilinear" as const) };
    const { size, interpolation } = readOptions(readers, options, at);
    return (image) => resizeShortSide(image, size, { filter: interpolation });
  }
  if (name === "CenterCrop") {
    const { size } = readOptions({ size: sides }, options, at);
    const [height, width] = size;
    return (image) => centerCrop(image, { height, width });
  }
  throw refuse(at, "is out of order: ToTensor is last, or before Normalize", "conform.run");
}

const step: Read<Step> = (value, at) => {
  const { class: name, ...options } = object(value, at);
  return { name: oneOf(...NAMES)(name, { ...at, field: `${at.field}.class` }), options, at };
};

/** Transforms of images, then ToTensor and Normalize, if at all. */
const transforms: Read<Transforms> = (value, at) => {
  const all = list(step)(value, at);
  const first = all.findIndex(({ name }) => name === "ToTensor");
  if (first < 0) return { steps: all.map(stepOf), normalization: "none" };
  const [toTensor, normalize, ...rest] = all.slice(first);
  if (rest.length > 0 || (normalize && normalize.name !== "Normalize"))
    throw refuse(at, "has to end with ToTensor, or with ToTensor and Normalize", "conform.run");
  readOptions({}, toTensor?.options, toTensor?.at ?? at);
  const readers = { mean: list(number), std: list(number) };
  const normalization = normalize ? readOptions(readers, normalize.options, normalize.at) : null;
  return { steps: all.slice(0, first).map(stepOf), normalization };
};

export const pillow: Source = {
  package: "pillow",
  profiles: { "pillow@13.0.0": {} },
  classes: {
    resize: procedureClass({
      options: { size: pair, resample: filter },
      call: ["image"],
      build: (options) => options,
      run: async ({ size: [width, height], resample }, args) =>
        outputOf(resizeImage(imageOf(args), { width, height }, { filter: resample })),
    }),
  },
};

export const torchvision: Source = {
  package: "torchvision",
  profiles: { "torchvision@0.28.0": {} },
  classes: {
    Compose: procedureClass({
      options: { transforms },
      call: ["image"],
      build: ({ transforms }) => transforms,
      run: async ({ steps, normalization }, args) => {
        const image = steps.reduce((one, next) => next(one), imageOf(args));
        return outputOf(normalization === "none" ? image : imageTensor(image, normalization ?? undefined));
      },
    }),
  },
};
