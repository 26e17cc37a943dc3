// Node: files from disk.
import * as fs from "node:fs";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { Worker } from "node:worker_threads";
import { LoadError } from "../tensor/errors.ts";
import { type ByteSource, checkRange, sorted, type Thread } from "./host.ts";

export {
  type ByteSource,
  type FinishedProcess,
  fromBytes,
  type Host,
  type ProcessOptions,
  type Thread,
} from "./host.ts";
export { runProcess } from "./process.ts";

export const now = (): number => performance.now();

const REASONS: Record<string, string> = {
  ENOENT: "there is no such file or folder; check the path",
  EACCES: "reading or writing it is not permitted; check its permissions",
  EPERM: "reading or writing it is not permitted; check its permissions",
  EISDIR: "it is a folder; name a file",
  ENOTDIR: "a part of the path is a file; check the path",
  ENOSPC: "the disk is full; make room",
  EROFS: "the disk is read-only; write elsewhere",
  ELOOP: "its symbolic links go round in a circle; remove one",
  EMFILE: "too many files are open; close some",
};

/** Runs a file operation; what the system says on failure is told with the path and a remedy. */
function attempt<T>(what: string, path: string, operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error; // not the system's
    throw new LoadError(`cannot ${what} ${path}: ${REASONS[code] ?? message}  [io.file-errors]`);
  }
}

/** Files whose descriptor is open, the one opened longest ago first. The limit is far below any system's. */
const opened = new Set<FileSource>();
const MOST_OPEN = 32;
/** One call of the system reads at most 2 GiB. */
const CHUNK = 2 ** 30;

class FileSource implements ByteSource {
  readonly size: number;
  readonly #path: string;
  readonly #found: fs.Stats;
  #descriptor: number | null = null;

  constructor(path: string) {
    const found = attempt("open", path, () => fs.statSync(path));
    if (!found.isFile()) throw new LoadError(`cannot open ${path}: it is not a file  [io.file-errors]`);
    this.#path = path;
    this.size = found.size;
    this.#found = found;
  }

  read(from: number, to: number): Uint8Array {
    checkRange(from, to, this.size);
    return attempt("read", this.#path, () => {
      const bytes = this.#allocate(to - from);
      const descriptor = this.#open();
      for (let done = 0; done < bytes.length; ) {
        const got = fs.readSync(descriptor, bytes, done, Math.min(CHUNK, bytes.length - done), from + done);
        if (got === 0) throw this.#isAnother("has been cut short");
        done += got;
      }
      return bytes;
    });
  }

  close(): void {
    if (this.#descriptor !== null) fs.closeSync(this.#descriptor);
    this.#descriptor = null;
    opened.delete(this);
  }

  #allocate(length: number): Uint8Array {
    try {
      return new Uint8Array(length);
    } catch {
      const problem = `${length} bytes at once are more than there is memory for`;
      throw new LoadError(`cannot read ${this.#path}: ${problem}  [io.file-errors]`);
    }
  }

  #open(): number {
    if (this.#descriptor === null) {
      for (const oldest of opened) if (opened.size >= MOST_OPEN) oldest.close(); // [io.few-descriptors]
      this.#descriptor = fs.openSync(this.#path, "r");
      opened.add(this);
    }
    const now = fs.fstatSync(this.#descriptor);
    const same = now.ino === this.#found.ino && now.size === this.size && now.mtimeMs === this.#found.mtimeMs;
    if (!same) throw this.#isAnother("has been rewritten"); // [io.unchanged]
    return this.#descriptor;
  }

  #isAnother(how: string): LoadError {
    this.close();
    return new LoadError(
      `cannot read ${this.#path}: it ${how} since it was opened; open it again  [io.unchanged]`,
    );
  }
}

/** A file, to be read lazily: nothing is read here, and its descriptor is opened by the first read. */
export const openFile = (path: string): ByteSource => new FileSource(path); // [io.lazy]

export function kindOf(path: string): "file" | "folder" | "nothing" {
  try {
    return fs.statSync(path).isDirectory() ? "folder" : "file";
  } catch {
    return "nothing";
  }
}

/** Every file below a folder, sorted. Links to folders are not followed, so that the walk ends. */
export function listFiles(folder: string): string[] {
  const files: string[] = [];
  const walk = (path: string): void => {
    for (const entry of attempt("list", path, () => fs.readdirSync(path, { withFileTypes: true }))) {
      const inside = path.endsWith("/") ? path + entry.name : `${path}/${entry.name}`;
      if (entry.isDirectory()) walk(inside);
      else if (entry.isFile() || (entry.isSymbolicLink() && kindOf(inside) === "file")) files.push(inside);
    }
  };
  walk(folder);
  return sorted(files);
}

export function createFolder(path: string): void {
  attempt("create", path, () => fs.mkdirSync(path, { recursive: true }));
}

let written = 0;
/** Writes to a file beside the target and renames it: a reader sees the old file or the new one. */
export function writeFile(path: string, content: Uint8Array | Iterable<Uint8Array>): void {
  const unfinished = `${path}.${process.pid}-${written++}.tmp`;
  attempt("write", path, () => {
    fs.mkdirSync(dirname(path), { recursive: true });
    const descriptor = fs.openSync(unfinished, "wx");
    try {
      try {
        for (const bytes of content instanceof Uint8Array ? [content] : content) writeAll(descriptor, bytes);
        fs.fsyncSync(descriptor);
      } finally {
        fs.closeSync(descriptor);
      }
      fs.renameSync(unfinished, path); // [io.atomic-write]
    } catch (error) {
      fs.rmSync(unfinished, { force: true });
      throw error;
    }
  });
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    done += fs.writeSync(descriptor, bytes, done, Math.min(CHUNK, bytes.length - done));
  }
}

/** Threads that may run at once, this one included. */
export const cores = (): number => availableParallelism();

/** Runs `source`, in which `data` is what is given here, on a thread of its own. It keeps no process alive. */
export function startThread(source: string, data: object): Thread {
  const text = `const { workerData: data } = require("node:worker_threads");${source}`;
  const worker = new Worker(text, { eval: true, workerData: data, execArgv: [] });
  worker.unref();
  return { stop: async () => void (await worker.terminate()) };
}
