// The transforms of torchvision that image encoders are trained with: Resize and CenterCrop on images, ToTensor and Normalize.
import { RuleError, ShapeError } from "../../tensor/errors.ts";
import { Tensor, view } from "../../tensor/tensor.ts";
import { quoted } from "../wording.ts";
import { checkImage, type Image } from "./image.ts";
import { checkTarget, type ImageSize, type ResizeOptions, resizeImage } from "./resize.ts";

/** Rounded half to even, as Python's `round`. */
function roundedToEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1; // [image.center]
}

/** The size of which the short side is `size`: the long side is ⌊size · long / short⌋. */
export function shortSideSize({ width, height }: ImageSize, size: number): ImageSize {
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  const other = Math.trunc((size * long) / short); // [image.short-side]
  return width <= height ? { width: size, height: other } : { width: other, height: size };
}

/**
 * The image with a short side of `size` pixels, as `Resize(size)` of torchvision: the long side is ⌊size · long / short⌋. Bicubic, as
 * CLIP's images are; `Resize` itself is bilinear by default.
 */
export function resizeShortSide(image: Image, size: number, options: ResizeOptions = {}): Image {
  checkImage("resizeShortSide", image);
  return resizeImage(image, shortSideSize(image, size), options);
}

/** How an offset that ends in ½ is rounded: to the even number, as torchvision does it, or down, as transformers does it. */
export type CropRounding = "even" | "down";

/**
 * Where the middle begins on an axis of `size` pixels: the first of them that is kept, or, of a smaller image, minus the black pixels
 * before it, of which an odd one is behind.
 */
const beginOf = (size: number, target: number, rounding: CropRounding): number =>
  rounding === "down"
    ? Math.floor((size - target) / 2) // [image.center-down]
    : target > size
      ? -Math.floor((target - size) / 2) // [image.center-padding]
      : roundedToEven((size - target) / 2); // [image.center]

/**
 * The middle of the image, as `CenterCrop((height, width))` of torchvision; a number is the side of a square, in pixels. An image that is
 * smaller is padded with black. With rounding "down" as `center_crop` of transformers. Throws a RuleError for sides that are not whole numbers from 1 up.
 */
export function centerCrop(image: Image, size: ImageSize | number, rounding: CropRounding = "even"): Image {
  checkImage("centerCrop", image);
  if (rounding !== "even" && rounding !== "down")
    throw new RuleError(
      `an offset is rounded to "even" or "down", not ${quoted(String(rounding))}`,
      "image.center-down",
    );
  const target = typeof size === "number" ? { width: size, height: size } : size;
  checkTarget(target);
  const { width, height } = target;
  const [left, top, c] = [
    beginOf(image.width, width, rounding),
    beginOf(image.height, height, rounding),
    image.channels,
  ];
  const [first, end] = [Math.max(0, left), Math.min(image.width, left + width)];
  const data = new Uint8Array(width * height * c);
  for (let y = Math.max(0, top); y < Math.min(image.height, top + height); y++) {
    const row = image.data.subarray((y * image.width + first) * c, (y * image.width + end) * c);
    data.set(row, ((y - top) * width + first - left) * c);
  }
  return { width, height, channels: c, data };
}

/** A mean and a standard deviation for each channel, of values from 0 to 1. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * The means and standard deviations of released ViT-L/14 towers, as open_clip lists them by checkpoint (open_clip/pretrained.py). Those of
 * `openai` are CLIP's own (openai/CLIP, clip.py), as in `imageTensor(image, clipNormalizations.openai)`. [image.presets]
 */
export const clipNormalizations = {
  openai: {
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
  },
  laion2b_s32b_b82k: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
} as const satisfies Readonly<Record<string, Normalization>>;

function checkNormalization({ mean, std }: Normalization, channels: number): void {
  if (!Array.isArray(mean) || !Array.isArray(std))
    throw new RuleError("a normalization has a list mean and a list std", "image.normalize"); // [image.normalize]
  if (mean.length !== channels || std.length !== channels)
    throw new ShapeError(
      `${mean.length} means and ${std.length} standard deviations for an image of ${channels} channels; each channel needs one  [image.normalize]`,
    );
  if (![...mean, ...std].every(Number.isFinite) || std.includes(0))
    throw new RuleError(
      "means and standard deviations are finite, and no standard deviation is 0",
      "image.normalize",
    ); // [image.normalize]
}

/**
 * The image as a tensor [channels height width] for an image encoder: (x / 255 − mean) / std of each sample, or x / 255 without a
 * normalization (torchvision's ToTensor and Normalize). With a `scale` it takes the place of 1 / 255. Throws a ShapeError unless
 * each channel has a mean and a deviation. Throws a RuleError for a mean or a deviation that is not finite, and for a deviation
 * of 0.
 */
export function imageTensor(image: Image, normalization?: Normalization, scale?: number): Tensor<"c h w"> {
  checkImage("imageTensor", image);
  const { width, height, channels, data } = image;
  if (normalization) checkNormalization(normalization, channels);
  const scaled = (x: number): number => (scale === undefined ? x / 255 : x * scale); // [image.scale]
  const values = new Float64Array(channels * height * width);
  for (let c = 0; c < channels; c++) {
    const [mean, std] = [normalization?.mean[c] ?? 0, normalization?.std[c] ?? 1];
    for (let pixel = 0; pixel < width * height; pixel++)
      values[c * width * height + pixel] = (scaled(data[pixel * channels + c] ?? 0) - mean) / std; // [image.normalize]
  }
  const shape = [channels, height, width];
  return new Tensor<"c h w">(shape, view(values, shape));
}
