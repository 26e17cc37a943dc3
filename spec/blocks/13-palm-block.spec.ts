import fc from "fast-check";
import { expect, test } from "vitest";
import { parallelBlock } from "../../docs/examples/flamingo-as-loops.mjs";
import { ParallelTransformerBlock, SwiGLU } from "../../src/blocks/parallel-transformer-block.ts";
import { releaseMessage } from "../../src/conformance/releases/message.ts";
import { RuleError } from "../../src/tensor/errors.ts";
import { record } from "../../src/tensor/program/record.ts";
import { type Any, flat, type Tensor, view } from "../../src/tensor/tensor.ts";
import {
  layerNorm,
  linear,
  type Mat,
  rotate as rotateLoop,
  swiglu,
  under,
  type Vec,
  vec,
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
import { randomTensor } from "../support/properties/arbitraries.ts";
import {
  aBatchEqualsItsRows,
  aPrefixGivesThePrefix,
  changedAt,
  differing,
  taken,
} from "../support/properties/models.ts";
import { expectClose, expectSame, replayEqualsEager, valuesOf } from "../support/properties/programs.ts";
import { refusal, shapeRefusal } from "../support/properties/refusals.ts";

const small = { dim: 5, heads: 2, dimHead: 4, ffMult: 2 };
const block = (options = {}, seed = 1) =>
  weighted(new ParallelTransformerBlock({ ...small, ...options }), seed);
const text = (b: number, l: number, dim = 5): Tensor<"b l d"> => randomTensor([b, l, dim], 7, (v) => 2 * v);
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sizes = {
  b: from(1, 2),
  l: from(1, 6),
  dim: from(1, 5),
  heads: from(1, 3),
  half: from(1, 3),
  seed: seeds,
};

test("[palm.parallel] the block equals the loop", () => {
  forAll(
    { ...sizes, ffMult: from(1, 3) },
    ({ b, l, dim, heads, half, ffMult, seed }) => {
      const model = weighted(new ParallelTransformerBlock({ dim, heads, dimHead: 2 * half, ffMult }), seed);
      const x = text(b, l, dim);
      const expected = list<Mat>(x).map((tokens) => parallelBlock(weightsOf(model), tokens, heads, 2 * half));
      expectNear(model.forward(x), expected);
    },
    40,
  );
});

test("[palm.parallel] replay equals eager", async () => {
  const [model, x] = [block(), text(2, 4)];
  await replayEqualsEager(() => model.forward(x), { model, inputs: { x } });
});

test("[palm.parallel] a batch equals its rows one by one", () => {
  const model = block();
  aBatchEqualsItsRows((x: Tensor<"b l d">) => model.forward(x), text(3, 4));
});

test("[palm.fused] the projection has queries, key, value and feed-forward input in this order", () => {
  const x = text(1, 3);
  const widths: readonly (readonly [string, number, number])[] = [
    ["q", 0, 8],
    ["k", 8, 12],
    ["v", 12, 16],
    ["ff", 16, 36],
  ];
  const zeroed = (parts: readonly string[]) => {
    const model = block();
    const { weight } = model.fused_attn_ff_proj;
    const values = Float64Array.from(flat(weight.data));
    for (const [name, start, end] of widths) if (parts.includes(name)) values.fill(0, start * 5, end * 5);
    weight.assign(view(values, weight.shape));
    return { model, taps: tapsOf(model, () => model.forward(x)), out: valuesOf(model.forward(x)) };
  };
  expect(block().fused_attn_ff_proj.weight.shape).toEqual([36, 5]);
  for (const part of ["q", "k"]) {
    const { taps } = zeroed([part]);
    expect(valuesOf(taps.scores as Tensor).every((v) => v === 0)).toBe(true); // the values are still there
    expect(valuesOf(taps.out as Tensor).every((v) => v !== 0)).toBe(true);
  }
  expect(valuesOf(zeroed(["v"]).taps.out as Tensor).every((v) => v === 0)).toBe(true);
  expect(zeroed(["v", "ff"]).out.every((v) => v === 0)).toBe(true);
  expect(zeroed(["v"]).out.every((v) => v !== 0)).toBe(true);
});

/** Scores of each head, from the loops: its rotated queries times the one rotated key. */
function scoresByHand(model: ParallelTransformerBlock, tokens: Mat, heads: number): Mat[] {
  const w = weightsOf(model);
  const theta = vec(w, "rotary_emb.inv_freq");
  const fused = tokens.map((x) =>
    linear(under(w, "fused_attn_ff_proj"), layerNorm(vec(w, "norm.gamma"), vec(w, "norm.beta"), x)),
  );
  const rotated = (part: number) =>
    fused.map((r, m) => rotateLoop(r.slice(4 * part, 4 * part + 4), m, theta));
  const keys = rotated(heads);
  return range(heads).map((h) =>
    rotated(h).map((q) => keys.map((k) => q.reduce((z, v, c) => z + v * (k[c] ?? NaN), 0) / 2)),
  );
}

test("[palm.rotary] [palm.multi-query] the rotated queries of every head are multiplied by the one rotated key", () => {
  const [model, x] = [block({ heads: 3 }), text(1, 4)];
  const { scores } = tapsOf(model, () => model.forward(x));
  expectNear(scores as Tensor, [scoresByHand(model, list<Mat>(x)[0] ?? [], 3)]);
});

test("[palm.multi-query] all heads share one key and one value", () => {
  const model = block({ heads: 3 });
  const { weight } = model.fused_attn_ff_proj;
  const values = Float64Array.from(flat(weight.data));
  for (let i = 0; i < 4 * 5; i++) values[i + 20] = values[i + 40] = values[i] ?? 0; // equal queries in all heads
  weight.assign(view(values, weight.shape));
  const { out, attn } = tapsOf(model, () => model.forward(text(1, 4)));
  for (const t of [out, attn] as Tensor[]) {
    expectSame(taken(t, 1, [1]), taken(t, 1, [0]));
    expectSame(taken(t, 1, [2]), taken(t, 1, [0]));
  }
});

test("[palm.rotary] a score depends on the distance of two tokens, not on their positions", () => {
  const model = block();
  const one = text(1, 1);
  const x = taken(one, 1, [0, 0, 0, 0, 0, 0]) as Tensor<"b l d">; // the same token everywhere
  const scores = list<readonly Mat[]>(tapsOf(model, () => model.forward(x)).scores as Tensor)[0] ?? [];
  for (const head of scores) {
    for (const distance of range(6)) {
      const along = range(6 - distance).map((s) => head[s + distance]?.[s] ?? NaN);
      expectClose(
        along,
        along.map(() => along[0] ?? NaN),
        1e-13,
      );
    }
    expect(Math.abs((head[1]?.[0] ?? 0) - (head[0]?.[0] ?? 0))).toBeGreaterThan(1e-3); // and it does depend on the distance
  }
});

test("[palm.causal] the output for a prefix is the prefix of the output", () => {
  const [model, x] = [block(), text(2, 6)];
  aPrefixGivesThePrefix((n) => model.forward(taken(x, 1, range(n)) as Tensor<"b l d">), 6);
});

test("[palm.causal] changing a token changes itself and later ones only", () => {
  const [model, x] = [block(), text(1, 5)];
  for (const k of range(5)) {
    const after = model.forward(changedAt(x, 1, k) as Tensor<"b l d">);
    expect(differing(model.forward(x), after)).toEqual([range(5).map((l) => l >= k)]);
  }
});

const half = fc.integer({ min: 0, max: 4 });
test("[swiglu.silu] SwiGLU equals the loop", () => {
  forAll({ half, b: from(1, 3), seed: seeds }, ({ half, b, seed }) => {
    const x = randomTensor<"b f">([b, 2 * half], seed, (v) => 8 * v);
    const expected = list<Vec>(x).map(swiglu);
    expectNear(new SwiGLU().forward(x), half === 0 ? [] : expected);
  });
});

test("[swiglu.order] the value is the first half, the gate the second", () => {
  const out = (value: number, gate: number): number => {
    const x = randomTensor<"f">([2], 1);
    x.data.data.set([value, gate]);
    return valuesOf(new SwiGLU().forward(x))[0] ?? NaN;
  };
  expect(out(5, 0)).toBe(0);
  expect(out(3, 1000)).toBe(3000); // silu of a large gate is the gate
  expect(Math.abs(out(3, -1000))).toBe(0); // and of a very negative gate 0
  expect(out(-1000, 1)).toBeCloseTo(-1000 / (1 + Math.exp(-1)), 9);
});

test("[swiglu.order] an odd number of features is refused", () => {
  const error = refusal(() => new SwiGLU().forward(randomTensor([2, 5]) as Tensor<Any>));
  // torch 2.13 on flamingo-pytorch 0.1.2; of three features it would multiply two by one
  expect([error.rule, releaseMessage(error)]).toEqual([
    "swiglu.order",
    "RuntimeError: The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 1",
  ]);
  expect(releaseMessage(refusal(() => new SwiGLU().forward(randomTensor([2, 3]) as Tensor<Any>)))).toBe(null);
});

test("[palm.empty-text] a text without tokens is refused, and a batch without texts is not", () => {
  const error = refusal(() => block().forward(text(1, 0)));
  // torch 2.13 on flamingo-pytorch 0.1.2
  expect([error.rule, releaseMessage(error)]).toEqual([
    "palm.empty-text",
    "IndexError: amax(): Expected reduction dim -1 to have non-zero size.",
  ]);
  expect(block().forward(text(0, 3)).shape).toEqual([0, 3, 5]);
});

test("[palm.parallel] a width other than the block's is refused in the words of the release", () => {
  expect(releaseMessage(shapeRefusal(() => block().forward(text(1, 2, 4))))).toBe(
    "RuntimeError: Expected weight to be of same shape as normalized_shape, but got weight of shape [5] and normalized_shape = [4]",
  );
});

test("[palm.parallel] wrong widths and unknown options are refused", () => {
  expect(() => block().forward(text(1, 2, 4))).toThrow(/in ParallelTransformerBlock: axis "d" disagrees/);
  expect(() => new ParallelTransformerBlock({ ...small, ff_mult: 2 } as never)).toThrow(RuleError);
  const scopes = record(() => block().forward(text(1, 2))).scopes.map(({ name }) => name);
  expect(scopes).toEqual(["normalize", "attention"]);
});
