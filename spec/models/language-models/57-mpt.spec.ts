// The executable half of 57-mpt.md. The loops are those of support/oracles/mpt.ts.

import { expect, test } from "vitest";
import { languageModel } from "../../../src/conformance/sources/transformers.ts";
import { decodingOf, noPadding, readTokens } from "../../../src/models/language-model.ts";
import { MptForCausalLM, type MptOptions } from "../../../src/models/language-models/mpt.ts";
import { stateDict, ties } from "../../../src/nn/state-dict.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import { Int, sizeOf, type Tensor } from "../../../src/tensor/tensor.ts";
import { mptLogits } from "../../support/oracles/language-models/mpt.ts";
import { expectNear, forAll, from, seeds, weighted, weightsOf } from "../../support/oracles/modules.ts";
import { releasedModels } from "../../support/oracles/released-state.ts";
import { firstCache } from "../../support/properties/caches.ts";
import { replayEqualsEager } from "../../support/properties/programs.ts";
import { refusal } from "../../support/properties/refusals.ts";

const small: MptOptions = { vocabSize: 7, dModel: 6, nHeads: 3, nLayers: 2 };
const ids = [3, 1, 6, 6, 0, 2];

function logits(model: MptForCausalLM, rows: readonly (readonly number[])[]): Tensor<"b l n"> {
  const [b, l] = [rows.length, rows[0]?.length ?? 0];
  const at = { ...decodingOf(noPadding(b, l), l), media: null, visibility: null };
  return model.logits(readTokens(model, new Int([b, l], Int32Array.from(rows.flat())), at, null).x);
}

/**
 * Exponents of 1/2, by hand: a number n of heads that is a power of two has 8h/n, h = 1 … n (§3 of the paper); three and five heads have
 * those of four and eight, first the second, fourth …, then the first, third …
 */
const exponents = [[8], [4, 8], [4, 8, 2], [2, 4, 6, 8], [2, 4, 6, 8, 1]] as const;
const slopesOf = (heads: number) => (exponents[heads - 1] ?? []).map((n) => 2 ** -n);

const sizes = {
  l: from(1, 6),
  heads: from(1, 5),
  width: from(1, 4),
  depth: from(0, 2),
  clip: from(0, 2),
  scale: from(0, 2),
  tied: from(0, 1),
  seed: seeds,
};

test("[mpt.layer] [mpt.layout] [mpt.alibi] [mpt.scale] [mpt.clip] [mpt.feed-forward] the model equals the loop, for any sizes", () => {
  forAll(sizes, ({ l, heads, width, depth, clip, scale, tied, seed }) => {
    const model = weighted(
      new MptForCausalLM({
        vocabSize: 7,
        dModel: heads * width,
        nHeads: heads,
        nLayers: depth,
        layerNormEpsilon: 0.01,
        tieWordEmbeddings: tied === 1,
        attnConfig: {
          clipQkv: [null, 0, 0.6][clip],
          softmaxScale: [undefined, null, 1.25][scale],
        },
      }),
      seed,
    );
    const shape = {
      layers: depth,
      slopes: slopesOf(heads),
      clip: [Infinity, Infinity, 0.6][clip] ?? NaN,
      scale: [1 / Math.sqrt(width), 1 / Math.sqrt(width), 1.25][scale] ?? NaN,
      epsilon: 0.01,
    };
    const rows = [ids.slice(0, l), [...ids].reverse().slice(0, l)];
    expectNear(
      logits(model, rows),
      rows.map((row) => mptLogits(weightsOf(model), row, shape)),
    );
  });
});

test("[mpt.epsilon] [mpt.scale] [mpt.tied] the defaults are transformers' ones", () => {
  const model = weighted(new MptForCausalLM({ vocabSize: 7, dModel: 6, nHeads: 2, nLayers: 2 }), 3);
  // Embeddings so small that ε counts in the first norm.
  const table = model.transformer.wte.weight;
  for (let i = 0; i < table.size; i++)
    ndArray(table.data).set(
      Math.floor(i / 6),
      i % 6,
      ndArray(table.data).get(Math.floor(i / 6), i % 6) * 1e-3,
    );
  const shape = { layers: 2, slopes: slopesOf(2), clip: Infinity, scale: 1 / Math.sqrt(3), epsilon: 1e-5 };
  expectNear(logits(model, [ids]), [mptLogits(weightsOf(model), ids, shape)], 1e-10);
  const { transformer: full } = new MptForCausalLM();
  expect([full.wte.weight.shape, full.blocks.length]).toEqual([[50_368, 2048], 24]);
  expect([...ties(new MptForCausalLM(small))]).toEqual([["lm_head.weight", "transformer.wte.weight"]]);
  expect([...ties(new MptForCausalLM({ ...small, tieWordEmbeddings: false }))]).toEqual([]);
  // 16 heads: a width that is no multiple of 16 is refused.
  expect(refusal(() => new MptForCausalLM({ dModel: 2040 })).message).toContain("among 16 heads");
});

test("[mpt.cache] keys and values are cached without their positions", () => {
  // A token that is repeated has the same keys and values everywhere.
  const model = weighted(new MptForCausalLM({ dModel: 6, nHeads: 3, nLayers: 1, vocabSize: 7 }), 5);
  const { k, v } = firstCache(model, [3, 3, 1, 3]);
  expect([k.length, k[0]?.length, k[0]?.[0]?.length, v.length]).toEqual([3, 4, 2, 3]);
  for (const h of [0, 1, 2])
    for (const m of [1, 3]) {
      expect([k[h]?.[m], v[h]?.[m]]).toEqual([k[h]?.[0], v[h]?.[0]]);
      expect(k[h]?.[2]).not.toEqual(k[h]?.[0]);
    }
});

test("[mpt.names] [mpt.biases] the state dict is that of transformers, without biases", () => {
  // The names, order and shapes that MptForCausalLM(MptConfig(…)).state_dict() has in transformers 4.57.6.
  const block = (i: number) => [
    `transformer.blocks.${i}.norm_1.weight 6`,
    `transformer.blocks.${i}.attn.Wqkv.weight 18 6`,
    `transformer.blocks.${i}.attn.out_proj.weight 6 6`,
    `transformer.blocks.${i}.norm_2.weight 6`,
    `transformer.blocks.${i}.ffn.up_proj.weight 24 6`,
    `transformer.blocks.${i}.ffn.down_proj.weight 6 24`,
  ];
  expect(
    [...stateDict(new MptForCausalLM(small))].map(([name, t]) => `${name} ${t.shape.join(" ")}`),
  ).toEqual([
    "transformer.wte.weight 7 6",
    ...block(0),
    ...block(1),
    "transformer.norm_f.weight 6",
    "lm_head.weight 7 6",
  ]);
});

test("[mpt.ignored] options that transformers ignores are refused by name unless they say what it computes", () => {
  const ignored = {
    qkLn: [true],
    alibi: [false],
    alibiBiasMax: [16],
    prefixLm: [true],
    attnUsesSequenceId: [true],
    attnType: ["multiquery_attention"],
  };
  for (const [name, values] of Object.entries(ignored))
    for (const value of values) {
      const error = refusal(() => new MptForCausalLM({ ...small, attnConfig: { [name]: value } }));
      expect(error.message).toContain(`attnConfig: ${name} is ${JSON.stringify(value)}; it must be `);
      expect(error.message).toContain("because the MPT of transformers ignores this option");
    }
  const others = {
    expansionRatio: 2,
    logitScale: "inv_sqrt_d_model",
    noBias: false,
    normType: "rmsnorm",
    embeddingFraction: 0.5,
  };
  for (const [name, value] of Object.entries(others))
    expect(refusal(() => new MptForCausalLM({ ...small, [name]: value })).message).toContain(
      `MptForCausalLM: ${name} is ${JSON.stringify(value)}; it must be `,
    );
  // The configuration of MPT-7B, which says what transformers computes.
  new MptForCausalLM({
    ...small,
    expansionRatio: 4,
    logitScale: null,
    noBias: true,
    normType: "low_precision_layernorm",
    embeddingFraction: 1,
    attnConfig: { qkLn: false, alibi: true, alibiBiasMax: 8, prefixLm: false, attnUsesSequenceId: false },
  });
  new MptForCausalLM({ ...small, normType: "layernorm", attnConfig: null });
});

test("[mpt.length] a text may be as long as maxSeqLen, and a longer one is refused", () => {
  const model = weighted(new MptForCausalLM({ ...small, maxSeqLen: 6 }), 4);
  expect(logits(model, [ids]).shape).toEqual([1, 6, 7]);
  const error = refusal(() => logits(model, [[...ids, 1]]));
  expect([error.rule, error.message]).toEqual([
    "mpt.length",
    expect.stringContaining("the text has 7 tokens, and maxSeqLen is 6"),
  ]);
  const long = weighted(new MptForCausalLM({ vocabSize: 7, dModel: 1, nHeads: 1, nLayers: 1 }), 4);
  const text = new Array<number>(2048).fill(1);
  expect(refusal(() => logits(long, [[...text, 1]])).message).toContain("2049 tokens, and maxSeqLen is 2048");
});

test("[mpt.heads] a width that cannot be divided among the heads is refused", () => {
  expect(refusal(() => new MptForCausalLM({ ...small, dModel: 7 })).rule).toBe("mpt.heads");
});

test("[mpt.names] models of released sizes have the keys and shapes that transformers gives them", () => {
  // The numbers of parameters: by hand, (4 + 8) d² + 2d in a block, a table, and the last norm.
  const parameters = { "mosaicml/mpt-7b": 32 * (12 * 4096 ** 2 + 2 * 4096) + 50_432 * 4096 + 4096 };
  expect(releasedModels("MptForCausalLM").map(({ name }) => name)).toEqual(Object.keys(parameters));
  for (const { name, config, state } of releasedModels("MptForCausalLM")) {
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

test("[mpt.layer] replay equals eager", async () => {
  const model = weighted(new MptForCausalLM({ ...small, attnConfig: { clipQkv: 0.5 } }), 2);
  await replayEqualsEager(() => logits(model, [ids, ids]), { model });
});
