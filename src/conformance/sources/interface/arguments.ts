// The arguments of a call, by the names that the source gives them.
import type { Stored } from "../../../io/safetensors/read.ts";
import { LoadError } from "../../../tensor/errors.ts";
import { named } from "../../../tensor/pattern.ts";
import { Bool, Int, Tensor } from "../../../tensor/tensor.ts";

/** A tensor, an integer without axes, or a dictionary of inputs: the call `{ "inputs.image": … }` passes `{ image }` as `inputs`. */
export type Input = Stored | number | Inputs;
export interface Inputs {
  readonly [name: string]: Input;
}

/** The arguments of one call. Each getter throws a LoadError where the argument is missing or of another type. */
export class Arguments {
  readonly values: Inputs;
  /** Names of those that the case passed by position. */
  readonly positional: readonly string[];

  constructor(values: Inputs, positional: readonly string[] = []) {
    this.values = values;
    this.positional = positional;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.values, name);
  }

  tensor<A extends string>(name: string, axes: A): Tensor<A> {
    return named(axes, this.any(name));
  }

  /** A tensor with any number of axes. */
  any(name: string): Tensor {
    const value = this.#get(name);
    if (value instanceof Tensor) return value;
    throw new LoadError(`the case gives no tensor "${name}"`);
  }

  optional<A extends string>(name: string, axes: A): Tensor<A> | null {
    return this.has(name) ? this.tensor(name, axes) : null;
  }

  bool<A extends string>(name: string, axes: A): Bool<A> {
    const value = this.#get(name);
    if (value instanceof Bool) return named(axes, value);
    throw new LoadError(`the case gives no booleans "${name}"`);
  }

  int<A extends string>(name: string, axes: A): Int<A> {
    const value = this.#get(name);
    if (value instanceof Int) return named(axes, value);
    throw new LoadError(`the case gives no integers "${name}"`);
  }

  number(name: string): number {
    const value = this.#get(name);
    if (typeof value === "number") return value;
    throw new LoadError(`the case gives no number "${name}"`);
  }

  #get(name: string): Input | undefined {
    return this.has(name) ? this.values[name] : undefined;
  }
}

/** The call of a case: argument -> input becomes argument -> value. An integer without axes is a number. */
export function argumentsOf(inputs: ReadonlyMap<string, Stored>, call: ReadonlyMap<string, string>): Inputs {
  const nested: [first: string, rest: string, value: Stored | number][] = [];
  const entries: [string, Input][] = [];
  for (const [argument, input] of call) {
    const stored = inputs.get(input);
    if (stored === undefined) continue;
    const scalar = stored instanceof Int && stored.shape.length === 0;
    const value = scalar ? (stored.flat()[0] ?? 0) : stored;
    const dot = argument.indexOf(".");
    if (dot < 0) entries.push([argument, value]);
    else nested.push([argument.slice(0, dot), argument.slice(dot + 1), value]);
  }
  for (const first of new Set(nested.map(([name]) => name))) {
    const members = nested.filter(([name]) => name === first).map(([, rest, value]) => [rest, value]);
    entries.push([first, Object.fromEntries(members)]);
  }
  return Object.fromEntries(entries);
}
