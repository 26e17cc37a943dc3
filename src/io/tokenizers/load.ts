// Tokenizers in folders, as `save_pretrained` of transformers writes them.

import { kindOf } from "#host";
import { LoadError, RuleError } from "../../tensor/errors.ts";
import { checkGiven } from "../../tensor/given.ts";
import { refuse } from "../fields.ts";
import { isObject, type JsonObject } from "../json.ts";
import { loadRenderer } from "./chat.ts";
import { chatTemplates, readBytes, readJson, specialTokens } from "./folder.ts";
import type { AddedToken } from "./json/added-tokens.ts";
import { asPart } from "./json/fields.ts";
import { addedToken, readTokenizerJson } from "./json/read.ts";
import type { Pipeline } from "./pipeline.ts";
import { type FoundModel, findModel, MODEL_FILES } from "./sentencepiece/folder.ts";
import { readModelFile } from "./sentencepiece/model-file.ts";
import { sentencePiecePipeline } from "./sentencepiece/pipeline.ts";
import { withSpecialTokens } from "./sentencepiece/special-tokens.ts";
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

/** The settings of a folder with which a vocabulary is read. */
interface Folder {
  /** tokenizer_config.json, and its path. */
  readonly config: JsonObject;
  readonly configPath: string;
  /** Further special tokens. */
  readonly special: readonly string[];
  /** A padding token to add where neither the folder nor a model of SentencePiece names one. */
  readonly pad: string | null;
  /** The special tokens that the folder names. */
  readonly named: ReadonlyMap<string, string>;
}

/** The special tokens that are added to a vocabulary, whose own file names the tokens `own`. [tokenizer.more-special] */
const addedTokens = ({ special, pad, named }: Folder, own: ReadonlyMap<string, string>): readonly string[] =>
  pad === null || named.has("pad_token") || own.has("pad_token") ? special : [...new Set([...special, pad])];

/** The vocabulary, and the special tokens that its own file names. */
interface Vocabulary {
  readonly pipeline: Pipeline;
  readonly specialTokens: ReadonlyMap<string, string>;
}

async function fromJson(path: string, json: JsonObject, folder: Folder): Promise<Vocabulary> {
  const { config, configPath } = folder;
  const translate = await loadTranslator();
  const more = configuredTokens(config, configPath, translate);
  const specialTokens = new Map<string, string>();
  const added = addedTokens(folder, specialTokens);
  return { pipeline: readTokenizerJson(json, path, translate, more, added), specialTokens };
}

/** `add_bos_token` and `add_eos_token` of tokenizer_config.json say what is added around a text; SentencePiece itself adds nothing. */
function fromModel({ model, specialTokens, path }: FoundModel, folder: Folder): Vocabulary {
  const { config } = folder;
  const idOf = (token: string): number[] => {
    const id = model.pieces.findIndex(({ text }) => text === specialTokens.get(token));
    return id < 0 ? [] : [id];
  };
  const around = {
    before: config.add_bos_token === true ? idOf("bos_token") : [], // [sentencepiece.special]
    after: config.add_eos_token === true ? idOf("eos_token") : [],
  };
  const added = addedTokens(folder, specialTokens);
  if (added.length === 0) return { pipeline: sentencePiecePipeline(model, path, around), specialTokens };
  const bare = sentencePiecePipeline(model, path, { before: [], after: [] });
  return { pipeline: withSpecialTokens(bare, added, around), specialTokens };
}

async function readVocabulary(path: string, folder: Folder): Promise<Vocabulary> {
  const json = readJson(`${path}/tokenizer.json`);
  if (json !== null) return fromJson(`${path}/tokenizer.json`, json, folder);
  const found = findModel(path);
  if (found !== null) return fromModel(found, folder);
  throw new LoadError(
    `${path}: there is no tokenizer.json, and none of ${MODEL_FILES.join(", ")}; name a folder that has one of them  [tokenizer.files]`,
  );
}

export interface LoadTokenizerOptions {
  /** Further special tokens, as `add_special_tokens` of transformers adds them. */
  readonly special?: readonly string[] | undefined;
  /** A padding token to add where the folder names none. */
  readonly pad?: string | undefined;
}

const isToken = (value: unknown): boolean => typeof value === "string" && value !== "";

/** Throws a RuleError for special tokens that are none. */
function checkTokens(special: readonly string[], pad: string | null): void {
  const isList = Array.isArray(special) && special.every(isToken) && new Set(special).size === special.length;
  if (isList && (pad === null || isToken(pad))) return;
  throw new RuleError(
    "special tokens are a list of texts that are not empty, each once, and a padding token is one such text",
    "tokenizer.more-special",
  );
}

/** A folder, or a model of SentencePiece by itself. */
function kindOfTokenizer(path: string): "folder" | "file" {
  checkGiven("loadTokenizer", { path }, "a text");
  const kind = kindOf(path);
  if (kind === "nothing") throw new LoadError(`cannot open ${path}: it does not exist  [io.file-errors]`);
  if (kind === "file" && !path.endsWith(".model"))
    throw new LoadError(
      `cannot open ${path}: it is a file; name its folder, or a .model file  [io.file-errors]`,
    );
  return kind;
}

/**
 * Reads the tokenizer of a folder of Hugging Face: tokenizer.json, or else a model of SentencePiece or its pieces as JSON, and
 * beside it tokenizer_config.json, special_tokens_map.json and chat_template.jinja where they are there. A path that ends in
 * ".model" is read as a model of SentencePiece by itself. Throws a LoadError that names the file with a problem. Throws a
 * RuleError for special tokens that are no texts.
 */
export async function loadTokenizer(path: string, options: LoadTokenizerOptions = {}): Promise<Tokenizer> {
  const { special = [], pad = null } = options;
  checkTokens(special, pad);
  const alone = kindOfTokenizer(path) === "file" ? readBytes(path) : null;
  const configPath = `${path}/tokenizer_config.json`;
  const config = alone === null ? (readJson(configPath) ?? {}) : {};
  const map = alone === null ? (readJson(`${path}/special_tokens_map.json`) ?? {}) : {};
  const named = specialTokens(config, map);
  const folder: Folder = { config, configPath, special, pad, named };
  const { pipeline, specialTokens: own } =
    alone === null
      ? await readVocabulary(path, folder)
      : fromModel({ ...readModelFile(alone, path), path }, folder);
  const templates = alone === null ? chatTemplates(path, config) : new Map<string, string>();
  return new Tokenizer(pipeline, {
    name: path,
    specialTokens: new Map([...(pad === null ? [] : [["pad_token", pad] as const]), ...own, ...named]),
    templates,
    render: templates.size > 0 ? await loadRenderer() : null,
    cleanUp: config.clean_up_tokenization_spaces === true,
  });
}
