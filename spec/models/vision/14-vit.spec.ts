// The executable half of 14-vit.md. The loops are those of support/oracles/vision/vit.ts.

import { expect, test } from "vitest";
import { releaseMessage } from "../../../src/conformance/releases/message.ts";
import { Extractor, ViT, type ViTOptions } from "../../../src/models/vision/vit.ts";
import { stateDict } from "../../../src/nn/state-dict.ts";
import { setTraining } from "../../../src/nn/train-mode.ts";
import { gradientOf, gradients } from "../../../src/tensor/autodiff/gradients.ts";
import { RuleError, ShapeError } from "../../../src/tensor/errors.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import { sumAll } from "../../../src/tensor/ops/functions.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import type { Program } from "../../../src/tensor/program/program.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { type Any, type Tensor, view } from "../../../src/tensor/tensor.ts";
import type { Mat } from "../../support/oracles/layers.ts";
import {
  expectNear,
  forAll,
  from,
  list,
  seeds,
  tapsOf,
  weighted,
  weightsOf,
} from "../../support/oracles/modules.ts";
import { type Image, patchEmbedding, vitScores, vitTokens } from "../../support/oracles/vision/vit.ts";
import { randomTensor } from "../../support/properties/arbitraries.ts";
import { aBatchEqualsItsRows, taken } from "../../support/properties/models.ts";
import { expectSame, replayEqualsEager, valuesOf } from "../../support/properties/programs.ts";
import { refusal } from "../../support/properties/refusals.ts";

const small: ViTOptions = {
  imageSize: [4, 6],
  patchSize: 2,
  numClasses: 3,
  dim: 5,
  depth: 2,
  heads: 2,
  mlpDim: 6,
  dimHead: 3,
  channels: 2,
};
const vit = (options: Partial<ViTOptions> = {}, seed = 1) =>
  weighted(new ViT({ ...small, ...options }), seed);
const image = (b = 2, h = 4, w = 6, c = 2): Tensor<"b c h w"> => randomTensor([b, c, h, w], 7, (v) => 2 * v);
const imagesOf = (t: Tensor): readonly Image[] => list<Image>(t);
const shape = { patch: [2, 2], depth: 2, heads: 2, pool: "cls" } as const;

const sizes = {
  b: from(1, 2),
  rows: from(1, 2),
  columns: from(1, 3),
  p: from(1, 3),
  q: from(1, 2),
  channels: from(1, 3),
  dim: from(1, 4),
  depth: from(0, 2),
  heads: from(1, 3),
  dimHead: from(1, 4),
  mean: from(0, 1),
  seed: seeds,
};

test("[vit.layers] the model equals the loop, for any sizes and depth", () => {
  forAll(
    sizes,
    ({ b, rows, columns, p, q, channels, dim, depth, heads, dimHead, mean, seed }) => {
      const imageSize = [rows * p, columns * q] as const;
      const pool = mean ? "mean" : "cls";
      const options = {
        imageSize,
        patchSize: [p, q],
        numClasses: 2,
        dim,
        depth,
        heads,
        dimHead,
        mlpDim: 3,
        channels,
        pool,
      } as const;
      const model = weighted(new ViT(options), seed);
      const x = randomTensor<"b c h w">([b, channels, ...imageSize], seed);
      const loop = { patch: [p, q], depth, heads, pool } as const;
      expectNear(
        model.embed(x),
        imagesOf(x).map((one) => vitTokens(weightsOf(model), one, loop)),
      );
      expectNear(
        model.forward(x),
        imagesOf(x).map((one) => vitScores(weightsOf(model), one, loop)),
      );
    },
    30,
  );
});

test("[vit.layers] replay equals eager", async () => {
  const [model, x] = [vit(), image()];
  await replayEqualsEager(() => model.forward(x), { model, inputs: { x } });
});

test("[vit.attend] a batch equals its rows one by one", () => {
  const model = vit();
  aBatchEqualsItsRows((x: Tensor<"b c h w">) => model.forward(x), image(3));
  aBatchEqualsItsRows((x: Tensor<"b c h w">) => model.embed(x), image(3));
});

test("[vit.attend] every token attends to every token, with scaled dot products", () => {
  const model = vit({ depth: 1 });
  const x = image();
  const taps = tapsOf(model, () => model.embed(x));
  const attn = taps["transformer.layers.0.0.attn"] as Tensor;
  expect(attn.shape).toEqual([2, 2, 7, 7]);
  expect(valuesOf(attn).every((w) => w > 0)).toBe(true);
  expectNear(
    model.embed(x),
    imagesOf(x).map((one) => vitTokens(weightsOf(model), one, { ...shape, depth: 1 })),
  );
});

test("[vit.patches] patches are flattened by rows, columns, channels and numbered from left to right, then down", () => {
  // The input of the first norm is the patches: a single 1 among zeros shows where its pixel ends up.
  const model = new ViT({ ...small, depth: 0, dim: 2 * 2 * 2, numClasses: 0, pool: "mean" });
  const eye = Float64Array.from({ length: 64 }, (_, i) => Number(i % 9 === 0));
  model.to_patch_embedding[2].weight.assign(view(eye, [8, 8]));
  model.to_patch_embedding[2].bias?.assign(view(new Float64Array(8), [8]));
  model.pos_embedding.assign(view(new Float64Array(6 * 8), [6, 8]));
  const place = (c: number, y: number, x: number): [patch: number, pixel: number] => {
    const one = randomTensor<"b c h w">([1, 2, 4, 6], 1, () => 0);
    ndArray(one.data).set(0, c, y, x, 1);
    const tokens = list<Mat>(model.embed(one))[0] ?? [];
    const patch = tokens.findIndex((token) => token.some((v) => v !== 0));
    return [patch, tokens[patch]?.findIndex((v) => v > 0) ?? -1];
  };
  expect(place(0, 0, 0)).toEqual([0, 0]);
  expect(place(1, 0, 0)).toEqual([0, 1]); // channels first,
  expect(place(0, 0, 1)).toEqual([0, 2]); // then columns,
  expect(place(0, 1, 0)).toEqual([0, 4]); // then rows
  expect(place(0, 0, 2)).toEqual([1, 0]);
  expect(place(0, 2, 0)).toEqual([3, 0]);
  expect(place(1, 3, 5)).toEqual([5, 7]);
});

test("[vit.patches] an image that cannot be divided into whole patches is refused", () => {
  expect(() => vit({ imageSize: 9, patchSize: 4 })).toThrow(RuleError);
  expect(() => vit({ imageSize: 9, patchSize: 4 })).toThrow(
    "an image of 9×9 cannot be divided into patches of 4×4",
  );
  expect(() => vit().forward(image(1, 3, 6))).toThrow(RuleError);
  expect(vit({ imageSize: [4, 6], patchSize: [4, 3] }).pos_embedding.shape).toEqual([3, 5]);
});

test("[vit.patch-embedding] the embedding of a patch is norm, linear, norm", () => {
  const [model, x] = [vit(), image()];
  const { to_patch_embedding: embedded } = tapsOf(model, () => model.embed(x));
  expectNear(
    embedded as Tensor,
    imagesOf(x).map((one) => patchEmbedding(weightsOf(model), one, [2, 2])),
  );
});

test("[vit.class-token] the class token precedes the patches; mean pooling has none", () => {
  const model = vit({ depth: 0 });
  const first = (t: Tensor) => valuesOf(taken(t, 1, [0]));
  const [one, other] = [model.embed(image(1)), model.embed(randomTensor([1, 2, 4, 6], 99))];
  expect(first(one)).toEqual(first(other)); // without layers it does not depend on the image
  expect(one.shape).toEqual([1, 7, 5]);
  const mean = vit({ pool: "mean" });
  expect(mean.cls_token.shape).toEqual([0, 5]);
  expect(mean.pos_embedding.shape).toEqual([6, 5]);
  expect(mean.embed(image(1)).shape).toEqual([1, 6, 5]);
});

test("[vit.positions] every token has a position embedding; smaller images use the first ones", () => {
  const model = vit({ depth: 0 });
  const blank = randomTensor<"b c h w">([1, 2, 4, 6], 1, () => 0);
  const tokens = list<Mat>(model.embed(blank))[0] ?? [];
  expect(new Set(tokens.slice(1).map(String)).size).toBe(6); // equal patches give different tokens
  model.pos_embedding.assign(view(new Float64Array(7 * 5), [7, 5]));
  expect(new Set((list<Mat>(model.embed(blank))[0] ?? []).slice(1).map(String)).size).toBe(1);
  const whole = vit({ depth: 1 });
  const small = image(1, 2, 4);
  expectNear(
    whole.embed(small),
    imagesOf(small).map((one) => vitTokens(firstPositions(whole, 3), one, { ...shape, depth: 1 })),
  );
});
const firstPositions = (model: ViT, n: number) => {
  const w = weightsOf(model);
  return { ...w, pos_embedding: (w.pos_embedding as Mat).slice(0, n) };
};

test("[vit.no-projection] a single head as wide as the model has no projection", () => {
  const x = image();
  const equalsTheLoop = (model: ViT, heads: number) =>
    expectNear(
      model.embed(x),
      imagesOf(x).map((one) => vitTokens(weightsOf(model), one, { ...shape, heads })),
    );
  const bare = vit({ heads: 1, dimHead: 5 });
  expect([...stateDict(bare).keys()].filter((key) => key.includes("to_out"))).toEqual([]);
  equalsTheLoop(bare, 1);
  for (const [heads, dimHead] of [
    [1, 4],
    [5, 1],
    [2, 5],
  ] as const) {
    const model = vit({ heads, dimHead });
    expect(stateDict(model).has("transformer.layers.0.0.to_out.0.weight")).toBe(true);
    equalsTheLoop(model, heads);
  }
});

test("[vit.mlp] the feed-forward has biases, and GELU between its linears", () => {
  const model = vit({ depth: 1 });
  const keys = [...stateDict(model).keys()].filter((key) => key.startsWith("transformer.layers.0.1."));
  expect(keys).toEqual(
    ["0.weight", "0.bias", "1.weight", "1.bias", "4.weight", "4.bias"].map(
      (key) => `transformer.layers.0.1.net.${key}`,
    ),
  );
  const x = image();
  expectNear(
    model.embed(x),
    imagesOf(x).map((one) => vitTokens(weightsOf(model), one, { ...shape, depth: 1 })),
  );
});

test("[vit.norm] every output token is normalised", () => {
  const model = vit();
  const ones = Float64Array.from({ length: 5 }, () => 1);
  model.transformer.norm.weight.assign(view(ones, [5]));
  model.transformer.norm.bias?.assign(view(new Float64Array(5), [5]));
  for (const tokens of list<Mat>(model.embed(image())))
    for (const token of tokens) {
      expect(Math.abs(token.reduce((a, b) => a + b, 0))).toBeLessThan(1e-12);
      expect(token.reduce((a, b) => a + b * b, 0) / 5).toBeCloseTo(1, 3);
    }
});

test("[vit.pool] scores come from the class token or from the mean of all tokens", () => {
  for (const pool of ["cls", "mean"] as const) {
    const model = vit({ pool });
    const x = image();
    expectNear(
      model.forward(x),
      imagesOf(x).map((one) => vitScores(weightsOf(model), one, { ...shape, pool })),
    );
  }
  expect(() => vit({ pool: "max" as never })).toThrow(RuleError);
  expect(() => vit({ pool: "max" as never })).toThrow('pool is "max"; it must be "cls" or "mean"');
});

test("[vit.no-classes] without classes there is no head, and forward returns the tokens", () => {
  const model = vit({ numClasses: 0 });
  expect([...stateDict(model).keys()].some((key) => key.startsWith("mlp_head"))).toBe(false);
  const out = model.forward(image());
  expect(out.shape).toEqual([2, 7, 5]);
  expectSame(out, model.embed(image()));
});

test("[vit.extractor] the extractor returns all tokens and passes no derivative", () => {
  const model = vit();
  const extractor = new Extractor(model, { returnEmbeddingsOnly: true });
  const x = image();
  expectSame(extractor.forward(x), model.embed(x));
  expect([...stateDict(extractor).keys()][0]).toBe("vit.cls_token");
  const slope = (f: () => Tensor, leaf: string, of: object) => {
    const program = record(() => ({ loss: sumAll(f()) }), { model: of, inputs: { x } });
    const derived = gradients(program, "loss", [leaf]);
    return valuesOf(evaluate(derived).outputs[gradientOf(leaf)] as Tensor);
  };
  expect(
    slope(() => extractor.forward(x), "vit.transformer.norm.bias", extractor).every((v) => v === 0),
  ).toBe(true);
  expect(slope(() => extractor.forward(x), "x", extractor).every((v) => v === 0)).toBe(true);
  expect(slope(() => model.embed(x), "transformer.norm.bias", model).every((v) => v === 14)).toBe(true);
});

/** The share of elements that each dropout of a program keeps, in order. */
const dropped = (program: Program): number[] =>
  program.nodes.flatMap(({ op, inputs, attrs }) =>
    op === "mulScalar" && program.nodes[inputs[0] ?? -1]?.op === "where"
      ? [1 / (attrs as { by: number }).by]
      : [],
  );

test("[vit.dropout] dropout is applied at five places, in training only", () => {
  const model = vit({ dropout: 0.25, embDropout: 0.5, depth: 2 });
  const x = image();
  const calm = valuesOf(model.forward(x));
  expect(dropped(record(() => model.forward(x), { model }))).toEqual([]);
  setTraining(model, { seed: 3 });
  const program = record(() => model.forward(x), { model, symbolic: true });
  const layer = [0.75, 0.75, 0.75, 0.75]; // weights, projection, hidden, result
  expect(dropped(program)).toEqual([0.5, ...layer, ...layer]);
  const shapes = program.nodes.filter(({ op }) => op === "where").map(({ shape }) => shape.join(" "));
  expect(shapes.slice(0, 5)).toEqual(["2 7 5", "2 2 7 7", "2 7 5", "2 7 6", "2 7 5"]);
  expect(valuesOf(model.forward(x))).not.toEqual(calm);
  setTraining(model, null);
  expect(valuesOf(model.forward(x))).toEqual(calm);
});

test("[vit.size] other channels and larger images are refused with both sizes", () => {
  const wrong: readonly (readonly [Tensor, string])[] = [
    [image(1, 4, 6, 3), "3×4×6"],
    [image(1, 6, 6), "2×6×6"],
    [image(1, 4, 8), "2×4×8"],
  ];
  for (const [x, given] of wrong) {
    expect(() => vit().forward(x as Tensor<Any>)).toThrow(RuleError);
    expect(() => vit().forward(x as Tensor<Any>)).toThrow(
      `the image is ${given}, but the model is for at most 2×4×6`,
    );
  }
  expect(() => vit().forward(randomTensor([2, 4, 6]) as Tensor<Any>)).toThrow(ShapeError);
});

test("[vit.size] [vit.patches] images that the release refuses are refused in its words", () => {
  const model = vit({ imageSize: 8, patchSize: 4, channels: 1 });
  // torch 2.13 on vit-pytorch 1.26.11; a null marks an image that the release accepts
  const words: readonly (readonly [number[], string | null])[] = [
    [
      [1, 3, 8, 8],
      "RuntimeError: Given normalized_shape=[16], expected input with shape [*, 16], but got input of size[1, 4, 48]",
    ],
    [
      [1, 1, 12, 8],
      "RuntimeError: The size of tensor a (7) must match the size of tensor b (5) at non-singleton dimension 1",
    ],
    [[1, 1, 6, 8], "EinopsError: Shape mismatch, can't divide axis of length 6 in chunks of 4"],
    [[1, 1, 8, 6], "EinopsError: Shape mismatch, can't divide axis of length 6 in chunks of 4"],
    [[1, 1, 4, 12], null],
    [[1, 1, 4, 16], null], // as many patches as the model has
  ];
  for (const [size, message] of words)
    expect(releaseMessage(refusal(() => model.forward(randomTensor(size) as Tensor<Any>)))).toBe(message);
  expect(releaseMessage(refusal(() => vit({ imageSize: 9, patchSize: 4 })))).toBe(
    "AssertionError: Image dimensions must be divisible by the patch size.",
  );
});
