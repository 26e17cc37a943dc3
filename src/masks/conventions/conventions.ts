// How a codebase decides which text token sees which image, as data: the named conventions, and how to find one.
import { flamingos } from "./flamingo.ts";
import { others } from "./others.ts";
import type { Convention } from "./schema.ts";

export type { Convention } from "./schema.ts";

/** The named conventions. [mask.convention] */
export const conventions = { ...flamingos, ...others } as const satisfies Record<string, Convention>;

export type ConventionName = keyof typeof conventions;

/** By its name, or by any part of it that no other name has. */
export function conventionOf(name: string): Convention {
  const all: readonly Convention[] = Object.values(conventions);
  const exact = all.find((convention) => convention.name === name);
  if (exact) return exact;
  const like = all.filter((convention) => convention.name.includes(name)); // [mask.lookup]
  const [only, another] = like;
  if (only && !another) return only;
  const names = (another ? like : all).map((convention) => `"${convention.name}"`).join(", ");
  throw new RangeError(
    another ? `"${name}" may be any of ${names}.` : `No convention is called "${name}"; there are ${names}.`,
  ); // [mask.lookup]
}
