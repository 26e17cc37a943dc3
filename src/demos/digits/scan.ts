// Converts a picture of any size to the form of the digits: 8×8 pixels, high values for ink.
import { converted, type DecodedImage, SAMPLES } from "../../io/images/image.ts";
import { type Picture, SIDE } from "./data.ts";

export interface GreyPicture {
  readonly width: number;
  readonly height: number;
  /** Row-major, 0 black to 1 white. */
  readonly values: ArrayLike<number>;
}

/** The luma of a colour (ITU-R BT.601). */
const luma = (r: number, g: number, b: number): number => 0.299 * r + 0.587 * g + 0.114 * b;

/** Grey values of a decoded file at its full depth; transparent pixels are seen on white. */
export function greyOf(image: Omit<DecodedImage, "mode">): GreyPicture {
  if (image.layout === "cmyk")
    return greyOf({ ...image, layout: "rgb", samples: converted({ ...image, mode: "CMYK" }, "RGB").data });
  const { width, height, layout, most, samples } = image;
  const step = SAMPLES[layout];
  const [green, blue] = step < 3 ? [0, 0] : [1, 2];
  const opaque = layout === "grey" || layout === "rgb";
  const values = Float64Array.from({ length: width * height }, (_, i) => {
    const sample = (channel: number): number => (samples[step * i + channel] ?? NaN) / most;
    const alpha = opaque ? 1 : sample(step - 1);
    return alpha * luma(sample(0), sample(green), sample(blue)) + 1 - alpha;
  });
  return { width, height, values };
}

/** The mean of the outermost pixels. */
function borderMean({ width, height, values }: GreyPicture): number {
  let [sum, count] = [0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (x > 0 && y > 0 && x < width - 1 && y < height - 1) continue;
      sum += values[y * width + x] ?? 0;
      count++;
    }
  }
  return sum / count;
}

/** Centres the picture in a square and averages it over 8×8 cells. A picture with a light border is inverted, so that ink is high. */
export function scan(picture: GreyPicture): Picture {
  const { width, height, values } = picture;
  const light = borderMean(picture) > 0.5; // [digits.scan]
  const size = Math.max(width, height);
  const [left, top] = [(size - width) / 2, (size - height) / 2];
  const [sums, areas] = [new Float64Array(SIDE * SIDE), (size / SIDE) ** 2];
  const cell = size / SIDE;
  const overlap = (from: number, k: number): number =>
    Math.max(0, Math.min(from + 1, (k + 1) * cell) - Math.max(from, k * cell));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = values[y * width + x] ?? 0;
      const ink = light ? 1 - value : value;
      const [px, py] = [x + left, y + top];
      for (let cy = Math.floor(py / cell); cy <= Math.min(SIDE - 1, Math.floor((py + 1) / cell)); cy++) {
        for (let cx = Math.floor(px / cell); cx <= Math.min(SIDE - 1, Math.floor((px + 1) / cell)); cx++) {
          const at = cy * SIDE + cx;
          sums[at] = (sums[at] ?? 0) + ink * overlap(px, cx) * overlap(py, cy); // [digits.scan]
        }
      }
    }
  }
  return { pixels: sums.map((sum) => sum / areas), digit: -1 };
}
