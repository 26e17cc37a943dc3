// Damage to JSON documents: values replaced, removed, renamed, repeated and nested.
import fc from "fast-check";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Values that readers of JSON get wrong: numbers beyond integers, names of Object.prototype, empty and deep structures. */
const hostile: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(null, true, false, 0, -0, -1, 0.5, 1e9, 2 ** 31, 2 ** 53, 1e300, -1e300),
  fc.constantFrom<Json>(
    "",
    "0",
    "-1",
    "1e9",
    "NaN",
    "constructor",
    "__proto__",
    "toString",
    "\u001b[2J",
    "../x",
  ),
  fc.constantFrom<Json>([], {}, [[]], [null], { length: 1e9 }, [1e9, 1e9], "x".repeat(3000)),
  fc.constantFrom(100, 3000).map((depth) => {
    let nested: Json = [];
    for (let i = 0; i < depth; i++) nested = [nested];
    return nested;
  }),
  fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>,
);

const KEYS = ["constructor", "__proto__", "hasOwnProperty", "", "0", "x", "\u0000", "ω"];

type Edit = (parent: Json[] | { [key: string]: Json }, key: string | number) => void;

/** Assigns a copy as an own property, whatever its name. A value that stood at two places could come to contain itself. */
const assign = (parent: object, key: string | number, value: Json): void => {
  Object.defineProperty(parent, key, {
    value: structuredClone(value),
    enumerable: true,
    configurable: true,
    writable: true,
  });
};

const valueAt = (parent: object, key: string | number): Json => (parent as Record<string, Json>)[key] ?? null;

const edits: fc.Arbitrary<Edit> = fc.oneof(
  hostile.map(
    (value): Edit =>
      (parent, key) =>
        assign(parent, key, value),
  ),
  fc.constant<Edit>((parent, key) => {
    if (Array.isArray(parent)) parent.splice(Number(key), 1);
    else Reflect.deleteProperty(parent, key);
  }),
  fc.constantFrom(...KEYS).map(
    (name): Edit =>
      (parent, key) => {
        const value = valueAt(parent, key);
        if (Array.isArray(parent)) assign(parent, parent.length, value);
        else assign(parent, name, value);
      },
  ),
  fc.constant<Edit>((parent, key) => assign(parent, key, [valueAt(parent, key)])),
  fc.integer({ min: -3, max: 3 }).map(
    (by): Edit =>
      (parent, key) => {
        const value = valueAt(parent, key);
        if (typeof value === "number") assign(parent, key, value + by);
        else if (typeof value === "string")
          assign(parent, key, by < 0 ? value.slice(0, by) : `${value}${by}`);
      },
  ),
);

/** Every place of a document: an object or array, and one of its keys. */
function placesOf(value: Json): [Json[] | { [key: string]: Json }, string | number][] {
  const places: [Json[] | { [key: string]: Json }, string | number][] = [];
  const open: Json[] = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next === null || typeof next !== "object" || places.length > 5000) continue;
    for (const key of Object.keys(next)) {
      places.push([next, Array.isArray(next) ? Number(key) : key]);
      open.push(valueAt(next, key));
    }
  }
  return places;
}

/** A document with up to four edits at arbitrary places, as text. Zero edits leave it intact. */
export const damagedJson = (documents: readonly Json[]): fc.Arbitrary<string> =>
  fc
    .tuple(fc.constantFrom(...documents), fc.array(fc.tuple(fc.nat(), edits), { maxLength: 4 }))
    .map(([document, list]) => {
      const root: { [key: string]: Json } = { document: structuredClone(document) };
      for (const [at, edit] of list) {
        const places = placesOf(root);
        const [parent, key] = places[at % places.length] ?? [root, "document"];
        edit(parent, key);
      }
      return JSON.stringify(root.document ?? null);
    });

/** Text with up to three damaged bytes. */
export const damagedText = (texts: fc.Arbitrary<string>): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(texts, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }))
    .map(([text, damage]) => {
      const bytes = new TextEncoder().encode(text);
      for (const [at, byte] of damage) if (bytes.length > 0) bytes[at % bytes.length] = byte;
      return bytes;
    });
