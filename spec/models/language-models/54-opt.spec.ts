// The executable half of 54-opt.md. The loops are those of support/oracles/opt.ts.
import { expect, test } from "vitest";
import { languageModel } from "../../../src/conformance/sources/transformers.ts";
import { decodingOf, noPadding, readTokens } from "../../../src/models/language-model.ts";
import { OPTForCausalLM, type OPTOptions } from "../../../src/models/language-models/opt.ts";
import { stateDict, ties } from "../../../src/nn/state-dict.ts";
import { gradientOf, gradients } from "../../../src/tensor/autodiff/gradients.ts";
import { square, sumAll } from "../../../src/tensor/ops/functions.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { Bool, Int, type Tensor } from "../../../src/tensor/tensor.ts";
import { type OptShape, optLogits } from "../../support/oracles/language-models/opt.ts";
import { at, linear, mat, row, under } from "../../support/oracles/layers.ts";
import { expectNear, forAll, from, seeds, weighted, weightsOf } from "../../support/oracles/modules.ts";
import { releasedModels } from "../../support/oracles/released-state.ts";
import { firstCache } from "../../support/properties/caches.ts";
import { expectClose, replayEqualsEager, valuesOf } from "../../support/properties/programs.ts";
import { refusal } from "../../support/properties/refusals.ts";

const small: OPTOptions = {
  vocabSize: 7,
  hiddenSize: 8,
  ffnDim: 6,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  maxPositionEmbeddings: 6,
};
const ids = [3, 1, 6, 6, 0, 2];
const pre: OptShape = { layers: 2, heads: 2, normBefore: true, finalNorm: true, act: "relu" };

type Marks = readonly (readonly boolean[])[];
const maskOf = (marks: Marks): Bool<"b s"> =>
  new Bool([marks.length, marks[0]?.length ?? 0], Uint8Array.from(marks.flat(), Number));

function logits(model: OPTForCausalLM, rows: readonly (readonly number[])[], marks?: Marks): Tensor<"b l n"> {
  const [b, l] = [rows.length, rows[0]?.length ?? 0];
  const mask = marks ? maskOf(marks) : noPadding(b, l);
  const at = { ...decodingOf(mask, l), media: null, visibility: null };
  return model.logits(readTokens(model, new Int([b, l], Int32Array.from(rows.flat())), at, null).x);
}
const everyToken = (row: readonly number[]): boolean[] => row.map(() => true);

const sizes = {
  l: from(1, 6),
  heads: from(1, 3),
  k: from(1, 4),
  inner: from(1, 6),
  words: from(0, 5),
  depth: from(0, 2),
  before: from(0, 1),
  removed: from(0, 1),
  bias: from(0, 1),
  affine: from(0, 1),
  gelu: from(0, 1),
  tied: from(0, 1),
  left: from(0, 4),
  right: from(0, 4),
  seed: seeds,
};

test("[opt.norms] [opt.positions] [opt.padding] [opt.heads] [opt.projections] [opt.biases] [opt.affine] [opt.final-norm] [opt.tied] [opt.feed-forward] the model equals the loop, for any sizes and padding", () => {
  forAll(sizes, (n) => {
    const act = n.gelu === 1 ? "gelu" : "relu";
    const model = weighted(
      new OPTForCausalLM({
        vocabSize: 7,
        hiddenSize: n.heads * n.k,
        ffnDim: n.inner,
        numHiddenLayers: n.depth,
        numAttentionHeads: n.heads,
        maxPositionEmbeddings: n.l,
        wordEmbedProjDim: n.words === 0 ? null : n.words,
        doLayerNormBefore: n.before === 1,
        removeFinalLayerNorm: n.removed === 1,
        enableBias: n.bias === 1,
        layerNormElementwiseAffine: n.affine === 1,
        activationFunction: act,
        tieWordEmbeddings: n.tied === 1,
      }),
      n.seed,
    );
    const rows = [ids.slice(0, n.l), [...ids].reverse().slice(0, n.l)];
    // The first row has padding on the left, the second on the right; each keeps a token.
    const marks = [
      rows[0]?.map((_, i) => i >= Math.min(n.left, n.l - 1)) ?? [],
      rows[1]?.map((_, i) => i < Math.max(1, n.l - n.right)) ?? [],
    ];
    const shape = {
      layers: n.depth,
      heads: n.heads,
      normBefore: n.before === 1,
      finalNorm: n.before === 1 && n.removed === 0,
      act,
    } as const;
    expectNear(
      logits(model, rows, marks),
      rows.map((row, b) => optLogits(weightsOf(model), row, marks[b] ?? [], shape)),
    );
  });
});

test("[opt.norms] [opt.feed-forward] [opt.biases] [opt.affine] [opt.final-norm] [opt.heads] the defaults are transformers' ones", () => {
  const { vocabSize, hiddenSize, ffnDim, numHiddenLayers } = small;
  const model = weighted(
    new OPTForCausalLM({ vocabSize, hiddenSize: 3 * (hiddenSize ?? 0), ffnDim, numHiddenLayers }),
    3,
  );
  expectNear(logits(model, [ids]), [
    optLogits(weightsOf(model), ids, everyToken(ids), { ...pre, heads: 12 }),
  ]);
  const { decoder } = new OPTForCausalLM().model;
  expect([decoder.embed_tokens.weight.shape, decoder.embed_positions.weight.shape]).toEqual([
    [50_272, 768],
    [2050, 768],
  ]);
  expect(decoder.layers.length).toBe(12);
  expect(stateDict(decoder).get("layers.11.fc1.weight")?.shape).toEqual([3072, 768]);
});

test("[opt.positions] a position that the table does not have is refused, and padding does not count", () => {
  const model = weighted(new OPTForCausalLM({ ...small, maxPositionEmbeddings: 4 }), 2);
  const found = refusal(() => logits(model, [ids]));
  expect(found.rule).toBe("learned.rows");
  expect(found.message).toContain("position 4 has no row in a table of 6 rows");
  const real = [false, false, true, true, true, true];
  expect(logits(model, [ids], [real]).shape).toEqual([1, 6, 7]);
  expect(logits(model, [ids], [[...real].reverse()]).shape).toEqual([1, 6, 7]);
});

test("[opt.cache] keys and values are cached with their biases, by heads", () => {
  const model = weighted(new OPTForCausalLM({ ...small, doLayerNormBefore: false }), 5);
  const { k, v } = firstCache(model, ids);
  const w = weightsOf(model);
  const layer = under(w, "model.decoder.layers.0.self_attn");
  for (const [l, id] of ids.entries()) {
    const [token, place] = ["tokens", "positions"].map((name, i) =>
      row(mat(w, `model.decoder.embed_${name}.weight`), i === 0 ? id : l + 2),
    );
    const x = (token ?? []).map((value, i) => value + at(place ?? [], i));
    for (const h of [0, 1]) {
      const part = (name: string) => linear(under(layer, name), x).slice(4 * h, 4 * h + 4);
      expectClose(k[h]?.[l] ?? [], part("k_proj"), 1e-14);
      expectClose(v[h]?.[l] ?? [], part("v_proj"), 1e-14);
    }
  }
});

test("[opt.biases] [opt.affine] linear layers have biases and norms have scales by default, and none without", () => {
  const keys = (options: OPTOptions) =>
    [...stateDict(new OPTForCausalLM({ ...small, numHiddenLayers: 1, ...options })).keys()].map((key) =>
      key.replace("model.decoder.layers.0.", ""),
    );
  const linear = [
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.q_proj",
    "self_attn.out_proj",
    "fc1",
    "fc2",
  ];
  const norms = ["model.decoder.final_layer_norm", "self_attn_layer_norm", "final_layer_norm"];
  const biased = linear.map((name) => `${name}.bias`);
  const scaled = norms.flatMap((name) => [`${name}.weight`, `${name}.bias`]);
  expect(keys({})).toEqual(expect.arrayContaining([...biased, ...scaled]));
  expect(keys({ enableBias: false }).filter((key) => biased.includes(key))).toEqual([]);
  expect(keys({ layerNormElementwiseAffine: false }).filter((key) => scaled.includes(key))).toEqual([]);
});

test("[opt.padding] the embedding of token 1 gets no gradient by default", () => {
  const model = weighted(new OPTForCausalLM({ ...small, tieWordEmbeddings: false }), 6);
  const name = "model.decoder.embed_tokens.weight";
  const program = record(() => ({ loss: sumAll(square(logits(model, [ids]))) }), { model });
  const rows = valuesOf(evaluate(gradients(program, "loss", [name])).outputs[gradientOf(name)] as Tensor);
  const changed = Array.from({ length: 7 }, (_, id) => rows.slice(8 * id, 8 * id + 8).some((x) => x !== 0));
  expect(changed).toEqual([true, false, true, true, false, false, true]); // ids has 0, 2, 3, 6 and 1
});

test("[opt.padding] the embedding of the padding token differs from the others in its gradient and its initial value only", () => {
  const state = { ...small, padTokenId: 6 };
  const [padded, other] = [new OPTForCausalLM(state), new OPTForCausalLM({ ...small, padTokenId: null })];
  expect(valuesOf(logits(weighted(padded, 5), [ids]))).toEqual(valuesOf(logits(weighted(other, 5), [ids])));
  for (const padTokenId of [7, -8])
    expect(refusal(() => new OPTForCausalLM({ ...small, padTokenId })).rule).toBe("opt.padding");
  const zeros = (padTokenId: number) => {
    const { weight } = new OPTForCausalLM({ ...small, padTokenId }).model.decoder.embed_tokens;
    const table = valuesOf(weight);
    return [0, 1, 2, 3, 4, 5, 6].filter((id) => table.slice(8 * id, 8 * id + 8).every((x) => x === 0));
  };
  expect([zeros(6), zeros(-1), zeros(0)]).toEqual([[6], [6], [0]]);
});

test("[opt.names] [opt.tied] the state dict is that of transformers, and the tied head is the table", () => {
  for (const { name, config, state } of releasedModels("OPTForCausalLM")) {
    const { model } = languageModel(config, { file: name, field: "config" });
    expect([...stateDict(model)].map(([key, t]) => `${key} ${t.shape.join(" ")}`)).toEqual(state);
  }
  expect(releasedModels("OPTForCausalLM").map(({ name }) => name)).toEqual([
    "facebook/opt-1.3b",
    "facebook/opt-350m",
  ]);
  const tied = (options: OPTOptions) => [...ties(new OPTForCausalLM({ ...small, ...options }))];
  expect(tied({})).toEqual([["lm_head.weight", "model.decoder.embed_tokens.weight"]]);
  expect(tied({ tieWordEmbeddings: false })).toEqual([]);
});

test("[opt.heads] a width that cannot be split into heads is refused", () => {
  expect(refusal(() => new OPTForCausalLM({ ...small, numAttentionHeads: 3 })).rule).toBe("opt.heads");
});

test.each([true, false])("[opt.norms] replay equals eager (norms before: %s)", async (doLayerNormBefore) => {
  const model = weighted(new OPTForCausalLM({ ...small, doLayerNormBefore, wordEmbedProjDim: 5 }), 2);
  await replayEqualsEager(() => logits(model, [ids, ids]), { model });
});
