// The Perceiver models of transformers 4.57.6 and 5.18.0 (models/perceiver/modeling_perceiver.py), which compute the same: each is a
// PerceiverIO, built from the package's configuration and stated under the package's names.
import {
  type FieldLocation,
  integer,
  list,
  number,
  oneOf,
  optional,
  orNull,
  refuse,
} from "../../../io/fields.ts";
import type { CamelCased } from "../../../io/snake-case.ts";
import { PERCEIVER_NAMES } from "../../../models/perceiver-io/names.ts";
import { PerceiverIO } from "../../../models/perceiver-io/perceiver-io.ts";
import {
  AudioPostprocessor,
  ClassificationPostprocessor,
  EmbeddingPostprocessor,
  FlowPostprocessor,
  ProjectionPostprocessor,
} from "../../../models/perceiver-io/postprocessors.ts";
import { AudioPreprocessor } from "../../../models/perceiver-io/preprocessors/audio.ts";
import { EmbeddingPreprocessor } from "../../../models/perceiver-io/preprocessors/embedding.ts";
import {
  ImagePreprocessor,
  type ImagePreprocessorOptions,
} from "../../../models/perceiver-io/preprocessors/image.ts";
import { OneHotPreprocessor } from "../../../models/perceiver-io/preprocessors/one-hot.ts";
import { FlowQuery, FourierQuery, TrainableQuery } from "../../../models/perceiver-io/queries.ts";
import { renamed } from "../../../nn/loading/rules.ts";
import { stateDict } from "../../../nn/state-dict.ts";
import { rearrange } from "../../../tensor/ops/arrange.ts";
import { named } from "../../../tensor/pattern.ts";
import { Int, Tensor } from "../../../tensor/tensor.ts";
import { Arguments } from "../interface/arguments.ts";
import { layers, readOptions, type SourceClass, size } from "../interface/source.ts";

const profile = "transformers@5.18.0"; // of the names here; 4.57.6 computes the same

const sizes = (from: readonly number[]) => optional(list(size), from);
const readers = {
  num_latents: optional(size, 256),
  d_latents: optional(size, 1280),
  d_model: optional(size, 768),
  num_blocks: optional(layers, 1),
  num_self_attends_per_block: optional(layers, 26),
  num_self_attention_heads: optional(size, 8),
  num_cross_attention_heads: optional(size, 8),
  qk_channels: optional(orNull(size), null),
  v_channels: optional(orNull(size), null),
  cross_attention_shape_for_attention: optional<"kv" | "q", "kv">(oneOf("kv", "q"), "kv"),
  self_attention_widening_factor: optional(size, 1),
  cross_attention_widening_factor: optional(size, 1),
  attention_probs_dropout_prob: optional(number, 0.1),
  vocab_size: optional(size, 262),
  max_position_embeddings: optional(size, 2048),
  num_labels: optional(size, 2),
  image_size: optional(size, 56),
  train_size: sizes([368, 496]),
  num_frames: optional(size, 16),
  audio_samples_per_frame: optional(size, 1920),
  samples_per_patch: optional(integer, 16),
  output_shape: sizes([1, 16, 224, 224]),
  output_num_channels: optional(size, 512),
  _label_trainable_num_channels: optional(size, 1024),
} as const;
type Config = CamelCased<{ [K in keyof typeof readers]: ReturnType<(typeof readers)[K]> }>;

/** The options of a PerceiverIO that all models share. */
const shared = (c: Config) =>
  ({
    numBlocks: c.numBlocks,
    numSelfAttendsPerBlock: c.numSelfAttendsPerBlock,
    numLatents: c.numLatents,
    numLatentChannels: c.dLatents,
    perceiverEncoderKwargs: {
      numSelfAttendHeads: c.numSelfAttentionHeads,
      numCrossAttendHeads: c.numCrossAttentionHeads,
      qkChannels: c.qkChannels ?? undefined,
      vChannels: c.vChannels ?? undefined,
      crossAttentionShapeForAttn: c.crossAttentionShapeForAttention,
      selfAttendWideningFactor: c.selfAttentionWideningFactor,
      crossAttendWideningFactor: c.crossAttentionWideningFactor,
    },
    profile,
  }) as const;

function languageModel(c: Config): PerceiverIO {
  const input = new EmbeddingPreprocessor({
    vocabSize: c.vocabSize,
    maxSeqLen: c.maxPositionEmbeddings,
    embeddingDims: c.dModel,
  });
  return new PerceiverIO({
    ...shared(c),
    finalProject: false,
    inputPreprocessors: input,
    outputPostprocessors: new EmbeddingPostprocessor(input.embed),
    outputQueries: new TrainableQuery({ outputIndexDims: c.maxPositionEmbeddings, numChannels: c.dModel }),
    perceiverDecoderKwargs: { qkChannels: 256, vChannels: c.dModel, numHeads: 8 },
  });
}

/** A classifier of pictures whose sides are `image_size`. */
const classifier =
  (image: (c: Config) => Omit<ImagePreprocessorOptions, "imgSize" | "profile">) => (c: Config) =>
    new PerceiverIO({
      ...shared(c),
      inputPreprocessors: new ImagePreprocessor({
        ...image(c),
        imgSize: [c.imageSize, c.imageSize],
        profile,
      }),
      outputQueries: new TrainableQuery({ outputIndexDims: 1, numChannels: c.dLatents }),
      perceiverDecoderKwargs: { useQueryResidual: true },
      finalProjectOutChannels: c.numLabels,
      outputPostprocessors: new ClassificationPostprocessor({
        numInputChannels: c.numLabels,
        numClasses: c.numLabels,
        project: false,
      }),
    });
const fourier = (numBands: number, maxResolution: readonly number[]) => ({
  fourierPositionEncodingKwargs: { numBands, maxResolution },
});

/** The two sides of a list of options. */
const sidesOf = (list: readonly number[]): readonly [number, number] => [list.at(-2) ?? 0, list.at(-1) ?? 0];

function flowModel(c: Config): PerceiverIO {
  const imgSize = sidesOf(c.trainSize);
  const input = new ImagePreprocessor({
    ...fourier(64, imgSize),
    imgSize,
    inputChannels: 27,
    prepType: "patches",
    spatialDownsample: 1,
    temporalDownsample: 2,
    convAfterPatching: true,
    numChannels: 64,
    profile,
  });
  return new PerceiverIO({
    ...shared(c),
    inputPreprocessors: input,
    outputQueries: new FlowQuery({
      preprocessedInputChannels: input.outputChannels,
      outputImgSize: imgSize,
    }),
    finalProjectOutChannels: 2,
    outputPostprocessors: new FlowPostprocessor({ imgSize, flowScaleFactor: 1 / 100 }),
  });
}

function videoModel(c: Config): PerceiverIO {
  const [h, w] = sidesOf(c.outputShape);
  const { outputNumChannels: channels, samplesPerPatch, numFrames } = c;
  const samples = numFrames * c.audioSamplesPerFrame;
  const sound = { numBands: 192, maxResolution: [samples] };
  const picture = { numBands: 32, maxResolution: [numFrames, c.imageSize, c.imageSize] };
  return new PerceiverIO({
    ...shared(c),
    inputPreprocessors: {
      audio: new AudioPreprocessor({
        samplesPerBatch: samples,
        samplesPerPatch,
        fourierPositionEncodingKwargs: sound,
        profile,
      }),
      image: new ImagePreprocessor({
        imgSize: [h, w],
        numFrames,
        prepType: "patches",
        fourierPositionEncodingKwargs: picture,
        profile,
      }),
      label: new OneHotPreprocessor({ inputChannels: c.numLabels }),
    },
    outputPostprocessors: {
      audio: new AudioPostprocessor({ inChannels: channels, samplesPerPatch }),
      image: new ProjectionPostprocessor({ numInputs: channels, numOutputs: 3 }),
      label: new ClassificationPostprocessor({ numInputChannels: channels, numClasses: c.numLabels }),
    },
    outputQueries: {
      audio: new FourierQuery({ outputIndexDims: [samples / samplesPerPatch], ...sound, profile }),
      image: new FourierQuery({ outputIndexDims: [numFrames, h, w], ...picture, profile }),
      label: new TrainableQuery({ outputIndexDims: [1], numChannels: c.LabelTrainableNumChannels }),
    },
    finalProjectOutChannels: channels,
    inputPaddingChannels: 4,
    outputQueryPaddingChannels: 2,
    inputMaskProbs: { image: 0, audio: 0, label: 1 },
  });
}

/** The only query of a model without modalities. */
const QUERY = "perceiver._output_queries.__default._position_encoding.pos_embs";

/** A module that consists of parameters and of other modules. */
class Fields {
  [field: string]: Tensor | Fields;
}

function placeAt(fields: Fields, [first = "", ...rest]: readonly string[], parameter: Tensor): void {
  const inner = fields[first];
  if (rest.length === 0) fields[first] = parameter;
  else {
    const part = inner && !(inner instanceof Tensor) ? inner : new Fields();
    fields[first] = part;
    placeAt(part, rest, parameter);
  }
}

/** The parameters of a model as fields under the package's names. Throws a LoadError for a name without a parameter. */
function statedAs(model: PerceiverIO, names: Iterable<string>, at: FieldLocation): Fields {
  const { rename, classQuery } = PERCEIVER_NAMES.transformers;
  const isVideo = model._output_queries.label !== undefined;
  const table = isVideo ? rename : { ...rename, [classQuery]: QUERY };
  const state = stateDict({ perceiver: model });
  const all = new Fields();
  for (const [name, own] of renamed(table, [...names]).to) {
    const parameter = state.get(own);
    if (parameter === undefined) throw refuse(at, `has no parameter for the weight ${JSON.stringify(name)}`);
    placeAt(all, name.split("."), parameter);
  }
  return all;
}

type Forward = (model: PerceiverIO, args: Arguments) => Tensor | Readonly<Record<string, Tensor>>;

const modelClass = (
  build: (config: Config) => PerceiverIO,
  call: readonly string[],
  forward: Forward,
): SourceClass => ({
  options: Object.keys(readers),
  call,
  build(config, at, { positional, weights }) {
    const model = build(readOptions(readers, config, at));
    return {
      model: statedAs(model, weights.keys(), at),
      forward(inputs) {
        const logits = forward(model, new Arguments(inputs, positional));
        return logits instanceof Tensor ? { logits } : logits;
      },
    };
  },
});
const pictureClass = (image: Parameters<typeof classifier>[0]) =>
  modelClass(classifier(image), ["inputs"], (model, args) => model.single(args.tensor("inputs", "b c h w")));

/** The indices of a dictionary of points; those of the label are left out. */
function pointsIn({ values }: Arguments): Readonly<Record<string, Int>> {
  const given = Object.entries(values.subsampled_output_points ?? {});
  return Object.fromEntries(given.filter((entry): entry is [string, Int] => entry[1] instanceof Int));
}

/** The tensors of a dictionary of modalities. */
function modalitiesIn({ values }: Arguments): Readonly<Record<string, Tensor>> {
  const given = Object.entries(values.inputs ?? {});
  return Object.fromEntries(given.filter((entry): entry is [string, Tensor] => entry[1] instanceof Tensor));
}

export const perceiverModels = {
  PerceiverForMaskedLM: modelClass(languageModel, ["inputs", "attention_mask"], (model, args) =>
    model.single(args.int("inputs", "b n"), {
      inputMask: args.has("attention_mask") ? args.bool("attention_mask", "b s") : null,
    }),
  ),
  PerceiverForImageClassificationLearned: pictureClass(() => ({
    positionEncodingType: "TRAINABLE",
    trainablePositionEncodingKwargs: { numChannels: 256 },
    prepType: "conv1x1",
    projectPosDim: 256,
    numChannels: 256,
    spatialDownsample: 1,
  })),
  PerceiverForImageClassificationFourier: pictureClass(() => ({
    ...fourier(64, [224, 224]),
    prepType: "pixels",
    spatialDownsample: 1,
  })),
  PerceiverForImageClassificationConvProcessing: pictureClass(() => ({
    ...fourier(64, [56, 56]),
    prepType: "conv",
  })),
  PerceiverForOpticalFlow: modelClass(flowModel, ["inputs"], (model, args) =>
    rearrange("b c h w -> b h w c", named("b c h w", model.single(args.tensor("inputs", "b t c h w")))),
  ),
  PerceiverForMultimodalAutoencoding: modelClass(
    videoModel,
    ["inputs", "subsampled_output_points"],
    (model, args) => model.forward(modalitiesIn(args), { subsampledOutputPoints: pointsIn(args) }),
  ),
};
