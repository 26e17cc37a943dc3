// The executable half of 59-processors.md. Every expected value is computed here, index by index, from the equations of the chapter.

import { expect, test } from "vitest";
import {
  AudioPostprocessor,
  ClassificationPostprocessor,
  EmbeddingPostprocessor,
  FlowPostprocessor,
  IdentityPostprocessor,
  ImagePostprocessor,
  ProjectionPostprocessor,
} from "../../../src/models/perceiver-io/postprocessors.ts";
import { AudioPreprocessor } from "../../../src/models/perceiver-io/preprocessors/audio.ts";
import { Conv2DDownsample } from "../../../src/models/perceiver-io/preprocessors/conv-stem.ts";
import { EmbeddingPreprocessor } from "../../../src/models/perceiver-io/preprocessors/embedding.ts";
import { ImagePreprocessor } from "../../../src/models/perceiver-io/preprocessors/image.ts";
import { OneHotPreprocessor } from "../../../src/models/perceiver-io/preprocessors/one-hot.ts";
import {
  depthToSpace,
  patchesForFlow,
  spaceToDepth,
} from "../../../src/models/perceiver-io/preprocessors/patches.ts";
import {
  BasicQuery,
  FlowQuery,
  FourierQuery,
  TrainableQuery,
} from "../../../src/models/perceiver-io/queries.ts";
import { Embedding } from "../../../src/nn/embedding.ts";
import { initialize, stateDict } from "../../../src/nn/state-dict.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import { int, type Tensor } from "../../../src/tensor/tensor.ts";
import { linear, type Mat, range, under, type Vec } from "../../support/oracles/layers.ts";
import {
  expectNear,
  forAll,
  from,
  nested,
  seeds,
  weighted,
  weightsOf,
} from "../../support/oracles/modules.ts";
import { fourier, placeOf } from "../../support/oracles/perceiver-io/loops.ts";
import { randomTensor, reader } from "../../support/properties/arbitraries.ts";
import { expectClose, expectSame, replayEqualsEager, valuesOf } from "../../support/properties/programs.ts";
import { refusal, shapeRefusal } from "../../support/properties/refusals.ts";

const rows = (x: Tensor): readonly Mat[] => nested(x) as unknown as readonly Mat[];
const bands = (numBands: number, maxResolution?: readonly number[]) => ({
  fourierPositionEncodingKwargs: { numBands, maxResolution },
});
/** Features are float32 numbers: three roundings of an angle of at most 5π, 3 · 2⁻²⁴ · 5π. */
const FLOAT32 = 2.9e-6;
const query = (batch: number, points: readonly number[] | null = null) => ({
  batch,
  inputs: null,
  withoutPos: null,
  points: points && int("o", points as number[]),
});

test("[perceiverio.embedding] [perceiverio.length] a token is a row of the table and the vector of its position", () => {
  const model = weighted(new EmbeddingPreprocessor({ vocabSize: 5, maxSeqLen: 3, embeddingDims: 4 }), 2);
  const ids = [
    [4, 0, 4],
    [1, 2, 3],
  ];
  const { out, withoutPos } = model.forward(int("b n", ids));
  const w = weightsOf(model);
  const [table, positions] = [w["embed.weight"] as Mat, w["input_pos_encoding.pos_embs"] as Mat];
  expectNear(
    withoutPos,
    ids.map((row) => row.map((id) => table[id] ?? [])),
  );
  expectNear(
    out,
    ids.map((row) => row.map((id, n) => (table[id] ?? []).map((x, c) => x + (positions[n]?.[c] ?? 0)))),
  );
  expect(shapeRefusal(() => model.forward(int("b n", [[1, 2]]))).message).toContain(
    "every text has maxSeqLen, 3, tokens",
  );
  expect(refusal(() => model.forward(int("b n", [[1, 2, 5]]))).message).toContain("id 5 at position 2");
  expect(refusal(() => model.forward(randomTensor([1, 3], 1))).message).toContain("takes token ids");
});

test("[perceiverio.patches] blocks are tokens in the order frame, row, column, channel, and are put back", () => {
  const sizes = {
    t: from(1, 2),
    h: from(1, 3),
    w: from(1, 2),
    r: from(1, 2),
    s: from(1, 3),
    c: from(1, 2),
    seed: seeds,
  };
  forAll(sizes, ({ t, h, w, r, s, c, seed }) => {
    const video = randomTensor([2, t * r, c, h * s, w * s], seed);
    const at = reader(video.data);
    const blocks = { spatial: s, temporal: r };
    const tokens = spaceToDepth(video, blocks);
    const token = (b: number, n: number) => {
      const [i, y, x] = [Math.floor(n / (h * w)), Math.floor(n / w) % h, n % w];
      return range(r * s * s * c).map((v) => {
        const [dt, dy, dx, k] = [
          Math.floor(v / (s * s * c)),
          Math.floor(v / (s * c)) % s,
          Math.floor(v / c) % s,
          v % c,
        ];
        return at(b, i * r + dt, k, y * s + dy, x * s + dx);
      });
    };
    expectNear(
      tokens,
      range(2).map((b) => range(t * h * w).map((n) => token(b, n))),
    );
    const grid = randomTensor([2, t, h, w, r * s * s * c], seed);
    const back = reader(depthToSpace(grid, blocks).data);
    const cells = reader(grid.data);
    for (const n of range(t * r * h * s * w * s)) {
      const [i, y, x] = [Math.floor(n / (h * s * w * s)), Math.floor(n / (w * s)) % (h * s), n % (w * s)];
      const inside = ((i % r) * s + (y % s)) * s + (x % s);
      for (const k of range(c))
        expect(back(1, i, y, x, k)).toBe(
          cells(1, Math.floor(i / r), Math.floor(y / s), Math.floor(x / s), inside * c + k),
        );
    }
  });
  const picture = randomTensor([1, 3, 4, 6], 3);
  expect(spaceToDepth(picture, { spatial: 2, temporal: 1 }).shape).toEqual([1, 6, 12]);
  expect(depthToSpace(randomTensor([1, 2, 3, 8], 1), { spatial: 2, temporal: 1 }).shape).toEqual([
    1, 4, 6, 2,
  ]);
  const uneven = shapeRefusal(() => spaceToDepth(picture, { spatial: 4, temporal: 1 }));
  expect(uneven.message).toContain("do not divide 4×6");
});

test("[perceiverio.flow-patches] the channels of a pixel are its neighbourhood", () => {
  const frames = randomTensor<"b t c h w">([1, 2, 3, 4, 5], 6);
  const [at, made] = [reader(frames.data), reader(patchesForFlow(frames).data)];
  for (const t of [0, 1])
    for (const y of range(4))
      for (const x of range(5))
        for (const v of range(27)) {
          const [dy, dx, c] = [Math.floor(v / 9) - 1, (Math.floor(v / 3) % 3) - 1, v % 3];
          const isInside = y + dy >= 0 && y + dy < 4 && x + dx >= 0 && x + dx < 5;
          expect(made(0, t, v, y, x)).toBe(isInside ? at(0, t, c, y + dy, x + dx) : 0);
        }
});

test("[perceiverio.pixels] [perceiverio.grid] [perceiverio.concat-or-add] [perceiverio.fourier] [perceiverio.image] pixels have Fourier features of their place", () => {
  const model = new ImagePreprocessor({
    imgSize: [5, 4],
    prepType: "pixels",
    spatialDownsample: 2,
    ...bands(2, [7, 9]),
  });
  const x = randomTensor([2, 3, 5, 4], 1);
  const at = reader(x.data);
  const grid = range(3).flatMap((y) => range(2).map((column) => [y, column] as const)); // ⌈5/2⌉ × 2
  const features = grid.map(([y, column]) => fourier([placeOf(y, 3), placeOf(column, 2)], 2, [7, 9]));
  const pixels = (b: number) => grid.map(([y, column]) => range(3).map((c) => at(b, c, 2 * y, 2 * column)));
  const { out, withoutPos } = model.forward(x);
  expectNear(
    out,
    range(2).map((b) => pixels(b).map((p, n) => [...p, ...(features[n] ?? [])])),
    FLOAT32,
  );
  expectNear(withoutPos, range(2).map(pixels));
  expect(model.outputChannels).toBe(3 + 10);
  const resolution = new ImagePreprocessor({
    imgSize: [6, 4],
    prepType: "pixels",
    spatialDownsample: 2,
    ...bands(2),
  });
  const own = rows(resolution.forward(randomTensor([1, 3, 6, 4], 1)).out)[0]?.[1]?.slice(3) ?? [];
  expectClose(own, fourier([-1, 1], 2, [3, 2]), FLOAT32);
  const video = new ImagePreprocessor({
    imgSize: [4, 4],
    numFrames: 3,
    prepType: "pixels",
    spatialDownsample: 2,
    temporalDownsample: 2,
    inputChannels: 1,
    ...bands(1),
  });
  const frames = randomTensor([1, 3, 1, 4, 4], 3);
  const frame = reader(frames.data);
  const places = range(8).map(
    (n) => [2 * Math.floor(n / 4), 2 * (Math.floor(n / 2) % 2), 2 * (n % 2)] as const,
  );
  expectNear(video.forward(frames).withoutPos, [places.map(([t, y, column]) => [frame(0, t, 0, y, column)])]);
});

test("[perceiverio.conv1x1] [perceiverio.projector] [perceiverio.trainable] a convolution of single pixels, with projected learned positions", () => {
  const model = weighted(
    new ImagePreprocessor({
      imgSize: [4, 6],
      prepType: "conv1x1",
      spatialDownsample: 2,
      numChannels: 5,
      positionEncodingType: "TRAINABLE",
      trainablePositionEncodingKwargs: { numChannels: 3 },
      projectPosDim: 4,
    }),
    4,
  );
  const x = randomTensor([1, 3, 4, 6], 1);
  const [at, w] = [reader(x.data), weightsOf(model)];
  const weight = w["convnet_1x1.weight"] as unknown as readonly Mat[];
  const bias = w["convnet_1x1.bias"] as Vec;
  const expected = range(6).map((n) => {
    const pixel = range(3).map((c) => at(0, c, 2 * Math.floor(n / 3), 2 * (n % 3)));
    const features = weight.map((filter, o) =>
      pixel.reduce(
        (sum, v, c) => sum + v * ((filter as unknown as readonly Mat[])[c]?.[0]?.[0] ?? 0),
        bias[o] ?? 0,
      ),
    );
    const position = (w["_positional_encoding._base_position_encoding.pos_embs"] as Mat)[n] ?? [];
    return [...features, ...linear(under(w, "_positional_encoding._projector"), position)];
  });
  expectNear(model.forward(x).out, [expected]);
  const options = { imgSize: [4, 4], prepType: "conv1x1", temporalDownsample: 2, ...bands(1) } as const;
  expect(refusal(() => new ImagePreprocessor(options)).message).toContain("temporalDownsample is 1, not 2");
});

test("[perceiverio.stem] the stem is convolution, norm, ReLU and maximum with SAME padding, frame by frame", () => {
  const model = weighted(new Conv2DDownsample({ inChannels: 2, numChannels: 3 }), 3);
  const norm = model.norms?.[0];
  norm?.running_var.assign(randomTensor([3], 5, (v) => 1 + v / 2).data);
  for (const [h, wide] of [
    [8, 8],
    [9, 6],
    [5, 7],
  ] as const) {
    const x = randomTensor<"b c h w">([1, 2, h, wide], h);
    const [at, weight] = [reader(x.data), reader(model.convs[0]?.weight.data as never)];
    const before = (n: number, size: number) =>
      Math.floor(Math.max((Math.ceil(n / 2) - 1) * 2 + size - n, 0) / 2);
    const [rowsOut, columnsOut] = [Math.ceil(h / 2), Math.ceil(wide / 2)];
    const value = (t: Tensor | undefined, o: number) => valuesOf(t as Tensor)[o] ?? Number.NaN;
    const activated = (o: number, y: number, column: number): number => {
      let sum = 0;
      for (const c of range(2))
        for (const dy of range(7))
          for (const dx of range(7)) {
            const [i, j] = [2 * y + dy - before(h, 7), 2 * column + dx - before(wide, 7)];
            if (i >= 0 && i < h && j >= 0 && j < wide) sum += at(0, c, i, j) * weight(o, c, dy, dx);
          }
      const centred = (sum - value(norm?.running_mean, o)) / Math.sqrt(value(norm?.running_var, o) + 1e-5);
      return Math.max(0, centred * value(norm?.weight, o) + value(norm?.bias, o));
    };
    const pooled = (o: number, y: number, column: number): number => {
      const window = range(9).map((n) => {
        const [i, j] = [
          2 * y + Math.floor(n / 3) - before(rowsOut, 3),
          2 * column + (n % 3) - before(columnsOut, 3),
        ];
        return i >= 0 && i < rowsOut && j >= 0 && j < columnsOut ? activated(o, i, j) : 0;
      });
      return Math.max(...window);
    };
    const [down, across] = [Math.ceil(rowsOut / 2), Math.ceil(columnsOut / 2)];
    expectNear(model.forward(x), [
      range(3).map((o) => range(down).map((y) => range(across).map((c) => pooled(o, y, c)))),
    ]);
  }
  const stem = { imgSize: [8, 8], numFrames: 2, prepType: "conv", numChannels: 3, ...bands(1) } as const;
  const video = weighted(new ImagePreprocessor(stem), 2);
  const frames = randomTensor([1, 2, 3, 8, 8], 4);
  const [first, second] = [0, 1].map((t) => reader(frames.data) && randomFrame(frames, t));
  const alone = [first, second].map((frame) => video.convnet?.forward(frame as Tensor) as Tensor);
  const tokens = rows(video.forward(frames).withoutPos)[0] ?? [];
  for (const [t, planes] of alone.entries())
    for (const n of range(4))
      expect(tokens[4 * t + n]).toEqual(
        range(3).map((c) => reader(planes.data)(0, c, Math.floor(n / 2), n % 2)),
      );
});

/** One frame of a video, as planes. */
function randomFrame(frames: Tensor, t: number): Tensor {
  const at = reader(frames.data);
  const frame = randomTensor([1, ...frames.shape.slice(2)], 1);
  for (const c of range(3))
    for (const y of range(8))
      for (const x of range(8)) ndArray(frame.data).set(0, c, y, x, at(0, t, c, y, x));
  return frame;
}

test("[perceiverio.stem] two layers make a sixteenth, other factors are refused, and transformers' stem has other paddings", () => {
  const options = { imgSize: [16, 32], prepType: "conv", numChannels: 2, ...bands(1) } as const;
  const two = new ImagePreprocessor({ ...options, spatialDownsample: 16, conv2dUseBatchnorm: false });
  expect(two.forward(randomTensor([1, 3, 16, 32], 1)).out.shape).toEqual([1, 2, 2 + 6]);
  expect([...stateDict(two).keys()]).toEqual(["convnet.convs.0.weight", "convnet.convs.1.weight"]);
  expect(stateDict(two).get("convnet.convs.1.weight")?.shape).toEqual([2, 2, 7, 7]);
  for (const spatialDownsample of [2, 8])
    expect(refusal(() => new ImagePreprocessor({ ...options, spatialDownsample })).message).toContain(
      "a power of four",
    );
  const planes = randomTensor<"b c h w">([1, 3, 224, 224], 2);
  const size = (profile: "perceiver-io@64947cf" | "transformers@5.18.0") =>
    new Conv2DDownsample({ numChannels: 1, profile }).forward(planes).shape.slice(2);
  expect(size("perceiver-io@64947cf")).toEqual([56, 56]);
  expect(size("transformers@5.18.0")).toEqual([55, 55]); // 112 rows, and 55 whole windows of three with step 2
});

test("[perceiverio.after-patches] [perceiverio.extra-layers] a layer after blocks, and layers that deepen the positions", () => {
  const model = weighted(
    new ImagePreprocessor({
      imgSize: [4, 2],
      prepType: "patches",
      spatialDownsample: 2,
      convAfterPatching: true,
      numChannels: 5,
      nExtraPosMlp: 2,
      positionEncodingType: "TRAINABLE",
      trainablePositionEncodingKwargs: { numChannels: 3 },
    }),
    3,
  );
  const x = randomTensor([1, 3, 4, 2], 2);
  const w = weightsOf(model);
  const blocks = rows(spaceToDepth(x, { spatial: 2, temporal: 1 }))[0] ?? [];
  const deeper = (p: Vec, i: number) =>
    linear(under(w, `_extra_pos_mlps.${i}`), p).map((v, c) => v + (p[c] ?? 0));
  const expected = blocks.map((block, n) => {
    const position = (w["_positional_encoding.pos_embs"] as Mat)[n] ?? [];
    const twice = deeper(
      deeper(position, 0).map((v) => Math.max(0, v)),
      1,
    );
    return [...linear(under(w, "_conv_after_patch_layer"), block), ...twice];
  });
  expectNear(model.forward(x).out, [expected]);
});

test("[perceiverio.concat-or-add] added positions need as many channels", () => {
  const options = (numChannels: number) =>
    ({
      samplesPerBatch: 6,
      samplesPerPatch: 3,
      concatOrAddPos: "add",
      positionEncodingType: "TRAINABLE",
      trainablePositionEncodingKwargs: { numChannels },
    }) as const;
  const model = weighted(new AudioPreprocessor(options(3)), 2);
  const x = randomTensor([1, 6, 1], 1);
  const positions = weightsOf(model)["_positional_encoding.pos_embs"] as Mat;
  const samples = valuesOf(x);
  expectNear(model.forward(x).out, [
    range(2).map((n) => range(3).map((i) => (samples[3 * n + i] ?? 0) + (positions[n]?.[i] ?? 0))),
  ]);
  expect(model.outputChannels).toBe(3);
  expect(refusal(() => new AudioPreprocessor(options(4))).message).toContain(
    "positions of 4 channels to features of 3",
  );
});

test("[perceiverio.audio] tokens are consecutive samples", () => {
  const model = new AudioPreprocessor({ samplesPerBatch: 8, samplesPerPatch: 2, ...bands(3) });
  const x = randomTensor([2, 8, 1], 4);
  const samples = rows(x);
  const expected = range(2).map((b) =>
    range(4).map((n) => [
      ...range(2).map((i) => samples[b]?.[2 * n + i]?.[0] ?? 0),
      ...fourier([placeOf(n, 4)], 3, [4]),
    ]),
  );
  expectNear(model.forward(x).out, expected, FLOAT32);
  expect(new AudioPreprocessor({ samplesPerBatch: 192, ...bands(1) }).outputChannels).toBe(96 + 3);
  expect(
    refusal(() => new AudioPreprocessor({ samplesPerBatch: 9, samplesPerPatch: 2, ...bands(1) })).message,
  ).toContain("no multiple");
  expect(shapeRefusal(() => model.forward(randomTensor([1, 6, 1], 1))).message).toContain(
    "the sound has 6 samples",
  );
});

test("[perceiverio.one-hot] a vector is one token", () => {
  const x = randomTensor([2, 3], 1);
  const { out, withoutPos } = new OneHotPreprocessor({ inputChannels: 3 }).forward(x);
  expect(rows(out)).toEqual((nested(x) as unknown as Mat).map((r) => [r]));
  expectSame(withoutPos, out);
});

test("[perceiverio.image] [perceiverio.grid] [perceiverio.patches] other sizes, channels and frames are refused", () => {
  const model = new ImagePreprocessor({ imgSize: [4, 4], prepType: "patches", ...bands(1) });
  const message = (...shape: number[]) => shapeRefusal(() => model.forward(randomTensor(shape, 1))).message;
  expect(message(1, 3, 8, 4)).toContain("1 frames of 8×4; this module takes 1 of 4×4");
  expect(message(1, 4, 4, 4)).toContain("has 4 channels; this module takes 3");
  expect(message(1, 2, 3, 4, 4)).toContain("2 frames");
  expect(message(3, 4, 4)).toContain("a picture is b c h w and a video b t c h w");
  expect(
    refusal(() => new ImagePreprocessor({ imgSize: [6, 4], prepType: "patches", ...bands(1) })).message,
  ).toContain("blocks of 4×4 do not divide 6×4");
});

test("[perceiverio.positions] [perceiverio.trainable] [perceiverio.fourier] an encoding names the options that it needs", () => {
  const image = { imgSize: [4, 4], prepType: "pixels" } as const;
  expect(refusal(() => new ImagePreprocessor(image)).message).toContain(
    "needs fourierPositionEncodingKwargs",
  );
  expect(
    refusal(() => new ImagePreprocessor({ ...image, positionEncodingType: "TRAINABLE" })).message,
  ).toContain("needs trainablePositionEncodingKwargs");
  expect(refusal(() => new ImagePreprocessor({ ...image, ...bands(2, [4]) })).message).toContain(
    "maxResolution has 1 numbers, and the grid 2 sides",
  );
  const drawn = valuesOf(
    stateDict(initialize(new TrainableQuery({ outputIndexDims: 200, numChannels: 50 }), 2)).get(
      "_position_encoding.pos_embs",
    ) as Tensor,
  );
  const deviation = Math.sqrt(drawn.reduce((sum, v) => sum + v * v, 0) / drawn.length);
  expect(Math.abs(deviation / 0.02 - 1)).toBeLessThan(0.04);
  expect(
    stateDict(new TrainableQuery({ outputIndexDims: 2 })).get("_position_encoding.pos_embs")?.shape,
  ).toEqual([2, 128]);
});

test("[perceiverio.query] queries are positions, behind the inputs where asked for", () => {
  const learned = weighted(new TrainableQuery({ outputIndexDims: [2, 2], numChannels: 3 }), 3);
  const vectors = weightsOf(learned)["_position_encoding.pos_embs"] as Mat;
  expectNear(learned.forward(query(2)), [vectors, vectors]);
  expectNear(learned.forward(query(1, [3])), [vectors]); // learned vectors are not subsampled
  const both = new BasicQuery({
    outputIndexDims: 3,
    positionEncodingType: "FOURIER",
    ...bands(1),
    concatPreprocessedInput: true,
    preprocessedInputChannels: 2,
  });
  const withoutPos = randomTensor<"b n e">([1, 3, 2], 4);
  const expected = range(3).map((i) => [
    ...(rows(withoutPos)[0]?.[i] ?? []),
    ...fourier([placeOf(i, 3)], 1, [3]),
  ]);
  expectNear(both.forward({ ...query(1), withoutPos }), [expected], FLOAT32);
  expect(both.queryChannels).toBe(5);
  expect(new FourierQuery({ outputIndexDims: [2, 2] }).queryChannels).toBe(2 * (2 * 64 + 1));
  expect(refusal(() => both.forward(query(1))).message).toContain("belongs to a modality that has an input");
  expect(refusal(() => new BasicQuery({ positionEncodingType: "NONE" })).message).toContain(
    "set concatPreprocessedInput",
  );
  expect(
    refusal(() => new BasicQuery({ outputIndexDims: 2, concatPreprocessedInput: true })).message,
  ).toContain("needs preprocessedInputChannels");
  expect(refusal(() => new BasicQuery({ trainablePositionEncodingKwargs: {} })).message).toContain(
    "needs outputIndexDims",
  );
});

test("[perceiverio.flow-query] a query without an encoding is the token itself", () => {
  const flow = new FlowQuery({ preprocessedInputChannels: 4, outputImgSize: [1, 3] });
  const [inputs, withoutPos] = [randomTensor<"b n c">([1, 3, 4], 1), randomTensor<"b n e">([1, 3, 2], 2)];
  expectSame(flow.forward({ ...query(1), inputs, withoutPos }), inputs);
});

test("[perceiverio.points] single outputs have the places −1 + 2i/n, and none beyond the grid", () => {
  const model = new FourierQuery({ outputIndexDims: [3, 4], numBands: 2, maxResolution: [5, 6] });
  const points = [0, 5, 11, 5];
  const expected = points.map((p) =>
    fourier([-1 + (2 * Math.floor(p / 4)) / 3, -1 + (2 * (p % 4)) / 4], 2, [5, 6]),
  );
  expectNear(model.forward(query(1, points)), [expected], FLOAT32);
  const coordinates = rows(model.forward(query(1, [4])))[0]?.[0]?.slice(0, 2);
  expect(coordinates).toEqual([Math.fround(Math.fround(2 / 3) - 1), -1]);
  for (const point of [-1, 12])
    expect(shapeRefusal(() => model.forward(query(1, [point]))).message).toContain(
      `output ${point} is not among the 12`,
    );
});

test("[perceiverio.tied] logits are products with the rows of the table, which is a parameter once", () => {
  const embedding = new Embedding("c", 4, 3);
  const model = weighted(new EmbeddingPostprocessor(embedding), 2);
  const x = randomTensor<"b o c">([1, 2, 3], 1);
  const [table, bias] = [nested(embedding.weight) as unknown as Mat, nested(model.bias) as unknown as Vec];
  const logits = (rows(x)[0] ?? []).map((r) =>
    table.map((t, e) => t.reduce((sum, v, c) => sum + v * (r[c] ?? 0), bias[e] ?? 0)),
  );
  expectNear(model.forward(x), [logits]);
});

test("[perceiverio.audio-output] [perceiverio.first-output] [perceiverio.flow-scale] [perceiverio.image-output] postprocessors equal their equations", async () => {
  const x = randomTensor<"b o c">([2, 6, 4], 3);
  const sound = weighted(new AudioPostprocessor({ inChannels: 4, samplesPerPatch: 3 }), 2);
  const w = weightsOf(sound);
  expectNear(
    sound.forward(x),
    rows(x).map((r) => r.flatMap((o) => linear(under(w, "linear"), o))),
  );
  expect(new AudioPostprocessor().linear.weight.shape).toEqual([96, 1024]);
  const classes = weighted(new ClassificationPostprocessor({ numInputChannels: 4, numClasses: 3 }), 2);
  expectNear(
    classes.forward(x),
    rows(x).map((r) => linear(under(weightsOf(classes), "linear"), r[0] ?? [])),
  );
  const linearOnly = weighted(new ProjectionPostprocessor({ numInputs: 4, numOutputs: 2 }), 2);
  expectNear(
    linearOnly.forward(x),
    rows(x).map((r) => r.map((o) => linear(under(weightsOf(linearOnly), "projection"), o))),
  );
  expectSame(new IdentityPostprocessor().forward(x), x);
  const pairs = randomTensor<"b o c">([1, 6, 2], 5);
  const at = reader(pairs.data);
  expectNear(new FlowPostprocessor({ imgSize: [2, 3], flowScaleFactor: 0.5 }).forward(pairs), [
    range(2).map((c) => range(2).map((y) => range(3).map((column) => 0.5 * at(0, 3 * y + column, c)))),
  ]);
  expectNear(new FlowPostprocessor({ imgSize: [3, 2] }).forward(pairs), [
    range(2).map((c) => range(3).map((y) => range(2).map((column) => at(0, 2 * y + column, c)))),
  ]);
  const image = new ImagePostprocessor({
    imgSize: [4, 6],
    postprocType: "patches",
    spatialUpsample: 2,
    inputReshapeSize: [2, 3],
  });
  const pixels = reader(image.forward(x).data);
  const cells = reader(x.data);
  for (const n of range(24)) {
    const [y, column] = [Math.floor(n / 6), n % 6];
    expect(pixels(1, y, column, 0)).toBe(
      cells(1, 3 * Math.floor(y / 2) + Math.floor(column / 2), 2 * (y % 2) + (column % 2)),
    );
  }
  expectSame(new ImagePostprocessor({ imgSize: [2, 3] }).forward(x), x);
  expect(new ImagePostprocessor({ imgSize: [2, 3], inputReshapeSize: [1, 2, 3] }).forward(x).shape).toEqual([
    2, 1, 2, 3, 4,
  ]);
  await replayEqualsEager(() => image.forward(x), { model: image });
});

test("[perceiverio.image-output] what does not fit is refused", () => {
  const x = randomTensor<"b o c">([1, 6, 2], 3);
  expect(shapeRefusal(() => new FlowPostprocessor({ imgSize: [2, 2] }).forward(x)).message).toContain(
    "6 outputs do not fill a grid of 2×2",
  );
  expect(refusal(() => new ImagePostprocessor({ imgSize: [2, 2], spatialUpsample: 2 })).message).toContain(
    "pixels are not upsampled",
  );
  expect(
    refusal(() => new ImagePostprocessor({ imgSize: [2, 2], postprocType: "raft" as never })).message,
  ).toContain('"pixels" or "patches"');
});
