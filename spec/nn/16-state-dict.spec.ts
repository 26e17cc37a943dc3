// The executable half of 16-state-dict.md. Keys and shapes come from the released packages: golden/state-dicts.json.

import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test, vi } from "vitest";
import { README_VIT, readmeFlamingo } from "../../src/bench/examples.ts";
import { GatedCrossAttentionBlock } from "../../src/blocks/gated-cross-attention-block.ts";
import { MaskedCrossAttention } from "../../src/blocks/masked-cross-attention.ts";
import { ParallelTransformerBlock } from "../../src/blocks/parallel-transformer-block.ts";
import { PerceiverAttention } from "../../src/blocks/perceiver-attention.ts";
import { PerceiverResampler } from "../../src/blocks/perceiver-resampler.ts";
import { FlamingoPaLM } from "../../src/models/flamingo/flamingo-palm.ts";
import { Extractor, ViT } from "../../src/models/vision/vit.ts";
import { Embedding } from "../../src/nn/embedding.ts";
import { FeedForward } from "../../src/nn/feed-forward.ts";
import { Linear } from "../../src/nn/linear.ts";
import { finite } from "../../src/nn/loading/finite.ts";
import { PaLMLayerNorm } from "../../src/nn/norms/layer-norm.ts";
import {
  constant,
  normal as gaussian,
  values as givenBy,
  Parameter,
  truncatedNormal,
  uniform,
  varianceScaling,
} from "../../src/nn/parameter.ts";
import { initialize, loadStateDict, parameterNames, stateDict, ties } from "../../src/nn/state-dict.ts";
import { LoadError } from "../../src/tensor/errors.ts";
import { ndArray } from "../../src/tensor/ops/elementwise.ts";
import { record } from "../../src/tensor/program/record.ts";
import { generator } from "../../src/tensor/random.ts";
import { type TensorSource, widened } from "../../src/tensor/source.ts";
import { type Any, abstractTensor, flat, Int, int, sizeOf, Tensor, view } from "../../src/tensor/tensor.ts";
import { weighted } from "../support/oracles/modules.ts";
import { randomTensor } from "../support/properties/arbitraries.ts";
import { valuesOf } from "../support/properties/programs.ts";
import { misfit } from "../support/properties/refusals.ts";

interface Entry {
  readonly parameters: number;
  readonly keys: Readonly<Record<string, readonly number[]>>;
}
const path = new URL("../../golden/state-dicts.json", import.meta.url);
const released: Readonly<Record<string, Entry>> = JSON.parse(readFileSync(path, "utf8"));

const head = { dim: 12, dimHead: 4, heads: 2 };

/** The constructor calls that the names of the entries stand for. */
const models: Readonly<Record<string, () => object>> = {
  "PerceiverResampler(dim=1024,depth=2,dim_head=64,heads=8,num_latents=64,num_media_embeds=4)": () =>
    new PerceiverResampler({ dim: 1024, depth: 2, dimHead: 64, heads: 8, numLatents: 64, numMediaEmbeds: 4 }),
  "GatedCrossAttentionBlock(dim=1024,dim_head=64,heads=8)": () =>
    new GatedCrossAttentionBlock({ dim: 1024, dimHead: 64, heads: 8 }),
  "ViT(image_size=256,patch_size=32,num_classes=1000,dim=1024,depth=6,heads=16,mlp_dim=2048)": () =>
    new ViT(README_VIT),
  "FlamingoPaLM(num_tokens=20000,dim=1024,depth=12,heads=8,dim_head=64,img_encoder=Extractor(ViT(...)),media_token_id=3,cross_attn_every=3,perceiver_num_latents=64,perceiver_depth=2)":
    readmeFlamingo,
  "FlamingoPaLM(num_tokens=30,dim=16,depth=2,heads=2,dim_head=4,img_encoder=Identity,max_video_frames=3)":
    () => new FlamingoPaLM({ numTokens: 30, dim: 16, depth: 2, heads: 2, dimHead: 4, maxVideoFrames: 3 }),
  "FlamingoPaLM(dim=12,num_tokens=9,depth=3,dim_head=8,heads=3,ff_mult=2,cross_attn_every=2,img_encoder=Identity,perceiver_num_latents=5,perceiver_depth=1)":
    () =>
      new FlamingoPaLM({
        dim: 12,
        numTokens: 9,
        depth: 3,
        dimHead: 8,
        heads: 3,
        ffMult: 2,
        crossAttnEvery: 2,
        perceiverNumLatents: 5,
        perceiverDepth: 1,
      }),
  "PerceiverAttention(dim=12,dim_head=4,heads=2)": () => new PerceiverAttention(head),
  "MaskedCrossAttention(dim=12,dim_head=4,heads=2,only_attend_immediate_media=False)": () =>
    new MaskedCrossAttention({ ...head, onlyAttendImmediateMedia: false }),
  "GatedCrossAttentionBlock(dim=12,dim_head=4,heads=2,ff_mult=1.5)": () =>
    new GatedCrossAttentionBlock({ ...head, ffMult: 1.5 }),
  "FeedForward(dim=10,mult=1.25)": () => new FeedForward({ dim: 10, mult: 1.25 }),
  "LayerNorm(dim=12)": () => new PaLMLayerNorm(12),
  "ParallelTransformerBlock(dim=12,dim_head=4,heads=2,ff_mult=3)": () =>
    new ParallelTransformerBlock({ ...head, ffMult: 3 }),
  "ViT(image_size=8,patch_size=4,num_classes=0,dim=12,depth=1,heads=2,mlp_dim=16,pool=mean,channels=1)": () =>
    new ViT({
      imageSize: 8,
      patchSize: 4,
      numClasses: 0,
      dim: 12,
      depth: 1,
      heads: 2,
      mlpDim: 16,
      pool: "mean",
      channels: 1,
    }),
  "ViT(image_size=8x12,patch_size=4x6,num_classes=3,dim=12,depth=1,heads=1,mlp_dim=16,dim_head=12)": () =>
    new ViT({
      imageSize: [8, 12],
      patchSize: [4, 6],
      numClasses: 3,
      dim: 12,
      depth: 1,
      heads: 1,
      mlpDim: 16,
      dimHead: 12,
    }),
};

const shapesOf = (model: object) => [...stateDict(model)].map(([key, t]) => [key, t.shape]);
const parameterCount = (model: object): number => {
  const state = stateDict(model);
  return parameterNames(model).reduce((n, name) => n + sizeOf(state.get(name)?.shape ?? []), 0);
};
const copy = (model: object): Map<string, Tensor> =>
  new Map(
    [...stateDict(model)].map(([key, t]) => [
      key,
      new Tensor(t.shape, view(Float64Array.from(flat(t.data)), t.shape)),
    ]),
  );
const tiny = () =>
  new FlamingoPaLM({
    dim: 4,
    numTokens: 5,
    depth: 2,
    dimHead: 2,
    heads: 2,
    perceiverNumLatents: 2,
    perceiverDepth: 1,
    crossAttnEvery: 2,
    maxVideoFrames: 2,
  });
const values = (model: object, key: string): number[] => valuesOf(stateDict(model).get(key) as Tensor);

test("[state.order] every released configuration is constructed", () => {
  expect(Object.keys(models)).toEqual(Object.keys(released));
});

describe.each(Object.entries(models))("%s", (name, make) => {
  const { keys, parameters } = released[name] ?? { keys: {}, parameters: 0 };

  test("[state.order] keys, order and shapes equal those of the source", () => {
    expect(shapesOf(make())).toEqual(Object.entries(keys));
  });

  test("[state.buffers] the number of parameters equals that of the source", () => {
    expect(parameterCount(make())).toBe(parameters);
  });
});

test("[state.order] own parameters come first, then own buffers, then children, for any order of fields", () => {
  class Shuffled {
    static readonly buffers = ["kept"];
    readonly child = new PaLMLayerNorm(2);
    readonly kept = new Parameter("d", [2], uniform(1));
    readonly first = new Parameter("d", [2], uniform(1));
    readonly absent = null;
    readonly options = { dim: 2 };
    readonly list = [new PaLMLayerNorm(1), null, new PaLMLayerNorm(1)];
    readonly second = new Parameter("d", [2], uniform(1));
  }
  const children = [
    "child.gamma",
    "child.beta",
    "list.0.gamma",
    "list.0.beta",
    "list.2.gamma",
    "list.2.beta",
  ];
  expect([...stateDict(new Shuffled()).keys()]).toEqual(["first", "second", "kept", ...children]);
});

test("[state.lazy] a model of 303 million parameters is constructed and recorded without computing a value", () => {
  const reads = vi.spyOn(Tensor.prototype, "data", "get");
  try {
    const before = performance.now();
    const model = readmeFlamingo();
    expect(performance.now() - before).toBeLessThan(300);
    expect(stateDict(model).size).toBe(224);
    expect(parameterCount(model)).toBe(303_289_328);
    const text = new Int<"b l">([4, 512], new Int32Array(4 * 512).fill(7));
    const images = abstractTensor("b m c h w", [4, 2, 3, 256, 256]);
    const program = record(() => model.forward(text, { images }), {
      model,
      inputs: { images },
      symbolic: true,
    });
    expect(program.nodes[program.outputs.out ?? -1]?.shape).toEqual([4, 512, 20000]);
    expect(program.warnings).toEqual([]);
    expect(reads).not.toHaveBeenCalled();
  } finally {
    reads.mockRestore();
  }
});

test("[state.lazy] a parameter is computed once, when it is first read", () => {
  const source = vi.fn(() => view(Float64Array.of(1, 2), [2]));
  const parameter = new Parameter("d", [2], uniform(1));
  parameter.assign(source);
  expect(source).not.toHaveBeenCalled();
  expect(valuesOf(parameter)).toEqual([1, 2]);
  expect(valuesOf(parameter)).toEqual([1, 2]);
  expect(source).toHaveBeenCalledTimes(1);
});

test("[state.lazy] a parameter that is not initialised is drawn when it is first read, once", () => {
  const initial = uniform(0.5);
  const [one, other] = [new Parameter("d", [40], initial), new Parameter("d", [40], initial)];
  const drawn = valuesOf(one);
  expect(drawn.length).toBe(40);
  expect(drawn.every((v) => Math.abs(v) <= 0.5)).toBe(true);
  expect(new Set(drawn).size).toBe(40);
  expect(valuesOf(other)).not.toEqual(drawn);
  one.release();
  expect(valuesOf(one)).toEqual(drawn);
  expect(one.initial).toBe(initial);
});

test("[state.release] released values are obtained again from the same source", () => {
  const parameter = new Parameter("d", [2], uniform(1));
  const read = vi.fn(() => view(Float64Array.of(3, 4), [2]));
  const sources = [() => {}, () => parameter.initialize(() => generator(7)), () => parameter.assign(read)];
  for (const assign of sources) {
    assign();
    const held = parameter.data;
    parameter.release();
    expect(parameter.data).not.toBe(held); // a new array: the old values were released
    expect(valuesOf(parameter)).toEqual(Array.from(flat(held)));
  }
  expect(read).toHaveBeenCalledTimes(2);
});

test("[state.float32] initial values are drawn in float32", () => {
  for (const [, t] of stateDict(initialize(tiny(), 1))) {
    expect(t.data.data).toBeInstanceOf(Float32Array);
    expect(t.data.data.length).toBe(sizeOf(t.shape));
  }
});

test("[state.buffers] buffers and second names are not parameters", () => {
  const names = parameterNames(tiny());
  const others = [...stateDict(tiny()).keys()].filter((key) => !names.includes(key));
  expect(others).toEqual([
    "layers.0.0.fn.norm.beta",
    "layers.0.0.fn.rotary_emb.inv_freq",
    "layers.1.0.fn.norm.beta",
    "layers.1.0.fn.rotary_emb.inv_freq",
    "to_logits.0.beta",
    "to_logits.1.weight",
  ]);
});

test("[state.tied] the weight of the logits is the embedding: one object, two names", () => {
  const model = tiny();
  expect(ties(model)).toEqual(new Map([["to_logits.1.weight", "token_emb.weight"]]));
  expect(model.to_logits[1].weight).toBe(model.token_emb.weight);
  expect(ties(new ParallelTransformerBlock(head))).toEqual(new Map());
});

test("[state.tied] a tied parameter is loaded from either name, or from both if they are equal", () => {
  const source = weighted(tiny(), 4);
  const table = values(source, "token_emb.weight");
  for (const without of ["to_logits.1.weight", "token_emb.weight", "neither"]) {
    const weights = copy(source);
    weights.delete(without);
    const model = tiny();
    loadStateDict(model, weights);
    expect(values(model, "token_emb.weight")).toEqual(table);
    expect(values(model, "to_logits.1.weight")).toEqual(table);
  }
  const weights = copy(source);
  ndArray((weights.get("to_logits.1.weight") as Tensor).data).set(0, 0, 17);
  expect(() => loadStateDict(tiny(), weights)).toThrow(
    '"to_logits.1.weight" is tied, but its two copies differ',
  );
});

interface Distribution {
  readonly mean: number;
  readonly std: number;
  readonly bound: number;
}
const fixed = (value: number): Distribution => ({ mean: value, std: 0, bound: value });
const normal = (std: number): Distribution => ({ mean: 0, std, bound: Infinity });
const within = (bound: number): Distribution => ({ mean: 0, std: bound / Math.sqrt(3), bound });
const norms = "(norm[a-z_]*|to_patch_embedding[.][13]|net[.]0|ff[.]0|layers[.][0-9][.]1[.]0)";
/** The distribution in torch of the first pattern that matches a key. The bound of a bias depends on the inputs of its weight. */
const distributions: readonly (readonly [RegExp, Distribution])[] = [
  [/(_gate|beta)$/, fixed(0)],
  [/gamma$/, fixed(1)],
  [new RegExp(`${norms}[.]weight$`), fixed(1)],
  [new RegExp(`${norms}[.]bias$`), fixed(0)],
  [/(token_emb|to_logits[.]1)[.]weight$/, normal(0.02)],
  [/(latents|_pos_emb|pos_embedding|cls_token)$/, normal(1)],
  [/to_patch_embedding[.]2[.]bias$/, within(192 ** -0.5)],
  [/to_out[.]0[.]bias$/, within(128 ** -0.5)],
  [/net[.]4[.]bias$/, within(96 ** -0.5)],
  [/bias$/, within(64 ** -0.5)],
];
const distributionOf = (key: string, { shape }: Tensor): Distribution =>
  distributions.find(([pattern]) => pattern.test(key))?.[1] ?? within((shape.at(-1) ?? 1) ** -0.5);
/** Every class, large enough for statistics: 62 keys, and at least 64 values for every parameter except the gates. */
const middling = () =>
  new FlamingoPaLM({
    dim: 64,
    numTokens: 200,
    depth: 2,
    dimHead: 32,
    heads: 2,
    crossAttnEvery: 2,
    perceiverNumLatents: 16,
    perceiverDepth: 1,
    maxVideoFrames: 8,
    imgEncoder: new Extractor(
      new ViT({ imageSize: 32, patchSize: 8, numClasses: 64, dim: 64, depth: 1, heads: 2, mlpDim: 96 }),
    ),
  });

test("[state.initialize] every parameter has the distribution of the source: mean, deviation, bounds", () => {
  const model = initialize(middling(), 2);
  for (const [key, t] of stateDict(model)) {
    if (key.endsWith("inv_freq")) continue;
    const x = valuesOf(t);
    const { mean, std, bound } = distributionOf(key, t);
    const average = x.reduce((a, b) => a + b, 0) / x.length;
    const deviation = Math.sqrt(x.reduce((a, b) => a + (b - average) ** 2, 0) / x.length);
    const largest = Math.max(...x.map(Math.abs));
    const slack = (4 * std) / Math.sqrt(x.length);
    expect(Math.abs(average - mean), `mean of ${key}`).toBeLessThanOrEqual(slack);
    expect(Math.abs(deviation - std), `deviation of ${key}`).toBeLessThanOrEqual(slack / Math.SQRT2);
    expect(largest, `bound of ${key}`).toBeLessThanOrEqual(bound * (1 + 2 ** -24));
    expect(largest, `reach of ${key}`).toBeGreaterThanOrEqual(bound < Infinity ? 0.9 * bound : 1.9 * std);
  }
});

test("[state.truncated] numbers beyond the bound are drawn again, so that the rest keeps the shape of the distribution", () => {
  const parameter = new Parameter("n", [100_000], truncatedNormal(2, 3));
  const values = valuesOf(parameter);
  expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(3);
  // Truncated to ±1.5 deviations, a standard normal has the variance 1 − 2·1.5·φ(1.5)/(2Φ(1.5) − 1) = 0.551524.
  const variance = values.reduce((sum, x) => sum + x * x, 0) / values.length;
  expect(Math.abs(variance / 4 - 0.551524)).toBeLessThan(0.01);
});

test("[state.truncated] [state.float32] a number that is rounded beyond the bound is drawn again", () => {
  // float32 has 0.10000000149 beside 0.1, so that 0.0999999999 is within the bound before it is stored, and not afterwards.
  const draws = [0.099_999_999_9, -0.099_999_999_9, 0.05];
  const normal = () => draws.shift() ?? Number.NaN;
  expect(truncatedNormal(1, 0.1)({ ...generator(1), normal }, 0)).toBe(Math.fround(0.05));
  expect(draws).toEqual([]);
});

test("[random.seeded] a wrong seed is refused by initialize, before a parameter is read", () => {
  for (const seed of [Number.NaN, 1.5, "7", null, undefined, 2 ** 53, -(2 ** 53)])
    expect(() => initialize(new FeedForward({ dim: 2 }), seed as never)).toThrow(
      /^a seed is a whole number from -\(2\^53 - 1\) to 2\^53 - 1, not /,
    );
});

test("[state.truncated] variance scaling has the variance scale / inputs after the truncation to two deviations", () => {
  const values = valuesOf(new Parameter("n", [100_000], varianceScaling(8, 2)));
  const variance = values.reduce((sum, x) => sum + x * x, 0) / values.length;
  expect(Math.abs(variance / (2 / 8) - 1)).toBeLessThan(0.02); // five standard errors
  // The variance of a standard normal within ±2 is 1 − 2·2·φ(2)/(2Φ(2) − 1) = 0.773741.
  const bound = 2 * Math.sqrt(2 / 8 / 0.773741);
  const largest = Math.max(...values.map(Math.abs));
  expect([largest <= bound * 1.00001, largest > 0.99 * bound]).toEqual([true, true]);
});

test("[state.initialize] the same seed gives the same model, another seed another", () => {
  const all = (seed: number) =>
    [...stateDict(initialize(tiny(), seed))].map(([key, t]) => [key, valuesOf(t)]);
  expect(all(5)).toEqual(all(5));
  const [one, other] = [all(5), all(6)];
  const same = one.flatMap(([key], i) => (String(one[i]) === String(other[i]) ? [key] : []));
  expect(
    same.every((key) => /(norm.*|gamma|beta|gate|inv_freq|\.0)(\.weight|\.bias)?$/.test(String(key))),
  ).toBe(true);
});

test("[state.initialize] the values of a parameter do not depend on other parts of the model", () => {
  const resampler = (depth: number) =>
    initialize(new PerceiverResampler({ dim: 6, depth, numLatents: 3 }), 9);
  const [less, more] = [resampler(1), resampler(2)];
  for (const key of stateDict(less).keys()) expect(values(more, key)).toEqual(values(less, key));
  expect(values(more, "layers.1.0.to_q.weight")).not.toEqual(values(more, "layers.0.0.to_q.weight"));
  const late = new PerceiverResampler({ dim: 6, depth: 1, numLatents: 3 });
  initialize(late, 9);
  valuesOf(late.norm.weight); // reading in another order
  expect(values(late, "latents")).toEqual(values(less, "latents"));
});

test("[state.initialize] a tied parameter is drawn once, under its first name", () => {
  const alone = initialize({ token_emb: new Embedding("d", 5, 4, { initial: gaussian(0.02) }) }, 5);
  expect(values(initialize(tiny(), 5), "to_logits.1.weight")).toEqual(valuesOf(alone.token_emb.weight));
});

test("[state.initialize] models that are not initialised differ from each other", () => {
  const [one, other] = [new Linear("i -> o", 4, 4), new Linear("i -> o", 4, 4)];
  expect(valuesOf(one.weight)).not.toEqual(valuesOf(other.weight));
});

test("[state.seeds] the first numbers of neighbouring seeds are unrelated, and fill their range", () => {
  const first = (seed: number): number[] =>
    valuesOf(initialize(new Linear("i -> o", 1, 4, { bias: false }), seed).weight);
  const drawn = Array.from({ length: 1500 }, (_, seed) => first(seed));
  for (const place of [0, 1, 2, 3]) {
    const x = drawn.map((row) => row[place] ?? NaN);
    const variance = x.reduce((a, v) => a + v * v, 0) / x.length;
    expect(variance).toBeCloseTo(1 / 3, 1); // of ±1, uniform
    const next = x.slice(1).reduce((a, v, i) => a + v * (x[i] ?? NaN), 0) / (x.length - 1);
    expect(Math.abs(next / variance)).toBeLessThan(0.1);
  }
  const pair = [new Linear("i -> o", 1, 4), new Linear("i -> o", 1, 4)]; // two paths under one seed
  initialize({ pair }, 1);
  const [one, other] = pair.map(({ weight }) => valuesOf(weight));
  expect(one?.filter((v) => other?.includes(v))).toEqual([]);
});

test("[state.strict] missing and unexpected weights and wrong shapes are reported in one error, and no weight is loaded", () => {
  const model = weighted(new FeedForward({ dim: 4 }), 1);
  const before = values(model, "3.weight");
  const weights = copy(weighted(new FeedForward({ dim: 4 }), 2));
  const renamed = weights.get("1.weight") as Tensor;
  weights.delete("1.weight");
  weights.set("1.wieght", renamed);
  weights.set("0.bias", randomTensor([5]));
  weights.set("something.else.entirely", renamed);
  const load = () => loadStateDict(model, weights);
  expect(load).toThrow(LoadError);
  expect(load).toThrow(
    [
      "the weights do not fit FeedForward  [state.strict]",
      "  missing:",
      "    1.weight",
      "  unexpected:",
      '    1.wieght (did you mean "1.weight"?)',
      "    something.else.entirely",
      "  wrong shape:",
      "    0.bias: the model has [4], the weights [5]",
    ].join("\n"),
  );
  expect(values(model, "3.weight")).toEqual(before);
});

test("[state.strict] [state.report] long lists are grouped and cut, and a matching state dict is loaded completely", () => {
  const source = weighted(tiny(), 7);
  const misspelt = new Map([...copy(source)].map(([key, t]) => [key.replaceAll("e", "é"), t]));
  const { message } = misfit(() => loadStateDict(tiny(), misspelt));
  expect(message).toContain('vidéo_framé_pos_émb (did you mean "video_frame_pos_emb"?)');
  const layers = [...misspelt.keys()].filter((key) => key.startsWith("layérs.")).length;
  expect(message).toContain(`all ${layers} of layérs.* (did you mean "layers.*"?)`);
  expect(message.split("\n").length).toBeLessThan(24);
  const many = new Map(Array.from({ length: 1012 }, (_, i) => [`n${i}.weight`, randomTensor([1])]));
  expect(misfit(() => loadStateDict(tiny(), many)).message).toContain("    … and 1,002 more");
  const model = tiny();
  loadStateDict(model, copy(source));
  for (const key of stateDict(model).keys()) expect(values(model, key)).toEqual(values(source, key));
});

/** The lines of the error for weights whose names are changed. */
function refusedLines(model: object, rename: (key: string) => string): string[] {
  const weights = new Map([...stateDict(model)].map(([key, t]) => [rename(key), t]));
  return misfit(() => loadStateDict(model, weights))
    .message.split("\n")
    .slice(1);
}

test("[state.prefix] a prefix or a wrapper that names share is named in one sentence, without lists", () => {
  const n = stateDict(tiny()).size;
  // https://github.com/huggingface/pytorch-image-models/pull/2003, https://github.com/facebookresearch/ijepa/issues/34,
  // https://github.com/mlfoundations/open_clip/pull/639
  const layers = [...stateDict(tiny()).keys()].filter((key) => key.startsWith("layers.")).length;
  const resampler = [...stateDict(tiny()).keys()].filter((key) =>
    key.startsWith("perceiver_resampler."),
  ).length;
  const cases: readonly (readonly [(key: string) => string, string])[] = [
    [
      (key) => `module.${key}`,
      `all ${n} names begin with "module." (from DataParallel or DistributedDataParallel) and fit`,
    ],
    [(key) => `_orig_mod.${key}`, `all ${n} names begin with "_orig_mod." (from torch.compile) and fit`],
    [(key) => `net.flamingo.${key}`, `all ${n} names begin with "net.flamingo." and fit`],
    [
      (key) => `module._orig_mod.${key}`,
      `all ${n} names begin with "module._orig_mod." (from DataParallel or DistributedDataParallel, and torch.compile) and fit`,
    ],
    [
      (key) => key.replace(/^layers\./, "layers._checkpoint_wrapped_module."),
      `${layers} of ${n} names contain "_checkpoint_wrapped_module." (from activation checkpointing) and fit`,
    ],
    [
      (key) =>
        key.replace(/^layers\.(\d)/, "layers.$1._fsdp_wrapped_module").replace("norm.", "norm.module."),
      'names contain "module." or "_fsdp_wrapped_module." (from DataParallel or DistributedDataParallel, and Fully',
    ],
    [
      (key) => key.replace("perceiver_resampler.", ""),
      `${resampler} of ${n} names lack "perceiver_resampler.", with which the model's names begin: put it in front of them`,
    ],
  ];
  for (const [rename, sentence] of cases) {
    const lines = refusedLines(tiny(), rename);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(sentence);
  }
});

test("[state.prefix] names that the prefix does not explain are listed", () => {
  const rename = (key: string) => (key === "token_emb.weight" ? "token_emd.weight" : `module.${key}`);
  const without = ([key]: [string, Tensor]) => key !== "to_logits.1.weight";
  const weights = new Map([...stateDict(tiny())].filter(without).map(([key, t]) => [rename(key), t]));
  expect(() => loadStateDict(tiny(), weights)).toThrow(
    /names begin with "module\."[\s\S]*missing:\n {4}token_emb\.weight[\s\S]*token_emd\.weight \(did you mean "token_emb\.weight"\?\)/,
  );
  // The name without the prefix is there as well, so that the prefix explains nothing.
  const both = new Map(stateDict(tiny()));
  both.set("ema.token_emb.weight", both.get("token_emb.weight") as Tensor);
  expect(() => loadStateDict(tiny(), both)).toThrow(/unexpected:\n {4}ema\.token_emb\.weight$/);
});

test("[state.strict] weights that are no map of tensors are refused", () => {
  const model = new PaLMLayerNorm(3);
  for (const wrong of [null, {}, [["gamma", 1]]])
    expect(() => loadStateDict(model, wrong as never)).toThrow("weights are a Map from names to tensors");
  const ids = new Map<string, unknown>([
    ["gamma", new Int([3], new Int32Array(3))],
    ["beta", new Tensor([3], view(new Float64Array(3), [3]))],
  ]);
  expect(() => loadStateDict(model, ids as never)).toThrow(/no floats:\n {4}gamma$/);
});

test("[state.strict] loading reads no values before their first use", () => {
  const read = vi.fn(() => view(new Float64Array(3), [3]));
  const model = new PaLMLayerNorm(3);
  loadStateDict(
    model,
    new Map<string, Tensor>([
      ["gamma", new Tensor<Any>([3], read)],
      ["beta", new Tensor<Any>([3], read)],
    ]),
  );
  expect(read).not.toHaveBeenCalled();
  valuesOf(model.gamma);
  expect(read).toHaveBeenCalledTimes(1);
});

test("[state.finite] a weight that is NaN or infinite is an error on first use, with its name and index", () => {
  for (const bad of [NaN, Infinity, -Infinity]) {
    const weights = copy(weighted(tiny(), 1));
    ndArray((weights.get("layers.0.1.attn.to_kv.weight") as Tensor).data).set(3, 2, bad);
    const model = tiny();
    loadStateDict(model, weights);
    const text = int("b l", [[0, 3, 1]]);
    expect(model.forward(text).shape).toEqual([1, 3, 5]); // cross attention is not used
    const embeds = randomTensor<"b m s d">([1, 1, 2, 4]);
    expect(() => model.forward(text, { embeds })).toThrow(LoadError);
    expect(() => model.forward(text, { embeds })).toThrow(
      `weight "layers.0.1.attn.to_kv.weight" is ${bad} at [3 2]`,
    );
  }
});

test("[state.finite] values from a source are checked in every dtype, by ranges, and once", () => {
  const bits = { bfloat16: [0x7f80, 0xff80, 0x7fc1], float16: [0x7c00, 0xfc00, 0x7e01] } as const;
  const named = [Infinity, -Infinity, NaN];
  for (const dtype of ["bfloat16", "float16"] as const)
    for (const [i, bad] of bits[dtype].entries()) {
      const all = new Uint16Array(6).fill(0x0400);
      const good = finite("w", { dtype, read: (from, to) => all.subarray(from, to) }, [2, 3]) as TensorSource;
      expect(good.read(0, 6).length).toBe(6);
      all[4] = bad;
      const source = finite(
        "w",
        { dtype, read: (from, to) => all.subarray(from, to) },
        [2, 3],
      ) as TensorSource;
      expect(source.read(0, 4).length).toBe(4);
      for (const [from, to] of [[0, 6], [4, 5], [3, 6]] as const /* biome-ignore format: one row */)
        expect(() => source.read(from, to)).toThrow(`weight "w" is ${named[i]} at [1 1]  [state.finite]`);
    }
  const read = (from: number, to: number) => Float32Array.of(1, 2, 3, 4).subarray(from, to);
  const source = finite("w", { dtype: "float32", read }, [4]) as TensorSource;
  const checks = vi.spyOn(Number, "isFinite");
  try {
    source.read(2, 3); // not the beginning: checked, and again as a part of the whole
    expect(checks).toHaveBeenCalledTimes(1);
    source.read(0, 2);
    source.read(2, 4);
    expect(checks).toHaveBeenCalledTimes(5);
    source.read(0, 4);
    expect(checks).toHaveBeenCalledTimes(5);
  } finally {
    checks.mockRestore();
  }
});

test("[state.release] a parameter keeps what it has read from a source until it is released", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const p = new Parameter("n", [3], uniform(1));
  let reads = 0;
  const read = () => {
    reads++;
    return Float32Array.of(1, 2, 3);
  };
  const afterCollection = async () => {
    expect(valuesOf(p)).toEqual([1, 2, 3]);
    for (let i = 0; i < 5; i++) {
      await new Promise((resume) => setTimeout(resume, 1));
      collect();
    }
    expect(valuesOf(p)).toEqual([1, 2, 3]);
    return reads;
  };
  p.assign({ dtype: "float32", read });
  expect(await afterCollection()).toBe(1);
  p.release();
  expect(await afterCollection()).toBe(2);
});

test("[state.release] a drawn parameter gives the same values by ranges in any order, and in 16 bits rounded ones", () => {
  for (const initial of [uniform(0.5), gaussian(0.02), constant(0.3), givenBy((i) => i / 7)]) {
    const drawnAs = (dtype: "float32" | "bfloat16" | "float16"): TensorSource => {
      const p = new Parameter("n", [200_000], initial);
      initialize({ p }, 3, { dtype });
      expect(p.dtype).toBe(dtype);
      return p.stored as TensorSource;
    };
    const source = drawnAs("float32");
    const all = source.read(0, 200_000);
    for (const [
      from,
      to,
    ] of [[150_000, 150_007], [150_007, 150_010], [3, 4], [199_999, 200_000]] as const /* biome-ignore format: one row */)
      expect(source.read(from, to)).toEqual(all.subarray(from, to));
    const patterns = new Uint32Array((all as Float32Array<ArrayBuffer>).buffer);
    const rounded = Uint16Array.from(patterns, (x) => (x + 0x7fff + ((x >>> 16) & 1)) >>> 16); // ties to even
    expect(drawnAs("bfloat16").read(0, 200_000)).toEqual(rounded);
    const halves = drawnAs("float16");
    const wide = widened(halves.read(0, 200_000), "float16");
    for (let i = 0; i < all.length; i++)
      if (Math.abs((wide[i] ?? NaN) - (all[i] ?? 0)) > Math.max(2 ** -25, Math.abs(all[i] ?? 0) * 2 ** -11))
        expect([i, wide[i]]).toEqual([i, all[i]]);
  }
});

test("[state.initialize] a model initialised in 16 bits has the rounded values of the same seed", () => {
  const [wide, short] = [new FeedForward({ dim: 8 }), new FeedForward({ dim: 8 })];
  initialize(wide, 5);
  initialize(short, 5, { dtype: "bfloat16" });
  for (const [name, t] of stateDict(short)) {
    expect(t.dtype).toBe("bfloat16");
    const exact = valuesOf(stateDict(wide).get(name) as Tensor);
    for (const [i, value] of valuesOf(t).entries())
      expect(Math.abs(value - (exact[i] ?? NaN))).toBeLessThanOrEqual(2 ** -8 * Math.abs(exact[i] ?? NaN));
  }
  expect(valuesOf(short[1].weight)).not.toEqual(valuesOf(wide[1].weight));
  expect(() => initialize(wide, 5, { dtype: "int8" as Any })).toThrow(/initialize.*dtype.*int8/s);
});

test("[state.finite] a tied weight that is NaN in both copies is reported as not finite", () => {
  const weights = copy(weighted(tiny(), 1));
  for (const key of ["token_emb.weight", "to_logits.1.weight"])
    ndArray((weights.get(key) as Tensor).data).set(4, 1, NaN);
  const model = tiny();
  loadStateDict(model, weights);
  expect(() => model.forward(int("b l", [[0]]))).toThrow('weight "token_emb.weight" is NaN at [4 1]');
});

test("[state.copy] a copy does not change with the model that it was copied from, read or unread", () => {
  for (const change of [
    (teacher: FeedForward) => void initialize(teacher, 7),
    (teacher: FeedForward) => loadStateDict(teacher, stateDict(initialize(new FeedForward({ dim: 2 }), 8))),
  ]) {
    const expected = valuesOf(initialize(new FeedForward({ dim: 2 }), 1)[1].weight);
    const teacher = initialize(new FeedForward({ dim: 2 }), 1);
    const student = new FeedForward({ dim: 2 });
    loadStateDict(student, stateDict(teacher));
    change(teacher);
    expect(valuesOf(teacher[1].weight)).not.toEqual(expected);
    expect(valuesOf(student[1].weight)).toEqual(expected);
  }
});

test("[state.copy] a model can be given its own state dict, and two models each other's", () => {
  const [one, two] = [1, 2].map((seed) => initialize(new FeedForward({ dim: 2 }), seed)) as [
    FeedForward,
    FeedForward,
  ];
  const [first, second] = [1, 2].map((seed) =>
    valuesOf(initialize(new FeedForward({ dim: 2 }), seed)[1].weight),
  );
  loadStateDict(one, stateDict(one));
  expect(valuesOf(one[1].weight)).toEqual(first);
  const copied = copy(one);
  loadStateDict(one, stateDict(two));
  loadStateDict(two, copied);
  expect([valuesOf(one[1].weight), valuesOf(two[1].weight)]).toEqual([second, first]);
});
