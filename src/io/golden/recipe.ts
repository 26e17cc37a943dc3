// Recipes for tensors that no file holds (golden/FORMAT.md §4), and the values that they generate.
import { Bool, Int, rowMajor, type Shape, sizeOf, Tensor, view } from "../../tensor/tensor.ts";
import {
  between,
  type FieldLocation,
  integer,
  list,
  number,
  object,
  optional,
  type Read,
  record,
  refuse,
  shape,
} from "../fields.ts";
import type { Stored } from "../safetensors/read.ts";
import { quoted } from "../wording.ts";
import { type Dyadic, fillDyadic, fillIntegers } from "./generator.ts";

/** Parameters for the elements whose leading indices are `at`. */
interface Row extends Dyadic {
  readonly at: readonly number[];
}

export type Recipe =
  | (Dyadic & { readonly kind: "floats"; readonly rows: readonly Row[] })
  | {
      readonly kind: "integers";
      readonly low: number;
      readonly high: number;
      readonly place: readonly Shape[];
    }
  | { readonly kind: "booleans"; readonly true: readonly Shape[] }
  | { readonly kind: "file" };

const int32 = between(integer, -(2 ** 31), 2 ** 31 - 1);
const exponent = between(integer, -126, 127);
const bits = between(integer, 0, 8);
const indices = list(shape);
const dyadic = record<Dyadic>({ mean: number, exponent, bits });
const integers = record({
  low: int32,
  high: int32,
  place: optional(list(list(int32)), []),
});

/** The members of each kind of recipe, by the member that identifies the kind. A picture's file is named for information. */
const MEMBERS = {
  file: ["file", "photograph"],
  true: ["true"],
  low: ["low", "high", "place"],
  mean: ["mean", "exponent", "bits", "rows"],
} as const;

/** The kind of a recipe follows from its members. A member that no kind has would change nothing, and is refused. */
export const recipe: Read<Recipe> = (value, place) => {
  const at = { ...place, unread: undefined };
  const given = object(value, at);
  const kind = (["file", "true", "low"] as const).find((name) => name in given) ?? "mean";
  const known: readonly string[] = MEMBERS[kind];
  const odd = Object.keys(given).find((name) => !known.includes(name));
  if (odd !== undefined)
    throw refuse(at, `has ${quoted(odd)}; a recipe of this kind has ${known.join(", ")}`); // [case.fields]
  if ("file" in given) {
    if (given.file !== true) throw refuse(at, 'has a member "file" that is not true');
    return { kind: "file" };
  }
  if ("true" in given) return { kind: "booleans", ...record({ true: indices })(value, at) };
  if ("low" in given) {
    const range = integers(value, at);
    if (range.low >= range.high) throw refuse(at, "has to have low below high");
    return { kind: "integers", ...range };
  }
  const plain = dyadic(value, at);
  const { mean, exponent: e, bits: b } = plain;
  const row = record<Row>({
    at: shape,
    mean: optional(number, mean),
    exponent: optional(exponent, e),
    bits: optional(bits, b),
  });
  return { kind: "floats", ...plain, ...record({ rows: optional(list(row), []) })(value, at) };
};

/** Floats are generated on first use. Integers and booleans are not, and so have a lower limit, which is far above any text. */
const MOST = { floats: 2 ** 30, integers: 2 ** 22, booleans: 2 ** 22 };

/** The tensor of a recipe. Floats are generated on first use, in float32, which represents them exactly. */
export function make(
  recipe: Exclude<Recipe, { kind: "file" }>,
  seed: number,
  name: string,
  shape: Shape,
  at: FieldLocation,
): Stored {
  const size = sizeOf(shape);
  if (!(size <= MOST[recipe.kind]))
    throw refuse(at, `would make ${size} elements; ${MOST[recipe.kind]} at most`);
  if (recipe.kind === "integers") {
    const out = new Int32Array(size);
    fillIntegers(out, seed, name, recipe.low, recipe.high);
    for (const [...index] of recipe.place) {
      const value = index.pop() ?? 0;
      out[start(index, shape, at)] = value;
    }
    return new Int(shape, out);
  }
  if (recipe.kind === "booleans") {
    const out = new Uint8Array(size);
    for (const index of recipe.true) out[start(index, shape, at)] = 1;
    return new Bool(shape, out);
  }
  const rows = recipe.rows.map((row) => ({ ...row, from: start(row.at, shape, at, row.at.length) }));
  const inRows = rows.reduce((sum, row) => sum + sizeOf(shape.slice(row.at.length)), 0);
  if (inRows > size)
    throw refuse(at, `has rows of ${inRows} elements, and the tensor has ${size}; give each row once`);
  return new Tensor(shape, () => {
    const out = new Float32Array(size);
    fillDyadic(out, seed, name, recipe);
    for (const row of rows) {
      const to = row.from + sizeOf(shape.slice(row.at.length));
      fillDyadic(out, seed, name, row, row.from, to); // [case.rows]
    }
    return view(out, shape);
  });
}

/** The position of an element, or of the first element with these leading indices. */
function start(index: readonly number[], shape: Shape, at: FieldLocation, axes = shape.length): number {
  const inside = index.length === axes && index.every((i, axis) => 0 <= i && i < (shape[axis] ?? 0));
  if (!inside)
    throw refuse(at, `has the index [${index.join(" ")}], which [${shape.join(" ")}] does not have`);
  const stride = rowMajor(shape);
  return index.reduce((sum, i, axis) => sum + i * (stride[axis] ?? 0), 0);
}
