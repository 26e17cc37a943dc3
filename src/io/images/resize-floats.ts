// Resizing without rounding: torch.nn.functional.interpolate(mode="bilinear", align_corners=False), which torchvision uses for tensors.
import { RuleError } from "../../tensor/errors.ts";
import { Tensor, view } from "../../tensor/tensor.ts";
import { checkImage, type Image } from "./image.ts";
import { checkTarget, type ImageSize, weightsOf } from "./resize.ts";

/** A rectangle of an image, in pixels. */
export interface Crop extends ImageSize {
  readonly left: number;
  readonly top: number;
}

function checkCrop({ left, top, width, height }: Crop, image: Image): void {
  const isInside = (from: number, length: number, all: number): boolean =>
    Number.isInteger(from) && Number.isInteger(length) && from >= 0 && length > 0 && from + length <= all;
  if (isInside(left, width, image.width) && isInside(top, height, image.height)) return;
  throw new RuleError(
    `a crop of ${width}×${height} pixels at (${left}, ${top}) is not within an image of ${image.width}×${image.height}`,
    "image.resized-crop",
  ); // [image.resized-crop]
}

/**
 * A rectangle of the image in another size, [channels height width] with values from 0 to 255 that are not rounded: `resized_crop` of
 * torchvision on a tensor of floats. Without `antialias` each value is interpolated between its four neighbours, also where the image
 * becomes smaller, as in torchvision before 0.17. Throws a RuleError for a crop that is not within the image, or a size that is refused.
 */
export function resizedCrop(
  image: Image,
  crop: Crop,
  size: ImageSize,
  { antialias = true }: { readonly antialias?: boolean } = {},
): Tensor<"c h w"> {
  checkImage("resizedCrop", image);
  checkCrop(crop, image);
  checkTarget(size);
  const { channels, data } = image;
  const columns = weightsOf(crop.width, size.width, "bilinear", antialias);
  const rows = weightsOf(crop.height, size.height, "bilinear", antialias);
  const values = new Float64Array(channels * size.height * size.width);
  for (let c = 0; c < channels; c++) {
    const narrow = new Float64Array(crop.height * size.width); // the width is resized first
    for (let y = 0; y < crop.height; y++)
      for (const [x, { from, weights }] of columns.entries()) {
        const start = (crop.top + y) * image.width + crop.left + from;
        narrow[y * size.width + x] = weights.reduce(
          (sum, weight, i) => sum + weight * (data[(start + i) * channels + c] ?? 0),
          0,
        );
      }
    for (const [y, { from, weights }] of rows.entries())
      for (let x = 0; x < size.width; x++)
        values[(c * size.height + y) * size.width + x] = weights.reduce(
          (sum, weight, i) => sum + weight * (narrow[(from + i) * size.width + x] ?? 0),
          0,
        ); // [image.resized-crop]
  }
  const shape = [channels, size.height, size.width];
  return new Tensor<"c h w">(shape, view(values, shape));
}
