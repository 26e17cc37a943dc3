// The models of `flamboyance evaluate`: those that read pictures, and language models without them.
import { kindOf } from "#host";
import type { Tokenizer } from "../../io/tokenizers/tokenizer.ts";
import { loadPretrained } from "../../pretrained/load-pretrained.ts";
import { LoadError } from "../../tensor/errors.ts";
import { endTokensOf } from "../../writing/end-tokens.ts";
import type { TextModel } from "../../writing/write-text.ts";
import type { ModelKind } from "../flamingo/forms.ts";
import { Pictures } from "../flamingo/loading.ts";
import { kindOfModel, pictureModel } from "../flamingo/models.ts";

/** A model that continues prompts. */
export interface EvaluatedModel {
  readonly kind: ModelKind | "text";
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
    tokenizer,
    idsOf: (text) => tokenizer.encode(text),
    withPictures: async () => ({ model, tokenizer }),
    stop: endTokensOf(model, tokenizer),
    never: [],
    close: () => model.close(),
  };
}

/** The model of a folder: an OpenFlamingo, a Kosmos, or a language model. Throws a LoadError that names what is missing. */
export async function evaluatedModel(folder: string): Promise<EvaluatedModel> {
  if (kindOf(folder) === "nothing")
    throw new LoadError(`cannot open ${folder}: there is no such folder; name that of a model`);
  const kind = kindOfModel(folder);
  const isText = kind === "open-flamingo" && kindOf(`${folder}/open-flamingo.json`) === "nothing";
  if (isText) return languageModel(folder);
  const model = await pictureModel(kind, folder, {});
  const pictures = new Pictures(model);
  const { tokenizer, idsOf, stop, never, close } = model;
  return {
    kind,
    tokenizer,
    idsOf,
    withPictures: async (paths) => model.withPictures(await pictures.together(paths)),
    stop,
    never,
    close,
  };
}
