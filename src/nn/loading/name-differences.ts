// Names of weights that a model does not have, although it has them without a prefix or a wrapper's name. Training frameworks wrap
// modules, and the wrapper's field becomes a part of every name below it.

import { written } from "../options.ts";

/** Fields of wrappers in torch, and the wrapper that adds each. */
const WRAPPERS: ReadonlyMap<string, string> = new Map([
  ["module", "DataParallel or DistributedDataParallel"],
  ["_orig_mod", "torch.compile"],
  ["_checkpoint_wrapped_module", "activation checkpointing"],
  ["_fsdp_wrapped_module", "FullyShardedDataParallel"],
]);

/** A difference that names share: `added` stands in the names of the weights, or in those of the model, and not in the others. */
export interface NameDifference {
  readonly kind: "prefix of the weights" | "prefix of the model" | "wrapper within names";
  readonly added: readonly string[];
  /** The weights' names that fit without it or with it, each with the model's name. */
  readonly names: ReadonlyMap<string, string>;
}

/** The most frequent string. */
function mostFrequent(words: readonly string[]): string | null {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? null;
}

/** The positions after the dots of a name, for parts behind them of at most `longest` characters. */
function* afterDots(name: string, longest: number): Generator<number> {
  const from = Math.max(0, name.length - longest - 1);
  for (let at = name.indexOf(".", from) + 1; at > 0; at = name.indexOf(".", at) + 1) yield at;
}

const longestOf = (names: Iterable<string>): number => {
  let longest = 0;
  for (const name of names) longest = Math.max(longest, name.length);
  return longest;
};

/** The names of `given` that, without one common prefix, are in `known`. */
function prefixed(
  given: readonly string[],
  known: ReadonlySet<string>,
): { prefix: string; names: Map<string, string> } {
  const longest = longestOf(known);
  const prefixes = given.flatMap((name) => {
    for (const at of afterDots(name, longest)) if (known.has(name.slice(at))) return [name.slice(0, at)];
    return [];
  });
  const prefix = mostFrequent(prefixes) ?? "";
  const fits = (name: string) =>
    prefix !== "" && name.startsWith(prefix) && known.has(name.slice(prefix.length));
  return { prefix, names: new Map(given.filter(fits).map((name) => [name, name.slice(prefix.length)])) };
}

export const withoutWrappers = (name: string): string =>
  name
    .split(".")
    .filter((part) => !WRAPPERS.has(part))
    .join(".");

/** The fields of wrappers within a name, with their dots. */
export const wrappersIn = (name: string): string[] =>
  name.split(".").flatMap((part) => (WRAPPERS.has(part) ? [`${part}.`] : []));

/**
 * The differences that explain why weights have `unexpected` names while a model has `missing` ones. Time is proportional to the
 * length of all names.
 */
export function nameDifferences(unexpected: readonly string[], missing: readonly string[]): NameDifference[] {
  const known = new Set(missing);
  const found: NameDifference[] = [];
  const { prefix, names } = prefixed(unexpected, known);
  if (names.size > 0) found.push({ kind: "prefix of the weights", added: [prefix], names });
  let rest = unexpected.filter((name) => !names.has(name));

  const wrapped = new Map(
    rest.flatMap((name) => {
      const bare = withoutWrappers(name);
      return bare !== name && known.has(bare) ? [[name, bare] as const] : [];
    }),
  );
  const added = [...new Set([...wrapped.keys()].flatMap(wrappersIn))];
  if (wrapped.size > 0) found.push({ kind: "wrapper within names", added, names: wrapped });
  rest = rest.filter((name) => !wrapped.has(name));

  const both = prefixed(rest.map(withoutWrappers), known); // a prefix in front of names that contain wrappers
  const together = new Map(
    rest.flatMap((name) => {
      const short = both.names.get(withoutWrappers(name));
      return short === undefined ? [] : [[name, short] as const];
    }),
  );
  const parts = [...new Set([both.prefix, ...[...together.keys()].flatMap(wrappersIn)])];
  if (together.size > 0) found.push({ kind: "wrapper within names", added: parts, names: together });
  rest = rest.filter((name) => !together.has(name));

  const lacking = prefixed(missing, new Set(rest));
  const reversed = new Map([...lacking.names].map(([model, weight]) => [weight, model]));
  if (reversed.size > 0)
    found.push({ kind: "prefix of the model", added: [lacking.prefix], names: reversed });
  return found;
}

/** One sentence for a difference, among `all` names of the weights. */
export function differenceSentence({ kind, added, names }: NameDifference, all: number): string {
  const wrappers = new Set(
    added.flatMap((part) => part.split(".")).flatMap((part) => WRAPPERS.get(part) ?? []),
  );
  const origin = wrappers.size === 0 ? "" : ` (from ${[...wrappers].join(", and ")})`;
  const which =
    names.size === all ? `all ${written(all)} names` : `${written(names.size)} of ${written(all)} names`;
  const quoted = added.map((part) => `"${part}"`).join(" or ");
  const [prefix = ""] = added;
  if (kind === "prefix of the model") {
    const rule = names.size === all ? `, with rename: { "*": "${prefix}*" }` : "";
    return `${which} lack ${quoted}, with which the model's names begin: put it in front of them${rule}`;
  }
  if (kind === "wrapper within names")
    return `${which} contain ${quoted}${origin} and fit without it: remove it from the names, with strip: true`;
  return `${which} begin with ${quoted}${origin} and fit without it: remove it, with rename: { "${prefix}*": "*" }`;
}
