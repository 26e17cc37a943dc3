// The executable half of 15-layers.md. The loops are in support/oracles/layers.ts.

import fc from "fast-check";
import { expect, test } from "vitest";
import { releaseMessage } from "../../src/conformance/releases/message.ts";
import { reference } from "../../src/kernels/reference/index.ts";
import { run } from "../../src/kernels/replay.ts";
import { simd } from "../../src/kernels/simd/index.ts";
import { ACTIVATIONS, type ActivationName, activation } from "../../src/nn/activations.ts";
import { attention } from "../../src/nn/attention/attention.ts";
import { Dropout, DropPath } from "../../src/nn/dropout.ts";
import { Embedding, PaddedEmbedding } from "../../src/nn/embedding.ts";
import { FeedForward } from "../../src/nn/feed-forward.ts";
import { Linear, type LinearOptions } from "../../src/nn/linear.ts";
import { BatchNorm2d } from "../../src/nn/norms/batch-norm.ts";
import { LayerNorm, normalize, PaLMLayerNorm, RMSNorm } from "../../src/nn/norms/layer-norm.ts";
import { normal, uniform } from "../../src/nn/parameter.ts";
import { initialize, parameterNames, stateDict } from "../../src/nn/state-dict.ts";
import { setTraining } from "../../src/nn/train-mode.ts";
import { gradientOf, gradients } from "../../src/tensor/autodiff/gradients.ts";
import { RuleError } from "../../src/tensor/errors.ts";
import { slice } from "../../src/tensor/ops/arrange.ts";
import { sumAll } from "../../src/tensor/ops/functions.ts";
import { evaluate } from "../../src/tensor/program/evaluate.ts";
import { record } from "../../src/tensor/program/record.ts";
import { generator } from "../../src/tensor/random.ts";
import { type Any, Bool, flat, int, type Tensor, tensor } from "../../src/tensor/tensor.ts";
import {
  attention as attentionLoop,
  feedForward,
  layerNorm,
  linear,
  type Mat,
  norm,
  type Vec,
} from "../support/oracles/layers.ts";
import {
  expectNear,
  forAll,
  from,
  list,
  seeds,
  tapsOf,
  weighted,
  weightsOf,
} from "../support/oracles/modules.ts";
import { numbers, randomIds, randomMask, randomTensor } from "../support/properties/arbitraries.ts";
import {
  expectClose,
  replayEqualsEager,
  valuesOf,
  vjpEqualsFiniteDifferences,
} from "../support/properties/programs.ts";
import { refusal, shapeRefusal } from "../support/properties/refusals.ts";

const leading = fc.array(from(1, 3), { maxLength: 2 });
/** A loop over every row of x, for any leading axes. */
const rowwise = (x: Tensor, f: (row: Vec) => Vec): number[] => {
  const width = x.shape.at(-1) ?? 1;
  const values = valuesOf(x);
  return Array.from({ length: values.length / width }, (_, i) =>
    f(values.slice(i * width, (i + 1) * width)),
  ).flat();
};
const statistics = (values: ArrayLike<number>) => {
  const n = values.length;
  const all = Array.from(values);
  const mean = all.reduce((a, b) => a + b, 0) / n;
  const std = Math.sqrt(all.reduce((a, b) => a + (b - mean) ** 2, 0) / n);
  return { mean, std, largest: Math.max(...all.map(Math.abs)) };
};

test("[linear.out-in] equals the loop for any leading axes", () => {
  forAll({ lead: leading, i: from(1, 5), o: from(1, 5), seed: seeds }, ({ lead, i, o, seed }) => {
    const layer = weighted(new Linear<Any, Any>("i -> o", i, o, { bias: false }), seed);
    const x = randomTensor([...lead, i], seed);
    const y = layer.forward(x);
    expect(layer.weight.shape).toEqual([o, i]);
    expect(y.shape).toEqual([...lead, o]);
    expectClose(
      valuesOf(y),
      rowwise(x, (row) => linear(weightsOf(layer), row)),
      1e-13,
    );
  });
});

test("[linear.bias] a bias is added to every output", () => {
  forAll({ lead: leading, i: from(1, 5), o: from(1, 5), seed: seeds }, ({ lead, i, o, seed }) => {
    const layer = weighted(new Linear<Any, Any>("i -> o", i, o), seed);
    const x = randomTensor([...lead, i], seed);
    expectClose(
      valuesOf(layer.forward(x)),
      rowwise(x, (row) => linear(weightsOf(layer), row)),
      1e-13,
    );
  });
  expect([...stateDict(new Linear("i -> o", 2, 3)).keys()]).toEqual(["weight", "bias"]);
  expect([...stateDict(new Linear("i -> o", 2, 3, { bias: false })).keys()]).toEqual(["weight"]);
});

test("[linear.uniform] weight and bias are initialised uniformly within ±1/√in", () => {
  const layer = new Linear("i -> o", 100, 900);
  for (const part of [layer.weight, layer.bias as Tensor]) {
    const { mean, std, largest } = statistics(flat(part.data));
    expect(largest).toBeLessThanOrEqual(0.1);
    expect(largest).toBeGreaterThan(0.0995);
    expect(Math.abs(mean)).toBeLessThan(0.01);
    expect(std).toBeCloseTo(0.1 / Math.sqrt(3), 2);
  }
});

test("[linear.initial] weight and bias have the distributions that are given, each by itself", () => {
  const [half, eighth] = [uniform(0.5), uniform(0.125)];
  const largest = (options: LinearOptions) => {
    const layer = new Linear("i -> o", 16, 4000, options);
    return [layer.weight, layer.bias as Tensor].map((part) => statistics(flat(part.data)).largest);
  };
  // The largest of 4,000 uniform numbers is above 99 % of the bound, but for one case in 10^17.
  const within = (bound: number) =>
    expect.toSatisfy((x: number) => x <= bound && x >= 0.99 * bound, `at most ${bound}, and almost that`);
  expect(largest({})).toEqual([within(0.25), within(0.25)]);
  expect(largest({ initial: half })).toEqual([within(0.5), 0]);
  expect(largest({ initial: half, initialBias: eighth })).toEqual([within(0.5), within(0.125)]);
  expect(largest({ initialBias: half })).toEqual([within(0.25), within(0.5)]);
});

test("[embedding.rows] an id selects its row, and an id outside the table is an error that names it", () => {
  forAll({ lead: leading, rows: from(1, 5), d: from(1, 4), seed: seeds }, ({ lead, rows, d, seed }) => {
    const layer = weighted(new Embedding("d", rows, d), seed);
    const ids = randomIds([...lead, 3], rows, seed);
    const table = list<Vec>(layer.weight);
    const y = layer.forward(ids);
    expect(y.shape).toEqual([...lead, 3, d]);
    expect(valuesOf(y)).toEqual(Array.from(ids.flat()).flatMap((id) => [...(table[id] ?? [])]));
  });
  const layer = new Embedding("d", 5, 2);
  for (const id of [5, -1]) {
    expect(() => layer.forward(int("l", [0, id]))).toThrow(RuleError);
    expect(() => layer.forward(int("l", [0, id]))).toThrow(`id ${id} at position 1`);
  }
});

test("[embedding.padding] the padding row has its value, and no gradient through the ids", () => {
  const ids = int("b l", [
    [1, 0, 2],
    [2, 2, 3],
  ]);
  const gradient = (paddingId: number | null) => {
    const layer = weighted(new PaddedEmbedding("d", 4, 2, { paddingId }), 3);
    const table = list<Vec>(layer.weight);
    expect(valuesOf(layer.forward(ids))).toEqual([...ids.flat()].flatMap((id) => [...(table[id] ?? [])]));
    const program = record(() => ({ loss: sumAll(layer.forward(ids)) }), { model: layer });
    return valuesOf(evaluate(gradients(program, "loss", ["weight"])).outputs[gradientOf("weight")] as Tensor);
  };
  // Each use of a row adds 1 to its gradient, counted by hand; row 2 is used three times.
  expect(gradient(null)).toEqual([1, 1, 1, 1, 3, 3, 1, 1]);
  expect(gradient(2)).toEqual([1, 1, 1, 1, 0, 0, 1, 1]);
  expect(gradient(0)).toEqual([0, 0, 1, 1, 3, 3, 1, 1]);
  for (const paddingId of [-1, 4, 0.5])
    expect(refusal(() => new PaddedEmbedding("d", 4, 2, { paddingId })).rule).toBe("options.values");
});

test("[embedding.padding] the padding row is 0 at first, and the others are those of a table without one", () => {
  // torch.nn.Embedding(4, 3, padding_idx): reset_parameters fills the row with 0 after all have been drawn.
  const table = (paddingId: number | null) => {
    const layer = initialize(new PaddedEmbedding("d", 4, 3, { paddingId, initial: normal(0.5) }), 7);
    return list<Vec>(layer.weight);
  };
  const drawn = table(null);
  expect(drawn.flat().every((x) => x !== 0)).toBe(true);
  for (const id of [0, 2, 3]) expect(table(id)).toEqual(drawn.map((row, i) => (i === id ? [0, 0, 0] : row)));
  const { weight } = initialize(new PaddedEmbedding("d", 4, 3, { paddingId: 2, initial: normal(0.5) }), 7);
  expect(valuesOf(slice(weight, 0, 1, 4))).toEqual([...(drawn[1] ?? []), 0, 0, 0, ...(drawn[3] ?? [])]);
});

test("[embedding.initial] the table has the given distribution, which is normal with deviation 1 unless it is given", () => {
  for (const std of [1, 0.02]) {
    const s = statistics(flat(new Embedding("d", 200, 200, { initial: normal(std) }).weight.data));
    expect(Math.abs(s.mean / std)).toBeLessThan(0.02);
    expect(Math.abs(s.std / std - 1)).toBeLessThan(0.015); // four standard errors
    expect(s.largest / std).toBeGreaterThan(3.3); // of 40,000 normal numbers a third of a dozen lie beyond 3.9
  }
  for (const layer of [new Embedding("d", 200, 200), new PaddedEmbedding("d", 200, 200, { paddingId: null })])
    expect(statistics(flat(layer.weight.data)).std).toBeCloseTo(1, 1);
});

test("[embedding.initial] [options.values] a distribution gives finite numbers", () => {
  for (const value of [NaN, Infinity, "0.5", undefined, 2n, Promise.resolve(1)]) {
    const initial = (_: unknown, index: number) => (index === 5 ? value : 0) as number;
    const drawn = refusal(() => initialize(new Embedding("d", 3, 2, { initial }), 1).weight.data);
    expect(drawn.rule).toBe("options.values");
    expect(drawn.message).toMatch(/Parameter: a value of initial is .*; it must be a finite number/);
  }
});

test("[embedding.initial] [embedding.padding] a uniform table lies within its bound, and its padding row is 0", () => {
  const { weight } = initialize(
    new PaddedEmbedding("d", 200, 200, { initial: uniform(0.3), paddingId: 1 }),
    5,
  );
  const rows = list<Vec>(weight);
  expect(rows[1]).toEqual(new Array(200).fill(0));
  const s = statistics(rows.filter((_, i) => i !== 1).flat());
  expect(s.largest).toBeLessThanOrEqual(0.3);
  expect(s.largest).toBeGreaterThan(0.2995); // of 39,800 uniform numbers
  expect(Math.abs(s.std / (0.3 / Math.sqrt(3)) - 1)).toBeLessThan(0.015); // nine standard errors, 0.632 / √(2 · 39,800)
});

test("[norm.affine] layer norm equals the loop, with scale and bias", () => {
  forAll({ lead: leading, d: from(1, 8), seed: seeds }, ({ lead, d, seed }) => {
    const layer = weighted(new LayerNorm(d), seed);
    const x = randomTensor([...lead, d], seed, (v) => 3 * v);
    expectClose(
      valuesOf(layer.forward(x)),
      rowwise(x, (row) => norm(weightsOf(layer), row)),
      1e-13,
    );
  });
});

test("[norm.affine] layer norm is invariant to scale and shift of a row of large variance", () => {
  const layer = weighted(new LayerNorm(6), 1);
  const x = randomTensor([4, 6], 2, (v) => 1e4 * v);
  const moved = tensor(
    "a d",
    [4, 6],
    valuesOf(x).map((v) => 3 * v + 777),
  );
  expectClose(valuesOf(layer.forward(moved)), valuesOf(layer.forward(x)), 1e-11);
});

test("[norm.epsilon] epsilon is 1e-5, inside the root: a constant row becomes the bias, and a row of small variance stays small", () => {
  const layer = weighted(new LayerNorm(4), 3);
  expect(valuesOf(layer.forward(tensor("a d", [[7, 7, 7, 7]])))).toEqual(valuesOf(layer.bias as Tensor));
  const sigma = Math.sqrt(1e-5); // as large as ε: the row is divided by √2 σ
  const quiet = new LayerNorm(2).forward(tensor("a d", [[sigma, -sigma]]));
  expectClose(valuesOf(quiet), [Math.SQRT1_2, -Math.SQRT1_2], 1e-14);
  const quieter = new LayerNorm(2).forward(tensor("a d", [[1e-8, -1e-8]]));
  expectClose(valuesOf(quieter), [1e-8 / sigma, -1e-8 / sigma], 1e-10);
});

test("[norm.biased-variance] the variance divides by n", () => {
  const y = new LayerNorm(3).forward(tensor("a d", [[1, 2, 6]])); // σ² = 14/3; by n − 1 it would be 7
  const sigma = Math.sqrt(14 / 3 + 1e-5);
  expectClose(valuesOf(y), [-2 / sigma, -1 / sigma, 3 / sigma], 1e-15);
});

test("[norm.beta] PaLM's layer norm has a scale, and a bias that is a buffer of zeros", () => {
  const fresh = new PaLMLayerNorm(3);
  expect([...stateDict(fresh).keys()]).toEqual(["gamma", "beta"]);
  expect(parameterNames(fresh)).toEqual(["gamma"]);
  expect([valuesOf(fresh.gamma), valuesOf(fresh.beta)]).toEqual([
    [1, 1, 1],
    [0, 0, 0],
  ]);
  forAll({ lead: leading, d: from(1, 8), seed: seeds }, ({ lead, d, seed }) => {
    const layer = weighted(new PaLMLayerNorm(d), seed);
    const x = randomTensor([...lead, d], seed, (v) => 3 * v);
    const [gain, bias] = [valuesOf(layer.gamma), valuesOf(layer.beta)];
    expectClose(
      valuesOf(layer.forward(x)),
      rowwise(x, (row) => layerNorm(gain, bias, row)),
      1e-13,
    );
  });
});

test("[ffw.order] the feed-forward equals the loop", () => {
  forAll({ l: from(1, 4), dim: from(1, 6), mult: from(1, 4), seed: seeds }, ({ l, dim, mult, seed }) => {
    const layer = weighted(new FeedForward({ dim, mult }), seed);
    const x = randomTensor<"l d">([l, dim], seed, (v) => 4 * v);
    expectNear(layer.forward(x), feedForward(weightsOf(layer), list<Vec>(x)));
  });
  expect([...stateDict(new FeedForward({ dim: 2 })).keys()]).toEqual([
    "0.weight",
    "0.bias",
    "1.weight",
    "3.weight",
  ]);
});

test("[ffw.order] replay equals eager", async () => {
  const layer = weighted(new FeedForward({ dim: 4 }), 5);
  const x = randomTensor<"b l d">([2, 3, 4], 6);
  await replayEqualsEager(() => layer.forward(x), { model: layer, inputs: { x } });
});

test("[ffw.inner] the inner width is dim · mult, rounded down", () => {
  for (const [dim, mult, inner] of [
    [10, 1.25, 12],
    [7, 1.5, 10],
    [5, 4, 20],
  ] as const)
    expect(new FeedForward({ dim, mult })[1].weight.shape).toEqual([inner, dim]);
  expect(new FeedForward({ dim: 3 })[1].weight.shape).toEqual([12, 3]);
});

const fates = fc.constantFrom("zero", "uniform", "nan");
/** The attention of random q, k and v under a random mask, and the result of the loop. */
const attending = { b: from(1, 2), l: from(1, 5), s: from(1, 5), k: from(1, 4), empty: fates, seed: seeds };
type Attending = {
  b: number;
  l: number;
  s: number;
  k: number;
  empty: "zero" | "uniform" | "nan";
  seed: number;
};
class Owner {}
function attend({ b, l, s, k, empty, seed }: Attending, masked: boolean, zeroed = false) {
  const q = randomTensor<"b l k">([b, l, k], seed, (v) => 2 * v);
  const keys = randomTensor<"b s k">([b, s, k], seed + 1, (v) => 2 * v);
  const values = randomTensor<"b s k">([b, s, k], seed + 2);
  const mayAttend = masked ? randomMask([b, l, s], seed) : null;
  const next = numbers(seed + 3);
  const rows = Array.from({ length: b * l }, () => Number(next() > 0));
  const postSoftmaxMask = zeroed
    ? new Bool<Any>(
        [b, l, s],
        Uint8Array.from({ length: b * l * s }, (_, i) => rows[Math.floor(i / s)] ?? 0),
      )
    : null;
  const owner = new Owner();
  const f = () => attention(owner, q, keys, values, { mayAttend, emptyRow: empty, postSoftmaxMask });
  const may = mayAttend && list<readonly Vec[]>(mayAttend);
  const loop = () =>
    list<Mat>(q).map((queries, p) =>
      attentionLoop(
        queries.map((query) => query.map((v) => v * Math.sqrt(k))), // the caller scales q
        list<Mat>(keys)[p] ?? [],
        list<Mat>(values)[p] ?? [],
        {
          allowed: (i, j) => may?.[p]?.[i]?.[j] !== 0,
          empty,
          zeroed: (i) => zeroed && rows[p * l + i] === 0,
        },
      ),
    );
  return { q, keys, values, mayAttend, postSoftmaxMask, f, loop, taps: () => tapsOf(owner, f) };
}

test("[attention.values] attention without a mask equals the loop", () => {
  forAll(attending, (config) => {
    const { f, loop } = attend(config, false);
    expectNear(f(), loop());
  });
});

test("[attention.scores] scores are products of queries and keys (tap scores)", () => {
  forAll(attending, (config) => {
    const { q, keys, taps } = attend(config, true);
    const expected = list<Mat>(q).map((queries, b) =>
      queries.map(
        (query) =>
          list<Mat>(keys)[b]?.map((key) => query.reduce((z, v, c) => z + v * (key[c] ?? NaN), 0)) ?? [],
      ),
    );
    const { scores } = taps();
    expectNear(scores as Tensor, expected);
  });
});

test("[attention.masked] attention equals the loop for any mask and any emptyRow", () => {
  forAll(attending, (config) => {
    const { f, loop } = attend(config, true);
    expectNear(f(), loop());
  });
});

test("[attention.masked] masked scores are −∞ and their weights exactly 0; other scores are unchanged", () => {
  forAll(attending, (config) => {
    const { mayAttend, taps } = attend({ ...config, empty: "zero" }, true);
    const { scores, "scores.masked": masked, attn } = taps();
    const may = Array.from((mayAttend as Bool).flat());
    const raw = valuesOf(scores as Tensor);
    expect(valuesOf(masked as Tensor)).toEqual(may.map((yes, i) => (yes ? raw[i] : -Infinity)));
    expect(valuesOf(attn as Tensor).map((w) => Number(w > 0))).toEqual(may);
  });
});

test("[attention.masked] without a mask there is no tap scores.masked", () => {
  const { taps } = attend({ b: 1, l: 2, s: 3, k: 2, empty: "nan", seed: 1 }, false);
  expect(Object.keys(taps())).toEqual(["scores", "attn", "out"]);
});

test("[attention.post-softmax-mask] rows that postSoftmaxMask excludes have no weight, for any emptyRow", () => {
  forAll(attending, (config) => {
    const { f, loop, postSoftmaxMask, taps } = attend(config, true, true);
    expectNear(f(), loop());
    const attn = valuesOf(taps().attn as Tensor);
    const kept = Array.from((postSoftmaxMask as Bool).flat());
    expect(attn.every((w, i) => kept[i] === 1 || w === 0)).toBe(true);
  });
});

test("[attention.values] replay equals eager", async () => {
  const { f } = attend({ b: 2, l: 3, s: 4, k: 2, empty: "uniform", seed: 9 }, true, true);
  await replayEqualsEager(f);
});

const BIAS_AXES = [["b", "l", "s"], ["l", "s"], ["b", "", "s"], ["b", "l", ""], ["s"], []];

/** Attention with a bias on some of the axes [b l s], values of width e, and the result of the loop. */
function attendWithBias(axes: readonly string[], seed: number) {
  const [b, l, s, k, e] = [2, 3, 4, 2, 5];
  const q = randomTensor<"b l k">([b, l, k], seed);
  const keys = randomTensor<"b s k">([b, s, k], seed + 1);
  const values = randomTensor<"b s e">([b, s, e], seed + 2);
  const bias = randomTensor(
    axes.map((name) => ({ b, l, s })[name] ?? 1),
    seed + 3,
    (x) => 2 * x,
  );
  const mayAttend = randomMask([b, l, s], seed);
  const owner = new Owner();
  const options = { mayAttend, emptyRow: "uniform", bias } as const;
  const f = (): Tensor<"b l e"> => attention(owner, q, keys, values, options);
  const added = (at: Readonly<Record<string, number>>) => {
    let element: unknown = list<unknown>(bias);
    for (const name of axes) element = (element as unknown[])[at[name] ?? 0];
    return element as number;
  };
  const may = list<readonly Vec[]>(mayAttend);
  const loop = () =>
    list<Mat>(q).map((queries, p) =>
      attentionLoop(
        queries.map((query) => query.map((x) => x * Math.sqrt(k))), // the caller scales q
        list<Mat>(keys)[p] ?? [],
        list<Mat>(values)[p] ?? [],
        {
          allowed: (i, j) => may[p]?.[i]?.[j] !== 0,
          empty: "uniform",
          zeroed: () => false,
          bias: (i, j) => added({ b: p, l: i, s: j }),
        },
      ),
    );
  return { f, loop, taps: () => tapsOf(owner, f), inputs: { q, keys, values, bias }, options };
}

test.each(BIAS_AXES)(
  "[attention.bias] [attention.values] a bias with the axes %s %s %s is added, and values have their own width",
  async (...axes) => {
    for (const seed of [1, 2, 3]) {
      const { f, loop, taps } = attendWithBias(axes, seed);
      expect(f().shape).toEqual([2, 3, 5]);
      expectNear(f(), loop());
      await replayEqualsEager(f);
      expect(Object.keys(taps())).toEqual(["scores", "scores.masked", "attn", "out"]);
    }
  },
);

test("[attention.bias] the tap scores has the products, and scores.masked the bias too", () => {
  const { taps, options } = attendWithBias(["b", "l", "s"], 4);
  const { scores, "scores.masked": masked } = taps();
  const [raw, added, may] = [
    valuesOf(scores as Tensor),
    valuesOf(options.bias),
    Array.from(options.mayAttend.flat()),
  ];
  expect(valuesOf(masked as Tensor)).toEqual(raw.map((x, i) => (may[i] ? x + Number(added[i]) : -Infinity)));
});

test.each(BIAS_AXES)("[attention.bias] a bias with the axes %s %s %s has a derivative", (...axes) => {
  const { f, inputs } = attendWithBias(axes, 5);
  vjpEqualsFiniteDifferences(f, inputs);
});

test("[attention.bias] a bias that does not expand to the scores is refused", () => {
  const [q, k] = [randomTensor<"l k">([2, 3]), randomTensor<"s k">([4, 3])];
  for (const shape of [[3], [2, 5], [1, 2, 4]]) {
    const bias = randomTensor(shape);
    const attend = () => attention(new Owner(), q, k, k, { mayAttend: null, emptyRow: "nan", bias });
    expect(attend).toThrow(`[${shape.join(" ")}] does not expand to [2 4]`);
  }
});

test("[attention.dropout] there is no scope while dropout of the weights is active", () => {
  const [q, v] = [randomTensor<"l k">([2, 3]), randomTensor<"s k">([4, 3])];
  const dropout = new Dropout(0.5);
  const f = () => attention(new Owner(), q, v, v, { mayAttend: null, emptyRow: "nan", dropout });
  expect(record(f).scopes.map(({ name }) => name)).toEqual(["attention"]);
  dropout.generator = generator(1);
  const program = record(f);
  expect(program.scopes).toEqual([]);
  expect(program.nodes.map(({ op }) => op)).toContain("where");
  dropout.generator = null;
  expect(record(f).scopes.map(({ name }) => name)).toEqual(["attention"]);
});

test("[dropout.eval] dropout returns its input in evaluation mode, and for p = 0", () => {
  const x = randomTensor([3, 4]);
  expect(new Dropout(0.9).forward(x)).toBe(x);
  const training = new Dropout(0.9);
  training.generator = generator(1);
  expect(valuesOf(training.forward(x)).filter((v) => v === 0).length).toBeGreaterThan(0);
  const none = new Dropout(0);
  none.generator = generator(1);
  expect(none.forward(x)).toBe(x);
});

test("[dropout.path] drop path keeps or drops rows of a batch, and keeps the expected value", () => {
  const x = tensor("b l", [4000, 2], new Float64Array(8000).fill(3));
  const path = new DropPath(0.25);
  expect(path.forward(x)).toBe(x);
  setTraining(path, { seed: 2 });
  const rows = list<Vec>(path.forward(x));
  // timm: x / (1 − p) where a row is kept
  expect(rows.every(([a = NaN, b = NaN]) => a === b && (a === 0 || Math.abs(a - 4) < 1e-12))).toBe(true);
  const dropped = rows.filter(([a]) => a === 0).length;
  expect(Math.abs(dropped / 4000 - 0.25)).toBeLessThan(4 * Math.sqrt((0.25 * 0.75) / 4000)); // four standard deviations
  setTraining(path, { seed: 2 });
  expect(list(path.forward(x))).toEqual(rows);
  for (const [p, value] of [
    [1, 0],
    [0, 3],
  ] as const) {
    const all = new DropPath(p);
    setTraining(all, { seed: 1 });
    expect(new Set(valuesOf(all.forward(x)))).toEqual(new Set([value]));
  }
  expect(refusal(() => new DropPath(1.5)).rule).toBe("options.values");
});

test("[dropout.generators] every dropout has its own masks, the same for the same seed", () => {
  class Pair {
    readonly first = new Dropout(0.5);
    readonly second = new Dropout(0.5);
    readonly inner = [new Dropout(0.5)];
  }
  const x = tensor("n", [64], new Float64Array(64).fill(1));
  const draw = (pair: Pair, seed: number): number[][] => {
    setTraining(pair, { seed });
    return [pair.first, pair.second, ...pair.inner].map((d) => valuesOf(d.forward(x)));
  };
  const pair = new Pair();
  const [a, b, c] = draw(pair, 1);
  expect(draw(new Pair(), 1)).toEqual([a, b, c]);
  expect(draw(pair, 1)).toEqual([a, b, c]); // train mode starts the generators again
  expect(new Set([a, b, c, ...draw(new Pair(), 2)].map(String)).size).toBe(6);
  expect(valuesOf(pair.first.forward(x))).not.toEqual(a); // a second pass draws other masks
  setTraining(pair, null);
  expect(pair.second.forward(x)).toBe(x);
});

test.each([
  ["nothing", undefined, /^setTraining: training is undefined; it must be { seed } for train mode, or null/],
  ["a number", 5, /^setTraining: training is 5; it must be { seed }/],
  ["no seed", {}, /^setTraining needs seed, a whole number/],
  [
    "a seed beyond 2^53 - 1",
    { seed: 2 ** 53 },
    /a whole number from -9,007,199,254,740,991 to 9,007,199,254,740,991/,
  ],
  ["a seed in words", { seed: "a" }, /^setTraining: seed is "a"; it must be a whole number/],
  ["another option", { seed: 1, p: 0.5 }, /^setTraining has no option "p"/],
])(
  "[options.values] train mode is refused when it is given %s, with or without a dropout",
  (_, training, words) => {
    for (const module of [new Dropout(0.5), new Linear("d -> e", 2, 2)])
      expect(() => setTraining(module, training as never)).toThrow(words);
  },
);

test("[norm.affine] an input of another width is refused, in the words of the release", () => {
  // torch 2.13: torch.nn.LayerNorm, and the LayerNorm of flamingo_palm.py
  expect(releaseMessage(shapeRefusal(() => new LayerNorm(12).forward(randomTensor([1, 4, 13]))))).toBe(
    "RuntimeError: Given normalized_shape=[12], expected input with shape [*, 12], but got input of size[1, 4, 13]",
  );
  expect(releaseMessage(shapeRefusal(() => new LayerNorm(12).forward(randomTensor([]))))).toBe(
    "RuntimeError: Given normalized_shape=[12], expected input with shape [*, 12], but got input of size[]",
  );
  expect(releaseMessage(shapeRefusal(() => new PaLMLayerNorm(12).forward(randomTensor([1, 4, 13]))))).toBe(
    "RuntimeError: Expected weight to be of same shape as normalized_shape, but got weight of shape [12] and normalized_shape = [13]",
  );
  for (const norm of [new LayerNorm(1), new RMSNorm(1), new PaLMLayerNorm(1)])
    expect(shapeRefusal(() => norm.forward(randomTensor([1, 4, 13]))).message).toContain("must be 1 wide"); // torch repeats no scale either
});

test("[embedding.rows] ids that are not integers are refused", () => {
  const layer = new Embedding("d", 5, 2);
  expect(refusal(() => layer.forward(randomTensor([2]) as never)).rule).toBe("notation.operands");
  expect(refusal(() => layer.forward([1, 2] as never)).rule).toBe("notation.operands");
  expect(releaseMessage(refusal(() => layer.forward(int("l", [5]))))).toBe(
    "IndexError: index out of range in self",
  );
});

test("[norm.biased-variance] a large mean beside a small variance, and a constant row, are normalised exactly on every backend", async () => {
  // https://github.com/ml-explore/mlx/issues/2238, https://github.com/microsoft/onnxruntime/issues/28463
  const x = tensor("b d", [[50000, 50001, 50002, 50003]]);
  const constant = tensor("b d", [1, 256], new Float64Array(256).fill(1234.5));
  // numpy: (x − x.mean()) / sqrt(x.var() + 1e-5)
  const expected = [-1.34163542, -0.44721181, 0.44721181, 1.34163542];
  for (const backend of [reference(), reference("float32"), await simd()]) {
    const normalised = await run(backend, () => normalize(x), { inputs: { x } });
    for (const [i, value] of valuesOf(normalised).entries()) expect(value).toBeCloseTo(expected[i] ?? 0, 6);
    const zero = await run(backend, () => normalize(constant), { inputs: { constant } });
    expect(valuesOf(zero).every((value) => value === 0)).toBe(true);
  }
});

test("[norm.epsilon] [norm.bias] a layer norm takes ε, and has no bias without it", () => {
  const plain = weighted(new LayerNorm(3, { epsilon: 0.5, bias: false }), 1);
  expect([...stateDict(plain).keys()]).toEqual(["weight"]);
  const [a = 0, b = 0, c = 0] = valuesOf(plain.weight);
  const root = Math.sqrt(14 / 3 + 0.5);
  const y = plain.forward(tensor("a d", [[1, 2, 6]])); // mean 3, variance 14/3
  expectClose(valuesOf(y), [(-2 * a) / root, -b / root, (3 * c) / root], 1e-15);
  expect(new LayerNorm(3, { bias: true }).bias?.shape).toEqual([3]);
});

test("[norm.rms] RMS norm equals the loop, with ε of 1e-6 unless given", () => {
  forAll({ lead: leading, d: from(1, 8), seed: seeds }, ({ lead, d, seed }) => {
    for (const epsilon of [undefined, 0.25]) {
      const layer = weighted(new RMSNorm(d, epsilon === undefined ? {} : { epsilon }), seed);
      const gain = valuesOf(layer.weight);
      const x = randomTensor([...lead, d], seed, (v) => 0.01 * v + 0.003); // the mean is not zero, and ε matters
      const expected = rowwise(x, (row) => {
        const square = row.reduce((s, v) => s + v * v, 0) / row.length;
        return row.map((v, i) => ((gain[i] ?? NaN) * v) / Math.sqrt(square + (epsilon ?? 1e-6)));
      });
      expectClose(valuesOf(layer.forward(x)), expected, 1e-13);
    }
  });
  expect([...stateDict(new RMSNorm(2)).keys()]).toEqual(["weight"]);
  expect(valuesOf(new RMSNorm(2).forward(tensor("a d", [[0, 0]])))).toEqual([0, 0]);
  // torch.nn.RMSNorm(12)(torch.randn(1, 4, 13))
  expect(releaseMessage(shapeRefusal(() => new RMSNorm(12).forward(randomTensor([1, 4, 13]))))).toBe(
    "RuntimeError: Given normalized_shape=[12], expected input with shape [*12], but got input of size[1, 4, 13]",
  );
});

test("[norm.rms] derivatives of RMS norm equal finite differences", () => {
  const x = randomTensor([2, 4]);
  vjpEqualsFiniteDifferences(() => normalize(x, { centred: false, epsilon: 0.1 }), { x }, 1e-7);
});

test("[batchnorm.evaluation] batch norm uses the stored statistics of each channel", () => {
  forAll(
    { b: from(0, 2), c: from(1, 4), h: from(1, 3), w: from(1, 3), seed: seeds },
    ({ b, c, h, w, seed }) => {
      const layer = weighted(new BatchNorm2d(c, { epsilon: 0.5 }), seed);
      layer.running_var.assign(randomTensor([c], seed, (v) => 2 + v).data);
      const [gain, bias, mean, variance] = [layer.weight, layer.bias, layer.running_mean, layer.running_var].map(valuesOf) as [
      number[], number[], number[], number[],
    ]; // biome-ignore format: one line
      const x = randomTensor<"b c h w">([b, c, h, w], seed);
      const expected = valuesOf(x).map((v, i) => {
        const k = Math.floor(i / (h * w)) % c;
        return (
          ((gain[k] ?? NaN) * (v - (mean[k] ?? NaN))) / Math.sqrt((variance[k] ?? NaN) + 0.5) +
          (bias[k] ?? NaN)
        );
      });
      expectClose(valuesOf(layer.forward(x)), expected, 1e-13);
    },
  );
  const quiet = new BatchNorm2d(1); // ε is 1e-5
  quiet.running_var.assign(tensor("c", [0]).data);
  expectClose(valuesOf(quiet.forward(tensor("b c h w", [[[[1]]]]))), [1 / Math.sqrt(1e-5)], 1e-13);
  expect(releaseMessage(shapeRefusal(() => new BatchNorm2d(3).forward(randomTensor([1, 4, 2, 2]))))).toBe(
    "RuntimeError: running_mean should contain 4 elements not 3", // torch.nn.BatchNorm2d(3)(torch.randn(1, 4, 2, 2))
  );
  expect(shapeRefusal(() => new BatchNorm2d(4).forward(randomTensor([4, 2, 2]))).message).toContain(
    "planes are [b 4 h w]",
  );
});

test("[batchnorm.evaluation] train mode is refused before anything changes", () => {
  const model = new (class Net {
    drop = new Dropout(0.5);
    layers = [new BatchNorm2d(2)];
  })();
  const error = refusal(() => setTraining(model, { seed: 1 }));
  expect(error.rule).toBe("batchnorm.evaluation");
  expect(error.message).toContain('the BatchNorm2d "layers.0" cannot be in train mode');
  expect(model.drop.generator).toBeNull();
  expect(refusal(() => setTraining(new BatchNorm2d(2), { seed: 1 })).message).toMatch(
    /^BatchNorm2d cannot be/,
  );
  setTraining(model, null);
});

test("[batchnorm.buffers] the statistics are buffers under torch's names", () => {
  const layer = new BatchNorm2d(3);
  expect([...stateDict(layer)].map(([key, t]) => [key, t.shape])).toEqual([
    ["weight", [3]],
    ["bias", [3]],
    ["running_mean", [3]],
    ["running_var", [3]],
    ["num_batches_tracked", []],
  ]);
  expect([...stateDict(layer).values()].map(valuesOf)).toEqual([
    [1, 1, 1],
    [0, 0, 0],
    [0, 0, 0],
    [1, 1, 1],
    [0],
  ]);
  expect(parameterNames(layer)).toEqual(["weight", "bias"]);
});

/** Arguments, and the values that torch 2.13.0 computes for them in float64. */
const AT = [-3, -1.5, -0.75, -0.1, 0, -1e-8, 0.1, 0.5, 1, 2.25, 5, 30];
const TANH_GELU = [
  -0.0036373920817729943, -0.10042842301976707, -0.17003944483437966, -0.04601724895456484, 0, -4.999999960105772e-9,
  0.053982751045435165, 0.34571400982514394, 0.8411919906082768, 2.222798670102711, 4.999999770820381, 30,
]; // biome-ignore format: a table
const SILU = [
  -0.14227761953270035, -0.2736382857095345, -0.24061597561845527, -0.047502081252106004, 0, -4.9999999750000005e-9,
  0.052497918747894, 0.3112296656009273, 0.7310585786300049, 2.035463703977004, 4.966535745378576, 29.999999999997197,
]; // biome-ignore format: a table
const GELU = [
  -0.00404969409489031, -0.10021080190328704, -0.16997051428265111, -0.0460172162722971, 0, -4.999999960105772e-9,
  0.053982783727702904, 0.34573123063700656, 0.841344746068543, 2.2224949365261493, 4.999998566742141, 30,
]; // biome-ignore format: a table
const TORCH: Readonly<Record<ActivationName, readonly number[]>> = {
  gelu_new: TANH_GELU, // torch.nn.functional.gelu(x, approximate="tanh")
  gelu_pytorch_tanh: TANH_GELU,
  // transformers 4.57.6, ACT2FN["gelu_fast"]
  gelu_fast: [
    -0.003637392081860591, -0.1004284230206536, -0.17003944483495903, -0.04601724895457908, 0, -4.999999960105772e-9,
    0.05398275104542092, 0.34571400982483486, 0.841191990607477, 2.2227986701022866, 4.999999770820381, 30,
  ], // biome-ignore format: a table
  // x * torch.sigmoid(1.702 * x)
  quick_gelu: [
    -0.01807130970778597, -0.10833780155292341, -0.1636099424653622, -0.04575524191638182, 0, -4.999999957450001e-9,
    0.054244758083618186, 0.35038843660638014, 0.8457957659328212, 2.202167871863396, 4.998992983732648, 30,
  ], // biome-ignore format: a table
  // torch.nn.functional.silu(x)
  silu: SILU,
  swish: SILU,
  relu: [0, 0, 0, 0, 0, 0, 0.1, 0.5, 1, 2.25, 5, 30],
  // torch.nn.functional.gelu(x)
  gelu: GELU,
  gelu_python: GELU,
};

test.each(Object.entries(TORCH))(
  "[activation.names] [activation.gelu-tanh] [activation.quick-gelu] [activation.silu] %s has torch's values",
  (name, expected) => {
    const f = activation(name as ActivationName);
    for (const [i, y] of valuesOf(f(tensor("x", AT))).entries())
      expect(Math.abs(y - (expected[i] ?? NaN))).toBeLessThanOrEqual(2e-15 * Math.max(1, Math.abs(y)));
    const [top, low, nan] = valuesOf(f(tensor("x", [Infinity, -Infinity, NaN])));
    expect([top, nan]).toEqual([Infinity, NaN]);
    if (name !== "relu") expect(low).toBeNaN(); // as in torch
  },
);

test("[activation.names] the names are those of the table, and another one is refused with the list", () => {
  expect(Object.keys(ACTIVATIONS).sort()).toEqual(Object.keys(TORCH).sort());
  for (const name of ["mish", "constructor", "", null, 3])
    expect(refusal(() => activation(name as never)).message).toContain(
      "known are gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, gelu_python, quick_gelu, silu, swish, relu",
    );
});
