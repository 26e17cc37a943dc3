import { copyFileSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openPretrained } from "../../../src/io/huggingface/pretrained.ts";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import { saveSafetensors } from "../../../src/io/safetensors/write.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import { flat, tensor } from "../../../src/tensor/tensor.ts";
import { tensorPickle, torchFile } from "../../support/fixtures/files/archives.ts";
import { expectSameTensors } from "../../support/fixtures/files/same-tensors.ts";
import { folders } from "../../support/fixtures/temporary.ts";
import { expectLoadError } from "../../support/properties/refusals.ts";

const fresh = folders();

type Files = Readonly<Record<string, unknown>>;

/** Names of tensors with one value each, as a safetensors file. */
const weights = (...names: string[]) => new Map(names.map((name, i) => [name, tensor("n", [i + 0.5])]));

/** A folder with these files: maps as safetensors, bytes as they are, texts, and anything else as JSON. */
function folderOf(files: Files): string {
  const folder = fresh();
  mkdirSync(folder);
  for (const [name, content] of Object.entries({ "config.json": { model_type: "llama" }, ...files })) {
    const path = join(folder, name);
    if (content instanceof Map) saveSafetensors(path, content, { floats: "F32" });
    else if (content instanceof Uint8Array || typeof content === "string") writeFileSync(path, content);
    else if (content !== null) writeFileSync(path, JSON.stringify(content));
  }
  return folder;
}

const refused = (files: Files, rule: string, sentence: string): void =>
  expectLoadError(() => openPretrained(folderOf(files)), rule, sentence);

const index = (map: unknown) => ({ metadata: { total_size: 8 }, weight_map: map });
const [A, B] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];

test("[pretrained.weights] one file of weights, in the order of transformers", () => {
  const one = folderOf({
    "model.safetensors": weights("x"),
    "pytorch_model.bin": "not read",
    "generation_config.json": { eos_token_id: 2 },
  });
  const file = openPretrained(one);
  expect([file.keys, file.files, file.config.model_type, file.generationConfig?.eos_token_id]).toEqual([
    ["x"],
    ["model.safetensors"],
    "llama",
    2,
  ]);
  expect(ndArray(file.tensor("x").data).get(0)).toBe(0.5);
  file.close();
  const both = folderOf({ "model.safetensors": weights("x"), "model.safetensors.index.json": "not read" });
  expect(openPretrained(both).files).toEqual(["model.safetensors"]);
  const bin = folderOf({ "pytorch_model.bin": torchFile() });
  const read = openPretrained(bin);
  expect([read.keys, read.generationConfig, Array.from(flat(read.tensor("x").data))]).toEqual([
    ["x"],
    null,
    [0, 1, 2, 3, 4, 5],
  ]);
  refused({}, "pretrained.weights", "there is none of model.safetensors, model.safetensors.index.json");
  refused(
    { "tf_model.h5": "x", "flax_model.msgpack": "x" },
    "pretrained.weights",
    "tf_model.h5 and flax_model.msgpack cannot be read",
  );
  const [half, part] = ["model.fp16.safetensors", "consolidated.00.pth"];
  refused(
    { [half]: "x", "model.onnx": "x" },
    "pretrained.weights",
    "model.onnx cannot be read; open model.fp16.safetensors by itself, with loadSafetensors",
  );
  refused({ [part]: "x" }, "pretrained.weights", "open consolidated.00.pth by itself, with loadTorch");
});

test("[pretrained.shards] several files with an index are one", () => {
  const map = { "layers.0.w": A, "layers.1.w": B, "head.w": A };
  const folder = folderOf({
    [A]: weights("layers.0.w", "head.w"),
    [B]: weights("layers.1.w"),
    "model.safetensors.index.json": index(map),
  });
  const file = openPretrained(folder);
  expect([file.keys.sort(), file.files]).toEqual([Object.keys(map).sort(), [A, B]]);
  expect(ndArray(file.tensor("head.w").data).get(0)).toBe(1.5);
  expectSameTensors(file, loadSafetensors(join(folder, B)));
  expect(() => file.tensor("head.x")).toThrow('there is no tensor "head.x"; it has 3');
  const bins = folderOf({
    "pytorch_model-00001-of-00001.bin": torchFile(tensorPickle()),
    "pytorch_model.bin.index.json": index({ x: "pytorch_model-00001-of-00001.bin" }),
  });
  expect(openPretrained(bins).info("x")).toEqual({ dtype: "F32", shape: [2, 3] });
});

test("[pretrained.shards] what is missing, or in another file than the index says, is named", () => {
  const name = "model.safetensors.index.json";
  refused(
    { [A]: weights("a"), [name]: index({ a: A, b: B }) },
    "pretrained.shards",
    `1 of 2 files are missing: "${B}"; download them`,
  );
  refused(
    { [A]: weights("a"), [name]: index({ a: A, b: A, c: A }) },
    "pretrained.shards",
    `${A}: lacks "b", "c", which the index places in it`,
  );
  refused(
    { [A]: weights("a", "z"), [name]: index({ a: A }) },
    "pretrained.shards",
    `holds "z", and the index places "z" nowhere`,
  );
  const twice = { [A]: weights("a", "b"), [B]: weights("b"), [name]: index({ a: A, b: B }) };
  refused(twice, "pretrained.shards", `${A}: holds "b", and the index places "b" in "${B}"`);
});

test("[pretrained.index] an index without a map from names to files is refused", () => {
  const cases: readonly (readonly [map: unknown, sentence: string])[] = [
    [undefined, 'has no object "weight_map"'],
    [[A], 'has no object "weight_map"'],
    [{}, "lists no tensor"],
    [{ a: 1 }, 'tensor "a" has no file'],
  ];
  for (const [map, sentence] of cases)
    refused({ "model.safetensors.index.json": index(map) }, "pretrained.index", sentence);
});

test("[pretrained.paths] files outside of the folder are not opened, links are followed", () => {
  const outside = fresh();
  mkdirSync(outside);
  saveSafetensors(join(outside, "w.safetensors"), weights("a"));
  for (const path of [
    "../w.safetensors",
    join(outside, "w.safetensors"),
    "..",
    ".",
    "",
    "sub/w.safetensors",
    "..\\w",
    "a\0b",
  ])
    refused(
      { "model.safetensors.index.json": index({ a: path }) },
      "pretrained.paths",
      "is no name of a file in the folder",
    );
  const folder = folderOf({ "model.safetensors.index.json": index({ a: A }) });
  symlinkSync(join(outside, "w.safetensors"), join(folder, A));
  expect(openPretrained(folder).keys).toEqual(["a"]);
});

test("[pretrained.config] [io.other-format] the configuration is an object of JSON", () => {
  refused({ "config.json": null }, "pretrained.config", "there is no config.json");
  refused({ "config.json": "{" }, "pretrained.config", "config.json is not JSON");
  // Python's json.dumps writes these
  for (const [text, constant] of [
    ['{"a": Infinity}', "Infinity"],
    ['{"NaN": "Infinity \\" NaN", "b": -Infinity}', "-Infinity"],
    ['{"a": [1, NaN]}', "NaN"],
  ])
    refused(
      { "config.json": text },
      "pretrained.config",
      `config.json is not JSON: it has ${constant}, which Python writes; put a number or null in its place`,
    );
  refused(
    { "config.json": '{"a": "NaN}' },
    "pretrained.config",
    "config.json is not JSON; write the file again",
  );
  refused({ "config.json": '{"a":1,"a":2}' }, "pretrained.config", "has a key twice");
  refused(
    { "config.json": `{"a":${"[".repeat(100)}${"]".repeat(100)}}` },
    "pretrained.config",
    "nested more than 64 levels deep",
  );
  refused(
    { "config.json": `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\n` },
    "io.other-format",
    "config.json: this is a Git LFS pointer",
  );
  const hostile = openPretrained(
    folderOf({ "config.json": '{"__proto__":{"x":1}}', "model.safetensors": weights("x") }),
  );
  expect(hostile.config.x).toBeUndefined();
  expect(Object.keys(hostile.config)).toEqual(["__proto__"]);
});

test("[pretrained.config] a configuration of more than 100 MB is refused unread", () => {
  const folder = folderOf({});
  truncateSync(join(folder, "config.json"), 100_000_001); // zeros that take no room
  expect(() => openPretrained(folder)).toThrow(
    "config.json: has 100000001 bytes, more than the limit of 100000000",
  );
});

test("[io.file-errors] a path that is no folder is an error that says what it is", () => {
  const folder = folderOf({ "model.safetensors": weights("x") });
  copyFileSync(join(folder, "config.json"), join(folder, "x"));
  expect(() => openPretrained(join(folder, "x"))).toThrow("it is a file; name the folder that it is in");
  expect(() => openPretrained(join(folder, "none"))).toThrow("it does not exist");
});
