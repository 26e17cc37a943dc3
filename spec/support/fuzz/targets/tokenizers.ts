// Targets that read tokenizer.json, SentencePiece models and chat templates, and use what was read.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { loadKosmosTokenizer } from "../../../../src/io/tokenizers/kosmos/load.ts";
import { loadTokenizer } from "../../../../src/io/tokenizers/load.ts";
import type { Tokenizer } from "../../../../src/io/tokenizers/tokenizer.ts";
import { damagedBytes } from "../bytes.ts";
import { damagedJson, damagedText, type Json } from "../json.ts";
import { expectThat, target } from "../target.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const TEXTS = ["", "a b  c", "é\u0301 中文 \u{1F600}", "\ud800x", "<s>abab</s>", "\u0000\t\n12.5%"];

/** Texts to ids and back. Ids are those of tokens, and the decoded text is no longer than the tokens allow. */
function use(tokenizer: Tokenizer): void {
  for (const text of TEXTS) {
    const ids = tokenizer.encode(text);
    expectThat(
      ids.every((id) => Number.isSafeInteger(id) && id >= 0),
      "ids are whole numbers",
    );
    expectThat(typeof tokenizer.decode(ids) === "string", "ids are decoded");
    const stream = tokenizer.stream();
    for (const id of ids) stream.push(id);
    stream.end();
  }
}

export function written(folder: string, files: Readonly<Record<string, string | Uint8Array>>): string {
  const home = join(folder, "tokenizer");
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(home, name), content);
  return home;
}

const added = (id: number, content: string): Json => ({
  id,
  content,
  special: true,
  single_word: false,
  lstrip: true,
  rstrip: false,
  normalized: false,
});
const BPE: Json = {
  version: "1.0",
  added_tokens: [added(6, "<s>"), added(7, "</s>")],
  normalizer: {
    type: "Sequence",
    normalizers: [{ type: "NFC" }, { type: "Replace", pattern: { String: "a" }, content: "b" }],
  },
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
  post_processor: {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
    pair: [],
    special_tokens: { "<s>": { id: "<s>", ids: [6], tokens: ["<s>"] } },
  },
  decoder: { type: "ByteLevel" },
  model: {
    type: "BPE",
    vocab: { a: 0, b: 1, ab: 2, Ġ: 3, Ġa: 4, abab: 5 },
    merges: ["a b", "Ġ a", "ab ab"],
    unk_token: null,
    byte_fallback: false,
    ignore_merges: false,
  },
};
const UNIGRAM: Json = {
  version: "1.0",
  added_tokens: [added(4, "<s>")],
  normalizer: { type: "Precompiled", precompiled_charsmap: "AAAAAA==" },
  pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
  decoder: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
  model: {
    type: "Unigram",
    unk_id: 0,
    vocab: [
      ["<unk>", 0],
      ["▁", -2],
      ["a", -3],
      ["▁a", -1],
    ],
    byte_fallback: false,
  },
};

export const tokenizers = target<Uint8Array>({
  inputs: damagedText(damagedJson([BPE, UNIGRAM])),
  size: (bytes) => bytes.length + 1000,
  show: hex,
  asynchronous: true,
  read: async (json, folder) => use(await loadTokenizer(written(folder, { "tokenizer.json": json }))),
});

const MODELS = ["unigram", "bpe", "rules", "suffix"].map(
  (name) => new Uint8Array(readFileSync(`golden/data/tokenizers/${name}.model`)),
);

export const sentencepiece = target<Uint8Array>({
  inputs: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...MODELS).chain(damagedBytes) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
  ),
  size: (bytes) => bytes.length + 1000,
  show: hex,
  asynchronous: true,
  read: async (model, folder) => use(await loadTokenizer(written(folder, { "tokenizer.model": model }))),
});

const PIECES_JSON: Json = {
  pieces: [
    ["<unk>", 0, 2],
    ["<s>", 0, 3],
    ["</s>", 0, 3],
    ["▁", -2],
    ["a", -3],
    ["▁a", -1],
    ["<image>", -4, 4],
  ],
  normalizer: "identity",
  add_dummy_prefix: true,
  remove_extra_whitespaces: true,
};
const DICTIONARY = "▁ 1\na 1\n▁a 1\n";

/** Both vocabularies of Kosmos: damaged pieces with a dictionary, and T5's file. */
export const kosmosTokenizers = target<Readonly<Record<string, Uint8Array>>>({
  inputs: fc.oneof(
    fc.record({
      "pieces.json": damagedText(damagedJson([PIECES_JSON])),
      "dict.txt": damagedBytes(new TextEncoder().encode(DICTIONARY)),
    }),
    damagedBytes(new Uint8Array(readFileSync("golden/data/kosmos-tokenizers/t5/spiece.model"))).map(
      (bytes) => ({ "spiece.model": bytes }),
    ),
  ),
  size: (files) => Object.values(files).reduce((sum, { length }) => sum + length, 1000),
  show: (files) =>
    Object.entries(files)
      .map(([name, bytes]) => `${name} ${hex(bytes)}`)
      .join(" "),
  asynchronous: true,
  read: async (files, folder) => use((await loadKosmosTokenizer(written(folder, files))).tokenizer),
});

const TEMPLATE = `{% for m in messages %}{% if loop.first and m.role != "system" %}{{ bos_token }}{% endif %}
{{- "<|" + m["role"] + "|>" + m.content | trim }}{% for i in range(3) %}{{ i }}{% endfor %}{% endfor %}
{% if add_generation_prompt %}{{ raise_exception("x") if messages | length > 5 else "<|assistant|>" }}{% endif %}`;

/** Pieces of templates that loop, nest, and ask for what objects have. */
const PIECES = [
  "{{ messages.constructor }}",
  "{{ messages.__proto__.x }}",
  "{% for a in range(100000000) %}x{% endfor %}",
  "{% for a in messages %}{% for b in messages %}{{ a }}{% endfor %}{% endfor %}",
  "{% set x = x ~ x %}",
  "{{ 'a' * 100000000 }}",
  "{{ messages[0][0][0] }}",
  "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
  "{{ (((((((1))))))) }}",
  "{% if",
  "{#",
];

export const templates = target<string>({
  inputs: fc.oneof(
    fc.array(fc.constantFrom(...PIECES, TEMPLATE), { maxLength: 4 }).map((parts) => parts.join("")),
    damagedBytes(new TextEncoder().encode(TEMPLATE)).map((bytes) => Buffer.from(bytes).toString("latin1")),
  ),
  size: (text) => text.length + 1_000_000, // what a template may make
  asynchronous: true,
  async read(template, folder) {
    const files = { "tokenizer.json": JSON.stringify(BPE), "chat_template.jinja": template };
    const tokenizer = await loadTokenizer(written(folder, files));
    const text = tokenizer.chat([{ role: "user", content: "a" }], { generationPrompt: true });
    expectThat(typeof text === "string", "a template makes a text");
  },
});
