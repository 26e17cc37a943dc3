// Sources: values that are kept elsewhere, such as in a file, and are read whenever they are needed. 16-bit floats are read as bits.
import { type Precision, toBfloat16, toFloat16 } from "./precision.ts";

/** Numbers of one dtype: float64, float32, or the bits of 16-bit floats. */
export type Elements = Float64Array | Float32Array | Uint16Array;

/** The values of a tensor in row-major order. Reading a range again gives the same numbers. */
export interface TensorSource {
  readonly dtype: Precision;
  /** Whether reading a range takes the time of reading everything before it too, as for a generator of random numbers. */
  readonly sequential?: boolean;
  /** The elements from `from` up to, but not including, `to`: a Uint16Array of bits if the dtype has 16 bits. */
  read(from: number, to: number): Elements;
}

export const isSource = (values: object | undefined): values is TensorSource =>
  values !== undefined && "read" in values;

/** The numbers as float64 or float32, exactly. 16-bit floats become float32. */
export function widened(elements: Elements, dtype: Precision): Float64Array | Float32Array {
  if (!(elements instanceof Uint16Array)) return elements;
  const bits = new Uint32Array(elements.length);
  if (dtype === "bfloat16")
    for (let i = 0; i < bits.length; i++) bits[i] = (elements[i] ?? 0) << 16; // [io.widen]
  else for (let i = 0; i < bits.length; i++) bits[i] = float16To32(elements[i] ?? 0);
  return new Float32Array(bits.buffer);
}

/** Converts the bits of a float16 to those of the same number in float32. */
function float16To32(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const digits = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (digits << 13); // inf and NaN
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (digits << 13);
  if (digits === 0) return sign;
  const shift = Math.clz32(digits) - 21; // a subnormal: shifted until its leading one is the implicit bit
  return sign | ((113 - shift) << 23) | (((digits << shift) & 0x3ff) << 13);
}

/** The bits of 16-bit floats, rounded once to nearest, ties to even. NaN becomes the quiet NaN whose other bits are zero. */
export function narrowed(values: ArrayLike<number>, dtype: "bfloat16" | "float16"): Uint16Array<ArrayBuffer> {
  const round = dtype === "bfloat16" ? toBfloat16 : toFloat16;
  const pack = dtype === "bfloat16" ? float32ToBfloat16 : float32To16;
  const one = new Float32Array(1);
  const bits = new Uint32Array(one.buffer);
  const short = new Uint16Array(values.length);
  for (let i = 0; i < short.length; i++) {
    const value = values[i] ?? 0;
    one[0] = round(value); // exact: float32 represents every number of both formats
    short[i] = Number.isNaN(value) ? pack(0x7fc00000) : pack(bits[0] ?? 0);
  }
  return short;
}

const float32ToBfloat16 = (bits: number): number => bits >>> 16;

/** Converts the bits of a float32 that float16 can represent to those of the float16. */
function float32To16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  const digits = bits & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00 | (digits >>> 13);
  if (exponent > 112) return sign | ((exponent - 112) << 10) | (digits >>> 13);
  if (exponent < 103) return sign; // zero
  return sign | ((digits | 0x800000) >>> (126 - exponent)); // a subnormal
}
