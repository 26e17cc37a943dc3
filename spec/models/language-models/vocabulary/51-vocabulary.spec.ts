// The executable half of 51-vocabulary.md. Expected means and covariances are computed from the old rows.
import { expect, test } from "vitest";
import type { LanguageModel } from "../../../../src/models/language-model.ts";
import { GPTNeoXForCausalLM } from "../../../../src/models/language-models/gpt-neox.ts";
import { GPTJForCausalLM } from "../../../../src/models/language-models/gptj.ts";
import { LlamaForCausalLM } from "../../../../src/models/language-models/llama.ts";
import { MagnetoDecoder } from "../../../../src/models/language-models/magneto/decoder.ts";
import { MosaicMptForCausalLM } from "../../../../src/models/language-models/mosaic-mpt.ts";
import { MptForCausalLM } from "../../../../src/models/language-models/mpt.ts";
import { OPTForCausalLM } from "../../../../src/models/language-models/opt.ts";
import { resizeVocabulary, vocabularyTables } from "../../../../src/models/language-models/vocabulary.ts";
import { initialize, stateDict, ties } from "../../../../src/nn/state-dict.ts";
import { toBfloat16 } from "../../../../src/tensor/precision.ts";
import { isSource } from "../../../../src/tensor/source.ts";
import { flat, type Tensor } from "../../../../src/tensor/tensor.ts";
import { refusal } from "../../../support/properties/refusals.ts";

const ROWS = 11;
const WIDTH = 8;
/** Models of every class with 11 tokens. */
const MODELS: Readonly<Record<string, () => LanguageModel>> = {
  llama: () =>
    new LlamaForCausalLM({
      vocabSize: ROWS,
      hiddenSize: 8,
      intermediateSize: 4,
      numHiddenLayers: 1,
      numAttentionHeads: 2,
    }),
  opt: () =>
    new OPTForCausalLM({
      vocabSize: ROWS,
      hiddenSize: 8,
      wordEmbedProjDim: 8,
      ffnDim: 4,
      numHiddenLayers: 1,
      numAttentionHeads: 2,
      maxPositionEmbeddings: 5,
    }),
  neox: () =>
    new GPTNeoXForCausalLM({
      vocabSize: ROWS,
      hiddenSize: 8,
      intermediateSize: 4,
      numHiddenLayers: 1,
      numAttentionHeads: 1,
    }),
  gptj: () =>
    new GPTJForCausalLM({ vocabSize: ROWS, nEmbd: 8, nLayer: 1, nHead: 2, rotaryDim: 2, nPositions: 5 }),
  mpt: () => new MptForCausalLM({ vocabSize: ROWS, dModel: 8, nHeads: 2, nLayers: 1, maxSeqLen: 5 }),
  magneto: () => new MagnetoDecoder({ vocabSize: ROWS, width: 8, heads: 2, layers: 1, feedForwardWidth: 4 }),
  mosaic: () => new MosaicMptForCausalLM({ vocabSize: ROWS, dModel: 8, nHeads: 2, nLayers: 1, maxSeqLen: 5 }),
};
/** The tables of the classes of transformers, by their names there. */
const TABLES: Readonly<Record<string, readonly string[]>> = {
  llama: ["model.embed_tokens.weight", "lm_head.weight"],
  opt: ["model.decoder.embed_tokens.weight", "lm_head.weight"],
  neox: ["gpt_neox.embed_in.weight", "embed_out.weight"],
  gptj: ["transformer.wte.weight", "lm_head.weight", "lm_head.bias"],
  mpt: ["transformer.wte.weight", "lm_head.weight"],
  magneto: ["embed_tokens.weight", "output_projection.weight"],
  mosaic: ["transformer.wte.weight"],
};
const TIED = ["opt", "mpt"];
const modelOf = (name: string): LanguageModel => {
  const model = MODELS[name]?.();
  if (!model) throw new Error(`there is no ${name}`);
  return initialize(model, 1);
};
const numbers = (t: Tensor | null | undefined): number[] => (t ? [...flat(t.data)] : []);
const rowsOf = (x: readonly number[], width = WIDTH): number[][] =>
  Array.from({ length: x.length / width }, (_, row) => x.slice(row * width, (row + 1) * width));
const column = (rows: readonly (readonly number[])[], i: number): number[] => rows.map((row) => row[i] ?? 0);
const meanOf = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0) / x.length;
/** The mean of the products of two lists' distances from their means. */
function covarianceOf(x: readonly number[], y: readonly number[]): number {
  const [a, b] = [meanOf(x), meanOf(y)];
  return meanOf(x.map((one, i) => (one - a) * ((y[i] ?? 0) - b)));
}
const deviation = (x: readonly number[]): number => Math.sqrt(covarianceOf(x, x));

test.each(Object.keys(MODELS))(
  "[vocabulary.rows] [vocabulary.tied] %s: old rows stay, all tables have the new size, and no other parameter changes",
  (name) => {
    for (const size of [ROWS + 3, ROWS - 4, ROWS]) {
      const [model, before] = [modelOf(name), stateDict(modelOf(name))];
      resizeVocabulary(model, size, { seed: 3 });
      const after = stateDict(model);
      const tables = TABLES[name] ?? [];
      expect([...after.keys()]).toEqual([...before.keys()]);
      for (const [key, t] of before) {
        const old = numbers(t);
        const rows = tables.includes(key) ? size : (t.shape[0] ?? 0);
        const kept = Math.min(old.length, (old.length / (t.shape[0] ?? 1)) * rows);
        expect(after.get(key)?.shape).toEqual([rows, ...t.shape.slice(1)]);
        expect(numbers(after.get(key)).slice(0, kept)).toEqual(old.slice(0, kept));
      }
      expect([...ties(model).values()]).toEqual(TIED.includes(name) ? [tables[0]] : []);
    }
  },
);

test("[vocabulary.rows] a table's old rows are read from where they were, and again for each use", () => {
  const model = modelOf("llama");
  const { input } = vocabularyTables(model);
  const reads: [number, number][] = [];
  const old = Float32Array.from({ length: ROWS * WIDTH }, (_, i) => i);
  input.weight.assign({
    dtype: "float32",
    read(from, to) {
      reads.push([from, to]);
      return old.subarray(from, to);
    },
  });
  resizeVocabulary(model, ROWS + 2);
  expect(reads).toEqual([]);
  const { stored } = vocabularyTables(model).input.weight;
  if (!isSource(stored)) throw new Error("the table is in memory");
  expect([...stored.read(5, 9)]).toEqual([5, 6, 7, 8]);
  expect(reads).toEqual([[5, 9]]);
  const all = [...stored.read(0, (ROWS + 2) * WIDTH)];
  expect([...stored.read(ROWS * WIDTH - 2, ROWS * WIDTH + 3)]).toEqual(
    all.slice(ROWS * WIDTH - 2, ROWS * WIDTH + 3),
  );
  expect([...stored.read(ROWS * WIDTH + 1, ROWS * WIDTH + 4)]).toEqual(
    all.slice(ROWS * WIDTH + 1, ROWS * WIDTH + 4),
  );
});

test("[vocabulary.normal] new rows are normal with the deviation asked for, those of the projection are others, and a bias gets zeros", () => {
  for (const [std, expected] of [
    [undefined, 0.02],
    [0.5, 0.5],
  ] as const) {
    const model = modelOf("gptj");
    resizeVocabulary(model, ROWS + 4000, { std });
    const { input, output } = vocabularyTables(model);
    const added = numbers(input.weight).slice(ROWS * WIDTH);
    expect(Math.abs(meanOf(added))).toBeLessThan(expected / 30);
    expect(deviation(added) / expected).toBeCloseTo(1, 1);
    expect(added.filter((x) => Math.abs(x) > 2 * expected).length / added.length).toBeCloseTo(0.0455, 2);
    const ofOutput = numbers(output?.weight).slice(ROWS * WIDTH);
    expect(deviation(ofOutput) / expected).toBeCloseTo(1, 1);
    expect(ofOutput.slice(0, 5)).not.toEqual(added.slice(0, 5));
    expect(numbers(output?.bias).slice(ROWS)).toEqual(new Array(4000).fill(0));
  }
});

test("[vocabulary.mean] new rows have the mean of the old ones and a billionth of their covariance", () => {
  const model = modelOf("gptj");
  const { input, output } = vocabularyTables(model);
  const old = rowsOf(numbers(input.weight));
  const oldBias = numbers(output?.bias);
  const oldOutput = rowsOf(numbers(output?.weight));
  for (const t of [input.weight, output?.weight, output?.bias]) t?.assign(wide(t));
  resizeVocabulary(model, ROWS + 6000, { newRows: "mean" });
  const tables = vocabularyTables(model);
  for (const [before, after] of [
    [old, rowsOf(numbers(tables.input.weight)).slice(ROWS)],
    [oldOutput, rowsOf(numbers(tables.output?.weight)).slice(ROWS)],
  ] as const)
    for (const [i, j] of [
      [0, 0],
      [3, 3],
      [2, 5],
      [7, 1],
    ] as const) {
      const [a, b] = [column(before, i), column(before, j)];
      const covariance = covarianceOf(a, b) * 1e-9;
      const scale = deviation(a) * deviation(b) * 1e-9;
      const [c, d] = [column(after, i), column(after, j)];
      expect(Math.abs(meanOf(c) - meanOf(a))).toBeLessThan(deviation(a) * 3e-6);
      const found = covarianceOf(c, d);
      expect(Math.abs(found - covariance) / scale).toBeLessThan(0.08);
    }
  const bias = numbers(tables.output?.bias).slice(ROWS);
  expect(meanOf(bias)).toBeCloseTo(meanOf(oldBias), 9);
  const sample = deviation(oldBias) * Math.sqrt(ROWS / (ROWS - 1)); // torch.std divides by n − 1
  expect(deviation(bias) / (1e-9 * sample)).toBeCloseTo(1, 1);
});

/** The values of a tensor in float64, whose rounding is finer than the deviations. */
function wide(t: Tensor) {
  const all = Float64Array.from(flat(t.data));
  return { dtype: "float64" as const, read: (from: number, to: number) => all.subarray(from, to) };
}

test("[vocabulary.dtype] new rows are rounded to the dtype of the table, and depend on the seed", () => {
  const added = (seed?: number) => {
    const model = initialize(modelOf("llama"), 1, { dtype: "bfloat16" });
    resizeVocabulary(model, ROWS + 2, { seed });
    const { weight } = vocabularyTables(model).input;
    expect(isSource(weight.stored) && weight.stored.dtype).toBe("bfloat16");
    return numbers(weight).slice(ROWS * WIDTH);
  };
  expect(added().every((x) => x === toBfloat16(x))).toBe(true);
  expect(added()).toEqual(added(0));
  expect(added()).not.toEqual(added(1));
});

test("[vocabulary.class] another language model, and a size that is none, are refused", () => {
  const other: LanguageModel = {
    width: 1,
    layers: [],
    embed: () => {
      throw new Error("not called");
    },
    logits: () => {
      throw new Error("not called");
    },
  };
  expect(refusal(() => resizeVocabulary(other, 5)).rule).toBe("vocabulary.class");
  expect(refusal(() => resizeVocabulary(modelOf("llama"), 0)).message).toContain("size");
  // @ts-expect-error the option is newRows
  expect(refusal(() => resizeVocabulary(modelOf("llama"), 12, { newRow: "mean" })).message).toContain(
    "newRow",
  );
});
