// Rules for the names of weights: which are left out, which have other names in the model, and which the weights may lack.

import { RuleError } from "../../tensor/errors.ts";
import { type Check, checked, flag, object, optional, passing, shown } from "../options.ts";

/**
 * Selects names: a text that is the whole name, in which `*` stands for any characters, dots included; a regular expression that is found in
 * the name; or a function that gives true or false.
 */
export type NameRule = string | RegExp | ((name: string) => boolean);

/**
 * New names: a record from old to new names, of which the first that matches applies, or a function that returns the new name or the
 * name itself. Every `*` of the old name stands for any characters, as few as possible, and the last one for the rest; the `*`s of the new name are
 * replaced by the same characters, in the same order.
 */
export type Renaming = Readonly<Record<string, string>> | ((name: string) => string);

/** Rules for what a kind of checkpoint may hold. They apply after the others, and are not reported where they fit no name. */
export interface UsualRules {
  readonly ignore?: readonly NameRule[] | undefined;
  readonly rename?: Renaming | undefined;
}

/** Exceptions to the rule that all names fit. Without any, each weight needs a parameter of its name and each parameter a weight. */
export interface LoadRules {
  /** Names of the weights that are not loaded, nor read. */
  readonly ignore?: readonly NameRule[] | undefined;
  /** From the names of the weights to those of the model. Names that are ignored are not renamed. */
  readonly rename?: Renaming | undefined;
  /**
   * Removes the fields of wrappers (`module`, `_orig_mod`, `_checkpoint_wrapped_module`, `_fsdp_wrapped_module`) anywhere in the names of
   * the weights, and a prefix without which they are the model's. The other rules apply to the names without them. Default false.
   */
  readonly strip?: boolean | undefined;
  /** Names of the model that the weights may lack; such a parameter keeps its values. */
  readonly optional?: readonly NameRule[] | undefined;
  /** Rules for the kind of checkpoint, beside those of the call. */
  readonly usual?: UsualRules | undefined;
}

const isRule = (rule: unknown): boolean =>
  (typeof rule === "string" && rule !== "" && !rule.includes("**")) ||
  rule instanceof RegExp ||
  typeof rule === "function";

/** The check of an option that takes rules for names. */
export const nameRules: Check = passing(
  'a list of names, in which "*" stands for any characters (and "**" is not needed), regular expressions or functions',
  (value) => Array.isArray(value) && value.every(isRule),
);

const starsOf = (pattern: string): number => pattern.split("*").length - 1;

const isRenaming = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  !(value instanceof Map) &&
  !Array.isArray(value) &&
  Object.entries(value).every(
    ([from, to]) => isRule(from) && typeof to === "string" && to !== "" && starsOf(from) === starsOf(to),
  );

const renaming: Check = passing(
  'a function, or an object such as { "module.*": "*" } from old to new names with as many "*" each',
  (value) => typeof value === "function" || isRenaming(value),
);
const usualChecks: { readonly [K in keyof UsualRules]-?: Check } = {
  ignore: optional(nameRules),
  rename: optional(renaming),
};

const checks: { readonly [K in keyof LoadRules]-?: Check } = {
  ignore: optional(nameRules),
  rename: optional(renaming),
  optional: optional(nameRules),
  strip: optional(flag),
  usual: optional(object("an object with ignore and rename")),
};

/** The characters for which each `*` of a pattern stands in a name; null if the name does not match. */
function starsIn(pattern: string, name: string): string[] | null {
  const [first = "", ...others] = pattern.split("*");
  const last = others.pop();
  if (last === undefined) return name === pattern ? [] : null;
  if (!name.startsWith(first)) return null;
  const stars: string[] = [];
  let at = first.length;
  for (const text of others) {
    const found = name.indexOf(text, at);
    if (found < 0) return null;
    stars.push(name.slice(at, found));
    at = found + text.length;
  }
  const end = name.length - last.length;
  if (end < at || !name.endsWith(last)) return null; // [state.name-rules]
  return [...stars, name.slice(at, end)]; // [state.rename]
}

function matches(rule: NameRule, name: string): boolean {
  if (typeof rule === "string") return starsIn(rule, name) !== null;
  if (rule instanceof RegExp) return name.search(rule) >= 0; // whatever its flags, from the start of the name
  const chosen: unknown = rule(name);
  if (typeof chosen !== "boolean")
    throw new RuleError(
      `the rule ${textOf(rule)} gives ${shown(chosen)} for ${shown(name)}; it must give true or false`,
      "state.name-rules",
    );
  return chosen;
}

const textOf = (rule: NameRule | Renaming): string =>
  typeof rule === "string" ? rule : typeof rule === "function" ? rule.name || "a function" : String(rule);

/** A rule as text, and the names to which it applied. */
export interface RuleUse {
  readonly rule: string;
  readonly names: readonly string[];
}

/** Divides names by the first rule that selects each. */
export function selected(
  rules: readonly NameRule[],
  names: Iterable<string>,
): { readonly uses: readonly RuleUse[]; readonly rest: readonly string[] } {
  const uses = rules.map((rule) => ({ rule: textOf(rule), names: [] as string[] }));
  const rest: string[] = [];
  for (const name of names) {
    const at = rules.findIndex((rule) => matches(rule, name));
    (uses[at]?.names ?? rest).push(name);
  }
  return { uses, rest };
}

/** A new name, by the first rule of a record that matches. */
function renamedBy(rules: readonly (readonly [string, string])[], name: string): readonly [string, number] {
  for (const [i, [from, to]] of rules.entries()) {
    const stars = starsIn(from, name);
    if (stars === null) continue;
    const [first = "", ...rest] = to.split("*");
    return [rest.reduce((text, part, star) => text + (stars[star] ?? "") + part, first), i]; // [state.rename]
  }
  return [name, -1];
}

/** The new name of every name, and the rules with the old names to which each applied. */
export function renamed(
  rename: Renaming,
  names: readonly string[],
): { readonly uses: readonly RuleUse[]; readonly to: ReadonlyMap<string, string> } {
  const to = new Map<string, string>();
  if (typeof rename === "function") {
    for (const name of names) {
      const other: unknown = rename(name);
      if (typeof other !== "string" || other === "")
        throw new RuleError(
          `loadStateDict: rename gives ${shown(other)} for ${shown(name)}; it must give a name`,
          "state.rename",
        );
      to.set(name, other);
    }
    const changed = names.filter((name) => to.get(name) !== name);
    return { uses: [{ rule: textOf(rename), names: changed }], to };
  }
  const rules = Object.entries(rename);
  const uses = rules.map(([from, by]) => ({ rule: `${from} -> ${by}`, names: [] as string[] }));
  for (const name of names) {
    const [other, rule] = renamedBy(rules, name);
    uses[rule]?.names.push(name);
    to.set(name, other);
  }
  return { uses, to };
}

/** The rules of a call, checked. */
export function checkedRules(rules: LoadRules): LoadRules {
  const known = checked("loadStateDict", rules, checks);
  checked("loadStateDict's usual", known.usual ?? {}, usualChecks);
  return known;
}
