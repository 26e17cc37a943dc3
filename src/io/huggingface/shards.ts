// Weights in several files, and the index that says which tensor is in which (model.safetensors.index.json).
import { kindOf } from "#host";
import { LoadError } from "../../tensor/errors.ts";
import { isObject, type Json } from "../json.ts";
import { loadSafetensors } from "../safetensors/read.ts";
import type { TensorFile } from "../tensor-file.ts";
import { loadTorch } from "../torch/read.ts";
import { quoted } from "../wording.ts";

/** A file of weights that can be closed. */
export type WeightsFile = TensorFile & { close(): void };

/** A file with weights, by the format that its name says. */
export const openWeights = (path: string): WeightsFile =>
  path.endsWith(".safetensors") ? loadSafetensors(path) : loadTorch(path);

/** Names in an error: at most five. */
function some(names: readonly string[]): string {
  const shown = names.slice(0, 5).map(quoted).join(", ");
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

/** The members of `weight_map` from tensor to file. File names are plain, so that no file outside of the folder is opened. */
function weightMap(map: Json | undefined, index: string): ReadonlyMap<string, string> {
  const wrong = (problem: string, rule = "pretrained.index") =>
    new LoadError(`${index}: ${problem}  [${rule}]`);
  if (!isObject(map))
    // [pretrained.index]
    throw wrong('has no object "weight_map" from the names of tensors to files');
  const found = new Map<string, string>();
  for (const [tensor, file] of Object.entries(map)) {
    if (typeof file !== "string") throw wrong(`tensor ${quoted(tensor)} has no file`);
    const isPlain = /^[^/\\\0]+$/.test(file) && file !== "." && file !== ".."; // [pretrained.paths]
    if (!isPlain) {
      const problem = `is in ${quoted(file)}, which is no name of a file in the folder`;
      throw wrong(`tensor ${quoted(tensor)} ${problem}`, "pretrained.paths");
    }
    found.set(tensor, file);
  }
  if (found.size === 0) throw wrong("lists no tensor");
  return found;
}

/** Opens the files that an index names, by their names, and compares what they hold with the index. */
export function openShards(folder: string, index: string, map: Json | undefined): Map<string, WeightsFile> {
  const files = weightMap(map, index);
  const names = [...new Set(files.values())].sort();
  const missing = names.filter((name) => kindOf(`${folder}/${name}`) !== "file");
  if (missing.length > 0)
    throw new LoadError(
      `${index}: ${missing.length} of ${names.length} files are missing: ${some(missing)}; download them  [pretrained.shards]`,
    );
  const shards = new Map(names.map((name) => [name, openWeights(`${folder}/${name}`)]));
  for (const [name, shard] of shards) {
    const lacking = [...files].filter(([key, file]) => file === name && !shard.has(key)).map(([key]) => key);
    if (lacking.length > 0)
      throw new LoadError(
        `${folder}/${name}: lacks ${some(lacking)}, which the index places in it; download it again  [pretrained.shards]`,
      );
    const further = shard.keys.filter((key) => files.get(key) !== name);
    const [first] = further;
    if (first === undefined) continue;
    const other = files.get(first);
    const where = other === undefined ? "nowhere" : `in ${quoted(other)}`;
    throw new LoadError(
      `${folder}/${name}: holds ${some(further)}, and the index places ${quoted(first)} ${where}; download index and files of one version  [pretrained.shards]`,
    );
  }
  return shards;
}
