// kosmos.json: the sizes and the special tokens of a Kosmos. Members of `clip` have the names of transformers' CLIPVisionConfig, those of
// `decoder` and `resampler` the names of the options, in snake_case.
import {
  boolean,
  type FieldLocation,
  integer,
  number,
  oneOf,
  optional,
  orNull,
  record,
} from "../../io/fields.ts";
import { camelKeys, type SnakeCased, snakeKeys } from "../../io/snake-case.ts";
import { readJson } from "../../io/tokenizers/folder.ts";
import { quoted } from "../../io/wording.ts";
import { KOSMOS_MODES, Kosmos, type KosmosMode, type KosmosResampler } from "../../models/kosmos/kosmos.ts";
import type { KosmosTokens } from "../../models/kosmos/layout.ts";
import { MagnetoDecoder } from "../../models/language-models/magneto/decoder.ts";
import {
  MAGNETO_ACTIVATIONS,
  type MagnetoNormalization,
  type MagnetoOptions,
  type MagnetoSettings,
  NORMALIZATIONS,
  type RelativePositions,
} from "../../models/language-models/magneto/options.ts";
import { CLIPVisionTransformer } from "../../models/vision/clip/transformers.ts";
import { LoadError, RuleError, ShapeError } from "../../tensor/errors.ts";
import { visionReaders } from "../clip/load.ts";

export const SETTINGS = "kosmos.json";

/** Options of a decoder, but for those of initial values. */
type DecoderOptions = {
  readonly [K in keyof Omit<MagnetoOptions, "init" | "tokenTable">]-?: Exclude<MagnetoOptions[K], undefined>;
};
type DecoderSettings = Omit<SnakeCased<DecoderOptions>, "relative_position"> & {
  readonly relative_position: SnakeCased<RelativePositions> | null;
};
type ClipSettings = { readonly [K in keyof typeof visionReaders]: ReturnType<(typeof visionReaders)[K]> };

/** kosmos.json */
export interface KosmosSettings {
  readonly mode: KosmosMode;
  readonly tokens: SnakeCased<KosmosTokens>;
  readonly clip: ClipSettings;
  readonly decoder: DecoderSettings;
  readonly resampler: SnakeCased<KosmosResampler>;
}

const readTokens = record<KosmosSettings["tokens"]>({
  bos: orNull(integer),
  pad: integer,
  eos: integer,
  image: integer,
  image_end: integer,
});

const distances = record<SnakeCased<RelativePositions>>({ buckets: integer, max_distance: integer });

const readDecoder = record<DecoderSettings>({
  vocab_size: integer,
  width: integer,
  layers: integer,
  heads: integer,
  feed_forward_width: integer,
  activation: optional(oneOf(...MAGNETO_ACTIVATIONS), "gelu"),
  normalization: optional(oneOf(...NORMALIZATIONS), "sub-ln"),
  deep_norm: optional(boolean, false),
  eps: optional(number, 1e-5),
  xpos: optional(boolean, true),
  xpos_scale_base: optional(number, 512),
  rotary_precision: optional(oneOf("float32", "float64"), "float32"),
  relative_position: optional(orNull(distances), null),
  multiway: optional(boolean, false),
  split_position: optional(integer, -1),
  max_positions: orNull(integer),
  scale_embedding: optional(boolean, false),
  layer_norm_embedding: optional(boolean, false),
  tied: optional(boolean, false),
  padding_id: optional(orNull(integer), null),
  dropout: optional(number, 0),
  attention_dropout: optional(number, 0),
  activation_dropout: optional(number, 0),
  drop_path_rate: optional(number, 0),
});

const readResampler = record<KosmosSettings["resampler"]>({
  depth: integer,
  dim_head: integer,
  heads: integer,
  num_latents: integer,
  num_media_embeds: integer,
  ff_mult: optional(number, 4),
});

const readSettings = record<KosmosSettings>({
  mode: optional(oneOf(...KOSMOS_MODES), "seed"),
  tokens: readTokens,
  clip: record(visionReaders),
  decoder: readDecoder,
  resampler: readResampler,
});

/** The settings of a folder. Throws a LoadError that names the file, and the member with a problem. */
export function kosmosSettings(folder: string): KosmosSettings {
  const file = `${folder}/${SETTINGS}`;
  const json = readJson(file);
  if (json === null)
    throw new LoadError(
      `${folder}: there is no ${SETTINGS}; name a folder that saveKosmos wrote  [kosmosfolder.files]`,
    );
  const unread: string[] = [];
  const at: FieldLocation = { file, field: "", unread, rule: "kosmosfolder.settings" };
  const settings = readSettings(json, at);
  const [unknown] = unread;
  if (unknown === undefined) return settings;
  throw new LoadError(`${file}: ${quoted(unknown)} is no setting  [kosmosfolder.settings]`);
}

/** The model of settings, without weights. `clip` replaces the image tower. Throws a LoadError for sizes that are refused. */
export function kosmosOf(
  { mode, tokens, clip, decoder, resampler }: KosmosSettings,
  file: string,
  tower: CLIPVisionTransformer | null,
): Kosmos {
  const { relative_position: distances, ...sizes } = decoder;
  const relativePosition = distances && camelKeys(distances);
  try {
    return new Kosmos({
      mode,
      tokens: camelKeys(tokens),
      clip: tower ?? new CLIPVisionTransformer(camelKeys(clip)),
      decoder: new MagnetoDecoder({ ...camelKeys(sizes), relativePosition }),
      resampler: camelKeys(resampler),
    });
  } catch (error) {
    if (error instanceof RuleError || error instanceof ShapeError)
      throw new LoadError(`${file}: ${error.message}`); // [kosmosfolder.settings]
    throw error;
  }
}

/** The place of the norms, in the name of the option. */
function normalizationOf({ normBefore, subNorms }: MagnetoSettings): MagnetoNormalization {
  if (normBefore) return subNorms ? "sub-ln" : "pre-ln";
  return subNorms ? "post-sub-ln" : "post-ln";
}

/** The options with which a decoder was built. */
function decoderOptions(settings: MagnetoSettings): DecoderOptions {
  const { split, xpos } = settings;
  return {
    vocabSize: settings.vocabSize,
    width: settings.width,
    layers: settings.layers,
    heads: settings.heads,
    feedForwardWidth: settings.innerWidth,
    activation: settings.activation,
    normalization: normalizationOf(settings),
    deepNorm: settings.init.deepNorm ?? false,
    eps: settings.epsilon,
    xpos: xpos !== null,
    xposScaleBase: xpos?.scaleBase ?? 512,
    rotaryPrecision: xpos?.precision ?? "float32",
    relativePosition: settings.relative,
    multiway: split !== null,
    splitPosition: split?.position ?? -1,
    maxPositions: settings.maxPositions,
    scaleEmbedding: settings.embedScale !== 1,
    layerNormEmbedding: settings.embedNorm,
    tied: settings.tied,
    paddingId: settings.paddingId,
    dropout: settings.dropout,
    attentionDropout: settings.attentionDropout,
    activationDropout: settings.activationDropout,
    dropPathRate: settings.dropPathRate,
  };
}

/** The settings of a model. */
export function settingsIn({ options, clip_model, decoder }: Kosmos): KosmosSettings {
  const { tokens: _, ...clip } = clip_model.options;
  const { relative_position: distances, ...sizes } = snakeKeys(decoderOptions(decoder.options));
  return {
    mode: options.mode,
    tokens: snakeKeys(options.tokens),
    clip: snakeKeys(clip),
    decoder: { ...sizes, relative_position: distances && snakeKeys(distances) },
    resampler: snakeKeys(options.resampler),
  }; // [kosmosfolder.settings]
}
