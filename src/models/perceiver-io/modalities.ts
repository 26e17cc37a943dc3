// A module for each modality, by name.
import { Bug, RuleError } from "../../tensor/errors.ts";

/** The name of the only modality of a model that takes or returns single tensors. */
export const SINGLE = "__default";

/** Names in the order in which the source concatenates modalities. */
export const sortedNames = (names: Iterable<string>): string[] => [...names].sort((a, b) => (a < b ? -1 : 1)); // [perceiverio.order]

/** Modules by the names of their modalities, sorted; in state dicts each module's name is that of its modality (torch's ModuleDict). */
export class Modalities<T extends object> {
  readonly [name: string]: T;

  /** Throws a RuleError for a name that no module may have. */
  constructor(modules: Readonly<Record<string, T>>) {
    for (const name of sortedNames(Object.keys(modules))) {
      if (name === "" || name.includes("."))
        throw new RuleError(
          `a modality is called ${JSON.stringify(name)}; a name is not empty and has no dots, because names of parameters are made of it`,
          "perceiverio.order",
        );
      Object.defineProperty(this, name, { value: modules[name], enumerable: true });
    }
  }
}

/** The modules with their names. */
export const entriesOf = <T extends object>(modules: Modalities<T>): [name: string, module: T][] =>
  Object.entries(modules);

/** The member of a modality. Throws a Bug if there is none. */
export function memberOf<T>(members: Readonly<Record<string, T>>, name: string): T {
  const member = members[name];
  if (member !== undefined) return member;
  throw new Bug(`there is no modality ${JSON.stringify(name)}`);
}

/** Joins all tensors of a list along one axis. Throws a Bug if there are none. */
export function joined<T>(parts: readonly T[], join: (all: T, part: T) => T): T {
  const [first, ...others] = parts;
  if (first === undefined) throw new Bug("there is nothing to join");
  return others.reduce(join, first);
}

/** Modules by name: a single one is that of the only modality. */
export function byModality<T extends object>(
  modules: T | Readonly<Record<string, T>>,
  isModule: (value: object) => value is T,
): Modalities<T> {
  return new Modalities(isModule(modules) ? { [SINGLE]: modules } : modules);
}
