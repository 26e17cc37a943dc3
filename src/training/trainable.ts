// Sets of trained parameters, and parameter groups. A parameter is frozen if the optimiser does not have it; models have no
// frozen state.
import { type NameRule, nameRules, selected } from "../nn/loading/rules.ts";
import { checkValue, object, shown } from "../nn/options.ts";
import { parameterNames, stateDict } from "../nn/state-dict.ts";
import { RuleError } from "../tensor/errors.ts";
import { checkGiven } from "../tensor/given.ts";
import type { ParameterGroup } from "./optimizers/optimizer.ts";

/** A model that names sets of its parameters, such as the one that its paper trains. */
export interface HasParameterSets<S extends string> {
  /** The names of each set, by rules as `loadStateDict` takes them. */
  readonly parameterSets: Readonly<Record<S, readonly NameRule[]>>;
}

/**
 * Names of the parameters in one of the model's sets. All others are frozen: their gradients are never computed.
 * Throws a RuleError if the model has no such set, or no parameter in it.
 */
export function trainable<S extends string>(model: HasParameterSets<S>, set: NoInfer<S>): string[] {
  checkValue("trainable", "model", model, object("a model"));
  const sets = model.parameterSets;
  if (typeof sets !== "object" || sets === null)
    throw new RuleError(
      `${model.constructor.name} names no sets of parameters; parameterNames(model) lists all of them`,
      "freezing.nothing",
    );
  if (!Object.hasOwn(sets, set)) {
    const known = Object.keys(sets).join(", ");
    throw new RuleError(`no parameter set is called ${shown(set)}; there are ${known}`, "freezing.nothing");
  }
  checkValue("trainable", set, sets[set], nameRules);
  const all = parameterNames(model);
  const frozen = new Set(selected(sets[set], all).rest);
  const names = all.filter((name) => !frozen.has(name)); // [freezing.sets]
  if (names.length === 0)
    throw new RuleError(
      `${model.constructor.name} has no parameter of the set "${set}"; parameterNames(model) lists all of them`,
      "freezing.nothing",
    );
  return names;
}

/** Two parameter groups, as is usual: matrices decay; scales, biases, gates and other vectors do not. */
export function decayGroups(model: object, names: readonly string[]): ParameterGroup[] {
  const state = stateDict(model);
  checkGiven("decayGroups", { names }, "a list");
  const isMatrix = (name: string): boolean => (state.get(name)?.shape.length ?? 0) > 1;
  return [
    { names: names.filter(isMatrix) },
    { names: names.filter((name) => !isMatrix(name)), weightDecay: 0 }, // [freezing.decay]
  ];
}
