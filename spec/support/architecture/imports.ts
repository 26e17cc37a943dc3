// The import law. Every law is a function from files (path below src -> text) to violations, so that it can be shown a
// planted house as well as the real one.
import { imports, tokens } from "./scan.mjs";

export type Files = ReadonlyMap<string, string>;

interface Import {
  readonly from: string;
  readonly line: number;
  /** As written; null if it is computed. */
  readonly specifier: string | null;
  /** The file below src that it names, if it names one: "#host" is host/host.ts. */
  readonly target: string | null;
}

const LAYERS: Readonly<Record<string, number>> = {
  tensor: 0,
  terminal: 0,
  masks: 1,
  host: 1,
  kernels: 1,
  io: 1,
  nn: 2,
  blocks: 3,
  models: 4,
  training: 5,
  generation: 5,
  conformance: 7,
  "mask-report": 7,
  demos: 7,
  bench: 7,
  cli: 8,
  web: 8,
  "": 9, // src/index.ts
};

/** Which folders may import what is not ours. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  ndarray: ["tensor/"],
  "ndarray-ops": ["tensor/"],
  "pure-rand": ["tensor/"],
  "gpu.js": ["kernels/gpu/"],
  node: ["host/", "cli/", "web/", "conformance/adapters/", "bench/"],
};

/** Entries of the package and of a backend; everything else imports files. */
const BARREL = /^(index|masks\/index|kernels\/[a-z0-9-]+\/index)\.ts$/;

export const folderOf = (path: string): string => (path.includes("/") ? (path.split("/")[0] ?? "") : "");
const directory = (path: string): string => path.slice(0, path.lastIndexOf("/") + 1);
const say = ({ from, line, specifier }: Import, why: string): string =>
  `${from}:${line} imports ${specifier ?? "what is computed"}: ${why}`;

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
    imports(tokens(text)).map(({ specifier, line }) => ({
      from,
      line,
      specifier,
      target: resolve(from, specifier),
    })),
  );

/** Why a folder may not import a file of another one, or null. */
function forbidden(folder: string, target: string): string | null {
  const other = folderOf(target);
  const [layer, below] = [LAYERS[folder], LAYERS[other]];
  if (layer === undefined) return `the folder ${folder} has no layer`;
  if (below === undefined) return `the folder ${other} has no layer`;
  if (folder === "masks") return other === "terminal" ? null : "masks imports nothing but terminal";
  if (["nn", "blocks", "models"].includes(folder) && ["kernels", "io", "host"].includes(other))
    return "a model does not know how it is executed or stored";
  if (below < layer) return null;
  if (below > layer) return `layer ${layer} does not import layer ${below}`;
  if (["kernels", "io"].includes(folder) && other === "host") return null;
  return `${folder} and ${other} share layer ${layer}`;
}

export function floors(files: Files): string[] {
  return importsOf(files).flatMap((found) => {
    const { from, target } = found;
    if (target === null || folderOf(from) === folderOf(target)) return [];
    const why = forbidden(folderOf(from), target);
    return why === null ? [] : [say(found, why)];
  });
}

export function outside(files: Files): string[] {
  return importsOf(files).flatMap((found) => {
    const { from, specifier, target } = found;
    if (specifier === null) return [say(found, "a target is a plain string")];
    if (target !== null) {
      const door = folderOf(target) === "host" && folderOf(from) !== "host" && specifier !== "#host";
      if (door) return [say(found, "#host is the door")];
      return files.has(target) ? [] : [say(found, "there is no such file; relative imports end in .ts")];
    }
    const name = specifier.startsWith("node:") ? "node" : (/^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? "");
    const homes = PACKAGES[name] ?? [];
    const atHome = homes.some((home) => from.startsWith(home));
    const where = homes.length > 0 ? `in ${homes.join(", ")} only` : "nowhere";
    return atHome ? [] : [say(found, `${name} is used ${where}`)];
  });
}

export function barrels(files: Files): string[] {
  const idle = [...files.keys()].filter((path) => /(^|\/)index\.ts$/.test(path) && !BARREL.test(path));
  const wrong = importsOf(files).flatMap((found) => {
    const { from, target } = found;
    if (target === null || !BARREL.test(target)) return [];
    if (target === "index.ts") return [say(found, "nothing imports the list of everything public")];
    const entry = target.startsWith("masks/") ? from === "index.ts" : !from.startsWith(directory(target));
    return entry ? [] : [say(found, "files import files, not a folder's index")];
  });
  return [...idle.map((path) => `${path} is a barrel that nobody needs`), ...wrong];
}

/** The one file of `kernels` that chooses. */
const CHOOSES = "kernels/auto.ts";

/** A backend is a folder of kernels that can be deleted: neither its siblings nor the files beside it know it. */
export function backends(files: Files): string[] {
  const backendOf = (path: string): string | undefined => /^kernels\/([^/]+)\//.exec(path)?.[1];
  return importsOf(files).flatMap((found) => {
    const [own, other] = [backendOf(found.from), backendOf(found.target ?? "")];
    const stranger =
      other !== undefined && other !== own && folderOf(found.from) === "kernels" && found.from !== CHOOSES;
    return stranger ? [say(found, "a backend is known to those who choose it")] : [];
  });
}

/** Circles of imports, each told once, imports of types included. */
export function cycles(files: Files): string[] {
  const edges = new Map<string, Import[]>();
  for (const found of importsOf(files)) edges.set(found.from, [...(edges.get(found.from) ?? []), found]);
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) found.push([...trail.slice(start), path].join(" -> "));
    if (start >= 0 || done.has(path)) return;
    for (const { target } of edges.get(path) ?? []) if (target !== null) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of files.keys()) visit(path, []);
  return found;
}
