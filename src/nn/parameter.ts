// Parameters: a shape and a source of values, which are drawn or read on first use and can be released. Constructing a model of
// 300 million parameters takes a millisecond, and symbolic recording uses no values.

import { ShapeError } from "../tensor/errors.ts";
import { type Generator, generatorOf } from "../tensor/random.ts";
import { isSource, type TensorSource } from "../tensor/source.ts";
import { readAll, type Shape, shapeText, sizeOf, Tensor, type Values } from "../tensor/tensor.ts";
import { checkValue, passing } from "./options.ts";

/**
 * The initial distribution of a parameter, as in the source package: returns the value at each row-major index, the first one first,
 * with numbers from the generator.
 */
export type Initial = (generator: Generator, index: number) => number;

/** The check of an option that takes an initial distribution. */
export const distribution = passing(
  "a function of a generator and an index",
  (value) => typeof value === "function",
);

const finite = passing("a finite number", Number.isFinite);

export const constant =
  (value: number): Initial =>
  () =>
    value;
/** A uniform distribution within ±`bound`. */
export const uniform =
  (bound: number): Initial =>
  ({ uniform }) =>
    (2 * uniform() - 1) * bound;
/** A normal distribution with mean 0. */
export const normal =
  (std: number): Initial =>
  ({ normal }) =>
    normal() * std;
/** A normal distribution of which only values within ±`bound` are drawn; `std` is the deviation before they are cut off. */
export const truncatedNormal =
  (std: number, bound: number): Initial =>
  ({ normal }) => {
    let value: number;
    do value = Math.fround(normal() * std);
    while (Math.abs(value) > bound); // [state.truncated]
    return value;
  };
/** The standard deviation of a standard normal distribution that is truncated to ±2. */
const TRUNCATED_DEVIATION = 0.879_625_661_034_239_78;
/** A normal distribution of variance `scale` / `inputs`, truncated to two deviations (variance scaling of haiku and timm). */
export const varianceScaling = (inputs: number, scale = 1): Initial => {
  const std = Math.sqrt(scale / inputs) / TRUNCATED_DEVIATION;
  return truncatedNormal(std, 2 * std);
};
/** The values of a function of the index. */
export const values =
  (value: (index: number) => number): Initial =>
  (_, index) =>
    value(index);
/** A distribution with zeros in one row of a table. The values of the other rows are the same as without. */
export const withZeroRow =
  (initial: Initial, row: number, width: number): Initial =>
  (generator, index) => {
    const value = initial(generator, index);
    return Math.floor(index / width) === row ? 0 : value;
  };

/** Draws float32 values. A range after the one read last continues with the same generator. */
export function drawn(initial: Initial, from: () => Generator): TensorSource {
  let generator: Generator | null = null;
  let at = 0;
  const read = (start: number, end: number) => {
    if (!generator || start < at) [generator, at] = [from(), 0];
    while (at < start) initial(generator, at++);
    const out = new Float32Array(end - start); // as in the source packages  [state.float32]
    for (let i = 0; i < out.length; i++) {
      const value = initial(generator, at++);
      checkValue("Parameter", "a value of initial", value, finite);
      out[i] = value;
    }
    return out;
  };
  return { dtype: "float32", read, sequential: true };
}

/** Seeds of parameters that are neither initialised nor loaded: they differ in every model, as in the source packages. */
let unseeded = 0;

/** The largest number of values in one parameter. */
const LARGEST = 2 ** 32;

/**
 * A tensor that is learned, or a buffer, under its path in the state dict. Before values are assigned it draws them from its
 * initial distribution when they are first read: `new Parameter("d", [8], ({ normal }) => 0.02 * normal())`.
 * Source: torch.nn.Parameter.
 */
export class Parameter<A extends string = string> extends Tensor<A> {
  readonly initial: Initial;
  #source: { readonly values: Values };

  /** Throws a ShapeError if the shape is not a list of whole numbers, or has more values than one array holds, and a RuleError
   * unless `initial` is a function. */
  constructor(_axes: A, shape: Shape, initial: Initial) {
    super(shape);
    checkValue("Parameter", "initial", initial, distribution);
    if (sizeOf(shape) > LARGEST)
      throw new ShapeError(
        `a parameter of shape ${shapeText(shape)} has more than 2^32 values  [options.bounds]`,
      );
    const seed = ++unseeded;
    this.initial = initial;
    this.#source = { values: drawn(initial, () => generatorOf(seed)) }; // [state.lazy]
    this.release();
  }

  /** Replaces the values, or the function or source that gives them. */
  override assign(values: Values): void {
    super.assign(kept(values, this.shape));
    this.#source = { values };
  }

  override get stored(): Values {
    return this.#source.values;
  }

  /** The identity of the values: it changes with every `assign`, and not with `release`. */
  get source(): object {
    return this.#source;
  }

  /** Draws the initial distribution again, from the given generator. */
  initialize(from: () => Generator): void {
    this.assign(drawn(this.initial, from));
  }

  /** Frees the values that have been drawn or read; the next use draws or reads them again. */
  release(): void {
    super.assign(kept(this.#source.values, this.shape)); // [state.release]
  }
}

/** The same values; those of a source are kept after the first use, until `release`. */
const kept = (values: Values, shape: Shape): Values =>
  isSource(values) ? () => readAll(values, shape) : values;
