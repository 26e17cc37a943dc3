// Arrays of numpy, as ndarray.__reduce__ and dtype.__reduce__ write them, and those of JAX, which pickle through numpy.
import { rowMajor, type Shape, sizeOf } from "../../tensor/tensor.ts";
import { bitsOf, type StoredDtype } from "../dtypes.ts";
import { quoted } from "../wording.ts";
import { checkCount, table } from "./containers.ts";
import { described, type Machine, Opaque, type Value } from "./machine.ts";
import { type ArrayParts, Bytes, NotRead, NumpyDtype, type PickleValue, StoredArray } from "./values.ts";

/** numpy's codes of the dtypes that are read. */
const CODES: ReadonlyMap<string, StoredDtype> = new Map([
  ["f8", "F64"],
  ["f4", "F32"],
  ["f2", "F16"],
  ["bfloat16", "BF16"],
  ["i8", "I64"],
  ["i4", "I32"],
  ["i2", "I16"],
  ["i1", "I8"],
  ["u8", "U64"],
  ["u4", "U32"],
  ["u2", "U16"],
  ["u1", "U8"],
  ["b1", "BOOL"],
]);

/** Kinds of other codes by their first letter. */
const KINDS: Readonly<Record<string, string>> = {
  O: "Python objects",
  U: "texts",
  S: "byte strings",
  c: "complex numbers",
  V: "records",
  M: "dates",
  m: "durations",
};

const MOST_AXES = 32;

/** A list of at most 32 lengths whose product is exact; null for any other value. */
export function asShape(value: Value | undefined): Shape | null {
  if (!Array.isArray(value) || value.length > MOST_AXES) return null;
  const isLength = (n: unknown): n is number => Number.isSafeInteger(n) && Number(n) >= 0;
  if (!value.every(isLength)) return null;
  return Number.isSafeInteger(value.reduce((product, n) => product * (n || 1), 8)) ? [...value] : null;
}

/** numpy.dtype(code, align, copy). */
function dtype(args: readonly Value[], m: Machine): Value {
  checkCount(m, "numpy.dtype", args, 1, 3);
  const [code, ...flags] = args;
  if (flags.some((flag) => typeof flag !== "boolean")) throw m.broken("has a numpy.dtype of an unknown form");
  if (code === BFLOAT16) return new NumpyDtype("bfloat16");
  if (typeof code === "string" && code.length <= 32) return new NumpyDtype(code);
  throw m.broken(`makes a numpy.dtype of ${described(code ?? null)}`);
}

/** (3, byte order, subarray, names, fields, size, alignment, flags), or (4, …, metadata). */
function buildDtype(made: NumpyDtype, state: Value, m: Machine): void {
  const parts: readonly unknown[] = isTuple(state) ? state : [];
  const [version, order, ...rest] = parts;
  const isKnown = (version === 3 && parts.length === 8) || (version === 4 && parts.length === 9);
  const isOrder = order === "<" || order === ">" || order === "|" || order === "=";
  if (!isKnown || !isOrder || !rest.slice(3, 6).every(Number.isSafeInteger))
    throw m.broken("has a numpy.dtype of an unknown form");
  made.order = order;
  made.structured = rest.slice(0, 3).some((part) => part !== null);
}

const isTuple = (value: Value | undefined): value is readonly PickleValue[] =>
  Array.isArray(value) && Object.isFrozen(value);

/** An array that `build` describes: numpy.ndarray, the shape (0,) and the code b"b" are placeholders. */
function reconstruct(args: readonly Value[], m: Machine): Value {
  checkCount(m, "numpy._reconstruct", args, 3);
  if (args[0] !== NDARRAY) throw m.broken(`makes an array of ${described(args[0] ?? null)}`);
  return new StoredArray(null);
}

const NDARRAY = new Opaque("numpy.ndarray");
/** The class of JAX's bfloat16 numbers. */
const BFLOAT16 = new Opaque("ml_dtypes.bfloat16");

/** (version, shape, dtype, Fortran order, bytes). */
function buildArray(array: StoredArray, state: Value, m: Machine): void {
  if (array.parts !== null) throw m.broken("describes an array twice");
  const parts: readonly Value[] = isTuple(state) ? state : [];
  const [version, shape = null, type = null, isFortran, data = null] = parts;
  if (version !== 1 || parts.length !== 5 || typeof isFortran !== "boolean")
    throw m.broken("has an array of an unknown form");
  array.describe(describeArray(shape, type, isFortran ? "F" : "C", data, m));
}

function describeArray(
  shape: Value,
  type: Value,
  order: Value,
  data: Value,
  m: Machine,
): ArrayParts | NotRead {
  const lengths = isTuple(shape) ? asShape(shape) : null;
  if (lengths === null || !(type instanceof NumpyDtype) || (order !== "C" && order !== "F"))
    throw m.broken("has an array of an unknown form");
  const stored = type.structured ? undefined : CODES.get(type.code);
  if (stored === undefined)
    return new NotRead(`is an array of ${kindOf(type)}, which is not read here; save numbers`);
  const source = typeof data === "string" ? new Bytes(data) : data;
  if (!(source instanceof Bytes)) throw m.broken(`has ${described(data)} in place of the bytes of an array`);
  const needed = (sizeOf(lengths) * bitsOf(stored)) / 8;
  const size = source.size ?? needed;
  if (size !== needed)
    // [pickle.arrays]
    throw m.fail(
      `an array has ${size} bytes; ${stored} ${JSON.stringify(lengths)} needs ${needed}`,
      "pickle.arrays",
    );
  const stride = order === "C" ? rowMajor(lengths) : rowMajor([...lengths].reverse()).reverse();
  return { dtype: stored, shape: lengths, stride, offset: 0, storage: source, bigEndian: type.order === ">" };
}

const kindOf = ({ code, structured }: NumpyDtype): string =>
  structured ? "records" : (KINDS[code[0] ?? ""] ?? `dtype ${quoted(code)}`);

/** numpy.core.multiarray.scalar(dtype, bytes): an array without axes. */
function scalar(args: readonly Value[], m: Machine): Value {
  checkCount(m, "numpy scalar", args, 2);
  const [type, data] = args;
  return new StoredArray(describeArray(Object.freeze([]), type as Value, "C", data as Value, m));
}

/** numpy's _frombuffer(bytes, dtype, shape, order), of protocol 5. */
function fromBuffer(args: readonly Value[], m: Machine): Value {
  checkCount(m, "numpy._frombuffer", args, 4);
  const [data, type, shape, order] = args as readonly [Value, Value, Value, Value];
  return new StoredArray(describeArray(shape, type, order, data, m));
}

/** JAX's array around numpy's: what numpy's __reduce__ gives, and attributes that do not change the values. */
function jaxArray(args: readonly Value[], m: Machine): Value {
  checkCount(m, "jax._reconstruct_array", args, 4);
  const [construct, args0, state] = args as readonly [Value, Value, Value, Value];
  const array = m.call(construct, args0);
  m.build(array, state);
  return array;
}

const CORE = ["numpy.core", "numpy._core"];

export const numpy: ReadonlyMap<string, Value> = new Map<string, Value>([
  [NDARRAY.name, NDARRAY],
  [BFLOAT16.name, BFLOAT16],
  ...table([
    [["numpy.dtype"], dtype],
    [CORE.map((core) => `${core}.multiarray._reconstruct`), reconstruct],
    [CORE.map((core) => `${core}.multiarray.scalar`), scalar],
    [CORE.map((core) => `${core}.numeric._frombuffer`), fromBuffer],
    // https://github.com/jax-ml/jax, jax/_src/array.py, and device_array.py of 0.3
    [["jax._src.array._reconstruct_array", "jax._src.device_array.reconstruct_device_array"], jaxArray],
  ]),
]);

/** Describes a dtype or an array. */
export function buildNumpy(object: Value, state: Value, m: Machine): boolean {
  if (object instanceof NumpyDtype) buildDtype(object, state, m);
  else if (object instanceof StoredArray) buildArray(object, state, m);
  else return false;
  return true;
}
