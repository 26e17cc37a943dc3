// Model folders of Hugging Face: config.json, and weights in one file or in several with an index, as `save_pretrained` writes them.

import { kindOf, openFile } from "#host";
import { LoadError } from "../../tensor/errors.ts";
import { checkGiven } from "../../tensor/given.ts";
import { type JsonObject, parseJson } from "../json.ts";
import { otherFormat } from "../other-formats.ts";
import { TensorFile } from "../tensor-file.ts";
import { openShards, openWeights, type WeightsFile } from "./shards.ts";

/** Levels of nesting in a JSON file, and the bytes that one may have. */
const [DEEPEST, LARGEST] = [64, 100_000_000];

/** The files that may hold the weights; the first that is there counts, as in transformers. */
const WEIGHTS = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
];
/** Weights of other libraries, which such folders often hold as well. */
const OTHERS = ["tf_model.h5", "flax_model.msgpack", "model.onnx"];
/** Weights under other names, which can be opened by themselves. */
const ALONE = [
  "model.fp16.safetensors",
  "model.bf16.safetensors",
  "adapter_model.safetensors",
  "consolidated.safetensors",
  "adapter_model.bin",
  "consolidated.00.pth",
];

/** The end of an error: the weights that a folder holds in place of those that are looked for. */
function foundInstead(holds: (name: string) => boolean): string {
  const [others, alone] = [OTHERS.filter(holds), ALONE.filter(holds)];
  const loader = alone[0]?.endsWith(".safetensors") ? "loadSafetensors" : "loadTorch";
  return [
    others.length > 0 ? `; ${others.join(" and ")} cannot be read` : "",
    alone.length > 0 ? `; open ${alone[0]} by itself, with ${loader}` : "",
  ].join("");
}

/** The configuration and the weights of a folder. */
export class Pretrained extends TensorFile {
  /** config.json, without prototypes. */
  readonly config: JsonObject;
  /** generation_config.json; null if there is none. */
  readonly generationConfig: JsonObject | null;
  readonly #files: ReadonlyMap<string, WeightsFile>;

  constructor(
    folder: string,
    config: JsonObject,
    generationConfig: JsonObject | null,
    files: ReadonlyMap<string, WeightsFile>,
  ) {
    super(folder, new Map([...files.values()].flatMap((file) => [...file.entries])));
    this.config = config;
    this.generationConfig = generationConfig;
    this.#files = files;
  }

  /** The names of the files with the weights. */
  get files(): string[] {
    return [...this.#files.keys()];
  }

  /** The weights by file, in the order in which each file lists them. */
  get tensorsByFile(): ReadonlyMap<string, readonly string[]> {
    return new Map([...this.#files].map(([name, file]) => [name, file.keys]));
  }

  close(): void {
    for (const file of this.#files.values()) file.close();
  }
}

/**
 * Opens a model folder of Hugging Face: the configuration, and the weights in one file or several. Of the weights only what describes
 * them is read. Throws a LoadError that names the file with a problem.
 */
export function openPretrained(folder: string): Pretrained {
  checkGiven("openPretrained", { folder }, "a text");
  const kind = kindOf(folder);
  if (kind !== "folder") {
    const problem = kind === "file" ? "is a file; name the folder that it is in" : "does not exist";
    throw new LoadError(`cannot open ${folder}: it ${problem}  [io.file-errors]`);
  }
  const holds = (name: string): boolean => kindOf(`${folder}/${name}`) === "file";
  if (!holds("config.json"))
    throw new LoadError(
      `${folder}: there is no config.json; name a folder of save_pretrained  [pretrained.config]`,
    );
  const config = readJson(`${folder}/config.json`);
  const generation = holds("generation_config.json") ? readJson(`${folder}/generation_config.json`) : null;
  const weights = WEIGHTS.find(holds); // [pretrained.weights]
  if (weights === undefined)
    throw new LoadError(
      `${folder}: there is none of ${WEIGHTS.join(", ")}${foundInstead(holds)}  [pretrained.weights]`,
    );
  const path = `${folder}/${weights}`;
  const files = weights.endsWith(".json")
    ? openShards(folder, path, readJson(path).weight_map)
    : new Map([[weights, openWeights(path)]]);
  return new Pretrained(folder, config, generation, files);
}

function readJson(path: string): JsonObject {
  const source = openFile(path);
  if (source.size > LARGEST)
    throw new LoadError(
      `${path}: has ${source.size} bytes, more than the limit of ${LARGEST}  [pretrained.config]`,
    );
  const format = otherFormat(source, [], "json");
  if (format !== null) throw new LoadError(`${path}: this is ${format}  [io.other-format]`);
  const bytes = source.read(0, source.size);
  source.close();
  return parseJson(bytes, path, DEEPEST, "pretrained.config");
}
