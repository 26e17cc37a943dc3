// State dicts: the tensors in a model's fields, with the names of the source package, in torch's order.
import { LoadError } from "../tensor/errors.ts";
import { generator } from "../tensor/random.ts";
import { inDtype } from "../tensor/source.ts";
import { Tensor, type Values } from "../tensor/tensor.ts";
import { buffersOf, walk } from "../tensor/walk.ts";
import { compare, isFitting, StateDictError } from "./loading/compare.ts";
import { equalValues } from "./loading/equal.ts";
import { finite } from "./loading/finite.ts";
import type { StateDictReport, Weights } from "./loading/report.ts";
import { checkedRules, type LoadRules } from "./loading/rules.ts";
import { checked, oneOf, optional } from "./options.ts";
import { drawn, Parameter } from "./parameter.ts";

/**
 * Every parameter and buffer by its path. A tied parameter is listed under each of its paths.
 */
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
export const ties = (model: object): Map<string, string> => tiesIn(stateDict(model));

function tiesIn(state: ReadonlyMap<string, Tensor>): Map<string, string> {
  const first = new Map<Tensor, string>();
  const tied = new Map<string, string>();
  for (const [name, t] of state) {
    const known = first.get(t);
    if (known === undefined) first.set(t, name);
    else tied.set(name, known); // [state.tied]
  }
  return tied;
}

/** The precisions in which initial values can be kept. */
export const PARAMETER_DTYPES = ["float32", "bfloat16", "float16"] as const;
/** A precision in which a parameter's initial values can be kept. */
export type ParameterDtype = (typeof PARAMETER_DTYPES)[number];

/**
 * Draws every parameter from its initial distribution, with a generator for each path. The same seed gives the same model. With a
 * 16-bit dtype the values are rounded to it and kept in 16 bits. Throws a RuleError if the seed is no whole number.
 */
export function initialize<M extends object>(
  model: M,
  seed: number,
  options: { readonly dtype?: ParameterDtype } = {},
): M {
  const { dtype = "float32" } = checked("initialize", options, { dtype: optional(oneOf(PARAMETER_DTYPES)) });
  const tied = ties(model);
  generator(seed); // a wrong seed is refused here, not where the first parameter is read  [random.seeded]
  for (const [path, t] of stateDict(model)) {
    if (!(t instanceof Parameter) || tied.has(path)) continue;
    t.assign(
      inDtype(
        drawn(t.initial, () => generator(seed, path)),
        dtype,
      ),
    ); // [state.initialize]
  }
  return model;
}

/**
 * Loads weights by name, from a Map or a file. Without rules all names and shapes must fit. Rules leave weights out (`ignore`),
 * give them other names (`rename`), and allow parameters that the weights lack (`optional`). Returns what was loaded, left out,
 * renamed and not given; `describeStateDictReport` makes lines of it. Throws a StateDictError with the same report, and loads nothing,
 * where anything is left over. A tied parameter may be given under one of its paths or under all. Throws a LoadError for weights
 * that are neither a Map nor a file, and for two different copies of a tied parameter.
 */
export function loadStateDict(model: object, weights: Weights, rules: LoadRules = {}): StateDictReport {
  checkWeights(weights);
  const state = stateDict(model);
  const tied = tiesIn(state);
  const { report, found } = compare(model, state, tied, weights, checkedRules(rules));
  if (!isFitting(report)) throw new StateDictError(report); // [state.strict]
  const loaded: (readonly [string, Values])[] = [];
  for (const [name, t] of found) {
    if (!(t instanceof Tensor)) continue;
    const first = found.get(tied.get(name) ?? "");
    if (first instanceof Tensor) {
      checkEqual(name, t, first);
      continue;
    }
    loaded.push([name, finite(name, t.stored, t.shape)]); // not t's values at a later time: [state.copy]
  }
  for (const [name, values] of loaded) state.get(name)?.assign(values); // [state.strict]
  return report;
}

function checkWeights(weights: unknown): void {
  if (weights instanceof Map) return;
  if (typeof weights === "object" && weights !== null && "keys" in weights && "get" in weights)
    if (Array.isArray(weights.keys) && typeof weights.get === "function") return;
  throw new LoadError(
    "weights are a Map from names to tensors, such as stateDict returns, or a file such as loadSafetensors returns  [state.strict]",
  );
}

function checkEqual(name: string, a: Tensor, b: Tensor): void {
  if (equalValues(a, b)) return;
  throw new LoadError(`"${name}" is tied, but its two copies differ; give one of them  [state.strict]`);
}
