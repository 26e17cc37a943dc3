// Zip archives with uncompressed entries, as torch.save writes them (APPNOTE.TXT of PKWARE, version 6.3). The directory at the end
// of the file is read; the entries are not. Every statement is checked against the size of the file before it is used.
import type { ByteSource } from "#host";
import type { LoadError } from "../../tensor/errors.ts";
import type { Fail } from "../pickle/reader.ts";
import type { Bytewise } from "../pickle/values.ts";
import { quoted, utf8 } from "../wording.ts";

/** Lengths of the fixed parts of records, and the length of the longest comment at the end. */
const [END, END64, LOCATOR, HEADER, LOCAL, COMMENT] = [22, 56, 20, 46, 30, 0xffff];
const [END_MARK, END64_MARK, LOCATOR_MARK] = [0x06054b50, 0x06064b50, 0x07064b50];
const [HEADER_MARK, LOCAL_MARK] = [0x02014b50, 0x04034b50];
/** Fields with these values are to be found in a longer record. */
const [FULL16, FULL32] = [0xffff, 0xffffffff];

/** The list of all entries, at the end of the archive. */
interface Directory {
  readonly begin: number;
  readonly size: number;
  readonly count: number;
  /** Offset of the record that follows it. */
  readonly end: number;
}

export interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly encrypted: boolean;
  /** Bytes in the file. */
  readonly size: number;
  /** Offset of the header before the bytes. */
  readonly at: number;
  /** The next entry, or the directory, begins here. */
  readonly limit: number;
}

type Broken = (problem: string) => LoadError;

const breaking =
  (fail: Fail): Broken =>
  (problem) =>
    fail(
      `the zip archive ${problem}; the file is cut short or damaged; fetch or write it again`,
      "torch.zip",
    );

type Numbers = (offset: number, width: 2 | 4 | 8) => number;

/** Little-endian numbers in bytes. Beyond 2⁵³ they are inexact, and larger than any file. */
const numbersOf =
  (bytes: Uint8Array): Numbers =>
  (offset, width) =>
    bytes.subarray(offset, offset + width).reduceRight((sum, byte) => sum * 256 + byte, 0);

/** The entries of an archive by name, in the order of the directory. */
export function readZip(source: ByteSource, fail: Fail): ReadonlyMap<string, ZipEntry> {
  const broken = breaking(fail);
  const { begin, size, count } = findDirectory(source, broken);
  const bytes = source.read(begin, begin + size);
  const entries: ZipEntry[] = [];
  for (let at = 0; at < size; ) {
    const number = numbersOf(bytes.subarray(at, at + HEADER));
    const length = HEADER + number(28, 2) + number(30, 2) + number(32, 2);
    const isWithin = size - at >= HEADER && length <= size - at;
    if (!isWithin || number(0, 4) !== HEADER_MARK) throw broken("has a damaged directory");
    entries.push(readEntry(bytes.subarray(at, at + length), begin, broken));
    at += length;
  }
  if (entries.length !== count) throw broken(`announces ${count} entries and has ${entries.length}`); // [torch.zip]
  return placed(entries, begin, broken);
}

/** The directory's place, from the record at the end of the file. */
function findDirectory(source: ByteSource, broken: Broken): Directory {
  const from = Math.max(0, source.size - END - COMMENT);
  const tail = source.read(from, source.size);
  const isEnd = (at: number): boolean => {
    if (tail[at] !== 0x50 || tail[at + 1] !== 0x4b) return false;
    const number = numbersOf(tail.subarray(at, at + END));
    return number(0, 4) === END_MARK && number(20, 2) === tail.length - at - END;
  };
  let at = tail.length - END;
  while (at >= 0 && !isEnd(at)) at--;
  if (at < 0) throw broken("has no end");
  const number = numbersOf(tail.subarray(at, at + END));
  const short = { begin: number(16, 4), size: number(12, 4), count: number(10, 2), end: from + at };
  const isSplit = number(4, 2) !== 0 || number(6, 2) !== 0 || number(8, 2) !== short.count;
  const long = longDirectory(source, short.end, broken);
  const directory = long ?? short;
  const agrees =
    (short.begin === directory.begin || short.begin === FULL32) &&
    (short.size === directory.size || short.size === FULL32) &&
    (short.count === directory.count || short.count === FULL16);
  if (!isSplit && agrees && directory.begin + directory.size === directory.end) return directory; // [torch.zip]
  throw broken("has its directory at another place than its end says");
}

/** The directory of an archive beyond 4 GiB or 65,535 entries, whose record torch.save always writes; null if there is none. */
function longDirectory(source: ByteSource, end: number, broken: Broken): Directory | null {
  if (end < LOCATOR + END64) return null;
  const locator = numbersOf(source.read(end - LOCATOR, end));
  if (locator(0, 4) !== LOCATOR_MARK) return null;
  const at = end - LOCATOR - END64;
  const number = numbersOf(source.read(at, end - LOCATOR));
  const isHere = locator(8, 8) === at && number(0, 4) === END64_MARK && number(4, 8) === END64 - 12;
  const disks = locator(4, 4) + number(16, 4) + number(20, 4);
  const count = number(32, 8);
  if (!isHere || disks !== 0 || locator(16, 4) !== 1 || number(24, 8) !== count)
    throw broken("has a damaged end"); // [torch.zip]
  return { begin: number(48, 8), size: number(40, 8), count, end: at };
}

/** An entry of the directory; its limit is the directory's begin. */
function readEntry(bytes: Uint8Array, limit: number, broken: Broken): ZipEntry {
  const number = numbersOf(bytes);
  const nameEnd = HEADER + number(28, 2);
  const name = utf8(bytes.subarray(HEADER, nameEnd));
  if (name === null) throw broken("has an entry whose name is not UTF-8");
  const long = longNumbers(bytes.subarray(nameEnd, nameEnd + number(30, 2)));
  const field = (offset: number): number => {
    const short = number(offset, 4);
    return short === FULL32 ? (long.shift() ?? Number.POSITIVE_INFINITY) : short;
  };
  const [unpacked, size, at] = [field(24), field(20), field(42)];
  const method = number(10, 2);
  const isPlain = method !== 0 || unpacked === size;
  if (at > limit || !isPlain || number(34, 2) !== 0)
    // [torch.zip]
    throw broken(`has an entry ${quoted(name)} of an impossible size or place`);
  return { name, method, encrypted: (number(8, 2) & 1) === 1, size, at, limit };
}

/** The 64-bit numbers of an entry, in the order of the fields that are full. */
function longNumbers(extra: Uint8Array): number[] {
  for (let at = 0; at + 4 <= extra.length; ) {
    const number = numbersOf(extra.subarray(at));
    const [id, length] = [number(0, 2), number(2, 2)];
    const fields = Math.floor(Math.min(length, extra.length - at - 4) / 8);
    if (id === 1) return Array.from({ length: Math.min(3, fields) }, (_, i) => number(4 + 8 * i, 8));
    at += 4 + length;
  }
  return [];
}

/** The entries by name. Each ends before the next begins, so that no byte belongs to two of them. */
function placed(entries: readonly ZipEntry[], end: number, broken: Broken): Map<string, ZipEntry> {
  const sorted = [...entries].sort((a, b) => a.at - b.at);
  const limits = new Map(sorted.map((entry, i) => [entry, sorted[i + 1]?.at ?? end]));
  const found = new Map<string, ZipEntry>();
  for (const entry of entries) {
    const { name, at, size } = entry;
    const limit = limits.get(entry) ?? end;
    if (LOCAL + name.length + size > limit - at)
      throw broken(`has an entry ${quoted(name)} that runs into the next`); // [torch.zip]
    if (found.has(name)) throw broken(`has the entry ${quoted(name)} twice`); // [torch.zip]
    found.set(name, { ...entry, limit });
  }
  return found;
}

/** The bytes of an entry, which are located when they are first read. */
export function openEntry(source: ByteSource, entry: ZipEntry, fail: Fail): Bytewise {
  const { name, size, at, limit } = entry;
  if (entry.encrypted || entry.method !== 0) {
    const how = entry.encrypted ? "encrypted" : "compressed"; // [torch.stored]
    const problem = `the archive's entry ${quoted(name)} is ${how}, and torch.save stores entries as they are`;
    throw fail(`${problem}; save it again with torch.save`, "torch.stored");
  }
  const locate = (): number => {
    const number = numbersOf(source.read(at, at + LOCAL));
    const nameEnd = at + LOCAL + number(26, 2);
    const begin = nameEnd + number(28, 2);
    const isHere = number(0, 4) === LOCAL_MARK && begin + size <= limit;
    if (isHere && utf8(source.read(at + LOCAL, nameEnd)) === name) return begin; // [torch.zip]
    throw breaking(fail)(`has no entry ${quoted(name)} where its directory says`);
  };
  let begin: number | null = null;
  return {
    size,
    read(from, to) {
      begin ??= locate();
      return source.read(begin + from, begin + Math.min(to, size));
    },
  };
}
