// The host in Node: files on a disk.
import * as fs from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { LoadError } from "../tensor/errors.ts";
import { attempt } from "./file-errors.ts";
import { type ByteSource, checkRange, sorted, type Thread } from "./host.ts";
import { CHUNK, makeFolders } from "./write-file.ts";

export { systemReason } from "./file-errors.ts";
export {
  type ByteSource,
  type FinishedProcess,
  fromBytes,
  type Host,
  type ProcessOptions,
  type Thread,
} from "./host.ts";
export { runProcess } from "./process.ts";
export { beforeEnd } from "./termination.ts";
export { writeFile } from "./write-file.ts";

/** dist/ and src/ are siblings, so that this holds for the built file and for its source. */
export const packagePath = (path: string): string | null =>
  import.meta.url.startsWith("file:") ? fileURLToPath(new URL(`../../${path}`, import.meta.url)) : null;

export const now = (): number => performance.now();
export const processorTime = (): number => process.cpuUsage().user / 1e6;

/** Sources with an open descriptor, in the order in which they were opened. The limit is far below that of any system. */
const opened = new Set<FileSource>();
const MAX_OPEN = 32;

/** Without O_NONBLOCK, opening a pipe that has taken the file's place would wait for a writer. */
const READ = fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0);

class FileSource implements ByteSource {
  readonly size: number;
  readonly #path: string;
  readonly #stats: fs.Stats;
  #descriptor: number | null = null;

  constructor(path: string) {
    const stats = attempt("open", path, () => fs.statSync(path));
    if (!stats.isFile())
      throw new LoadError(`cannot open ${path}: it is not a file; name a file  [io.file-errors]`);
    this.#path = path;
    this.size = stats.size;
    this.#stats = stats;
  }

  read(from: number, to: number): Uint8Array {
    checkRange(from, to, this.size);
    return attempt("read", this.#path, () => {
      const bytes = this.#allocate(to - from);
      const descriptor = this.#open();
      for (let done = 0; done < bytes.length; ) {
        const count = fs.readSync(descriptor, bytes, done, Math.min(CHUNK, bytes.length - done), from + done);
        if (count === 0) throw this.#changed("has been truncated");
        done += count;
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
      const problem = `there is not enough memory for ${length} bytes`;
      throw new LoadError(`cannot read ${this.#path}: ${problem}  [io.file-errors]`);
    }
  }

  #open(): number {
    if (this.#descriptor === null) {
      for (const oldest of opened) if (opened.size >= MAX_OPEN) oldest.close(); // [io.few-descriptors]
      this.#descriptor = fs.openSync(this.#path, READ);
      opened.add(this);
    }
    const { ino, size, mtimeMs } = fs.fstatSync(this.#descriptor);
    const isUnchanged = ino === this.#stats.ino && size === this.size && mtimeMs === this.#stats.mtimeMs;
    if (!isUnchanged) throw this.#changed("has been rewritten"); // [io.unchanged]
    return this.#descriptor;
  }

  #changed(change: string): LoadError {
    this.close();
    return new LoadError(
      `cannot read ${this.#path}: it ${change} since it was opened; open it again  [io.unchanged]`,
    );
  }
}

/** Opens a file lazily: nothing is read, and the first read opens the descriptor. */
export const openFile = (path: string): ByteSource => new FileSource(path); // [io.lazy]

export function kindOf(path: string): "file" | "folder" | "nothing" {
  try {
    return fs.statSync(path).isDirectory() ? "folder" : "file";
  } catch {
    return "nothing";
  }
}

/** The entries below linked folders that are listed; links beyond them are not followed. */
const MOST_BELOW_LINKS = 10_000;

/**
 * All files below a folder, sorted. Links to folders are followed, but no folder is listed twice, so circular links do no harm. What
 * cannot be listed stands for itself: a folder that may not be read, a link to nothing, and a link to a folder with very many
 * entries. Whatever else is no folder counts as a file, pipes and devices too; opening one fails.
 */
export function listFiles(folder: string): string[] {
  const seen = new Set([identityOf(folder)]);
  const walk = (path: string, left: { entries: number }, links: string[]): string[] =>
    attempt("list", path, () => fs.readdirSync(path, { withFileTypes: true })).flatMap((entry) => {
      if (left.entries-- <= 0)
        throw new LoadError(`cannot list ${path}: it has too many entries  [io.file-errors]`);
      const child = path.endsWith("/") ? path + entry.name : `${path}/${entry.name}`;
      if (!entry.isDirectory()) {
        if (!entry.isSymbolicLink() || kindOf(child) !== "folder") return [child];
        links.push(child);
        return [];
      }
      const identity = identityOf(child);
      if (seen.has(identity)) return [];
      seen.add(identity);
      return orItself(child, () => walk(child, left, links));
    });
  const links: string[] = [];
  const files = [walk(folder, { entries: Number.POSITIVE_INFINITY }, links)];
  const left = { entries: MOST_BELOW_LINKS };
  for (let path = links.shift(); path !== undefined; path = links.shift()) {
    const link = path;
    const identity = identityOf(link);
    if (seen.has(identity)) continue;
    seen.add(identity);
    const further: string[] = [];
    files.push(orItself(link, () => walk(link, left, further)));
    if (left.entries > 0) links.push(...further);
  }
  return sorted(files.flat());
}

/** Device and inode, the same for every path of a folder; the path itself if they cannot be read. */
function identityOf(path: string): string {
  try {
    const { dev, ino } = fs.statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return path;
  }
}

function orItself(path: string, list: () => string[]): string[] {
  try {
    return list();
  } catch (error) {
    if (error instanceof LoadError) return [path];
    throw error;
  }
}

/** Creates a folder and its parents, and checks that files can be written to it. */
export function createFolder(path: string): void {
  attempt("create", path, () => makeFolders(path));
  attempt("write to", path, () => fs.accessSync(path, fs.constants.W_OK | fs.constants.X_OK));
}

export function removeFile(path: string): void {
  attempt("remove", path, () => fs.rmSync(path, { force: true }));
}

export function emptyFolder(path: string): void {
  attempt("empty", path, () => fs.rmSync(path, { recursive: true, force: true, maxRetries: 3 }));
  createFolder(path);
}

/** The number of parallel threads, including this one. */
export const cores = (): number => availableParallelism();

/** Runs `source` on a worker thread, with `data` as a variable of that name. The thread does not keep the process alive. */
export function startThread(source: string, data: object): Thread {
  const text = `const { workerData: data } = require("node:worker_threads");${source}`;
  const worker = new Worker(text, { eval: true, workerData: data, execArgv: [] });
  worker.unref();
  return { stop: async () => void (await worker.terminate()) };
}
