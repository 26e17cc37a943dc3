// Parameters: a shape and a source of values, which are drawn or read on first use and can be released. Constructing a model of
// 300 million parameters takes a millisecond, and symbolic recording uses no values.

import { ShapeError } from "../tensor/errors.ts";
import { type Generator, generator } from "../tensor/random.ts";
import { type Floats, type Shape, sizeOf, Tensor, type View, view } from "../tensor/tensor.ts";

/** The initial distribution of a parameter, as in the source package. */
export type Initial =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "uniform"; readonly bound: number }
  | { readonly kind: "normal"; readonly std: number }
  | { readonly kind: "values"; readonly value: (i: number) => number };

export const constant = (value: number): Initial => ({ kind: "constant", value });
export const uniform = (bound: number): Initial => ({ kind: "uniform", bound });
export const normal = (std: number): Initial => ({ kind: "normal", std });
export const values = (value: (i: number) => number): Initial => ({ kind: "values", value });

function draw(initial: Initial, out: Floats, { uniform, normal }: Generator): void {
  if (initial.kind === "constant") out.fill(initial.value);
  else if (initial.kind === "uniform")
    for (let i = 0; i < out.length; i++) out[i] = (2 * uniform() - 1) * initial.bound;
  else if (initial.kind === "normal") for (let i = 0; i < out.length; i++) out[i] = normal() * initial.std;
  else for (let i = 0; i < out.length; i++) out[i] = initial.value(i);
}

/** Seeds of parameters that are neither initialised nor loaded: they differ in every model, as in the source packages. */
let unseeded = 0;

/** The largest number of values in one parameter. */
const LARGEST = 2 ** 32;

export class Parameter<A extends string = string> extends Tensor<A> {
  readonly initial: Initial;
  #source: () => View;

  /** Throws a ShapeError if the shape is not a list of whole numbers, or has more values than one array holds. */
  constructor(_axes: A, shape: Shape, initial: Initial) {
    super(shape);
    const size = sizeOf(shape);
    if (size > LARGEST)
      throw new ShapeError(
        `a parameter of shape [${shape.join(" ")}] would hold ${size} values, more than 2^32  [options.bounds]`,
      );
    const seed = ++unseeded;
    const source = () => Parameter.#drawn(shape, initial, generator(seed));
    super.assign(source); // [state.lazy]
    this.initial = initial;
    this.#source = source;
  }

  static #drawn(shape: Shape, initial: Initial, from: Generator): View {
    const out = new Float32Array(sizeOf(shape)); // as in the source packages  [state.float32]
    draw(initial, out, from);
    return view(out, shape);
  }

  /** Replaces the values, or the function that returns them. */
  override assign(values: View | (() => View)): void {
    this.#source = typeof values === "function" ? values : () => values;
    super.assign(this.#source);
  }

  /** The identity of the values: it changes with every `assign`, and not with `release`. */
  get source(): object {
    return this.#source;
  }

  /** Draws the initial distribution again, from the given generator. */
  initialize(from: () => Generator): void {
    this.assign(() => Parameter.#drawn(this.shape, this.initial, from()));
  }

  /** Frees the values; the next use draws or reads them again. */
  release(): void {
    super.assign(this.#source); // [state.release]
  }
}
