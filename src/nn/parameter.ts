// Parameters: a shape and a source of values, which are drawn or read on first use and can be released. Constructing a model of
// 300 million parameters takes a millisecond, and symbolic recording uses no values.

import { ShapeError } from "../tensor/errors.ts";
import { type Generator, generator } from "../tensor/random.ts";
import { isSource, narrowed, type TensorSource } from "../tensor/source.ts";
import { type Floats, readAll, type Shape, sizeOf, Tensor, type Values } from "../tensor/tensor.ts";

/** Places of row-major values, the second one excluded. */
type Span = readonly [from: number, to: number];

/** The initial distribution of a parameter, as in the source package. */
export type Initial =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "uniform"; readonly bound: number; readonly zeroed?: Span | undefined }
  | { readonly kind: "normal"; readonly std: number; readonly zeroed?: Span | undefined }
  | { readonly kind: "truncated"; readonly std: number; readonly bound: number }
  | { readonly kind: "values"; readonly value: (i: number) => number };

export const constant = (value: number): Initial => ({ kind: "constant", value });
/** A uniform distribution within ±`bound`; the values at `zeroed` are 0. */
export const uniform = (bound: number, zeroed?: Span): Initial => ({ kind: "uniform", bound, zeroed });
/** A normal distribution with mean 0; the values at `zeroed` are 0. */
export const normal = (std: number, zeroed?: Span): Initial => ({ kind: "normal", std, zeroed });
/** A normal distribution of which only values within ±`bound` are drawn; `std` is the deviation before they are cut off. */
export const truncatedNormal = (std: number, bound: number): Initial => ({ kind: "truncated", std, bound });
/** The standard deviation of a standard normal distribution that is truncated to ±2. */
const TRUNCATED_DEVIATION = 0.879_625_661_034_239_78;
/** A normal distribution of variance `scale` / `inputs`, truncated to two deviations (variance scaling of haiku and timm). */
export const varianceScaling = (inputs: number, scale = 1): Initial => {
  const std = Math.sqrt(scale / inputs) / TRUNCATED_DEVIATION;
  return truncatedNormal(std, 2 * std);
};
export const values = (value: (i: number) => number): Initial => ({ kind: "values", value });

/** Fills `out` with the values from index `start` on; the generator has drawn those before it. */
function draw(initial: Initial, out: Floats, { uniform, normal }: Generator, start: number): void {
  if (initial.kind === "constant") out.fill(initial.value);
  else if (initial.kind === "uniform" || initial.kind === "normal") {
    const next =
      initial.kind === "normal" ? () => normal() * initial.std : () => (2 * uniform() - 1) * initial.bound;
    for (let i = 0; i < out.length; i++) out[i] = next();
    const [from, to] = initial.zeroed ?? [0, 0];
    out.fill(0, Math.max(0, from - start), Math.max(0, to - start));
  } else if (initial.kind === "truncated")
    for (let i = 0; i < out.length; i++) {
      do out[i] = normal() * initial.std;
      while (Math.abs(out[i] ?? 0) > initial.bound); // [state.truncated]
    }
  else for (let i = 0; i < out.length; i++) out[i] = initial.value(start + i);
}

/** Values drawn at a time while those before a range are skipped. */
const SKIPPED = 2 ** 16;

/** Draws float32 values, in 16 bits rounded once more. A range after the one read last continues with the same generator. */
function drawn(initial: Initial, from: () => Generator, dtype: ParameterDtype): TensorSource {
  let generator: Generator | null = null;
  let at = 0;
  const next = (n: number): Float32Array<ArrayBuffer> => {
    const out = new Float32Array(n); // as in the source packages  [state.float32]
    generator ??= from();
    draw(initial, out, generator, at);
    at += n;
    return out;
  };
  const read = (start: number, end: number) => {
    if (start < at) [generator, at] = [null, 0];
    while (at < start) next(Math.min(SKIPPED, start - at));
    const out = next(end - start);
    return dtype === "float32" ? out : narrowed(out, dtype);
  };
  return { dtype, read, sequential: initial.kind !== "constant" && initial.kind !== "values" };
}

/** Seeds of parameters that are neither initialised nor loaded: they differ in every model, as in the source packages. */
let unseeded = 0;

/** The largest number of values in one parameter. */
const LARGEST = 2 ** 32;

/** The precision in which a parameter's initial values are kept. */
export const PARAMETER_DTYPES = ["float32", "bfloat16", "float16"] as const;
/** A precision in which a parameter's values can be kept. */
export type ParameterDtype = (typeof PARAMETER_DTYPES)[number];

/**
 * A tensor that is learned, or a buffer, under its path in the state dict. Before values are assigned it draws them from its
 * initial distribution when they are first read.
 * Source: torch.nn.Parameter.
 */
export class Parameter<A extends string = string> extends Tensor<A> {
  readonly initial: Initial;
  #source: { readonly values: Values };

  /** Throws a ShapeError if the shape is not a list of whole numbers, or has more values than one array holds. */
  constructor(_axes: A, shape: Shape, initial: Initial) {
    super(shape);
    const size = sizeOf(shape);
    if (size > LARGEST)
      throw new ShapeError(
        `a parameter of shape [${shape.join(" ")}] would hold ${size} values, more than 2^32  [options.bounds]`,
      );
    const seed = ++unseeded;
    this.initial = initial;
    this.#source = { values: drawn(initial, () => generator(seed), "float32") }; // [state.lazy]
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

  /** Draws the initial distribution again, from the given generator. With a 16-bit dtype each value is rounded to it. */
  initialize(from: () => Generator, dtype: ParameterDtype = "float32"): void {
    this.assign(drawn(this.initial, from, dtype));
  }

  /** Frees the values that have been drawn or read; the next use draws or reads them again. */
  release(): void {
    super.assign(kept(this.#source.values, this.shape)); // [state.release]
  }
}

/** The same values; those of a source are kept after the first use, until `release`. */
const kept = (values: Values, shape: Shape): Values =>
  isSource(values) ? () => readAll(values, shape) : values;
