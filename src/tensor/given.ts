// Arguments of public functions that take plain values, checked for calls from JavaScript. Options have checks of their own, in
// nn/options.ts.
import { RuleError } from "./errors.ts";

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** Kinds of arguments, in the words of the message. */
const KINDS = {
  "a text": (value: unknown) => typeof value === "string",
  "a list": (value: unknown) => Array.isArray(value) || ArrayBuffer.isView(value),
  "a list or another iterable": (value: unknown) => isObject(value) && Symbol.iterator in value,
  "a Map": (value: unknown) => isObject(value) && "keys" in value && "get" in value,
  "a function": (value: unknown) => typeof value === "function",
} as const;

function shown(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return Array.isArray(value) ? "a list" : `of type ${typeof value}`;
}

/** Arguments by their names. */
type Given = Readonly<Record<string, unknown>>;

/** Throws a RuleError that names the argument unless all are of a kind: `checkGiven("f1", { answer, right }, "a text")`. */
export function checkGiven(caller: string, given: Given, kind: keyof typeof KINDS): void {
  for (const [name, value] of Object.entries(given))
    if (!KINDS[kind](value))
      throw new RuleError(`${caller}: ${name} is ${shown(value)}; it must be ${kind}`, "options.values");
}

/** Throws a RuleError that names the argument unless it is an object with a member. `wanted` completes "it must be …". */
export function checkMember(caller: string, given: Given, member: string, wanted: string): void {
  for (const [name, value] of Object.entries(given)) {
    if (isObject(value) && member in value) continue;
    const found = isObject(value) ? `an object without ${member}` : shown(value);
    throw new RuleError(`${caller}: ${name} is ${found}; it must be ${wanted}`, "options.values");
  }
}
