// The functions and classes that torch.save names (torch/_utils.py and torch/serialization.py of PyTorch 2.13).
import { sizeOf } from "../../tensor/tensor.ts";
import { checkCount, table } from "../pickle/containers.ts";
import { type Callable, described, type Machine, Opaque, type Value } from "../pickle/machine.ts";
import { asShape } from "../pickle/numpy.ts";
import { type Bytewise, Named, NotRead, StoredArray } from "../pickle/values.ts";
import { quoted } from "../wording.ts";
import { dtypes, StorageClass, type TorchDtype, torchDtype, widthOf } from "./dtypes.ts";

/** Memory that tensors share. */
class Storage extends Opaque {
  readonly type: StorageClass;
  readonly bytes: Bytewise;
  readonly bigEndian: boolean;

  constructor(type: StorageClass, bytes: Bytewise, bigEndian: boolean) {
    super("a storage");
    this.type = type;
    this.bytes = bytes;
    this.bigEndian = bigEndian;
  }
}

/** Storages by their ids ("storage", class, key, device, number of elements). `bytesOf` has the bytes of a key; null for none. */
export function storages(
  bytesOf: (key: string) => Bytewise | null,
  bigEndian: boolean,
): (id: Value, m: Machine) => Value | null {
  const known = new Map<string, Storage>();
  return (id, m) => {
    if (!Array.isArray(id) || id.length !== 5 || id[0] !== "storage") return null;
    const [, type, key, , count]: readonly Value[] = id;
    if (!(type instanceof StorageClass) || typeof key !== "string" || !Number.isSafeInteger(count))
      return null;
    const wrong = (problem: string) =>
      m.fail(`storage ${quoted(key)} ${problem}; fetch or write the file again`, "torch.storages");
    const bytes = known.get(key)?.bytes ?? bytesOf(key);
    if (bytes === null) throw wrong("is not in the archive");
    const storage = known.get(key) ?? new Storage(type, bytes, bigEndian);
    known.set(key, storage);
    const size = Number(count) * (type.dtype === null ? 1 : widthOf(type.dtype));
    if (bytes.size !== size) throw wrong(`has ${bytes.size} bytes, and the pickle expects ${size}`); // [torch.storages]
    if (storage.type !== type) throw wrong(`is used as ${storage.type.name} and as ${type.name}`); // [torch.storages]
    return storage;
  };
}

/** _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata]); _rebuild_tensor ends at the stride. */
function tensor(args: readonly Value[], m: Machine): Value {
  checkCount(m, "_rebuild_tensor_v2", args, 4, 7);
  const [storage, , , , requiresGrad = false, , metadata = null] = args;
  checkFlags(requiresGrad, metadata, m);
  const dtype = storage instanceof Storage ? storage.type.dtype : null;
  return tensorOf(args, dtype ?? "U8", metadata, m);
}

function checkFlags(requiresGrad: Value, metadata: Value, m: Machine): void {
  if (typeof requiresGrad === "boolean" && (metadata === null || metadata instanceof Map)) return;
  throw m.broken("has a tensor of an unknown form");
}

/** The same with a dtype, for a storage of bytes: (…, hooks, dtype[, metadata]). */
function tensorWithDtype(args: readonly Value[], m: Machine): Value {
  checkCount(m, "_rebuild_tensor_v3", args, 7, 8);
  const [, , , , requiresGrad = null, , type, metadata = null] = args;
  checkFlags(requiresGrad, metadata, m);
  const dtype = type instanceof Named && type.kind === "torch.dtype" ? torchDtype(type.name) : null;
  if (dtype === null) throw m.broken(`has a tensor whose dtype is ${described(type ?? null)}`);
  return tensorOf(args, dtype, metadata, m);
}

function tensorOf(args: readonly Value[], dtype: TorchDtype, metadata: Value, m: Machine): Value {
  const [storage, offset, size, strides] = args;
  const [shape, stride] = [asShape(size), asShape(strides)];
  const isTensor = storage instanceof Storage && shape !== null && shape.length === stride?.length;
  if (!isTensor || !Number.isSafeInteger(offset) || Number(offset) < 0)
    throw m.broken("has a tensor of an unknown form");
  const count = Math.floor(storage.bytes.size / widthOf(dtype));
  const last = shape.reduce((sum, n, axis) => sum + (n - 1) * (stride[axis] ?? 0), Number(offset));
  const shown = `a tensor of shape ${quoted(String(shape))}`;
  if (sizeOf(shape) > 0 && last >= count)
    // [torch.views]
    throw m.fail(
      `${shown} extends beyond the ${count} elements of its storage; write the file again`,
      "torch.views",
    );
  if (sizeOf(shape) > count)
    return new NotRead(`repeats the ${count} elements of its storage; save tensor.contiguous() in its place`); // [torch.views]
  if (metadata instanceof Map && metadata.size > 0)
    return new NotRead(
      "is a conjugate or negated view; save tensor.resolve_conj().resolve_neg() in its place",
    );
  if (typeof dtype !== "string")
    return new NotRead(`is ${dtype.name}, which is not read here; ${remedy(dtype.name)}`);
  const { bytes, bigEndian } = storage;
  return new StoredArray({ dtype, shape, stride, offset: Number(offset), storage: bytes, bigEndian });
}

const remedy = (dtype: string): string =>
  dtype.startsWith("complex") ? "save torch.view_as_real(tensor)" : "save tensor.dequantize()";

/** _rebuild_parameter(tensor, requires_grad, hooks[, attributes]): its tensor. */
function parameter(args: readonly Value[], m: Machine): Value {
  checkCount(m, "_rebuild_parameter", args, 3, 4);
  return tensorIn(args[0] ?? null, m);
}

function tensorIn(value: Value, m: Machine): Value {
  if (value instanceof StoredArray || value instanceof NotRead) return value;
  throw m.broken(`makes a parameter of ${described(value)}`);
}

const TENSOR_CLASSES: readonly Value[] = [
  new Opaque("torch.Tensor"),
  new Opaque("torch.nn.parameter.Parameter"),
];

/** _rebuild_from_type_v2(function, class, arguments, attributes): a tensor with attributes, which are not kept. */
function tensorWithAttributes(args: readonly Value[], m: Machine): Value {
  checkCount(m, "_rebuild_from_type_v2", args, 4);
  const [construct = null, type = null, given = null] = args;
  if (!TENSOR_CLASSES.includes(type)) throw m.broken(`makes a tensor of class ${described(type)}`);
  return tensorIn(m.call(construct, given), m);
}

const notRead =
  (problem: string): Callable["call"] =>
  () =>
    new NotRead(problem);

function size(args: readonly Value[], m: Machine): Value {
  checkCount(m, "torch.Size", args, 1);
  const shape = asShape(args[0]);
  if (shape === null) throw m.broken("has a torch.Size that is no list of lengths");
  return Object.freeze(shape) as Value;
}

/** torch.device("cuda:0") or torch.device("cuda", 0). */
function device(args: readonly Value[], m: Machine): Value {
  checkCount(m, "torch.device", args, 1, 2);
  const isDevice = typeof args[0] === "string" && (args[1] === undefined || Number.isSafeInteger(args[1]));
  if (!isDevice) throw m.broken("has a torch.device without a name");
  return new Named("torch.device", args.join(":"));
}

function layout(args: readonly Value[], m: Machine): Value {
  checkCount(m, "torch.serialization._get_layout", args, 1);
  if (typeof args[0] !== "string") throw m.broken("has a layout without a name");
  return new Named("torch.layout", args[0]);
}

/** Quantisation schemes, which only refused tensors name. */
const SCHEMES = ["per_tensor_affine", "per_channel_affine", "per_channel_affine_float_qparams"];

const functions = table([
  [["torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor"], tensor],
  [["torch._utils._rebuild_tensor_v3"], tensorWithDtype],
  [["torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"], parameter],
  [["torch._tensor._rebuild_from_type_v2"], tensorWithAttributes],
  [
    ["torch._utils._rebuild_sparse_tensor"],
    notRead("is sparse, which is not read here; save tensor.to_dense()"),
  ],
  [
    ["torch._utils._rebuild_qtensor"],
    notRead("is quantised, which is not read here; save tensor.dequantize()"),
  ],
  [
    ["torch._utils._rebuild_nested_tensor"],
    notRead("is a nested tensor, which is not read here; save its parts"),
  ],
  [["torch._utils._rebuild_meta_tensor_no_storage"], notRead("has no values (its device is meta)")],
  [["torch.Size"], size],
  [["torch.device"], device],
  [["torch.serialization._get_layout"], layout],
]);

export const torch: ReadonlyMap<string, Value> = new Map<string, Value>([
  ...dtypes,
  ...functions,
  ["torch.Tensor", TENSOR_CLASSES[0] as Value],
  ["torch.nn.parameter.Parameter", TENSOR_CLASSES[1] as Value],
  ...SCHEMES.map((name): [string, Value] => [`torch.${name}`, new Opaque(`torch.${name}`)]),
]);
