// A page: files are what the page was given (dropped, fetched, built in), kept in memory under a path.
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

export const now = (): number => performance.now();

const files = new Map<string, Uint8Array>();

/** "./a//b/" and "a/b" are the same path. */
const plain = (path: string): string =>
  path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");

/** Gives files to the page's package, under paths of the page's choice. */
export async function mount(
  given: Iterable<readonly [string, Uint8Array | ArrayBuffer | Blob]>,
): Promise<void> {
  for (const [path, content] of given) {
    const bytes = content instanceof Blob ? await content.arrayBuffer() : content;
    files.set(plain(path), bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes));
  }
}

/** Forgets a file, or everything below a folder. */
export function unmount(path: string): void {
  files.delete(plain(path));
  for (const file of below(path)) files.delete(file);
}

function below(folder: string): string[] {
  const start = plain(folder) === "" ? "" : `${plain(folder)}/`;
  return sorted([...files.keys()].filter((file) => file.startsWith(start)));
}

export function openFile(path: string): ByteSource {
  const bytes = files.get(plain(path));
  if (bytes !== undefined) return fromBytes(bytes);
  throw new LoadError(
    `cannot open ${path}: the page was given no such file; mount it first  [io.file-errors]`,
  );
}

export function createFolder(_path: string): void {}

export async function runProcess([program = ""]: readonly string[]): Promise<FinishedProcess> {
  throw new LoadError(`cannot run ${program}: a page starts no processes`);
}

export function kindOf(path: string): "file" | "folder" | "nothing" {
  if (files.has(plain(path))) return "file";
  return below(path).length > 0 ? "folder" : "nothing";
}

/** Every file below a folder, sorted, as paths that begin with the folder's. */
export function listFiles(folder: string): string[] {
  const found = below(folder);
  if (found.length > 0) return found.map((file) => joined(folder, file));
  throw new LoadError(
    `cannot list ${folder}: the page was given no files there; mount them first  [io.file-errors]`,
  );
}

function joined(folder: string, file: string): string {
  const rest = file.slice(plain(folder) === "" ? 0 : plain(folder).length + 1);
  return folder === "" ? rest : folder.endsWith("/") ? folder + rest : `${folder}/${rest}`;
}

/** Keeps the file in memory; `openFile` finds it there. */
export function writeFile(path: string, content: Uint8Array | Iterable<Uint8Array>): void {
  const parts = content instanceof Uint8Array ? [content.slice()] : [...content];
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  files.set(plain(path), bytes); // [io.atomic-write]
}

/** Threads that may run at once, this one included. Without cross-origin isolation no memory can be shared: one. */
export const cores = (): number => (globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1);

/** Runs `source`, in which `data` is what is given here, on a thread of its own. */
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
