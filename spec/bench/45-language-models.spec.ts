// Tests of docs/benchmarks/language-models: the page of given results, by hand, and a run on a tiny model.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { saveSafetensors } from "../../src/io/safetensors/write.ts";
import { LlamaForCausalLM } from "../../src/models/language-models/llama.ts";
import { initialize, stateDict } from "../../src/nn/state-dict.ts";
import { temporary } from "../support/fixtures/temporary.ts";

const workspace = temporary();
const compare = (...args: string[]) => {
  const script = ["docs/benchmarks/language-models/run.mjs", ...args];
  const { status, stderr } = spawnSync(process.execPath, script, { encoding: "utf8" });
  return { status, stderr };
};

/** Times of a round: prefill and its processor time, a token and its processor time. */
const round = (prefillSeconds: number, prefillProcessorSeconds: number, tokenSeconds: number) => ({
  prefillSeconds,
  prefillProcessorSeconds,
  tokenSeconds,
  tokenProcessorSeconds: tokenSeconds,
});

/** Two backends, and three rounds that are slower as a whole: the ratios of prefill stay. */
const results = {
  node: "v20.0.0",
  cpu: "a processor",
  cores: 2,
  quick: false,
  model: "tiny_model",
  tokens: 16,
  steps: 4,
  operations: 4e9,
  bytes: 2 ** 21,
  backends: [
    { name: "reference", threads: 1 },
    { name: "simd", threads: 2 },
  ],
  rounds: [
    { slow: 1, token: 0.04 },
    { slow: 2, token: 0.05 },
    { slow: 4, token: 0.06 },
  ].map(({ slow, token }) => ({
    machine: { peak: 2e9 / slow, bandwidth: { 1: 2 ** 31 / slow, 2: 2 ** 32 / slow } },
    times: [round(12 * slow, 10 * slow, token * slow), round(4 * slow, 5 * slow, 0.02 * slow)],
  })),
};

test("times are medians, ratios those of the rounds, with their spread, and the limits are of the backend's threads", () => {
  const out = join(workspace, "page");
  mkdirSync(out);
  writeFileSync(join(out, "results.json"), JSON.stringify(results));
  const { status, stderr } = compare("--page", "--out", out);
  expect(status).toBe(0);
  // Only the token of the reference varies: 2, 2.5 and 3 times that of simd, so by (3 − 2) / 2.5 of the median; and so do the ratios of its
  // processor time and to its limit, 2 MiB at 2 GiB/s.
  expect(stderr).toContain("3 ratios vary by more than 10 %");
  const page = readFileSync(join(out, "README.md"), "utf8");
  expect(page).toContain("a processor, 2 cores; Node v20.0.0; tiny\\_model; 3 rounds.");
  expect(page).toContain("Ratios behind ≈ vary by more than 10 % between the rounds");
  // 4 × 10⁹ operations at 10⁹ a second and thread in the second round
  expect(page).toContain(
    [
      "| reference, 1 thread | 24.00 s | 3.00 × (0 %) | 2.00 × (0 %) | 4.00 s | 6.00 × (0 %) |",
      "| simd, 2 threads | 8.00 s | 1 × | 1 × | 2.00 s | 4.00 × (0 %) |",
    ].join("\n"),
  );
  expect(page).toContain("A step reads 2 MiB.");
  expect(page).toContain(
    [
      "| reference, 1 thread | 100 ms | ≈ 2.50 × (40 %) | ≈ 2.50 × (40 %) | 2 ms | ≈ 51 × (40 %) |",
      "| simd, 2 threads | 40 ms | 1 × | 1 × | 1 ms | 41 × (0 %) |",
    ].join("\n"),
  );
});

test("without results the page says so, and wrong options are refused before anything is measured", () => {
  const out = join(workspace, "none");
  expect(compare("--page", "--out", out).status).toBe(0);
  expect(readFileSync(join(out, "README.md"), "utf8")).toMatch(/\nThere are no results yet\.\n$/);
  expect(compare("--rounds", "0").stderr).toMatch(/^--rounds is a whole number from 1 up, not "0"\n/);
  const missing = compare("--model", join(workspace, "nowhere"));
  expect([missing.status, missing.stderr]).toEqual([3, expect.stringContaining("has no config.json")]);
});

test("every backend is measured in one process, in another order in each round", () => {
  const [folder, out] = [join(workspace, "model"), join(workspace, "run")];
  mkdirSync(folder);
  const sizes = {
    vocabSize: 50,
    hiddenSize: 16,
    intermediateSize: 24,
    numHiddenLayers: 2,
    numAttentionHeads: 4,
  };
  const model = initialize(
    new LlamaForCausalLM({ ...sizes, numKeyValueHeads: 2, tieWordEmbeddings: true }),
    3,
  );
  const names = { vocab_size: 50, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 2 };
  const heads = { num_attention_heads: 4, num_key_value_heads: 2, tie_word_embeddings: true };
  writeFileSync(join(folder, "config.json"), JSON.stringify({ model_type: "llama", ...names, ...heads }));
  const tensors = new Map([...stateDict(model)].filter(([name]) => name !== "lm_head.weight"));
  saveSafetensors(join(folder, "model.safetensors"), tensors, { floats: "F32" });
  const sized = ["--tokens", "3", "--steps", "2", "--rounds", "2", "--quick"];
  const { status, stderr } = compare("--model", folder, ...sized, "--out", out);
  expect([status, stderr.match(/^round 1, reference, 1: [\d.]+ s, then [\d.]+ tokens\/s$/m)]).toEqual([
    0,
    expect.anything(),
  ]);
  const firsts = [0, 1, 2].map((i) => stderr.match(new RegExp(`^round ${i}, (\\w+)`, "m"))?.[1]);
  expect(firsts).toEqual(["reference", "gpu", "simd"]);
  const { rounds, backends, operations, bytes } = JSON.parse(readFileSync(join(out, "results.json"), "utf8"));
  expect(backends.map(({ name }: { name: string }) => name).slice(0, 3)).toEqual([
    "reference",
    "gpu.js webasm",
    "simd",
  ]);
  expect(rounds.map(({ times }: { times: object[] }) => times.length)).toEqual([
    backends.length,
    backends.length,
  ]);
  // Products of a layer with 3 tokens, of the output layer with one; weights of the layers, norms and output layer, one row of the
  // embeddings, which is tied, and 2 layers of keys and values of 5 tokens, all of four bytes.
  const layer = 2 * 16 * 16 + 2 * 16 * 8 + 3 * 16 * 24;
  expect(operations).toBe(2 * (3 * 2 * layer + 50 * 16));
  expect(bytes).toBe(4 * (2 * (layer + 2 * 16) + 16 + 50 * 16 + 2 * 2 * 5 * 8));
  const page = readFileSync(join(out, "README.md"), "utf8");
  expect(page).toContain("**A quick run: its numbers are not meaningful.**");
  expect(page).toMatch(/\| gpu\.js webasm, \d+ threads? \| \d+/);
}, 120_000);
