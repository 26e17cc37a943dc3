// The executable half of 55-gpt-neox.md. The loops are those of support/oracles/gpt-neox.ts.

import { expect, test } from "vitest";
import { languageModel } from "../../../src/conformance/sources/transformers.ts";
import { decodingOf, noPadding, readTokens } from "../../../src/models/language-model.ts";
import {
  GPT_NEOX_5_NAMES,
  GPTNeoXForCausalLM,
  type GPTNeoXOptions,
} from "../../../src/models/language-models/gpt-neox.ts";
import { loadStateDict, stateDict, ties } from "../../../src/nn/state-dict.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import { Int, sizeOf, type Tensor } from "../../../src/tensor/tensor.ts";
import { gptNeoXLogits } from "../../support/oracles/language-models/gpt-neox.ts";
import { gelu, rotate, silu } from "../../support/oracles/layers.ts";
import { expectNear, forAll, from, seeds, weighted, weightsOf } from "../../support/oracles/modules.ts";
import { releasedModels } from "../../support/oracles/released-state.ts";
import { firstCache } from "../../support/properties/caches.ts";
import { expectClose, replayEqualsEager, valuesOf } from "../../support/properties/programs.ts";
import { refusal } from "../../support/properties/refusals.ts";

const small: GPTNeoXOptions = {
  vocabSize: 7,
  hiddenSize: 8,
  intermediateSize: 6,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  rotaryPct: 0.5,
};
const ids = [3, 1, 6, 6, 0, 2];

function logits(model: GPTNeoXForCausalLM, rows: readonly (readonly number[])[]): Tensor<"b l n"> {
  const [b, l] = [rows.length, rows[0]?.length ?? 0];
  const at = { ...decodingOf(noPadding(b, l), l), media: null, visibility: null };
  return model.logits(readTokens(model, new Int([b, l], Int32Array.from(rows.flat())), at, null).x);
}

const acts = { gelu, silu, relu: (x: number) => Math.max(0, x) } as const;
const actNames = Object.keys(acts) as readonly (keyof typeof acts)[];

const sizes = {
  l: from(1, 6),
  heads: from(1, 3),
  half: from(1, 3),
  rest: from(0, 3),
  inner: from(1, 6),
  depth: from(0, 2),
  parallel: from(0, 1),
  bias: from(0, 1),
  tied: from(0, 1),
  act: from(0, 2),
  scaled: from(0, 1),
  seed: seeds,
};

test("[neox.layer] [neox.residual] [neox.interleaved] [neox.rotary] [neox.rotary-scaling] [neox.feed-forward] the model equals the loop, for any sizes", () => {
  forAll(sizes, ({ l, heads, half, rest, inner, depth, parallel, bias, tied, act, scaled, seed }) => {
    const [width, base, epsilon] = [2 * half + rest, 50, 0.01];
    const hiddenAct = actNames[act] ?? "gelu";
    const model = weighted(
      new GPTNeoXForCausalLM({
        vocabSize: 7,
        hiddenSize: heads * width,
        intermediateSize: inner,
        numHiddenLayers: depth,
        numAttentionHeads: heads,
        rotaryPct: (2 * half + 0.5) / width > 1 ? 1 : (2 * half + 0.5) / width,
        rotaryPrecision: "float64",
        rotaryEmbBase: base,
        ropeScaling: scaled === 1 ? { ropeType: "linear", factor: 2.5 } : null,
        layerNormEps: epsilon,
        hiddenAct,
        useParallelResidual: parallel === 1,
        attentionBias: bias === 1,
        tieWordEmbeddings: tied === 1,
      }),
      seed,
    );
    const shape = {
      layers: depth,
      heads,
      rotated: 2 * half,
      base,
      slower: scaled === 1 ? 2.5 : 1,
      epsilon,
      parallel: parallel === 1,
      act: acts[hiddenAct],
    };
    const rows = [ids.slice(0, l), [...ids].reverse().slice(0, l)];
    expectNear(
      logits(model, rows),
      rows.map((row) => gptNeoXLogits(weightsOf(model), row, shape)),
    );
  });
});

test("[neox.epsilon] [neox.rotary] [neox.rotary-scaling] [neox.feed-forward] [neox.residual] the defaults are transformers' ones", () => {
  const model = weighted(
    new GPTNeoXForCausalLM({
      vocabSize: 7,
      hiddenSize: 16,
      intermediateSize: 6,
      numHiddenLayers: 2,
      numAttentionHeads: 1,
      rotaryPrecision: "float64",
    }),
    3,
  );
  // Embeddings so small that ε counts in the first norm.
  const table = model.gpt_neox.embed_in.weight;
  for (let i = 0; i < table.size; i++)
    ndArray(table.data).set(
      Math.floor(i / 16),
      i % 16,
      ndArray(table.data).get(Math.floor(i / 16), i % 16) * 1e-3,
    );
  const [layers, heads, rotated, base] = [2, 1, 4, 10_000];
  const shape = { layers, heads, rotated, base, slower: 1, epsilon: 1e-5, parallel: true, act: gelu };
  expectNear(logits(model, [ids]), [gptNeoXLogits(weightsOf(model), ids, shape)]);
  const { gpt_neox: full } = new GPTNeoXForCausalLM();
  expect([full.embed_in.weight.shape, full.layers.length]).toEqual([[50_432, 6144], 44]);
  expect(
    stateDict(new GPTNeoXForCausalLM({ numHiddenLayers: 1 })).get(
      "gpt_neox.layers.0.mlp.dense_4h_to_h.weight",
    )?.shape,
  ).toEqual([6144, 24_576]);
  // 64 heads: one whose width is no multiple of 64 is refused.
  expect(refusal(() => new GPTNeoXForCausalLM({ hiddenSize: 6112 })).message).toContain("among 64 heads");
});

test("[neox.rotary-scaling] scaled frequencies of other types are refused by name", () => {
  const ropeScaling = { ropeType: "yarn", factor: 2 } as never;
  const found = refusal(() => new GPTNeoXForCausalLM({ ...small, ropeScaling }));
  expect(found.message).toContain(`GPTNeoXForCausalLM's ropeScaling: ropeType is "yarn"`);
});

test("[neox.cache] keys are cached as they are rotated", () => {
  // A token that is repeated: its keys differ by their rotation only, and its values not at all.
  const options = { vocabSize: 7, hiddenSize: 12, numAttentionHeads: 2, numHiddenLayers: 1, rotaryPct: 0.7 };
  const model = weighted(new GPTNeoXForCausalLM({ ...options, rotaryPrecision: "float64" }), 5);
  const { k, v } = firstCache(model, [3, 3, 3, 1, 3]);
  expect([k.length, k[0]?.length, k[0]?.[0]?.length, v.length]).toEqual([2, 5, 6, 2]);
  const speeds = [1, 10_000 ** (-2 / 4)];
  for (const m of [1, 2, 4])
    for (const h of [0, 1]) {
      const first = k[h]?.[0] ?? [];
      expectClose(k[h]?.[m] ?? [], [...rotate(first.slice(0, 4), m, speeds), ...first.slice(4)], 1e-14);
      expect(v[h]?.[m]).toEqual(v[h]?.[0]);
    }
});

test("[neox.rotary-precision] rotary angles are those of float32 unless float64 is asked for", () => {
  const modelOf = (rotaryPrecision?: "float32" | "float64") =>
    weighted(new GPTNeoXForCausalLM({ ...small, rotaryPct: 1, rotaryPrecision }), 4);
  const out = (rotaryPrecision?: "float32" | "float64") => valuesOf(logits(modelOf(rotaryPrecision), [ids]));
  expect(out()).toEqual(out("float32"));
  const exact = out("float64");
  const off = Math.max(...[...out()].map((x, i) => Math.abs(x - (exact[i] ?? NaN))));
  expect(off).toBeGreaterThan(1e-9);
  expect(off).toBeLessThan(1e-5);
  const [layers, heads, rotated, base] = [2, 2, 4, 10_000];
  const shape = { layers, heads, rotated, base, slower: 1, epsilon: 1e-5, parallel: true, act: gelu };
  expectNear(logits(modelOf(), [ids]), [gptNeoXLogits(weightsOf(modelOf()), ids, shape)], 1e-5);
  const rotaryPrecision = JSON.parse('"float16"');
  expect(refusal(() => new GPTNeoXForCausalLM({ ...small, rotaryPrecision })).rule).toBe("options.values");
});

const namesOf = (options: GPTNeoXOptions) =>
  [...stateDict(new GPTNeoXForCausalLM({ ...small, ...options }))].map(
    ([name, t]) => `${name} ${t.shape.join(" ")}`,
  );

test("[neox.names] [neox.biases] [neox.tied] the state dict is that of transformers", () => {
  // The names, order and shapes that GPTNeoXForCausalLM(GPTNeoXConfig(…)).state_dict() has in transformers 4.57.6.
  const layer = (i: number) => [
    `gpt_neox.layers.${i}.input_layernorm.weight 8`,
    `gpt_neox.layers.${i}.input_layernorm.bias 8`,
    `gpt_neox.layers.${i}.post_attention_layernorm.weight 8`,
    `gpt_neox.layers.${i}.post_attention_layernorm.bias 8`,
    `gpt_neox.layers.${i}.attention.query_key_value.weight 24 8`,
    `gpt_neox.layers.${i}.attention.query_key_value.bias 24`,
    `gpt_neox.layers.${i}.attention.dense.weight 8 8`,
    `gpt_neox.layers.${i}.attention.dense.bias 8`,
    `gpt_neox.layers.${i}.mlp.dense_h_to_4h.weight 6 8`,
    `gpt_neox.layers.${i}.mlp.dense_h_to_4h.bias 6`,
    `gpt_neox.layers.${i}.mlp.dense_4h_to_h.weight 8 6`,
    `gpt_neox.layers.${i}.mlp.dense_4h_to_h.bias 8`,
  ];
  expect(namesOf({})).toEqual([
    "gpt_neox.embed_in.weight 7 8",
    ...layer(0),
    ...layer(1),
    "gpt_neox.final_layer_norm.weight 8",
    "gpt_neox.final_layer_norm.bias 8",
    "embed_out.weight 7 8",
  ]);
  expect(
    namesOf({ numHiddenLayers: 1, attentionBias: false }).filter((name) => name.includes("bias")),
  ).toEqual([
    "gpt_neox.layers.0.input_layernorm.bias 8",
    "gpt_neox.layers.0.post_attention_layernorm.bias 8",
    "gpt_neox.layers.0.mlp.dense_h_to_4h.bias 6",
    "gpt_neox.layers.0.mlp.dense_4h_to_h.bias 8",
    "gpt_neox.final_layer_norm.bias 8",
  ]);
  const tied = (options: GPTNeoXOptions) => [...ties(new GPTNeoXForCausalLM({ ...small, ...options }))];
  expect(tied({})).toEqual([]);
  expect(tied({ tieWordEmbeddings: true })).toEqual([["embed_out.weight", "gpt_neox.embed_in.weight"]]);
});

test("[neox.names] a checkpoint of transformers 5, where the projection is lm_head, is loaded with a rule", () => {
  const model = weighted(new GPTNeoXForCausalLM(small), 5);
  const later = new Map(
    [...stateDict(model)].map(([name, t]) => [name === "embed_out.weight" ? "lm_head.weight" : name, t]),
  );
  const other = weighted(new GPTNeoXForCausalLM(small), 6);
  loadStateDict(other, later, { rename: GPT_NEOX_5_NAMES });
  expect(valuesOf(logits(other, [ids]))).toEqual(valuesOf(logits(model, [ids])));
});

test("[neox.heads] [neox.rotary] widths that cannot be divided or rotated are refused", () => {
  const refused = (options: GPTNeoXOptions) =>
    refusal(() => new GPTNeoXForCausalLM({ ...small, ...options }));
  expect(refused({ numAttentionHeads: 3 }).rule).toBe("neox.heads");
  expect(refused({ rotaryPct: 0.25 }).message).toContain("rotaryPct 0.25 rotates 1 of a head's 4 dimensions");
  for (const rotaryPct of [0, 0.2, 0.25, 0.75]) expect(refused({ rotaryPct }).rule).toBe("neox.rotary");
});

test("[neox.names] models of released sizes have the keys and shapes that transformers gives them", () => {
  // The numbers of parameters: Pythia (Biderman et al., arXiv 2304.01373, table 1) has 2,517,652,480 besides its two
  // tables of 50,304 rows; RedPajama-INCITE has the same sizes and tables of 50,432 rows.
  const parameters = {
    "EleutherAI/pythia-2.8b": 2_517_652_480 + 2 * 50_304 * 2560,
    "togethercomputer/RedPajama-INCITE-Base-3B-v1": 2_517_652_480 + 2 * 50_432 * 2560,
  };
  expect(releasedModels("GPTNeoXForCausalLM").map(({ name }) => name)).toEqual(Object.keys(parameters));
  for (const { name, config, state } of releasedModels("GPTNeoXForCausalLM")) {
    const { model } = languageModel(config, { file: name, field: "config" });
    const found = [...stateDict(model)];
    expect(found.map(([key, t]) => `${key} ${t.shape.join(" ")}`)).toEqual(state);
    const second = ties(model);
    const counted = found.filter(([key]) => !second.has(key)).map(([, t]) => sizeOf(t.shape));
    expect(counted.reduce((sum, n) => sum + n, 0)).toBe(
      Object.entries(parameters).find(([key]) => key === name)?.[1],
    );
  }
});

test("[neox.layer] replay equals eager", async () => {
  const model = weighted(new GPTNeoXForCausalLM(small), 2);
  await replayEqualsEager(() => logits(model, [ids, ids]), { model });
});
