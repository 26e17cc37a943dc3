// The names of weights after the rules of a call and of a kind of checkpoint.
import { type LoadRules, type RuleUse, renamed, selected } from "./rules.ts";
import type { StrippedNames } from "./strip.ts";

/** Names of weights as rules change them: those that are ignored, and the others in groups by the names that they get. */
export interface NewNames {
  readonly ignored: readonly RuleUse[];
  readonly renamed: readonly RuleUse[];
  /** From the names in the model to those in the file; two of the latter with one new name are a mistake. */
  readonly sources: ReadonlyMap<string, readonly string[]>;
}

/** The keys of a map by value: several names may get the same new one. */
function groupedKeys(names: ReadonlyMap<string, string>): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [key, name] of names) {
    const known = groups.get(name);
    if (known === undefined) groups.set(name, [key]);
    else known.push(key);
  }
  return groups;
}

const used = (uses: readonly RuleUse[]): RuleUse[] => uses.filter(({ names }) => names.length > 0);

/** The names of weights after all rules. */
export function newNames(
  { names }: StrippedNames,
  { ignore = [], rename = {}, usual = {} }: LoadRules,
): NewNames {
  const present = groupedKeys(names);
  const filesNamesOf = (name: string) => present.get(name) ?? [];
  const own = selected(ignore, [...present.keys()]); // [state.ignore]
  const others = selected(usual.ignore ?? [], own.rest); // [state.usual]
  const first = renamed(rename, others.rest);
  const second = renamed(usual.rename ?? {}, [...new Set(first.to.values())]); // [state.usual]
  const sources = new Map<string, string[]>();
  for (const [name, other] of first.to) {
    const last = second.to.get(other) ?? other;
    const known = sources.get(last);
    if (known === undefined) sources.set(last, [...filesNamesOf(name)]);
    else known.push(...filesNamesOf(name));
  }
  const inFile = ({ rule, names: given }: RuleUse): RuleUse => ({ rule, names: given.flatMap(filesNamesOf) });
  const before = groupedKeys(first.to);
  const beforeUsual = (use: RuleUse): RuleUse => ({
    ...use,
    names: use.names.flatMap((name) => before.get(name) ?? []),
  });
  return {
    ignored: [...own.uses, ...used(others.uses)].map(inFile),
    renamed: [...first.uses, ...used(second.uses).map(beforeUsual)].map(inFile),
    sources,
  };
}
