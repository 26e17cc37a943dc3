// The interface of optimisers, and the parts they share: parameter groups and stored state.
import { type Check, checked, notNegative, optional, passing } from "../../nn/options.ts";
import { RuleError } from "../../tensor/errors.ts";
import { flat, type Shape, Tensor, view } from "../../tensor/tensor.ts";

/** Parameters by state-dict name, with optional rates of their own. */
export interface ParameterGroup {
  readonly names: readonly string[];
  readonly learningRate?: number | undefined;
  readonly weightDecay?: number | undefined;
}

export type Named = ReadonlyMap<string, Tensor>;

export interface Optimizer {
  readonly kind: "adamw" | "sgd";
  /** The parameters that it updates. */
  readonly names: readonly string[];
  /** Updates each parameter that has a gradient. `factor` scales the learning rate. */
  step(parameters: Named, gradients: Named, factor?: number): void;
  /** Buffers under torch's names: `exp_avg.<parameter>`, `momentum_buffer.<parameter>`, … */
  state(): Map<string, Tensor>;
  load(state: Named): void;
}

export interface Rates {
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** What the option `groups` of an optimiser accepts; `ratesOf` checks each group. */
export const parameterGroups: Check = passing("a list of parameter groups", Array.isArray);

const isNames = (value: unknown): boolean =>
  Array.isArray(value) && value.every((name) => typeof name === "string");
const groupChecks: { readonly [K in keyof ParameterGroup]-?: Check } = {
  names: passing("a list of parameter names", isNames),
  learningRate: optional(notNegative),
  weightDecay: optional(notNegative),
};

/** Rates by parameter name, in the order of the groups. Throws a RuleError if a parameter is in two groups. */
export function ratesOf(groups: readonly ParameterGroup[], defaults: Rates): Map<string, Rates> {
  const rates = new Map<string, Rates>();
  for (const group of groups) {
    const { names, learningRate, weightDecay } = checked("a parameter group", group, groupChecks);
    for (const name of names) {
      if (rates.has(name))
        throw new RuleError(`"${name}" is in two parameter groups; list it in one`, "optimizer.groups");
      rates.set(name, {
        learningRate: learningRate ?? defaults.learningRate,
        weightDecay: weightDecay ?? defaults.weightDecay,
      });
    }
  }
  return rates;
}

/** Optimiser state is float64, whatever precision the backend computes in. [optimizer.float64] */
export type Buffers = Map<string, Float64Array>;

/** Yields copies of each parameter and its gradient; the copy `p` is assigned to the parameter after it has been updated. */
export function* updates(
  rates: ReadonlyMap<string, Rates>,
  parameters: Named,
  gradients: Named,
): Generator<{ name: string; rate: Rates; p: Float64Array; g: Float64Array; parameter: Tensor }> {
  for (const [name, rate] of rates) {
    const parameter = parameters.get(name);
    if (!parameter)
      throw new RuleError(
        `the model has no parameter "${name}" to optimise; parameterNames(model) lists them`,
        "optimizer.groups",
      );
    const gradient = gradients.get(name);
    if (!gradient) continue; // [optimizer.missing-gradient]
    // A new array each time, because the old one may be shared, for example with a snapshot.
    const p = Float64Array.from(flat(parameter.data)); // [optimizer.float64]
    yield { name, rate, p, g: Float64Array.from(flat(gradient.data)), parameter };
    parameter.assign(view(p, parameter.shape)); // [optimizer.fresh]
  }
}

export function buffer(buffers: Buffers, name: string, size: number): Float64Array {
  const known = buffers.get(name) ?? new Float64Array(size);
  buffers.set(name, known);
  return known;
}

export const stored = (prefix: string, buffers: Buffers): [string, Tensor][] =>
  [...buffers].map(([name, values]) => [
    `${prefix}.${name}`,
    new Tensor([values.length], view(values.slice(), [values.length])),
  ]);

/** The buffers whose names begin with a prefix. */
export function restored(prefix: string, state: Named): Buffers {
  const under = [...state].filter(([key]) => key.startsWith(`${prefix}.`));
  return new Map(
    under.map(([key, t]) => [key.slice(prefix.length + 1), Float64Array.from(flat(t.data))] as const),
  );
}

export const scalar = (x: number): Tensor => new Tensor([1] as Shape, view(Float64Array.of(x), [1]));
