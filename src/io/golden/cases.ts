// Golden cases on disk: folders of case.json, inputs.safetensors and expected.safetensors (golden/FORMAT.md §1 and §2).
import { type ByteSource, kindOf, listFiles, openFile } from "#host";
import { LoadError } from "../../tensor/errors.ts";
import { checkGiven } from "../../tensor/given.ts";
import { Int, Tensor, view } from "../../tensor/tensor.ts";
import { type FileContent, sourceOf } from "../file-content.ts";
import { parseJson } from "../json.ts";
import { loadSafetensors, openSafetensors, type SafetensorsFile, type Stored } from "../safetensors/read.ts";
import { saveSafetensors, type WriteOptions } from "../safetensors/write.ts";
import type { CaseManifest } from "./manifest.ts";
import { caseId, caseManifest } from "./read-manifest.ts";
import { expectedTensors, givenTensors, strayTensors } from "./tensors.ts";

/** A case: its manifest, inputs, weights and expected results. */
export interface GoldenCase {
  readonly folder: string;
  readonly manifest: CaseManifest;
  /** Whether the case may need as much work as a released model. */
  readonly isFullSize: boolean;
  /** By the names in `manifest.inputs`, including the cotangent of a gradient case. Floats are read on first use. */
  readonly inputs: ReadonlyMap<string, Stored>;
  /** By state-dict key, read or generated on first use. Tied keys are absent, as in the file. */
  readonly weights: ReadonlyMap<string, Tensor>;
  /** By the names of expected.safetensors: "outputs.out", "taps.…", "grads.…", "probes.…". Empty if the source throws. */
  readonly expected: ReadonlyMap<string, Stored>;
  /** The stored tensors that are not those of the manifest's recipes, seed and dtypes, as "inputs.x". All of them are read. */
  strayTensors(): string[];
  /** Closes the files; they are opened again when they are read again. */
  close(): void;
}

const MANIFEST = "case.json";
const LONGEST_MANIFEST = 1_000_000;
const DEEPEST_MANIFEST = 16;

/** The cases below some paths. */
export interface CaseListing {
  /** The folders of all cases, sorted, each once. */
  readonly folders: readonly string[];
  /** Places that should hold a case but cannot be read as one, with the reason. */
  readonly broken: readonly { readonly path: string; readonly problem: string }[];
  /** Folders of tensors with the manifest of another kind of case. */
  readonly otherKinds: readonly { readonly folder: string; readonly manifest: string }[];
}

/** Manifests of other kinds of cases (golden/FORMAT.md §9 and §10), which have tests of their own. */
const OTHER_MANIFESTS = ["training.json", "rows.json"];
const TENSORS = ["inputs.safetensors", "expected.safetensors"];

/** The folders of all cases at or below these paths, sorted, each once. */
export const findCases = (paths: readonly string[]): string[] => [...listCases(paths).folders];

/** The cases at or below these paths, and whatever looks like one. Throws a LoadError for a path without cases. */
export function listCases(paths: readonly string[]): CaseListing {
  checkGiven("listCases", { paths }, "a list");
  const all = paths.map(casesAt);
  const once = <T>(items: readonly T[], key: (item: T) => string): T[] =>
    [...new Map(items.map((item) => [key(item), item])).entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, item]) => item);
  return {
    folders: once(
      all.flatMap(({ folders }) => folders),
      (folder) => folder,
    ),
    broken: once(
      all.flatMap(({ broken }) => broken),
      ({ path }) => path,
    ),
    otherKinds: once(
      all.flatMap(({ otherKinds }) => otherKinds),
      ({ folder }) => folder,
    ),
  };
}

const dirname = (file: string): string => file.slice(0, file.lastIndexOf("/"));
const basename = (file: string): string => file.slice(file.lastIndexOf("/") + 1);

function casesAt(path: string): CaseListing {
  if (path === "") throw new LoadError("a path of cases is empty; name a folder of cases  [case.find]"); // not the root
  const folder = path.replace(/(?<=.)\/+$/, "");
  if (kindOf(`${folder}/${MANIFEST}`) === "file") return { folders: [folder], broken: [], otherKinds: [] };
  if (kindOf(folder) === "folder") {
    const listing = casesAmong(listFiles(folder));
    if (listing.folders.length + listing.broken.length > 0) return listing; // [case.find]
  }
  const what = {
    file: "a file, not a folder",
    folder: `a folder without a ${MANIFEST} at or below it`,
    nothing: "nothing",
  };
  throw new LoadError(
    `no cases at ${path}: there is ${what[kindOf(folder)]}; name a folder of cases  [case.find]`,
  );
}

/** Sorts files by the cases that they belong to. */
function casesAmong(files: readonly string[]): CaseListing {
  const named = new Map<string, Set<string>>();
  for (const file of files) {
    const names = named.get(dirname(file)) ?? new Set();
    named.set(dirname(file), names.add(basename(file)));
  }
  const broken = files.flatMap((path) => {
    const isOfCase =
      [MANIFEST, ...TENSORS].includes(basename(path)) && named.get(dirname(path))?.has(MANIFEST);
    if (isOfCase || basename(path).startsWith(".")) return []; // reading the case reports it
    const kind = kindOf(path);
    if (kind === "nothing") return [{ path, problem: "a link to nothing; mend or remove it  [case.find]" }];
    if (kind === "folder")
      return [
        {
          path,
          problem: "a folder that cannot be listed; permit it, or name the folder it links to  [case.find]",
        },
      ];
    return [];
  });
  const [folders, otherKinds]: [string[], { folder: string; manifest: string }[]] = [[], []];
  for (const [folder, names] of named) {
    const other = OTHER_MANIFESTS.find((name) => names.has(name));
    if (names.has(MANIFEST)) folders.push(folder);
    else if (other !== undefined) otherKinds.push({ folder, manifest: other });
    else if (TENSORS.some((name) => names.has(name)))
      broken.push({
        path: folder,
        problem: `tensors without a ${MANIFEST}; add it, or remove the folder  [case.find]`,
      });
  }
  return { folders, broken, otherKinds };
}

/** The files of a case in memory, as they are on disk. */
export interface CaseData {
  readonly "case.json": FileContent;
  readonly "inputs.safetensors": FileContent;
  /** Absent where the source throws. */
  readonly "expected.safetensors"?: FileContent | undefined;
}

/** The files of a case, wherever they are. */
interface CaseFiles {
  /** The folder, or a name that stands for it in errors. */
  readonly folder: string;
  open(name: keyof CaseData): ByteSource;
  has(name: keyof CaseData): boolean;
}

const inFolder = (folder: string): CaseFiles => ({
  folder,
  open: (name) => openFile(`${folder}/${name}`),
  has: (name) => kindOf(`${folder}/${name}`) !== "nothing",
});

/** A case whose files are in memory, such as one that a page has fetched; `name` stands for its folder in errors. */
export function caseFromData(data: CaseData, name: string): GoldenCase {
  return readFiles(
    {
      folder: name,
      open: (file) => {
        const content = data[file];
        if (content === undefined) throw new LoadError(`${name} has no ${file}; give its bytes  [case.data]`);
        return sourceOf(content, `${name}/${file}`, "a folder of cases");
      },
      has: (file) => data[file] !== undefined,
    },
    true,
  );
}

/**
 * Reads case.json and both headers, and compares them. Values are read when they are used. Without `fullSize`, a full-size case
 * may need only the work that is allowed for a case whose path is given, which is less than that of the released models. Throws a
 * LoadError that names the file and the field with a problem.
 */
export function readCase(
  folder: string,
  { fullSize = true }: { readonly fullSize?: boolean } = {},
): GoldenCase {
  checkGiven("readCase", { folder }, "a text");
  return readFiles(inFolder(folder), fullSize);
}

function readFiles(files: CaseFiles, fullSize: boolean): GoldenCase {
  const { folder } = files;
  const load = (name: keyof CaseData) => openSafetensors(files.open(name), `${folder}/${name}`);
  const manifest = manifestOf(files);
  const given = load("inputs.safetensors");
  const recipes = { file: `${folder}/${MANIFEST}`, field: "recipes" };
  const isFullSize = manifest.full && fullSize;
  const tensors = givenTensors(manifest, given, isFullSize, recipes);
  const none = manifest.raises !== null && !files.has("expected.safetensors");
  const answers = none ? null : load("expected.safetensors"); // [case.expected]
  const expected = answers === null ? new Map<string, Stored>() : expectedTensors(manifest, answers);
  const close = (): void => {
    given.close();
    answers?.close();
  };
  return {
    folder,
    manifest,
    isFullSize,
    inputs: under("inputs.", tensors),
    weights: floats(under("weights.", tensors)),
    expected,
    strayTensors: () => strayTensors(manifest, given, tensors, recipes),
    close,
  };
}

/** Reads the case.json of a case's folder. */
export const readManifest = (folder: string): CaseManifest => manifestOf(inFolder(folder));

function manifestOf({ folder, open }: CaseFiles): CaseManifest {
  const path = `${folder}/${MANIFEST}`;
  const source = open(MANIFEST);
  const tooLong = source.size > LONGEST_MANIFEST; // [case.json]
  if (tooLong) {
    throw new LoadError(
      `${path} has ${source.size} bytes; at most ${LONGEST_MANIFEST} are read  [case.json]`,
    );
  }
  const json = parseJson(source.read(0, source.size), path, DEEPEST_MANIFEST);
  source.close();
  return caseManifest(json, { file: path, field: "" });
}

/** The entries whose key begins with a prefix, without it. */
export const under = <T>(prefix: string, map: ReadonlyMap<string, T>): Map<string, T> =>
  new Map(
    [...map]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => [key.slice(prefix.length), value]),
  );

/** Weights as floats; a buffer of integers, such as num_batches_tracked, is converted. */
const floats = (map: ReadonlyMap<string, Stored>): Map<string, Tensor> =>
  new Map(
    [...map].flatMap(([name, t]): [string, Tensor][] => {
      if (t instanceof Tensor) return [[name, t]];
      return t instanceof Int
        ? [[name, new Tensor(t.shape, view(Float64Array.from(t.flat()), t.shape))]]
        : [];
    }),
  );

const ACTUAL = "actual.safetensors";

/** Writes the results of an implementation to <folder>/<id>/actual.safetensors, under the names of the expected file. */
export function writeActual(
  folder: string,
  id: string,
  tensors: ReadonlyMap<string, Stored>,
  options?: WriteOptions,
): void {
  saveSafetensors(actualPath(folder, id), tensors, options);
}

/** Reads the results of an implementation for a case. */
export const readActual = (folder: string, id: string): SafetensorsFile =>
  loadSafetensors(actualPath(folder, id));

/** Whether there is anything under the name of the results for a case. */
export const hasActual = (folder: string, id: string): boolean =>
  kindOf(actualPath(folder, id)) !== "nothing";

function actualPath(folder: string, id: string): string {
  checkGiven("the results of a case", { folder }, "a text");
  return `${folder}/${caseId(id, { file: folder, field: "id" })}/${ACTUAL}`;
}
