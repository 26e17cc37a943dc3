// Arrays. Floats are nodes of programs (Tensor); integers and booleans are host data (Int, Bool) and always have values.
import { Bug, RuleError, ShapeError } from "./errors.ts";
import type { Precision } from "./precision.ts";
import { isSource, type TensorSource, widened } from "./source.ts";

// biome-ignore lint/suspicious/noExplicitAny: a bare Tensor matches every pattern
export type Any = any;
/** The sizes of the axes of an array, outermost first; a scalar has none. */
export type Shape = readonly number[];
export type Floats = Float64Array | Float32Array;

/**
 * An array as plain data, which structuredClone can copy: the element at the index i, j, … is
 * `data[offset + i * stride[0] + j * stride[1] + …]`. Transposing, slicing and expanding make another one of the same buffer.
 */
export interface Strided<D> {
  readonly data: D;
  readonly shape: Shape;
  readonly stride: readonly number[];
  readonly offset: number;
}

/** The values of a tensor, as kernels read and return them. `tensor(axes, shape, values).data` makes one and checks it. */
export type View = Strided<Floats>;

export const sizeOf = (shape: Shape): number => shape.reduce((product, n) => product * n, 1);

/** Strides of a row-major array. */
export function rowMajor(shape: Shape): number[] {
  const stride = new Array<number>(shape.length);
  for (let axis = shape.length - 1, step = 1; axis >= 0; axis--) {
    stride[axis] = step;
    step *= shape[axis] ?? 1;
  }
  return stride;
}

/** The index along each axis of the element at a row-major position. */
export const indexAt = (position: number, shape: Shape): number[] =>
  rowMajor(shape).map((step, axis) => Math.floor(position / step) % (shape[axis] ?? 1));

/** A shape in messages: [2 3]. */
export const shapeText = (shape: Shape): string => `[${shape.join(" ")}]`;

/** Whether two arrays have the same shape. */
export const sameSizes = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((n, axis) => n === b[axis]);

/** Throws a ShapeError unless a shape is a list of whole numbers from 0 up. */
export function checkShape(shape: Shape): void {
  if (Array.isArray(shape) && shape.every((n) => Number.isSafeInteger(n) && n >= 0)) return;
  const shown: readonly unknown[] = [shape].flat().slice(0, 8);
  throw new ShapeError(
    `[${shown.map(String).join(" ")}] is not a shape: give whole numbers from 0 up  [tensor.values]`,
  );
}

/** Throws a ShapeError unless the values fill the shape exactly or, with strides, every element lies within them. */
function checkFits(data: Typed, shape: Shape, stride: readonly number[] | undefined, offset: number): void {
  if (!ArrayBuffer.isView(data))
    throw new ShapeError(
      "the values are in no typed array; tensor(), int() and bool() take numbers  [tensor.values]",
    );
  checkShape(shape);
  const size = sizeOf(shape);
  let [first, last] = [offset, offset];
  for (const [axis, n] of shape.entries()) {
    const end = (n - 1) * (stride?.[axis] ?? NaN);
    if (end < 0) first += end;
    else last += end;
  }
  const fits = stride
    ? (size === 0 || (first >= 0 && last < data.length)) &&
      stride.length === shape.length &&
      Number.isInteger(offset) &&
      stride.every(Number.isInteger)
    : offset === 0 && data.length === size;
  if (fits) return;
  const problem = stride
    ? `with strides ${shapeText(stride)} from ${offset} extends beyond the ${data.length} values of its buffer`
    : `holds ${size} values, got ${data.length - offset}`;
  throw new ShapeError(`${shapeText(shape)} ${problem}  [tensor.values]`);
}

/** Floats as an array, as `view` makes it, without a check: for kernels whose results fit by construction. */
export const viewOf = (
  data: Floats,
  shape: Shape,
  stride: readonly number[] = rowMajor(shape),
  offset = 0,
): View => ({
  data,
  shape,
  stride,
  offset,
});

/**
 * Floats as an array: row-major, of exactly as many values as the shape has, or with strides into a larger buffer. Throws a
 * ShapeError if the values do not fit.
 */
export function view(data: Floats, shape: Shape, stride?: readonly number[], offset = 0): View {
  checkFits(data, shape, stride, offset); // [tensor.values]
  return viewOf(data, shape, stride, offset);
}

export const zeros = (shape: Shape): View => viewOf(new Float64Array(sizeOf(shape)), shape); // [ops.float64]

/** The values of a tensor: an array, a function that returns one and is called once, or a source that is read again for each use. */
export type Values = View | (() => View) | TensorSource;

/** All values of a source, as float64 or float32. */
export const readAll = (source: TensorSource, shape: Shape): View =>
  view(widened(source.read(0, sizeOf(shape)), source.dtype), shape);

/** Values as a source. An array's numbers are not copied if they are contiguous; a function is called. */
export function sourceOf(values: Values): TensorSource {
  if (isSource(values)) return values;
  const numbers = flat(typeof values === "function" ? values() : values);
  const dtype = numbers instanceof Float32Array ? "float32" : "float64";
  return { dtype, read: (from, to) => numbers.subarray(from, to) };
}

/**
 * Floats with named axes. The names `A` exist in the type only; at run time they occur in patterns. `values` are those of the
 * tensor, or undefined (an abstract tensor). Throws a ShapeError if the shape is not a list of whole numbers from 0 up, or the
 * values have another shape.
 */
export class Tensor<A extends string = Any> {
  declare readonly axes: A;
  readonly shape: Shape;
  #values: Values | undefined;
  /** The values last read from a source, until they are garbage-collected. */
  #read: WeakRef<View> | undefined;

  constructor(shape: Shape, values?: Values) {
    checkShape(shape);
    this.shape = shape;
    if (values !== undefined) this.#set(values);
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  /** Whether only the shape is known. */
  get symbolic(): boolean {
    return this.#values === undefined;
  }

  /**
   * The values, with the strides that they have in memory. A function is called on first use only; a source is read again unless its
   * values are still in memory. Throws a ShapeError if a function gives values of another shape. Reading an abstract tensor is a
   * `Bug`.
   */
  get data(): View {
    if (typeof this.#values === "function") this.#set(this.#values()); // [tensor.lazy]
    const values = this.#values;
    if (values === undefined) throw new Bug("this tensor was recorded symbolically and has no values"); // [record.escape]
    if (!isSource(values)) return values as View;
    let known = this.#read?.deref();
    if (known === undefined) {
      known = readAll(values, this.shape);
      this.#read = new WeakRef(known); // [tensor.source]
    }
    return known;
  }

  /**
   * The values in row-major order. They share the memory of `data` where that is in this order without gaps: do not write into
   * them. Throws as `data` does.
   */
  flat(): Floats {
    return flat(this.data); // [tensor.flat]
  }

  /** The values, or the function or source that gives them; what is assigned to this tensor later does not change them. */
  get stored(): Values {
    return this.#values ?? this.data;
  }

  /** The precision of the stored values. A function is called to learn it, a source is not read. */
  get dtype(): Precision {
    const { stored } = this;
    if (isSource(stored)) return stored.dtype;
    return this.data.data instanceof Float32Array ? "float32" : "float64";
  }

  #set(values: Values): void {
    if (typeof values !== "function" && !isSource(values)) this.#checkView(values);
    this.#values = values;
    this.#read = undefined;
  }

  #checkView({ data, shape, stride, offset }: View): void {
    checkFits(data, shape, stride ?? [], offset); // [tensor.values]
    if (!sameSizes(shape, this.shape))
      throw new ShapeError(
        `values of shape ${shapeText(shape)} do not fit a tensor of shape ${shapeText(this.shape)}  [tensor.values]`,
      );
  }

  /**
   * Replaces the values, or the function or source that gives them. The shape stays the same. Throws a ShapeError if they have
   * another shape.
   */
  assign(values: Values): void {
    this.#set(values);
  }
}

/** Host data: booleans (as bytes) or integers, with strides like a view. */
class HostArray<A extends string, D extends Uint8Array | Int32Array> implements Strided<D> {
  declare readonly axes: A;
  readonly shape: Shape;
  readonly data: D;
  readonly stride: readonly number[];
  readonly offset: number;

  constructor(shape: Shape, data: D, stride?: readonly number[], offset = 0) {
    checkFits(data, shape, stride, offset); // [tensor.values]
    this.shape = shape;
    this.data = data;
    this.stride = stride ?? rowMajor(shape);
    this.offset = offset;
  }

  /** The values in row-major order. */
  flat(): D {
    return flat(this);
  }
}

/** A mask: true = may attend, keep, present. */
export class Bool<A extends string = Any> extends HostArray<A, Uint8Array> {
  readonly kind = "bool";
}

/** Token ids and other indices. */
export class Int<A extends string = Any> extends HostArray<A, Int32Array> {
  readonly kind = "int";
}

type Nested<T> = T | readonly Nested<T>[];
/** Shape and row-major values of nested arrays: [[1, 2], [3, 4]] -> [2, 2]. */
function unnest<T extends number | boolean>(nested: Nested<T>): { shape: number[]; values: T[] } {
  if (ArrayBuffer.isView(nested))
    throw new RuleError(
      "a typed array is no nested array; give a shape before it, as tensor(axes, shape, values) takes it",
      "tensor.values",
    );
  const shape: number[] = [];
  let level: readonly Nested<T>[] = [nested];
  while (level.some(Array.isArray)) {
    const lists = level as readonly (readonly Nested<T>[])[];
    const n = lists[0]?.length ?? 0;
    if (lists.some((list) => list.length !== n))
      throw new ShapeError("nested arrays are ragged  [tensor.values]");
    shape.push(n);
    level = lists.flat();
  }
  return { shape, values: level as T[] };
}

/** A value in messages: a text short, and without control characters. */
const shown = (value: unknown): string =>
  typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : String(value);

/** The first index whose value is of another type, holes of sparse lists included; −1 if there is none. */
const indexOfOther = (values: readonly unknown[], type: "number" | "boolean"): number =>
  values.findIndex((value) => typeof value !== type);

/**
 * Throws a ShapeError unless each number of the shape has an axis, and each axis a name of its own. "..." stands for any number of axes,
 * and each 1 for one of size 1.
 */
function checkAxes(axes: string, shape: Shape): void {
  if (typeof axes !== "string")
    throw new ShapeError(`axes are a text such as "b l d", not ${typeof axes}  [tensor.axes]`);
  const names = axes.split(" ").filter(Boolean);
  if (names.includes("...") ? names.length - 1 > shape.length : names.length !== shape.length)
    throw new ShapeError(
      `${JSON.stringify(axes)} names ${names.length} axes, and the shape ${shapeText(shape)} has ${shape.length}  [tensor.axes]`,
    );
  const named = names.filter((name) => name !== "1");
  if (new Set(named).size < named.length)
    throw new ShapeError(`${JSON.stringify(axes)} names an axis twice; use two names  [tensor.axes]`);
}

/**
 * A tensor from nested arrays, or from a shape and its row-major values: `tensor("i j", [[1, 2], [3, 4]])` equals `tensor("i j",
 * [2, 2], [1, 2, 3, 4])`. Values of a typed array are not copied. Throws a ShapeError if the axes are not as many as the shape has,
 * if nested arrays are ragged or if the number of values is not that of the shape, and a RuleError for a value that is no number.
 * Shapes: → `...`, as many axes as the nesting or the shape has.
 */
export function tensor<A extends string>(_axes: A, nested: Nested<number>): Tensor<A>;
export function tensor<A extends string>(
  _axes: A,
  shape: Shape,
  values: Floats | readonly number[],
): Tensor<A>;
export function tensor<A extends string>(
  axes: A,
  first: Nested<number>,
  values?: Floats | readonly number[],
): Tensor<A> {
  const { shape, values: own } = values === undefined ? unnest(first) : { shape: first as Shape, values };
  if (!Array.isArray(own) && (!ArrayBuffer.isView(own) || own instanceof DataView))
    throw new RuleError(
      `values are a list of numbers or a typed array, not ${own === null ? "null" : typeof own}`,
      "tensor.values",
    );
  const isTyped = ArrayBuffer.isView(own);
  const wrong = isTyped && typeof own[0] !== "bigint" ? -1 : indexOfOther(own as readonly number[], "number");
  if (wrong >= 0) throw new RuleError(`${shown(own[wrong])} is not a number`, "tensor.values");
  const data = view(isTyped ? (own as Floats) : Float64Array.from(own), shape);
  checkAxes(axes, shape); // [tensor.axes]
  return new Tensor<A>(shape, data);
}

/**
 * Integers, such as token ids, from nested arrays. Throws a ShapeError if the arrays are ragged or
 * nested to another depth than `axes` names, and a RuleError for a value that is no 32-bit integer.
 * Shapes: → `...`, as many axes as the nesting has.
 */
export function int<A extends string>(axes: A, nested: Nested<number>): Int<A> {
  const { shape, values } = unnest(nested);
  const wrong = values.findIndex((value) => !(Number.isInteger(value) && value === (value | 0)));
  if (wrong >= 0) throw new RuleError(`${shown(values[wrong])} is not a 32-bit integer`, "tensor.int");
  checkAxes(axes, shape); // [tensor.axes]
  return new Int<A>(shape, Int32Array.from(values));
}

/**
 * Booleans, such as a mask, from nested arrays. Throws a ShapeError if the arrays are ragged or
 * nested to another depth than `axes` names, and a RuleError for a value that is neither true nor false.
 * Shapes: → `...`, as many axes as the nesting has.
 */
export function bool<A extends string>(axes: A, nested: Nested<boolean>): Bool<A> {
  const { shape, values } = unnest(nested);
  const wrong = indexOfOther(values, "boolean");
  if (wrong >= 0) throw new RuleError(`${shown(values[wrong])} is neither true nor false`, "tensor.values");
  checkAxes(axes, shape); // [tensor.axes]
  return new Bool<A>(shape, Uint8Array.from(values, Number));
}

/**
 * A tensor with a shape but no values, for symbolic recording. Reading its `data` is a `Bug`. Throws a ShapeError if the shape is
 * not a list of whole numbers from 0 up.
 * Shapes: → `...`, the axes of the shape.
 */
export const abstractTensor = <A extends string>(_axes: A, shape: Shape): Tensor<A> => new Tensor<A>(shape);

/** Whether a view is row-major without gaps. */
export function contiguous({ shape, stride }: Strided<unknown>): boolean {
  const dense = rowMajor(shape);
  return shape.every((n, axis) => n === 1 || stride[axis] === dense[axis]);
}

/** The offset of every element, in row-major order. */
export function offsets(shape: Shape, stride: readonly number[], base = 0): Int32Array {
  let all = new Int32Array([base]);
  for (let axis = 0; axis < shape.length; axis++) {
    const n = shape[axis] ?? 0;
    const step = stride[axis] ?? 0;
    const next = new Int32Array(all.length * n);
    let at = 0;
    for (const start of all) for (let j = 0; j < n; j++) next[at++] = start + j * step; // [ops.views]
    all = next;
  }
  return all;
}

/** The element types of floats, masks and ids. */
export type Typed = Floats | Uint8Array | Int32Array;
/** The values in row-major order. The result shares the memory of a contiguous view: do not write into it. */
export function flat<D extends Typed>(v: Strided<D>): D {
  const n = sizeOf(v.shape);
  if (contiguous(v)) return v.data.subarray(v.offset, v.offset + n) as D;
  const at = offsets(v.shape, v.stride, v.offset);
  const out = new (v.data.constructor as new (n: number) => D)(n);
  for (let i = 0; i < n; i++) out[i] = v.data[at[i] ?? 0] ?? 0; // [tensor.flat]
  return out;
}
