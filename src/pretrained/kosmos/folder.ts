// The folder of a Kosmos: its settings, the weights in kosmosx's names, the tokenizer, and the preprocessing of images.
import { createFolder, kindOf, writeFile } from "#host";
import { openWeights } from "../../io/huggingface/shards.ts";
import type { DecodedImage, Image } from "../../io/images/image.ts";
import {
  clipPreprocessing,
  type ImagePreprocessing,
  preprocessImage,
} from "../../io/images/preprocessing.ts";
import { saveSafetensors } from "../../io/safetensors/write.ts";
import { readBytes, readJson } from "../../io/tokenizers/folder.ts";
import { findKosmosTokenizer } from "../../io/tokenizers/kosmos/load.ts";
import { loadTokenizer } from "../../io/tokenizers/load.ts";
import type { Tokenizer } from "../../io/tokenizers/tokenizer.ts";
import { quoted } from "../../io/wording.ts";
import { Kosmos } from "../../models/kosmos/kosmos.ts";
import type { KosmosTokens } from "../../models/kosmos/layout.ts";
import type { ClipTower } from "../../models/vision/clip/tower.ts";
import { CLIPVisionModel, CLIPVisionTransformer } from "../../models/vision/clip/transformers.ts";
import type { StateDictReport } from "../../nn/loading/report.ts";
import { type Check, checked, checkValue, object, optional, passing, shown } from "../../nn/options.ts";
import { loadStateDict, stateDict } from "../../nn/state-dict.ts";
import { LoadError, RuleError } from "../../tensor/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type LoadedClip, loadClip } from "../clip/load.ts";
import { clipImageProcessor, clipProcessorConfig } from "../clip/preprocessing.ts";
import { type KosmosSettings, kosmosOf, kosmosSettings, SETTINGS, settingsIn } from "./settings.ts";

const WEIGHTS = ["model.safetensors", "pytorch_model.bin", "final_model.pt"] as const;
/** The files that may belong to a tokenizer. */
const TOKENIZER_FILES = [
  "tokenizer.json",
  "tokenizer.model",
  "spiece.model",
  "sentencepiece.bpe.model",
  "pieces.json",
  "dict.txt",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
] as const;
const PROCESSOR = "preprocessor_config.json";
/** The special tokens of images, which are added to the tokenizer where it does not have them. */
const IMAGE_TOKENS = { image: "<image>", imageEnd: "</image>" } as const;

/** Other parts than those of the folder, and how to read it. */
export interface LoadKosmosOptions {
  /** The folder of another image tower, as `loadClip` reads it, instead of the model's own. */
  readonly clip?: string | undefined;
}

/** A Kosmos from a folder, and what turns texts and photographs into what it takes. */
export interface LoadedKosmos {
  readonly model: Kosmos;
  readonly tokenizer: Tokenizer;
  /** From a photograph to what the tower takes, without the axis of the batch. */
  readonly imageProcessor: (image: Image | DecodedImage) => Tensor<"c h w">;
  readonly preprocessing: ImagePreprocessing;
  readonly settings: KosmosSettings;
  /** Which weights were loaded and left out. */
  readonly report: StateDictReport;
  /** The file of the weights. */
  readonly file: string;
  /** Closes the files. A later use of a weight opens them again. */
  close(): void;
}

const folderPath: Check = passing(
  "the path of a folder",
  (value) => typeof value === "string" && value !== "",
);
const checks: { readonly [K in keyof LoadKosmosOptions]-?: Check } = { clip: optional(folderPath) };

/**
 * The image tower of a folder that `loadClip` loaded, as Kosmos takes it. Throws a RuleError for a tower with the names of open_clip.
 */
export function kosmosTower(encoder: ClipTower): CLIPVisionTransformer {
  if (encoder instanceof CLIPVisionTransformer) return encoder;
  if (encoder instanceof CLIPVisionModel) return encoder.vision_model;
  throw new RuleError(
    `Kosmos takes an image tower with the names of transformers, not ${shown(encoder)}; load a folder of transformers' CLIPModel or CLIPVisionModel`,
    "kosmosfolder.tower",
  );
}

/** The weights of a folder. */
function weightsPath(folder: string): string {
  const name = WEIGHTS.find((one) => kindOf(`${folder}/${one}`) === "file"); // [kosmosfolder.files]
  if (name !== undefined) return `${folder}/${name}`;
  throw new LoadError(
    `${folder}: there is none of ${WEIGHTS.join(", ")}; put the weights there, or name a folder that saveKosmos wrote  [kosmosfolder.files]`,
  );
}

/** The tokenizer of a preset whose special tokens have the ids of the model, or null. [kosmosfolder.tokenizer] */
function presetTokenizer(folder: string, tokens: KosmosTokens): Tokenizer | null {
  const found = findKosmosTokenizer(folder);
  if (found === null) return null;
  const { bos, ...others } = found.tokens;
  const wanted: KosmosTokens = { ...others, bos: bos ?? tokens.bos };
  const names = ["bos", "pad", "eos", "image", "imageEnd"] as const;
  return names.every((name) => wanted[name] === tokens[name]) ? found.tokenizer : null;
}

/** The tokenizer of a folder, with the tokens of images. Throws a LoadError where its ids are not those of the model. */
async function kosmosTokenizer(folder: string, { options, decoder }: Kosmos): Promise<Tokenizer> {
  const tokenizer =
    presetTokenizer(folder, options.tokens) ??
    (await loadTokenizer(folder, { special: Object.values(IMAGE_TOKENS) }));
  for (const name of ["bos", "pad", "eos"] as const) {
    const [id, own] = [tokenizer[name], options.tokens[name]];
    if (id !== null && own !== null && id !== own)
      throw new LoadError(
        `${folder}: ${name} has the id ${id} in the tokenizer, and ${own} in ${SETTINGS}; give the tokenizer of the model  [kosmosfolder.tokenizer]`,
      );
  }
  for (const name of ["image", "imageEnd"] as const) {
    const [id, text] = [tokenizer.tokenToId(IMAGE_TOKENS[name]), IMAGE_TOKENS[name]];
    if (id !== options.tokens[name])
      throw new LoadError(
        `${folder}: ${quoted(text)} has the id ${id} in the tokenizer, and ${options.tokens[name]} in ${SETTINGS}; give the tokenizer of the model  [kosmosfolder.tokenizer]`,
      );
  }
  const { vocabSize } = decoder.options;
  if (tokenizer.size > vocabSize)
    throw new LoadError(
      `${folder}: the tokenizer has ${tokenizer.size} ids, and the tables of the model ${vocabSize} rows; give the tokenizer of the model  [kosmosfolder.tokenizer]`,
    );
  return tokenizer;
}

/** The preprocessing of a folder: that of its file, or CLIP's. Throws a LoadError for images of another size than the tower's. */
function preprocessingOf(folder: string, { imageSize }: CLIPVisionTransformer): ImagePreprocessing {
  const file = `${folder}/${PROCESSOR}`;
  const json = readJson(file);
  const [height, width] = imageSize;
  if (json === null) return clipPreprocessing(height);
  const steps = clipImageProcessor(json, { file, field: "", rule: "config.fields" }); // [kosmosfolder.processor]
  const { crop } = steps;
  if (crop === null || (crop.height === height && crop.width === width)) return steps;
  throw new LoadError(
    `${file}: images have ${crop.height} × ${crop.width} pixels after it, and the tower takes ${height} × ${width}; give crop_size the size of the tower  [kosmosfolder.processor]`,
  );
}

/** A tower of another folder. Throws a LoadError for one whose tokens have another width. */
function otherTower(path: string, settings: KosmosSettings): LoadedClip {
  const loaded = loadClip(path);
  const wanted = settings.clip.hidden_size ?? loaded.width;
  if (loaded.width === wanted) return loaded;
  loaded.close();
  throw new LoadError(
    `${path}: the tower's tokens have the width ${loaded.width}, and the resampler takes ${wanted}; give a tower of that width  [kosmosfolder.tower]`,
  );
}

/** The least tensors of a layer of the decoder, the tower and the resampler. */
const LAYER_TENSORS = { decoder: 16, clip: 16, resampler: 11 };

/** Throws a LoadError for settings whose layers have more tensors than the file, before these layers are made. */
function checkLayers(
  { decoder, resampler }: KosmosSettings,
  clipLayers: number,
  tensors: number,
  folder: string,
): void {
  const layers = decoder.layers + resampler.depth + clipLayers;
  const least =
    decoder.layers * LAYER_TENSORS.decoder +
    resampler.depth * LAYER_TENSORS.resampler +
    clipLayers * LAYER_TENSORS.clip;
  if (least > tensors)
    throw new LoadError(
      `${folder}/${SETTINGS}: the settings have ${layers} layers, which have at least ${least} tensors, and the file of weights has ${tensors}; give the settings of the weights  [kosmosfolder.settings]`,
    );
}

/** Names of the tower's weights, which are left out where another tower is given, and a buffer of old releases of transformers. */
const [TOWER, POSITION_IDS] = ["clip_model.*", "clip_model.embeddings.position_ids"];

/**
 * Loads the Kosmos of a folder as `saveKosmos` writes it. Weights keep the dtypes of the file, and are read whenever they are
 * used. Throws a LoadError that names the file with a problem, and a StateDictError where names or shapes do not fit. Throws a
 * RuleError for an image tower with the names of open_clip.
 */
export async function loadKosmos(folder: string, options: LoadKosmosOptions = {}): Promise<LoadedKosmos> {
  checkValue("loadKosmos", "folder", folder, folderPath);
  const { clip } = checked("loadKosmos", options, checks);
  const settings = kosmosSettings(folder);
  const tower = clip === undefined ? null : otherTower(clip, settings);
  const path = weightsPath(folder);
  const file = openWeights(path);
  const close = () => {
    tower?.close();
    file.close();
  };
  try {
    checkLayers(
      settings,
      tower === null ? (settings.clip.num_hidden_layers ?? 0) : 0,
      file.keys.length,
      folder,
    );
    const model = kosmosOf(settings, `${folder}/${SETTINGS}`, tower && kosmosTower(tower.encoder));
    const usual = { ignore: tower ? [TOWER] : [POSITION_IDS] }; // [kosmosfolder.weights] [kosmosfolder.tower]
    const report = loadStateDict(model, file, { usual, optional: tower ? [TOWER] : [] });
    const tokenizer = await kosmosTokenizer(folder, model);
    const preprocessing = tower?.preprocessing ?? preprocessingOf(folder, model.clip_model);
    const imageProcessor = (image: Image | DecodedImage) => preprocessImage(image, preprocessing).pixels;
    return { model, tokenizer, imageProcessor, preprocessing, settings, report, file: path, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** What is written beside the weights. */
export interface SaveKosmosOptions {
  /** A folder whose tokenizer is copied. Default: no tokenizer is written. */
  readonly tokenizer?: string | undefined;
  /** The preprocessing of images. Default: CLIP's for the size of the tower. */
  readonly preprocessing?: ImagePreprocessing | undefined;
}
const saveChecks: { readonly [K in keyof SaveKosmosOptions]-?: Check } = {
  tokenizer: optional(folderPath),
  preprocessing: optional(object("the steps from a photograph to a tensor")),
};

const json = (value: object): Uint8Array => new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);

/**
 * Writes a model: settings, weights in kosmosx's names, each table under both of its names as a strict load in torch needs it,
 * and the preprocessing. Weights keep their dtype, except that those in float64, as training leaves them, are rounded to float32.
 * Throws a RuleError for anything but a Kosmos.
 */
export function saveKosmos(folder: string, model: Kosmos, options: SaveKosmosOptions = {}): void {
  checkValue("saveKosmos", "folder", folder, folderPath);
  if (!(model instanceof Kosmos))
    throw new RuleError(`saveKosmos takes a Kosmos, not ${shown(model)}`, "options.values");
  const { tokenizer, preprocessing } = checked("saveKosmos", options, saveChecks);
  const steps = preprocessing ?? clipPreprocessing(model.clip_model.imageSize[0]);
  const processor = clipProcessorConfig(steps);
  createFolder(folder);
  const tensors = stateDict(model); // [kosmosfolder.weights]
  const wide = [...tensors].filter(([, t]) => t.dtype === "float64");
  const dtypes = new Map(wide.map(([name]) => [name, "F32"] as const)); // [kosmosfolder.dtypes]
  const metadata = new Map([["format", "pt"]]);
  saveSafetensors(`${folder}/${WEIGHTS[0]}`, tensors, { floats: "stored", dtypes, metadata });
  writeFile(`${folder}/${PROCESSOR}`, json(processor));
  if (tokenizer !== undefined && tokenizer !== folder) copyTokenizer(tokenizer, folder);
  writeFile(`${folder}/${SETTINGS}`, json(settingsIn(model)));
}

/** Copies the files of a tokenizer. */
function copyTokenizer(from: string, to: string): void {
  for (const name of TOKENIZER_FILES) {
    const bytes = readBytes(`${from}/${name}`);
    if (bytes !== null) writeFile(`${to}/${name}`, bytes); // [kosmosfolder.tokenizer]
  }
}
