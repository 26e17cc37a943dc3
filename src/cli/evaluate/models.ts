// The models of `flamboyance evaluate`: those that read pictures, and language models without them.
import { kindOf } from "#host";
import { type FeatureTower, towerOf } from "../../evaluation/retrieval.ts";
import type { Tokenizer } from "../../io/tokenizers/tokenizer.ts";
import { loadClip } from "../../pretrained/clip/load.ts";
import { loadPretrained } from "../../pretrained/load-pretrained.ts";
import { LoadError } from "../../tensor/errors.ts";
import { endTokensOf } from "../../writing/end-tokens.ts";
import type { TextModel } from "../../writing/write-text.ts";
import type { ModelKind } from "../flamingo/forms.ts";
import { Pictures } from "../flamingo/loading.ts";
import { kindOfModel, pictureModel } from "../flamingo/models.ts";

/** An image tower, and pictures as it takes them. */
export interface EvaluatedTower {
  readonly tower: FeatureTower;
  readonly pictures: Pictures;
}

/** The tower of a folder, as `loadClip` loads it. */
export function evaluatedTower(folder: string): EvaluatedTower & { readonly close: () => void } {
  const { encoder, imageProcessor, close } = loadClip(folder);
  return { tower: towerOf(encoder), pictures: new Pictures({ imageProcessor }), close };
}

/** A model that continues prompts. */
export interface EvaluatedModel {
  readonly kind: ModelKind | "text";
  /** The model's own tower; null for a language model. */
  readonly tower: EvaluatedTower | null;
  readonly tokenizer: Tokenizer;
  readonly idsOf: (text: string) => readonly number[];
  /** The model with the pictures of one prompt, given by their paths. */
  readonly withPictures: (paths: readonly string[]) => Promise<TextModel>;
  readonly stop: readonly number[];
  readonly never: readonly number[];
  readonly close: () => void;
}

async function languageModel(folder: string): Promise<EvaluatedModel> {
  const { loadTokenizer } = await import("../../io/tokenizers/load.ts");
  const model = await loadPretrained(folder);
  const tokenizer = await loadTokenizer(folder);
  return {
    kind: "text",
    tower: null,
    tokenizer,
    idsOf: (text) => tokenizer.encode(text),
    withPictures: async () => ({ model, tokenizer }),
    stop: endTokensOf(model, tokenizer),
    never: [],
    close: () => model.close(),
  };
}

/** The kind of model at a path; null if nothing is there. */
export function kindAt(path: string): EvaluatedModel["kind"] | null {
  if (kindOf(path) === "nothing") return null;
  const kind = kindOfModel(path);
  const isText = kind === "open-flamingo" && kindOf(`${path}/open-flamingo.json`) === "nothing";
  return isText ? "text" : kind;
}

/** The model of a folder: an OpenFlamingo, a Kosmos, or a language model. Throws a LoadError that names what is missing. */
export async function evaluatedModel(folder: string): Promise<EvaluatedModel> {
  const kind = kindAt(folder);
  if (kind === null)
    throw new LoadError(`cannot open ${folder}: there is no such folder; name that of a model`);
  if (kind === "text") return languageModel(folder);
  const model = await pictureModel(kind, folder, {});
  const pictures = new Pictures(model);
  const { tokenizer, idsOf, stop, never, close } = model;
  return {
    kind,
    tower: { tower: model.tower, pictures },
    tokenizer,
    idsOf,
    withPictures: async (paths) => model.withPictures(await pictures.together(paths)),
    stop,
    never,
    close,
  };
}
