// Digests of what a run depends on, by which a run that goes on is known to be the same one.
import { createHash } from "node:crypto";
import { kindOf, listFiles, openFile } from "#host";
import { type Json, parseJson } from "../../io/json.ts";
import { resolved } from "../../io/paths.ts";
import { SETTINGS as PALM_SETTINGS } from "../../pretrained/flamingo-palm/folder.ts";
import { LoadError } from "../../tensor/errors.ts";

/** Bytes of a file that are hashed at a time, and the most bytes of settings that name other folders. */
const [CHUNK, MOST_SETTINGS] = [2 ** 20, 2 ** 20];

/** Files of weights, settings and tokenizers. Others, such as reports and pictures, change nothing in a run. */
const PARTS = [
  /\.(?:safetensors|bin|pt|pth|model)$/,
  /(?:^|\/)(?:config|generation_config|open_clip_config|preprocessor_config|kosmos|open-flamingo|flamingo-palm)\.json$/,
  /(?:^|\/)(?:tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|pieces|[^/]*\.index)\.json$/,
  /(?:^|\/)(?:merges|dict|vocab)\.txt$/,
];

/** Settings that name other folders, relative to their own. */
const LINKS: readonly (readonly [file: string, members: readonly string[]])[] = [
  ["open-flamingo.json", ["lang_encoder_path", "vision_encoder_path"]],
  [PALM_SETTINGS, ["vision_encoder_path"]],
];

/** A digest of the bytes of a file. */
export function digestOf(path: string): string {
  const [source, hash] = [openFile(path), createHash("sha256")];
  try {
    for (let at = 0; at < source.size; at += CHUNK)
      hash.update(source.read(at, Math.min(source.size, at + CHUNK)));
  } finally {
    source.close();
  }
  return hash.digest("hex");
}

/** The members of a file of settings; none if it cannot be read, which loading the model says better. */
function membersOf(file: string): Readonly<Record<string, Json>> {
  if (kindOf(file) !== "file") return {};
  const source = openFile(file);
  try {
    return parseJson(source.read(0, Math.min(source.size, MOST_SETTINGS)), file, 8);
  } catch (error) {
    if (error instanceof LoadError) return {};
    throw error;
  } finally {
    source.close();
  }
}

/** The other folders and files that a model's folder names. */
const linkedFrom = (folder: string): string[] =>
  LINKS.flatMap(([name, members]) => {
    const settings = membersOf(`${folder}/${name}`);
    return members.flatMap((member) => {
      const path = settings[member];
      return typeof path === "string" && path !== "" ? [resolved(folder, path)] : [];
    });
  });

/** The files of a model at a path, each with its name there. */
function partsOf(path: string): (readonly [name: string, file: string])[] {
  if (kindOf(path) === "file") return [["", path]];
  if (kindOf(path) !== "folder") return [];
  return listFiles(path).flatMap((file) =>
    PARTS.some((part) => part.test(file)) ? [[file.slice(path.length), file] as const] : [],
  );
}

/**
 * A digest of the weights, settings and tokenizer of a model, also of those outside its folder that its settings name; none if the model is not
 * there. [runs.model]
 */
export function digestOfModel(path: string): { readonly modelDigest?: string } {
  if (kindOf(path) === "nothing") return {};
  const hash = createHash("sha256");
  for (const [i, root] of [path, ...linkedFrom(path)].entries())
    for (const [name, file] of partsOf(root)) hash.update(`${i} ${name} ${digestOf(file)}\n`);
  return { modelDigest: hash.digest("hex") };
}
