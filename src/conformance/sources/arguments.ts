// What a case calls its subject with.
import { LoadError } from "../../tensor/errors.ts";
import { named } from "../../tensor/pattern.ts";
import { Bool, Int, Tensor } from "../../tensor/tensor.ts";

export type Input = Tensor | Int | Bool | number;

/** The arguments of one call, each checked for its kind. */
export class Arguments {
  readonly values: Readonly<Record<string, Input>>;
  /** Names of those that the case passed by position. */
  readonly positional: readonly string[];
  constructor(values: Readonly<Record<string, Input>>, positional: readonly string[]) {
    this.values = values;
    this.positional = positional;
  }
  tensor<A extends string>(name: string, axes: A): Tensor<A> {
    return named(axes, this.any(name));
  }
  /** A tensor whose axes the module does not care about. */
  any(name: string): Tensor {
    const value = this.values[name];
    if (value instanceof Tensor) return value;
    throw new LoadError(`the case gives no tensor "${name}"`);
  }
  optional<A extends string>(name: string, axes: A): Tensor<A> | null {
    return name in this.values ? this.tensor(name, axes) : null;
  }
  locations(): Bool<"b l"> | null {
    const value = this.values.media_locations;
    return value instanceof Bool ? named("b l", value) : null;
  }
  ids(name: string): Int<"b l"> {
    const value = this.values[name];
    if (value instanceof Int) return named("b l", value);
    throw new LoadError(`the case gives no ids "${name}"`);
  }
  number(name: string): number {
    const value = this.values[name];
    if (typeof value === "number") return value;
    throw new LoadError(`the case gives no number "${name}"`);
  }
}
