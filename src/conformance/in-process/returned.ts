// Reads what a port's function returns. It is anything at all: every value is checked before it counts as a tensor.
import type { GoldenCase } from "../../io/golden/cases.ts";
import { quoted } from "../../io/wording.ts";
import { LoadError } from "../../tensor/errors.ts";
import { Bool, Int, type Shape, sizeOf, Tensor, view } from "../../tensor/tensor.ts";
import type { Given } from "../cases/compare.ts";
import { expectedShapes, type Submission } from "../submissions/submission.ts";

/** Numbers in row-major order. Without a shape they have the expected one, if they are as many. */
export type Numbers = ArrayLike<number> | ArrayLike<bigint> | ArrayLike<boolean>;

/** A tensor of a port: one of this package, an object with a shape and its numbers, numbers alone, or one number. */
export type PortTensor =
  | Tensor
  | Int
  | Bool
  | { readonly shape: readonly number[]; readonly data: Numbers }
  | Numbers
  | number;

/** A tensor where the case has one output; or tensors by name: "out" or "outputs.out", and "taps.…" and "grads.…". */
export type PortOutputs = PortTensor | Readonly<Record<string, PortTensor>>;

const isStored = (value: unknown): value is Tensor | Int | Bool =>
  value instanceof Tensor || value instanceof Int || value instanceof Bool;

const isNumbers = (value: unknown): value is Numbers =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));

const isShaped = (value: unknown): value is { readonly shape: unknown; readonly data: unknown } =>
  typeof value === "object" && value !== null && "shape" in value && "data" in value;

const isTensor = (value: unknown): boolean =>
  typeof value === "number" || isNumbers(value) || isStored(value) || isShaped(value);

/** Axes of a tensor, at most: more would be a mistake. */
const MOST_AXES = 32;

function shapeOf(name: string, shape: unknown): Shape {
  const isShape =
    Array.isArray(shape) &&
    shape.length <= MOST_AXES &&
    shape.every((n) => Number.isSafeInteger(n) && n >= 0);
  if (isShape) return [...shape];
  throw new LoadError(
    `${quoted(name)} has a shape that is no list of whole numbers; give one number for each axis`,
  );
}

/** One number of a list. Texts and lists in a list are mistakes, and are not converted. */
function numberAt(name: string, list: ArrayLike<unknown>, at: number): number {
  const value = list[at];
  if (typeof value === "number") return value;
  if (typeof value === "bigint" || typeof value === "boolean") return Number(value);
  const given = Array.isArray(value) ? "a list" : value === null ? "null" : typeof value;
  throw new LoadError(`${quoted(name)} has ${given} at position ${at}; give numbers in row-major order`);
}

/** A tensor of these numbers; without values, which are not read, where the shape is not the expected one. */
function given(name: string, data: ArrayLike<unknown>, shape: Shape, expected: Shape | undefined): Given {
  if (data.length !== sizeOf(shape))
    throw new LoadError(
      `${quoted(name)} has ${data.length} numbers and the shape [${shape.join(" ")}], which has ${sizeOf(shape)}; give as many`,
    );
  // A package may put a batch of one around an output of preprocessing, which a port need not have.
  const [first, ...rest] = expected ?? [];
  const fits = [expected, first === 1 ? rest : undefined].some((one) => one?.join(" ") === shape.join(" "));
  if (!fits) return { shape }; // [conform.submission]
  const values = Float64Array.from({ length: data.length }, (_, at) => numberAt(name, data, at));
  return new Tensor(shape, view(values, shape));
}

function tensorOf(name: string, value: unknown, expected: Shape | undefined): Given {
  if (isStored(value)) return value;
  if (typeof value === "number") return given(name, [value], [], expected?.length === 0 ? [] : expected);
  if (isNumbers(value)) {
    const fits = expected !== undefined && value.length === sizeOf(expected);
    return given(name, value, fits ? expected : [value.length], expected);
  }
  if (isShaped(value) && isNumbers(value.data))
    return given(name, value.data, shapeOf(name, value.shape), expected);
  throw new LoadError(
    `${quoted(name)} is ${kindOfValue(value)}; return numbers, a tensor, or { shape, data }`,
  );
}

function kindOfValue(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object"
    ? "an object without a shape and a list of numbers as data"
    : `a value of type ${typeof value}`;
}

/** Tensors by the names of the case. An output may be named with or without "outputs.". */
export function submissionOf(returned: unknown, golden: GoldenCase): Submission {
  const shapes = expectedShapes(golden);
  const [only, second] = golden.manifest.outputs;
  const isOne = isTensor(returned);
  if (isOne && second !== undefined)
    throw new LoadError(
      `one tensor was returned, and the case has the outputs ${golden.manifest.outputs.join(", ")}; return an object with these names`,
    );
  if (!isOne && (typeof returned !== "object" || returned === null))
    throw new LoadError(
      `the function returned ${kindOfValue(returned)}; return the outputs by name, such as { ${only}: … }`,
    );
  const entries: [string, unknown][] = isOne
    ? [[`outputs.${only}`, returned]]
    : Object.entries(returned as object);
  if (entries.length === 0)
    throw new LoadError(
      `the function returned an object without fields (a Map has none); return the outputs by name, such as { ${only}: … }`,
    );
  const tensors = new Map<string, Given>();
  const unexpected: string[] = [];
  for (const [key, value] of entries) {
    const name = shapes.has(key) ? key : `outputs.${key}`;
    if (shapes.has(name)) tensors.set(name, tensorOf(name, value, shapes.get(name)));
    else if (value !== undefined) unexpected.push(key);
  }
  return { tensors, unexpected };
}
