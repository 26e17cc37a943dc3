// Reads safetensors files: the header on opening, each tensor of floats whenever its values are used.
import { type ByteSource, openFile } from "#host";
import { bitsOf } from "../dtypes.ts";
import { type FileContent, sourceOf } from "../file-content.ts";
import { type Entry, TensorFile } from "../tensor-file.ts";
import { type Header, readHeader } from "./header.ts";

export type { Stored } from "../tensor-file.ts";

/** The tensors of a safetensors file, in the order of their bytes. */
export class SafetensorsFile extends TensorFile {
  readonly #source: ByteSource;
  readonly #header: Header;

  constructor(source: ByteSource, name: string) {
    const header = readHeader(source, name);
    super(name, entriesOf(source, header));
    this.#source = source;
    this.#header = header;
  }

  get metadata(): ReadonlyMap<string, string> {
    return this.#header.metadata;
  }

  close(): void {
    this.#source.close();
  }
}

function entriesOf(source: ByteSource, { tensors, dataAt }: Header): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const [key, { dtype, shape, begin }] of tensors) {
    const [start, width] = [dataAt + begin, bitsOf(dtype) / 8];
    const bytes = (from: number, to: number) => source.read(start + width * from, start + width * to);
    entries.set(key, { dtype, shape, bytes });
  }
  return entries;
}

/** Opens bytes or a source of bytes; `name` is used in errors. */
export function openSafetensors(bytes: FileContent, name: string): SafetensorsFile {
  return new SafetensorsFile(sourceOf(bytes, "openSafetensors", "loadSafetensors"), name);
}

/** Opens a file. Only its header is read. */
export const loadSafetensors = (path: string): SafetensorsFile => openSafetensors(openFile(path), path);
