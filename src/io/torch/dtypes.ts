// The dtypes of PyTorch, and the classes of storages that have them.

import { bitsOf, type StoredDtype } from "../dtypes.ts";
import { Opaque, type Value } from "../pickle/machine.ts";
import { Named } from "../pickle/values.ts";

/** A dtype that safetensors do not have. */
interface OtherDtype {
  readonly name: string;
  /** Bytes of an element. */
  readonly width: number;
}
export type TorchDtype = StoredDtype | OtherDtype;

const KNOWN: ReadonlyMap<string, StoredDtype> = new Map([
  ["float64", "F64"],
  ["float32", "F32"],
  ["float16", "F16"],
  ["bfloat16", "BF16"],
  ["int64", "I64"],
  ["int32", "I32"],
  ["int16", "I16"],
  ["int8", "I8"],
  ["uint64", "U64"],
  ["uint32", "U32"],
  ["uint16", "U16"],
  ["uint8", "U8"],
  ["bool", "BOOL"],
  ["complex64", "C64"],
  ["float8_e4m3fn", "F8_E4M3"],
  ["float8_e5m2", "F8_E5M2"],
  ["float8_e8m0fnu", "F8_E8M0"],
  ["float8_e4m3fnuz", "F8_E4M3FNUZ"],
  ["float8_e5m2fnuz", "F8_E5M2FNUZ"],
]);
const OTHER: ReadonlyMap<string, number> = new Map([
  ["complex128", 16],
  ["complex32", 4],
  ["qint8", 1],
  ["quint8", 1],
  ["qint32", 4],
  ["quint4x2", 1],
  ["quint2x4", 1],
  ["float4_e2m1fn_x2", 1],
]);

/** The dtype of each class of storages. */
const STORAGES: Readonly<Record<string, string>> = {
  Double: "float64",
  Float: "float32",
  Half: "float16",
  BFloat16: "bfloat16",
  Long: "int64",
  Int: "int32",
  Short: "int16",
  Char: "int8",
  Byte: "uint8",
  Bool: "bool",
  ComplexDouble: "complex128",
  ComplexFloat: "complex64",
  QInt8: "qint8",
  QUInt8: "quint8",
  QInt32: "qint32",
  QUInt4x2: "quint4x2",
  QUInt2x4: "quint2x4",
};

/** The dtype that is called `torch.NAME`; null if there is none. */
export function torchDtype(name: string): TorchDtype | null {
  const width = OTHER.get(name);
  return KNOWN.get(name) ?? (width === undefined ? null : { name, width });
}

/** Bytes of an element. */
export const widthOf = (dtype: TorchDtype): number =>
  typeof dtype === "string" ? bitsOf(dtype) / 8 : dtype.width;

/** A class of storages; without a dtype it holds bytes. */
export class StorageClass extends Opaque {
  readonly dtype: TorchDtype | null;

  constructor(name: string, dtype: TorchDtype | null) {
    super(name);
    this.dtype = dtype;
  }
}

/** The dtypes and the classes of storages by their names. Storages of a GPU, which had classes of their own, hold the same bytes. */
export const dtypes: ReadonlyMap<string, Value> = new Map<string, Value>([
  ...[...KNOWN.keys(), ...OTHER.keys()].map((name): [string, Value] => [
    `torch.${name}`,
    new Named("torch.dtype", name),
  ]),
  ...Object.entries(STORAGES).flatMap(([prefix, dtype]) => {
    const type = new StorageClass(`torch.${prefix}Storage`, torchDtype(dtype));
    return [type.name, `torch.cuda.${prefix}Storage`].map((name): [string, Value] => [name, type]);
  }),
  ["torch.storage.UntypedStorage", new StorageClass("torch.storage.UntypedStorage", null)],
]);
