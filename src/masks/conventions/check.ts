// What a convention has to be. Values from outside are checked once per call, before they decide a mask.
import { CACHED_STEPS, type Convention, FIELD_VALUES, REFUSES } from "./schema.ts";

type Fields = Readonly<Record<string, unknown>>;

const VALUES = Object.entries({ ...FIELD_VALUES, cachedStep: CACHED_STEPS });

const isImageList = (list: unknown): boolean =>
  Array.isArray(list) && list.every((image) => Number.isInteger(image) && image >= 1);

function isCompare(value: unknown): boolean {
  if (value === "equal" || value === "at-least" || value === "everything") return true;
  if (typeof value !== "object" || value === null) return false;
  const { last, explicit } = value as Fields;
  return explicit === undefined
    ? Number.isInteger(last) && Number(last) >= 1
    : Array.isArray(explicit) && explicit.every(isImageList);
}

const shown = (value: unknown): string =>
  typeof value === "object" || typeof value === "string" ? JSON.stringify(value).slice(0, 40) : String(value);

const choice = (name: string, values: readonly unknown[], value: unknown): string | null =>
  values.includes(value) ? null : `${name} is ${values.map(shown).join(" or ")}, not ${shown(value)}`;

/** The reason why a value is no convention, a clause without its full stop; null where it is one. */
export function conventionFault(value: unknown): string | null {
  if (typeof value !== "object" || value === null)
    return `A convention is an object such as conventions.immediate, not ${shown(value)}; conventionOf(name) finds one by its name`;
  const fields = value as Fields;
  for (const [name, values] of VALUES) {
    const fault = choice(`A convention's ${name}`, values, fields[name]);
    if (fault !== null) return fault;
  }
  const fault =
    fields.refuses === undefined ? null : choice("A convention's refuses", REFUSES, fields.refuses);
  if (fault !== null) return fault;
  if (isCompare(fields.compare)) return null;
  return `A convention's compare is "equal", "at-least", "everything", { last: k } with a whole number k from 1 up, or { explicit } with a list of image numbers from 1 up for each position, not ${shown(fields.compare)}`;
}

/** Throws a RangeError where a value is no convention. [mask.input] */
export function checkConvention(convention: Convention): void {
  const fault = conventionFault(convention);
  if (fault !== null) throw new RangeError(`${fault}.`); // [mask.input]
}

/** Throws a RangeError where the fields that decide a position's number have other values. [mask.input] */
export function checkCounting(counting: Pick<Convention, "numbering" | "endTokens">): void {
  if (typeof counting !== "object" || counting === null)
    throw new RangeError(
      `A convention, or its numbering and endTokens, is needed here, not ${shown(counting)}.`,
    ); // [mask.input]
  const { numbering, endTokens } = counting;
  const fault =
    choice("numbering", FIELD_VALUES.numbering, numbering) ??
    choice("endTokens", FIELD_VALUES.endTokens, endTokens);
  if (fault !== null) throw new RangeError(`The ${fault}.`); // [mask.input]
}
