// From a picture of any size to the digits' own form: 8×8, ink high.
import { type Picture, SIDE } from "./data.ts";

export interface GreyPicture {
  readonly width: number;
  readonly height: number;
  /** Row-major, 0 black to 1 white. */
  readonly values: ArrayLike<number>;
}

/** The mean of the outermost pixels: what the paper looks like. */
function paper({ width, height, values }: GreyPicture): number {
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

/** Averages over cells of the picture, laid in the middle of a square; dark on light becomes ink on nothing. */
export function scan(picture: GreyPicture): Picture {
  const { width, height, values } = picture;
  const light = paper(picture) > 0.5; // [digits.scan]
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
