// JSON from untrusted files.
import { LoadError } from "../tensor/errors.ts";
import { utf8 } from "./wording.ts";

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
/** Constructed without a prototype, so that keys such as "constructor" and "__proto__" have no special meaning. */
export interface JsonObject {
  readonly [key: string]: Json;
}

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Parses a JSON object in UTF-8 that is at most `depth` levels deep and has no duplicate keys. `name` is used in errors.
 * The text is scanned before it is parsed, and memory is proportional to its length. `rule` is the rule that a refusal cites, and `remedy` what it
 * advises.
 */
export function parseJson(
  bytes: Uint8Array,
  name: string,
  depth: number,
  rule = "case.json",
  remedy = "write the file again",
): JsonObject {
  const refuse = (problem: string): LoadError => new LoadError(`${name} ${problem}  [${rule}]`);
  const text = utf8(bytes);
  if (text === null) throw refuse(`is not valid UTF-8; ${remedy}`);
  const { members, values, tooDeep } = countsOf(text, depth);
  if (tooDeep) throw refuse(`is nested more than ${depth} levels deep`);
  if (values > MOST_VALUES) throw refuse(`has more than ${MOST_VALUES} values`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const constant = pythonConstant(text);
    if (constant === null) throw refuse(`is not JSON; ${remedy}`);
    throw refuse(`is not JSON: it has ${constant}, which Python writes; put a number or null in its place`);
  }
  const seen = { members: 0 };
  const clean = withoutPrototypes(value, seen);
  if (!isObject(clean)) throw refuse(`is not a JSON object { … }; ${remedy}`);
  if (seen.members !== members) throw refuse("has a key twice; remove one");
  return clean;
}

/** The most values of a document, lists and objects included: a tokenizer.json of 260,000 tokens and 580,000 merges has 2.3 million. */
const MOST_VALUES = 2 ** 23;

interface Counts {
  /** Members `key: value` of all objects: colons outside strings. */
  readonly members: number;
  /** An upper bound of the number of values: commas, and brackets that open. */
  readonly values: number;
  readonly tooDeep: boolean;
}

/** Counts up to the first place that is too deep, or the first value that is too many. */
function countsOf(text: string, depth: number): Counts {
  let members = 0;
  let values = 1;
  let level = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === BACKSLASH) i++;
      else if (c === QUOTE) inString = false;
    } else if (c === QUOTE) inString = true;
    else if (c === COLON) members++;
    else if (c === COMMA) values++;
    else if (c === BRACE || c === BRACKET) {
      level++;
      values++;
    } else if (c === BRACE + 2 || c === BRACKET + 2) level--; // the closing ones
    if (level > depth) return { members, values, tooDeep: true };
    if (values > MOST_VALUES) break;
  }
  return { members, values, tooDeep: false };
}

/** The first constant outside strings that Python's json writes, and JSON does not have; null if there is none. */
function pythonConstant(text: string): string | null {
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString && c === BACKSLASH) i++;
    else if (c === QUOTE) inString = !inString;
    else if (!inString && (c === N || c === I)) {
      const found = ["NaN", "Infinity"].find((name) => text.startsWith(name, i));
      if (found !== undefined) return text[i - 1] === "-" ? `-${found}` : found;
    }
  }
  return null;
}

const [QUOTE, BACKSLASH, COLON, COMMA, BRACE, BRACKET] = [0x22, 0x5c, 0x3a, 0x2c, 0x7b, 0x5b];
const [N, I] = [0x4e, 0x49];

function withoutPrototypes(value: unknown, seen: { members: number }): Json {
  if (Array.isArray(value)) return value.map((item) => withoutPrototypes(item, seen));
  if (value === null || typeof value !== "object") return value as Json;
  const clean: Record<string, Json> = Object.create(null);
  for (const [key, item] of Object.entries(value)) {
    seen.members++;
    clean[key] = withoutPrototypes(item, seen);
  }
  return clean;
}
