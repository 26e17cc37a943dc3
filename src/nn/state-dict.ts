// State dicts: the tensors in a model's fields, with the names of the source package, in torch's order.
import { LoadError } from "../tensor/errors.ts";
import { generator } from "../tensor/random.ts";
import { flat, Tensor, type Values } from "../tensor/tensor.ts";
import { buffersOf, walk } from "../tensor/walk.ts";
import { didYouMean } from "../terminal/nearest.ts";
import { finite } from "./finite.ts";
import { differenceSentence, nameDifferences } from "./name-differences.ts";
import { checked, oneOf, optional } from "./options.ts";
import { PARAMETER_DTYPES, Parameter, type ParameterDtype } from "./parameter.ts";

/** Every parameter and buffer by its path. A tied parameter is listed under each of its paths. */
export function stateDict(model: object): Map<string, Tensor> {
  return new Map([...walk(model)].filter((entry): entry is [string, Tensor] => entry[1] instanceof Tensor));
}

/** Paths of the parameters for an optimiser: each tensor once, without buffers. */
export function parameterNames(model: object): string[] {
  const buffers = new Set<unknown>();
  for (const [, owner] of walk(model)) {
    for (const name of buffersOf(owner)) buffers.add((owner as Record<string, unknown>)[name]);
  }
  const seen = new Set<Tensor>();
  const names: string[] = [];
  for (const [name, t] of stateDict(model)) {
    if (!seen.has(t) && !buffers.has(t)) names.push(name); // [state.buffers]
    seen.add(t);
  }
  return names;
}

/** Second paths of tied tensors: `to_logits.1.weight` -> `token_emb.weight`. */
export function ties(model: object): Map<string, string> {
  const first = new Map<Tensor, string>();
  const tied = new Map<string, string>();
  for (const [name, t] of stateDict(model)) {
    const known = first.get(t);
    if (known === undefined) first.set(t, name);
    else tied.set(name, known); // [state.tied]
  }
  return tied;
}

/**
 * Draws every parameter from its initial distribution, with a generator for each path. The same seed gives the same model. With a
 * 16-bit dtype the values are rounded to it and kept in 16 bits.
 */
export function initialize<M extends object>(
  model: M,
  seed: number,
  options: { readonly dtype?: ParameterDtype } = {},
): M {
  const { dtype } = checked("initialize", options, { dtype: optional(oneOf(PARAMETER_DTYPES)) });
  const tied = ties(model);
  for (const [path, t] of stateDict(model)) {
    if (t instanceof Parameter && !tied.has(path)) t.initialize(() => generator(seed, path), dtype); // [state.initialize]
  }
  return model;
}

/** The number of names that an error lists. */
const SHOWN = 10;
function listed(
  title: string,
  lines: readonly string[],
  shown = (line: string): string => line, // called for the lines that are listed only
): string[] {
  const rest = lines.length > SHOWN ? [`    … and ${lines.length - SHOWN} more`] : [];
  return lines.length === 0
    ? []
    : [`  ${title}:`, ...lines.slice(0, SHOWN).map((line) => `    ${shown(line)}`), ...rest];
}

function report(
  state: ReadonlyMap<string, Tensor>,
  weights: ReadonlyMap<string, Tensor>,
  optional: ReadonlySet<string>,
): string[] {
  const missing = [...state.keys()].filter((name) => !weights.has(name) && !optional.has(name));
  const unexpected = [...weights.keys()].filter((name) => !state.has(name));
  const notFloats = [...weights].flatMap(([name, t]) => (t instanceof Tensor ? [] : [name]));
  const wrong = [...weights].flatMap(([name, t]) => {
    const shape = state.get(name)?.shape;
    return shape && t instanceof Tensor && shape.join(" ") !== t.shape.join(" ")
      ? [`${name}: the model has [${shape.join(" ")}], the weights [${t.shape.join(" ")}]`]
      : [];
  });
  const differences = nameDifferences(unexpected, missing); // [state.prefix]
  const explained = new Map(differences.flatMap(({ names }) => [...names]));
  const found = new Set(explained.values());
  const unexplained = missing.filter((name) => !found.has(name));
  return [
    ...differences.map((difference) => `  ${differenceSentence(difference, weights.size)}`),
    ...listed("missing", unexplained),
    ...listed(
      "unexpected",
      unexpected.filter((name) => !explained.has(name)),
      (name) => name + didYouMean(name, unexplained),
    ),
    ...listed("no floats", notFloats),
    ...listed("wrong shape", wrong),
  ];
}

/**
 * Loads weights by name. All differences in names and shapes are reported in one LoadError, and no weight is loaded then.
 * A tied parameter may be given under one of its paths or under all.
 */
export function loadStateDict(model: object, weights: ReadonlyMap<string, Tensor>): void {
  if (!(weights instanceof Map))
    throw new LoadError("weights are a Map from names to tensors, such as stateDict returns  [state.strict]");
  const state = stateDict(model);
  const tied = ties(model);
  const groups = [...tied].map(([second, first]) => [second, first] as const);
  const optional = new Set(
    groups.flatMap(([second, first]) => [
      ...(weights.has(first) ? [second] : []),
      ...(weights.has(second) ? [first] : []),
    ]),
  );
  const lines = report(state, weights, optional);
  if (lines.length > 0) {
    throw new LoadError(
      [`the weights do not fit ${model.constructor.name}  [state.strict]`, ...lines].join("\n"),
    );
  }
  const loaded: (readonly [string, Values])[] = [];
  for (const [name, t] of weights) {
    const first = weights.get(tied.get(name) ?? "");
    if (first) {
      checkEqual(name, t, first);
      continue;
    }
    loaded.push([name, finite(name, t.stored, t.shape)]); // not t's values at a later time: [state.copy]
  }
  for (const [name, values] of loaded) state.get(name)?.assign(values); // [state.strict]
}

function checkEqual(name: string, a: Tensor, b: Tensor): void {
  const [x, y] = [flat(a.data), flat(b.data)];
  if (x.some((value, i) => !Object.is(value, y[i]) && value !== y[i]))
    throw new LoadError(`"${name}" is tied, but its two copies differ; give one of them  [state.strict]`);
}
