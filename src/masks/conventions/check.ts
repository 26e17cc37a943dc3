// What a convention has to be. Values from outside are checked once per call, before they decide a mask.
import { label } from "../../terminal/width.ts";
import { comparisons } from "../numbering.ts";
import { CACHED_STEPS, FIELD_VALUES, REFUSES } from "./schema.ts";

type Fields = Readonly<Record<string, unknown>>;

/** The values of each field; `compare` may also be an object. */
const VALUES: Readonly<Record<string, readonly unknown[] | null>> = {
  __proto__: null, // names from outside are looked up, "constructor" among them
  ...FIELD_VALUES,
  cachedStep: CACHED_STEPS,
  refuses: [undefined, ...REFUSES],
  compare: Object.keys(comparisons),
};
const OR_OBJECT = ", { last: k } or { explicit: [[k, ...], ...] }, k from 1 up";

function isCompareObject(value: unknown): boolean {
  const compare = Object(value);
  const lists = "explicit" in compare ? compare.explicit : [[compare.last]];
  const isImageList = (list: unknown): boolean =>
    Array.isArray(list) && list.every((image) => Number.isInteger(image) && image > 0);
  return Array.isArray(lists) && lists.every(isImageList);
}

/** A value as a message shows it: short, on one line and without hidden characters. */
export const shown = (value: unknown): string =>
  label(/object|string/.test(typeof value) ? JSON.stringify(value) : String(value), 40);

/** The first field that does not exist or has none of its values; undefined where every field has one. */
const wrongField = (value: Fields): string | undefined =>
  Object.keys({ ...VALUES, ...value }).find(
    (name) =>
      !VALUES[name]?.includes(value[name]) &&
      !/^(name|tiled|unproven(Step)?|source|note)$/.test(name) && // which decide no mask
      !(name === "compare" && isCompareObject(value[name])),
  );

/** Whether a value has the fields of a convention. */
export const isConvention = (value: unknown): boolean =>
  Object(value) === value && !wrongField(value as Fields);

/** Throws a RangeError unless an argument has a member that all results of `maker` have, such as "a difference of differenceOf". */
export function checkMade(caller: string, value: unknown, member: string, maker: string): void {
  if (Object(value) === value && Reflect.has(value as object, member)) return;
  throw new RangeError(`${caller} takes ${maker}, not ${shown(value)}.`); // [mask.input]
}

/** Throws a RangeError where a value lacks a field of a convention, or has another value there. [mask.input] */
export function checkConvention(convention: unknown): void {
  if (Object(convention) !== convention)
    throw new RangeError(
      `A convention is one such as conventionOf("immediate") finds, not ${shown(convention)}.`,
    ); // [mask.input]
  const fields = convention as Fields;
  const name = wrongField(fields);
  if (!name) return;
  const values = VALUES[name]?.map(shown).join(" or ");
  throw new RangeError(
    values
      ? `A convention's ${name} is ${values}${name === "compare" ? OR_OBJECT : ""}, not ${shown(fields[name])}.`
      : `A convention has no field ${shown(name)}.`,
  ); // [mask.input]
}
