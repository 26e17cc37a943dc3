// Readers for JSON of a known form. Each takes a value and its location, and returns the value with a type or throws a
// LoadError that names file and field.
import { LoadError } from "../tensor/errors.ts";
import type { Shape } from "../tensor/tensor.ts";
import { isObject, type Json, type JsonObject } from "./json.ts";
import { quoted } from "./wording.ts";

export interface FieldLocation {
  readonly file: string;
  /** "inputs.x.shape" */
  readonly field: string;
  /** Receives the members that no reader takes, as "inputs.x.comment". */
  readonly unread?: string[] | undefined;
  /** The rule that errors cite; "case.fields" by default. */
  readonly rule?: string | undefined;
}
export type Read<T> = (value: Json | undefined, at: FieldLocation) => T;

export function refuse(at: FieldLocation, problem: string, rule = at.rule ?? "case.fields"): LoadError {
  return new LoadError(`${at.file}: ${quoted(at.field)} ${problem}  [${rule}]`);
}

const unfit = (value: Json | undefined, at: FieldLocation, wanted: string): LoadError =>
  refuse(at, `${value === undefined ? "is missing; it " : ""}has to be ${wanted}`); // [case.fields]

/** A reader from a type guard and a description of the values that it accepts. */
function reader<T extends Json>(wanted: string, test: (value: Json) => value is T): Read<T> {
  return (value, at) => {
    if (value === undefined || !test(value)) throw unfit(value, at, wanted);
    return value;
  };
}

export const string = reader("a string", (value) => typeof value === "string");
export const boolean = reader("true or false", (value) => typeof value === "boolean");
export const number = reader("a number", (value): value is number => Number.isFinite(value));
export const integer = reader("an integer", (value): value is number => Number.isSafeInteger(value));
export const object = reader("an object", isObject);
const array = reader("a list", (value): value is readonly Json[] => Array.isArray(value));

/** A number between two bounds, both included. */
export const between =
  (read: Read<number>, low: number, high: number): Read<number> =>
  (value, at) => {
    const n = read(value, at);
    if (n < low || n > high) throw refuse(at, `is ${n}; it must be between ${low} and ${high}`);
    return n;
  };
export const length = between(integer, 0, Number.MAX_SAFE_INTEGER);

export const oneOf =
  <T extends string>(...allowed: readonly T[]): Read<T> =>
  (value, at) => {
    const match = allowed.find((one) => one === value);
    if (match === undefined) throw unfit(value, at, allowed.join(" or "));
    return match;
  };

export const list =
  <T>(read: Read<T>): Read<readonly T[]> =>
  (value, at) =>
    array(value, at).map((item, i) => read(item, { ...at, field: `${at.field}[${i}]` }));

/** A list of at most `most` items, which are counted before the first is read. */
export const listUpTo =
  <T>(most: number, read: Read<T>): Read<readonly T[]> =>
  (value, at) => {
    const items = array(value, at);
    if (items.length > most) throw refuse(at, `has ${items.length} items, more than ${most}`);
    return list(read)(items, at);
  };

export const shape: Read<Shape> = list(length);

const inside = (at: FieldLocation, name: string): FieldLocation => ({
  ...at,
  field: at.field === "" ? name : `${at.field}.${name}`,
});

/** An object with any names and values of one kind. */
export const mapOf =
  <T>(read: Read<T>): Read<ReadonlyMap<string, T>> =>
  (value, at) =>
    new Map(Object.entries(object(value, at)).map(([name, item]) => [name, read(item, inside(at, name))]));

/** A list without repetitions. */
export const distinct =
  (read: Read<readonly string[]>): Read<readonly string[]> =>
  (value, at) => {
    const items = read(value, at);
    const seen = new Set<string>();
    const twice = items.find((item) => seen.size === seen.add(item).size);
    if (twice !== undefined) throw refuse(at, `has ${quoted(twice)} twice`); // [case.fields]
    return items;
  };

/** An object with fixed names, each with its own kind of value. Other members are not read; their names go to `at.unread`. */
export const record =
  <T extends object>(fields: { readonly [K in keyof T]-?: Read<T[K]> }): Read<T> =>
  (value, at) => {
    const given: JsonObject = object(value, at);
    const others = Object.keys(given).filter((name) => !Object.hasOwn(fields, name));
    at.unread?.push(...others.map((name) => inside(at, name).field));
    const read = ([name, field]: [string, unknown]) => [
      name,
      (field as Read<unknown>)(given[name], inside(at, name)),
    ];
    return Object.fromEntries(Object.entries(fields).map(read));
  };

/** `otherwise` if the value is missing. */
export const optional =
  <T, D>(read: Read<T>, otherwise: D): Read<T | D> =>
  (value, at) =>
    value === undefined ? otherwise : read(value, at);

export const orNull =
  <T>(read: Read<T>): Read<T | null> =>
  (value, at) =>
    value === null ? null : read(value, at);
