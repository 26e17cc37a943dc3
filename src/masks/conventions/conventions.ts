// The named conventions, and how one is chosen.
import { shown } from "./check.ts";
import { flamingoMini } from "./flamingo-mini.ts";
import { flamingoPytorch } from "./flamingo-pytorch.ts";
import { idefics } from "./idefics.ts";
import { lastConvention } from "./last.ts";
import { mllama } from "./mllama.ts";
import { openFlamingo } from "./open-flamingo.ts";
import { otter } from "./otter.ts";
import { paper } from "./paper.ts";
import type { NamedConvention } from "./schema.ts";

export type { Convention, NamedConvention } from "./schema.ts";

/** Each named convention describes one codebase, and `source` gives the place where it was read. [mask.convention] */
export const conventions = {
  ...paper,
  ...flamingoPytorch,
  ...openFlamingo,
  ...flamingoMini,
  ...otter,
  ...idefics,
  ...mllama,
} as const satisfies Record<string, NamedConvention>;

/** The name of a convention. */
export type ConventionName = keyof typeof conventions;

/** Finds a convention by its name, by a part of a name that no other convention has, or as "last k". Throws a RangeError otherwise. */
export function conventionOf(given: string): NamedConvention {
  const name = String(given);
  const all: readonly NamedConvention[] = Object.values(conventions);
  const exact = all.find((convention) => convention.name === name);
  const found = exact ?? lastConvention(name); // [mask.lookup]
  if (found) return found;
  const matches = all.filter((convention) => convention.name.includes(name)); // [mask.lookup]
  const [only, another] = matches;
  if (only && !another) return only;
  const names = (another ? matches : all).map((convention) => `"${convention.name}"`).join(", ");
  throw new RangeError(
    another
      ? `${shown(name)} matches several conventions; name one of ${names}.`
      : `No convention is called ${shown(name)}; there are ${names}, and "last k" for any k from 1 up.`,
  ); // [mask.lookup]
}
