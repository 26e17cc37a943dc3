// Bytes of a file, or of stdin, which the command line names "-".
import { closeSync, openSync, readSync } from "node:fs";
import { systemReason } from "#host";
import { LoadError } from "../tensor/errors.ts";

/** The bytes of a file or of stdin ("-"), at most `most` of them. */
export function readInput(file: string, most: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(most);
  let done = 0;
  try {
    const descriptor = file === "-" ? 0 : openSync(file, "r");
    try {
      for (let count = -1; count !== 0 && done < bytes.length; done += count)
        count = readSync(descriptor, bytes, done, bytes.length - done, null);
    } finally {
      if (descriptor !== 0) closeSync(descriptor);
    }
  } catch (error) {
    const reason = systemReason(error);
    if (reason === null) throw error;
    throw new LoadError(`cannot read ${file}: ${reason}`);
  }
  return bytes.subarray(0, done);
}
