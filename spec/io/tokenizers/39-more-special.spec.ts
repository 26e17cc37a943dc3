// Special tokens beside those of a folder: rule tokenizer.more-special of 39-tokenizers.md. Expected ids and texts are those of
// add_special_tokens in transformers 4.57.6, on the folders' tokenizers without the two tokens.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadTokenizer } from "../../../src/io/tokenizers/load.ts";
import { folders } from "../../support/fixtures/temporary.ts";
import { refusalOf } from "../../support/properties/refusals.ts";

const fresh = folders();
const NEW = ["<|endofchunk|>", "<image>"] as const;
const PAD = "<PAD>";
const TEXTS = ["<image> An<|endofchunk|> x", "<image>Output:two dogs<|endofchunk|><PAD><image>"] as const;
const RELEASED: Readonly<Record<string, Released>> = {
  gpt2: {
    size: 909,
    tokens: [906, 907, 908],
    ids: [
      [907, 532, 77, 906, 220, 87],
      [907, 528, 25, 83, 86, 78, 673, 70, 82, 906, 908, 907],
    ],
    last: [907, 906],
    text: "<image> An<|endofchunk|> x",
    short: " An x",
  },
  llama: {
    size: 908,
    tokens: [905, 906, 907],
    ids: [
      [1, 906, 353, 292, 335, 905, 353, 345],
      [1, 906, 477, 541, 285, 341, 344, 336, 807, 328, 340, 905, 907, 906],
    ],
    last: [906, 905],
    text: "<s><image>  An<|endofchunk|>  x",
    short: " An  x",
  },
  metaspace: {
    size: 508,
    tokens: [505, 506, 507],
    ids: [
      [506, 89, 505, 62],
      [506, 275, 27, 58, 61, 53, 470, 45, 57, 505, 507, 506],
    ],
    last: [506, 505],
    text: "<image>an<|endofchunk|>x",
    short: "anx",
  },
  unigram: {
    size: 608,
    tokens: [605, 606, 607],
    ids: [
      [606, 3, 68, 21, 605, 3, 82, 1],
      [606, 3, 185, 10, 11, 133, 26, 3, 15, 26, 52, 7, 605, 607, 606, 1],
    ],
    last: [1, 1],
    text: "<image> An<|endofchunk|> x</s>",
    short: "An x",
  },
  digits: {
    size: 610,
    tokens: [607, 608, 609],
    ids: [
      [608, 532, 77, 607, 220, 87],
      [608, 528, 25, 83, 86, 78, 220, 543, 70, 82, 607, 609, 608],
    ],
    last: [608, 607],
    text: "<image> An<|endofchunk|> x",
    short: " An x",
  },
};

interface Released {
  readonly size: number;
  readonly tokens: readonly number[];
  readonly ids: readonly (readonly number[])[];
  readonly last: readonly number[];
  readonly text: string;
  readonly short: string;
}
interface Added {
  readonly id: number;
  readonly content: string;
}

/** A folder's tokenizer without the two tokens; the ids of those that were added later move up. */
function folderWithout(name: string, config: object | null = null): string {
  const json = JSON.parse(readFileSync(`golden/data/tokenizers/${name}/tokenizer.json`, "utf8"));
  const all: readonly Added[] = json.added_tokens;
  const isNew = ({ content }: Added) => NEW.some((token) => token === content);
  const first = Math.min(...all.filter(isNew).map(({ id }) => id));
  json.added_tokens = all
    .filter((token) => !isNew(token))
    .map((token) => ({ ...token, id: token.id - (token.id > first ? 2 : 0) }));
  const folder = fresh();
  mkdirSync(folder);
  writeFileSync(`${folder}/tokenizer.json`, JSON.stringify(json));
  if (config) writeFileSync(`${folder}/tokenizer_config.json`, JSON.stringify(config));
  return folder;
}

test.each(Object.keys(RELEASED))(
  "[tokenizer.more-special] %s: new tokens follow the largest id, and are cut out of a text before all else",
  async (name) => {
    const released = RELEASED[name];
    const tokenizer = await loadTokenizer(folderWithout(name), { special: NEW, pad: PAD });
    expect(tokenizer.size).toBe(released?.size);
    expect([...NEW, PAD].map((token) => tokenizer.tokenToId(token))).toEqual(released?.tokens);
    expect(tokenizer.pad).toBe(tokenizer.tokenToId(PAD));
    const ids = TEXTS.map((text) => tokenizer.encode(text));
    expect(ids).toEqual(released?.ids);
    expect(tokenizer.decode(ids[0] ?? [])).toBe(released?.text);
    expect(tokenizer.decode(ids[0] ?? [], { skipSpecial: true })).toBe(released?.short);
  },
);

test("[tokenizer.more-special] a token that the vocabulary has keeps its id, and a folder's padding token stays", async () => {
  const known = await loadTokenizer("golden/data/tokenizers/gpt2", { special: NEW, pad: PAD });
  const before = await loadTokenizer("golden/data/tokenizers/gpt2");
  expect(NEW.map((token) => known.tokenToId(token))).toEqual(NEW.map((token) => before.tokenToId(token)));
  expect(known.size).toBe(before.size + 1);
  const padded = await loadTokenizer(folderWithout("gpt2", { pad_token: "<|endoftext|>" }), {
    special: NEW,
    pad: PAD,
  });
  expect(padded.pad).toBe(padded.tokenToId("<|endoftext|>"));
  expect(padded.tokenToId(PAD)).toBe(null);
  const both = await loadTokenizer(folderWithout("gpt2"), { special: [PAD], pad: PAD });
  expect(both.pad).toBe(both.tokenToId(PAD));
});

test("[tokenizer.more-special] a model of SentencePiece gets the text between its special tokens, each part with its own prefix", async () => {
  const path = "golden/data/tokenizers/bpe.model";
  const plain = await loadTokenizer(path);
  const tokenizer = await loadTokenizer(path, { special: NEW, pad: PAD });
  const [eoc, image] = [plain.size, plain.tokenToId("<image>") ?? -1]; // this model has <image> already
  expect([...NEW, PAD].map((token) => tokenizer.tokenToId(token))).toEqual([eoc, image, plain.size + 1]);
  expect(tokenizer.size).toBe(plain.size + 2);
  expect(tokenizer.pad).toBe(plain.size + 1);
  const [an, x] = [plain.encode(" An"), plain.encode(" x")];
  const ids = [image, ...an, eoc, ...x];
  expect(tokenizer.encode(TEXTS[0])).toEqual(ids);
  expect(tokenizer.decode(ids)).toBe(`<image>${plain.decode(an)}<|endofchunk|>${plain.decode(x)}`);
  expect(tokenizer.decode(ids, { skipSpecial: true })).toBe(`${plain.decode(an)}${plain.decode(x)}`);
  expect(tokenizer.idToToken(image)).toBe("<image>");
});

test("[tokenizer.more-special] tokens that are none are refused", async () => {
  const path = "golden/data/tokenizers/gpt2";
  for (const options of [{ special: [""] }, { special: ["a", "a"] }, { pad: "" }])
    expect((await refusalOf(() => loadTokenizer(path, options))).rule).toBe("tokenizer.more-special");
});
