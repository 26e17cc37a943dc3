// Reads safetensors files: the header on opening, each tensor of floats when its values are first used.
import { type ByteSource, fromBytes, openFile } from "#host";
import { LoadError } from "../../tensor/errors.ts";
import { type Any, Bool, Int, type Shape, Tensor } from "../../tensor/tensor.ts";
import { indexOf, quoted } from "../wording.ts";
import { decodeInts, elementsOf, isFloat, isInt, PRECISION, type StoredDtype, WIDTH } from "./dtypes.ts";
import { type Header, readHeader, type TensorInfo } from "./header.ts";

/** The values that a file can hold under a key. */
export type Stored = Tensor | Int | Bool;

export class SafetensorsFile {
  readonly name: string;
  readonly #source: ByteSource;
  readonly #header: Header;

  constructor(source: ByteSource, name: string) {
    this.name = name;
    this.#source = source;
    this.#header = readHeader(source, name);
  }

  /** In the order of their bytes. */
  get keys(): string[] {
    return [...this.#header.tensors.keys()];
  }

  get metadata(): ReadonlyMap<string, string> {
    return this.#header.metadata;
  }

  has(key: string): boolean {
    return this.#header.tensors.has(key);
  }

  info(key: string): { dtype: StoredDtype; shape: Shape } {
    const { dtype, shape } = this.#info(key);
    return { dtype, shape };
  }

  /** Floats, read whenever they are used and not kept: F64 as float64, F32, F16 and BF16 as float32. */
  tensor<A extends string = Any>(key: string): Tensor<A> {
    const info = this.#info(key);
    const { dtype, shape } = info;
    if (!isFloat(dtype)) throw this.#mismatch(key, dtype, "floats");
    const width = WIDTH[dtype];
    const read = (from: number, to: number) => elementsOf(this.#read(info, width * from, width * to), dtype); // [io.lazy]
    return new Tensor<A>(shape, { dtype: PRECISION[dtype], read });
  }

  /** Integers with 32 bits, for any width in the file. A value that needs more is a LoadError. */
  int<A extends string = Any>(key: string): Int<A> {
    const info = this.#info(key);
    if (!isInt(info.dtype)) throw this.#mismatch(key, info.dtype, "integers");
    const values = decodeInts(this.#read(info), info.dtype);
    if (values instanceof Int32Array) return new Int<A>(info.shape, values);
    const index = indexOf(values.tooWide, info.shape);
    throw new LoadError(
      `${this.name}: tensor ${quoted(key)} needs more than 32 bits at index ${index}  [io.i64-fits]`,
    );
  }

  bool<A extends string = Any>(key: string): Bool<A> {
    const info = this.#info(key);
    if (info.dtype !== "BOOL") throw this.#mismatch(key, info.dtype, "booleans");
    const values = this.#read(info);
    const invalid = values.findIndex((value) => value > 1);
    if (invalid < 0) return new Bool<A>(info.shape, values); // [io.bool]
    const problem = `is ${values[invalid]} at index ${indexOf(invalid, info.shape)}; a BOOL is 0 or 1`;
    throw new LoadError(`${this.name}: tensor ${quoted(key)} ${problem}  [io.bool]`);
  }

  /** The values under a key, of any kind. */
  get(key: string): Stored {
    const { dtype } = this.#info(key);
    if (isFloat(dtype)) return this.tensor(key);
    if (isInt(dtype)) return this.int(key);
    if (dtype === "BOOL") return this.bool(key);
    throw this.#mismatch(key, dtype, "floats, integers or booleans");
  }

  close(): void {
    this.#source.close();
  }

  #info(key: string): TensorInfo {
    const info = this.#header.tensors.get(key);
    if (info !== undefined) return info; // [io.keys]
    const shown = this.keys.slice(0, 5).map(quoted).join(", ");
    const present = `it has ${this.keys.length}: ${shown}${this.keys.length > 5 ? ", …" : ""}`;
    throw new LoadError(`${this.name}: there is no tensor ${quoted(key)}; ${present}  [io.keys]`);
  }

  /** The bytes of a tensor, or a range of them. */
  #read({ begin, end }: TensorInfo, from = 0, to = end - begin): Uint8Array {
    const start = this.#header.dataAt + begin;
    return this.#source.read(start + from, start + to);
  }

  #mismatch(key: string, dtype: StoredDtype, wanted: string): LoadError {
    const isRead = isFloat(dtype) || isInt(dtype) || dtype === "BOOL";
    const problem = isRead
      ? `is ${dtype}, not ${wanted}; store it as such  [io.keys]`
      : `is ${dtype}, which is not read here; store it as F32 or BF16, dequantised if it is quantised  [io.dtypes]`;
    return new LoadError(`${this.name}: tensor ${quoted(key)} ${problem}`);
  }
}

/** Opens bytes or a source of bytes; `name` is used in errors. */
export function openSafetensors(source: ByteSource | Uint8Array, name: string): SafetensorsFile {
  if (typeof source !== "object" || source === null)
    throw new LoadError("openSafetensors takes bytes; loadSafetensors takes a path  [io.file-errors]");
  return new SafetensorsFile(source instanceof Uint8Array ? fromBytes(source) : source, name);
}

/** Opens a file. Only its header is read. */
export const loadSafetensors = (path: string): SafetensorsFile => openSafetensors(openFile(path), path);
