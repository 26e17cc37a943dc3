// Atomic writes in Node: a temporary file in the same folder, renamed when it is complete.
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { LoadError } from "../tensor/errors.ts";
import { attempt } from "./file-errors.ts";

/** Bytes of one system call, which is limited to 2 GiB. */
export const CHUNK = 2 ** 30;
/** Temporary files have names of a fixed length: the machine, the process and a random number. */
const TEMPORARY = /^\.flamboyance-([0-9a-f]{8})-(\d+)-[0-9a-f]{12}\.tmp$/;
const ATTEMPTS = 8;
/** The age at which a temporary file of an unknown process counts as abandoned; a writer renews the time with each write. */
const ABANDONED_MS = 10 * 60_000;

/** Temporary files that this process is writing. */
const writing = new Set<string>();
/** Folders from which this process has already removed what others left. */
const swept = new Set<string>();

/**
 * A number of the machine and of the namespace that process ids belong to. In containers the first process always has id 1, so
 * the id alone does not distinguish two writers.
 */
function machineId(): string {
  let namespace = "";
  try {
    namespace = fs.readlinkSync("/proc/self/ns/pid");
  } catch {
    // only Linux has namespaces
  }
  return createHash("sha256").update(`${hostname()} ${namespace}`).digest("hex").slice(0, 8);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Whether the writer of a temporary file has ended without removing it. */
function isAbandoned(path: string, machine: string, pid: number, here: string): boolean {
  if (writing.has(path)) return false;
  if (machine === here && (pid === process.pid || !isRunning(pid))) return true;
  return Date.now() - fs.statSync(path).mtimeMs > ABANDONED_MS;
}

/** Removes temporary files whose writers were killed. Files that a running process may be writing remain. */
function removeLeftovers(folder: string): void {
  if (swept.has(folder)) return;
  swept.add(folder);
  const here = machineId();
  for (const name of fs.readdirSync(folder)) {
    const [, machine, pid] = TEMPORARY.exec(name) ?? [];
    if (machine === undefined) continue;
    const path = join(folder, name);
    try {
      if (isAbandoned(path, machine, Number(pid), here)) fs.rmSync(path); // [io.leftovers]
    } catch {
      // another process has removed it, or may not be disturbed
    }
  }
}

/** Opens a new temporary file. A name that exists already is drawn again. */
function openTemporary(
  folder: string,
  mode: number,
): { readonly temporary: string; readonly descriptor: number } {
  for (let left = ATTEMPTS; ; left--) {
    const name = `.flamboyance-${machineId()}-${process.pid}-${randomBytes(6).toString("hex")}.tmp`;
    const temporary = join(folder, name);
    try {
      return { temporary, descriptor: fs.openSync(temporary, "wx", mode) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || left <= 1) throw error;
    }
  }
}

const isFolder = (path: string): boolean =>
  fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Creates a folder and its parents. Node's `recursive` never returns where a parent takes no folders, as in /proc. */
export function makeFolders(path: string): void {
  if (isFolder(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeFolders(parent);
  try {
    fs.mkdirSync(path);
  } catch (error) {
    if (!isFolder(path)) throw error; // otherwise another process was faster
  }
}

/** The file that a path names, behind symbolic links, and its permissions. Throws if it is not a file that may be written. */
function targetOf(path: string): { readonly target: string; readonly mode: number | null } {
  const stats = fs.statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return { target: path, mode: null };
  if (!stats.isFile()) {
    const given = stats.isDirectory() ? "a folder" : "not a file";
    throw new LoadError(`cannot write ${path}: it is ${given}; name a file  [io.file-errors]`);
  }
  fs.accessSync(path, fs.constants.W_OK); // renaming would replace a file that is write-protected
  return { target: fs.realpathSync(path), mode: stats.mode & 0o7777 };
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    done += fs.writeSync(descriptor, bytes, done, Math.min(CHUNK, bytes.length - done));
  }
}

/** Writes to a temporary file beside the target and renames it, so that a reader sees either the old file or the new one. */
export function writeFile(path: string, content: Uint8Array | Iterable<Uint8Array>): void {
  attempt("write", path, () => {
    const { target, mode } = targetOf(path);
    const folder = dirname(target);
    makeFolders(folder);
    removeLeftovers(folder);
    const { temporary, descriptor } = openTemporary(folder, mode ?? 0o666);
    writing.add(temporary);
    try {
      try {
        if (mode !== null) fs.fchmodSync(descriptor, mode);
        for (const bytes of content instanceof Uint8Array ? [content] : content) writeAll(descriptor, bytes);
        fs.fsyncSync(descriptor);
      } finally {
        fs.closeSync(descriptor);
      }
      fs.renameSync(temporary, target); // [io.atomic-write]
    } catch (error) {
      fs.rmSync(temporary, { force: true });
      throw error;
    } finally {
      writing.delete(temporary);
    }
  });
}
