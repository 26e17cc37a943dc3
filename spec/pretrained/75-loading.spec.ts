// The executable half of 75-loading.md.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openPretrained } from "../../src/io/huggingface/pretrained.ts";
import { saveSafetensors } from "../../src/io/safetensors/write.ts";
import { noPadding } from "../../src/models/language-model.ts";
import { GPTNeoXForCausalLM } from "../../src/models/language-models/gpt-neox.ts";
import { GPTJForCausalLM } from "../../src/models/language-models/gptj.ts";
import { OPTForCausalLM } from "../../src/models/language-models/opt.ts";
import { writerOf } from "../../src/models/writer.ts";
import { initialize, stateDict } from "../../src/nn/state-dict.ts";
import { type LoadedModel, loadPretrained, memoryPlan } from "../../src/pretrained/load-pretrained.ts";
import { type MemoryPlan, planOf } from "../../src/pretrained/memory-plan.ts";
import { buildModel, classFor } from "../../src/pretrained/model-classes.ts";
import { describeMemoryPlan } from "../../src/pretrained/plan-text.ts";
import type { ReadingProgress } from "../../src/pretrained/reading.ts";
import { ndArray } from "../../src/tensor/ops/elementwise.ts";
import { flat, int, type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { folders } from "../support/fixtures/temporary.ts";

const fresh = folders();

type Weights = ReadonlyMap<string, Tensor>;

/** A folder with a configuration, and weights in files of the given numbers of tensors. */
function folderOf(config: object, weights: Weights, perFile = Infinity): string {
  const folder = fresh();
  mkdirSync(folder);
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const all = [...weights];
  if (all.length <= perFile) {
    saveSafetensors(join(folder, "model.safetensors"), weights, { floats: "stored" });
    return folder;
  }
  const map: Record<string, string> = {};
  for (let at = 0; at < all.length; at += perFile) {
    const [name, part] = [`model-${at}.safetensors`, all.slice(at, at + perFile)];
    saveSafetensors(join(folder, name), new Map(part), { floats: "stored" });
    for (const [key] of part) map[key] = name;
  }
  writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
  return folder;
}

const GPTJ = {
  model_type: "gptj",
  vocab_size: 11,
  n_embd: 8,
  n_layer: 2,
  n_head: 2,
  rotary_dim: 4,
  n_positions: 7,
};
const gptj = initialize(
  new GPTJForCausalLM({ vocabSize: 11, nEmbd: 8, nLayer: 2, nHead: 2, rotaryDim: 4, nPositions: 7 }),
  3,
  { dtype: "bfloat16" },
);
const IDS = int("b l", [[3, 7, 1, 9]]);
const logitsOf = (writer: ReturnType<typeof writerOf>) => [
  ...flat(writer.step(IDS, noPadding(1, 4), null, {}).logits.data),
];

test.each([true, false])(
  "[pretrained.model] [pretrained.progress] the weights of shards, lazy: %s",
  async (lazy) => {
    const state = stateDict(gptj);
    const events: ReadingProgress[] = [];
    const folder = folderOf(GPTJ, state, 10);
    const loaded = await loadPretrained(folder, { lazy, progress: (event) => events.push(event) });
    expect(events.length).toBe(lazy ? 0 : state.size);
    expect(logitsOf(loaded.writer)).toEqual(logitsOf(writerOf(gptj)));
    expect(stateDict(loaded.model).get("lm_head.weight")?.dtype).toBe("bfloat16");
    expect(new Set(events.map(({ tensor: name }) => name))).toEqual(new Set(state.keys()));
    const bytes = [...state.values()].reduce((sum, t) => sum + 2 * t.size, 0);
    expect(events.at(-1)?.read).toEqual({ tensors: state.size, bytes });
    for (const { total } of events) expect(total).toEqual({ tensors: state.size, bytes });
    const last = events.filter(({ file }) => file === "model-10.safetensors").at(-1);
    expect([last?.readOfFile, last?.totalOfFile.tensors]).toEqual([last?.totalOfFile, 10]);
    loaded.close();
  },
);

test("[pretrained.plan] the numbers of the plan, before anything is read", async () => {
  const folder = folderOf(GPTJ, stateDict(gptj));
  const seen: string[] = [];
  const { plan } = await loadPretrained(folder, {
    lazy: false,
    context: 5,
    plan: () => seen.push("plan"),
    progress: () => seen.push("weight"),
  });
  expect([seen[0], seen.filter((one) => one === "plan").length]).toEqual(["plan", 1]);
  // 10 tensors a layer, the table, the last norm (2) and the head (2)
  const matrices = 2 * 11 * 8 + 2 * (4 * 64 + 2 * 8 * 32); // table and head; per layer q k v o and the feed-forward
  const vectors = 11 + 2 * 8 + 2 * (2 * 8 + 32 + 8); // the head's bias, norms, and the biases of the feed-forward
  expect(plan).toMatchObject({
    model: "GPTJForCausalLM",
    parameters: matrices + vectors,
    files: [{ name: "model.safetensors", tensors: 25, bytes: 2 * (matrices + vectors) }],
    dtypes: [{ dtype: "BF16", tensors: 25, values: matrices + vectors, bytes: 2 * (matrices + vectors) }],
    weights: 2 * matrices + 4 * vectors,
    largestWeight: 2 * 8 * 32,
    cache: { perToken: 4 * 2 * 2 * 8, context: 5, bytes: 5 * 4 * 2 * 2 * 8 }, // two layers, keys and values of width 8
    longest: 7,
    intermediates: { prompt: 5 },
  });
  expect(plan.total).toBe(plan.weights + plan.cache.bytes + plan.intermediates.bytes);
  expect(memoryPlan(folder).cache.context).toBe(7);
  await expect(
    loadPretrained(folder, {
      plan: () => {
        throw new Error("too large");
      },
    }),
  ).rejects.toThrow("too large");
  expect(describeMemoryPlan(plan)[0]).toBe(
    `${folder}: GPTJForCausalLM with ${plan.parameters.toLocaleString("en-US")} parameters`,
  );
});

// sizes of released models, with the files of a small one: verdicts by hand, against 3.25 GiB of weights in 4 GiB
test.each([
  ["holds", { n_embd: 1024, n_head: 2, n_layer: 24, n_positions: 2048 }], // 0.8 GiB in 16 bits
  ["streams", { n_embd: 4096, n_head: 16, n_layer: 28, n_positions: 2048 }], // GPT-J-6B: 11.3 GiB
  ["too large", { n_embd: 4096, n_head: 16, n_layer: 28, n_positions: 4400 }], // 896 KiB a token: 3.76 GiB, and the largest weight has 0.38
] as const)("[pretrained.verdict] the simd backend: %s", (verdict, sizes) => {
  const config = { ...GPTJ, vocab_size: 50_400, rotary_dim: 64, ...sizes };
  const pretrained = openPretrained(folderOf(GPTJ, stateDict(gptj)));
  const one = classFor(config, "config.json");
  const plan = planOf(one, buildModel(one, config, "config.json"), pretrained, {
    context: sizes.n_positions,
  });
  const [budget, memory] = [3.25 * 2 ** 30, 2 ** 32];
  const besides = plan.cache.bytes + plan.intermediates.bytes;
  const streamed = Math.min(budget, memory - besides - 2 * 50_400 * 4096); // the largest weight is the table
  const held = { holds: plan.weights, streams: streamed, "too large": 0 }[verdict];
  expect(plan.simd).toEqual({ budget, memory, held, verdict });
  expect(plan.cache.perToken).toBe(4 * 2 * sizes.n_layer * sizes.n_embd);
  const [last = ""] = describeMemoryPlan(plan).slice(-1);
  expect(last).toContain(
    {
      holds: "holds all weights; its budget for them is 3.25 GiB",
      streams: "GiB of the weights, and reads the others from the files",
      "too large": "is too small",
    }[verdict],
  );
});

test("[pretrained.plan] a further layer adds its keys and values to the intermediates, and no others", () => {
  const intermediates = (layers: number) => {
    const config = { ...GPTJ, n_layer: layers };
    const one = classFor(config, "config.json");
    const pretrained = openPretrained(folderOf(GPTJ, stateDict(gptj)));
    return planOf(one, buildModel(one, config, "config.json"), pretrained).intermediates.bytes;
  };
  expect(intermediates(5) - intermediates(3)).toBe(4 * 2 * (2 * 8 * 7)); // two layers, a prompt of 7 tokens, width 8
});

test("[pretrained.plan] the longest text under another name, and a context beyond it", () => {
  const { n_positions: longest, ...rest } = GPTJ;
  const folder = folderOf({ ...rest, max_position_embeddings: longest }, stateDict(gptj));
  expect([memoryPlan(folder).longest, memoryPlan(folder).cache.context]).toEqual([7, 7]);
  expect(memoryPlan(folder, { context: 9 })).toMatchObject({
    cache: { context: 9 },
    intermediates: { prompt: 7 },
  });
  const bare = folderOf({ ...rest }, stateDict(gptj));
  expect(memoryPlan(bare)).toMatchObject({ longest: 2048, intermediates: { prompt: 512 } });
});

test("[pretrained.plan] several texts at once", () => {
  const folder = folderOf(GPTJ, stateDict(gptj));
  const [one, three] = [1, 3].map((texts) => memoryPlan(folder, { texts, context: 5, prompt: 4 }));
  expect(three?.cache.bytes).toBe(3 * 5 * 4 * 2 * 2 * 8);
  expect(three?.intermediates.bytes).toBeGreaterThan(2 * (one?.intermediates.bytes ?? 0));
  expect(describeMemoryPlan(three as MemoryPlan).join("\n")).toContain("for 5 tokens of each of 3 texts");
});

describe("another dtype", () => {
  /** float16 has this number; bfloat16 rounds it. */
  const value = 1 + 2 ** -8;
  const first = (loaded: LoadedModel) => stateDict(loaded.model).get("transformer.wte.weight");
  const changed = (x: number): string => {
    const state = new Map(stateDict(gptj));
    state.set("transformer.wte.weight", tensor("n d", [11, 8], new Float32Array(88).fill(x)));
    return folderOf(GPTJ, state);
  };

  test.each([
    ["float64", value, true],
    ["float32", value, true],
    ["bfloat16", 1, true], // halfway between 1 and 1 + 2⁻⁷: to even
    ["bfloat16", 1, false],
    ["float16", value, true],
  ] as const)("[pretrained.dtype] weights are rounded to %s", async (dtype, rounded, lazy) => {
    const loaded = await loadPretrained(changed(value), { dtype, lazy });
    const table = first(loaded);
    expect([table?.dtype, table && ndArray(table.data).get(3, 2)]).toEqual([dtype, rounded]);
    const [one] = [...stateDict(loaded.model).values()].filter((t) => t.dtype !== dtype);
    expect(one).toBeUndefined();
    expect(loaded.plan.largestWeight).toBe(dtype.endsWith("16") ? 2 * 256 : 4 * 256);
    loaded.close();
  });

  test("[pretrained.dtype] a value that is too large is refused by its name", async () => {
    const loaded = await loadPretrained(changed(1e5), { dtype: "float16" });
    expect(() => first(loaded)?.data).toThrow(
      'weight "transformer.wte.weight" has the value 100000, too large for float16; choose another dtype',
    );
  });
});

test("[pretrained.verdict] the simd backend holds a small model", () => {
  expect(memoryPlan(folderOf(GPTJ, stateDict(gptj))).simd.verdict).toBe("holds");
});

test("[pretrained.signal] an aborted signal ends the loading with its reason", async () => {
  const folder = folderOf(GPTJ, stateDict(gptj));
  await expect(loadPretrained(folder, { signal: AbortSignal.abort(new Error("stop")) })).rejects.toThrow(
    "stop",
  );
  const controller = new AbortController();
  let read = 0;
  const loading = loadPretrained(folder, {
    lazy: false,
    signal: controller.signal,
    progress: () => {
      if (++read === 3) controller.abort(new Error("enough"));
    },
  });
  await expect(loading).rejects.toThrow("enough");
  expect(read).toBe(3);
  const late = new AbortController();
  const lazily = loadPretrained(folder, { signal: late.signal });
  late.abort(new Error("late"));
  await expect(lazily).rejects.toThrow("late");
});

test("[pretrained.buffers] buffers of old checkpoints are left out, and named", async () => {
  const old = new Map<string, Tensor>([
    ...stateDict(gptj),
    ["transformer.h.1.attn.masked_bias", tensor("n", [-1e9])],
  ]);
  const { report } = await loadPretrained(folderOf(GPTJ, old));
  expect(report.ignored).toEqual([
    { rule: "*.attn.masked_bias", names: ["transformer.h.1.attn.masked_bias"] },
  ]);
});

test("[pretrained.names] the head of transformers 5, and weights without the prefix of the head's class", async () => {
  const sizes = { vocab_size: 11, hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2 };
  const camel = { vocabSize: 11, hiddenSize: 8, numHiddenLayers: 1, numAttentionHeads: 2 };
  const neox = initialize(new GPTNeoXForCausalLM({ ...camel, intermediateSize: 12, rotaryPct: 0.5 }), 3);
  const five = new Map([...stateDict(neox)].map(([name, t]) => [name.replace("embed_out", "lm_head"), t]));
  const config = { model_type: "gpt_neox", ...sizes, intermediate_size: 12, rotary_pct: 0.5 };
  const { writer, report } = await loadPretrained(folderOf(config, five));
  expect(logitsOf(writer)).toEqual(logitsOf(writerOf(neox)));
  expect(report.renamed).toEqual([{ rule: "lm_head.weight -> embed_out.weight", names: ["lm_head.weight"] }]);
  const opt = initialize(new OPTForCausalLM({ ...camel, ffnDim: 12 }), 3);
  const bare = [...stateDict(opt)].flatMap(([name, t]) =>
    name === "lm_head.weight" ? [] : [[name.slice("model.".length), t] as const],
  );
  const other = await loadPretrained(
    folderOf({ model_type: "opt", ...sizes, ffn_dim: 12, word_embed_proj_dim: 8 }, new Map(bare)),
  );
  expect(logitsOf(other.writer)).toEqual(logitsOf(writerOf(opt)));
});
