// Image towers of CLIP from folders of transformers and of open_clip, and from files of weights.

import { kindOf } from "#host";
import type { FieldLocation } from "../../io/fields.ts";
import { integer, object, optional, orNull } from "../../io/fields.ts";
import { openPretrained } from "../../io/huggingface/pretrained.ts";
import { openWeights, type WeightsFile } from "../../io/huggingface/shards.ts";
import type { DecodedImage, Image } from "../../io/images/image.ts";
import {
  clipPreprocessing,
  type ImagePreprocessing,
  openClipPreprocessing,
  preprocessImage,
} from "../../io/images/preprocessing.ts";
import type { JsonObject } from "../../io/json.ts";
import { readJson } from "../../io/tokenizers/folder.ts";
import { quoted } from "../../io/wording.ts";
import { OPEN_CLIP_ACTIVATIONS, OpenClipVisionTransformer } from "../../models/vision/clip/open-clip.ts";
import { CLIP_TOKENS, type ClipTokens, type ClipTower } from "../../models/vision/clip/tower.ts";
import {
  CLIPVisionModel,
  CLIPVisionModelWithProjection,
  type CLIPVisionOptions,
} from "../../models/vision/clip/transformers.ts";
import { sides } from "../../nn/conv/planes.ts";
import type { StateDictReport } from "../../nn/loading/report.ts";
import { type Check, checked, count, optional as may, oneOf } from "../../nn/options.ts";
import { loadStateDict } from "../../nn/state-dict.ts";
import { LoadError, RuleError, ShapeError } from "../../tensor/errors.ts";
import { checkGiven } from "../../tensor/given.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { activationName, inside, numberOrDefault, readMembers } from "../configurations/configuration.ts";
import { type OpenClipHints, openClipConfiguration, openClipShapes } from "./open-clip.ts";
import { clipImageProcessor, openClipImageProcessor } from "./preprocessing.ts";

/** What the file does not say of the tower, and the tokens that it gives. */
export interface LoadClipOptions extends OpenClipHints {
  /** Which tokens `forward` gives. Default "raw". */
  readonly tokens?: ClipTokens | undefined;
}

const checks: { readonly [K in keyof LoadClipOptions]-?: Check } = {
  tokens: may(oneOf(CLIP_TOKENS)),
  heads: may(count),
  act: may(oneOf(OPEN_CLIP_ACTIVATIONS)),
  imageSize: may(sides(1)),
};

/** An image tower with its weights. */
export interface LoadedClip {
  readonly encoder: ClipTower;
  /** The width of its tokens. */
  readonly width: number;
  /** The steps from a photograph to what the tower takes. */
  readonly preprocessing: ImagePreprocessing;
  /** Applies the steps: c h w, without the axis of the batch. */
  readonly imageProcessor: (image: Image | DecodedImage) => Tensor<"c h w">;
  /** config.json or open_clip_config.json; null for a file alone. */
  readonly config: JsonObject | null;
  /** Which weights were loaded, and which were left aside: those of texts. */
  readonly report: StateDictReport;
  /** Closes the files. A later use of a weight opens them again. */
  close(): void;
}

/** A tower without its weights, and the file that they are in. */
interface Opened {
  readonly file: WeightsFile;
  readonly config: JsonObject | null;
  readonly encoder: ClipTower;
  readonly preprocessing: ImagePreprocessing;
  /** The beginning of the names of the tower's weights. */
  readonly prefix: string;
  /** Names of other weights that the file may hold. */
  readonly aside: readonly string[];
}

const POSITION_IDS = "vision_model.embeddings.position_ids";

/** Makes the errors of a constructor those of the file. */
function built<T>(file: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof RuleError || error instanceof ShapeError)
      throw new LoadError(`${file}: ${error.message}`);
    throw error;
  }
}

/** Readers of the options of a tower. */
export const visionReaders = {
  hidden_size: numberOrDefault,
  intermediate_size: numberOrDefault,
  num_hidden_layers: numberOrDefault,
  num_attention_heads: numberOrDefault,
  num_channels: numberOrDefault,
  image_size: numberOrDefault,
  patch_size: numberOrDefault,
  hidden_act: activationName,
  layer_norm_eps: numberOrDefault,
};

/** The members of the tower: those of `vision_config`, or of the configuration itself where it is a tower's. */
function visionMembers(config: JsonObject, at: FieldLocation): readonly [JsonObject, FieldLocation] {
  const type = config.model_type;
  if (type === "clip_vision_model") return [config, at];
  if (type !== "clip") {
    const given = typeof type === "string" ? `is ${quoted(type)}` : "is missing";
    throw new LoadError(
      `${at.file}: "model_type" ${given}; it has to be "clip" or "clip_vision_model"  [clipfile.folder]`,
    );
  }
  const name =
    config.vision_config === undefined && config.vision_config_dict ? "vision_config_dict" : "vision_config";
  const place = inside(at, name);
  return [optional(orNull(object), null)(config[name], place) ?? {}, place]; // [clipfile.folder]
}

const prefixesOf = (file: WeightsFile, end: string): string[] =>
  file.keys.filter((key) => key.endsWith(end)).map((key) => key.slice(0, key.length - end.length));

/** A folder of transformers. */
function openTransformers(folder: string, tokens: ClipTokens | undefined): Opened {
  const file = openPretrained(folder);
  try {
    const at = { file: `${folder}/config.json`, field: "", rule: "config.fields" };
    const [vision, place] = visionMembers(file.config, at);
    const options: CLIPVisionOptions = { ...readMembers(visionReaders, vision, place), tokens };
    const projected = file.has("visual_projection.weight"); // [clipfile.projection]
    const projectionDim = optional(integer, 512)(file.config.projection_dim, inside(at, "projection_dim"));
    const encoder = built(at.file, () =>
      projected
        ? new CLIPVisionModelWithProjection({ ...options, projectionDim })
        : new CLIPVisionModel(options),
    );
    const processor = `${folder}/preprocessor_config.json`;
    const json = readJson(processor);
    const preprocessing = json
      ? clipImageProcessor(json, { file: processor, field: "", rule: "config.fields" })
      : clipPreprocessing(encoder.imageSize[0]); // [clipfile.processor]
    return { file, config: file.config, encoder, preprocessing, prefix: "", aside: [...TEXTS, POSITION_IDS] };
  } catch (error) {
    file.close();
    throw error;
  }
}

const OPEN_CLIP_CONFIG = "open_clip_config.json";
const OPEN_CLIP_WEIGHTS = ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"];

/** A folder of open_clip. */
function openOpenClipFolder(folder: string, tokens: ClipTokens | undefined): Opened {
  const path = `${folder}/${OPEN_CLIP_CONFIG}`;
  const config = readJson(path) ?? {};
  const at = { file: path, field: "", rule: "config.fields" };
  const place = inside(at, "model_cfg");
  const options = openClipConfiguration(object(config.model_cfg, place), place);
  const encoder = built(path, () => new OpenClipVisionTransformer({ ...options, tokens }));
  const preprocessing = openClipImageProcessor(
    config.preprocess_cfg,
    encoder.imageSize[0],
    inside(at, "preprocess_cfg"),
  );
  const name = OPEN_CLIP_WEIGHTS.find((one) => kindOf(`${folder}/${one}`) === "file");
  if (name === undefined)
    throw new LoadError(`${folder}: there is none of ${OPEN_CLIP_WEIGHTS.join(", ")}  [clipfile.folder]`);
  const file = openWeights(`${folder}/${name}`);
  return { file, config, encoder, preprocessing, prefix: towerIn(file), aside: [] };
}

const CONV = "conv1.weight";
const CLASS = "class_embedding";

/** The beginning of the names of the only tower of open_clip in a file. */
function towerIn(file: WeightsFile): string {
  const found = prefixesOf(file, CONV).filter((prefix) => file.has(prefix + CLASS));
  const [prefix, ...others] = found;
  if (prefix !== undefined && others.length === 0) return prefix; // [clipfile.tower]
  const close = (problem: string): LoadError => {
    file.close();
    return new LoadError(`${file.name}: ${problem}  [clipfile.tower]`);
  };
  if (prefix !== undefined)
    throw close(
      `it holds ${found.length} image towers, ${found
        .slice(0, 3)
        .map((one) => quoted(one + CONV))
        .join(", ")}; save one of them alone`,
    );
  if (prefixesOf(file, "layer1.0.conv1.weight").length > 0)
    throw close("its image tower is a ResNet, and Vision Transformers are supported");
  if (prefixesOf(file, "embeddings.patch_embedding.weight").length > 0)
    throw close("it has the names of transformers; name the folder with its config.json instead");
  throw close(`it holds no image tower of CLIP: no ${CLASS} beside ${CONV}`);
}

/** A file of weights under open_clip's names. */
function openFileOfWeights(path: string, { tokens, ...hints }: LoadClipOptions): Opened {
  const file = openWeights(path);
  const prefix = towerIn(file);
  try {
    const options = openClipShapes(file, prefix, hints);
    const encoder = built(path, () => new OpenClipVisionTransformer({ ...options, tokens }));
    return {
      file,
      config: null,
      encoder,
      preprocessing: openClipPreprocessing(encoder.imageSize[0]),
      prefix,
      aside: [],
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

function open(path: string, options: LoadClipOptions): Opened {
  checkGiven("loadClip", { path }, "a text");
  const kind = kindOf(path);
  if (kind === "nothing") throw new LoadError(`cannot open ${path}: it does not exist  [io.file-errors]`);
  if (kind === "file") return openFileOfWeights(path, options);
  const surplus = (["heads", "act", "imageSize"] as const).find((name) => options[name] !== undefined);
  if (surplus !== undefined)
    throw new LoadError(
      `${path}: ${surplus} is in the folder's configuration; leave the option out  [clipfile.folder]`,
    ); // [clipfile.folder]
  const isOpenClip =
    kindOf(`${path}/config.json`) !== "file" && kindOf(`${path}/${OPEN_CLIP_CONFIG}`) === "file";
  return isOpenClip ? openOpenClipFolder(path, options.tokens) : openTransformers(path, options.tokens);
}

/** Parts of transformers' CLIPModel for texts. */
const TEXTS = ["text_model.*", "text_projection.weight", "logit_scale"];

/** The rule that leaves aside what is not below a prefix. */
const besides = (prefix: string): RegExp => new RegExp(`^(?!${prefix.replace(/[^\w]/g, "\\$&")})`);

/**
 * Loads the image tower of CLIP: from a folder of transformers (CLIPModel, CLIPVisionModel), a folder of open_clip, or a file of weights
 * under open_clip's names, alone or among those of a whole model. Weights keep the dtypes of the file, and are read whenever they are used.
 * Throws a LoadError that names the file with a problem, and a StateDictError where names or shapes do not fit.
 */
export function loadClip(path: string, options: LoadClipOptions = {}): LoadedClip {
  const opened = open(path, checked("loadClip", options, checks));
  const { file, encoder, preprocessing, config, prefix, aside } = opened;
  try {
    const rules = prefix === "" ? {} : { ignore: [besides(prefix)], rename: { [`${prefix}*`]: "*" } }; // [clipfile.tower]
    const report = loadStateDict(encoder, file, { ...rules, usual: { ignore: aside } }); // [clipfile.texts]
    return {
      encoder,
      width: encoder.width,
      preprocessing,
      imageProcessor: (image) => preprocessImage(image, preprocessing).pixels,
      config,
      report,
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}
