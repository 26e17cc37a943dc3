// Errors, one class for each kind of cause. The message names the remedy.
import { printable } from "../terminal/width.ts";

/** The data of an error's message, by name: shapes of operands, sizes, or an option's `caller`, `name` and `value`. */
export type Facts = Readonly<Record<string, unknown>>;

/**
 * The caller's shapes, axes or sizes do not fit together. `place` is the module or call in which they meet, if there is one;
 * `facts` are shapes by name, where the message of a released package for the same input depends on them.
 */
export class ShapeError extends Error {
  override name = "ShapeError";
  readonly place: string | null;
  readonly facts: Facts;
  constructor(message: string, place: string | null = null, facts: Facts = {}) {
    super(place === null ? message : `in ${place}: ${message}`);
    this.place = place;
    this.facts = facts;
  }
}

/** Data or options violate a rule of spec/: `rule` is its id, and `facts` are the data of the message. */
export class RuleError extends Error {
  override name = "RuleError";
  readonly rule: string;
  readonly facts: Facts;
  constructor(message: string, rule: string, facts: Facts = {}) {
    super(`${message}  [${rule}]`);
    this.rule = rule;
    this.facts = facts;
  }
}

/**
 * Weights or files are missing, misspelt, truncated or hostile. The message has paths and names of others: hidden characters, on which a
 * terminal acts, are escaped in it.
 */
export class LoadError extends Error {
  override name = "LoadError";
  constructor(message: string) {
    super(printable(String(message))); // [io.wording]
  }
}

/** An internal error: a defect of this package. */
export class Bug extends Error {
  override name = "Bug";
}

/** The message of what was thrown, which may be no Error. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The first line of the message. */
export const firstLineOf = (error: unknown): string => messageOf(error).split("\n")[0] ?? "";

/** The kind of error and its message: "LoadError: …". */
export const nameAndMessageOf = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error);
