// tokenizer.json of Hugging Face: added tokens, normalizer, pre-tokenizer, model, post-processor and decoder.
import { LoadError } from "../../../tensor/errors.ts";
import { boolean, integer, list, listUpTo, mapOf, refuse, string } from "../../fields.ts";
import type { Json, JsonObject } from "../../json.ts";
import { quoted } from "../../wording.ts";
import { Bpe } from "../models/bpe.ts";
import type { TokenModel } from "../models/model.ts";
import { UNKNOWN_PENALTY, Unigram } from "../models/unigram.ts";
import type { Pipeline } from "../pipeline.ts";
import { MOST_PIECES } from "../sentencepiece/model.ts";
import { byteOf } from "../text/bytes.ts";
import type { Translate } from "../text/patterns.ts";
import { type AddedToken, AddedTokens } from "./added-tokens.ts";
import { decoder } from "./decoders.ts";
import { asPart, field, make, type Part, partOf, partsOf, required, type Table } from "./fields.ts";
import { normalizer } from "./normalizers.ts";
import { postProcessor } from "./post-processors.ts";
import { preTokenizer } from "./pre-tokenizers.ts";

/** The most tokens of a vocabulary: the ids of two fit into one exact number. */
const MOST_TOKENS = 2 ** 22;

const id = (value: Json | undefined, at: Part["at"]): number => {
  const n = integer(value, at);
  if (n < 0 || n >= MOST_TOKENS)
    throw refuse(at, `is ${n}; ids are from 0 to ${MOST_TOKENS - 1}`, "tokenizer.json");
  return n;
};

/** "a b" or ["a", "b"]. */
const merge = (value: Json | undefined, at: Part["at"]): readonly [string, string] => {
  const pair = typeof value === "string" ? value.split(" ") : list(string)(value, at);
  const [left, right] = pair;
  if (left === undefined || right === undefined || pair.length !== 2)
    throw refuse(at, "has to be two tokens", "tokenizer.bpe");
  return [left, right];
};

function bpe(part: Part): TokenModel {
  if (field(part, "dropout", (value) => value !== 0, false))
    throw refuse(part.at, "has dropout, which makes ids random; remove it", "tokenizer.bpe");
  const vocab = required(part, "vocab", mapOf(id));
  return new Bpe({
    vocab,
    merges: required(part, "merges", list(merge)),
    unkToken: field(part, "unk_token", string, null),
    prefix: field(part, "continuing_subword_prefix", string, ""),
    suffix: field(part, "end_of_word_suffix", string, ""),
    fuseUnk: field(part, "fuse_unk", boolean, false),
    byteFallback: field(part, "byte_fallback", boolean, false),
    ignoreMerges: field(part, "ignore_merges", boolean, false),
  });
}

/** [piece, score] */
const scored = (value: Json | undefined, at: Part["at"]): readonly [string, number] => {
  const [piece, score, ...others] = Array.isArray(value) ? value : [];
  if (typeof piece !== "string" || typeof score !== "number" || others.length > 0)
    throw refuse(at, "has to be a piece and its score", "tokenizer.json");
  return [piece, score];
};

function unigram(part: Part): TokenModel {
  const vocab = required(part, "vocab", listUpTo(MOST_PIECES, scored));
  const unkId = required(part, "unk_id", id);
  if (unkId >= vocab.length)
    throw refuse(part.at, `has unk_id ${unkId} and ${vocab.length} pieces`, "tokenizer.json");
  const ids = new Map(vocab.map(([text], i) => [text, i])); // of a piece that occurs twice, the last counts
  const lowest = vocab.reduce((least, [, score]) => Math.min(least, score), Number.POSITIVE_INFINITY);
  return new Unigram({
    pieces: [...ids].map(([text, i]) => ({ text, id: i, score: vocab[i]?.[1] ?? 0 })),
    tokens: vocab.map(([text]) => text),
    ids,
    unkId,
    unkScore: lowest - UNKNOWN_PENALTY,
    byteFallback: field(part, "byte_fallback", boolean, false),
    precision: "float64",
  });
}

const MODELS: Table<TokenModel> = { BPE: bpe, Unigram: unigram };

/** Files from before the field `type` was there. */
function typed(part: Part): Part {
  const isUnigram = Array.isArray(part.json.vocab);
  return typeof part.json.type === "string"
    ? part
    : { ...part, json: { ...part.json, type: isUnigram ? "Unigram" : "BPE" } };
}

/** An added token of tokenizer.json, or of `added_tokens_decoder` in tokenizer_config.json. */
export function addedToken(part: Part, given: number | null = null): AddedToken {
  const special = field(part, "special", boolean, false);
  return {
    id: given ?? required(part, "id", id),
    content: required(part, "content", string),
    singleWord: field(part, "single_word", boolean, false),
    lstrip: field(part, "lstrip", boolean, false),
    rstrip: field(part, "rstrip", boolean, false),
    normalized: field(part, "normalized", boolean, !special),
    special,
  };
}

/** A part that may be null. */
function optionalPart<T>(part: Part, name: string, read: (part: Part) => T, otherwise: T): T {
  return part.json[name] === null || part.json[name] === undefined ? otherwise : read(partOf(part, name));
}

/** Whether a decoder's text of the tokens so far is how its text of more tokens begins: no replacement spans two tokens. */
function isIncremental(decoding: Json | undefined): boolean {
  const text = JSON.stringify(decoding ?? null);
  const fused = text.indexOf('"Fuse"');
  return fused < 0 || text.indexOf('"Replace"', fused) < 0;
}

/**
 * Special tokens that a file does not have, as `add_special_tokens` of transformers adds them: one that is in the vocabulary keeps its
 * id, and others follow the largest.
 */
function further(
  texts: readonly string[],
  tokens: readonly AddedToken[],
  model: TokenModel,
): readonly AddedToken[] {
  let next = tokens.reduce((most, { id }) => Math.max(most, id + 1), model.size);
  const known = new Set(tokens.map(({ content }) => content));
  return texts
    .filter((text) => !known.has(text))
    .map((content) => {
      const id = model.idOf(content) ?? next++; // [tokenizer.more-special]
      const flags = { singleWord: false, lstrip: false, rstrip: false, normalized: false, special: true };
      return { id, content, ...flags }; // [tokenizer.more-special]
    });
}

/**
 * Reads the file; `more` are added tokens of tokenizer_config.json, which count where the file does not have their text, and `special`
 * further special tokens.
 */
export function readTokenizerJson(
  json: JsonObject,
  file: string,
  translate: Translate,
  more: readonly AddedToken[],
  special: readonly string[] = [],
): Pipeline {
  const part = asPart(json, { at: { file, field: "" }, translate });
  const model = make(typed(partOf(part, "model")), MODELS);
  const normalize = optionalPart(part, "normalizer", normalizer, (text: string) => text);
  const preTokenize = optionalPart(part, "pre_tokenizer", preTokenizer, (text: string) => [text]);
  const postProcess = optionalPart(part, "post_processor", postProcessor, (ids: readonly number[]) => ids);
  const decode = optionalPart(part, "decoder", decoder, (tokens: readonly string[]) => [tokens.join(" ")]);
  const own =
    field(
      part,
      "added_tokens",
      list((v) => v),
      [] as readonly Json[],
    ).length > 0
      ? partsOf(part, "added_tokens").map((one) => addedToken(one))
      : [];
  const contents = new Set(own.map((token) => token.content));
  const listed = [...own, ...more.filter((token) => !contents.has(token.content))].filter(
    (t) => t.content !== "",
  );
  const tokens = [...listed, ...further(special, listed, model)];
  for (const token of tokens) checkId(token, model, file);
  const added = new AddedTokens(tokens, normalize);
  const byId = new Map(tokens.map((token) => [token.id, token]));
  const byContent = new Map(tokens.map((token) => [token.content, token.id]));
  const tokenOf = (one: number): string | undefined => byId.get(one)?.content ?? model.tokenOf(one);
  const hasBytes = JSON.stringify(json.decoder ?? null).includes('"ByteFallback"');
  return {
    size: tokens.reduce((most, token) => Math.max(most, token.id + 1), model.size),
    encode(text, special) {
      const ids = added.split(text).flatMap((section) => {
        if (section.text === null) return [section.id];
        return preTokenize(section.text, section.isFirst).flatMap((word) => model.encode(word));
      });
      return special ? postProcess(ids) : ids;
    },
    decode(ids, skipSpecial) {
      const shown = ids.filter((one) => !(skipSpecial && byId.get(one)?.special === true));
      const texts = shown.map(tokenOf).filter((token) => token !== undefined); // [tokenizer.decode]
      return texts.length === 0 ? "" : decode(texts).join("");
    },
    idOf: (token) => byContent.get(token) ?? model.idOf(token),
    tokenOf,
    isPartial: (one) => hasBytes && byteOf(tokenOf(one) ?? "") !== null,
    isIncremental: isIncremental(json.decoder),
  };
}

/** An added token that is in the vocabulary has the vocabulary's id there. [tokenizer.added-ids] */
function checkId(token: AddedToken, model: TokenModel, file: string): void {
  const own = model.idOf(token.content);
  const taken = model.tokenOf(token.id);
  if (own === undefined ? taken === undefined : own === token.id) return;
  const other =
    own === undefined ? `has the id of ${quoted(taken ?? "")}` : `has the id ${own} in the vocabulary`;
  throw new LoadError(
    `${file}: the added token ${quoted(token.content)} with the id ${token.id} ${other}  [tokenizer.added-ids]`,
  );
}
