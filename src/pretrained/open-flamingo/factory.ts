// The factory of OpenFlamingo: open_flamingo/src/factory.py of open-flamingo 2.0.1, create_model_and_transforms.
import type { Image } from "../../io/images/image.ts";
import { loadTokenizer } from "../../io/tokenizers/load.ts";
import type { Tokenizer } from "../../io/tokenizers/tokenizer.ts";
import type { ImageEncoder } from "../../models/flamingo/media.ts";
import { type NewRows, resizeVocabulary } from "../../models/language-models/vocabulary.ts";
import { OpenFlamingo, type OpenFlamingoOptions } from "../../models/open-flamingo/flamingo.ts";
import { FlamingoLayer } from "../../models/open-flamingo/flamingo-layer.ts";
import { FLAMINGO_TOKENS } from "../../models/open-flamingo/tokens.ts";
import { type Check, checked, nullable, object, optional, passing } from "../../nn/options.ts";
import { initialize } from "../../nn/state-dict.ts";
import { seed } from "../../nn/train-mode.ts";
import { LoadError } from "../../tensor/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { loadClip } from "../clip/load.ts";
import { type LoadedModel, type LoadPretrainedOptions, loadPretrained } from "../load-pretrained.ts";

/** An image encoder, with what it takes and gives. */
export interface VisionTower {
  readonly encoder: ImageEncoder;
  /** The width of its tokens. */
  readonly width: number;
  /** From a photograph to what the encoder takes, without the axis of the batch. */
  readonly imageProcessor: (image: Image) => Tensor<"c h w">;
  /** Closes its files. */
  readonly close?: (() => void) | undefined;
}

type Sizes = Pick<
  OpenFlamingoOptions,
  "crossAttnEveryNLayers" | "crossAttnFirstLayer" | "perceiver" | "crossAttn" | "profile" | "behaviour"
>;

/** The folders of the parts and the sizes of what joins them. */
export interface CreateFlamingoOptions extends Sizes {
  /** The image encoder, or the path of one that `loadClip` loads. */
  readonly visionEncoder: string | VisionTower;
  /** The folder of a language model, as `loadPretrained` reads it. */
  readonly langEncoder: string;
  /** The folder of its tokenizer. Default: that of the language model. */
  readonly tokenizer?: string | undefined;
  /** Values of the rows that the new tokens get in the tables of the language model: see `resizeVocabulary`. Default "normal". */
  readonly newRows?: NewRows | undefined;
  /** The seed of new rows, resampler and gated layers. Default 0. */
  readonly seed?: number | undefined;
  /** How the language model is loaded. */
  readonly loading?: LoadPretrainedOptions | undefined;
}

/** An OpenFlamingo, and what turns texts and photographs into what it takes. */
export interface FlamingoAndTransforms {
  readonly model: OpenFlamingo;
  readonly tokenizer: Tokenizer;
  readonly imageProcessor: VisionTower["imageProcessor"];
  /** Pads a batch of texts. */
  readonly padTokenId: number;
  /** The language model without images, as it was loaded. Its layers are those of `model`. */
  readonly language: LoadedModel;
  /** Closes the files. A later use of a weight that is read lazily opens them again. */
  close(): void;
}

const anything: Check = optional(passing("an option of OpenFlamingo", () => true)); // the constructor checks its options
const text = passing("the path of a folder", (value) => typeof value === "string" && value !== "");
const isTower = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  ["encoder", "width", "imageProcessor"].every((name) => name in value);
export const createChecks: { readonly [K in keyof CreateFlamingoOptions]-?: Check } = {
  visionEncoder: passing(
    "a path, or an image encoder with its width and a function imageProcessor",
    (value) => text.accepts(value) || isTower(value),
  ),
  langEncoder: text,
  tokenizer: optional(text),
  crossAttnEveryNLayers: anything,
  crossAttnFirstLayer: anything,
  perceiver: anything,
  crossAttn: anything,
  profile: anything,
  behaviour: anything,
  newRows: anything,
  seed: optional(seed),
  loading: optional(nullable(object("options of loadPretrained"))),
};

/**
 * The id of a special token: the last one of its encoding. The releases encode it with what the tokenizer puts around a text, so that a tokenizer
 * that adds an end token gives the id of that. `special`: whether to do the same.
 */
function idOf(tokenizer: Tokenizer, token: string, special = false): number {
  const id = tokenizer.encode(token, { special }).at(-1); // [factory.tokens]
  if (id === undefined)
    throw new LoadError(`the tokenizer has no id for ${token}; give another tokenizer  [factory.tokens]`);
  return id;
}

/** The tokenizer of a folder with the special tokens of OpenFlamingo. */
const loadFlamingoTokenizer = (folder: string): Promise<Tokenizer> =>
  loadTokenizer(folder, {
    special: [FLAMINGO_TOKENS.endOfChunk, FLAMINGO_TOKENS.image], // [factory.tokens]
    pad: FLAMINGO_TOKENS.padding,
  });

/** The deviation of new rows: `initializer_range` of the configuration, which OPT calls `init_std`. */
function deviationOf({ initializer_range: range, init_std: std }: LoadedModel["config"]): number {
  const found = [range, std].find((value) => typeof value === "number" && value >= 0);
  return typeof found === "number" ? found : 0.02;
}

/** The layers that are trained from the beginning, with initial values that depend on the seed alone. */
function initializeNew({ perceiver, lang_encoder }: OpenFlamingo, seed: number): void {
  const gated = lang_encoder.layers.map((layer) =>
    layer instanceof FlamingoLayer ? layer.gated_cross_attn_layer : null,
  );
  initialize({ perceiver, gated }, seed); // [factory.seed]
}

/**
 * Makes an OpenFlamingo of an image encoder and the language model of a folder: adds the special tokens to the tokenizer, resizes the
 * vocabulary of the language model to it, and puts gated cross-attention before its layers. Throws as `loadPretrained` and `loadTokenizer` do,
 * and a RuleError for an option that is refused.
 */
export async function createFlamingo(options: CreateFlamingoOptions): Promise<FlamingoAndTransforms> {
  const known = checked("createFlamingo", options, createChecks);
  const { visionEncoder, langEncoder, tokenizer: tokenizerFolder = langEncoder } = known;
  const { newRows, seed = 0, loading } = known;
  const tokenizer = await loadFlamingoTokenizer(tokenizerFolder);
  const language = await loadPretrained(langEncoder, loading ?? {});
  try {
    const tower: VisionTower = typeof visionEncoder === "string" ? loadClip(visionEncoder) : visionEncoder;
    resizeVocabulary(language.model, tokenizer.size, { newRows, seed, std: deviationOf(language.config) }); // [factory.resize]
    const special = (known.profile ?? "flamboyance") !== "flamboyance"; // [factory.tokens]
    const model = new OpenFlamingo({
      ...modelOptions(known),
      visionEncoder: tower.encoder,
      langEncoder: language.model,
      eocTokenId: idOf(tokenizer, FLAMINGO_TOKENS.endOfChunk, special),
      mediaTokenId: idOf(tokenizer, FLAMINGO_TOKENS.image, special),
      visDim: tower.width,
    });
    initializeNew(model, seed);
    const padTokenId = tokenizer.pad ?? idOf(tokenizer, FLAMINGO_TOKENS.padding);
    const close = () => {
      tower.close?.();
      language.close();
    };
    return { model, tokenizer, imageProcessor: tower.imageProcessor, padTokenId, language, close };
  } catch (error) {
    language.close();
    throw error;
  }
}

/** The options of OpenFlamingo among those of the factory. */
const modelOptions = ({
  crossAttnEveryNLayers,
  crossAttnFirstLayer,
  perceiver,
  crossAttn,
  profile,
  behaviour,
}: Sizes): Sizes => ({
  crossAttnEveryNLayers,
  crossAttnFirstLayer,
  perceiver,
  crossAttn,
  profile,
  behaviour,
});
