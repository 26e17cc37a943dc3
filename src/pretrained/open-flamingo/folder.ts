// The folder of an OpenFlamingo: the trained part in open-flamingo's own names, and the paths of the two models that it connects.
import { kindOf, writeFile } from "#host";
import { GatedCrossAttentionBlock } from "../../blocks/gated-cross-attention-block.ts";
import { integer, object, oneOf, optional, type Read, record, refuse, string } from "../../io/fields.ts";
import type { JsonObject } from "../../io/json.ts";
import { resolved } from "../../io/paths.ts";
import { saveSafetensors } from "../../io/safetensors/write.ts";
import { camelKeys } from "../../io/snake-case.ts";
import { readJson } from "../../io/tokenizers/folder.ts";
import { listed, quoted } from "../../io/wording.ts";
import { checkpointState } from "../../models/open-flamingo/checkpoints/state.ts";
import { OpenFlamingo } from "../../models/open-flamingo/flamingo.ts";
import { FlamingoLayer } from "../../models/open-flamingo/flamingo-layer.ts";
import { OpenFlamingoResampler } from "../../models/open-flamingo/perceiver-resampler.ts";
import {
  type OpenFlamingoBehaviour,
  type OpenFlamingoProfile,
  openFlamingoBehaviour,
  openFlamingoProfileCheck,
  openFlamingoProfiles,
} from "../../models/open-flamingo/profiles.ts";
import { type Check, checked, checkValue, optional as may, passing, shown } from "../../nn/options.ts";
import { stateDict, ties } from "../../nn/state-dict.ts";
import { LoadError, RuleError, ShapeError } from "../../tensor/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { LoadPretrainedOptions } from "../load-pretrained.ts";
import { loadFlamingoCheckpoint } from "./checkpoint/load.ts";
import type { CheckpointReport } from "./checkpoint/report.ts";
import {
  type CreateFlamingoOptions,
  createChecks,
  createFlamingo,
  type FlamingoAndTransforms,
  type VisionTower,
} from "./factory.ts";

const SETTINGS = "open-flamingo.json";
const CHECKPOINTS = ["checkpoint.safetensors", "checkpoint.pt"] as const;
const PROFILES = Object.keys(openFlamingoProfiles) as OpenFlamingoProfile[];

/** open-flamingo.json */
export interface FlamingoSettings {
  readonly profile: OpenFlamingoProfile;
  /** Folders, relative to that of the file or absolute. */
  readonly lang_encoder_path: string;
  readonly vision_encoder_path: string;
  readonly cross_attn_every_n_layers: number;
  readonly cross_attn_first_layer: number;
  /** Sizes that differ from those of the release, in the names of its classes: `depth`, `dim_head`, `num_latents`, … */
  readonly perceiver: JsonObject;
  readonly cross_attn: JsonObject;
}

const path: Read<string> = (value, at) => {
  const text = string(value, at);
  if (text === "") throw refuse(at, "is empty; it has to be the path of a folder or a file");
  return text;
};

const readSettings: Read<FlamingoSettings> = record<FlamingoSettings>({
  profile: optional(oneOf(...PROFILES), "flamboyance"),
  lang_encoder_path: optional(path, "language"),
  vision_encoder_path: optional(path, "vision"),
  cross_attn_every_n_layers: optional(integer, 1),
  cross_attn_first_layer: optional(integer, 0),
  perceiver: optional(object, {}),
  cross_attn: optional(object, {}),
});

/** Reads settings. Throws a LoadError for one that is unknown or of another kind. */
function settingsIn(json: JsonObject, file: string): FlamingoSettings {
  const unread: string[] = [];
  const settings = readSettings(json, { file, field: "", unread, rule: "flamingofolder.settings" });
  const [unknown] = unread;
  if (unknown === undefined) return settings;
  throw new LoadError(
    `${file}: ${quoted(unknown)} is no setting; known are ${Object.keys(settings).join(", ")}  [flamingofolder.settings]`,
  );
}

/** The settings of a folder. Throws a LoadError that names the file and the member with a problem. */
function flamingoSettings(folder: string): FlamingoSettings {
  const file = `${folder}/${SETTINGS}`;
  const json = readJson(file);
  if (json !== null) return settingsIn(json, file);
  throw new LoadError(
    `${folder}: there is no ${SETTINGS}; name a folder that saveFlamingo wrote  [flamingofolder.files]`,
  );
}

/** Other parts than those that the folder names, and how to read them. */
export interface LoadFlamingoOptions {
  /** The folder of the language model, instead of that of the settings. */
  readonly languageModel?: string | undefined;
  /** The image encoder, or the path of one that `loadClip` loads, instead of that of the settings. */
  readonly visionEncoder?: string | VisionTower | undefined;
  /** The profile, instead of that of the settings. */
  readonly profile?: OpenFlamingoProfile | undefined;
  /** Options that override those of the profile. */
  readonly behaviour?: Partial<OpenFlamingoBehaviour> | undefined;
  /** How the language model is loaded. */
  readonly loading?: LoadPretrainedOptions | undefined;
}

const { langEncoder, visionEncoder, loading } = createChecks;
const checks: { readonly [K in keyof LoadFlamingoOptions]-?: Check } = {
  languageModel: may(langEncoder),
  visionEncoder: may(visionEncoder),
  profile: openFlamingoProfileCheck,
  behaviour: may(passing("options of OpenFlamingoBehaviour", (value) => typeof value === "object")),
  loading,
};

/** An OpenFlamingo from a folder. */
export interface LoadedFlamingo extends FlamingoAndTransforms {
  readonly settings: FlamingoSettings;
  /** Which tensors of the checkpoint were loaded. */
  readonly report: CheckpointReport;
}

/** The checkpoint of a folder. */
function checkpointPath(folder: string): string {
  const name = CHECKPOINTS.find((one) => kindOf(`${folder}/${one}`) === "file"); // [flamingofolder.files]
  if (name === undefined)
    throw new LoadError(
      `${folder}: there is none of ${CHECKPOINTS.join(", ")}; put the trained weights there, or name a folder that saveFlamingo wrote  [flamingofolder.files]`,
    );
  return `${folder}/${name}`;
}

/**
 * Loads the OpenFlamingo of a folder: the models that its settings name, connected as `createFlamingo` does it, with the checkpoint's
 * weights. Throws a LoadError that names the file with a problem, and a CheckpointError for a checkpoint that does not fit.
 */
export async function loadFlamingo(
  folder: string,
  options: LoadFlamingoOptions = {},
): Promise<LoadedFlamingo> {
  const { languageModel, visionEncoder, profile, behaviour, loading } = checked(
    "loadFlamingo",
    options,
    checks,
  );
  checkValue("loadFlamingo", "folder", folder, langEncoder);
  const settings = flamingoSettings(folder);
  openFlamingoBehaviour(profile ?? settings.profile, behaviour); // what it refuses is an option, not a setting
  const path = checkpointPath(folder);
  const parts = await created(folder, {
    visionEncoder: visionEncoder ?? resolved(folder, settings.vision_encoder_path), // [flamingofolder.paths]
    langEncoder: languageModel ?? resolved(folder, settings.lang_encoder_path), // [flamingofolder.paths]
    profile: profile ?? settings.profile,
    behaviour,
    loading,
    crossAttnEveryNLayers: settings.cross_attn_every_n_layers,
    crossAttnFirstLayer: settings.cross_attn_first_layer,
    perceiver: camelKeys(settings.perceiver), // [flamingofolder.settings]
    crossAttn: camelKeys(settings.cross_attn), // [flamingofolder.settings]
  });
  try {
    const checkpoint = loadFlamingoCheckpoint(parts.model, path); // [flamingofolder.weights]
    const close = () => {
      checkpoint.close();
      parts.close();
    };
    return { ...parts, settings, report: checkpoint.report, close };
  } catch (error) {
    parts.close();
    throw error;
  }
}

/** The model of a folder's settings. Sizes that are refused are errors of the settings. */
async function created(folder: string, options: CreateFlamingoOptions): Promise<FlamingoAndTransforms> {
  try {
    return await createFlamingo(options);
  } catch (error) {
    if (error instanceof RuleError || error instanceof ShapeError)
      throw new LoadError(`${folder}/${SETTINGS}: ${error.message}`); // [flamingofolder.settings]
    throw error;
  }
}

/** Throws a LoadError for settings with which `loadFlamingo` would build a resampler or gated layers of other shapes. */
function checkSettings(model: OpenFlamingo, settings: FlamingoSettings, file: string): void {
  const { cross_attn_every_n_layers: every, cross_attn_first_layer: first } = settings;
  const { perceiver, lang_encoder } = model;
  const dim = perceiver.latents.shape.at(-1) ?? 0;
  const cross = { ...camelKeys(settings.cross_attn), dim: lang_encoder.width, dimMedia: dim };
  const described = {
    perceiver: new OpenFlamingoResampler({ ...camelKeys(settings.perceiver), dim }),
    gated: lang_encoder.layers.map((_, i) =>
      (i + 1) % every === 0 && i >= first ? new GatedCrossAttentionBlock(cross) : null,
    ),
  };
  const gated = lang_encoder.layers.map((layer) =>
    layer instanceof FlamingoLayer ? layer.gated_cross_attn_layer : null,
  );
  const [there, here] = [described, { perceiver, gated }].map((part) => stateDict(part));
  const names = [...new Set([...(here?.keys() ?? []), ...(there?.keys() ?? [])])];
  const shapeIn = (state: ReadonlyMap<string, Tensor> | undefined, name: string): string => {
    const shape = state?.get(name)?.shape;
    return shape === undefined ? "absent" : listed(shape);
  };
  const other = names.find((name) => shapeIn(here, name) !== shapeIn(there, name));
  if (other === undefined) return;
  throw new LoadError(
    `${file}: the settings describe another model: ${other} is ${shapeIn(here, other)} in the model and ${shapeIn(there, other)} by the settings; give cross_attn_every_n_layers, cross_attn_first_layer, perceiver and cross_attn as the model was built  [flamingofolder.settings]`,
  );
}

/**
 * Writes the settings and the trained part of a model, with the tables of its vocabulary. The two models that it connects are not
 * written. Weights keep their dtype, except that those in float64, as training leaves them, are rounded to float32. Throws a
 * RuleError for anything but an OpenFlamingo, and a LoadError for settings that are not those of the model.
 */
export function saveFlamingo(
  folder: string,
  model: OpenFlamingo,
  settings: Partial<FlamingoSettings> = {},
): void {
  if (!(model instanceof OpenFlamingo))
    throw new RuleError(`saveFlamingo takes an OpenFlamingo, not ${shown(model)}`, "options.values");
  const all = settingsIn({ ...settings }, `${folder}/${SETTINGS}`);
  checkSettings(model, all, `${folder}/${SETTINGS}`);
  const tied = ties(model);
  const state = [...checkpointState(model, { form: "complete" })]; // [flamingofolder.weights]
  const tensors = new Map(state.filter(([name]) => !tied.has(name)));
  const wide = [...tensors].filter(([, t]) => t.dtype === "float64");
  const dtypes = new Map(wide.map(([name]) => [name, "F32"] as const)); // [flamingofolder.dtypes]
  saveSafetensors(`${folder}/${CHECKPOINTS[0]}`, tensors, { floats: "stored", dtypes });
  writeFile(`${folder}/${SETTINGS}`, new TextEncoder().encode(`${JSON.stringify(all, null, 2)}\n`));
}
