// What the parts of tokenizer.json are read with: fields with types, and one part by its "type" from a table.
import { LoadError } from "../../../tensor/errors.ts";
import { type FieldLocation, type Read, refuse } from "../../fields.ts";
import { isObject, type Json, type JsonObject } from "../../json.ts";
import { quoted } from "../../wording.ts";
import { escapePattern } from "../text/characters.ts";
import type { Translate } from "../text/patterns.ts";

/** A part of the file, where it is, and the translator of regular expressions. */
export interface Part {
  readonly json: JsonObject;
  readonly at: FieldLocation;
  readonly translate: Translate;
}

const RULE = "tokenizer.json";
const inside = (at: FieldLocation, name: string): FieldLocation => ({
  ...at,
  field: at.field === "" ? name : `${at.field}.${name}`,
});

/** The field, or `otherwise` if it is missing or null. */
export function field<T, D>({ json, at }: Part, name: string, read: Read<T>, otherwise: D): T | D {
  const value = json[name];
  return value === undefined || value === null ? otherwise : read(value, inside(at, name));
}

export function required<T>({ json, at }: Part, name: string, read: Read<T>): T {
  return read(json[name], inside(at, name));
}

/** The part in a field. */
export function partOf(part: Part, name: string): Part {
  return asPart(part.json[name], { ...part, at: inside(part.at, name) });
}

export function asPart(json: Json | undefined, { at, translate }: Omit<Part, "json">): Part {
  if (!isObject(json)) throw refuse(at, "has to be an object", RULE);
  return { json, at, translate };
}

/** The parts in a list. */
export function partsOf(part: Part, name: string): Part[] {
  const list = part.json[name];
  const at = inside(part.at, name);
  if (!Array.isArray(list)) throw refuse(at, "has to be a list", RULE);
  return list.map((json: Json, i) => asPart(json, { ...part, at: { ...at, field: `${at.field}[${i}]` } }));
}

export type Table<T> = Readonly<Record<string, (part: Part) => T>>;

/** Makes a part by its type. Throws a LoadError with the known types for any other. [tokenizer.parts] */
export function make<T>(part: Part, table: Table<T>): T {
  const type = part.json.type;
  const maker = typeof type === "string" && Object.hasOwn(table, type) ? table[type] : undefined;
  if (maker !== undefined) return maker(part);
  const given = typeof type === "string" ? quoted(type) : "missing";
  throw new LoadError(
    `${part.at.file}: the type of ${quoted(part.at.field)} is ${given}; known are ${Object.keys(table).join(", ")}  [tokenizer.parts]`,
  );
}

/** A pattern `{ "String": … }`, which matches literally, or `{ "Regex": … }`. */
export function patternIn(part: Part, name: string): RegExp {
  const { json, at } = partOf(part, name);
  if (typeof json.String === "string") return new RegExp(escapePattern(json.String), "gu");
  if (typeof json.Regex === "string") return part.translate(json.Regex);
  throw refuse(at, 'has to be { "String": … } or { "Regex": … }', RULE);
}

/** A single character. */
export const character: Read<string> = (value, at) => {
  if (typeof value !== "string" || [...value].length !== 1) throw refuse(at, "has to be one character", RULE);
  return value;
};
