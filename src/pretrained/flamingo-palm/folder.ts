// The folder of a FlamingoPaLM: its sizes, its weights, its tokenizer, and the folder of its image encoder.
import { createFolder, kindOf, writeFile } from "#host";
import { boolean, type FieldLocation, integer, optional, record, string } from "../../io/fields.ts";
import { openWeights } from "../../io/huggingface/shards.ts";
import type { DecodedImage, Image } from "../../io/images/image.ts";
import { resolved } from "../../io/paths.ts";
import { saveSafetensors } from "../../io/safetensors/write.ts";
import { camelKeys, type SnakeCased } from "../../io/snake-case.ts";
import { readJson } from "../../io/tokenizers/folder.ts";
import { loadTokenizer } from "../../io/tokenizers/load.ts";
import type { Tokenizer } from "../../io/tokenizers/tokenizer.ts";
import { quoted } from "../../io/wording.ts";
import { FlamingoPaLM, type FlamingoPaLMOptions } from "../../models/flamingo/flamingo-palm.ts";
import type { StateDictReport } from "../../nn/loading/report.ts";
import { checkValue, passing, shown } from "../../nn/options.ts";
import { loadStateDict, stateDict, ties } from "../../nn/state-dict.ts";
import { LoadError, RuleError, ShapeError } from "../../tensor/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type LoadedClip, loadClip } from "../clip/load.ts";

/** The file of the settings, by which the folder is known. */
export const SETTINGS = "flamingo-palm.json";
const WEIGHTS = "model.safetensors";
/** The text of the image token, which the tokenizer has. */
const IMAGE = "<image>";
/** The image encoder's weights, which have a folder of their own. */
const ENCODER = "img_encoder.*";

/** The sizes that the state dict alone does not have. */
type Sizes = {
  readonly [K in
    | "numTokens"
    | "dim"
    | "depth"
    | "heads"
    | "dimHead"
    | "ffMult"
    | "mediaTokenId"
    | "crossAttnEvery"
    | "perceiverNumLatents"
    | "perceiverDepth"
    | "onlyAttendImmediateMedia"]-?: Exclude<FlamingoPaLMOptions[K], undefined>;
};

/** flamingo-palm.json: names of the options in snake_case, and the folder of the image encoder, relative to this one. */
export type FlamingoPaLMSettings = SnakeCased<Sizes> & { readonly vision_encoder_path: string };

const readSettings = record<FlamingoPaLMSettings>({
  num_tokens: integer,
  dim: integer,
  depth: integer,
  heads: integer,
  dim_head: integer,
  ff_mult: integer,
  media_token_id: integer,
  cross_attn_every: integer,
  perceiver_num_latents: integer,
  perceiver_depth: integer,
  only_attend_immediate_media: optional(boolean, true),
  vision_encoder_path: string,
});

/** A FlamingoPaLM from a folder, and what turns texts and photographs into what it takes. */
export interface LoadedFlamingoPaLM {
  readonly model: FlamingoPaLM;
  readonly tokenizer: Tokenizer;
  /** The image encoder, which is a part of the model. */
  readonly encoder: LoadedClip["encoder"];
  /** From a photograph to what the image encoder takes, without the axis of the batch. */
  readonly imageProcessor: (image: Image | DecodedImage) => Tensor<"c h w">;
  readonly settings: FlamingoPaLMSettings;
  /** Which weights were loaded; those of the image encoder are in its own folder. */
  readonly report: StateDictReport;
  /** Closes the files. A later use of a weight opens them again. */
  close(): void;
}

const folderPath = passing("the path of a folder", (value) => typeof value === "string" && value !== "");

/** The settings of a folder. Throws a LoadError that names the file, and the member with a problem. */
function settingsOf(folder: string): FlamingoPaLMSettings {
  const file = `${folder}/${SETTINGS}`;
  const json = readJson(file);
  if (json === null)
    throw new LoadError(
      `${folder}: there is no ${SETTINGS}; name a folder that saveFlamingoPaLM wrote  [palmfolder.files]`,
    );
  const unread: string[] = [];
  const at: FieldLocation = { file, field: "", unread, rule: "palmfolder.settings" };
  const settings = readSettings(json, at);
  const [unknown] = unread;
  if (unknown === undefined) return settings;
  throw new LoadError(`${file}: ${quoted(unknown)} is no setting; remove it  [palmfolder.settings]`);
}

/** The least tensors of a layer of the language model, and of the resampler. */
const LAYER_TENSORS = { layer: 3, resampler: 8 };

/** The model of settings. Throws a LoadError for layers that the file cannot have, before they are made, and for sizes that are refused. */
function modelOf(
  { vision_encoder_path: _, ...sizes }: FlamingoPaLMSettings,
  imgEncoder: LoadedClip["encoder"],
  file: string,
  tensors: number,
): FlamingoPaLM {
  const least = sizes.depth * LAYER_TENSORS.layer + sizes.perceiver_depth * LAYER_TENSORS.resampler;
  if (least > tensors)
    throw new LoadError(
      `${file}: the settings have ${sizes.depth} layers and ${sizes.perceiver_depth} of the resampler, which have at least ${least} tensors, and the file of weights has ${tensors}; give the settings of the weights  [palmfolder.settings]`,
    );
  try {
    return new FlamingoPaLM({ ...camelKeys(sizes), imgEncoder });
  } catch (error) {
    if (error instanceof RuleError || error instanceof ShapeError)
      throw new LoadError(`${file}: ${error.message}  [palmfolder.settings]`);
    throw error;
  }
}

/** The tokenizer of a folder. Throws a LoadError if its ids are not those of the model. [palmfolder.tokenizer] */
async function tokenizerOf(folder: string, settings: FlamingoPaLMSettings): Promise<Tokenizer> {
  const { media_token_id: media, num_tokens: rows } = settings;
  const tokenizer = await loadTokenizer(folder, { special: [IMAGE] });
  const id = tokenizer.tokenToId(IMAGE);
  if (id !== media)
    throw new LoadError(
      `${folder}: ${quoted(IMAGE)} has the id ${id} in the tokenizer, and ${media} in ${SETTINGS}; give the tokenizer of the model  [palmfolder.tokenizer]`,
    );
  if (tokenizer.size <= rows) return tokenizer;
  throw new LoadError(
    `${folder}: the tokenizer has ${tokenizer.size} ids, and the table of the model ${rows} rows; give the tokenizer of the model  [palmfolder.tokenizer]`,
  );
}

/**
 * Loads the FlamingoPaLM of a folder as `saveFlamingoPaLM` writes it. Weights keep the dtypes of the file. Throws a LoadError that names the file
 * with a problem, and a StateDictError where names or shapes do not fit.
 */
export async function loadFlamingoPaLM(folder: string): Promise<LoadedFlamingoPaLM> {
  checkValue("loadFlamingoPaLM", "folder", folder, folderPath);
  const settings = settingsOf(folder);
  const path = `${folder}/${WEIGHTS}`;
  if (kindOf(path) !== "file")
    throw new LoadError(
      `${folder}: there is no ${WEIGHTS}; name a folder that saveFlamingoPaLM wrote  [palmfolder.files]`,
    );
  const tokenizer = await tokenizerOf(folder, settings);
  const vision = loadClip(resolved(folder, settings.vision_encoder_path)); // [palmfolder.vision]
  const file = openWeights(path);
  const close = () => {
    vision.close();
    file.close();
  };
  try {
    const model = modelOf(settings, vision.encoder, `${folder}/${SETTINGS}`, file.keys.length);
    const report = loadStateDict(model, file, { optional: [ENCODER] }); // [palmfolder.weights]
    const { encoder, imageProcessor } = vision;
    return { model, tokenizer, encoder, imageProcessor, settings, report, close };
  } catch (error) {
    close();
    throw error;
  }
}

/**
 * Writes the settings and the weights of a model, without those of its image encoder, which has a folder of its own, named by the settings, and
 * without a tokenizer. Weights are rounded to float32. Throws a RuleError for something else than a FlamingoPaLM.
 */
export function saveFlamingoPaLM(folder: string, model: FlamingoPaLM, settings: FlamingoPaLMSettings): void {
  checkValue("saveFlamingoPaLM", "folder", folder, folderPath);
  if (!(model instanceof FlamingoPaLM))
    throw new RuleError(`saveFlamingoPaLM takes a FlamingoPaLM, not ${shown(model)}`, "options.values");
  const tied = ties(model);
  const isOwn = (name: string): boolean => !tied.has(name) && !name.startsWith(ENCODER.slice(0, -1));
  const tensors = new Map([...stateDict(model)].filter(([name]) => isOwn(name)));
  createFolder(folder);
  saveSafetensors(`${folder}/${WEIGHTS}`, tensors, { floats: "F32", metadata: new Map([["format", "pt"]]) }); // [palmfolder.weights]
  writeFile(`${folder}/${SETTINGS}`, new TextEncoder().encode(`${JSON.stringify(settings, null, 2)}\n`));
}
