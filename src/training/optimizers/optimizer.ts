// What optimisers share: groups of parameters, and a state that can be stored.
import { RuleError } from "../../tensor/errors.ts";
import { flat, type Shape, Tensor, view } from "../../tensor/tensor.ts";

/** Parameters, by their state-dict names, with options of their own. */
export interface ParameterGroup {
  readonly names: readonly string[];
  readonly learningRate?: number | undefined;
  readonly weightDecay?: number | undefined;
}

export type Named = ReadonlyMap<string, Tensor>;

export interface Optimizer {
  readonly kind: "adamw" | "sgd";
  /** Everything that it changes. */
  readonly names: readonly string[];
  /** Gives each parameter new numbers. `factor` is the schedule's. A parameter without a gradient stays. */
  step(parameters: Named, gradients: Named, factor?: number): void;
  /** By torch's names: `exp_avg.<parameter>`, `momentum_buffer.<parameter>`, … */
  state(): Map<string, Tensor>;
  load(state: Named): void;
}

export interface Rates {
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** Rates by name, in the groups' order. */
export function ratesOf(groups: readonly ParameterGroup[], defaults: Rates): Map<string, Rates> {
  const rates = new Map<string, Rates>();
  for (const { names, learningRate, weightDecay } of groups) {
    for (const name of names) {
      if (rates.has(name)) throw new RuleError(`"${name}" is in two parameter groups`, "optimizer.groups");
      rates.set(name, {
        learningRate: learningRate ?? defaults.learningRate,
        weightDecay: weightDecay ?? defaults.weightDecay,
      });
    }
  }
  return rates;
}

/** Optimisers compute in float64 whatever the backend does: these are the master weights. [optimizer.float64] */
export type Buffers = Map<string, Float64Array>;

/** A parameter's numbers and gradient, and where to put the new ones. */
export function* updates(
  rates: ReadonlyMap<string, Rates>,
  parameters: Named,
  gradients: Named,
): Generator<{ name: string; rate: Rates; p: Float64Array; g: Float64Array; parameter: Tensor }> {
  for (const [name, rate] of rates) {
    const parameter = parameters.get(name);
    if (!parameter)
      throw new RuleError(`the model has no parameter "${name}" to optimise`, "optimizer.groups");
    const gradient = gradients.get(name);
    if (!gradient) continue; // [optimizer.missing-gradient]
    // A fresh array each time: the old numbers may be somebody else's too, or a snapshot's.
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

/** The buffers that stand under a prefix. */
export function restored(prefix: string, state: Named): Buffers {
  const under = [...state].filter(([key]) => key.startsWith(`${prefix}.`));
  return new Map(
    under.map(([key, t]) => [key.slice(prefix.length + 1), Float64Array.from(flat(t.data))] as const),
  );
}

export const scalar = (x: number): Tensor => new Tensor([1] as Shape, view(Float64Array.of(x), [1]));
