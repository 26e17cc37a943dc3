// The interface to files, threads and the clock of the machine. node.ts and browser.ts implement it with the same exported names;
// "imports" in package.json selects one of them as #host. [io.same-host]
import { LoadError } from "../tensor/errors.ts";

/** Bytes that are read in ranges. Opening a source reads nothing, whatever its size. */
export interface ByteSource {
  readonly size: number;
  /** A copy of the bytes from `from` up to, but not including, `to`. Throws a LoadError if the range is not within the source. */
  read(from: number, to: number): Uint8Array;
  /** Closes the file. A later read opens it again. */
  close(): void;
}

export interface Host {
  /** Opens a file without reading it. */
  openFile(path: string): ByteSource;
  fromBytes(bytes: Uint8Array | ArrayBuffer): ByteSource;
  kindOf(path: string): "file" | "folder" | "nothing";
  /**
   * All files below a folder, sorted, as paths that begin with the folder's path. A folder or a link that cannot be followed is listed
   * itself.
   */
  listFiles(folder: string): string[];
  /** Creates a folder and its parents, and checks that it can be written to. In a page, folders exist as long as they hold a file. */
  createFolder(path: string): void;
  /** The path of a file or folder of this package, such as "golden/cases"; null in a page, which has no package. */
  packagePath(path: string): string | null;
  /** Removes a file, if it exists. */
  removeFile(path: string): void;
  /** Creates a folder and its parents, and removes everything that it holds. A link in its place is removed, not followed. */
  emptyFolder(path: string): void;
  /** Writes a file atomically: after a failure the previous content is unchanged. */
  writeFile(path: string, content: Uint8Array | Iterable<Uint8Array>): void;
  /** The reason for an error of the operating system, with a remedy; null for any other error. */
  systemReason(error: unknown): string | null;
  /** A monotonic clock in milliseconds. */
  now(): number;
  /** Seconds of processor time of this process, which other processes do not shorten; in a page, seconds that have passed. */
  processorTime(): number;
  /** The number of threads that can share memory and run in parallel, including the calling one. */
  cores(): number;
  /** Runs `source` on a new thread, with `data` as a variable of that name. */
  startThread(source: string, data: object): Thread;
  /** Takes an action before the process ends, by itself or by SIGINT, SIGTERM or SIGHUP. Returns a function that withdraws it. */
  beforeEnd(action: () => void): () => void;
  /** Runs a command to its end. Not available in a page. */
  runProcess(command: readonly string[], options?: ProcessOptions): Promise<FinishedProcess>;
}

export interface ProcessOptions {
  /** The time limit, after which the process and all processes that it started are terminated. */
  readonly seconds?: number | undefined;
  /** The number of characters of output to keep, counted from the end; ten million by default. */
  readonly keep?: number | undefined;
}

export interface FinishedProcess {
  /** null if a signal terminated the process. */
  readonly status: number | null;
  readonly signal: string | null;
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, in the order in which they were received. */
  readonly output: string;
  /** The time from the start to the first output on stdout; null if there was none. */
  readonly secondsToOutput: number | null;
}

export interface Thread {
  stop(): Promise<void>;
}

/** Checks a range of bytes. Offsets in files are untrusted, so every source checks all ranges with this function. */
export function checkRange(from: number, to: number, size: number): void {
  const areIntegers = Number.isSafeInteger(from) && Number.isSafeInteger(to);
  const isWithin = areIntegers && 0 <= from && from <= to && to <= size; // [io.range]
  if (isWithin) return;
  throw new LoadError(`bytes ${from} to ${to} are not within the ${size} bytes of the source  [io.range]`);
}

export function fromBytes(bytes: Uint8Array | ArrayBuffer): ByteSource {
  const all = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  return {
    size: all.length,
    read(from, to) {
      checkRange(from, to, all.length);
      return Uint8Array.prototype.slice.call(all, from, to); // the slice of a Buffer would share its memory
    },
    close() {},
  };
}

/** Sorted by code units, which unlike a locale's order is the same on every machine. */
export const sorted = (paths: Iterable<string>): string[] =>
  [...paths].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
