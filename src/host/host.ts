// What the rest of the package may ask of the machine it runs on. Two files answer, node.ts and browser.ts,
// with the same exported names; package.json "imports" chooses one as #host. [io.same-host]
import { LoadError } from "../tensor/errors.ts";

/** Bytes that are read a range at a time, so that opening a file of any size costs nothing. */
export interface ByteSource {
  readonly size: number;
  /** The bytes from `from` up to, not including, `to`. They are a copy and belong to the caller. */
  read(from: number, to: number): Uint8Array;
  /** Lets go of what is held open. Reading again afterwards is allowed. */
  close(): void;
}

export interface Host {
  /** A file, to be read lazily. */
  openFile(path: string): ByteSource;
  fromBytes(bytes: Uint8Array | ArrayBuffer): ByteSource;
  kindOf(path: string): "file" | "folder" | "nothing";
  /** Every file below a folder, sorted, as paths that begin with the folder's. */
  listFiles(folder: string): string[];
  /** Creates a folder and those above it. A page's folders are there as soon as they hold a file. */
  createFolder(path: string): void;
  /** The whole file is there afterwards, or nothing has changed. */
  writeFile(path: string, content: Uint8Array | Iterable<Uint8Array>): void;
  /** Milliseconds, for measuring. */
  now(): number;
  /** Threads that may run at once on one memory, this one included. */
  cores(): number;
  /** Runs `source`, in which `data` is what is given here, on a thread of its own. */
  startThread(source: string, data: object): Thread;
  /** Runs a command to its end; a page cannot. */
  runProcess(command: readonly string[], options?: ProcessOptions): Promise<FinishedProcess>;
}

export interface ProcessOptions {
  /** The process and everything that it started is ended after this time. */
  readonly seconds?: number | undefined;
  /** Characters of output that are kept, the last ones; by default ten million. */
  readonly keep?: number | undefined;
}

export interface FinishedProcess {
  /** null: a signal ended it. */
  readonly status: number | null;
  readonly signal: string | null;
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, in the order in which they were received. */
  readonly output: string;
  /** From the start to the first output on stdout; null if there was none. */
  readonly secondsToOutput: number | null;
}

export interface Thread {
  stop(): Promise<void>;
}

/** One door for every range, so that no offset from a file reaches memory or the disk unchecked. */
export function checkRange(from: number, to: number, size: number): void {
  const whole = Number.isSafeInteger(from) && Number.isSafeInteger(to);
  const within = whole && 0 <= from && from <= to && to <= size; // [io.range]
  if (within) return;
  throw new LoadError(`bytes ${from} to ${to} do not lie within the ${size} there are  [io.range]`);
}

export function fromBytes(bytes: Uint8Array | ArrayBuffer): ByteSource {
  const all = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  return {
    size: all.length,
    read(from, to) {
      checkRange(from, to, all.length);
      return Uint8Array.prototype.slice.call(all, from, to); // a Buffer's own slice would share the memory
    },
    close() {},
  };
}

/** Sorted by code unit, the same on every machine (a locale's order is not). */
export const sorted = (paths: Iterable<string>): string[] =>
  [...paths].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
