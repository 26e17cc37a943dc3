// Writes checkpoints that torch.load reads: a zip archive with a pickle (data.pkl) and the bytes of every storage (data/0, data/1 …), without
// compression (torch/serialization.py; APPNOTE.TXT of PKWARE, version 6.3). Tensors that are tied share a storage.
import { writeFile } from "#host";
import { RuleError } from "../../tensor/errors.ts";
import { checkGiven } from "../../tensor/given.ts";
import { isSource } from "../../tensor/source.ts";
import { rowMajor, type Shape, Tensor } from "../../tensor/tensor.ts";
import { bytesOf, DTYPE, encodeFloats, type FloatDtype } from "../dtypes.ts";
import { joined } from "../file-content.ts";
import { crc } from "../images/png/chunks.ts";
import { quoted } from "../wording.ts";

/** The classes of storages. */
const STORAGES: Readonly<Record<FloatDtype, string>> = {
  F64: "DoubleStorage",
  F32: "FloatStorage",
  F16: "HalfStorage",
  BF16: "BFloat16Storage",
};
const FOLDER = "archive/";
/** Storages begin at multiples of this, as those of torch.save. */
const ALIGNMENT = 64;
/** The length of the fixed part of the header before an entry. */
const LOCAL = 30;
const [FULL16, FULL32] = [0xffff, 0xffffffff];
const text = new TextEncoder();

/**
 * Writes tensors of floats to a file that `torch.load` reads as a dictionary, one tensor at a time, each in the dtype in which it is stored.
 * Throws a RuleError for values that are no floats.
 */
export function saveTorch(path: string, tensors: ReadonlyMap<string, Tensor>): void {
  checkGiven("saveTorch", { tensors }, "a Map");
  writeFile(path, chunks(tensors));
}

/**
 * The content of such a file. Throws as `saveTorch` does; that one throws a RuleError for values that are no floats, and for a
 * tensor of 4 GiB or more.
 */
export function writeTorch(tensors: ReadonlyMap<string, Tensor>): Uint8Array {
  checkGiven("writeTorch", { tensors }, "a Map");
  return joined([...chunks(tensors)]);
}

const dtypeOf = (t: Tensor): FloatDtype => DTYPE[isSource(t.stored) ? t.stored.dtype : t.dtype];

function storageBytes(t: Tensor): Uint8Array {
  const { stored } = t;
  return isSource(stored) ? bytesOf(stored.read(0, t.size)) : encodeFloats(t.flat(), dtypeOf(t));
}

function* chunks(tensors: ReadonlyMap<string, Tensor>): Generator<Uint8Array> {
  for (const [name, t] of tensors)
    if (!(t instanceof Tensor))
      throw new RuleError(
        `${quoted(name)} is not a tensor of floats, which this file can hold`,
        "torch.write",
      );
  const storages = [...new Set(tensors.values())]; // [torch.write-ties]
  const archive = new Archive();
  yield* archive.entry("data.pkl", pickled(tensors, storages));
  yield* archive.entry("byteorder", text.encode("little"));
  for (const [i, t] of storages.entries()) yield* archive.entry(`data/${i}`, storageBytes(t));
  yield* archive.entry("version", text.encode("3\n"));
  yield archive.end();
}

/** Opcodes of pickle protocol 2 (pickletools of Python). */
const OP = {
  protocol: [0x80, 2],
  mark: 0x28,
  emptyDict: 0x7d,
  setItems: 0x75,
  tuple: 0x74,
  reduce: 0x52,
  persistent: 0x51,
  no: 0x89,
  unicode: 0x58,
  global: 0x63,
  byte: 0x4b,
  int: 0x4a,
  long: 0x8a,
  stop: 0x2e,
};

const littleEndian = (n: number, width: number): number[] =>
  Array.from({ length: width }, (_, i) => Math.floor(n / 256 ** i) % 256);

const string = (value: string): number[] => {
  const bytes = text.encode(value);
  return [OP.unicode, ...littleEndian(bytes.length, 4), ...bytes];
};
const global = (module: string, name: string): number[] => [
  OP.global,
  ...text.encode(`${module}\n${name}\n`),
];
const whole = (n: number): number[] => {
  if (n < 256) return [OP.byte, n];
  return n < 2 ** 31 ? [OP.int, ...littleEndian(n, 4)] : [OP.long, 8, ...littleEndian(n, 8)];
};
const tuple = (...items: readonly (readonly number[])[]): number[] => [OP.mark, ...items.flat(), OP.tuple];
const shape = (lengths: Shape): number[] => tuple(...lengths.map(whole));

/** The dictionary from names to tensors, each a call of torch._utils._rebuild_tensor_v2. */
export function pickled(tensors: ReadonlyMap<string, Tensor>, storages: readonly Tensor[]): Uint8Array {
  const numbers = new Map(storages.map((t, i) => [t, i]));
  const parts = [Uint8Array.of(...OP.protocol, OP.emptyDict, OP.mark)];
  for (const [name, t] of tensors) {
    const storage = [
      string("storage"),
      global("torch", STORAGES[dtypeOf(t)]),
      string(String(numbers.get(t))),
      string("cpu"),
      whole(t.size),
    ];
    const hooks = [...global("collections", "OrderedDict"), ...tuple(), OP.reduce];
    const given = [
      [...tuple(...storage), OP.persistent],
      whole(0),
      shape(t.shape),
      shape(rowMajor(t.shape)),
      [OP.no],
      hooks,
    ];
    const call = [...global("torch._utils", "_rebuild_tensor_v2"), ...tuple(...given), OP.reduce];
    parts.push(Uint8Array.from([...string(name), ...call]));
  }
  parts.push(Uint8Array.of(OP.setItems, OP.stop));
  return joined(parts);
}

interface Written {
  readonly name: Uint8Array;
  readonly checksum: number;
  readonly size: number;
  readonly at: number;
}

/** A zip archive, entry by entry. Its end has the record of 64-bit numbers, as that of every file of torch.save. */
class Archive {
  readonly #entries: Written[] = [];
  #at = 0;

  *entry(plain: string, content: Uint8Array): Generator<Uint8Array> {
    const name = text.encode(FOLDER + plain);
    const entry: Written = { name, checksum: crc(content), size: content.length, at: this.#at };
    if (entry.size >= FULL32)
      throw new RuleError(`${plain} has ${entry.size} bytes, and a storage may have 4 GiB`, "torch.write");
    const bare = this.#at + LOCAL + name.length;
    const padding = (ALIGNMENT - ((bare + 4) % ALIGNMENT)) % ALIGNMENT;
    const extra = joined([bytesOfNumbers([0x4246, 2], [padding, 2]), new Uint8Array(padding).fill(0x5a)]); // "FB", as in torch
    const fixed = [[0x04034b50, 4], [0, 2], ...common(entry), [extra.length, 2]] as const;
    const header = joined([bytesOfNumbers(...fixed), name, extra]);
    this.#entries.push(entry);
    this.#at += header.length + content.length;
    yield header;
    yield content;
  }

  end(): Uint8Array {
    const directory = joined(this.#entries.map(inDirectory));
    const [begin, count] = [this.#at, this.#entries.length];
    const end64 = bytesOfNumbers(
      [0x06064b50, 4],
      [44, 8],
      [45, 2],
      [45, 2],
      [0, 8],
      [count, 8],
      [count, 8],
      [directory.length, 8],
      [begin, 8],
    );
    const locator = bytesOfNumbers([0x07064b50, 4], [0, 4], [begin + directory.length, 8], [1, 4]);
    const [short, from] = [Math.min(count, FULL16), Math.min(begin, FULL32)];
    const last = [
      [directory.length, 4],
      [from, 4],
      [0, 2],
    ] as const;
    const end = bytesOfNumbers([0x06054b50, 4], [0, 4], [short, 2], [short, 2], ...last);
    return joined([directory, end64, locator, end]);
  }
}

type Field = readonly [value: number, width: number];
const bytesOfNumbers = (...fields: readonly Field[]): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(fields.flatMap(([value, width]) => littleEndian(value, width)));

/** Fields that both headers of an entry have: flags, method, time, date (1 January 1980), checksum, sizes, the length of the name. */
const common = ({ checksum, size, name }: Written): Field[] => [
  [0x0800, 2],
  [0, 2],
  [0, 2],
  [0x21, 2],
  [checksum, 4],
  [size, 4],
  [size, 4],
  [name.length, 2],
];

function inDirectory(entry: Written): Uint8Array {
  const { name, at } = entry;
  const extra = at < FULL32 ? new Uint8Array(0) : bytesOfNumbers([1, 2], [8, 2], [at, 8]);
  const fixed = [
    [0x02014b50, 4],
    [0, 2],
    [0, 2],
    ...common(entry),
    [extra.length, 2],
    [0, 4],
    [0, 2],
    [0, 4],
    [Math.min(at, FULL32), 4],
  ] as const;
  return joined([bytesOfNumbers(...fixed), name, extra]);
}
