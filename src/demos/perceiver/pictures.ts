// Pictures as the examples of JOBR0/PerceiverIO_Pytorch prepare them (example_img_classify.py, example_opt_flow.py, example_multimodal.py).
import type { Image } from "../../io/images/image.ts";
import { type Crop, resizedCrop } from "../../io/images/resize-floats.ts";
import { rearrange } from "../../tensor/ops/arrange.ts";
import { named } from "../../tensor/pattern.ts";
import { flat, Tensor, view } from "../../tensor/tensor.ts";

/** Means and standard deviations of samples from 0 to 255. */
const MEAN = [0.485 * 255, 0.456 * 255, 0.406 * 255] as const;
const DEVIATION = [0.229 * 255, 0.224 * 255, 0.225 * 255] as const;

type Sides = readonly [height: number, width: number];

/** The square in the middle of a picture. */
export function middleSquare({ width, height }: Image): Crop {
  const side = Math.min(width, height);
  const from = (length: number): number => Math.trunc(length / 2 - side / 2); // [perceiver.picture]
  return { left: from(width), top: from(height), width: side, height: side };
}

/** The square in the middle of a frame, which begins a pixel later where the side is odd and the length even. */
export function middleSquareOfFrame({ width, height }: Image): Crop {
  const side = Math.min(width, height);
  const from = (length: number): number => Math.floor(length / 2) - Math.floor(side / 2); // [perceiver.frames]
  return { left: from(width), top: from(height), width: side, height: side };
}

const sizeOf = ([height, width]: Sides) => ({ width, height });

/** Each value of a tensor [c h w] by its channel. */
function mapped(x: Tensor<"c h w">, f: (value: number, channel: number) => number): Tensor<"b c h w"> {
  const [c = 1, h = 0, w = 0] = x.shape;
  const values = Float64Array.from(x.flat(), (value, i) => f(value, Math.floor(i / (h * w))));
  return new Tensor<"b c h w">([1, c, h, w], view(values, [1, c, h, w]));
}

/** The input of the classifier: the square in the middle, resized as torchvision resizes tensors, and normalised. */
export const pictureInput = (image: Image, size: Sides): Tensor<"b c h w"> =>
  mapped(
    resizedCrop(image, middleSquare(image), sizeOf(size)),
    (x, c) => (x - (MEAN[c] ?? 0)) / (DEVIATION[c] ?? 1), // [perceiver.picture]
  );

/** The input of the flow model: −1 for black to 1 for white, in the size that the picture has. */
export function flowInput(image: Image): Tensor<"b c h w"> {
  const { width, height } = image;
  const all = { left: 0, top: 0, width, height };
  return mapped(resizedCrop(image, all, image), (x) => 2 * (x / 255) - 1); // [perceiver.flow-input]
}

/** A frame of the video model, from 0 to 1: the square in the middle, interpolated between four neighbours, without antialiasing. */
const frameInput = (image: Image, size: Sides): Tensor<"b c h w"> =>
  mapped(
    resizedCrop(image, middleSquareOfFrame(image), sizeOf(size), { antialias: false }),
    (x) => x / 255, // [perceiver.frames]
  );

/** The frames of a video. */
export function videoInput(frames: readonly Image[], [height, width]: Sides): Tensor<"b t c h w"> {
  const each = 3 * height * width;
  const values = new Float64Array(frames.length * each);
  for (const [i, frame] of frames.entries()) values.set(frameInput(frame, [height, width]).flat(), i * each);
  const shape = [1, frames.length, 3, height, width];
  return new Tensor<"b t c h w">(shape, view(values, shape));
}

/** Frames [1 t c h w] as images: values are limited to 0 … 1, and fractions of a byte are dropped, as in the source. */
export function framesOf(video: Tensor<"b t c h w">): Image[] {
  const [, frames = 0, , height = 0, width = 0] = video.shape;
  const values = flat(named("t h w c", rearrange("1 t c h w -> t h w c", named("1 t c h w", video))).data);
  const each = 3 * height * width;
  return Array.from({ length: frames }, (_, i) => ({
    width,
    height,
    channels: 3,
    data: Uint8Array.from(
      values.subarray(i * each, (i + 1) * each),
      (x) => Math.min(1, Math.max(0, x)) * 255,
    ), // [perceiver.frames]
  }));
}
