// The values that a pickle can become: plain data, and descriptions of arrays whose numbers stay in the file.
import type { ByteSource } from "#host";
import type { Shape } from "../../tensor/tensor.ts";
import type { StoredDtype } from "../dtypes.ts";
import { utf8 } from "../wording.ts";

/** A key of a dictionary or a member of a set. Python's True and 1 are the same key; it is 1 here. */
export type Key = string | number | null;

/** Plain data: lists and tuples are arrays, dictionaries are maps, integers beyond 2⁵³ are bigints. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | LongText
  | Bytes
  | Named
  | NumpyDtype
  | StoredArray
  | NotRead
  | readonly PickleValue[]
  | ReadonlyMap<Key, PickleValue>
  | ReadonlySet<Key>;

/** Bytes of a storage or of an array, read in ranges. */
export type Bytewise = Pick<ByteSource, "size" | "read">;

/** A part of a source. */
export const slice = (source: ByteSource, begin: number, end: number): Bytewise => ({
  size: end - begin,
  read: (from, to) => source.read(begin + from, Math.min(begin + to, end)),
});

/** A text too long to be read in advance. */
export class LongText {
  readonly #bytes: Bytewise;

  constructor(bytes: Bytewise) {
    this.#bytes = bytes;
  }

  /** The text; null if it is not UTF-8. */
  read(): string | null {
    return utf8(this.#bytes.read(0, this.#bytes.size));
  }
}

/** A bytes object, read on request. */
export class Bytes {
  readonly #source: Bytewise | string | LongText;

  /** Texts stand for the bytes of their characters, as protocols 0 to 2 write them. */
  constructor(source: Bytewise | string | LongText) {
    this.#source = source;
  }

  /** The number of bytes; null where only reading them tells. */
  get size(): number | null {
    const source = this.#source;
    if (typeof source === "string") return source.length;
    return source instanceof LongText ? null : source.size;
  }

  /** The bytes from `from` up to `to`; null if a text holds a character beyond 255, or there are fewer bytes. */
  read(from: number, to: number): Uint8Array | null {
    const source = this.#source;
    const text = source instanceof LongText ? source.read() : source;
    if (text === null) return null;
    const size = typeof text === "string" ? text.length : text.size;
    if (to > size) return null;
    return typeof text === "string" ? latin1(text.slice(from, to)) : text.read(from, to);
  }
}

/** The text whose characters are these bytes. */
export function latin1Text(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 1 << 14)
    parts.push(String.fromCharCode(...bytes.subarray(at, at + (1 << 14))));
  return parts.join("");
}

/** The bytes of such a text; null if it has other characters. */
function latin1(text: string): Uint8Array | null {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255) return null;
    bytes[i] = code;
  }
  return bytes;
}

/** A value that is kept as a text: the name of a dtype, a device or a layout, and a complex number. */
export class Named {
  readonly kind: "torch.dtype" | "torch.device" | "torch.layout" | "complex";
  readonly name: string;

  constructor(kind: Named["kind"], name: string) {
    this.kind = kind;
    this.name = name;
  }
}

/** A numpy.dtype: a code such as "f4" and the byte order. */
export class NumpyDtype {
  readonly code: string;
  order = "|";
  /** Whether it has fields or a subarray. */
  structured = false;

  constructor(code: string) {
    this.code = code;
  }
}

/** A tensor or an array that is listed, and refused when its values are read. */
export class NotRead {
  /** "is a sparse tensor; …": what it is, and the remedy. */
  readonly problem: string;

  constructor(problem: string) {
    this.problem = problem;
  }
}

export interface ArrayParts {
  readonly dtype: StoredDtype;
  readonly shape: Shape;
  /** Strides and offset in elements of the storage. */
  readonly stride: readonly number[];
  readonly offset: number;
  /** Two arrays with the same storage share their bytes. */
  readonly storage: Bytes | Bytewise;
  readonly bigEndian: boolean;
}

/** A tensor or an array, whose values are read by its name in the file. numpy's are empty at first: a later opcode describes them. */
export class StoredArray {
  #parts: ArrayParts | NotRead | null;

  constructor(parts: ArrayParts | NotRead | null) {
    this.#parts = parts;
  }

  /** The description; null as long as there is none. */
  get parts(): ArrayParts | NotRead | null {
    return this.#parts;
  }

  /** null for an array that is not read. */
  get dtype(): StoredDtype | null {
    return this.#parts instanceof NotRead ? null : (this.#parts?.dtype ?? null);
  }

  /** null for an array that is not read. */
  get shape(): Shape | null {
    return this.#parts instanceof NotRead ? null : (this.#parts?.shape ?? null);
  }

  describe(parts: ArrayParts | NotRead): void {
    this.#parts = parts;
  }
}

/** collections.OrderedDict, which unlike a dict can have attributes. */
export class OrderedDict<V> extends Map<Key, V> {}
