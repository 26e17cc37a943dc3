// Rules of 75-loading.md for folders that transformers and torch wrote (golden/data/pretrained-folders, golden/data/SOURCES.md).
import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { loadSafetensors } from "../../src/io/safetensors/read.ts";
import { loadTorch } from "../../src/io/torch/read.ts";
import { decodingOf, noPadding, readTokens } from "../../src/models/language-model.ts";
import { OPTForCausalLM } from "../../src/models/language-models/opt.ts";
import { loadStateDict, stateDict } from "../../src/nn/state-dict.ts";
import { loadPretrained } from "../../src/pretrained/load-pretrained.ts";
import { valuesOf } from "../support/properties/programs.ts";
import { misfit } from "../support/properties/refusals.ts";

const HOME = "golden/data/pretrained-folders";
const FOLDERS = readdirSync(HOME).filter((name) => name !== "wrapped");

/** The dtype of the matrices, as the name of a folder has it; the others have float32. */
const dtypeOf = (name: string): string =>
  /bfloat16|neox-5/.test(name) ? "bfloat16" : /float16|llama-5/.test(name) ? "float16" : "float32";

test("every architecture is there, in one file and in shards, as safetensors and as .bin", () => {
  for (const model of ["llama", "opt", "gpt-neox", "gptj", "mpt"])
    expect(FOLDERS.filter((name) => name.startsWith(`${model}-`)).length).toBeGreaterThanOrEqual(3);
  for (const kind of ["sharded", "bin", "bin-sharded", "bfloat16", "5"])
    expect(FOLDERS.filter((name) => name.endsWith(`-${kind}`))).not.toEqual([]);
});

test.each(FOLDERS)("[pretrained.model] %s has the logits of transformers", async (name) => {
  const expected = loadSafetensors(`${HOME}/${name}/expected.safetensors`);
  const [ids, noise = 0] = [expected.int<"b l">("ids"), ...valuesOf(expected.tensor("noise"))];
  for (const lazy of [true, false]) {
    const { model, report, close } = await loadPretrained(`${HOME}/${name}`, { lazy });
    const length = ids.shape[1] ?? 0;
    const at = { ...decodingOf(noPadding(1, length), length), media: null, visibility: null };
    const got = valuesOf(model.logits(readTokens(model, ids, at, null).x));
    const wanted = valuesOf(expected.tensor("logits"));
    expect(got.length).toBe(wanted.length);
    const distance = wanted.reduce((most, x, i) => Math.max(most, Math.abs(x - (got[i] ?? NaN))), 0);
    expect(distance).toBeLessThanOrEqual(noise); // the distance of torch's float32 from its float64
    expect(new Set([...stateDict(model).values()].map((t) => t.dtype))).toEqual(new Set([dtypeOf(name)]));
    expect(report.problems.missing).toEqual([]);
    close();
  }
});

test.each([
  ["llama-old", ["*.rotary_emb.inv_freq"]],
  ["gpt-neox-old", ["*.attention.bias", "*.attention.masked_bias", "*.rotary_emb.inv_freq"]],
  ["gptj-old", ["*.attn.bias", "*.attn.masked_bias"]],
])("[pretrained.buffers] the buffers in %s", async (name, rules) => {
  const { report } = await loadPretrained(`${HOME}/${name}`);
  expect(report.ignored.map(({ rule, names }) => [rule, names.length])).toEqual(
    rules.map((rule) => [rule, 2]), // two layers
  );
});

test.each([
  ["opt-without-head", ["decoder.* -> model.decoder.*"]],
  [
    "mpt-without-head",
    ["wte.* -> transformer.wte.*", "blocks.* -> transformer.blocks.*", "norm_f.* -> transformer.norm_f.*"],
  ],
])("[pretrained.names] the names in %s", async (name, rules) => {
  const { report } = await loadPretrained(`${HOME}/${name}`);
  expect(report.renamed.map(({ rule }) => rule)).toEqual(rules);
});

const opt = () =>
  new OPTForCausalLM({
    vocabSize: 40,
    hiddenSize: 16,
    ffnDim: 24,
    numHiddenLayers: 2,
    numAttentionHeads: 4,
    maxPositionEmbeddings: 16,
    wordEmbedProjDim: 8,
    doLayerNormBefore: false,
  });

// `names`: a name of a layer, whose count of names is that of its 16 tensors times two layers, or all
test.each([
  ["data-parallel", { "module.": 37 }, 'begin with "module." (from DataParallel or DistributedDataParallel)'],
  ["compiled", { "_orig_mod.": 37 }, 'begin with "_orig_mod." (from torch.compile)'],
  ["compiled-data-parallel", { "module.": 37, "_orig_mod.": 37 }, 'begin with "module._orig_mod."'],
  [
    "checkpointed",
    { "_checkpoint_wrapped_module.": 32 },
    'contain "_checkpoint_wrapped_module." (from activation checkpointing)',
  ],
  [
    "fully-sharded",
    { "_fsdp_wrapped_module.": 36, "_checkpoint_wrapped_module.": 32 },
    "FullyShardedDataParallel",
  ],
])("[state.prefix] [state.strip] names of PyTorch's wrappers: %s", (name, parts, sentence) => {
  const file = loadTorch(`${HOME}/wrapped/${name}.pt`);
  expect(misfit(() => loadStateDict(opt(), file)).message).toContain(sentence);
  const [model, plain] = [opt(), opt()];
  const report = loadStateDict(model, file, { strip: true });
  loadStateDict(plain, loadTorch(`${HOME}/wrapped/plain.pt`));
  for (const [key, t] of stateDict(plain))
    expect(valuesOf(stateDict(model).get(key) ?? t), key).toEqual(valuesOf(t));
  expect(Object.fromEntries(report.stripped.map(({ rule, names }) => [rule, names.length]))).toEqual(parts);
  expect(stateDict(model).get("model.decoder.project_in.weight")?.dtype).toBe("bfloat16");
});
