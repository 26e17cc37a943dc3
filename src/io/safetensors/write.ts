// Writes safetensors files in the order of the official library: widest dtype first, then by key.
import { writeFile } from "#host";
import { RuleError } from "../../tensor/errors.ts";
import { checkGiven } from "../../tensor/given.ts";
import { isSource } from "../../tensor/source.ts";
import { type Int, type Shape, sizeOf, Tensor } from "../../tensor/tensor.ts";
import { didYouMean } from "../../terminal/nearest.ts";
import {
  bytesOf,
  DTYPE,
  type Dtype,
  encodeFloats,
  encodeInts,
  type FloatDtype,
  type IntDtype,
  isFloat,
  isWrittenInt,
  WIDTH,
} from "../dtypes.ts";
import { joined } from "../file-content.ts";
import { indexOf, quoted } from "../wording.ts";
import { METADATA } from "./header.ts";
import type { Stored } from "./read.ts";
import { LONE_SURROGATE } from "./scanner.ts";

/** The dtypes and the metadata of a file. */
export interface WriteOptions {
  /**
   * The dtype for tensors of floats that are not in `dtypes`. "stored": the dtype in which each is stored, so that weights that were
   * read from a file with 16 bits are written with the same bits. Default: F64 or F32, as in memory.
   */
  readonly floats?: Dtype | "stored";
  /** The dtype for each key. The default for integers is I64. */
  readonly dtypes?: ReadonlyMap<string, Dtype>;
  readonly metadata?: ReadonlyMap<string, string>;
}

/**
 * The content of a file. The same tensors give the same bytes, independently of their order. Throws a RuleError for an option
 * that is unknown, and for a name, a text or a value that the format cannot hold.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Stored>,
  options: WriteOptions = {},
): Uint8Array {
  checkGiven("writeSafetensors", { tensors }, "a Map");
  return joined([...chunks(tensors, options)]);
}

/** Writes a file one tensor at a time, so that it may be larger than memory. Throws as `writeSafetensors` does. */
export function saveSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Stored>,
  options: WriteOptions = {},
): void {
  checkGiven("saveSafetensors", { tensors }, "a Map");
  writeFile(path, chunks(tensors, options));
}

interface Entry {
  readonly key: string;
  readonly dtype: Dtype;
  readonly shape: Shape;
  readonly bytes: () => Uint8Array;
}

const RANK = Object.keys(WIDTH) as Dtype[];
const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const OPTIONS: readonly string[] = ["floats", "dtypes", "metadata"] satisfies (keyof WriteOptions)[];

/** Throws a RuleError for an option that is unknown, and for a name or a text that the format cannot hold. */
function checkTexts(tensors: ReadonlyMap<string, Stored>, options: WriteOptions): void {
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined)
    throw new RuleError(
      `there is no option ${quoted(unknown)}${didYouMean(unknown, OPTIONS)}`,
      "options.known",
    );
  const texts = [...tensors.keys(), ...[...(options.metadata ?? [])].flat()];
  const wrong = texts.find((text) => typeof text !== "string" || LONE_SURROGATE.test(text));
  if (wrong === undefined) return; // [io.fits]
  const problem =
    typeof wrong === "string" ? `${quoted(wrong)} holds half of a surrogate pair` : `${wrong} is no text`;
  throw new RuleError(`${problem}; keys and metadata are texts of whole characters`, "io.fits");
}

function* chunks(tensors: ReadonlyMap<string, Stored>, options: WriteOptions): Generator<Uint8Array> {
  checkTexts(tensors, options);
  const entries = [...tensors].map(([key, value]) => entryOf(key, value, options));
  entries.sort((a, b) => RANK.indexOf(b.dtype) - RANK.indexOf(a.dtype) || byText(a.key, b.key)); // [io.deterministic]
  yield headerOf(entries, options.metadata ?? new Map());
  for (const { bytes } of entries) yield bytes();
}

function entryOf(key: string, value: Stored, { floats, dtypes }: WriteOptions): Entry {
  if (key === METADATA) throw new RuleError(`a tensor cannot be called "${METADATA}"; rename it`, "io.keys");
  const { shape } = value;
  const named = dtypes?.get(key);
  if (value instanceof Tensor) {
    const dtype = named ?? (floats === "stored" ? DTYPE[value.dtype] : floats) ?? inMemory(value);
    if (isFloat(dtype)) return { key, dtype, shape, bytes: () => floatBytes(value, dtype) };
  } else if (value.kind === "bool") {
    const dtype = named ?? "BOOL";
    if (dtype === "BOOL") return { key, dtype, shape, bytes: () => value.flat().map((bit) => (bit ? 1 : 0)) };
  } else {
    const dtype = named ?? "I64";
    if (isWrittenInt(dtype)) return { key, dtype, shape, bytes: () => integers(key, value, dtype) };
  }
  const kind = value instanceof Tensor ? "floats" : value.kind === "bool" ? "booleans" : "integers";
  const requested = named ?? floats;
  throw new RuleError(
    `tensor ${quoted(key)} holds ${kind}, which cannot be written as ${requested}`,
    "io.fits",
  );
}

/** The dtype of a tensor's values in memory, where 16-bit floats are float32. */
const inMemory = ({ dtype }: Tensor): FloatDtype => (dtype === "float64" ? "F64" : "F32");

function floatBytes(t: Tensor, dtype: FloatDtype): Uint8Array {
  const { stored } = t;
  if (isSource(stored) && DTYPE[stored.dtype] === dtype) return bytesOf(stored.read(0, t.size)); // the same bits  [io.bits]
  return encodeFloats(t.flat(), dtype);
}

function integers(key: string, value: Int, dtype: IntDtype): Uint8Array {
  const bytes = encodeInts(value.flat(), dtype);
  if (bytes instanceof Uint8Array) return bytes; // [io.fits]
  const position = `at index ${indexOf(bytes.tooWide, value.shape)}`;
  throw new RuleError(`tensor ${quoted(key)} has a value ${position} that ${dtype} cannot hold`, "io.fits");
}

/** Serialised member by member, because an object would move keys such as "0" to the front. */
function headerOf(entries: readonly Entry[], metadata: ReadonlyMap<string, string>): Uint8Array {
  const member = (key: string, value: unknown): string => `${JSON.stringify(key)}:${JSON.stringify(value)}`;
  const strings = [...metadata].sort(([a], [b]) => byText(a, b)).map(([key, value]) => member(key, value));
  const members = strings.length > 0 ? [`${JSON.stringify(METADATA)}:{${strings.join(",")}}`] : [];
  let at = 0;
  for (const { key, dtype, shape } of entries) {
    const end = at + WIDTH[dtype] * sizeOf(shape);
    members.push(member(key, { dtype, shape, data_offsets: [at, end] }));
    at = end;
  }
  const text = new TextEncoder().encode(`{${members.join(",")}}`);
  const length = Math.ceil(text.length / 8) * 8;
  const header = new Uint8Array(8 + length).fill(" ".charCodeAt(0)); // [io.header-aligned]
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(text, 8);
  return header;
}
