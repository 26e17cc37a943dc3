// The executable half of 39-tokenizers.md. Expected ids, texts and renderings are those of tokenizers 0.22.2, sentencepiece 0.2.1 and
// transformers 4.57.6 (golden/export/tokenizers); the lines are made from the same random numbers as there.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { loadTokenizer } from "../../../src/io/tokenizers/load.ts";
import { RuleError } from "../../../src/tensor/errors.ts";
import { folders } from "../../support/fixtures/temporary.ts";
import { given, idDigests, lines, textDigests } from "../../support/fixtures/tokenizer-lines.ts";

const newFolder = folders();
const DATA = "golden/data/tokenizers";
const read = (name: string) => JSON.parse(readFileSync(`${DATA}/${name}`, "utf8"));

test("the lines are those of the exporter", () => {
  expect(lines.slice(0, 3)).toEqual(given.first);
});

describe.each(Object.keys(given.results))("%s", (name) => {
  test("[tokenizer.decode] [tokenizer.stream] ids and texts of 10,000 lines are the library's", {
    timeout: 120_000,
  }, async () => {
    const tokenizer = await loadTokenizer(`${DATA}/${name}`);
    const ids = lines.map((one) => tokenizer.encode(one));
    expect(idDigests(ids)).toEqual(given.results[name].ids);
    const texts = ids.map((one) => tokenizer.decode(one));
    expect(textDigests(texts)).toEqual(given.results[name].decoded);
    const stream = tokenizer.stream();
    const streamed = ids.map((one) => one.map((id) => stream.push(id)).join("") + stream.end());
    expect(streamed.findIndex((text, i) => text !== texts[i])).toBe(-1);
  });
});

const chat = read("chat.json");
test("[chat.raise] [chat.choice] chat templates render as in transformers", async () => {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/tokenizer.json`, readFileSync(`${DATA}/gpt2/tokenizer.json`));
  const named = Object.entries(chat.templates).map(([name, template]) => ({ name, template }));
  writeFileSync(`${folder}/tokenizer_config.json`, JSON.stringify({ ...chat.special, chat_template: named }));
  const tokenizer = await loadTokenizer(folder);
  for (const { template, conversation, generationPrompt, text, error } of chat.rendered) {
    const run = () => tokenizer.chat(chat.conversations[conversation], { template, generationPrompt });
    if (text !== undefined) expect([template, conversation, run()]).toEqual([template, conversation, text]);
    else expect(run).toThrow(error);
  }
  expect(() => tokenizer.chat([{ role: "user", content: "" }])).toThrow(
    /no chat template "default"; it has "chatml"/,
  );
});

test("[chat.limits] a template that would run for hours ends with a sentence", async () => {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/tokenizer.json`, readFileSync(`${DATA}/gpt2/tokenizer.json`));
  const loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
  const doubling = `{% set ns = namespace(x='ab') %}{% for a in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}`;
  for (const template of [loops, doubling, "{{ range(10 ** 12) }}", "{{ '('.join(", "{% for"]) {
    writeFileSync(`${folder}/chat_template.jinja`, template);
    const tokenizer = await loadTokenizer(folder);
    expect(() => tokenizer.chat([{ role: "user", content: "" }])).toThrow(RuleError);
  }
});

test("[tokenizer.surrogates] half of a pair counts as U+FFFD", async () => {
  const tokenizer = await loadTokenizer(`${DATA}/gpt2`);
  expect(tokenizer.encode("a\ud83db")).toEqual(tokenizer.encode("a\ufffdb"));
});

/** gpt2/tokenizer.json with some members replaced. */
async function changed(members: object) {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/tokenizer.json`, JSON.stringify({ ...read("gpt2/tokenizer.json"), ...members }));
  return loadTokenizer(folder);
}

test("[tokenizer.patterns] [tokenizer.parts] [tokenizer.bpe] hostile files are refused with a sentence", async () => {
  const split = (Regex: string) => ({
    pre_tokenizer: { type: "Split", pattern: { Regex }, behavior: "Isolated" },
  });
  for (const pattern of ["(a+)+$", "(a|aa)*b", "(\\w*)*x", "(.)\\1", "a*a*a*b", "[", "(?<=a"])
    await expect(changed(split(pattern))).rejects.toThrow(/pattern/);
  await expect(changed({ decoder: { type: "constructor" } })).rejects.toThrow(
    /known are Sequence, ByteLevel/,
  );
  const model = { ...read("gpt2/tokenizer.json").model, merges: [["a", "no such token"]] };
  await expect(changed({ model })).rejects.toThrow(/a merge has "no such token"/);
  const token = { ...read("gpt2/tokenizer.json").added_tokens[0], id: 5 };
  await expect(changed({ added_tokens: [token] })).rejects.toThrow(/tokenizer\.added-ids/);
});

test("[tokenizer.bpe] a million equal characters take linear time", { timeout: 60_000 }, async () => {
  const tokenizer = await loadTokenizer(`${DATA}/gpt2`);
  const text = "a".repeat(1_000_000);
  expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
});
