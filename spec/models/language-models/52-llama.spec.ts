// The executable half of 52-llama.md. The loops are those of support/oracles/llama.ts.

import { expect, test } from "vitest";
import { decodingOf, noPadding, readTokens } from "../../../src/models/language-model.ts";
import { LlamaForCausalLM, type LlamaOptions } from "../../../src/models/language-models/llama.ts";
import { stateDict, ties } from "../../../src/nn/state-dict.ts";
import { gradientOf, gradients } from "../../../src/tensor/autodiff/gradients.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import { square, sumAll } from "../../../src/tensor/ops/functions.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { Int, type Tensor } from "../../../src/tensor/tensor.ts";
import { llamaLogits } from "../../support/oracles/language-models/llama.ts";
import { gelu, range, rotate, silu } from "../../support/oracles/layers.ts";
import { expectNear, forAll, from, seeds, weighted, weightsOf } from "../../support/oracles/modules.ts";
import { firstCache } from "../../support/properties/caches.ts";
import { expectClose, replayEqualsEager, valuesOf } from "../../support/properties/programs.ts";
import { refusal } from "../../support/properties/refusals.ts";

const small: LlamaOptions = {
  vocabSize: 7,
  hiddenSize: 8,
  intermediateSize: 6,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
};
const ids = [3, 1, 6, 6, 0, 2];

function logits(model: LlamaForCausalLM, rows: readonly (readonly number[])[]): Tensor<"b l n"> {
  const [b, l] = [rows.length, rows[0]?.length ?? 0];
  const at = { ...decodingOf(noPadding(b, l), l), media: null, visibility: null };
  return model.logits(readTokens(model, new Int([b, l], Int32Array.from(rows.flat())), at, null).x);
}

const sizes = {
  l: from(1, 6),
  groups: from(1, 3),
  shared: from(1, 3),
  half: from(1, 3),
  width: from(1, 7),
  inner: from(1, 6),
  depth: from(0, 2),
  bias: from(0, 1),
  tied: from(0, 1),
  scaled: from(0, 1),
  exactGelu: from(0, 1),
  seed: seeds,
};

test("[llama.layer] [llama.groups] [llama.rotary] [llama.norm] [llama.mlp] [llama.rotary-scaling] the model equals the loop, for any sizes", () => {
  forAll(sizes, ({ l, groups, shared, half, width, inner, depth, bias, tied, scaled, exactGelu, seed }) => {
    const [heads, theta, epsilon] = [groups * shared, 50, 0.01];
    const model = weighted(
      new LlamaForCausalLM({
        vocabSize: 7,
        hiddenSize: width,
        intermediateSize: inner,
        numHiddenLayers: depth,
        numAttentionHeads: heads,
        numKeyValueHeads: groups,
        headDim: 2 * half,
        rotaryPrecision: "float64",
        rmsNormEps: epsilon,
        ropeTheta: theta,
        ropeScaling: scaled === 1 ? { ropeType: "linear", factor: 2.5 } : null,
        hiddenAct: exactGelu === 1 ? "gelu" : "silu",
        attentionBias: bias === 1,
        mlpBias: bias === 1,
        tieWordEmbeddings: tied === 1,
      }),
      seed,
    );
    const rows = [ids.slice(0, l), [...ids].reverse().slice(0, l)];
    const [slower, act] = [scaled === 1 ? 2.5 : 1, exactGelu === 1 ? gelu : silu];
    const shape = { layers: depth, heads, keyValueHeads: groups, epsilon, theta, slower, act };
    expectNear(
      logits(model, rows),
      rows.map((row) => llamaLogits(weightsOf(model), row, shape)),
    );
  });
});

test("[llama.epsilon] [llama.rotary] [llama.groups] [llama.mlp] [llama.rotary-scaling] the defaults are transformers' ones", () => {
  const { vocabSize, hiddenSize, intermediateSize, numHiddenLayers } = small;
  const model = weighted(
    new LlamaForCausalLM({
      vocabSize,
      hiddenSize,
      intermediateSize,
      numHiddenLayers,
      numAttentionHeads: 2,
      rotaryPrecision: "float64",
    }),
    3,
  );
  // Embeddings so small that ε counts in the first norm.
  const table = model.model.embed_tokens.weight;
  for (let i = 0; i < table.size; i++)
    ndArray(table.data).set(
      Math.floor(i / 8),
      i % 8,
      ndArray(table.data).get(Math.floor(i / 8), i % 8) * 1e-3,
    );
  const shape = { layers: 2, heads: 2, keyValueHeads: 2, epsilon: 1e-6, theta: 10_000, slower: 1, act: silu };
  expectNear(logits(model, [ids]), [llamaLogits(weightsOf(model), ids, shape)]);
  expect([...stateDict(model).keys()].filter((key) => key.endsWith("bias"))).toEqual([]);
  expect(ties(model).size).toBe(0);
  const { model: full } = new LlamaForCausalLM();
  // 32 heads of ⌊80 / 32⌋ = 2 dimensions
  const projected = stateDict(new LlamaForCausalLM({ hiddenSize: 80, numHiddenLayers: 1 }));
  expect(projected.get("model.layers.0.self_attn.q_proj.weight")?.shape).toEqual([64, 80]);
  expect([full.embed_tokens.weight.shape, full.layers.length]).toEqual([[32_000, 4096], 32]);
  expect(
    stateDict(new LlamaForCausalLM({ numHiddenLayers: 1 })).get("model.layers.0.mlp.down_proj.weight")?.shape,
  ).toEqual([4096, 11_008]);
});

test("[llama.rotary-precision] rotary angles are those of float32 unless float64 is asked for", () => {
  const out = (rotaryPrecision?: "float32" | "float64") =>
    valuesOf(logits(weighted(new LlamaForCausalLM({ ...small, rotaryPrecision }), 4), [ids]));
  expect(out()).toEqual(out("float32"));
  const exact = out("float64");
  const off = Math.max(...[...out()].map((x, i) => Math.abs(x - (exact[i] ?? NaN))));
  expect(off).toBeGreaterThan(1e-9);
  expect(off).toBeLessThan(1e-5);
});

test("[llama.names] [llama.tied] the state dict is that of transformers, and the tied head is the table", () => {
  // The names, order and shapes that LlamaForCausalLM(LlamaConfig(…)).state_dict() has in transformers 4.57.6.
  const layer = (i: number) => [
    `model.layers.${i}.self_attn.q_proj.weight 8 8`,
    `model.layers.${i}.self_attn.k_proj.weight 4 8`,
    `model.layers.${i}.self_attn.v_proj.weight 4 8`,
    `model.layers.${i}.self_attn.o_proj.weight 8 8`,
    `model.layers.${i}.mlp.gate_proj.weight 6 8`,
    `model.layers.${i}.mlp.up_proj.weight 6 8`,
    `model.layers.${i}.mlp.down_proj.weight 8 6`,
    `model.layers.${i}.input_layernorm.weight 8`,
    `model.layers.${i}.post_attention_layernorm.weight 8`,
  ];
  const named = (options: LlamaOptions) =>
    [...stateDict(new LlamaForCausalLM({ ...small, ...options }))].map(
      ([name, t]) => `${name} ${t.shape.join(" ")}`,
    );
  expect(named({})).toEqual([
    "model.embed_tokens.weight 7 8",
    ...layer(0),
    ...layer(1),
    "model.norm.weight 8",
    "lm_head.weight 7 8",
  ]);
  expect(
    named({ numHiddenLayers: 1, attentionBias: true, mlpBias: true }).filter((name) => name.includes("bias")),
  ).toEqual([
    "model.layers.0.self_attn.q_proj.bias 8",
    "model.layers.0.self_attn.k_proj.bias 4",
    "model.layers.0.self_attn.v_proj.bias 4",
    "model.layers.0.self_attn.o_proj.bias 8",
    "model.layers.0.mlp.gate_proj.bias 6",
    "model.layers.0.mlp.up_proj.bias 6",
    "model.layers.0.mlp.down_proj.bias 8",
  ]);
  const tied = (options: LlamaOptions) => [...ties(new LlamaForCausalLM({ ...small, ...options }))];
  expect(tied({})).toEqual([]);
  expect(tied({ tieWordEmbeddings: true })).toEqual([["lm_head.weight", "model.embed_tokens.weight"]]);
});

test("[llama.cache] keys are cached as they are rotated, and those of a group once", () => {
  // A token that is repeated: its keys differ by their rotation only, and its values not at all.
  const model = weighted(new LlamaForCausalLM({ ...small, headDim: 4, rotaryPrecision: "float64" }), 5);
  const { k, v } = firstCache(model, [3, 3, 3, 1, 3]);
  expect([k.length, k[0]?.length, k[0]?.[0]?.length, v.length]).toEqual([2, 5, 4, 2]);
  const speeds = [1, 10_000 ** (-2 / 4)];
  for (const m of [1, 2, 4])
    for (const g of [0, 1]) {
      expectClose(k[g]?.[m] ?? [], rotate(k[g]?.[0] ?? [], m, speeds), 1e-14);
      expect(v[g]?.[m]).toEqual(v[g]?.[0]);
    }
});

test("[llama.padding] the embedding of the padding token is 0 at first and gets no gradient; by default there is none", () => {
  const changed = (padTokenId: number | null | undefined) => {
    const model = weighted(new LlamaForCausalLM({ ...small, padTokenId }), 6);
    const name = "model.embed_tokens.weight";
    const program = record(() => ({ loss: sumAll(square(logits(model, [ids]))) }), { model });
    const rows = valuesOf(evaluate(gradients(program, "loss", [name])).outputs[gradientOf(name)] as Tensor);
    return range(7).filter((id) => rows.slice(8 * id, 8 * id + 8).some((x) => x !== 0));
  };
  // ids has 0, 1, 2, 3 and 6. torch.nn.Embedding counts a negative padding_idx from the end: the config.json of early checkpoints has −1.
  expect(changed(undefined)).toEqual([0, 1, 2, 3, 6]);
  expect(changed(null)).toEqual([0, 1, 2, 3, 6]);
  expect(changed(0)).toEqual([1, 2, 3, 6]);
  expect(changed(-1)).toEqual([0, 1, 2, 3]);
  expect(changed(-5)).toEqual([0, 1, 3, 6]);
  const initial = (padTokenId: number | null) => {
    const { weight } = new LlamaForCausalLM({ ...small, padTokenId }).model.embed_tokens;
    return range(7).filter((id) =>
      valuesOf(weight)
        .slice(8 * id, 8 * id + 8)
        .every((x) => x === 0),
    );
  };
  expect([initial(null), initial(3), initial(-1)]).toEqual([[], [3], [6]]);
  for (const padTokenId of [7, -8]) {
    const found = refusal(() => new LlamaForCausalLM({ ...small, padTokenId }));
    expect(found.rule).toBe("llama.padding");
    expect(found.message).toContain(`padTokenId is ${padTokenId}, and the table has 7 rows`);
  }
});

test("[llama.rotary-scaling] scaled frequencies of other types are refused by name", () => {
  const ropeScaling = { ropeType: "dynamic", factor: 2 } as never;
  const found = refusal(() => new LlamaForCausalLM({ ...small, ropeScaling }));
  expect(found.message).toContain(`LlamaForCausalLM's ropeScaling: ropeType is "dynamic"`);
  const none = refusal(() => new LlamaForCausalLM({ ...small, ropeScaling: "linear" as never }));
  expect(none.message).toContain('LlamaForCausalLM: ropeScaling is "linear"');
});

test("[llama.groups] [llama.rotary] heads that cannot be grouped or rotated are refused", () => {
  const rule = (options: LlamaOptions) => refusal(() => new LlamaForCausalLM({ ...small, ...options })).rule;
  expect(rule({ numKeyValueHeads: 3 })).toBe("llama.groups");
  expect(rule({ headDim: 3 })).toBe("llama.rotary");
  expect(rule({ hiddenSize: 3 })).toBe("llama.rotary");
});

test("[llama.layer] replay equals eager", async () => {
  const model = weighted(new LlamaForCausalLM(small), 2);
  await replayEqualsEager(() => logits(model, [ids, ids]), { model });
});

// As save_pretrained of transformers 4.57.6 writes it.
