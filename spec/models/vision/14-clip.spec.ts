// The executable half of 14-clip.md. The loops are those of support/oracles/vision/clip.ts. Errors: those of open_clip_torch 3.3.0,
// transformers 4.57.6 and torch 2.13.0.

import { expect, test } from "vitest";
import { releaseMessage } from "../../../src/conformance/releases/message.ts";
import { OpenClipVisionTransformer } from "../../../src/models/vision/clip/open-clip.ts";
import {
  CLIPVisionModel,
  CLIPVisionModelWithProjection,
  type CLIPVisionOptions,
  CLIPVisionTransformer,
} from "../../../src/models/vision/clip/transformers.ts";
import { stateDict } from "../../../src/nn/state-dict.ts";
import { RuleError } from "../../../src/tensor/errors.ts";
import { type Tensor, view } from "../../../src/tensor/tensor.ts";
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
import {
  type ClipShape,
  clipFeatures,
  clipPooled,
  clipStates,
  clipTokens,
  openClipWeights,
  type Plane,
} from "../../support/oracles/vision/clip.ts";
import { randomTensor } from "../../support/properties/arbitraries.ts";
import { aBatchEqualsItsRows, permutingPermutes, taken } from "../../support/properties/models.ts";
import { expectSame, replayEqualsEager, valuesOf } from "../../support/properties/programs.ts";
import { refusal } from "../../support/properties/refusals.ts";

const small = {
  imageSize: [4, 6],
  patchSize: 2,
  width: 6,
  layers: 2,
  heads: 2,
  mlpRatio: 1.5,
  outputDim: 3,
} as const;
const tower = (options: Partial<ConstructorParameters<typeof OpenClipVisionTransformer>[0]> = {}, seed = 1) =>
  weighted(new OpenClipVisionTransformer({ ...small, ...options }), seed);
const shape: ClipShape = { patch: [2, 2], layers: 2, heads: 2, act: "gelu" };
const image = (b = 2, h = 4, w = 6, c = 3): Tensor<"b c h w"> => randomTensor([b, c, h, w], 7, (v) => 2 * v);
const planes = (t: Tensor): readonly Plane[] => list<Plane>(t);

const config: CLIPVisionOptions = {
  hiddenSize: 6,
  intermediateSize: 7,
  numHiddenLayers: 2,
  numAttentionHeads: 3,
  numChannels: 2,
  imageSize: 5,
  patchSize: 2,
};
const square = (b = 2) => image(b, 5, 5, 2);
const squareShape: ClipShape = { patch: [2, 2], layers: 2, heads: 3, act: "quick_gelu" };

const sizes = {
  b: from(1, 2),
  height: from(2, 5),
  width: from(2, 7),
  p: from(1, 2),
  q: from(1, 2),
  k: from(1, 3),
  layers: from(0, 2),
  heads: from(1, 3),
  mlpRatio: from(1, 3),
  quick: from(0, 1),
  raw: from(0, 1),
  seed: seeds,
};

test("[clip.layer] [clip.first-norm] [clip.positions] open_clip's tower equals the loop, for any sizes and depth", () => {
  forAll(
    sizes,
    ({ b, height, width, p, q, k, layers, heads, mlpRatio, quick, raw, seed }) => {
      const act = quick ? "quick_gelu" : "gelu";
      const tokens = raw ? "raw" : "ln_post";
      const options = {
        imageSize: [height, width],
        patchSize: [p, q],
        width: heads * k,
        layers,
        heads,
      } as const;
      const model = weighted(
        new OpenClipVisionTransformer({ ...options, mlpRatio, outputDim: 2, act, tokens }),
        seed,
      );
      const x = image(b, height, width);
      const [w, loop] = [weightsOf(model), { patch: [p, q], layers, heads, act } as const];
      expectNear(
        model.forward(x),
        planes(x).map((one) => clipTokens(w, one, loop, tokens)),
      );
      expectNear(
        model.features(x),
        planes(x).map((one) => clipFeatures(w, one, loop)),
      );
    },
    30,
  );
});

test("[clip.layer] [clip.names] transformers' tower equals the loop on the renamed weights", () => {
  for (const hiddenAct of ["gelu", "quick_gelu"] as const)
    for (const tokens of ["raw", "ln_post"] as const) {
      const model = weighted(new CLIPVisionTransformer({ ...config, hiddenAct, tokens }), 3);
      const x = square();
      const [w, loop] = [openClipWeights(weightsOf(model)), { ...squareShape, act: hiddenAct }];
      const { lastHiddenState, poolerOutput, hiddenStates } = model.outputs(x);
      const states = planes(x).map((one) => clipStates(w, one, loop));
      expect(hiddenStates.length).toBe(3);
      for (const [i, state] of hiddenStates.entries())
        expectNear(
          state,
          states.map((one) => one[i] ?? []),
        );
      expectSame(lastHiddenState, hiddenStates[2] as Tensor);
      expectNear(
        poolerOutput,
        planes(x).map((one) => clipPooled(w, one, loop)),
      );
      expectNear(
        model.forward(x),
        planes(x).map((one) => clipTokens(w, one, loop, tokens)),
      );
    }
});

test("[clip.layer] replay equals eager", async () => {
  const [model, x] = [tower({ act: "quick_gelu", tokens: "ln_post" }), image()];
  await replayEqualsEager(() => ({ ...model.encode(x) }), { model, inputs: { x } });
});

test("[clip.attention] a batch equals its rows one by one", () => {
  const model = tower();
  aBatchEqualsItsRows((x: Tensor<"b c h w">) => model.forward(x), image(3));
  aBatchEqualsItsRows((x: Tensor<"b c h w">) => model.features(x), image(3));
});

test("[clip.attention] every token attends to every token; heads that do not divide the width are refused", () => {
  const model = tower({ layers: 1 });
  const attn = tapsOf(model, () => model.forward(image()))["transformer.resblocks.0.attn.attn"] as Tensor;
  expect(attn.shape).toEqual([2, 2, 7, 7]);
  expect(valuesOf(attn).every((w) => w > 0)).toBe(true);
  // torch 2.13 and transformers 4.57.6
  expect(releaseMessage(refusal(() => tower({ heads: 4 })))).toBe(
    "AssertionError: embed_dim must be divisible by num_heads",
  );
  expect(releaseMessage(refusal(() => new CLIPVisionTransformer({ ...config, numAttentionHeads: 4 })))).toBe(
    "ValueError: embed_dim must be divisible by num_heads (got `embed_dim`: 6 and `num_heads`: 4).",
  );
});

test("[clip.positions] without positions, patches in another order give tokens in that order", () => {
  const model = tower({ patchSize: [4, 1], imageSize: [4, 6] });
  model.positional_embedding.assign(view(new Float64Array(7 * 6), [7, 6]));
  const columnsOf = (x: Tensor) => model.forward(x as Tensor<"b c h w">);
  permutingPermutes(columnsOf, image(), 3, 1);
  const placed = tower({ patchSize: [4, 1], imageSize: [4, 6] });
  expect(() => permutingPermutes((x: Tensor<"b c h w">) => placed.forward(x), image(), 3, 1)).toThrow(
    "element",
  );
});

test("[clip.patches] rows and columns that fill no patch are left out", () => {
  const model = weighted(new CLIPVisionTransformer(config), 3); // 5 × 5 pixels, patches of 2 × 2
  expect(model.forward(square()).shape).toEqual([2, 4, 6]);
  const cut = weighted(new CLIPVisionTransformer({ ...config, imageSize: 4 }), 3);
  const inner = taken(taken(square(), 2, [0, 1, 2, 3]), 3, [0, 1, 2, 3]) as Tensor<"b c h w">;
  expectSame(cut.forward(inner), model.forward(square()));
});

test("[clip.class-token] there is one position more than patches, and no token of the class among the results", () => {
  expect(tower().positional_embedding.shape).toEqual([7, 6]);
  expect(tower().forward(image()).shape).toEqual([2, 6, 6]);
  expect(
    stateDict(new CLIPVisionTransformer(config)).get("embeddings.position_embedding.weight")?.shape,
  ).toEqual([5, 6]);
});

test("[clip.activation] [clip.tokens] the defaults are those of the packages, and raw tokens", () => {
  const w = weightsOf(tower());
  const [one] = planes(image(1));
  if (!one) throw new Error("one image");
  expectNear(tower().forward(image(1)), [clipTokens(w, one, shape, "raw")]);
  const model = weighted(new CLIPVisionTransformer(config), 3);
  const [other] = planes(square(1));
  if (!other) throw new Error("one image");
  expectNear(model.forward(square(1)), [
    clipTokens(openClipWeights(weightsOf(model)), other, squareShape, "raw"),
  ]);
});

test("[clip.pooled] [clip.projection] features are projected where there is a projection", () => {
  const x = square();
  const projected = weighted(new CLIPVisionModelWithProjection({ ...config, projectionDim: 4 }), 3);
  const plain = new CLIPVisionModel(config);
  for (const [key, t] of stateDict(plain))
    t.assign(stateDict(projected).get(key)?.data ?? view(new Float64Array(), [0]));
  expectSame(plain.features(x), projected.outputs(x).poolerOutput);
  expectSame(plain.forward(x), projected.forward(x));
  const pooled = list<readonly number[]>(plain.features(x));
  const weight = list<readonly number[]>(projected.visual_projection.weight);
  expectNear(
    projected.features(x),
    pooled.map((p) => weight.map((row) => row.reduce((sum, v, i) => sum + v * (p[i] ?? 0), 0))),
  );
});

test("[clip.size] images of other channels or sides are refused, in the packages' words where they refuse them", () => {
  const model = tower();
  const words: readonly (readonly [Tensor<"b c h w">, string, string | null])[] = [
    [
      image(1, 4, 6, 1),
      "the images are 1×4×6, but the tower is for 3×4×6",
      "RuntimeError: Given groups=1, weight of size [6, 3, 2, 2], expected input[1, 1, 4, 6] to have 3 channels, but got 1 channels instead",
    ],
    [
      image(1, 6, 6),
      "the images are 3×6×6",
      "RuntimeError: The size of tensor a (10) must match the size of tensor b (7) at non-singleton dimension 1",
    ],
    [
      image(1, 4, 4),
      "the images are 3×4×4",
      "RuntimeError: The size of tensor a (5) must match the size of tensor b (7) at non-singleton dimension 1",
    ],
    [image(1, 6, 4), "the images are 3×6×4", null], // six patches, in other places: open_clip accepts it
  ];
  for (const [x, message, released] of words) {
    const error = refusal(() => model.forward(x));
    expect(error).toBeInstanceOf(RuleError);
    expect(error.message).toContain(message);
    expect(releaseMessage(error)).toBe(released);
  }
  expect(releaseMessage(refusal(() => new CLIPVisionModel(config).forward(image(1, 4, 4, 2))))).toBe(
    "ValueError: Input image size (4*4) doesn't match model (5*5).",
  );
});
