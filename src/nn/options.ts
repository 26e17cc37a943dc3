// Options are the arguments of the source package in camelCase. The compiler checks their names and types; calls from JavaScript and
// values that are computed at run time are checked here, for every class and function that takes options.

import { RuleError } from "../tensor/errors.ts";
import { nearest } from "../terminal/nearest.ts";

/** The values that an option accepts, as a test and in words. */
export interface Check {
  /** Completes "it must be …". */
  readonly wanted: string;
  readonly accepts: (value: unknown) => boolean;
  /** Whether the option may be left out, or undefined. */
  readonly optional?: boolean;
}

/** The largest width, and the largest number of heads, latents, images, tokens or classes. [options.bounds] */
const MOST = 2 ** 24;
/** The largest number of layers of one model. [options.bounds] */
const MOST_LAYERS = 10_000;

/** The largest number of values that one call makes. [options.bounds] */
const MOST_VALUES = 2 ** 32;

/** Throws a RuleError if a shape has more than 2^32 elements. */
export function checkSize(caller: string, shape: readonly number[]): void {
  if (shape.reduce((product, n) => product * n, 1) <= MOST_VALUES) return;
  throw new RuleError(`${caller}: [${shape.join(" ")}] has more than 2^32 values`, "options.bounds");
}

/** A number with commas between thousands. */
export const written = (n: number): string => n.toLocaleString("en-US");

/** Any value that passes a test, described by `wanted`. */
export const passing = (wanted: string, accepts: Check["accepts"]): Check => ({ wanted, accepts });

const isBetween = (value: unknown, low: number, high: number): boolean =>
  typeof value === "number" && value >= low && value <= high; // [options.values]

/** A number between two bounds, both included. */
export const between = (low: number, high: number, wanted: string): Check =>
  passing(wanted, (value) => isBetween(value, low, high));

/** A whole number between two bounds, both included. */
export const whole = (low: number, high: number): Check =>
  passing(
    `a whole number from ${written(low)} to ${written(high)}`,
    (value) => Number.isInteger(value) && isBetween(value, low, high),
  );

/** A number of at least 1: a width, or a number of heads, latents or images. */
export const count: Check = /* @__PURE__ */ whole(1, MOST);
/** A width whose dimensions are taken in pairs. */
export const even: Check = /* @__PURE__ */ passing(
  `an even number from 2 to ${written(MOST)}`,
  (value) => isBetween(value, 2, MOST) && Number(value) % 2 === 0,
);
/** A width that may be 0: the layer then adds its bias only. */
export const inner: Check = whole(0, MOST);
/** A number of layers. */
export const layers: Check = /* @__PURE__ */ whole(0, MOST_LAYERS);

export const notNegative: Check = between(0, Number.MAX_VALUE, "a finite number of at least 0");
export const positive: Check = /* @__PURE__ */ between(
  Number.MIN_VALUE,
  Number.MAX_VALUE,
  "a finite number above 0",
);
/** The width of a feed-forward in multiples of the model's. */
export const multiple: Check = between(0, MOST, `a number from 0 to ${written(MOST)}`);

export const flag: Check = passing("true or false", (value) => typeof value === "boolean");

export const oneOf = (names: readonly string[]): Check =>
  passing(names.map((name) => `"${name}"`).join(" or "), (value) => names.some((name) => name === value));

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** Any object, described by `wanted`. */
export const object = (wanted: string): Check => passing(wanted, isObject);

export const abortSignal: Check = /* @__PURE__ */ passing(
  "an AbortSignal",
  (value) => value instanceof AbortSignal,
);

/** A list of names, such as "parameter names". */
export const listOf = (names: string): Check =>
  passing(
    `a list of ${names}`,
    (value) => Array.isArray(value) && value.every((name) => typeof name === "string"),
  );

export const optional = (check: Check): Check => ({ ...check, optional: true });

export const nullable = (check: Check): Check => ({
  ...check,
  wanted: `${check.wanted}, or null`,
  accepts: (value) => value === null || check.accepts(value),
});

/** A value as a message shows it: short, and without its contents. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isObject(value)) return `an object (${value.constructor?.name ?? "without a prototype"})`;
  return typeof value === "function" ? "a function" : String(value);
}

/** Throws a RuleError that names the option, its value and what it must be, unless the check accepts it. */
export function checkValue(caller: string, name: string, value: unknown, check: Check): void {
  if (check.accepts(value)) return;
  throw new RuleError(`${caller}: ${name} is ${shown(value)}; it must be ${check.wanted}`, "options.values", {
    caller,
    name,
    value,
  });
}

/** Throws a RuleError unless a call is given an object of options. */
export function checkObject(caller: string, options: unknown): void {
  if (!isObject(options) || Array.isArray(options))
    throw new RuleError(`${caller} takes an object of options, not ${shown(options)}`, "options.values");
}

/** Throws a RuleError if a call has more positional arguments than it takes. `takes` describes those that it takes. */
export function checkNoMore(caller: string, takes: string, surplus: readonly unknown[]): void {
  if (surplus.length > 0)
    throw new RuleError(
      `${caller} takes ${takes}; it was also given ${surplus.map(shown).join(", ")}`,
      "options.known",
    ); // [options.known]
}

/**
 * The options of a call, checked: its own members, all of them known, and each with a value that its check accepts. An option
 * that is undefined counts as left out. Throws a RuleError that names the option.
 */
export function checked<O extends object>(
  caller: string,
  options: O,
  checks: { readonly [K in keyof O]-?: Check },
): O {
  checkObject(caller, options);
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(checks, name)) throw unknownOption(caller, name, Object.keys(checks)); // [options.known]
    if (value !== undefined) given[name] = value;
  }
  const known = Object.entries<Check>(checks);
  const missing = known.filter(([name, { optional }]) => !optional && given[name] === undefined);
  if (missing.length > 0)
    throw new RuleError(
      `${caller} needs ${missing.map(([name, { wanted }]) => `${name}, ${wanted}`).join("; ")}`,
      "options.missing",
      { caller, names: missing.map(([name]) => name) },
    ); // [options.missing]
  for (const [name, check] of known)
    if (given[name] !== undefined) checkValue(caller, name, given[name], check);
  return given as O; // [options.known]
}

function unknownOption(caller: string, name: string, known: readonly string[]): RuleError {
  const near = nearest(name, known);
  const hint = near === null ? `known are ${known.join(", ")}` : `did you mean "${near}"?`;
  return new RuleError(`${caller} has no option ${shown(name)}; ${hint}`, "options.known", { caller, name });
}
