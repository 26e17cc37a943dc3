// Stored arrays as entries of a tensor file: their bytes in row-major order, wherever the elements lie in the storage.
import { LoadError } from "../../tensor/errors.ts";
import { contiguous, indexAt } from "../../tensor/tensor.ts";
import { bitsOf } from "../dtypes.ts";
import type { Entry, Unreadable } from "../tensor-file.ts";
import { quoted } from "../wording.ts";
import { type ArrayParts, NotRead, StoredArray } from "./values.ts";

/** The entry of a tensor or an array. `file` and `key` are named in errors. */
export function entryOf(file: string, key: string, value: StoredArray | NotRead): Entry | Unreadable {
  const parts = value instanceof StoredArray ? value.parts : value;
  if (parts === null || parts instanceof NotRead) return { problem: parts?.problem ?? "has no values" };
  const { dtype, shape, stride, offset } = parts;
  const width = bitsOf(dtype) / 8;
  const read = (from: number, to: number): Uint8Array => {
    const bytes = parts.storage.read(width * (offset + from), width * (offset + to));
    if (bytes === null || bytes.length !== width * (to - from))
      throw new LoadError(
        `${file}: the bytes of tensor ${quoted(key)} are damaged; fetch or write the file again  [pickle.arrays]`,
      );
    return parts.bigEndian ? swapped(bytes, width) : bytes;
  };
  const isDense = contiguous({ data: null, shape, stride, offset });
  if (isDense) return { dtype, shape, bytes: read };
  const last = shape.reduce((sum, n, axis) => sum + (n - 1) * (stride[axis] ?? 0), 0);
  const bytes = (from: number, to: number): Uint8Array =>
    from === to ? new Uint8Array(0) : gathered(read(0, last + 1), width, parts, from, to); // [torch.views]
  return { dtype, shape, bytes, sequential: true };
}

/** The elements at row-major positions from `from` up to `to`; `bytes` begin with the first element. */
function gathered(
  bytes: Uint8Array,
  width: number,
  { shape, stride }: ArrayParts,
  from: number,
  to: number,
): Uint8Array {
  const out = new Uint8Array(width * (to - from));
  const index = indexAt(from, shape);
  let at = index.reduce((sum, i, axis) => sum + i * (stride[axis] ?? 0), 0);
  for (let target = 0; target < out.length; target += width) {
    for (let i = 0; i < width; i++) out[target + i] = bytes[width * at + i] ?? 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const [i, n, step] = [(index[axis] ?? 0) + 1, shape[axis] ?? 0, stride[axis] ?? 0];
      at += step;
      index[axis] = i;
      if (i < n) break;
      at -= n * step;
      index[axis] = 0;
    }
  }
  return out;
}

/** The same numbers in the other byte order. */
function swapped(bytes: Uint8Array, width: number): Uint8Array {
  const out = new Uint8Array(bytes.length);
  for (let at = 0; at < out.length; at++) out[at] = bytes[at - (at % width) + width - 1 - (at % width)] ?? 0; // [pickle.arrays]
  return out;
}

/** Groups of names whose tensors have the same bytes, shape and strides. */
export function tiesOf(tensors: ReadonlyMap<string, StoredArray | NotRead>): string[][] {
  const storages = new Map<object, number>();
  const groups = new Map<string, string[]>();
  for (const [key, value] of tensors) {
    const parts = value instanceof StoredArray ? value.parts : null;
    if (parts === null || parts instanceof NotRead) continue;
    const id = storages.get(parts.storage) ?? storages.size;
    storages.set(parts.storage, id);
    const place = JSON.stringify([id, parts.dtype, parts.offset, parts.shape, parts.stride]); // [torch.ties]
    const group = groups.get(place);
    if (group === undefined) groups.set(place, [key]);
    else group.push(key);
  }
  return [...groups.values()].filter((names) => names.length > 1);
}
