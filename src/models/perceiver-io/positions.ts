// Position encodings of Perceiver IO: Jaegle et al., arXiv 2107.14795, appendix D, with the names and defaults of
// JOBR0/PerceiverIO_Pytorch (perceiver_io/position_encoding.py).
import { Linear } from "../../nn/linear.ts";
import {
  type Check,
  checked,
  count,
  flag,
  inner,
  notNegative,
  oneOf,
  optional,
  passing,
  whole,
} from "../../nn/options.ts";
import { Parameter, truncatedNormal, varianceScaling } from "../../nn/parameter.ts";
import { fourierFeatures, linearPositions } from "../../nn/positions/fourier.ts";
import { RuleError } from "../../tensor/errors.ts";
import { rearrange, repeat, slice } from "../../tensor/ops/arrange.ts";
import { named } from "../../tensor/pattern.ts";
import { sizeOf, type Tensor } from "../../tensor/tensor.ts";
import {
  DEFAULT_PROFILE,
  PERCEIVER_PROFILES,
  type PerceiverProfileName,
  perceiverProfile,
} from "./profiles.ts";

/** An encoding of positions for a whole batch, the same for each of its elements. */
export interface PositionEncoding {
  readonly outputChannels: number;
  /** `positions` are the coordinates to encode, from −1 to 1; null: those of the whole grid. */
  forward(batch: number, positions: Tensor<"n d"> | null): Tensor<"b n c">;
}

export interface TrainableOptions {
  readonly numChannels?: number | undefined;
  readonly initScale?: number | undefined;
}
const trainableChecks: { readonly [K in keyof TrainableOptions]-?: Check } = {
  numChannels: optional(inner),
  initScale: optional(notNegative),
};

/** One learned vector for each position. Coordinates are not used: the vectors of all positions are returned. */
export class TrainablePositionEncoding implements PositionEncoding {
  pos_embs: Parameter<"n c">;

  constructor(positions: number, options: TrainableOptions = {}) {
    const { numChannels = 128, initScale = 0.02 } = checked(
      "TrainablePositionEncoding",
      options,
      trainableChecks,
    );
    this.pos_embs = new Parameter("n c", [positions, numChannels], truncatedNormal(initScale, 2)); // [perceiverio.trainable]
  }

  get outputChannels(): number {
    return this.pos_embs.shape[1] ?? 0;
  }

  forward(batch: number): Tensor<"b n c"> {
    return repeat("n c -> b n c", this.pos_embs, { b: batch }); // [perceiverio.trainable]
  }
}

export interface FourierEncodingOptions {
  readonly numBands: number;
  readonly concatPos?: boolean | undefined;
  /** The resolution of each coordinate. Default: the sides of the grid. */
  readonly maxResolution?: readonly number[] | null | undefined;
  readonly sineOnly?: boolean | undefined;
}
const sides = passing(
  `a list of at least one side, each ${count.wanted}, or null`,
  (value) => value === null || (Array.isArray(value) && value.length > 0 && value.every(count.accepts)),
);
const fourierChecks: { readonly [K in keyof FourierEncodingOptions]-?: Check } = {
  numBands: count,
  concatPos: optional(flag),
  maxResolution: optional(sides),
  sineOnly: optional(flag),
};

/** Fourier features of the coordinates of a grid. */
export class FourierPositionEncoding implements PositionEncoding {
  readonly options: {
    readonly sides: readonly number[];
    readonly numBands: number;
    readonly concatPos: boolean;
    readonly maxResolution: readonly number[];
    readonly sineOnly: boolean;
    readonly profile: PerceiverProfileName;
  };

  constructor(
    sides: readonly number[],
    options: FourierEncodingOptions,
    profile: PerceiverProfileName = DEFAULT_PROFILE,
  ) {
    const {
      numBands,
      concatPos = true,
      maxResolution,
      sineOnly = false,
    } = checked("FourierPositionEncoding", options, fourierChecks);
    this.options = { sides, numBands, concatPos, maxResolution: maxResolution ?? sides, sineOnly, profile }; // [perceiverio.fourier]
    if (this.options.maxResolution.length !== sides.length)
      throw new RuleError(
        `maxResolution has ${this.options.maxResolution.length} numbers, and the grid ${sides.length} sides; give one for each side`,
        "perceiverio.fourier",
      );
  }

  get outputChannels(): number {
    const { numBands, concatPos, maxResolution, sineOnly } = this.options;
    return maxResolution.length * (numBands * (sineOnly ? 1 : 2) + (concatPos ? 1 : 0));
  }

  forward(batch: number, positions: Tensor<"n d"> | null): Tensor<"b n c"> {
    const {
      sides,
      numBands: bands,
      concatPos: concatPositions,
      maxResolution,
      sineOnly,
      profile,
    } = this.options;
    const precision = PERCEIVER_PROFILES[profile].fourier; // [perceiverio.fourier]
    const at = positions ?? linearPositions(sides, { precision });
    const features = fourierFeatures(at, { bands, concatPositions, maxResolution, sineOnly, precision });
    return repeat("n c -> b n c", features, { b: batch });
  }
}

/** Another encoding, projected to a number of channels. */
export class PositionEncodingProjector implements PositionEncoding {
  _base_position_encoding: PositionEncoding;
  _projector: Linear<"c", "e">;

  constructor(base: PositionEncoding, channels: number) {
    this._base_position_encoding = base;
    this._projector = new Linear("c -> e", base.outputChannels, channels, {
      initial: varianceScaling(base.outputChannels),
    });
  }

  get outputChannels(): number {
    return this._projector.weight.shape[0] ?? 0;
  }

  forward(batch: number, positions: Tensor<"n d"> | null): Tensor<"b n c"> {
    return named("b n c", this._projector.forward(this._base_position_encoding.forward(batch, positions))); // [perceiverio.projector]
  }
}

export interface PositionEncodingOptions {
  readonly positionEncodingType?: "FOURIER" | "TRAINABLE" | undefined;
  readonly trainablePositionEncodingKwargs?: TrainableOptions | undefined;
  readonly fourierPositionEncodingKwargs?: FourierEncodingOptions | undefined;
  /** The channels to which the encoding is projected; 0 or less: it is not. */
  readonly projectPosDim?: number | undefined;
  readonly profile?: PerceiverProfileName | undefined;
}
const kwargs = optional(
  passing("an object of options", (value) => typeof value === "object" && value !== null),
);
export const encodingChecks: { readonly [K in keyof PositionEncodingOptions]-?: Check } = {
  positionEncodingType: optional(oneOf(["FOURIER", "TRAINABLE"])),
  trainablePositionEncodingKwargs: kwargs,
  fourierPositionEncodingKwargs: kwargs,
  projectPosDim: optional(whole(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)),
  profile: optional(perceiverProfile),
};

/** The encoding of a grid that options describe. Throws a RuleError where those of the chosen type are missing. */
export function positionEncoding(
  caller: string,
  grid: readonly number[],
  options: PositionEncodingOptions,
): PositionEncoding {
  const { positionEncodingType: type = "FOURIER", trainablePositionEncodingKwargs: trainable } = options;
  const { fourierPositionEncodingKwargs: fourier, projectPosDim = -1, profile = DEFAULT_PROFILE } = options;
  const needed = <O>(name: string, given: O | undefined): O => {
    if (given !== undefined) return given;
    throw new RuleError(
      `${caller} with the position encoding ${type} needs ${name}`,
      "perceiverio.positions",
    );
  };
  const base =
    type === "FOURIER"
      ? new FourierPositionEncoding(grid, needed("fourierPositionEncodingKwargs", fourier), profile)
      : new TrainablePositionEncoding(sizeOf(grid), needed("trainablePositionEncodingKwargs", trainable));
  return projectPosDim > 0 ? new PositionEncodingProjector(base, projectPosDim) : base;
}

/** Positions that a caller gives for all elements of a batch, of which those of the first are used. [perceiverio.given-positions] */
export function firstPositions(positions: Tensor<"b n d">): Tensor<"n d"> {
  return rearrange("1 n d -> n d", named("1 n d", slice(positions, 0, 0, 1)));
}
