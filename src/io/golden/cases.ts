// Golden cases on disk: folders of case.json, inputs.safetensors and expected.safetensors (golden/FORMAT.md §1 and §2).
import { kindOf, listFiles, openFile } from "#host";
import { LoadError } from "../../tensor/errors.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { parseJson } from "../json.ts";
import { loadSafetensors, type SafetensorsFile, type Stored } from "../safetensors/read.ts";
import { saveSafetensors, type WriteOptions } from "../safetensors/write.ts";
import type { CaseManifest } from "./manifest.ts";
import { caseId, caseManifest } from "./read-manifest.ts";
import { expectedTensors, givenTensors } from "./tensors.ts";

export interface GoldenCase {
  readonly folder: string;
  readonly manifest: CaseManifest;
  /** By the names in `manifest.inputs`, including the cotangent of a gradient case. Floats are read on first use. */
  readonly inputs: ReadonlyMap<string, Stored>;
  /** By state-dict key, read or generated on first use. Tied keys are absent, as in the file. */
  readonly weights: ReadonlyMap<string, Tensor>;
  /** By the names of expected.safetensors: "outputs.out", "taps.…", "grads.…", "probes.…". Empty if the source throws. */
  readonly expected: ReadonlyMap<string, Stored>;
  /** Closes the files; they are opened again when they are read again. */
  close(): void;
}

const MANIFEST = "case.json";
const LONGEST_MANIFEST = 1_000_000;
const DEEPEST_MANIFEST = 16;

/** The folders of all cases at or below these paths, sorted, each once. */
export function findCases(paths: readonly string[]): string[] {
  return [...new Set(paths.flatMap(casesAt))].sort((a, b) => (a < b ? -1 : 1));
}

const dirname = (file: string): string => file.slice(0, file.lastIndexOf("/"));

function casesAt(path: string): string[] {
  const folder = path.replace(/(?<=.)\/+$/, "");
  if (kindOf(`${folder}/${MANIFEST}`) === "file") return [folder];
  if (kindOf(folder) === "folder") {
    const manifests = listFiles(folder).filter((file) => file.endsWith(`/${MANIFEST}`));
    if (manifests.length > 0) return manifests.map(dirname); // [case.find]
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

/** Reads case.json and both headers, and compares them. Values are read when they are used. */
export function readCase(folder: string): GoldenCase {
  const manifest = readManifest(`${folder}/${MANIFEST}`);
  const given = loadSafetensors(`${folder}/inputs.safetensors`);
  const tensors = givenTensors(manifest, given, { file: `${folder}/${MANIFEST}`, field: "recipes" });
  const answers = manifest.raises === null ? loadSafetensors(`${folder}/expected.safetensors`) : null; // [case.expected]
  const expected = answers === null ? new Map<string, Stored>() : expectedTensors(manifest, answers);
  const close = (): void => {
    given.close();
    answers?.close();
  };
  return {
    folder,
    manifest,
    inputs: under("inputs.", tensors),
    weights: floats(under("weights.", tensors)),
    expected,
    close,
  };
}

function readManifest(path: string): CaseManifest {
  const source = openFile(path);
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

const under = <T>(prefix: string, map: ReadonlyMap<string, T>): Map<string, T> =>
  new Map(
    [...map]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => [key.slice(prefix.length), value]),
  );

const floats = (map: ReadonlyMap<string, Stored>): Map<string, Tensor> =>
  new Map([...map].filter((entry): entry is [string, Tensor] => entry[1] instanceof Tensor));

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

const actualPath = (folder: string, id: string): string =>
  `${folder}/${caseId(id, { file: folder, field: "id" })}/${ACTUAL}`;
