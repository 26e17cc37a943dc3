// Which files make another model for `flamboyance evaluate`, of 69-evaluate.md. Folders have only what a digest reads.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { digestOfModel } from "../../../src/cli/evaluate/digests.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const folder = temporary();
const at = (name: string): string => join(folder, name);
function write(name: string, text: string): void {
  mkdirSync(dirname(at(name)), { recursive: true });
  writeFileSync(at(name), text);
}
const digest = (name: string): string | undefined => digestOfModel(at(name)).modelDigest;

beforeEach(() => {
  write("palm/flamingo-palm.json", '{"vision_encoder_path": "../eye"}');
  write("eye/config.json", "{}");
  write("flamingo/open-flamingo.json", '{"lang_encoder_path": "../tongue", "vision_encoder_path": "../eye"}');
  write("tongue/config.json", "{}");
  write("digits.safetensors", "weights");
});

const WEIGHTS = "model.safetensors pytorch_model.bin model.pt model.pth tokenizer.model".split(" ");
const SETTINGS = "config generation_config open_clip_config preprocessor_config kosmos".split(" ");
const TOKENIZER = "tokenizer tokenizer_config special_tokens_map added_tokens vocab pieces".split(" ");

test.each([
  ...WEIGHTS.map((name) => ["tongue", name, "tongue"]),
  ...[...SETTINGS, ...TOKENIZER, "model.safetensors.index"].map((name) => [
    "tongue",
    `${name}.json`,
    "tongue",
  ]),
  ...["merges.txt", "dict.txt", "vocab.txt"].map((name) => ["tongue", name, "tongue"]),
  ["a folder in it", "inner/config.json", "tongue"],
  ["the language model of an OpenFlamingo", "../tongue/config.json", "flamingo"],
  ["its image tower", "../eye/config.json", "flamingo"],
  ["the image tower of a FlamingoPaLM", "../eye/config.json", "palm"],
  ["a file of weights", "../digits.safetensors", "digits.safetensors"],
])("[runs.model] %s: a change of %s makes another model", (_, name, model) => {
  const before = digest(model);
  write(join(dirname(`${model}/x`), name), '{"other": 1}');
  expect(before).toMatch(/^[0-9a-f]{64}$/);
  expect(digest(model)).not.toBe(before);
});

test.each([
  ["palm/flamingo-palm.json", "palm", '{"vision_encoder_path": "../eye", "dim": 2}'],
  [
    "flamingo/open-flamingo.json",
    "flamingo",
    '{"lang_encoder_path": "../tongue", "vision_encoder_path": "../eye", "more": 2}',
  ],
])("[runs.model] a change of %s makes another model", (name, model, text) => {
  const before = digest(model);
  write(name, text);
  expect(digest(model)).not.toBe(before);
});

test("[runs.model] files that change places make another model; others make none", () => {
  write("two/vocab.json", "a");
  write("two/pieces.json", "b");
  const before = digest("two");
  for (const name of ["report.md", "results.jsonl", "pictures/0.png", "notes.json"])
    write(`two/${name}`, "x");
  expect(digest("two")).toBe(before);
  write("two/vocab.json", "b");
  write("two/pieces.json", "a");
  expect(digest("two")).not.toBe(before);
  write("old/vocab.json", "a");
  write("new/pieces.json", "a");
  expect(digest("old")).not.toBe(digest("new"));
  expect(digestOfModel(at("nothing"))).toEqual({});
});

test("[runs.model] every byte of a large file counts", () => {
  const size = 3 * 2 ** 20 + 5;
  const seen = [0, 2 ** 20, 2 * 2 ** 20 - 1, 2 * 2 ** 20, size - 1].map((place) => {
    const bytes = new Uint8Array(size);
    bytes[place] = 1;
    writeFileSync(at("large.safetensors"), bytes);
    return digest("large.safetensors");
  });
  expect(new Set(seen).size).toBe(5);
});
