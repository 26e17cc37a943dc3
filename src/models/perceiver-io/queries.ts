// Output queries of Perceiver IO: Jaegle et al., arXiv 2107.14795, §3.2 and figure 3, with the names and defaults of
// JOBR0/PerceiverIO_Pytorch (perceiver_io/output_queries.py).
import { type Check, checked, checkObject, count, flag, oneOf, optional, passing } from "../../nn/options.ts";
import { rounding } from "../../nn/positions/angles.ts";
import { RuleError, ShapeError } from "../../tensor/errors.ts";
import { concat } from "../../tensor/ops/arrange.ts";
import { named } from "../../tensor/pattern.ts";
import { tap } from "../../tensor/program/apply.ts";
import { type Int, indexAt, sizeOf, Tensor, view } from "../../tensor/tensor.ts";
import {
  encodingChecks,
  type FourierEncodingOptions,
  type PositionEncoding,
  type PositionEncodingOptions,
  positionEncoding,
  type TrainableOptions,
} from "./positions.ts";
import { DEFAULT_PROFILE, PERCEIVER_PROFILES, type PerceiverProfileName } from "./profiles.ts";

/** The sources of a query. */
export interface QueryInputs {
  /** The number of elements of the batch. */
  readonly batch: number;
  /** The modality's tokens as the encoder reads them, and without positions; null for a modality without input. */
  readonly inputs: Tensor<"b n c"> | null;
  readonly withoutPos: Tensor<"b n e"> | null;
  /** Which outputs are wanted, as row-major indices of the output grid; null: all. */
  readonly points: Int | null;
}

/** A module that makes one query for each output. */
export interface OutputQuery {
  readonly queryChannels: number;
  forward(given: QueryInputs): Tensor<"b o c">;
}

export interface BasicQueryOptions extends Omit<PositionEncodingOptions, "positionEncodingType"> {
  readonly positionEncodingType?: "FOURIER" | "TRAINABLE" | "NONE" | null | undefined;
  /** The sides of the grid of outputs. */
  readonly outputIndexDims?: number | readonly number[] | undefined;
  /** Whether the preprocessed inputs are put in front of the positions. */
  readonly concatPreprocessedInput?: boolean | undefined;
  readonly preprocessedInputChannels?: number | undefined;
}
const isSide = count.accepts;
const gridCheck = optional(
  passing(
    `${count.wanted}, or a list of them`,
    (value) => isSide(value) || (Array.isArray(value) && value.length > 0 && value.every(isSide)),
  ),
);
const checks: { readonly [K in keyof BasicQueryOptions]-?: Check } = {
  ...encodingChecks,
  positionEncodingType: optional(
    passing(
      '"FOURIER" or "TRAINABLE" or "NONE"',
      (v) => v === null || oneOf(["FOURIER", "TRAINABLE", "NONE"]).accepts(v),
    ),
  ),
  outputIndexDims: gridCheck,
  concatPreprocessedInput: optional(flag),
  preprocessedInputChannels: optional(count),
};

/**
 * Positions, the preprocessed inputs, or both, one behind the other. Throws a RuleError for a query that is made of nothing, or
 * whose grid or input channels are missing.
 * Source: Jaegle et al., arXiv 2107.14795, §3.2 and figure 3; BasicQuery of JOBR0/PerceiverIO_Pytorch,
 * perceiver_io/output_queries.py.
 */
export class BasicQuery implements OutputQuery {
  /** null for queries that are the preprocessed inputs. */
  _position_encoding: PositionEncoding | null;
  readonly options: {
    readonly grid: readonly number[];
    readonly inputChannels: number;
    readonly profile: PerceiverProfileName;
  };

  constructor(options: BasicQueryOptions) {
    const given = checked("BasicQuery", options, checks);
    const { outputIndexDims = [], concatPreprocessedInput = false, preprocessedInputChannels } = given;
    const { positionEncodingType: type = "TRAINABLE", profile = DEFAULT_PROFILE } = given;
    const grid = typeof outputIndexDims === "number" ? [outputIndexDims] : outputIndexDims; // [perceiverio.query]
    const isNone = type === "NONE" || type === null;
    if (isNone && !concatPreprocessedInput)
      throw new RuleError(
        "a query without positions is made of the inputs: set concatPreprocessedInput",
        "perceiverio.query",
        { missing: "concatPreprocessedInput" },
      );
    if (concatPreprocessedInput && preprocessedInputChannels === undefined)
      throw new RuleError(
        "concatPreprocessedInput needs preprocessedInputChannels, the channels of the preprocessed inputs",
        "perceiverio.query",
        { missing: "preprocessedInputChannels" },
      );
    if (!isNone && grid.length === 0)
      throw new RuleError(
        "a query with positions needs outputIndexDims, the sides of its grid",
        "perceiverio.query",
        { missing: "outputIndexDims" },
      );
    this._position_encoding = isNone
      ? null
      : positionEncoding("BasicQuery", grid, { ...given, positionEncodingType: type });
    this.options = {
      grid,
      inputChannels: (concatPreprocessedInput && preprocessedInputChannels) || 0,
      profile,
    };
  }

  get queryChannels(): number {
    return (this._position_encoding?.outputChannels ?? 0) + this.options.inputChannels;
  }

  /**
   * Throws a RuleError where the inputs that the query is made of are missing. Throws a ShapeError for points that are not on the
   * grid.
   */
  forward({ batch, inputs, withoutPos, points }: QueryInputs): Tensor<"b o c"> {
    const { grid, inputChannels, profile } = this.options;
    const at = points && pointPositions(points, grid, profile);
    const positions = this._position_encoding && named("b o p", this._position_encoding.forward(batch, at));
    if (positions && inputChannels === 0) return tap(this, "", named("b o c", positions));
    const read = positions ? withoutPos : inputs; // [perceiverio.flow-query]
    if (!read)
      throw new RuleError(
        "a query with concatPreprocessedInput belongs to a modality that has an input",
        "perceiverio.query",
        { missing: "inputs" },
      );
    // #region query
    const features = named("b o e", read);
    return tap(
      this,
      "",
      positions ? concat("b o e, b o p -> b o c", features, positions) : named("b o c", features),
    ); // [perceiverio.query]
    // #endregion
  }
}

/**
 * Coordinates of single outputs, −1 + 2 i / n along a side of n. They differ from those of the whole grid, which end at 1; the source,
 * DeepMind's code and transformers agree in this. Throws a ShapeError if an index is not on the grid.
 */
function pointPositions(points: Int, grid: readonly number[], profile: PerceiverProfileName): Tensor<"n d"> {
  const round = rounding(PERCEIVER_PROFILES[profile].fourier);
  const all = sizeOf(grid);
  const indices = points.flat();
  const beyond = indices.find((index) => index < 0 || index >= all);
  if (beyond !== undefined)
    throw new ShapeError(
      `output ${beyond} is not among the ${all} of a grid of ${grid.join("×")}  [perceiverio.points]`,
      "BasicQuery",
    );
  const shape = [indices.length, grid.length];
  const coordinates = Float64Array.from({ length: sizeOf(shape) }, (_, i) => {
    const [point, axis] = [Math.floor(i / grid.length), i % grid.length];
    const index = indexAt(indices[point] ?? 0, grid)[axis] ?? 0;
    return round(round((2 * index) / (grid[axis] ?? 1)) - 1); // [perceiverio.points]
  });
  return new Tensor<"n d">(shape, view(coordinates, shape));
}

export interface TrainableQueryOptions extends TrainableOptions {
  readonly outputIndexDims: number | readonly number[];
  readonly concatPreprocessedInput?: boolean | undefined;
  readonly preprocessedInputChannels?: number | undefined;
}

/**
 * A learned vector for each output. They are not subsampled: all are returned. Throws as `BasicQuery` does.
 * Source: TrainableQuery of JOBR0/PerceiverIO_Pytorch, perceiver_io/output_queries.py.
 */
export class TrainableQuery extends BasicQuery {
  constructor(given: TrainableQueryOptions) {
    checkObject("TrainableQuery", given);
    const { numChannels, initScale, ...options } = given;
    const trainable = { numChannels: numChannels ?? 128, initScale: initScale ?? 0.02 };
    super({ ...options, positionEncodingType: "TRAINABLE", trainablePositionEncodingKwargs: trainable });
  }
}

export interface FourierQueryOptions extends Omit<FourierEncodingOptions, "numBands"> {
  readonly numBands?: number | undefined;
  readonly outputIndexDims: number | readonly number[];
  readonly concatPreprocessedInput?: boolean | undefined;
  readonly preprocessedInputChannels?: number | undefined;
  readonly profile?: PerceiverProfileName | undefined;
}

/**
 * Fourier features of each output's position. Throws as `BasicQuery` does.
 * Source: FourierQuery of JOBR0/PerceiverIO_Pytorch, perceiver_io/output_queries.py.
 */
export class FourierQuery extends BasicQuery {
  constructor(given: FourierQueryOptions) {
    checkObject("FourierQuery", given);
    const { numBands, concatPos, maxResolution, sineOnly, ...options } = given;
    const fourier = { numBands: numBands ?? 64, concatPos, maxResolution, sineOnly };
    super({ ...options, positionEncodingType: "FOURIER", fourierPositionEncodingKwargs: fourier });
  }
}

export interface FlowQueryOptions {
  readonly preprocessedInputChannels: number;
  readonly outputImgSize: readonly [height: number, width: number];
  readonly outputNumChannels?: number | undefined;
}

/**
 * The tokens of the input themselves.
 * Source: FlowQuery of JOBR0/PerceiverIO_Pytorch, perceiver_io/output_queries.py.
 */
export class FlowQuery extends BasicQuery {
  constructor(options: FlowQueryOptions) {
    const {
      preprocessedInputChannels,
      outputImgSize,
      outputNumChannels = 2,
    } = checked("FlowQuery", options, {
      preprocessedInputChannels: count,
      outputImgSize: passing(
        `a height and a width, each ${count.wanted}`,
        (value) => Array.isArray(value) && value.length === 2 && value.every(isSide),
      ),
      outputNumChannels: optional(count),
    });
    super({
      outputIndexDims: [...outputImgSize, outputNumChannels],
      concatPreprocessedInput: true,
      preprocessedInputChannels,
      positionEncodingType: "NONE",
    });
  }
}
