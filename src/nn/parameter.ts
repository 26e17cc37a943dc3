// Parameters: a shape and a source of numbers, made on first use and releasable. A model of 300 million parameters is
// built in a millisecond, and symbolic recording touches none of it.
import { type Generator, generator } from "../tensor/random.ts";
import { type Floats, type Shape, sizeOf, Tensor, type View, view } from "../tensor/tensor.ts";

/** How the source package initialises a parameter. */
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

/** Parameters that nobody initialised or loaded are drawn from one sequence, each model anew, as in the sources. */
let unseeded = 0;

export class Parameter<A extends string = string> extends Tensor<A> {
  readonly initial: Initial;
  #source: () => View;

  constructor(_axes: A, shape: Shape, initial: Initial) {
    const seed = ++unseeded;
    const source = () => Parameter.#drawn(shape, initial, generator(seed));
    super(shape, source); // [state.lazy]
    this.initial = initial;
    this.#source = source;
  }

  static #drawn(shape: Shape, initial: Initial, from: Generator): View {
    const out = new Float32Array(sizeOf(shape)); // the sources initialise in float32  [state.float32]
    draw(initial, out, from);
    return view(out, shape);
  }

  /** New numbers, or where they will come from. */
  override assign(values: View | (() => View)): void {
    this.#source = typeof values === "function" ? values : () => values;
    super.assign(this.#source);
  }

  /** Where the numbers come from: something else after every `assign`, the same after `release`. */
  get source(): object {
    return this.#source;
  }

  /** Draws the initial distribution again, from a generator of its own. */
  initialize(from: () => Generator): void {
    this.assign(() => Parameter.#drawn(this.shape, this.initial, from()));
  }

  /** Forgets the numbers; the next use makes or reads them again. */
  release(): void {
    super.assign(this.#source); // [state.release]
  }
}
