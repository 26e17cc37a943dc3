// The tensors in the data of a pickle, by names that join the keys on the way to them with dots.

import { quoted } from "../wording.ts";
import { Opaque, type Value } from "./machine.ts";
import type { Fail } from "./reader.ts";
import { NotRead, type PickleValue, StoredArray } from "./values.ts";

/** Levels of containers in containers. */
const DEEPEST = 100;

/** Places that may be visited, and characters of all names, for each byte of the pickle and for any pickle. */
const PLACES = { each: 4, any: 1000 };
const CHARACTERS = { each: 32, any: 100_000 };

/**
 * The tensors below a value, in the order of the data. A pickle can refer to a container many times, so that its data is a
 * graph, and a few hundred bytes stand for more names than memory holds: places and names are counted. [pickle.memory]
 */
export function tensorsBelow(root: Value, size: number, fail: Fail): Map<string, StoredArray | NotRead> {
  const found = new Map<string, StoredArray | NotRead>();
  let places = PLACES.any + PLACES.each * size;
  let characters = CHARACTERS.any + CHARACTERS.each * size;

  const visit = (value: Value, name: string, depth: number): void => {
    if (--places < 0)
      throw fail(
        "the pickle refers to the same values again and again; this is no file of a library",
        "pickle.memory",
      );
    if (value instanceof Opaque || (value instanceof StoredArray && value.parts === null)) {
      const what = value instanceof Opaque ? value.name : "an array without values";
      throw fail(
        `the pickle holds ${what} at ${quoted(name)}; it may hold plain data and arrays only`,
        "pickle.globals",
      );
    }
    if (value instanceof StoredArray || value instanceof NotRead) {
      if (found.has(name))
        throw fail(`two tensors have the name ${quoted(name)}; rename one in Python`, "pickle.names");
      characters -= name.length;
      if (characters < 0) throw fail("the names of the tensors are longer than the pickle", "pickle.memory");
      found.set(name, value);
    } else if (value instanceof Map || Array.isArray(value)) {
      if (depth === DEEPEST)
        throw fail(`the pickle is nested more than ${DEEPEST} levels deep, or holds itself`, "pickle.memory");
      for (const [key, item] of value.entries())
        visit(item, depth === 0 ? String(key) : `${name}.${key}`, depth + 1);
    }
  };
  visit(root, "", 0);
  return found;
}

/** The value at a path of keys; undefined if there is none. */
export function valueAt(root: PickleValue, path: readonly (string | number)[]): PickleValue | undefined {
  let value: PickleValue | undefined = root;
  for (const key of path) {
    if (value instanceof Map) value = value.get(key);
    else if (Array.isArray(value) && typeof key === "number") value = value[key];
    else return undefined;
  }
  return value;
}
