// The executable half of 59-tasks.md.

import { expect, test } from "vitest";
import type { PerceiverIO } from "../../../src/models/perceiver-io/perceiver-io.ts";
import { ClassificationPerceiver } from "../../../src/models/perceiver-io/tasks/classification.ts";
import { FlowPerceiver, flow } from "../../../src/models/perceiver-io/tasks/flow.ts";
import { LanguagePerceiver } from "../../../src/models/perceiver-io/tasks/language.ts";
import { autoencode, MultiModalPerceiver } from "../../../src/models/perceiver-io/tasks/multi-modal.ts";
import { stateDict, ties } from "../../../src/nn/state-dict.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import { sumAll } from "../../../src/tensor/ops/functions.ts";
import { bool, int, sizeOf, type Tensor } from "../../../src/tensor/tensor.ts";
import { type Mat, range } from "../../support/oracles/layers.ts";
import { expectNear, nested, weighted } from "../../support/oracles/modules.ts";
import { randomTensor, reader } from "../../support/properties/arbitraries.ts";
import { expectSame, valuesOf } from "../../support/properties/programs.ts";
import { refusal } from "../../support/properties/refusals.ts";

/** Elements of all parameters, a tied one once, without the buffers of batch norms. */
function parametersOf(model: object): number {
  const tied = ties(model);
  const buffers = /running_mean$|running_var$|num_batches_tracked$/;
  return [...stateDict(model)]
    .filter(([name]) => !tied.has(name) && !buffers.test(name))
    .reduce((total, [, { shape }]) => total + sizeOf(shape), 0);
}

// Counted with torch 2.13.0 on the classes of the repository, sum(p.numel() for p in model.parameters()) and len(model.state_dict()).
test.each([
  ["LanguagePerceiver", () => new LanguagePerceiver(), 201_108_230, 459],
  ["ClassificationPerceiver, convnet", () => new ClassificationPerceiver(), 49_669_498, 143],
  [
    "ClassificationPerceiver, learned",
    () => new ClassificationPerceiver({ prepType: "LEARNED_POS_1X1CONV" }),
    63_278_824,
    142,
  ],
  [
    "ClassificationPerceiver, pixels",
    () => new ClassificationPerceiver({ prepType: "FOURIER_POS_PIXEL" }),
    49_463_603,
    137,
  ],
  ["MultiModalPerceiver", () => new MultiModalPerceiver(), 19_858_855, 183],
  ["FlowPerceiver", () => new FlowPerceiver(), 41_057_134, 426],
] as const)(
  "[perceiverio.language] [perceiverio.class-query] [perceiverio.multi-modal] %s has the source's parameters",
  (_, build, parameters, tensors) => {
    const model = build();
    expect(parametersOf(model)).toBe(parameters);
    expect(stateDict(model).size).toBe(tensors);
  },
);

test("[perceiverio.language] padding is neither read nor predicted", () => {
  const model = weighted(
    new LanguagePerceiver({
      vocabSize: 9,
      maxSeqLen: 4,
      embedDim: 8,
      numSelfAttendsPerBlock: 1,
      numLatents: 2,
      numLatentChannels: 8,
    }),
    3,
  );
  const mask = bool("b n", [[true, true, true, false]]);
  const logits = (ids: number[]) =>
    nested(model.forward(int("b n", [ids]), mask)) as unknown as readonly Mat[];
  const [one, other] = [logits([1, 2, 3, 4]), logits([1, 2, 3, 8])];
  expect(one).toEqual(other);
  expect(one[0]?.length).toBe(4);
  const without = nested(model.forward(int("b n", [[1, 2, 3, 4]]))) as unknown as readonly Mat[];
  expect(without[0]?.[0]).not.toEqual(one[0]?.[0]);
});

test("[perceiverio.classification] [perceiverio.class-query] the first of the classes' queries decides; the residual of the decoder depends on the preparation", () => {
  const sizes = {
    numClasses: 3,
    imgSize: [4, 4],
    numSelfAttendsPerBlock: 1,
    numBlocks: 1,
    numLatents: 2,
    numLatentChannels: 8,
  } as const;
  const residual = (options: object) =>
    new ClassificationPerceiver({ ...sizes, ...options }).perceiver._decoder.decoding_cross_attn.options
      .useQueryResidual;
  expect(residual({})).toBe(true);
  expect(residual({ prepType: "FOURIER_POS_PIXEL" })).toBe(true);
  expect(residual({ prepType: "LEARNED_POS_1X1CONV" })).toBe(false);
  expect(residual({ prepType: "LEARNED_POS_1X1CONV", profile: "transformers@5.18.0" })).toBe(true);
  const model = weighted(new ClassificationPerceiver({ ...sizes, prepType: "FOURIER_POS_PIXEL" }), 2);
  const picture = randomTensor<"b c h w">([1, 3, 4, 4], 1);
  const before = valuesOf(model.forward(picture));
  const queries = stateDict(model).get(
    "perceiver._output_queries.__default._position_encoding.pos_embs",
  ) as Tensor;
  expect(queries.shape).toEqual([3, 1024]);
  for (const c of range(1024)) ndArray(queries.data).set(1, c, 7);
  expect(valuesOf(model.forward(picture))).toEqual(before);
  ndArray(queries.data).set(0, 0, 7);
  expect(valuesOf(model.forward(picture))).not.toEqual(before);
});

const tiny = { imgSize: [6, 8], numLatents: 2, numLatentChannels: 16, numSelfAttendsPerBlock: 1 } as const;

test("[perceiverio.flow-size] [perceiverio.tiles] pictures of a tile's size have one tile, and other sizes are refused", () => {
  const model = weighted(new FlowPerceiver(tiny), 4);
  const [a, b] = [randomTensor<"b c h w">([1, 3, 6, 8], 1), randomTensor<"b c h w">([1, 3, 6, 8], 2)];
  expectNear(model.forward(a, b, { testMode: true, minOverlap: 2 }), nested(model.forward(a, b)));
  const large = randomTensor<"b c h w">([1, 3, 7, 8], 1);
  expect(refusal(() => model.forward(large, large)).message).toContain("7×8; the model takes 6×8");
  const low = randomTensor<"b c h w">([1, 3, 5, 9], 1);
  expect(refusal(() => model.forward(low, low, { testMode: true })).message).toContain("5×9");
  for (const minOverlap of [6, 8, -1])
    expect(refusal(() => model.forward(large, large, { testMode: true, minOverlap })).message).toContain(
      "minOverlap",
    );
});

/** A model that returns for each pixel the mean of its tile, so that tiles can be told apart. */
const meanOfTile = (h: number, w: number): PerceiverIO =>
  ({
    single: (patches: Tensor) => {
      const at = reader(patches.data);
      let mean = 0;
      for (const y of range(h)) for (const x of range(w)) mean += at(0, 0, 12, y, x) / (h * w); // channel 12: the pixel itself
      return randomTensor([1, 2, h, w], 1, () => mean);
    },
  }) as unknown as PerceiverIO;

test("[perceiverio.tiles] the flow is the mean of the tiles, weighted with the distance to their edges, for any size", () => {
  const [h, w] = [4, 6];
  for (const [height, width, overlap] of [
    [4, 6, 1],
    [5, 9, 2],
    [7, 13, 1],
    [8, 11, 3],
    [6, 7, 0],
  ] as const) {
    const picture = randomTensor<"b c h w">([1, 3, height, width], height);
    const at = reader(picture.data);
    const corners = (length: number, side: number) => {
      const found: number[] = [];
      for (let from = 0; from < length - side; from += side - overlap) found.push(from);
      return [...found, length - side];
    };
    const distance = (i: number, n: number) => Math.min(i + 1, n - i);
    const expected = (y: number, x: number): number => {
      let [sum, total] = [0, 0];
      for (const top of corners(height, h))
        for (const left of corners(width, w)) {
          if (y < top || y >= top + h || x < left || x >= left + w) continue;
          const weight = Math.min(distance(y - top, h), distance(x - left, w));
          let mean = 0;
          for (const i of range(h)) for (const j of range(w)) mean += at(0, 0, top + i, left + j) / (h * w);
          sum += weight * mean;
          total += weight;
        }
      return sum / total;
    };
    const found = reader(
      flow(meanOfTile(h, w), [h, w], [picture, picture], { testMode: true, minOverlap: overlap }).data,
    );
    for (const y of range(height))
      for (const x of range(width)) expect(Math.abs(found(0, 1, y, x) - expected(y, x))).toBeLessThan(1e-6); // weights are float32
  }
});

const video = {
  imgSize: [8, 8],
  numFrames: 2,
  numClasses: 5,
  audioSamplesPerFrame: 16,
  audioSamplesPerPatch: 4,
  numSelfAttendsPerBlock: 1,
  numLatents: 3,
  numLatentChannels: 16,
} as const;

test("[perceiverio.chunks] any number of chunks gives the same reconstruction, and the video is encoded once", () => {
  const model = weighted(new MultiModalPerceiver(video), 2);
  const [images, audio] = [
    randomTensor<"b t c h w">([1, 2, 3, 8, 8], 1),
    randomTensor<"b n 1">([1, 32, 1], 2),
  ];
  const one = model.forward(images, audio, 1);
  expect([one.image.shape, one.audio.shape, one.label.shape]).toEqual([
    [1, 2, 3, 8, 8],
    [1, 32, 1],
    [1, 5],
  ]);
  let encodings = 0;
  const { perceiver } = model;
  const encode = perceiver.encode.bind(perceiver);
  perceiver.encode = (...given) => {
    encodings++;
    return encode(...given);
  };
  const four = model.forward(images, audio, 4);
  expect(encodings).toBe(1);
  for (const part of ["image", "audio", "label"] as const) expectNear(four[part], nested(one[part]), 1e-11);
  expect(refusal(() => model.forward(images, audio, 3)).message).toContain(
    "3 chunks do not divide 128 pixels and 8 patches",
  );
  expect(refusal(() => model.forward(images, audio, 0)).message).toContain("nChunks");
});

test("[perceiverio.multi-modal] the label of the input is masked, so that it does not matter", () => {
  const model = weighted(new MultiModalPerceiver(video), 3);
  const [images, audio] = [
    randomTensor<"b t c h w">([1, 2, 3, 8, 8], 1),
    randomTensor<"b n 1">([1, 32, 1], 2),
  ];
  const latents = (label: Tensor) => model.perceiver.encode({ image: images, audio, label }).latents;
  expectSame(latents(randomTensor([1, 5], 1)), latents(randomTensor([1, 5], 2)));
  const options = { numClasses: 5, samplesPerPatch: 4, nChunks: 2 };
  expectNear(
    autoencode(model.perceiver, images, audio, options).label,
    nested(model.forward(images, audio, 2).label),
  );
  expect(valuesOf(sumAll(model.forward(images, audio, 2).image)).every(Number.isFinite)).toBe(true);
});
