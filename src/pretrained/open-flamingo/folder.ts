// The folder of an OpenFlamingo: the trained part in open-flamingo's own names, and the paths of the two models that it connects.
import { kindOf, writeFile } from "#host";
import {
  type FieldLocation,
  integer,
  object,
  oneOf,
  optional,
  type Read,
  record,
  string,
} from "../../io/fields.ts";
import type { JsonObject } from "../../io/json.ts";
import type { PickledTensors } from "../../io/pickle/read.ts";
import { loadSafetensors, type SafetensorsFile } from "../../io/safetensors/read.ts";
import { saveSafetensors } from "../../io/safetensors/write.ts";
import { camel } from "../../io/snake-case.ts";
import { readJson } from "../../io/tokenizers/folder.ts";
import { loadTorch } from "../../io/torch/read.ts";
import { quoted } from "../../io/wording.ts";
import { vocabularyTables } from "../../models/language-models/vocabulary.ts";
import type { OpenFlamingo } from "../../models/open-flamingo/flamingo.ts";
import type { StateDictReport } from "../../nn/loading/report.ts";
import { object as anObject, type Check, checked, optional as may, passing } from "../../nn/options.ts";
import { loadStateDict, stateDict, ties } from "../../nn/state-dict.ts";
import { LoadError } from "../../tensor/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { LoadPretrainedOptions } from "../load-pretrained.ts";
import { createFlamingo, type FlamingoAndTransforms, type VisionTower } from "./factory.ts";

const SETTINGS = "open-flamingo.json";
const CHECKPOINTS = ["checkpoint.safetensors", "checkpoint.pt"] as const;
const PROFILES = ["open-flamingo@2.0.1", "open-flamingo@0.1.1"] as const;

/** open-flamingo.json */
export interface FlamingoSettings {
  readonly profile: (typeof PROFILES)[number];
  /** Folders, relative to that of the file or absolute. */
  readonly lang_encoder_path: string;
  readonly vision_encoder_path: string;
  readonly cross_attn_every_n_layers: number;
  readonly cross_attn_first_layer: number;
  /** Sizes that differ from those of the release, in the names of its classes: `depth`, `dim_head`, `num_latents`, … */
  readonly perceiver: JsonObject;
  readonly cross_attn: JsonObject;
}

const readSettings: Read<FlamingoSettings> = record<FlamingoSettings>({
  profile: optional(oneOf(...PROFILES), "open-flamingo@2.0.1"),
  lang_encoder_path: optional(string, "language"),
  vision_encoder_path: optional(string, "vision"),
  cross_attn_every_n_layers: optional(integer, 1),
  cross_attn_first_layer: optional(integer, 0),
  perceiver: optional(object, {}),
  cross_attn: optional(object, {}),
});

const DEFAULTS: FlamingoSettings = {
  profile: "open-flamingo@2.0.1",
  lang_encoder_path: "language",
  vision_encoder_path: "vision",
  cross_attn_every_n_layers: 1,
  cross_attn_first_layer: 0,
  perceiver: {},
  cross_attn: {},
};

/** The settings of a folder. Throws a LoadError that names the file and the member with a problem. */
export function flamingoSettings(folder: string): FlamingoSettings {
  const file = `${folder}/${SETTINGS}`;
  const json = readJson(file);
  if (json === null)
    throw new LoadError(
      `${folder}: there is no ${SETTINGS}; name a folder that saveFlamingo wrote  [flamingoFolder.files]`,
    );
  const unread: string[] = [];
  const at: FieldLocation = { file, field: "", unread, rule: "flamingoFolder.settings" };
  const settings = readSettings(json, at);
  const [unknown] = unread;
  if (unknown !== undefined)
    throw new LoadError(`${file}: ${quoted(unknown)} is no setting  [flamingoFolder.settings]`);
  return settings;
}

export interface LoadFlamingoOptions {
  /** The folder of the language model, instead of that of the settings. */
  readonly languageModel?: string | undefined;
  /** The image encoder, instead of that of the settings. */
  readonly visionEncoder?: VisionTower | undefined;
  /** How the language model is loaded. */
  readonly loading?: LoadPretrainedOptions | undefined;
}

const checks: { readonly [K in keyof LoadFlamingoOptions]-?: Check } = {
  languageModel: may(passing("the path of a folder", (value) => typeof value === "string" && value !== "")),
  visionEncoder: may(anObject("an image encoder with its width and a function imageProcessor")),
  loading: may(anObject("options of loadPretrained")),
};

/** An OpenFlamingo from a folder. */
export interface LoadedFlamingo extends FlamingoAndTransforms {
  readonly settings: FlamingoSettings;
  /** Which tensors of the checkpoint were loaded. */
  readonly report: StateDictReport;
  /** Closes the files. A later use of a weight that is read lazily opens them again. */
  close(): void;
}

/** A path of the settings: absolute, or relative to their folder. */
const resolved = (folder: string, path: string): string =>
  /^([A-Za-z]:)?[\\/]/.test(path) ? path : `${folder}/${path}`; // [flamingoFolder.paths]

/** Options in the names of the classes here. */
const camelCased = (sizes: JsonObject): object =>
  Object.fromEntries(Object.entries(sizes).map(([name, value]) => [camel(name), value]));

/** Opens the checkpoint of a folder. */
function openCheckpoint(folder: string): SafetensorsFile | PickledTensors {
  const name = CHECKPOINTS.find((one) => kindOf(`${folder}/${one}`) === "file");
  if (name === undefined)
    throw new LoadError(`${folder}: there is none of ${CHECKPOINTS.join(", ")}  [flamingoFolder.files]`);
  const path = `${folder}/${name}`;
  return name.endsWith(".pt") ? loadTorch(path) : loadSafetensors(path);
}

/** Whether a parameter is of the parts that every checkpoint holds. */
const isTrained = (name: string): boolean => /^perceiver\.|\.gated_cross_attn_layer\./.test(name);

/**
 * Loads the OpenFlamingo of a folder: the models that its settings name, connected as `createFlamingo` does it, with the checkpoint's
 * weights. Throws a LoadError that names the file with a problem, and a StateDictError for a checkpoint that does not fit.
 */
export async function loadFlamingo(
  folder: string,
  options: LoadFlamingoOptions = {},
): Promise<LoadedFlamingo> {
  const { languageModel, visionEncoder, loading } = checked("loadFlamingo", options, checks);
  const settings = flamingoSettings(folder);
  if (visionEncoder === undefined) throw new LoadError("give the image encoder as the option visionEncoder");
  const parts = await createFlamingo({
    visionEncoder,
    langEncoder: languageModel ?? resolved(folder, settings.lang_encoder_path),
    loading,
    ...sizesOf(settings),
  });
  const checkpoint = openCheckpoint(folder);
  try {
    const report = loadStateDict(parts.model, checkpoint, {
      strip: true,
      ignore: ["lang_encoder.old_decoder_blocks.*", "lang_encoder.gated_cross_attn_layers.*"],
      optional: [(name) => !isTrained(name)],
    });
    const close = () => {
      checkpoint.close();
      parts.language.close();
    };
    return { ...parts, settings, report, close };
  } catch (error) {
    checkpoint.close();
    parts.language.close();
    throw error;
  }
}

/** The sizes of the settings as options. */
function sizesOf(settings: FlamingoSettings) {
  return {
    crossAttnEveryNLayers: settings.cross_attn_every_n_layers,
    crossAttnFirstLayer: settings.cross_attn_first_layer,
    perceiver: camelCased(settings.perceiver),
    crossAttn: camelCased(settings.cross_attn),
  };
}

/**
 * Writes the settings and the trained part of a model, with the tables of its vocabulary. The two models that it connects are not written.
 * Weights keep their dtype, except that those in float64, as training leaves them, are rounded to float32.
 */
export function saveFlamingo(
  folder: string,
  model: OpenFlamingo,
  settings: Partial<FlamingoSettings> = {},
): void {
  const tensors = savedTensors(model);
  const wide = [...tensors].filter(([, t]) => t.dtype === "float64");
  const dtypes = new Map(wide.map(([name]) => [name, "F32"] as const)); // [flamingoFolder.dtypes]
  saveSafetensors(`${folder}/${CHECKPOINTS[0]}`, tensors, { floats: "stored", dtypes });
  const text = JSON.stringify({ ...DEFAULTS, ...settings }, null, 2);
  writeFile(`${folder}/${SETTINGS}`, new TextEncoder().encode(`${text}\n`));
}

/** Perceiver, gated layers, and the tables with rows of added tokens; tied ones once. [flamingoFolder.tensors] */
function savedTensors(model: OpenFlamingo): Map<string, Tensor> {
  const { input, output } = vocabularyTables(model.lang_encoder);
  const tables = new Set<unknown>([input.weight, output?.weight, output?.bias]);
  const tied = ties(model);
  const isSaved = (name: string, t: Tensor): boolean => !tied.has(name) && (isTrained(name) || tables.has(t));
  return new Map([...stateDict(model)].filter(([name, t]) => isSaved(name, t)));
}
