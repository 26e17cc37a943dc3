// The executable half of 39-kosmos.md. Expected values: T5Tokenizer and T5TokenizerFast of transformers 4.57.6, the dictionary of unilm over
// sentencepiece 0.2.1, and KosmosTokenizer of kosmosx 0.3.1 (golden/export/kosmos_tokenizers).
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { loadKosmosTokenizer, paddingWarning } from "../../../src/io/tokenizers/kosmos/load.ts";
import { publishedTokens } from "../../../src/io/tokenizers/kosmos/published.ts";
import { loadTokenizer } from "../../../src/io/tokenizers/load.ts";
import { folders } from "../../support/fixtures/temporary.ts";
import { idDigests, lines, textDigests } from "../../support/fixtures/tokenizer-lines.ts";

const newFolder = folders();
const DATA = "golden/data/kosmos-tokenizers";
const read = (name: string) => JSON.parse(readFileSync(`${DATA}/${name}`, "utf8"));
const given = read("lines.json");
const texts: readonly string[] = [
  ...lines.map((line) =>
    given.swaps.reduce((text: string, [old, now]: [string, string]) => text.replaceAll(old, now), line),
  ),
  ...given.texts,
];
const fastTexts: readonly string[] = given.fastLines.map((i: number) => texts[i]);

/** A folder with files of others, and more files. */
function folderOf(
  copied: readonly string[],
  more: Readonly<Record<string, string | Uint8Array>> = {},
): string {
  const folder = newFolder();
  mkdirSync(folder);
  for (const path of copied) copyFileSync(`${DATA}/${path}`, `${folder}/${path.split("/").at(-1)}`);
  for (const [name, content] of Object.entries(more)) writeFileSync(`${folder}/${name}`, content);
  return folder;
}

describe.each(["t5", "t5-fast", "kosmos"])("%s", (name) => {
  test("[tokenizer.t5] [tokenizer.t5-decode] [tokenizer.fairseq] [tokenizer.fairseq-decode] ids and texts of thousands of lines are the source's", {
    timeout: 120_000,
  }, async () => {
    const { tokenizer, preset } = await loadKosmosTokenizer(`${DATA}/${name}`);
    expect(preset).toBe(name === "kosmos" ? "kosmos" : "t5");
    const chosen = name === "t5-fast" ? fastTexts : texts;
    expect(chosen.length).toBeGreaterThan(1000);
    const ids = chosen.map((text) => tokenizer.encode(text, { special: name !== "kosmos" }));
    const expected = given.results[name];
    expect(idDigests(ids)).toEqual(expected.ids);
    expect(textDigests(ids.map((one) => tokenizer.decode(one)))).toEqual(expected.decoded);
    if (name !== "t5") return;
    const skipped = ids.map((one) => tokenizer.decode(one, { skipSpecial: true }));
    expect(textDigests(skipped)).toEqual(expected.skipped);
  });

  test("[tokenizer.stream] the pieces of a stream are the decoded text", async () => {
    const { tokenizer } = await loadKosmosTokenizer(`${DATA}/${name}`);
    for (const skipSpecial of [false, true]) {
      const stream = tokenizer.stream({ skipSpecial });
      for (const text of [...texts.slice(0, 300), ...given.texts]) {
        const ids = tokenizer.encode(text);
        const streamed = ids.map((id) => stream.push(id)).join("") + stream.end();
        expect(streamed).toBe(tokenizer.decode(ids, { skipSpecial }));
      }
    }
  });
});

test.each(["t5", "kosmos"] as const)("[tokenizer.%s] ids of special tokens beside text", async (name) => {
  const { tokenizer } = await loadKosmosTokenizer(`${DATA}/${name}`);
  expect(given.texts.length).toBeGreaterThan(30);
  for (const text of given.texts)
    expect([text, tokenizer.encode(text, { special: name === "t5" })]).toEqual([text, given.ids[text][name]]);
});

test("[tokenizer.t5] the image tokens follow the vocabulary, and T5's special tokens keep their ids", async () => {
  const { tokenizer, tokens } = await loadKosmosTokenizer(`${DATA}/t5`, { preset: "t5" });
  expect(tokens).toEqual({ bos: null, pad: 0, eos: 1, image: 900, imageEnd: 901 });
  expect(tokenizer.size).toBe(given.sizes.t5);
  expect([tokenizer.bos, tokenizer.pad, tokenizer.eos, tokenizer.unk]).toEqual([null, 0, 1, 2]);
  const fast = await loadKosmosTokenizer(`${DATA}/t5-fast`);
  expect(fast.tokens).toEqual(tokens);
});

// T5Tokenizer of transformers 4.57.6 on this model: 900 and 901 are the image tokens, 3 is "▁"
test("[tokenizer.t5-decode] text between image tokens that has no characters has no space of its own, but at the end", async () => {
  const { tokenizer } = await loadKosmosTokenizer(`${DATA}/t5`);
  expect(tokenizer.decode([900, 3, 901])).toBe("<image> </image>");
  expect(tokenizer.decode([900, 3, 3, 901])).toBe("<image> </image>");
  expect(tokenizer.decode([3, 900])).toBe("<image>");
  expect(tokenizer.decode([900, 3])).toBe("<image> ");
  expect(tokenizer.decode([900, 1, 901])).toBe("<image> </s> </image>");
});

test("[tokenizer.t5-end] the end is added once, but by T5TokenizerFast always", async () => {
  const slow = (await loadKosmosTokenizer(`${DATA}/t5`)).tokenizer;
  const fast = (await loadKosmosTokenizer(`${DATA}/t5-fast`)).tokenizer;
  expect(slow.encode("</s>")).toEqual([1]);
  expect(slow.encode("")).toEqual([1]);
  expect(slow.encode("", { special: false })).toEqual([]);
  expect(fast.encode("</s>")).toEqual([1, 1]);
});

test("[tokenizer.fairseq] [tokenizer.fairseq-special] fairseq's symbols, the pieces moved by one, and unilm's symbols", async () => {
  const { tokenizer, tokens } = await loadKosmosTokenizer(`${DATA}/kosmos`);
  const { pieces } = read("kosmos/pieces.json");
  // 4 + the pieces without <unk> <s> </s> + 6: 64 007 for unilm's 64 000 pieces
  expect(tokenizer.size).toBe(4 + pieces.length - 3 + 6);
  expect(tokenizer.size).toBe(given.sizes.kosmos);
  const symbols = Array.from({ length: tokenizer.size }, (_, id) => tokenizer.idToToken(id));
  expect(symbols.slice(0, 4)).toEqual(["<s>", "<pad>", "</s>", "<unk>"]);
  expect(symbols.slice(4, -6)).toEqual(pieces.slice(3).map(([text]: [string]) => text));
  expect(symbols.slice(-6)).toEqual(["<mask>", "</doc>", "<image>", "</image>", "</chunk>", "</line>"]);
  expect(tokens).toEqual({ bos: 0, pad: 1, eos: 2, image: tokenizer.size - 4, imageEnd: tokenizer.size - 3 });
  expect(tokenizer.encode("<image>")).toEqual([0, tokens.image, 2]);
  expect(tokenizer.encode("<s>")).toHaveLength(2 + tokenizer.encode("<s>", { special: false }).length);
  expect(tokenizer.encode("<s>", { special: false })).not.toContain(0);
  expect([tokenizer.bos, tokenizer.pad, tokenizer.eos, tokenizer.unk]).toEqual([0, 1, 2, 3]);
  expect(tokenizer.decode([0, 1, 3, tokens.image, 2], { skipSpecial: true })).toBe("");
  expect(tokenizer.decode([0, 1, 3, tokens.image, 2])).toBe("<pad><unk><image>");
});

test("[tokenizer.fairseq-decode] spaces inside of a symbol are no text, as in SentencepieceBPE.decode of fairseq", async () => {
  const pieces = [
    ["<unk>", 0, 2],
    ["<s>", 0, 3],
    ["</s>", 0, 3],
    ["a b", -1],
    ["▁c", -2],
  ];
  const { tokenizer } = await loadKosmosTokenizer(
    folderOf([], { "pieces.json": JSON.stringify({ pieces }) }),
  );
  expect(tokenizer.decode([4, 5, 4])).toBe("ab cab");
});

test("[tokenizer.fairseq-dictionary] too many lines, and a symbol that is there twice, are refused", async () => {
  const load = (text: string) => loadKosmosTokenizer(folderOf(["kosmos/pieces.json"], { "dict.txt": text }));
  await expect(load("x\n".repeat(2 ** 19 + 1))).rejects.toThrow(
    /dict\.txt: 524289 lines are more than 524288/,
  );
  await expect(load("x\n".repeat(2 ** 19))).rejects.toThrow(/dict\.txt: line 1 is "x"/);
  await expect(load("a 1\na 1\n")).rejects.toThrow(/^dict\.txt beside .*: the symbol "a" is there twice/);
});

test("[tokenizer.fairseq-dictionary] the order of dict.txt counts, and a piece that it lacks is unknown", async () => {
  const plain = await loadKosmosTokenizer(`${DATA}/kosmos`);
  const { pieces } = read("kosmos/pieces.json");
  const names: string[] = pieces.slice(3).map(([text]: [string]) => text);
  const reversed = [...names].reverse();
  const whole = folderOf(["kosmos/pieces.json"], {
    "dict.txt": reversed.map((name) => `${name} 1\n`).join(""),
  });
  const text = "The quick brown fox.";
  const ids = plain.tokenizer.encode(text, { special: false });
  const dictionary = await loadKosmosTokenizer(whole);
  const expected = ids.map((id) => 4 + reversed.indexOf(names[id - 4] ?? ""));
  expect(dictionary.tokenizer.encode(text, { special: false })).toEqual(expected);
  expect(dictionary.tokenizer.decode(expected)).toBe(text);
  const lacking = folderOf(["kosmos/pieces.json"], {
    "dict.txt": names.flatMap((name, i) => (i + 4 === ids[0] ? [] : [`${name} 5\r\n`])).join(""),
  });
  expect((await loadKosmosTokenizer(lacking)).tokenizer.encode(text, { special: false })[0]).toBe(3);
});

test("[tokenizer.fairseq-dictionary] lines without a count, repeated symbols and bytes that are no text are refused", async () => {
  const wrong = [
    "a 1\nb\n",
    "a 1\na 1\n",
    "<s> 1\n",
    "a 1\n\nb 1\n",
    "a 1.5\n",
    "a\t1\n",
    Uint8Array.of(0xff, 0x20, 0x31),
  ];
  for (const text of wrong) {
    const folder = folderOf(["kosmos/pieces.json"], { "dict.txt": text });
    await expect(loadKosmosTokenizer(folder)).rejects.toThrow(/\[tokenizer\.fairseq-dictionary\]/);
  }
});

test("[tokenizer.kosmos-presets] [tokenizer.files] [io.file-errors] a model of another layout, or of the other preset, is refused", async () => {
  await loadKosmosTokenizer(`${DATA}/kosmos`, { preset: "kosmos" });
  const calls = [
    () => loadKosmosTokenizer(`${DATA}/kosmos`, { preset: "t5" }),
    () => loadKosmosTokenizer(`${DATA}/t5`, { preset: "kosmos" }),
    () =>
      loadKosmosTokenizer(folderOf([], { "pieces.json": '{"pieces": [["<s>", 0, 3], ["<unk>", 0, 2]]}' })),
    () => loadKosmosTokenizer("golden/data/tokenizers/gpt2"),
    () =>
      loadKosmosTokenizer(
        folderOf([], { "tokenizer.model": readFileSync("golden/data/tokenizers/bpe.model") }),
      ),
  ];
  for (const call of calls) await expect(call()).rejects.toThrow(/\[tokenizer\.kosmos-presets\]/);
  const known = "begins, as the preset t5 with <pad> </s> <unk>, kosmos with <unk> <s> </s>";
  await expect(calls[0]?.()).rejects.toThrow(
    `this unigram model begins with "<unk>" "<s>" "</s>"; a tokenizer of Kosmos is a unigram model that ${known}, and t5 is wanted  [`,
  );
  await expect(calls[2]?.()).rejects.toThrow(
    `begins with "<s>" "<unk>"; a tokenizer of Kosmos is a unigram model that ${known}  [`,
  );
  const misspelt = loadKosmosTokenizer(`${DATA}/t5`, { preset: "T5" as "t5" });
  await expect(misspelt).rejects.toThrow(/"t5" or "kosmos"/);
  for (const preset of [undefined, "t5", "kosmos"] as const)
    await expect(loadKosmosTokenizer(folderOf([]), { preset })).rejects.toThrow(/there is none of/);
  await expect(loadKosmosTokenizer(`${DATA}/t5/spiece.model`)).rejects.toThrow(/name the folder/);
});

test("[tokenizer.kosmos-published] [tokenizer.kosmos-truncation] tokens of texts are those of the published class", async () => {
  const t5 = await loadKosmosTokenizer(`${DATA}/t5`);
  const { results } = read("published.json");
  expect(results).toHaveLength(12);
  for (const { model_max_length: maxLength, target_text, ...expected } of results) {
    const { textTokens, labels, attentionMask } = publishedTokens(t5, target_text, { maxLength });
    expect({ text_tokens: textTokens, labels, attention_mask: attentionMask }).toEqual(expected);
  }
});

test("[tokenizer.kosmos-truncation] [tokenizer.kosmos-published] by default a text, two image tokens and 64 vectors have 2046 positions", async () => {
  const t5 = await loadKosmosTokenizer(`${DATA}/t5`);
  const { textTokens, attentionMask } = publishedTokens(t5, ["a ".repeat(3000)]);
  expect(attentionMask[0]).toHaveLength(2046);
  expect(textTokens[0]).toHaveLength(1982);
  expect(textTokens[0]?.at(-1)).toBe(1);
  const kosmos = await loadKosmosTokenizer(`${DATA}/kosmos`);
  const row = publishedTokens(kosmos, ["a ".repeat(90)], { maxLength: 8, features: 0 }).textTokens[0];
  expect(row).toHaveLength(10);
  expect([row?.[0], row?.at(-1)]).toEqual([0, 2]);
  const fast = await loadKosmosTokenizer(`${DATA}/t5-fast`);
  for (const one of [t5, kosmos, fast])
    for (const text of ["a picture", "", "a</s>"])
      expect(publishedTokens(one, [text]).labels[0]).toEqual(one.tokenizer.encode(text));
  expect(publishedTokens(t5, [])).toEqual({ textTokens: [], labels: [], attentionMask: [] });
  for (const maxLength of [1, 2.5, Number.NaN, 2 ** 25])
    expect(() => publishedTokens(t5, ["a"], { maxLength })).toThrow(/maxLength is/);
  expect(() => publishedTokens(t5, ["a"], { features: -1 })).toThrow(/features is/);
});

test("[tokenizer.kosmos-padding] the published padding row is </s> of T5's vocabulary, and <pad> of fairseq's", async () => {
  const t5 = await loadKosmosTokenizer(`${DATA}/t5`);
  const kosmos = await loadKosmosTokenizer(`${DATA}/kosmos`);
  expect(paddingWarning(t5, 1)).toMatch(/paddingId is 1, the id of "<\/s>".*give the id of <pad>, 0/);
  for (const id of [0, null]) expect(paddingWarning(t5, id)).toBe(null);
  expect(paddingWarning(kosmos, 1)).toBe(null);
  expect(paddingWarning(kosmos, 0)).toMatch(/"<s>"/);
  expect(paddingWarning(t5, 99_999)).toMatch(/no token/);
});

test("[sentencepiece.integers] an id of −1 in a model file means that there is no such token", async () => {
  // the exporter trains this model with bos_id=-1, pad_id=0, eos_id=1, unk_id=2
  const tokenizer = await loadTokenizer(`${DATA}/t5/spiece.model`);
  expect([tokenizer.bos, tokenizer.pad, tokenizer.eos, tokenizer.unk]).toEqual([null, 0, 1, 2]);
});

test("[sentencepiece.pieces-json] pieces and scores as JSON make the same tokenizer as the file", async () => {
  const { readModelFile } = await import("../../../src/io/tokenizers/sentencepiece/model-file.ts");
  const bytes = new Uint8Array(readFileSync(`${DATA}/t5/spiece.model`));
  const pieces = readModelFile(bytes, "spiece.model").model.pieces.map(({ text, score, type }) =>
    type === 1 ? [text, score] : [text, score, type],
  );
  const made = await loadKosmosTokenizer(folderOf([], { "pieces.json": JSON.stringify({ pieces }) }));
  expect(idDigests(texts.map((text) => made.tokenizer.encode(text)))).toEqual(given.results.t5.ids);
  const wrong = [
    { pieces, normaliser: "nfkc" },
    { pieces: [["a"]] },
    { pieces: [["a", "1"]] },
    { pieces: [["a", 1, 1, 1]] },
    { pieces: [[1, 1]] },
    { pieces: {} },
    {},
    { pieces, normalizer: "nfd" },
    { pieces, add_dummy_prefix: 1 },
  ];
  for (const json of wrong) {
    const folder = folderOf([], { "pieces.json": JSON.stringify(json) });
    await expect(loadTokenizer(folder)).rejects.toThrow(/\[sentencepiece\.pieces-json\]/);
  }
});
