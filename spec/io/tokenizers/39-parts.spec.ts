// Single parts of tokenizer.json and of SentencePiece's models, on texts whose ids can be worked out by hand. The behaviour is that of
// tokenizers 0.22.2 and sentencepiece 0.2.1, which 39-tokenizers.spec.ts compares on 10,000 lines.
import { mkdirSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadTokenizer } from "../../../src/io/tokenizers/load.ts";
import {
  checkPieces,
  type Piece,
  type SentencePieceModel,
} from "../../../src/io/tokenizers/sentencepiece/model.ts";
import { readModelFile } from "../../../src/io/tokenizers/sentencepiece/model-file.ts";
import { readPieces } from "../../../src/io/tokenizers/sentencepiece/pieces.ts";
import { sentencePiecePipeline } from "../../../src/io/tokenizers/sentencepiece/pipeline.ts";
import type { Tokenizer } from "../../../src/io/tokenizers/tokenizer.ts";
import { RuleError } from "../../../src/tensor/errors.ts";
import { folders } from "../../support/fixtures/temporary.ts";

const newFolder = folders();
const EMPTY = {
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
};

function load(json: object, files: Readonly<Record<string, string | object>> = {}): Promise<Tokenizer> {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries({ "tokenizer.json": json, ...files }))
    writeFileSync(`${folder}/${name}`, typeof content === "string" ? content : JSON.stringify(content));
  return loadTokenizer(folder);
}

/** A model without merges: every character is a token, in the order given. */
const letters = (characters: string, more: object = {}) => ({
  type: "BPE",
  vocab: Object.fromEntries([...characters].map((one, id) => [one, id])),
  merges: [],
  ...more,
});
/** The tokens of a text. */
const tokens = (tokenizer: Tokenizer, text: string): (string | null)[] =>
  tokenizer.encode(text).map((id) => tokenizer.idToToken(id));
/** The words that a pre-tokenizer splits a text into, one token each. */
async function wordsOf(
  pre_tokenizer: object,
  text: string,
  words: readonly string[],
): Promise<(string | null)[]> {
  const vocab = Object.fromEntries([...words, "?"].map((word, id) => [word, id]));
  const model = { type: "BPE", vocab, merges: [], ignore_merges: true, unk_token: "?", fuse_unk: true };
  return tokens(await load({ ...EMPTY, pre_tokenizer, model }), text);
}

test("[tokenizer.bpe] the lowest rank is merged first, the leftmost of equals, and pairs change by merges", async () => {
  const vocab = { a: 0, b: 1, c: 2, ab: 3, bc: 4, aa: 5 };
  const tokenizer = await load({ ...EMPTY, model: { type: "BPE", vocab, merges: ["b c", "a b", "a a"] } });
  expect(tokenizer.encode("abc")).toEqual([0, 4]);
  expect(tokenizer.encode("aaaab")).toEqual([5, 0, 3]); // "a b" before "a a", which then merges the first two
});

test("[tokenizer.unknown] unknown characters are bytes, the unknown token, one for a run, or nothing", async () => {
  const bytes = Object.fromEntries(
    Array.from({ length: 256 }, (_, b) => [`<0x${b.toString(16).toUpperCase().padStart(2, "0")}>`, b + 2]),
  );
  const vocab = { "?": 0, a: 1, ...bytes };
  const encode = async (more: object) =>
    (await load({ ...EMPTY, model: { type: "BPE", vocab, merges: [], ...more } })).encode("aéöa");
  expect(await encode({ byte_fallback: true })).toEqual([1, 0xc3 + 2, 0xa9 + 2, 0xc3 + 2, 0xb6 + 2, 1]);
  expect(await encode({ unk_token: "?" })).toEqual([1, 0, 0, 1]);
  expect(await encode({ unk_token: "?", fuse_unk: true })).toEqual([1, 0, 1]);
  expect(await encode({})).toEqual([1, 1]);
});

test("[tokenizer.normalizers] characters are changed as the library does", async () => {
  const encode = async (normalizer: object, text: string) =>
    tokens(await load({ ...EMPTY, normalizer, model: letters("abσsxx_ \u0301e\u00e9") }), text).join("");
  expect(await encode({ type: "Lowercase" }, "ABΣ")).toBe("abσ"); // JavaScript alone makes it ς at the end of a word
  expect(await encode({ type: "Prepend", prepend: "_" }, "ab")).toBe("_ab");
  expect(await encode({ type: "Prepend", prepend: "_" }, "")).toBe("");
  expect(await encode({ type: "Strip", strip_left: true, strip_right: false }, " \u0085a ")).toBe("a ");
  expect(await encode({ type: "NFC" }, "e\u0301")).toBe("\u00e9");
  expect(await encode({ type: "Replace", pattern: { String: "a" }, content: "$&" }, "aab")).toBe("b");
});

test("[tokenizer.unicode] a letter of Unicode 17 is no letter yet, and does not compose", async () => {
  const pre = { type: "Split", pattern: { Regex: "\\p{L}+" }, behavior: "Isolated" };
  expect(await wordsOf(pre, "a\ua7cea", ["a", "\ua7ce", "a\ua7cea"])).toEqual(["a", "\ua7ce", "a"]);
  // U+0898 is a mark of Unicode 14 with combining class 230; it does not move behind the mark with class 220.
  const marks = await load({ ...EMPTY, normalizer: { type: "NFD" }, model: letters("a\u0898\u0323") });
  expect(marks.encode("a\u0898\u0323")).toEqual([0, 1, 2]);
});

test("[tokenizer.split] [tokenizer.pre-tokenizers] the five behaviours and their inverse", async () => {
  const split = (behavior: string, invert = false) =>
    wordsOf({ type: "Split", pattern: { String: "-" }, behavior, invert }, "a--b-", [
      "a",
      "b",
      "-",
      "--",
      "a-",
      "b-",
      "-b",
      "--b",
      "a--b",
    ]);
  expect(await split("Removed")).toEqual(["a", "b"]);
  expect(await split("Removed", true)).toEqual(["-", "-", "-"]);
  expect(await split("Isolated")).toEqual(["a", "-", "-", "b", "-"]);
  expect(await split("MergedWithPrevious")).toEqual(["a-", "-", "b-"]);
  expect(await split("MergedWithNext")).toEqual(["a", "-", "-b", "-"]);
  expect(await split("Contiguous")).toEqual(["a", "--", "b", "-"]);
});

test("[tokenizer.digits] digits of any script and numbers such as ½ are isolated", async () => {
  const pre = { type: "Digits", individual_digits: true };
  expect(await wordsOf(pre, "a1٣½b", ["a", "1", "٣", "½", "b"])).toEqual(["a", "1", "٣", "½", "b"]);
});

test("[tokenizer.byte-level] [tokenizer.bytes] GPT-2's words; U+0085 is a space and U+FEFF is none", async () => {
  const pre = { type: "ByteLevel", add_prefix_space: false };
  const known = ["I", "'m", "Ġhere", "Ġ", "!", "Â\u0127", "!ï»¿!"]; // Â and U+0127 are the bytes C2 85 of U+0085
  expect(await wordsOf(pre, "I'm  here", known)).toEqual(["I", "'m", "Ġ", "Ġhere"]);
  expect(await wordsOf(pre, "!\u0085!", known)).toEqual(["!", "Â\u0127", "!"]);
  expect(await wordsOf(pre, "!\ufeff!", known)).toEqual(["!ï»¿!"]);
});

test("[tokenizer.metaspace] ▁ is put in front always, never, or where the text begins", async () => {
  const scheme = async (prepend_scheme: string, text: string) => {
    const pre_tokenizer = { type: "Metaspace", replacement: "▁", prepend_scheme };
    const added = [{ id: 9, content: "<x>", special: true }];
    return tokens(
      await load({ ...EMPTY, added_tokens: added, pre_tokenizer, model: letters("▁ab") }),
      text,
    ).join("");
  };
  expect(await scheme("always", "a<x>b b")).toBe("▁a<x>▁b▁b");
  expect(await scheme("first", "a<x>b b")).toBe("▁a<x>b▁b");
  expect(await scheme("never", "a<x>b b")).toBe("a<x>b▁b");
  expect(await scheme("always", " a")).toBe("▁a");
});

test("[tokenizer.added] flags, the longest of several, and normalized texts", async () => {
  const added_tokens = [
    { id: 10, content: "<a>", special: true },
    { id: 11, content: "<a>b", special: true },
    { id: 12, content: "[L]", lstrip: true, special: true },
    { id: 13, content: "[R]", rstrip: true, special: true },
    { id: 14, content: "ab", single_word: true, normalized: false },
    { id: 15, content: "XY", normalized: true },
  ];
  const tokenizer = await load({
    ...EMPTY,
    added_tokens,
    normalizer: { type: "Lowercase" },
    model: letters("ab xy"),
  });
  expect(tokenizer.encode("<a>b<a>a")).toEqual([11, 10, 0]);
  expect(tokenizer.encode("a [L] a")).toEqual([0, 12, 2, 0]);
  expect(tokenizer.encode("a [R] a")).toEqual([0, 2, 13, 0]);
  expect(tokenizer.encode("ab bab")).toEqual([14, 2, 1, 0, 1]);
  expect(tokenizer.encode("xyXyx")).toEqual([15, 15, 3]);
});

test("[tokenizer.added-ids] an id that the vocabulary gives to another text is refused", async () => {
  const added_tokens = [{ id: 0, content: "<a>" }];
  await expect(load({ ...EMPTY, added_tokens, model: letters("ab") })).rejects.toThrow(/has the id of "a"/);
});

test("[tokenizer.encode] [tokenizer.post-processors] special tokens are added around the text, unless they are not wanted", async () => {
  const single = [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }];
  const special_tokens = { "<s>": { id: "<s>", ids: [5], tokens: ["<s>"] } };
  const model = letters("ab");
  const template = await load({
    ...EMPTY,
    model,
    post_processor: { type: "TemplateProcessing", single, special_tokens },
  });
  expect(template.encode("ab")).toEqual([5, 0, 1]);
  expect(template.encode("ab", { special: false })).toEqual([0, 1]);
  const bert = await load({
    ...EMPTY,
    model,
    post_processor: { type: "BertProcessing", cls: ["c", 7], sep: ["s", 8] },
  });
  expect(bert.encode("ab")).toEqual([7, 0, 1, 8]);
  expect(() => template.encode(3 as unknown as string)).toThrow(RuleError);
});

test("[tokenizer.decoders] [tokenizer.byte-fallback] [tokenizer.decode] tokens become text", async () => {
  const vocab = { "▁a": 0, "▁b": 1, "<0xC3>": 2, "<0xA9>": 3, c: 4 };
  const model = { type: "BPE", vocab, merges: [] };
  const decode = async (decoder: object, ids: number[]) =>
    (await load({ ...EMPTY, decoder, model })).decode(ids);
  const metaspace = { type: "Metaspace", replacement: "▁" };
  expect(await decode(metaspace, [0, 1, 99])).toBe("a b"); // 99 has no token
  expect(await decode({ ...metaspace, prepend_scheme: "never" }, [0, 1])).toBe(" a b");
  const bytes = { type: "Sequence", decoders: [{ type: "ByteFallback" }, { type: "Fuse" }] };
  expect(await decode(bytes, [4, 2, 3, 4])).toBe("céc");
  expect(await decode(bytes, [4, 3, 2, 3])).toBe("c\ufffd\ufffd\ufffd"); // the whole run
  expect(await decode({ type: "Strip", content: "▁", start: 1, stop: 0 }, [0, 1])).toBe("ab");
});

test("[tokenizer.clean-up] [tokenizer.stream] spaces before punctuation are removed, also id by id", async () => {
  const config = { "tokenizer_config.json": { clean_up_tokenization_spaces: true } };
  const decoder = { type: "Fuse" };
  const tokenizer = await load({ ...EMPTY, decoder, model: letters("it 's.don") }, config);
  const ids = tokenizer.encode("it 's do n't .");
  expect(tokenizer.decode(ids)).toBe("it's don't.");
  const stream = tokenizer.stream();
  expect(ids.map((id) => stream.push(id)).join("") + stream.end()).toBe("it's don't.");
});

test("[tokenizer.special] [tokenizer.files] special tokens come from the configuration, or else from the map", async () => {
  const files = {
    "tokenizer_config.json": { bos_token: { content: "a" }, eos_token: null },
    "special_tokens_map.json": { bos_token: "b", pad_token: "b" },
  };
  const tokenizer = await load({ ...EMPTY, model: letters("ab") }, files);
  expect([tokenizer.bos, tokenizer.eos, tokenizer.pad, tokenizer.unk]).toEqual([0, null, 1, null]);
  await expect(loadTokenizer(newFolder())).rejects.toThrow(/does not exist/);
  await expect(load({}, { "tokenizer.json": "[".repeat(100) })).rejects.toThrow(/levels deep/);
  const lists = (count: number) => `{"a":[${"[],".repeat(count)}0]`; // each list and each comma counts, and no brace closes it
  await expect(load({}, { "tokenizer.json": lists(2 ** 22) })).rejects.toThrow(/more than 8388608 values/);
  await expect(load({}, { "tokenizer.json": lists(2 ** 22 - 2) })).rejects.toThrow(/is not JSON/);
});

test("[tokenizer.json] a field of another type is refused with its place", async () => {
  const model = { type: "BPE", vocab: { a: "0" }, merges: [] };
  await expect(load({ ...EMPTY, model })).rejects.toThrow(/"model\.vocab\.a" has to be an integer/);
  const single = { type: "TemplateProcessing", single: [], special_tokens: {} };
  await expect(load({ ...EMPTY, model: letters("a"), post_processor: single })).rejects.toThrow(/0 times/);
  await expect(load({ ...EMPTY, model: { type: "Unigram", vocab: [["a", 0]], unk_id: 3 } })).rejects.toThrow(
    /unk_id 3/,
  );
});

test("[chat.files] [chat.messages] [chat.language] the file counts before the configuration", async () => {
  const config = { "tokenizer_config.json": { chat_template: "configured" } };
  const file = { "chat_template.jinja": "{{ messages[0].content }}!" };
  const messages = [{ role: "user", content: "Hi" }];
  expect((await load({ ...EMPTY, model: letters("a") }, config)).chat(messages)).toBe("configured");
  const tokenizer = await load({ ...EMPTY, model: letters("a") }, { ...config, ...file });
  expect(tokenizer.chat(messages)).toBe("Hi!");
  expect(() => tokenizer.chat([{ content: "Hi" } as never])).toThrow(/needs a role/);
  const broken = await load({ ...EMPTY, model: letters("a") }, { "chat_template.jinja": "{{ 'a' * 3 }}" });
  expect(() => broken.chat(messages)).toThrow(/cannot be run/);
});

const NONE = { before: [], after: [] };
const flags = { map: null, escapeWhitespaces: true, suffixes: false, unkSurface: " ⁇ ", byteFallback: false };
const spaces = { addDummyPrefix: true, removeExtraWhitespaces: true };
const piecesOf = (...all: [text: string, score: number, type?: number][]): Piece[] =>
  all.map(([text, score, type = 1]) => ({ text, score, type }));
const pipelineOf = (
  kind: SentencePieceModel["kind"],
  pieces: Piece[],
  more: Partial<SentencePieceModel> = {},
) => sentencePiecePipeline({ kind, pieces, ...flags, ...spaces, ...more }, "test", NONE);

test("[unigram.viterbi] [unigram.ties] the largest sum of scores; of equal sums the piece that starts first", () => {
  const pieces = piecesOf(["<unk>", 0, 2], ["▁", -1], ["a", -1], ["b", -1], ["ab", -2], ["▁ab", -2.5]);
  const { encode } = pipelineOf("unigram", pieces);
  expect(encode("ab", false)).toEqual([5]); // −2.5, and all others −3
  expect(encode("bab", false)).toEqual([1, 3, 4]); // "ab" and "a" + "b" are −2 both; "ab" starts first
});

test("[unigram.unknown] [unigram.user-defined] unknown runs are one token, and symbols are not split", () => {
  const pieces = piecesOf(["<unk>", 0, 2], ["▁", -1], ["a", -1], ["b", -1], ["ab", -9, 4]);
  const { encode, decode } = pipelineOf("unigram", pieces);
  expect(encode("axyzb", false)).toEqual([1, 2, 0, 3]);
  expect(encode("aab", false)).toEqual([1, 2, 4]);
  expect(decode([1, 2, 0, 3], false)).toBe("a ⁇ b");
});

test("[sentencepiece.normalize] [sentencepiece.spaces] [sentencepiece.dummy-prefix] [sentencepiece.user-defined] spaces by the options", () => {
  const pieces = piecesOf(["<unk>", 0, 2], ["▁", -1], ["a", -1], ["b", -1]);
  const encode = (text: string, more: Partial<SentencePieceModel>) =>
    pipelineOf("unigram", pieces, more).encode(text, false);
  expect(encode("  a  a ", {})).toEqual([1, 2, 1, 2]);
  expect(encode("  a  a ", { removeExtraWhitespaces: false })).toEqual([1, 1, 1, 2, 1, 1, 2, 1]);
  expect(encode("a a", { addDummyPrefix: false })).toEqual([2, 1, 2]);
  expect(encode("a a", { suffixes: true })).toEqual([2, 1, 2, 1]);
  expect(encode("   ", {})).toEqual([]);
  const map = { at: (text: string, from: number) => (text[from] === "a" ? { text: "b", length: 1 } : null) };
  expect(encode("aa", { map })).toEqual([1, 3, 3]);
  const symbol = pipelineOf("unigram", [...pieces.slice(0, 2), { text: "a", score: -1, type: 4 }], { map });
  expect(symbol.encode("aa", false)).toEqual([1, 2, 2]); // the symbol is not replaced
});

test("[sentencepiece.bpe] the piece of the highest score is merged first, the leftmost of equals", () => {
  const pieces = piecesOf(
    ["<unk>", 0, 2],
    ["▁", -9],
    ["a", -9],
    ["b", -9],
    ["ab", -2],
    ["ba", -1],
    ["aa", -2],
  );
  const { encode } = pipelineOf("bpe", pieces);
  expect(encode("aba", false)).toEqual([1, 2, 5]);
  expect(encode("aaa", false)).toEqual([1, 6, 2]);
  expect(encode("axyb", false)).toEqual([1, 2, 0, 3]);
});

test("[sentencepiece.decode] control pieces have no text, and bytes that begin no character are U+FFFD each", () => {
  const bytes = Array.from({ length: 256 }, (_, b): [string, number, number] => [
    `<0x${b.toString(16).toUpperCase().padStart(2, "0")}>`,
    0,
    6,
  ]);
  const pieces = piecesOf(["<unk>", 0, 2], ["<s>", 0, 3], ["▁", -1], ["▁a", -1], ...bytes);
  const { encode, decode } = pipelineOf("unigram", pieces, { byteFallback: true });
  expect(encode("é", false)).toEqual([2, 4 + 0xc3, 4 + 0xa9]);
  expect(decode([1, 3, 3, 4 + 0xc3, 4 + 0xa9], false)).toBe("a aé");
  expect(decode([4 + 0xe2, 4 + 0x82, 3], false)).toBe("\ufffd\ufffd a"); // one for each byte, not one for both
});

test("[sentencepiece.pieces] pieces that SentencePiece refuses are refused", () => {
  const refuse =
    (...all: [string, number, number?][]) =>
    () =>
      checkPieces({ kind: "unigram", pieces: piecesOf(...all), ...flags, ...spaces }, "test");
  expect(refuse(["a", 0])).toThrow(/0 pieces are the unknown one/);
  expect(refuse(["<unk>", 0, 2], ["a", 0], ["a", 0])).toThrow(/"a" is there twice/);
  expect(refuse(["<unk>", 0, 2], ["", 0])).toThrow(/piece 1 is empty/);
  expect(refuse(["<unk>", 0, 2], ["<0x00>", 0, 6])).toThrow(/byte_fallback is false/);
  expect(refuse(["<unk>", 0, 2], ["a", Number.NaN])).toThrow(/the score NaN/);
});

test("[sentencepiece.pieces] too many pieces are refused before the first is read", () => {
  const all = new Array(2 ** 19 + 1).fill(null); // no piece
  expect(() => readPieces({ pieces: all }, "pieces.json")).toThrow(
    /"pieces" has 524289 items, more than 524288/,
  );
  expect(() => readPieces({ pieces: all.slice(1) }, "pieces.json")).toThrow(/"pieces\[0\]" is missing/);
  const wrong = [0x0a, 0x02, 0x08, 0x01]; // a piece whose text is a number
  const many = (count: number) => Uint8Array.from({ length: 4 * count }, (_, i) => wrong[i % 4] ?? 0);
  expect(() => readModelFile(many(2 ** 19 + 1), "m")).toThrow("m: 524289 pieces are more than 524288");
  expect(() => readModelFile(many(2 ** 19), "m")).toThrow(/m: field 1 has another type/);
  const fields = (count: number) =>
    Uint8Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? 0x0a : 0));
  expect(() => readModelFile(fields(2 ** 20 + 1), "m")).toThrow(/m: a message has more than 1048576 fields/);
  expect(() => readModelFile(fields(2 ** 20), "m")).toThrow(/1048576 pieces are more than/);
});

test("[sentencepiece.special] a model adds tokens only where the configuration says so", async () => {
  const varint = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >> 7)]);
  const field = (number: number, bytes: readonly number[]) => [
    number * 8 + 2,
    ...varint(bytes.length),
    ...bytes,
  ];
  const piece = (text: string, type: number) =>
    field(1, [...field(1, [...new TextEncoder().encode(text)]), 0x15, 0, 0, 128, 191, 24, type]);
  const bytes = [
    ...piece("<unk>", 2),
    ...piece("<s>", 3),
    ...piece("</s>", 3),
    ...piece("▁", 1),
    ...piece("a", 1),
  ];
  const encode = async (config: object) => {
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}/tokenizer.model`, Uint8Array.from(bytes));
    writeFileSync(`${folder}/tokenizer_config.json`, JSON.stringify(config));
    return (await loadTokenizer(folder)).encode("a");
  };
  expect(await encode({})).toEqual([3, 4]);
  expect(await encode({ add_bos_token: true, add_eos_token: true })).toEqual([1, 3, 4, 2]);
});
