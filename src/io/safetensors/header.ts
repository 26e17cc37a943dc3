// The header of a safetensors file: 8 bytes of length, then JSON
//   { "__metadata__": { string: string }, key: { "dtype", "shape", "data_offsets": [begin, end] }, … }
// then the data. Every statement is checked against the size of the file before it is used. [io.hostile]
// Format: https://github.com/huggingface/safetensors, whose reader decides what is accepted. [io.official]
import type { ByteSource } from "#host";
import { LoadError } from "../../tensor/errors.ts";
import type { Shape } from "../../tensor/tensor.ts";
import { bitsOf, isStoredDtype, STORED_DTYPES, type StoredDtype } from "../dtypes.ts";
import { otherFormat } from "../other-formats.ts";
import { listed, quoted, utf8 } from "../wording.ts";
import { Scanner } from "./scanner.ts";

export interface TensorInfo {
  readonly dtype: StoredDtype;
  readonly shape: Shape;
  /** Offsets of its bytes in the data, which begins after the header. */
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  /** In the order of their bytes. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Offset of the data in the file. */
  readonly dataAt: number;
}

export const METADATA = "__metadata__";
const LONGEST_HEADER = 25_000_000;
/** A file with more axes is considered broken. (ndarray compiles code for each number of axes.) */
const MOST_AXES = 32;

type Fail = (problem: string, rule: string) => LoadError;

export function readHeader(source: ByteSource, name: string): Header {
  const fail: Fail = (problem, rule) => new LoadError(`${name}: ${problem}  [${rule}]`);
  const first = source.read(0, Math.min(8, source.size));
  const misfit = (problem: string, known: readonly Uint8Array[]): LoadError => {
    const format = otherFormat(source, known, "safetensors");
    return format === null ? fail(problem, "io.header-bounds") : fail(`this is ${format}`, "io.other-format");
  };
  const dataAt = 8 + headerLength(first, source.size, (problem) => misfit(problem, [first]));
  const bytes = source.read(8, dataAt);
  if (bytes[0] !== "{".charCodeAt(0))
    throw misfit("the header does not begin with {; this is not safetensors", [first, bytes]);
  const broken = (problem: string): LoadError =>
    fail(`the header ${problem}; write the file again`, "io.json");
  const text = utf8(bytes);
  if (text === null) throw broken("is not valid UTF-8");
  const scanner = new Scanner(text, broken);

  let metadata: Map<string, string> | null = null;
  const tensors = new Map<string, TensorInfo>();
  for (const key of scanner.members()) {
    if (tensors.has(key) || (key === METADATA && metadata !== null))
      throw broken(`has the key ${quoted(key)} twice`);
    if (key === METADATA) metadata = readMetadata(scanner, fail);
    else tensors.set(key, readInfo(key, scanner, source.size - dataAt, fail));
  }
  scanner.end(); // [io.json]
  return { tensors: inOrder(tensors, source.size - dataAt, fail), metadata: metadata ?? new Map(), dataAt };
}

function headerLength(first: Uint8Array, size: number, misfit: (problem: string) => LoadError): number {
  if (first.length < 8)
    throw misfit(`holds ${size} bytes, too few for a safetensors file; fetch or write it again`);
  const length = first.reduceRight((sum, byte) => sum * 256 + byte, 0);
  const cut = length > size - 8; // [io.header-bounds]
  if (cut) {
    const problem = `the header has ${length} bytes according to its length, but only ${size - 8} follow`;
    throw misfit(`${problem}; the file is cut short, or not safetensors`);
  }
  if (length > LONGEST_HEADER)
    throw misfit(`the header has ${length} bytes, more than the limit of ${LONGEST_HEADER}`);
  return length;
}

function readMetadata(scanner: Scanner, fail: Fail): Map<string, string> {
  const metadata = new Map<string, string>();
  if (scanner.null()) return metadata; // as none, like the official reader  [io.metadata]
  if (!scanner.isNext("{")) throw fail("the metadata is not an object of strings", "io.metadata");
  for (const key of scanner.members()) {
    const value = scanner.string();
    if (value === null) throw fail(`metadata ${quoted(key)} is not a string`, "io.metadata");
    if (metadata.has(key)) throw fail(`metadata ${quoted(key)} is a duplicate; remove one`, "io.metadata");
    metadata.set(key, value);
  }
  return metadata;
}

/** Reads the description of one tensor and checks it for consistency and against the size of the data. */
function readInfo(key: string, scanner: Scanner, size: number, fail: Fail): TensorInfo {
  const failHere: Fail = (problem, rule) => fail(`tensor ${quoted(key)} ${problem}`, rule);
  const { dtype, shape, range } = readEntry(scanner, failHere);
  const bits = shape.reduce((product, n) => product * (n || 1), bitsOf(dtype));
  const isPossible = Number.isSafeInteger(bits); // [io.shapes]
  if (!isPossible) {
    throw failHere(`has shape ${listed(shape)}, which no file can hold`, "io.shapes");
  }
  const needed = shape.includes(0) ? 0 : bits / 8; // a fraction fits no offsets
  const [begin, end] = range;
  const outside = begin > end || end > size; // [io.offsets]
  if (outside) {
    const position = `lies at bytes ${begin} to ${end} of the data, which has ${size}`;
    throw failHere(`${position}; the file is cut short or broken`, "io.offsets");
  }
  if (end - begin !== needed) {
    throw failHere(`has ${end - begin} bytes; ${dtype} ${listed(shape)} needs ${needed}`, "io.offsets");
  }
  return { dtype, shape, begin, end };
}

interface Entry {
  readonly dtype: StoredDtype;
  readonly shape: Shape;
  readonly range: readonly [number, number];
}

function readEntry(scanner: Scanner, failHere: Fail): Entry {
  const problem = "is not described by dtype, shape and data_offsets, once each";
  let dtype: StoredDtype | undefined;
  let shape: Shape | undefined;
  let range: Entry["range"] | undefined;
  if (!scanner.isNext("{")) throw failHere(problem, "io.entries");
  for (const member of scanner.members()) {
    if (member === "dtype" && dtype === undefined) dtype = readDtype(scanner, failHere);
    else if (member === "shape" && shape === undefined) shape = readShape(scanner, failHere);
    else if (member === "data_offsets" && range === undefined) range = readRange(scanner, failHere);
    else throw failHere(problem, "io.entries");
  }
  if (dtype && shape && range) return { dtype, shape, range }; // [io.entries]
  throw failHere(problem, "io.entries");
}

function readDtype(scanner: Scanner, failHere: Fail): StoredDtype {
  const name = scanner.string();
  if (isStoredDtype(name)) return name; // [io.dtypes]
  const given = name === null ? "a dtype that is not a name" : `dtype ${quoted(name)}`;
  throw failHere(`has ${given}; the format has ${STORED_DTYPES.join(" ")}`, "io.dtypes");
}

function readShape(scanner: Scanner, failHere: Fail): Shape {
  const shape = scanner.counts(MOST_AXES);
  if (shape !== null) return shape;
  throw failHere(`has a shape that is not a list of at most ${MOST_AXES} lengths`, "io.shapes");
}

function readRange(scanner: Scanner, failHere: Fail): Entry["range"] {
  const [begin, end] = scanner.counts(2) ?? [];
  if (begin !== undefined && end !== undefined) return [begin, end];
  throw failHere("has data_offsets that are not [begin, end]", "io.offsets");
}

/** The tensors must cover the data to the end of the file without gaps or overlaps, so that it holds no hidden bytes. */
function inOrder(tensors: ReadonlyMap<string, TensorInfo>, size: number, fail: Fail): Header["tensors"] {
  const sorted = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const [key, { begin, end }] of sorted) {
    const isDisplaced = begin !== at; // [io.cover]
    if (isDisplaced) {
      const problem = begin < at ? "overlaps the previous tensor" : "leaves unused bytes before it";
      throw fail(`tensor ${quoted(key)} ${problem}; write the file again`, "io.cover");
    }
    at = end;
  }
  if (at !== size)
    throw fail(
      `${size - at} bytes after the last tensor belong to no tensor; write the file again`,
      "io.cover",
    );
  return new Map(sorted);
}
