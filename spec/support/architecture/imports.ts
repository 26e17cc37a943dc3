// Rules of imports. Each check takes files (path below src -> text) and gives its violations as lines, so that a
// test can apply it to a planted tree as well as to the real one.
import { imports, parse } from "./syntax.mjs";

export type Files = ReadonlyMap<string, string>;

interface Import {
  readonly from: string;
  readonly line: number;
  /** As written; null if it is computed. */
  readonly specifier: string | null;
  /** The file below src that it names, if it names one: "#host" is host/host.ts. */
  readonly target: string | null;
}

/** Every folder of src with its layer; "" is src itself, with index.ts, the entry `flamboyance`. */
export const LAYERS: Readonly<Record<string, number>> = {
  tensor: 0,
  terminal: 0,
  masks: 1,
  host: 1,
  kernels: 1,
  io: 1,
  nn: 2,
  blocks: 3,
  models: 4,
  pretrained: 5,
  training: 5,
  generation: 5,
  writing: 6,
  evaluation: 6,
  conformance: 7,
  "mask-report": 7,
  demos: 7,
  bench: 7,
  cli: 8,
  web: 8,
  entries: 9,
  "": 9,
};

/** The folders that may import each package. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  ndarray: ["tensor/"],
  "ndarray-ops": ["tensor/"],
  "gpu.js": ["kernels/gpu/"],
  "@huggingface/jinja": ["io/tokenizers/"],
  "@huggingface/tokenizers": ["io/tokenizers/"],
  node: ["host/", "cli/", "web/"],
};

/** Entries of the package, which no file imports, and of a backend; every other import names a file. */
const PACKAGE_ENTRY = /^(index|entries\/[a-z0-9-]+)\.ts$/;
const BACKEND_ENTRY = /^kernels\/[a-z0-9-]+\/index\.ts$/;

export const folderOf = (path: string): string => (path.includes("/") ? (path.split("/")[0] ?? "") : "");
const directory = (path: string): string => path.slice(0, path.lastIndexOf("/") + 1);
const violation = ({ from, line, specifier }: Import, reason: string): string =>
  `${from}:${line} imports ${specifier ?? "a computed target"}: ${reason}`;

function resolve(from: string, specifier: string | null): string | null {
  if (specifier === "#host") return "host/host.ts";
  if (!specifier?.startsWith(".")) return null;
  const parts = directory(from).split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

export const importsOf = (files: Files): Import[] =>
  [...files].flatMap(([from, text]) =>
    imports(parse(from, text)).map(({ specifier, line }) => ({
      from,
      line,
      specifier,
      target: resolve(from, specifier),
    })),
  );

/** One check over all imports: `judge` gives the reason why an import is forbidden, or null. */
const eachImport =
  (judge: (found: Import, files: Files) => string | null) =>
  (files: Files): string[] =>
    importsOf(files).flatMap((found) => {
      const reason = judge(found, files);
      return reason === null ? [] : [violation(found, reason)];
    });

/** A folder imports lower layers only. */
export const layers = eachImport(({ from, target }) => {
  if (target === null || folderOf(from) === folderOf(target)) return null;
  const [folder, other] = [folderOf(from), folderOf(target)];
  const [layer, below] = [LAYERS[folder], LAYERS[other]];
  if (layer === undefined) return `the folder ${folder} has no layer`;
  if (below === undefined) return `the folder ${other} has no layer`;
  if (folder === "masks") return other === "terminal" ? null : "masks imports nothing but terminal";
  if (["nn", "blocks", "models"].includes(folder) && ["kernels", "io", "host"].includes(other))
    return "a model is independent of its execution and storage";
  if (below < layer) return null;
  if (below > layer) return `layer ${layer} does not import layer ${below}`;
  if (["kernels", "io"].includes(folder) && other === "host") return null;
  if (folder === "tensor" && other === "terminal") return null;
  return `${folder} and ${other} share layer ${layer}`;
});

/** Imports of packages, of Node's modules and of files that do not exist. */
export const packages = eachImport(({ from, specifier, target }, files) => {
  if (specifier === null) return "a target is a plain string";
  if (target !== null) {
    const bypass = folderOf(target) === "host" && folderOf(from) !== "host" && specifier !== "#host";
    if (bypass) return "host is imported as #host";
    return files.has(target) ? null : "there is no such file; relative imports end in .ts";
  }
  const name = specifier.startsWith("node:") ? "node" : (/^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? "");
  const folders = PACKAGES[name] ?? [];
  if (folders.some((folder) => from.startsWith(folder))) return null;
  return `${name} is used ${folders.length > 0 ? `in ${folders.join(", ")} only` : "nowhere"}`;
});

const entryImports = eachImport(({ from, target }) => {
  if (target === null) return null;
  if (PACKAGE_ENTRY.test(target)) return `src/${target} is an entry of the package, imported by no file`;
  if (!BACKEND_ENTRY.test(target) || !from.startsWith(directory(target))) return null;
  return "files import files, not a folder's index";
});

/** An index.ts is an entry of the package or of a backend. */
export const entries = (files: Files): string[] => [
  ...[...files.keys()]
    .filter((path) => /\/index\.ts$/.test(path) && !BACKEND_ENTRY.test(path))
    .map((path) => `${path} is not an entry`),
  ...entryImports(files),
];

/** The one file of `kernels` that chooses a backend. */
const CHOICE = "kernels/auto.ts";
const backendOf = (path: string): string | undefined => /^kernels\/([^/]+)\//.exec(path)?.[1];

/** A backend is a folder of kernels that can be deleted: no other file of kernels imports it, except for auto.ts. */
export const backends = eachImport(({ from, target }) => {
  const [own, other] = [backendOf(from), backendOf(target ?? "")];
  const forbidden = other !== undefined && other !== own && folderOf(from) === "kernels" && from !== CHOICE;
  return forbidden ? `of kernels, only ${CHOICE} imports a backend` : null;
});

/** Circles of imports, each reported once; imports of types count. */
export function cycles(files: Files): string[] {
  const targets = new Map<string, string[]>();
  for (const { from, target } of importsOf(files))
    if (target !== null) targets.set(from, [...(targets.get(from) ?? []), target]);
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) circles.push([...trail.slice(start), path].join(" -> "));
    if (start >= 0 || done.has(path)) return;
    for (const target of targets.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of files.keys()) visit(path, []);
  return circles;
}
