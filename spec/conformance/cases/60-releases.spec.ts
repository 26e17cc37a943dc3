// The messages of the releases, for errors that no golden case has; tests of the layers and models assert the others. The words are those of
// JOBR0/PerceiverIO_Pytorch at 64947cf, flamingo-pytorch 0.1.2, torch 2.13 and torchscale 0.3.0.
import { expect, test } from "vitest";
import { GatedCrossAttentionBlock } from "../../../src/blocks/gated-cross-attention-block.ts";
import { MaskedCrossAttention } from "../../../src/blocks/masked-cross-attention.ts";
import { ParallelTransformerBlock } from "../../../src/blocks/parallel-transformer-block.ts";
import { PerceiverAttention } from "../../../src/blocks/perceiver-attention.ts";
import { PerceiverResampler } from "../../../src/blocks/perceiver-resampler.ts";
import { releaseMessage } from "../../../src/conformance/releases/message.ts";
import { feedForwardClass } from "../../../src/conformance/sources/torchscale/layers.ts";
import { FlamingoPaLM } from "../../../src/models/flamingo/flamingo-palm.ts";
import { MagnetoDecoder } from "../../../src/models/language-models/magneto/decoder.ts";
import { PerceiverEncoder } from "../../../src/models/perceiver-io/encoder.ts";
import { PerceiverIOAttention } from "../../../src/models/perceiver-io/layers/attention.ts";
import { ImagePostprocessor } from "../../../src/models/perceiver-io/postprocessors.ts";
import { ImagePreprocessor } from "../../../src/models/perceiver-io/preprocessors/image.ts";
import { BasicQuery } from "../../../src/models/perceiver-io/queries.ts";
import { conv2d, maxPool2d, unfold } from "../../../src/nn/conv/planes.ts";
import { Dropout } from "../../../src/nn/dropout.ts";
import { Embedding } from "../../../src/nn/embedding.ts";
import { BatchNorm2d } from "../../../src/nn/norms/batch-norm.ts";
import { LayerNorm, PaLMLayerNorm, RMSNorm } from "../../../src/nn/norms/layer-norm.ts";
import { fourierFeatures, linearPositions } from "../../../src/nn/positions/fourier.ts";
import { RotaryEmbedding } from "../../../src/nn/positions/palm-rotary.ts";
import { RuleError, ShapeError } from "../../../src/tensor/errors.ts";
import { Bool, int, type Tensor } from "../../../src/tensor/tensor.ts";
import { randomTensor } from "../../support/properties/arbitraries.ts";
import { refusal, shapeRefusal } from "../../support/properties/refusals.ts";

type Calls = Readonly<Record<string, () => unknown>>;

/** For each message the calls that the release refuses with it. */
function expectMessages(calls: Calls): void {
  const found = Object.values(calls).map((call) => releaseMessage(refusal(call)));
  expect(found).toEqual(Object.keys(calls));
}

test("[compare.raises] Perceiver IO: heads, stems, queries and outputs", () => {
  const attention = (options: object) => () => new PerceiverIOAttention({ qInChannels: 8, ...options });
  const encoder = (options: object) => () =>
    new PerceiverEncoder({ numInputChannels: 8, numLatentChannels: 12, numSelfAttendHeads: 4, ...options });
  const picture = { imgSize: [16, 16], numChannels: 2 } as const;
  const query = (options: object) => () => new BasicQuery(options);
  expectMessages({
    "ValueError: qk_out_channels (8) must be divisible by num_heads (3).": attention({ numHeads: 3 }),
    "ValueError: v_channels (7) must be divisible by num_heads (2).": attention({
      numHeads: 2,
      vOutChannels: 7,
    }),
    "ValueError: num_z_channels (12) must be divisible by num_self_attend_heads (8).": encoder({
      numSelfAttendHeads: 8,
    }),
    "ValueError: num_z_channels (12) must be divisible by num_cross_attend_heads (5).": encoder({
      numCrossAttendHeads: 5,
    }),
    "ValueError: Only powers of 4 expected for spatial and 1 expected for temporal downsampling with conv.":
      () => new ImagePreprocessor({ ...picture, prepType: "conv", spatialDownsample: 8 }),
    "TypeError: generate_fourier_features() got an unexpected keyword argument 'resolution'": () =>
      fourierFeatures(linearPositions([3]), { bands: 1, maxResolution: [3], resolution: [3] } as never),
    "AssertionError: conv1x1 does not downsample in time.": () =>
      new ImagePreprocessor({ ...picture, prepType: "conv1x1", numFrames: 2, temporalDownsample: 2 }),
    "ValueError: Pixels postprocessing should not currently upsample.": () =>
      new ImagePostprocessor({ imgSize: [2, 2], spatialUpsample: 2 }),
    "AssertionError: concat_preprocessed_input must be True if position_encoding_type is None": query({
      positionEncodingType: "NONE",
    }),
    "AssertionError: preprocessed_input_channels must be set if concat_preprocessed_input is True": query({
      outputIndexDims: 2,
      concatPreprocessedInput: true,
    }),
    "ValueError: Value is required for inputs_without_pos if concat_preprocessed_input is True": () =>
      new BasicQuery({
        outputIndexDims: 2,
        concatPreprocessedInput: true,
        preprocessedInputChannels: 3,
        trainablePositionEncodingKwargs: { numChannels: 2 },
      }).forward({ batch: 1 } as never),
  });
  expect(releaseMessage(refusal(query({ trainablePositionEncodingKwargs: {} })))).toBe(null);
});

test("[compare.raises] FlamingoPaLM: embeddings beside images or videos, and media without an encoder", () => {
  const model = new FlamingoPaLM({ dim: 8, dimHead: 4, heads: 1, numTokens: 9, depth: 1, maxVideoFrames: 2 });
  const [text, embeds] = [int("b l", [[3, 1]]), randomTensor([1, 1, 2, 8])];
  const images: Tensor<"b m c h w"> = randomTensor([1, 1, 3, 2, 2]);
  const videos: Tensor<"b m f c h w"> = randomTensor([1, 1, 1, 3, 2, 2]);
  expectMessages({
    "AssertionError: ": () => model.forward(text, { embeds, images }),
    "NameError: name 'video' is not defined": () => model.forward(text, { embeds, videos }),
    "AssertionError: img_encoder must be passed in for automatic image encoding": () =>
      model.forward(text, { images }),
    "AssertionError: img_encoder must be passed in for automatic video encoding": () =>
      model.forward(text, { videos }),
  });
});

test("[compare.raises] heads of an odd width, which the release refuses when it runs", () => {
  const head = { dim: 8, heads: 1 };
  expectMessages({
    "RuntimeError: The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 3":
      () => new ParallelTransformerBlock({ ...head, dimHead: 3 }),
    "RuntimeError: The size of tensor a (5) must match the size of tensor b (6) at non-singleton dimension 3":
      () => new FlamingoPaLM({ ...head, dimHead: 5, numTokens: 9, depth: 1 }),
    "RuntimeError: The size of tensor a (7) must match the size of tensor b (8) at non-singleton dimension 3":
      () => new RotaryEmbedding(7),
    "ZeroDivisionError: 0.0 cannot be raised to a negative power": () =>
      new ParallelTransformerBlock({ ...head, dimHead: 0 }),
  });
  expect(releaseMessage(refusal(() => new RotaryEmbedding(1.5)))).toBe(null);
});

test("[compare.raises] layers of torch and torchscale", () => {
  const planes: Tensor<"b c h w"> = randomTensor([1, 1, 4, 4]);
  expectMessages({
    "RuntimeError: pad should be at most half of effective kernel size, but got pad=2, kernel_size=3 and dilation=1":
      () => maxPool2d(planes, { size: [4, 3], padding: 2 }),
    "RuntimeError: pad should be at most half of effective kernel size, but got pad=3, kernel_size=5 and dilation=1":
      () => maxPool2d(planes, { size: [5, 3], padding: [3, 2] }),
    "NotImplementedError: ": () =>
      new MagnetoDecoder({ vocabSize: 8, width: 8, activation: "tanh" as never }),
    "ValueError: dropout probability has to be between 0 and 1, but got 2": () => new Dropout(2),
  });
  const config = {
    embed_dim: 8,
    ffn_dim: 16,
    dropout: 0,
    activation_dropout: 0,
    layernorm_eps: 1e-5,
    subln: false,
  };
  const at = { file: "case.json", field: "config" };
  const feedForward = () => feedForwardClass.build({ ...config, activation_fn: "tanh" }, at, {} as never);
  expect(releaseMessage(refusal(feedForward))).toBe("NotImplementedError: ");
  for (const call of [() => maxPool2d(planes, { size: 5 }), () => unfold(planes, { size: [6, 1] })])
    expect(releaseMessage(shapeRefusal(call))).toBe(null); // torch names the stride and the size of the result
});

/** A tensor of these sizes; the calls below refuse it for its shape. */
const of = (...shape: number[]) => randomTensor(shape) as never;
const located = (...shape: number[]) =>
  new Bool(shape, new Uint8Array(shape.reduce((product, n) => product * n, 1)).fill(1)) as never;

/** The message of the release for each call, all of which have a shape that does not fit. */
const shapeMessages = (...calls: readonly (() => unknown)[]) =>
  calls.map((call) => releaseMessage(shapeRefusal(call)));
const mismatch = (a: number, b: number, axis: number) =>
  `RuntimeError: The size of tensor a (${a}) must match the size of tensor b (${b}) at non-singleton dimension ${axis}`;
const width = (dim: number, shape: string) =>
  `RuntimeError: Given normalized_shape=[${dim}], expected input with shape [*, ${dim}], but got input of size[${shape}]`;

// Each message is what flamingo-pytorch 0.1.2 on torch 2.13 raises for these shapes; null where it computes a result.
test("[compare.raises] shapes of text, media and locations in cross-attention", () => {
  const options = { dim: 4, heads: 1, dimHead: 3 };
  for (const block of [new MaskedCrossAttention(options), new GatedCrossAttentionBlock(options)]) {
    const media = of(2, 1, 3, 4);
    const at = (x: never, mediaLocations: never) => () => block.forward(x, media, { mediaLocations });
    expect(
      shapeMessages(
        () => block.forward(of(2, 3, 5), media),
        () => block.forward(of(2, 3, 4), of(2, 3, 5, 6)),
        () => block.forward(of(2, 3, 5), of(2, 3, 5, 6)),
        () => block.forward(of(2, 3, 4), of(1, 1, 3, 4)), // one batch of media is repeated
        at(of(2, 5, 4), located(2, 3)),
        at(of(2, 5, 4), located(2, 1)),
        at(of(2, 1, 4), located(2, 3)),
        at(of(2, 5, 4), located(1, 5)),
      ),
    ).toEqual([
      width(4, "2, 3, 5"),
      "RuntimeError: mat1 and mat2 shapes cannot be multiplied (30x6 and 4x6)",
      width(4, "2, 3, 5"),
      null,
      mismatch(3, 5, 2),
      null,
      null,
      null,
    ]);
    // einops refuses axes of another number, in words that name its pattern.
    expect(
      shapeMessages(
        () => block.forward(of(3, 4), media),
        () => block.forward(of(2, 3, 4), of(2, 3, 4)),
        () => block.forward(of(2, 3, 4), of(2, 3, 5, 2, 6)),
        at(of(2, 5, 4), located(5)),
      ),
    ).toEqual([null, null, null, null]);
  }
});

test("[compare.raises] shapes of features and latents in the resampler and its attention", () => {
  const attention = new PerceiverAttention({ dim: 4, heads: 1, dimHead: 2 });
  const sizes = (expected: number, actual: number) =>
    `RuntimeError: Sizes of tensors must match except in dimension 2. Expected size ${expected} but got size ${actual} for tensor number 1 in the list.`;
  const pairs: readonly (readonly [number[], number[], string])[] = [
    [[2, 3, 5, 6], [2, 3, 2, 4], width(4, "2, 3, 5, 6")],
    [[2, 3, 5, 4], [2, 3, 2, 6], width(4, "2, 3, 2, 6")],
    [[2, 3, 5, 6], [2, 3, 2, 7], width(4, "2, 3, 5, 6")],
    [[2, 3, 6], [2, 3, 2, 4], width(4, "2, 3, 6")],
    [[2, 3, 5, 4], [3, 3, 2, 4], sizes(2, 3)],
    [[2, 3, 5, 4], [2, 1, 2, 4], sizes(3, 1)],
    [[2, 3, 5, 4], [1, 1, 2, 4], sizes(2, 1)],
  ]; // biome-ignore format: a table
  for (const [x, latents, message] of pairs)
    expect(shapeMessages(() => attention.forward(of(...x), of(...latents)))).toEqual([message]);
  // torch.cat refuses another number of axes, which is not said here.
  expect(
    shapeMessages(
      () => attention.forward(of(2, 3, 5, 4), of(2, 1, 4)),
      () => attention.forward(of(2, 3, 4), of(2, 3, 2, 4)),
      () => attention.forward(of(2, 5, 4), of(2, 3, 2, 4)),
    ),
  ).toEqual([null, null, null]);
  const resampler = (dim: number) =>
    new PerceiverResampler({ dim, depth: 1, heads: 1, dimHead: 2, numLatents: 2 });
  expect(
    shapeMessages(
      () => resampler(4).forward(of(2, 3, 5, 6)),
      () => resampler(4).forward(of(3, 5, 6)),
      () => resampler(4).forward(of(2, 3, 5, 1)), // one column is repeated
      () => resampler(1).forward(of(2, 3, 5, 6)), // and so are positions of one column, which are normalised next
      () => resampler(1).forward(of(3, 5, 6)),
    ),
  ).toEqual([mismatch(6, 4, 3), mismatch(6, 4, 3), null, width(1, "2, 3, 5, 6"), width(1, "3, 1, 5, 6")]);
});

test("[compare.raises] shapes in the layers of PaLM and of torch", () => {
  const scale = (dim: number, given: number) =>
    `RuntimeError: Expected weight to be of same shape as normalized_shape, but got weight of shape [${dim}] and normalized_shape = [${given}]`;
  const palm = new ParallelTransformerBlock({ dim: 4, heads: 1, dimHead: 2 });
  expect(
    shapeMessages(
      () => palm.forward(of(2, 3, 5)),
      () => palm.forward(of(3, 5)),
      () => palm.forward(of(2, 2, 3, 4)), // einops refuses the number of axes
      () => new PaLMLayerNorm(4).forward(of(2, 5)),
      () => new LayerNorm(4).forward(of(2, 5)),
      () => new RMSNorm(4).forward(of(2, 5)),
      () => new BatchNorm2d(3).forward(of(1, 4, 2, 2)),
      () => new BatchNorm2d(4).forward(of(4, 2, 2)), // "expected 4D input (got 3D input)"
      () => new BatchNorm2d(3).forward(of(1, 4, 2, 2, 2)),
      () => conv2d(of(1, 2, 4, 4), of(3, 4, 3, 3)),
      () => conv2d(of(1, 4, 2, 5), of(3, 4, 3, 3)),
    ),
  ).toEqual([
    scale(4, 5),
    scale(4, 5),
    null,
    scale(4, 5),
    width(4, "2, 5"),
    "RuntimeError: Given normalized_shape=[4], expected input with shape [*4], but got input of size[2, 5]",
    "RuntimeError: running_mean should contain 4 elements not 3",
    null,
    null,
    "RuntimeError: Given groups=1, weight of size [3, 4, 3, 3], expected input[1, 2, 4, 4] to have 4 channels, but got 2 channels instead",
    "RuntimeError: Calculated padded input size per channel: (2 x 5). Kernel size: (3 x 3). Kernel size can't be greater than actual input size",
  ]);
});

test("[compare.raises] what the release accepts, and what is no tensor, has no message", () => {
  expect(releaseMessage(refusal(() => new Dropout(NaN)))).toBe(null); // torch accepts NaN
  expect(releaseMessage(refusal(() => new Embedding("d", 4, 2).forward([1] as never)))).toBe(null);
  expect(releaseMessage(shapeRefusal(() => new LayerNorm(4).forward(3 as never)))).toBe(null);
  const cross = new MaskedCrossAttention({ dim: 4, heads: 1, dimHead: 2 });
  expect(releaseMessage(shapeRefusal(() => cross.forward(randomTensor([1, 2, 4]), 3 as never)))).toBe(null);
  const decoder = { vocabSize: 8, width: 8, dropPathRate: 2 }; // torchscale's DropPath keeps any number
  expect(releaseMessage(refusal(() => new MagnetoDecoder(decoder)))).toBe(null);
  const deep = { dim: 8, heads: 1, dimHead: 4, numTokens: 9 }; // Python's range takes any integer
  for (const depth of [10_001, -1])
    expect(releaseMessage(refusal(() => new FlamingoPaLM({ ...deep, depth })))).toBe(null);
  expect(releaseMessage(new RuleError("no", "options.values"))).toBe(null);
  expect(releaseMessage(new RuleError("no", "constructor", { name: "x" }))).toBe(null);
  expect(releaseMessage(new ShapeError("no"))).toBe(null);
});

test("[notation.unify] [options.values] errors carry the data of their message", () => {
  const cross = new MaskedCrossAttention({ dim: 4, heads: 1, dimHead: 2 });
  const shapes = shapeRefusal(() => cross.forward(randomTensor([1, 2, 5]), randomTensor([1, 1, 3, 4])));
  expect([shapes.place, shapes.facts]).toEqual([
    "MaskedCrossAttention",
    { x: [1, 2, 5], media: [1, 1, 3, 4], norm: [4], to_kv: [4, 4] },
  ]);
  const value = refusal(() => new Dropout(2));
  expect([value.rule, value.facts]).toEqual(["options.values", { caller: "Dropout", name: "p", value: 2 }]);
});
