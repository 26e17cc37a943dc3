// The exhaustive mask cases: masks.json lists the sources that were run, rows.safetensors has a byte for each row.
import { kindOf, listFiles, openFile } from "#host";
import { LoadError } from "../../tensor/errors.ts";
import { type FieldLocation, integer, list, mapOf, oneOf, type Read, record, string } from "../fields.ts";
import { parseJson } from "../json.ts";
import { loadSafetensors } from "../safetensors/read.ts";

const MANIFEST = "masks.json";
const ROWS = "rows.safetensors";
const LONGEST_MANIFEST = 16 << 20;

export interface MaskSource {
  readonly name: string;
  /** The convention that it is compared with. */
  readonly convention: string;
  readonly package: string;
  readonly version: string;
  /** The error that it raised, by group of rows. */
  readonly refuses: ReadonlyMap<string, readonly string[]>;
}

interface Listed extends MaskSource {
  /** Group of rows -> its tensor. */
  readonly rows: ReadonlyMap<string, string>;
}

interface MaskManifest {
  readonly schema: string;
  /** The lengths of the longest prompts: of text and images, with end tokens, and decoded. */
  readonly longest: { readonly full: number; readonly ends: number; readonly cached: number };
  readonly sources: readonly Listed[];
}

export interface MaskCases {
  readonly folder: string;
  readonly longest: MaskManifest["longest"];
  readonly sources: readonly MaskSource[];
  /** The groups of a source ("steps.2": decoded one at a time, two images), each row a byte. */
  readonly rowsOf: (source: string) => ReadonlyMap<string, Int32Array>;
}

const manifest: Read<MaskManifest> = record({
  schema: oneOf("flamboyance-masks/1"),
  longest: record({ full: integer, ends: integer, cached: integer }),
  sources: list(
    record<Listed>({
      name: string,
      convention: string,
      package: string,
      version: string,
      refuses: mapOf(list(string)),
      rows: mapOf(string),
    }),
  ),
});

/** The folders of mask cases at or below these paths. */
export function findMaskCases(paths: readonly string[]): string[] {
  const found = paths.flatMap((path) => {
    const folder = path.replace(/(?<=.)\/+$/, "");
    if (kindOf(`${folder}/${MANIFEST}`) === "file") return [folder];
    if (kindOf(folder) !== "folder") return [];
    const files = listFiles(folder).filter((file) => file.endsWith(`/${MANIFEST}`));
    return files.map((file) => file.slice(0, -MANIFEST.length - 1)); // [mask.golden-files]
  });
  return [...new Set(found)].sort();
}

export function readMaskCases(folder: string): MaskCases {
  const file = `${folder}/${MANIFEST}`;
  const bytes = openFile(file);
  if (bytes.size > LONGEST_MANIFEST)
    throw new LoadError(`${file} is too long to be a manifest  [mask.golden-files]`);
  const json = parseJson(bytes.read(0, bytes.size), file, 8);
  bytes.close();
  const at: FieldLocation = { file, field: "" };
  const { longest, sources } = manifest(json, at);
  const rowsOf = (name: string): ReadonlyMap<string, Int32Array> => {
    const tensors = loadSafetensors(`${folder}/${ROWS}`);
    const groups = sources.find((source) => source.name === name)?.rows ?? new Map<string, string>();
    const rows = [...groups].map(([group, tensor]): [string, Int32Array] => [
      group,
      Int32Array.from(tensors.int(tensor).flat()), // [mask.golden-files]
    ]);
    tensors.close();
    return new Map(rows);
  };
  return { folder, longest, sources, rowsOf };
}
