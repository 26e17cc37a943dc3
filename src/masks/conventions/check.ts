// What a convention has to be. Values from outside are checked once per call, before they decide a mask.
import { comparisons } from "../numbering.ts";
import { CACHED_STEPS, type Convention, FIELD_VALUES, REFUSES } from "./schema.ts";

type Fields = Readonly<Record<string, unknown>>;

/** The values of each field; `compare` may also be an object. */
const VALUES: Readonly<Record<string, readonly unknown[]>> = {
  ...FIELD_VALUES,
  cachedStep: CACHED_STEPS,
  refuses: [undefined, ...REFUSES],
  compare: Object.keys(comparisons),
};
const OR_OBJECT = ", { last: k } or { explicit: [[k, ...], ...] } with k from 1 up";

function isCompareObject(value: unknown): boolean {
  const compare = Object(value);
  const lists = "explicit" in compare ? compare.explicit : [[compare.last]];
  const isImageList = (list: unknown): boolean =>
    Array.isArray(list) && list.every((image) => Number.isInteger(image) && image >= 1);
  return Array.isArray(lists) && lists.every(isImageList);
}

const shown = (value: unknown): string =>
  typeof value === "object" || typeof value === "string" ? JSON.stringify(value).slice(0, 40) : String(value);

/** The reason why a value is no convention, a clause without its full stop; null where it has the fields of one. */
export function conventionFault(value: unknown): string | null {
  if (Object(value) !== value)
    return `A convention is an object, such as conventionOf("immediate") finds, not ${shown(value)}`;
  for (const [name, values] of Object.entries(VALUES)) {
    const given = (value as Fields)[name];
    const orObject = name === "compare" ? OR_OBJECT : "";
    if (!values.includes(given) && !(orObject && isCompareObject(given)))
      return `A convention's ${name} is ${values.map(shown).join(" or ")}${orObject}, not ${shown(given)}`;
  }
  return null;
}

/** Throws a RangeError where a value lacks a field of a convention, or has another value there. [mask.input] */
export function checkConvention(convention: Convention): void {
  const fault = conventionFault(convention);
  if (fault !== null) throw new RangeError(`${fault}.`); // [mask.input]
}
