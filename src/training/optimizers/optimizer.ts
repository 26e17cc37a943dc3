// The interface of optimisers, and the parts they share: parameter groups and stored state.
import { type Check, checked, checkValue, listOf, notNegative, optional, passing } from "../../nn/options.ts";
import { LoadError, RuleError } from "../../tensor/errors.ts";
import { type Floats, Int, type Shape, sizeOf, Tensor, view } from "../../tensor/tensor.ts";

/** Parameters by state-dict name, with optional rates of their own. */
export interface ParameterGroup {
  readonly names: readonly string[];
  readonly learningRate?: number | undefined;
  readonly weightDecay?: number | undefined;
}

export type Named = ReadonlyMap<string, Tensor>;

/** The optimisers; a checkpoint records which of them wrote it. */
export const OPTIMIZER_KINDS = ["adamw", "adamw-8bit", "lion", "sgd", "stable-adamw"] as const;

/** Updates parameters from their gradients, and keeps the state that this needs. */
export interface Optimizer {
  readonly kind: (typeof OPTIMIZER_KINDS)[number];
  /** The parameters that it updates. */
  readonly names: readonly string[];
  /** Updates each parameter that has a gradient. `factor`, a finite number of at least 0, scales the learning rate. */
  step(parameters: Named, gradients: Named, factor?: number): void;
  /**
   * Buffers under the names of torch and bitsandbytes: `exp_avg.<parameter>`, `momentum_buffer.<parameter>`, `state1.<parameter>`, …
   * Integers are bytes, from 0 to 255.
   */
  state(): Map<string, Tensor | Int>;
  /**
   * Restores what `state` returned. Throws a LoadError, and changes nothing, if a tensor is unknown, missing beside its companions,
   * not finite, out of range, or, where the parameters are given, of another size than its parameter.
   */
  load(state: StoredState, parameters?: Named): void;
}

/** What `state` returns. */
export type StoredState = ReadonlyMap<string, Tensor | Int>;

export interface Rates {
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** The check of the option `groups` of an optimiser; `ratesOf` checks each group. */
export const parameterGroups: Check = passing("a list of parameter groups", Array.isArray);

const groupChecks: { readonly [K in keyof ParameterGroup]-?: Check } = {
  names: listOf("parameter names"),
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

/** Throws a RuleError, before anything changes, for a factor of the learning rate that is no finite number of at least 0. */
export const checkFactor = (factor: number): void =>
  checkValue("a step of an optimiser", "factor", factor, notNegative); // [optimizer.factor]

/** The range of a mean's decay rate. */
export const betas: Check = passing(
  "two numbers from 0 up to, but not including, 1",
  (value) =>
    Array.isArray(value) &&
    value.length === 2 &&
    value.every((beta) => typeof beta === "number" && beta >= 0 && beta < 1),
);

/** Optimiser state is float64, whatever precision the backend computes in. [optimizer.float64] */
export type Buffers = Map<string, Float64Array>;

/** Buffers of the state by parameter, of which only the sizes are read. */
type Sized = ReadonlyMap<string, { readonly length: number }>;

/** Checks that all sizes fit, before the first parameter changes. */
function checkSizes(
  rates: ReadonlyMap<string, Rates>,
  parameters: Named,
  gradients: Named,
  state: readonly Sized[],
): void {
  for (const name of rates.keys()) {
    const parameter = parameters.get(name);
    if (!parameter)
      throw new RuleError(
        `the model has no parameter "${name}" to optimise; parameterNames(model) lists them`,
        "optimizer.groups",
      );
    const size = sizeOf(parameter.shape);
    const shape = gradients.get(name)?.shape;
    const lengths = [
      ...(shape ? [sizeOf(shape)] : []),
      ...state.flatMap((part) => part.get(name)?.length ?? []),
    ];
    for (const length of lengths)
      if (length !== size)
        throw new RuleError(
          `"${name}" has ${size} elements, but its gradient or its state has ${length}`,
          "optimizer.state",
        );
  }
}

interface Update<F extends Floats> {
  readonly name: string;
  readonly rate: Rates;
  readonly p: F;
  readonly g: F;
}

/** Updates in float64. `state` has buffers of the parameters' sizes. [optimizer.float64] */
export const updates = (
  rates: ReadonlyMap<string, Rates>,
  parameters: Named,
  gradients: Named,
  state: readonly Sized[],
): Generator<Update<Float64Array>> =>
  updatesIn((values) => Float64Array.from(values), rates, parameters, gradients, state);

/** Yields copies of each parameter and its gradient; the copy `p` is assigned to the parameter after it has been updated. */
export function* updatesIn<F extends Floats>(
  copy: (values: Floats) => F,
  rates: ReadonlyMap<string, Rates>,
  parameters: Named,
  gradients: Named,
  state: readonly Sized[],
): Generator<Update<F>> {
  checkSizes(rates, parameters, gradients, state); // [optimizer.state]
  for (const [name, rate] of rates) {
    const [parameter, gradient] = [parameters.get(name), gradients.get(name)];
    if (!parameter || !gradient) continue; // [optimizer.missing-gradient]
    // A new array each time, because the old one may be shared, for example with a snapshot.
    const p = copy(parameter.flat());
    yield { name, rate, p, g: copy(gradient.flat()) };
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

export const refused = (problem: string): LoadError =>
  new LoadError(`optimiser state: ${problem}  [optimizer.state]`);

/**
 * The buffers of each kind, such as exp_avg, checked: every tensor is of one of the kinds and of one of the parameters, finite, and
 * as long as its parameter or, if its kind is in `scalars`, a single number.
 */
export function restored<K extends string>(
  state: StoredState,
  kinds: readonly K[],
  names: ReadonlySet<string>,
  {
    parameters,
    scalars = [],
  }: { readonly parameters?: Named | undefined; readonly scalars?: readonly K[] } = {},
): Record<K, Buffers> {
  const buffers = Object.fromEntries(kinds.map((kind) => [kind, new Map()])) as Record<K, Buffers>;
  for (const [key, t] of state) {
    const kind = kinds.find((one) => key.startsWith(`${one}.`));
    const name = kind === undefined ? "" : key.slice(kind.length + 1);
    if (kind === undefined || !names.has(name))
      throw refused(`there is no place for "${key}"; it is of another optimiser or of other parameters`);
    const values = Float64Array.from(t instanceof Int ? t.flat() : t.flat());
    if (!values.every(Number.isFinite)) throw refused(`"${key}" has a value that is not finite`);
    const parameter = parameters?.get(name);
    const size = scalars.includes(kind) ? 1 : parameter ? sizeOf(parameter.shape) : values.length;
    if (values.length !== size) throw refused(`"${key}" has ${values.length} elements instead of ${size}`);
    buffers[kind].set(name, values);
  }
  return buffers;
}

/** Checks that the parameters of several kinds of buffers are the same, and the buffers of `sameLength` equally long. */
export function checkCompanions(
  buffers: Readonly<Record<string, Buffers>>,
  sameLength: readonly string[],
): void {
  const names = new Set(Object.values(buffers).flatMap((part) => [...part.keys()]));
  for (const name of names) {
    for (const [kind, part] of Object.entries(buffers))
      if (!part.has(name))
        throw refused(`"${kind}.${name}" is missing, although other state of "${name}" is there`);
    const lengths = sameLength.map((kind) => buffers[kind]?.get(name)?.length);
    if (new Set(lengths).size > 1)
      throw refused(`${sameLength.map((kind) => `"${kind}.${name}"`).join(" and ")} have different sizes`);
  }
}

/** Checks a condition of every value of a buffer. */
export function checkValues(
  kind: string,
  buffers: Buffers,
  words: string,
  holds: (x: number) => boolean,
): void {
  for (const [name, values] of buffers) {
    const wrong = values.find((x) => !holds(x));
    if (wrong !== undefined) throw refused(`"${kind}.${name}" is ${wrong}; it has to be ${words}`);
  }
}

export const scalar = (x: number): Tensor => new Tensor([1] as Shape, view(Float64Array.of(x), [1]));
