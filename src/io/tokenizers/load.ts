// Tokenizers in folders, as `save_pretrained` of transformers writes them.
import { kindOf } from "#host";
import { LoadError } from "../../tensor/errors.ts";
import { refuse } from "../fields.ts";
import { isObject, type JsonObject } from "../json.ts";
import { loadRenderer } from "./chat.ts";
import { chatTemplates, readJson, specialTokens } from "./folder.ts";
import type { AddedToken } from "./json/added-tokens.ts";
import { asPart } from "./json/fields.ts";
import { addedToken, readTokenizerJson } from "./json/read.ts";
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

/**
 * Reads the tokenizer of a folder: tokenizer.json, and beside it tokenizer_config.json, special_tokens_map.json and
 * chat_template.jinja where they are there. Throws a LoadError that names the file with a problem.
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const path = `${folder}/tokenizer.json`;
  const json = readJson(path);
  if (json === null) {
    const problem = kindOf(folder) === "folder" ? "there is no tokenizer.json" : "there is no such folder";
    throw new LoadError(`${folder}: ${problem}; name a folder of save_pretrained  [tokenizer.files]`);
  }
  const translate = await loadTranslator();
  const configPath = `${folder}/tokenizer_config.json`;
  const config = readJson(configPath) ?? {};
  const more = configuredTokens(config, configPath, translate);
  return new Tokenizer(readTokenizerJson(json, path, translate, more), {
    name: folder,
    specialTokens: specialTokens(config, readJson(`${folder}/special_tokens_map.json`) ?? {}),
    templates: chatTemplates(folder, config),
    render: await loadRenderer(),
    cleanUp: config.clean_up_tokenization_spaces === true,
  });
}
