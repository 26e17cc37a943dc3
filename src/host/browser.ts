// The host in a page. Files are held in memory under a path; the page mounts files that were dropped, fetched or built in.
import { LoadError } from "../tensor/errors.ts";
import { type ByteSource, type FinishedProcess, fromBytes, sorted, type Thread } from "./host.ts";

export {
  type ByteSource,
  type FinishedProcess,
  fromBytes,
  type Host,
  type ProcessOptions,
  type Thread,
} from "./host.ts";

export const packagePath = (_path: string): string | null => null;

export const now = (): number => performance.now();
export const processorTime = (): number => performance.now() / 1000;

const files = new Map<string, Uint8Array>();

/** A canonical form of a path: "./a//b/" becomes "a/b". */
const normalized = (path: string): string =>
  path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");

/** Makes files available under the given paths. */
export async function mount(
  contents: Iterable<readonly [string, Uint8Array | ArrayBuffer | Blob]>,
): Promise<void> {
  for (const [path, content] of contents) {
    const bytes = content instanceof Blob ? await content.arrayBuffer() : content;
    files.set(normalized(path), bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes));
  }
}

/** Removes a file, or all files below a folder. */
export function unmount(path: string): void {
  files.delete(normalized(path));
  for (const file of below(path)) files.delete(file);
}

function below(folder: string): string[] {
  const start = normalized(folder) === "" ? "" : `${normalized(folder)}/`;
  return sorted([...files.keys()].filter((file) => file.startsWith(start)));
}

export function openFile(path: string): ByteSource {
  const bytes = files.get(normalized(path));
  if (bytes !== undefined) return fromBytes(bytes);
  throw new LoadError(`cannot open ${path}: no such file is mounted; mount it first  [io.file-errors]`);
}

/** A page has no operating system. */
export const systemReason = (_error: unknown): string | null => null;

export function createFolder(_path: string): void {}

export function removeFile(path: string): void {
  files.delete(normalized(path));
}

export const emptyFolder = unmount;

/** A page ends without notice. */
export const beforeEnd = (_action: () => void) => (): void => {};

export async function runProcess([program = ""]: readonly string[]): Promise<FinishedProcess> {
  throw new LoadError(`cannot run ${program}: a page starts no processes`);
}

export function kindOf(path: string): "file" | "folder" | "nothing" {
  if (files.has(normalized(path))) return "file";
  return below(path).length > 0 ? "folder" : "nothing";
}

/** All files below a folder, sorted, as paths that begin with the folder's path. */
export function listFiles(folder: string): string[] {
  const files = below(folder);
  if (files.length > 0) return files.map((file) => joined(folder, file));
  throw new LoadError(
    `cannot list ${folder}: no files are mounted there; mount them first  [io.file-errors]`,
  );
}

function joined(folder: string, file: string): string {
  const rest = file.slice(normalized(folder) === "" ? 0 : normalized(folder).length + 1);
  return folder === "" ? rest : folder.endsWith("/") ? folder + rest : `${folder}/${rest}`;
}

/** Stores the file in memory. */
export function writeFile(path: string, content: Uint8Array | Iterable<Uint8Array>): void {
  const parts = content instanceof Uint8Array ? [content.slice()] : [...content];
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  files.set(normalized(path), bytes); // [io.atomic-write]
}

/** The number of parallel threads, including this one. Without cross-origin isolation memory cannot be shared, so it is 1. */
export const cores = (): number => (globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1);

/** Runs `source` in a worker, with `data` as a variable of that name. */
export function startThread(source: string, data: object): Thread {
  const url = URL.createObjectURL(
    new Blob([`onmessage = ({ data }) => {${source}};`], { type: "text/javascript" }),
  );
  const worker = new Worker(url);
  worker.postMessage(data);
  return {
    stop: async () => {
      worker.terminate();
      URL.revokeObjectURL(url);
    },
  };
}
