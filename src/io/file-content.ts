// Files in memory, as the functions open… take them.
import { type ByteSource, fromBytes } from "#host";
import { LoadError } from "../tensor/errors.ts";

/** What the functions open… take: bytes, such as the ArrayBuffer of a response, or a source of bytes. */
export type FileContent = Uint8Array | ArrayBuffer | ByteSource;

const isBytes = (given: unknown): given is Uint8Array | ArrayBuffer =>
  given instanceof Uint8Array || given instanceof ArrayBuffer;

const isSource = (given: unknown): given is ByteSource =>
  typeof given === "object" && given !== null && "read" in given && typeof given.read === "function";

/** A source of the bytes. Throws a LoadError for anything else; `caller` and `loader`, which takes a path, are named in it. */
export function sourceOf(given: FileContent, caller: string, loader: string): ByteSource {
  if (isBytes(given)) return fromBytes(given);
  if (isSource(given)) return given;
  throw new LoadError(`${caller} takes bytes; ${loader} takes a path  [io.file-errors]`); // [io.file-errors]
}

/** The parts of a file, one after another. */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
