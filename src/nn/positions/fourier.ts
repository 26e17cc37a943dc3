// Fourier features of positions: Jaegle et al., Perceiver, arXiv 2103.03206, §3.2; Perceiver IO, arXiv 2107.14795, appendix. The float32
// recipe is that of `generate_fourier_features` in DeepMind's perceiver and in transformers.

import { RuleError, ShapeError } from "../../tensor/errors.ts";
import { checkTensors } from "../../tensor/program/apply.ts";
import { constant } from "../../tensor/program/constants.ts";
import { type Floats, sizeOf, Tensor, view } from "../../tensor/tensor.ts";
import { type Check, checked, checkSize, checkValue, count, flag, optional, passing } from "../options.ts";
import { type AnglePrecision, anglePrecision, rounding } from "./angles.ts";

const sidesOf: Check = passing(
  "a list of at least one side, each at least 1",
  (value) => Array.isArray(value) && value.length > 0 && value.every(count.accepts),
);

const floats = (size: number, precision: AnglePrecision): Floats =>
  precision === "float32" ? new Float32Array(size) : new Float64Array(size);

/** `count` numbers at equal distances from `start` to `end`; in float32 as torch.linspace does, from both ends to the middle. */
function linspace(start: number, end: number, count: number, precision: AnglePrecision): number[] {
  const round = rounding(precision);
  const step = round((end - start) / (count - 1));
  return Array.from({ length: count }, (_, i) => {
    if (count === 1) return start;
    return round(i < Math.floor(count / 2) ? start + step * i : end - step * (count - 1 - i)); // [fourier.linspace]
  });
}

/** The arithmetic of positions. */
export interface LinearPositionsOptions {
  readonly precision?: AnglePrecision | undefined;
}

/** The positions of a grid in row-major order, each coordinate from −1 to 1 ("n d", with n the product of the sides). */
export function linearPositions(
  sides: readonly number[],
  options: LinearPositionsOptions = {},
): Tensor<"n d"> {
  checkValue("linearPositions", "sides", sides, sidesOf);
  const { precision = "float64" } = checked("linearPositions", options, {
    precision: optional(anglePrecision),
  });
  const shape = [sizeOf(sides), sides.length];
  checkSize("linearPositions", shape);
  const make = () => {
    const along = sides.map((n) => linspace(-1, 1, n, precision));
    const out = floats(sizeOf(shape), precision);
    for (let at = 0, n = shape[0] ?? 0; at < n; at++)
      for (let axis = sides.length - 1, rest = at; axis >= 0; axis--) {
        const length = sides[axis] ?? 1;
        out[at * sides.length + axis] = along[axis]?.[rest % length] ?? 0; // [fourier.grid]
        rest = Math.floor(rest / length);
      }
    return view(out, shape);
  };
  return constant(new Tensor<"n d">(shape, make));
}

/** Frequencies and parts of Fourier features. */
export interface FourierOptions {
  /** The number of frequencies of each coordinate. */
  readonly bands: number;
  /** For each coordinate the resolution μ whose Nyquist frequency μ/2 is the highest one. */
  readonly maxResolution: readonly number[];
  /** Puts the coordinates themselves in front. */
  readonly concatPositions?: boolean | undefined;
  /** Leaves out the cosines. */
  readonly sineOnly?: boolean | undefined;
  /** The arithmetic of frequencies, angles, sines and cosines, in replays of every precision. */
  readonly precision?: AnglePrecision | undefined;
}
const checks: { readonly [K in keyof FourierOptions]-?: Check } = {
  bands: count,
  maxResolution: sidesOf,
  concatPositions: optional(flag),
  sineOnly: optional(flag),
  precision: optional(anglePrecision),
};

type Resolved = { readonly [K in keyof FourierOptions]-?: Exclude<FourierOptions[K], undefined> };

/** The number of features: for d coordinates and K bands d·K sines, as many cosines, and d coordinates. */
const widthOf = ({ bands, maxResolution, sineOnly, concatPositions }: Resolved): number =>
  maxResolution.length * (bands * (sineOnly ? 1 : 2) + (concatPositions ? 1 : 0)); // [fourier.order]

/** The features of every position, one row after another. */
function features(positions: Floats, rows: number, options: Resolved): Floats {
  const { bands, maxResolution, sineOnly, concatPositions, precision } = options;
  const round = rounding(precision);
  const [coordinates, width] = [maxResolution.length, widthOf(options)];
  const frequencies = maxResolution.map((resolution) => linspace(1, resolution / 2, bands, precision)); // [fourier.bands]
  const out = floats(rows * width, precision);
  const pi = round(Math.PI);
  for (let row = 0; row < rows; row++) {
    const coordinate = positions.subarray(row * coordinates, (row + 1) * coordinates);
    let at = row * width;
    if (concatPositions) for (const x of coordinate) out[at++] = x; // [fourier.order]
    for (const [axis, x] of coordinate.entries())
      for (const frequency of frequencies[axis] ?? []) {
        const angle = round(round(round(x) * frequency) * pi); // [fourier.precision]
        out[at] = Math.sin(angle);
        if (!sineOnly) out[at + coordinates * bands] = Math.cos(angle);
        at++;
      }
  }
  return out;
}

/**
 * [x, sin(π f x), cos(π f x)] for all coordinates x of each position and all frequencies f: "n c", with c = d·(1 + 2·bands) by
 * default. `positions` have values when this is called, in symbolic recordings too. Throws a ShapeError if they have other
 * coordinates than `maxResolution`. Throws a RuleError if the positions have no values.
 */
export function fourierFeatures(positions: Tensor<"n d">, options: FourierOptions): Tensor<"n c"> {
  checkTensors("fourierFeatures", positions);
  const {
    concatPositions = true,
    sineOnly = false,
    precision = "float64",
    ...given
  } = checked("fourierFeatures", options, checks);
  const all = { ...given, concatPositions, sineOnly, precision };
  const [rows = 0, coordinates] = positions.shape;
  if (positions.shape.length !== 2 || coordinates !== all.maxResolution.length)
    throw new ShapeError(
      `[${positions.shape.join(" ")}] are no positions of ${all.maxResolution.length} coordinates, as many as maxResolution has  [fourier.bands]`,
      "fourierFeatures",
    );
  if (positions.symbolic)
    throw new RuleError(
      "fourierFeatures: the positions have no values; compute them with linearPositions or tensor(…)",
      "fourier.positions",
    );
  const shape = [rows, widthOf(all)];
  checkSize("fourierFeatures", shape);
  return constant(new Tensor<"n c">(shape, () => view(features(positions.flat(), rows, all), shape)));
}
