// Named tensors of a file of any format. Floats are read whenever they are used, integers and booleans when they are asked for.
import { LoadError } from "../tensor/errors.ts";
import { type Any, Bool, Int, type Shape, sizeOf, Tensor } from "../tensor/tensor.ts";
import { decodeInts, elementsOf, isFloat, isInt, PRECISION, type StoredDtype } from "./dtypes.ts";
import { indexOf, quoted } from "./wording.ts";

/** The values that a file can hold under a name. */
export type Stored = Tensor | Int | Bool;

/** A tensor in a file. */
export interface Entry {
  readonly dtype: StoredDtype;
  readonly shape: Shape;
  /** The bytes, little-endian, of the elements from `from` up to `to` in row-major order. */
  readonly bytes: (from: number, to: number) => Uint8Array;
  /** Whether reading a range takes the time of reading everything before it too. */
  readonly sequential?: boolean;
}

/** An entry that is listed but cannot be read; `problem` completes "tensor NAME …" and names the remedy. */
export interface Unreadable {
  readonly problem: string;
}

export const isUnreadable = (entry: Entry | Unreadable): entry is Unreadable => "problem" in entry;

export class TensorFile {
  readonly name: string;
  /** The descriptions of all tensors by name. */
  readonly entries: ReadonlyMap<string, Entry | Unreadable>;

  /** `name` is used in errors. */
  constructor(name: string, entries: ReadonlyMap<string, Entry | Unreadable>) {
    this.name = name;
    this.entries = entries;
  }

  /** The names of all tensors. */
  get keys(): string[] {
    return [...this.entries.keys()];
  }

  has(key: string): boolean {
    return this.entries.has(key);
  }

  info(key: string): { dtype: StoredDtype; shape: Shape } {
    const { dtype, shape } = this.#entry(key);
    return { dtype, shape };
  }

  /** Floats, read whenever they are used and not kept: F64 as float64, F32, F16 and BF16 as float32. */
  tensor<A extends string = Any>(key: string): Tensor<A> {
    const { dtype, shape, bytes, sequential = false } = this.#entry(key);
    if (!isFloat(dtype)) throw this.#mismatch(key, dtype, "floats");
    const read = (from: number, to: number) => elementsOf(bytes(from, to), dtype); // [io.lazy]
    return new Tensor<A>(shape, { dtype: PRECISION[dtype], sequential, read });
  }

  /** Integers with 32 bits, for any width in the file. A value that needs more is a LoadError. */
  int<A extends string = Any>(key: string): Int<A> {
    const { dtype, shape, bytes } = this.#entry(key);
    if (!isInt(dtype)) throw this.#mismatch(key, dtype, "integers");
    const values = decodeInts(bytes(0, sizeOf(shape)), dtype);
    if (values instanceof Int32Array) return new Int<A>(shape, values);
    const index = indexOf(values.tooWide, shape);
    throw new LoadError(
      `${this.name}: tensor ${quoted(key)} needs more than 32 bits at index ${index}  [io.i64-fits]`,
    );
  }

  bool<A extends string = Any>(key: string): Bool<A> {
    const { dtype, shape, bytes } = this.#entry(key);
    if (dtype !== "BOOL") throw this.#mismatch(key, dtype, "booleans");
    const values = bytes(0, sizeOf(shape));
    const invalid = values.findIndex((value) => value > 1);
    if (invalid < 0) return new Bool<A>(shape, values); // [io.bool]
    const problem = `is ${values[invalid]} at index ${indexOf(invalid, shape)}; a BOOL is 0 or 1`;
    throw new LoadError(`${this.name}: tensor ${quoted(key)} ${problem}  [io.bool]`);
  }

  /** The values under a key, of any kind. */
  get(key: string): Stored {
    const { dtype } = this.#entry(key);
    if (isFloat(dtype)) return this.tensor(key);
    if (isInt(dtype)) return this.int(key);
    if (dtype === "BOOL") return this.bool(key);
    throw this.#mismatch(key, dtype, "floats, integers or booleans");
  }

  #entry(key: string): Entry {
    const entry = this.entries.get(key);
    if (entry !== undefined && !isUnreadable(entry)) return entry; // [io.keys]
    if (entry !== undefined)
      throw new LoadError(`${this.name}: tensor ${quoted(key)} ${entry.problem}  [io.dtypes]`);
    const shown = this.keys.slice(0, 5).map(quoted).join(", ");
    const present = `it has ${this.keys.length}: ${shown}${this.keys.length > 5 ? ", …" : ""}`;
    throw new LoadError(`${this.name}: there is no tensor ${quoted(key)}; ${present}  [io.keys]`);
  }

  #mismatch(key: string, dtype: StoredDtype, wanted: string): LoadError {
    const isRead = isFloat(dtype) || isInt(dtype) || dtype === "BOOL";
    const problem = isRead
      ? `is ${dtype}, not ${wanted}; store it as such  [io.keys]`
      : `is ${dtype}, which is not read here; store it as F32 or BF16, dequantised if it is quantised  [io.dtypes]`;
    return new LoadError(`${this.name}: tensor ${quoted(key)} ${problem}`);
  }
}
