// From a photograph to the input of an image encoder, as image_transform of open_clip (open_clip/transform.py) and CLIPImageProcessor of transformers make it.
import { RuleError } from "../../tensor/errors.ts";
import { checkMember } from "../../tensor/given.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { quoted } from "../wording.ts";
import { checkImage, converted, type DecodedImage, type Image, multiplied, SAMPLES } from "./image.ts";
import { type ImageSize, type Raster, type ResizeFilter, resizeNearest, resizeRaster } from "./resize.ts";
import {
  type CropRounding,
  centerCrop,
  clipNormalizations,
  imageTensor,
  type Normalization,
  shortSideSize,
} from "./transforms.ts";

/** The steps from a photograph to a tensor. A step that is null is left out. */
export interface ImagePreprocessing {
  /**
   * When an image becomes RGB. "last", as in open_clip: it is resized in the mode of its file, so that indices into a palette and single bits are not
   * smoothed, and colours count by their alpha. "first", as in transformers. "never": the image has to be RGB.
   */
  readonly convert: "first" | "last" | "never";
  /** The length of the short side, or both sides. */
  readonly resize: { readonly shortSide: number } | ImageSize | null;
  readonly filter: ResizeFilter;
  readonly crop: ImageSize | null;
  readonly rounding: CropRounding;
  /** The factor of each sample; "1/255" divides it. */
  readonly scale: number | "1/255" | null;
  readonly normalization: Normalization | null;
}

/** The results of the steps. */
export interface PreprocessedImage {
  readonly resized: Image;
  readonly cropped: Image;
  /** The input of the encoder, without the axis of the batch. */
  readonly pixels: Tensor<"c h w">;
}

const square = (side: number): ImageSize => ({ width: side, height: side });

/** open_clip's preprocessing for evaluation: `image_transform(size, is_train=False)`. */
export const openClipPreprocessing = (
  size: number,
  normalization: Normalization = clipNormalizations.openai,
): ImagePreprocessing => ({
  convert: "last",
  resize: { shortSide: size },
  filter: "bicubic",
  crop: square(size),
  rounding: "even",
  scale: "1/255",
  normalization,
});

/** transformers' preprocessing of CLIP: `CLIPImageProcessor(size, crop_size)` with its other defaults. */
export const clipPreprocessing = (size: number, cropSize = size): ImagePreprocessing => ({
  convert: "first",
  resize: { shortSide: size },
  filter: "bicubic",
  crop: square(cropSize),
  rounding: "down",
  scale: 1 / 255,
  normalization: clipNormalizations.openai,
});

/**
 * The preprocessing of a Kosmos: that of CLIPImageProcessor, which kosmosx and KOSMOS_reimplementation call, with the means and deviations of
 * the image tower's checkpoint. unilm's Kosmos has those of "openai". Throws a RuleError for a checkpoint that is not known. [image.presets]
 */
export function kosmosPreprocessing(
  checkpoint: keyof typeof clipNormalizations = "laion2b_s32b_b82k",
  size = 224,
): ImagePreprocessing {
  if (!Object.hasOwn(clipNormalizations, checkpoint))
    throw new RuleError(
      `a checkpoint is one of ${Object.keys(clipNormalizations).join(", ")}, not ${quoted(String(checkpoint))}`,
      "image.presets",
    );
  return { ...clipPreprocessing(size), normalization: clipNormalizations[checkpoint] };
}

/** The sizes of the result; those of the photograph where it is neither resized nor cropped. */
const targetOf = (image: ImageSize, resize: ImagePreprocessing["resize"]): ImageSize =>
  resize === null ? image : "shortSide" in resize ? shortSideSize(image, resize.shortSide) : resize;

const isDecoded = (image: Image | DecodedImage): image is DecodedImage => "layout" in image;

/**
 * Applies the steps to an image, or to the samples of a file as `decodeImage` gives them, in which alpha, palettes and inks count as in
 * Pillow. Grey images of 16 bits are converted first in any case. Throws a RuleError where the image cannot become the size.
 */
export function preprocessImage(image: Image | DecodedImage, steps: ImagePreprocessing): PreprocessedImage {
  checkMember("preprocessImage", { image }, "width", "an image, as readImage returns it");
  checkMember("preprocessImage", { steps }, "resize", "the steps, such as clipPreprocessing returns");
  const resized = resizedImage(image, steps);
  const cropped = steps.crop ? centerCrop(resized, steps.crop, steps.rounding) : resized;
  const scale = steps.scale === "1/255" ? undefined : (steps.scale ?? 1);
  const pixels = imageTensor(inColour(cropped), steps.normalization ?? undefined, scale);
  return { resized, cropped, pixels };
}

function resizedImage(image: Image | DecodedImage, steps: ImagePreprocessing): Image {
  const size = targetOf(image, steps.resize);
  const options = { filter: steps.filter, order: "pillow-13" } as const;
  const resize = (raster: Raster): Raster => resizeRaster(raster, size, options);
  if (steps.convert === "last" && isDecoded(image) && image.mode !== "I;16")
    return resizedInMode(image, resize, size); // [image.mode]
  const plain = isDecoded(image) ? converted(image, "RGB") : image;
  checkImage("preprocessImage", plain);
  if (plain.channels === 1 && steps.convert === "never")
    throw new RuleError("the image is grey, and these steps take RGB; convert it first", "image.convert");
  return imageOf(resize(steps.convert === "first" ? inColour(plain) : plain)); // [image.convert]
}

/** A raster of one or three channels. */
function imageOf({ width, height, channels, data }: Raster): Image {
  return { width, height, channels: channels === 1 ? 1 : 3, data };
}

/** Grey as three equal channels. */
function inColour(image: Image): Image {
  if (image.channels === 3) return image;
  const data = new Uint8Array(3 * image.data.length);
  for (const [i, value] of image.data.entries()) data.fill(value, 3 * i, 3 * i + 3);
  return { ...image, channels: 3, data };
}

/** The first `channels` samples of each pixel, in bytes. */
function channelsOf({ width, height, layout, most, samples }: DecodedImage, channels: number): Raster {
  const data = new Uint8Array(width * height * channels);
  const step = SAMPLES[layout];
  for (let i = 0; i < data.length; i++) {
    const sample = samples[Math.floor(i / channels) * step + (i % channels)] ?? 0;
    data[i] = most === 255 ? sample : sample >> 8;
  }
  return { width, height, channels, data };
}

type Resize = (raster: Raster) => Raster;

/** Resizes in the mode of the file, as Pillow's Image.resize, and converts the result to RGB, or to grey where the file is grey. */
function resizedInMode(image: DecodedImage, resize: Resize, size: ImageSize): Image {
  const { mode } = image;
  if (mode === "1") return imageOf(resizeNearest(channelsOf(image, 1), size));
  if (mode === "P") return imageOf(resizeNearest(channelsOf(image, 3), size));
  if (mode === "L") return imageOf(resize(channelsOf(image, 1)));
  if (mode === "CMYK") {
    const inks = channelsOf(image, 4);
    const { width, height, data } = resize({ ...inks, data: inks.data.map((ink) => 255 - ink) }); // 0 is no ink in Pillow
    return converted({ ...image, width, height, samples: data.map((ink) => 255 - ink) }, "RGB");
  }
  if (mode === "RGB" || mode === "I;16") return imageOf(resize(channelsOf(image, 3)));
  return withoutAlpha(image, resize, size);
}

/** Resizes colours multiplied by their alpha, divides them by the resized alpha (Convert.c of Pillow, rgbA2rgba), and leaves alpha out. */
function withoutAlpha(image: DecodedImage, resize: Resize, { width, height }: ImageSize): Image {
  const n = SAMPLES[image.layout];
  const { data } = channelsOf(image, n);
  const colours = n - 1;
  const isSame = width === image.width && height === image.height;
  if (!isSame)
    for (let at = 0; at < data.length; at += n) {
      const alpha = data[at + colours] ?? 0;
      for (let i = at; i < at + colours; i++) data[i] = multiplied(data[i] ?? 0, alpha); // [image.mode]
    }
  const resized = isSame ? data : resize({ ...image, channels: n, data }).data;
  const out = new Uint8Array(width * height * colours);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const alpha = resized[pixel * n + colours] ?? 0;
    for (let i = 0; i < colours; i++) {
      const value = resized[pixel * n + i] ?? 0;
      const plain = isSame || alpha === 0 || alpha === 255;
      out[pixel * colours + i] = plain ? value : Math.min(255, Math.trunc((255 * value) / alpha)); // [image.mode]
    }
  }
  return imageOf({ width, height, channels: colours, data: out });
}
