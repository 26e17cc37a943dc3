// The dtypes that are read and written, and the conversion between bytes and values, which are little-endian in files and on every processor in use.
import { type Elements, elementsAs, widened } from "../tensor/source.ts";
import type { Floats } from "../tensor/tensor.ts";

/** Bytes per value, in the order of dtypes in the official library. */
export const WIDTH = { BOOL: 1, U8: 1, F16: 2, BF16: 2, I32: 4, F32: 4, F64: 8, I64: 8 } as const;
export type Dtype = keyof typeof WIDTH;
export type FloatDtype = "F64" | "F32" | "F16" | "BF16";
export type IntDtype = "I64" | "I32" | "U8";

/** Bits per value of the dtypes of safetensors 0.8.0 that are not written here. */
const OTHER_BITS = {
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  F8_E4M3: 8,
  F8_E5M2: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  C64: 64,
  I8: 8,
  I16: 16,
  U16: 16,
  U32: 32,
  U64: 64,
} as const;
/** A dtype that a file may have. */
export type StoredDtype = Dtype | keyof typeof OTHER_BITS;
type StoredIntDtype = IntDtype | "I8" | "I16" | "U16" | "U32" | "U64";

const FLOATS: readonly string[] = ["F64", "F32", "F16", "BF16"];
const INTEGERS: readonly string[] = ["I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8"];

export const isDtype = (name: unknown): name is Dtype =>
  typeof name === "string" && Object.hasOwn(WIDTH, name);
export const isStoredDtype = (name: unknown): name is StoredDtype =>
  isDtype(name) || (typeof name === "string" && Object.hasOwn(OTHER_BITS, name));
/** The names of all dtypes that a file may have. */
export const STORED_DTYPES: readonly string[] = [...Object.keys(WIDTH), ...Object.keys(OTHER_BITS)];
export const bitsOf = (dtype: StoredDtype): number => (isDtype(dtype) ? 8 * WIDTH[dtype] : OTHER_BITS[dtype]);
/** Floats that are read. */
export const isFloat = (dtype: StoredDtype): dtype is FloatDtype => FLOATS.includes(dtype);
/** Integers that are read. */
export const isInt = (dtype: StoredDtype): dtype is StoredIntDtype => INTEGERS.includes(dtype);
/** Integers that are written. */
export const isWrittenInt = (dtype: StoredDtype): dtype is IntDtype => isInt(dtype) && isDtype(dtype);

type Typed<T> = {
  new (buffer: ArrayBufferLike, offset: number, length: number): T;
  BYTES_PER_ELEMENT: number;
};
/** The bytes as wider numbers: the same memory if it is aligned, else a copy. */
function as<T>(kind: Typed<T>, bytes: Uint8Array): T {
  const width = kind.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes); // [io.unaligned]
  return new kind(aligned.buffer, aligned.byteOffset, aligned.length / width);
}
export const bytesOf = (a: Exclude<Elements | Int32Array, Uint8Array>): Uint8Array =>
  new Uint8Array(a.buffer, a.byteOffset, a.byteLength);

/** The precision of each dtype of floats. */
export const PRECISION = { F64: "float64", F32: "float32", F16: "float16", BF16: "bfloat16" } as const;
/** The dtype of each precision. */
export const DTYPE = { float64: "F64", float32: "F32", float16: "F16", bfloat16: "BF16" } as const;

/** The numbers that bytes hold, with 16-bit floats as bits. */
export function elementsOf(bytes: Uint8Array, dtype: FloatDtype): Elements {
  if (dtype === "F64") return as(Float64Array, bytes);
  return dtype === "F32" ? as(Float32Array, bytes) : as(Uint16Array, bytes);
}

/** Decodes floats exactly: F64 to float64, all others to float32. */
export const decodeFloats = (bytes: Uint8Array, dtype: FloatDtype): Floats =>
  widened(elementsOf(bytes, dtype), PRECISION[dtype]);

/**
 * Encodes floats, rounding once to nearest, ties to even. In 16 bits NaN becomes the quiet NaN whose other bits are zero.
 * The result may share the memory of `values`: do not write into it.
 */
export const encodeFloats = (values: Floats, dtype: FloatDtype): Uint8Array =>
  bytesOf(elementsAs(values, PRECISION[dtype]));

/** 32-bit integers, or the position of the first value that needs more bits. */
export function decodeInts(bytes: Uint8Array, dtype: StoredIntDtype): Int32Array | { tooWide: number } {
  if (dtype === "U8") return Int32Array.from(bytes);
  if (dtype === "I8") return Int32Array.from(as(Int8Array, bytes));
  if (dtype === "U16") return Int32Array.from(as(Uint16Array, bytes));
  if (dtype === "I16") return Int32Array.from(as(Int16Array, bytes));
  const words = as(Int32Array, bytes);
  if (dtype === "I32") return words;
  const tooWide = (i: number) => ({ tooWide: i });
  if (dtype === "U32") {
    const wide = words.findIndex((word) => word < 0); // [io.i64-fits]
    return wide < 0 ? words : tooWide(wide);
  }
  const low = new Int32Array(words.length / 2);
  for (let i = 0; i < low.length; i++) {
    const word = words[2 * i] ?? 0;
    const high = word >> 31;
    if (words[2 * i + 1] !== high || (dtype === "U64" && high !== 0)) return tooWide(i); // [io.i64-fits]
    low[i] = word;
  }
  return low;
}

/** The bytes, or the position of the first value that does not fit. */
export function encodeInts(values: Int32Array, dtype: IntDtype): Uint8Array | { tooWide: number } {
  if (dtype === "I32") return bytesOf(values);
  if (dtype === "U8") {
    const tooWide = values.findIndex((value) => value < 0 || value > 255);
    return tooWide < 0 ? Uint8Array.from(values) : { tooWide };
  }
  const words = new Int32Array(2 * values.length);
  for (const [i, value] of values.entries()) {
    words[2 * i] = value;
    words[2 * i + 1] = value >> 31;
  }
  return bytesOf(words);
}
