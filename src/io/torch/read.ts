// Reads checkpoints of PyTorch: an archive with a pickle (data.pkl) and the bytes of every storage (data/0, data/1 …).
import { type ByteSource, fromBytes, openFile } from "#host";
import { type FileContent, sourceOf } from "../file-content.ts";
import { archiveFormat, otherFormat } from "../other-formats.ts";
import type { Names } from "../pickle/machine.ts";
import { failing, PickledTensors, PLAIN_NAMES } from "../pickle/read.ts";
import type { Fail } from "../pickle/reader.ts";
import { unpickle } from "../pickle/unpickle.ts";
import type { PickleValue } from "../pickle/values.ts";
import { quoted, utf8 } from "../wording.ts";
import { storages, torch } from "./rebuild.ts";
import { openEntry, readZip, type ZipEntry } from "./zip.ts";

const PICKLE = "data.pkl";

/**
 * Opens bytes or a source of bytes that `torch.save` wrote; `name` is used in errors. No storage is read before it is used, and nothing
 * of the file is run. Throws a LoadError for another format, a damaged archive, or a pickle that uses names beyond tensors and plain data.
 */
export function openTorch(bytes: FileContent, name: string): PickledTensors {
  const all = sourceOf(bytes, "openTorch", "loadTorch");
  const fail = failing(name);
  const format = otherFormat(all, [], "torch");
  if (format !== null) throw fail(`this is ${format}`, "io.other-format");
  const [p, k] = all.read(0, Math.min(2, all.size));
  if (p !== 0x50 || k !== 0x4b)
    throw fail("this does not begin as a file of torch.save does; name or fetch the right file", "torch.zip");
  const entries = readZip(all, fail);
  const folder = folderOf([...entries.keys()], fail);
  checkVersion(readEntry(all, entries.get(`${folder}version`), fail), fail);
  const names = namesOf(all, entries, folder, fail);
  const pickle = readEntry(all, entries.get(folder + PICKLE), fail);
  const root = unpickle(fromBytes(pickle), names, fail) as PickleValue;
  return new PickledTensors(root, { name, source: all, size: pickle.length });
}

/** `openTorch` of a file (.pt, .pth, .bin). */
export const loadTorch = (path: string): PickledTensors => openTorch(openFile(path), path);

/** The folder of an archive that torch.save wrote, with a slash: its name is that of the file when it was written. */
function folderOf(names: readonly string[], fail: Fail): string {
  const format = archiveFormat(names);
  if (format !== null) throw fail(`this is ${format}`, "io.other-format");
  const [pickle = "", ...more] = names.filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  const folder = pickle.slice(0, -PICKLE.length);
  if (more.length > 0)
    throw fail(
      `the archive holds ${1 + more.length} pickles called ${PICKLE}, and torch.save writes one`,
      "torch.zip",
    );
  const outside = names.find((name) => !name.startsWith(folder)); // [torch.zip]
  if (outside === undefined) return folder;
  const problem = `the archive's entry ${quoted(outside)} is outside of its folder ${quoted(folder)}`;
  throw fail(`${problem}; save it again with torch.save`, "torch.zip");
}

/** The version of the format is a number; 1 to 10 are known to PyTorch 2.13 (caffe2/serialize/versions.h). */
function checkVersion(entry: Uint8Array, fail: Fail): void {
  const version = utf8(entry.subarray(0, 20)) ?? "";
  const isKnown = /^([1-9]|10)\n?$/.test(version); // [torch.zip]
  if (isKnown) return;
  const problem = version === "" ? "states no version" : `has version ${quoted(version)}`;
  throw fail(
    `the archive ${problem} of the format; 1 to 10 are known; save it again with torch.save`,
    "torch.zip",
  );
}

function readEntry(source: ByteSource, entry: ZipEntry | undefined, fail: Fail): Uint8Array {
  if (entry === undefined) return new Uint8Array(0);
  return openEntry(source, entry, fail).read(0, entry.size);
}

/** The names that a pickle of torch.save may use. */
function namesOf(
  source: ByteSource,
  entries: ReadonlyMap<string, ZipEntry>,
  folder: string,
  fail: Fail,
): Names {
  const bytesOf = (key: string) => {
    const entry = entries.get(`${folder}data/${key}`);
    return entry === undefined ? null : openEntry(source, entry, fail);
  };
  const order = entries.get(`${folder}byteorder`);
  const bigEndian = order !== undefined && isBigEndian(readEntry(source, order, fail), fail); // before torch 2.1: little-endian
  return {
    find: (name) => torch.get(name) ?? PLAIN_NAMES.find(name),
    persistent: storages(bytesOf, bigEndian),
    build: PLAIN_NAMES.build,
  };
}

/** The byte order of the storages. */
function isBigEndian(entry: Uint8Array, fail: Fail): boolean {
  const order = utf8(entry.subarray(0, 20)) ?? "";
  if (order === "little" || order === "big") return order === "big"; // [torch.byteorder]
  throw fail(`the archive has the byte order ${quoted(order)}, and it is little or big`, "torch.byteorder");
}
