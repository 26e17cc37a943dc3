// The files beside a vocabulary: tokenizer_config.json, special_tokens_map.json and chat templates.
import { kindOf, openFile } from "#host";
import { LoadError } from "../../tensor/errors.ts";
import { refuse } from "../fields.ts";
import { isObject, type Json, type JsonObject, parseJson } from "../json.ts";
import { utf8 } from "../wording.ts";

/** Levels of nesting in a JSON file, and the bytes that a file may have. */
const [DEEPEST, LARGEST] = [64, 100_000_000];

/** The bytes of a file, or null if it is not there. */
export function readBytes(path: string): Uint8Array | null {
  if (kindOf(path) !== "file") return null;
  const source = openFile(path);
  try {
    if (source.size > LARGEST)
      throw new LoadError(
        `${path}: has ${source.size} bytes, more than the limit of ${LARGEST}  [tokenizer.files]`,
      );
    return source.read(0, source.size);
  } finally {
    source.close();
  }
}

export function readJson(path: string): JsonObject | null {
  const bytes = readBytes(path);
  return bytes === null ? null : parseJson(bytes, path, DEEPEST, "tokenizer.files");
}

/** The text of a token that is written as a string, or as an object with `content`. */
const textOf = (token: Json | undefined): string | null => {
  const text = isObject(token) ? token.content : token;
  return typeof text === "string" ? text : null;
};

/** The special tokens by name; tokenizer_config.json counts before special_tokens_map.json. [tokenizer.special] */
export function specialTokens(config: JsonObject, map: JsonObject): Map<string, string> {
  const named = Object.entries({ ...map, ...config }).filter(([name]) => name.endsWith("_token"));
  return new Map(
    named.flatMap(([name, token]) => {
      const text = textOf(token);
      return text === null ? [] : [[name, text] as const];
    }),
  );
}

/** The chat templates by name: of chat_template.jinja, or else of tokenizer_config.json, where it is one text or a list. [chat.files] */
export function chatTemplates(folder: string, config: JsonObject): Map<string, string> {
  const path = `${folder}/chat_template.jinja`;
  const bytes = readBytes(path);
  const text = bytes === null ? null : utf8(bytes);
  if (bytes !== null && text === null)
    throw new LoadError(`${path} is not valid UTF-8; write the file again  [chat.files]`);
  if (text !== null) return new Map([["default", text]]);
  const given = config.chat_template;
  if (given === undefined || given === null) return new Map();
  if (typeof given === "string") return new Map([["default", given]]);
  const at = { file: `${folder}/tokenizer_config.json`, field: "chat_template" };
  if (!Array.isArray(given)) throw refuse(at, "has to be a template or a list of named ones", "chat.files");
  return new Map(
    given.map((one: Json) => {
      if (!isObject(one) || typeof one.name !== "string" || typeof one.template !== "string")
        throw refuse(at, "has an entry without a name or a template", "chat.files");
      return [one.name, one.template] as const;
    }),
  );
}
