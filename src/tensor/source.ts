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
  const floats = new Float32Array(elements.length);
  const bits = new Uint32Array(floats.buffer);
  const isHalf = dtype === "float16";
  for (let i = 0; i < bits.length; i++) {
    const short = elements[i] ?? 0;
    if (isHalf) {
      bits[i] = ((short & 0x8000) << 16) | ((short & 0x7fff) << 13);
      if ((short & 0x7c00) === 0x7c00)
        bits[i] = (bits[i] ?? 0) | 0x7f800000; // inf and NaN
      else floats[i] = (floats[i] ?? 0) * 2 ** 112; // from the exponents of float32 to those of float16: 127 - 15
    } else bits[i] = short << 16; // [io.widen]
  }
  return floats;
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

/** The numbers rounded once to a dtype. The result may be the array that is given: do not write into it. */
export function elementsAs(numbers: Float64Array | Float32Array, dtype: Precision): Elements {
  if (dtype === "float64") return numbers instanceof Float64Array ? numbers : Float64Array.from(numbers);
  if (dtype === "float32") return numbers instanceof Float32Array ? numbers : Float32Array.from(numbers);
  return narrowed(numbers, dtype);
}

/** The same numbers, rounded to another dtype whenever they are read. */
export const inDtype = (source: TensorSource, dtype: Precision): TensorSource => ({
  ...source,
  dtype,
  read: (from, to) => elementsAs(widened(source.read(from, to), source.dtype), dtype),
});
