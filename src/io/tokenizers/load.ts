// Tokenizers in folders, as `save_pretrained` of transformers writes them.
import { kindOf } from "#host";
import { LoadError } from "../../tensor/errors.ts";
import { refuse } from "../fields.ts";
import { isObject, type JsonObject } from "../json.ts";
import { loadRenderer } from "./chat.ts";
import { chatTemplates, readBytes, readJson, specialTokens } from "./folder.ts";
import type { AddedToken } from "./json/added-tokens.ts";
import { asPart } from "./json/fields.ts";
import { addedToken, readTokenizerJson } from "./json/read.ts";
import type { Pipeline } from "./pipeline.ts";
import { readModelFile } from "./sentencepiece/model-file.ts";
import { sentencePiecePipeline } from "./sentencepiece/pipeline.ts";
import { loadTranslator, type Translate } from "./text/patterns.ts";
import { Tokenizer } from "./tokenizer.ts";

/** Added tokens of tokenizer_config.json, by id. */
function configuredTokens(config: JsonObject, file: string, translate: Translate): AddedToken[] {
  const given = config.added_tokens_decoder;
  if (!isObject(given)) return [];
  return Object.entries(given).map(([id, json]) => {
    const at = { file, field: `added_tokens_decoder.${id}` };
    if (!/^\d{1,9}$/.test(id)) throw refuse(at, "has to be named by an id", "tokenizer.files");
    return addedToken(asPart(json, { at, translate }), Number(id));
  });
}

/** SentencePiece's files, under the names that transformers gives them. */
const MODEL_FILES = ["tokenizer.model", "spiece.model", "sentencepiece.bpe.model"];

/** The vocabulary, and the special tokens that its own file names. */
interface Vocabulary {
  readonly pipeline: Pipeline;
  readonly specialTokens: ReadonlyMap<string, string>;
}

async function fromJson(
  path: string,
  json: JsonObject,
  config: JsonObject,
  configPath: string,
): Promise<Vocabulary> {
  const translate = await loadTranslator();
  const more = configuredTokens(config, configPath, translate);
  return { pipeline: readTokenizerJson(json, path, translate, more), specialTokens: new Map() };
}

/** `add_bos_token` and `add_eos_token` of tokenizer_config.json say what is added around a text; SentencePiece itself adds nothing. */
function fromModel(bytes: Uint8Array, path: string, config: JsonObject): Vocabulary {
  const { model, specialTokens } = readModelFile(bytes, path);
  const idOf = (token: string): number[] => {
    const id = model.pieces.findIndex(({ text }) => text === specialTokens.get(token));
    return id < 0 ? [] : [id];
  };
  const around = {
    before: config.add_bos_token === true ? idOf("bos_token") : [], // [sentencepiece.special]
    after: config.add_eos_token === true ? idOf("eos_token") : [],
  };
  return { pipeline: sentencePiecePipeline(model, path, around), specialTokens };
}

async function readVocabulary(folder: string, config: JsonObject, configPath: string): Promise<Vocabulary> {
  const json = readJson(`${folder}/tokenizer.json`);
  if (json !== null) return fromJson(`${folder}/tokenizer.json`, json, config, configPath);
  for (const name of MODEL_FILES) {
    const bytes = readBytes(`${folder}/${name}`);
    if (bytes !== null) return fromModel(bytes, `${folder}/${name}`, config);
  }
  throw new LoadError(
    `${folder}: there is no tokenizer.json, and none of ${MODEL_FILES.join(", ")}  [tokenizer.files]`,
  );
}

/**
 * Reads the tokenizer of a folder of Hugging Face: tokenizer.json, or else a model of SentencePiece, and beside it
 * tokenizer_config.json, special_tokens_map.json and chat_template.jinja where they are there. A path that ends in ".model" is
 * read as a model of SentencePiece by itself. Throws a LoadError that names the file with a problem.
 */
export async function loadTokenizer(path: string): Promise<Tokenizer> {
  const kind = kindOf(path);
  if (kind === "nothing") throw new LoadError(`cannot open ${path}: it does not exist  [io.file-errors]`);
  if (kind === "file" && !path.endsWith(".model"))
    throw new LoadError(
      `cannot open ${path}: it is a file; name its folder, or a .model file  [io.file-errors]`,
    );
  const alone = kind === "file" ? readBytes(path) : null;
  const configPath = `${path}/tokenizer_config.json`;
  const config = alone === null ? (readJson(configPath) ?? {}) : {};
  const { pipeline, specialTokens: own } =
    alone === null ? await readVocabulary(path, config, configPath) : fromModel(alone, path, config);
  const map = alone === null ? (readJson(`${path}/special_tokens_map.json`) ?? {}) : {};
  const templates = alone === null ? chatTemplates(path, config) : new Map<string, string>();
  return new Tokenizer(pipeline, {
    name: path,
    specialTokens: new Map([...own, ...specialTokens(config, map)]),
    templates,
    render: templates.size > 0 ? await loadRenderer() : null,
    cleanUp: config.clean_up_tokenization_spaces === true,
  });
}
