// The executable half of 17-options.md. Messages of the release: torch 2.13.0, flamingo-pytorch 0.1.2, vit-pytorch 1.26.11.

import { describe, expect, test } from "vitest";
import { GatedCrossAttentionBlock } from "../../src/blocks/gated-cross-attention-block.ts";
import { MaskedCrossAttention } from "../../src/blocks/masked-cross-attention.ts";
import { ParallelTransformerBlock, SwiGLU } from "../../src/blocks/parallel-transformer-block.ts";
import { PerceiverAttention } from "../../src/blocks/perceiver-attention.ts";
import { PerceiverResampler } from "../../src/blocks/perceiver-resampler.ts";
import { releaseMessage } from "../../src/conformance/releases/message.ts";
import { settingsOf } from "../../src/generation/options.ts";
import { FlamingoPaLM } from "../../src/models/flamingo/flamingo-palm.ts";
import { Kosmos } from "../../src/models/kosmos/kosmos.ts";
import { KosmosLanguage } from "../../src/models/kosmos/language.ts";
import { kosmosLayout, kosmosTextLimit } from "../../src/models/kosmos/layout.ts";
import { GPTNeoXForCausalLM } from "../../src/models/language-models/gpt-neox.ts";
import { GPTJForCausalLM } from "../../src/models/language-models/gptj.ts";
import { LlamaForCausalLM } from "../../src/models/language-models/llama.ts";
import { MagnetoDecoder } from "../../src/models/language-models/magneto/decoder.ts";
import { MosaicMptForCausalLM } from "../../src/models/language-models/mosaic-mpt.ts";
import { MptForCausalLM } from "../../src/models/language-models/mpt.ts";
import { OPTForCausalLM } from "../../src/models/language-models/opt.ts";
import { resizeVocabulary } from "../../src/models/language-models/vocabulary.ts";
import { OpenFlamingo, type OpenFlamingoOptions } from "../../src/models/open-flamingo/flamingo.ts";
import { OpenFlamingoResampler } from "../../src/models/open-flamingo/perceiver-resampler.ts";
import { OpenClipVisionTransformer } from "../../src/models/vision/clip/open-clip.ts";
import {
  CLIPVisionModelWithProjection,
  CLIPVisionTransformer,
} from "../../src/models/vision/clip/transformers.ts";
import { Extractor, ViT } from "../../src/models/vision/vit.ts";
import { Conv2d } from "../../src/nn/conv/conv2d.ts";
import { conv2d, maxPool2d, unfold } from "../../src/nn/conv/planes.ts";
import { Dropout } from "../../src/nn/dropout.ts";
import { Embedding, PaddedEmbedding } from "../../src/nn/embedding.ts";
import { FeedForward } from "../../src/nn/feed-forward.ts";
import { Linear } from "../../src/nn/linear.ts";
import { BatchNorm2d } from "../../src/nn/norms/batch-norm.ts";
import { LayerNorm, normalize, PaLMLayerNorm, RMSNorm } from "../../src/nn/norms/layer-norm.ts";
import { checked, checkSize, count, listOf, nullable, optional } from "../../src/nn/options.ts";
import { normal, Parameter, uniform } from "../../src/nn/parameter.ts";
import { alibi } from "../../src/nn/positions/alibi.ts";
import { fourierFeatures, linearPositions } from "../../src/nn/positions/fourier.ts";
import { LearnedPositions } from "../../src/nn/positions/learned.ts";
import { RotaryEmbedding } from "../../src/nn/positions/palm-rotary.ts";
import { RelativePositionBias } from "../../src/nn/positions/relative-bias.ts";
import { rotary } from "../../src/nn/positions/rotary.ts";
import { XPos } from "../../src/nn/positions/xpos.ts";
import { RuleError, ShapeError } from "../../src/tensor/errors.ts";
import { int } from "../../src/tensor/tensor.ts";
import { adamw } from "../../src/training/optimizers/adamw.ts";
import { adamw8bit } from "../../src/training/optimizers/eight-bit/adamw.ts";
import { lion } from "../../src/training/optimizers/lion.ts";
import { sgd } from "../../src/training/optimizers/sgd.ts";
import { stableAdamW } from "../../src/training/optimizers/stable-adamw.ts";
import { schedule } from "../../src/training/schedules.ts";
import { train } from "../../src/training/training.ts";
import { randomTensor } from "../support/properties/arbitraries.ts";
import { refusal } from "../support/properties/refusals.ts";

type Options = Readonly<Record<string, unknown>>;
interface Call {
  readonly make: (options: Options) => unknown;
  /** Options of a call that is accepted. */
  readonly valid: Options;
  /** The other options, each with a value that is accepted. */
  readonly more?: Options;
  readonly required: readonly string[];
}

const planes = randomTensor([1, 1, 4, 4]);
const head = { dim: 12, dimHead: 4, heads: 2 };
const group = [{ names: ["w"] }];
const encoder = { forward: (x: unknown) => x };
const cross = { onlyAttendImmediateMedia: false, dimMedia: 6 };
const vit = { imageSize: 8, patchSize: 4, numClasses: 3, dim: 12, depth: 1, heads: 2, mlpDim: 16 };
/** The type says what a caller may pass; these calls pass what they should not. */
const call =
  (make: (options: never) => unknown) =>
  (options: Options): unknown =>
    make(options as never);

const llamaOfOneLayer = () => new LlamaForCausalLM({ numHiddenLayers: 1 });

const calls: Readonly<Record<string, Call>> = {
  FeedForward: {
    make: call((o) => new FeedForward(o)),
    valid: { dim: 12 },
    more: { mult: 2 },
    required: ["dim"],
  },
  PerceiverAttention: { make: call((o) => new PerceiverAttention(o)), valid: head, required: ["dim"] },
  PerceiverResampler: {
    make: call((o) => new PerceiverResampler(o)),
    valid: { ...head, depth: 1 },
    more: { numLatents: 2, numMediaEmbeds: 3, ffMult: 2 },
    required: ["dim", "depth"],
  },
  MaskedCrossAttention: {
    make: call((o) => new MaskedCrossAttention(o)),
    valid: head,
    more: cross,
    required: ["dim"],
  },
  GatedCrossAttentionBlock: {
    make: call((o) => new GatedCrossAttentionBlock(o)),
    valid: head,
    more: { ...cross, ffMult: 2 },
    required: ["dim"],
  },
  ParallelTransformerBlock: {
    make: call((o) => new ParallelTransformerBlock(o)),
    valid: head,
    more: { ffMult: 2 },
    required: ["dim"],
  },
  LlamaForCausalLM: {
    make: call((o) => new LlamaForCausalLM(o)),
    valid: { numAttentionHeads: 2, hiddenSize: 64 },
    more: {
      vocabSize: 9,
      intermediateSize: 6,
      numHiddenLayers: 1,
      numKeyValueHeads: 1,
      headDim: 4,
      hiddenAct: "relu",
      rmsNormEps: 0.1,
      ropeTheta: 10,
      ropeScaling: { ropeType: "linear", factor: 2 },
      padTokenId: 3,
      rotaryPrecision: "float64",
      attentionBias: true,
      mlpBias: true,
      tieWordEmbeddings: true,
    },
    required: [],
  },
  GPTNeoXForCausalLM: {
    make: call((o) => new GPTNeoXForCausalLM(o)),
    valid: { numAttentionHeads: 2, hiddenSize: 512 },
    more: {
      vocabSize: 9,
      numHiddenLayers: 1,
      intermediateSize: 6,
      hiddenAct: "relu",
      rotaryPct: 0.5,
      rotaryEmbBase: 10,
      ropeScaling: { ropeType: "linear", factor: 2 },
      rotaryPrecision: "float64",
      layerNormEps: 0.1,
      tieWordEmbeddings: true,
      useParallelResidual: false,
      attentionBias: false,
    },
    required: [],
  },
  MagnetoDecoder: {
    make: call((o) => new MagnetoDecoder(o)),
    valid: { vocabSize: 9, width: 24 },
    more: {
      layers: 1,
      heads: 2,
      feedForwardWidth: 6,
      activation: "swish",
      normalization: "post-sub-ln",
      deepNorm: true,
      eps: 0.1,
      xpos: true,
      xposScaleBase: 8,
      rotaryPrecision: "float64",
      relativePosition: { buckets: 8, maxDistance: 9 },
      multiway: true,
      splitPosition: -1,
      maxPositions: 4,
      scaleEmbedding: true,
      layerNormEmbedding: true,
      tied: true,
      paddingId: 8,
      dropout: 0.1,
      attentionDropout: 0.1,
      activationDropout: 0.1,
      dropPathRate: 0.1,
      init: "bert",
      tokenTable: "bitsandbytes",
    },
    required: ["vocabSize"],
  },
  MosaicMptForCausalLM: {
    make: call((o) => new MosaicMptForCausalLM(o)),
    valid: { nHeads: 2, dModel: 64 },
    more: {
      nLayers: 1,
      maxSeqLen: 4,
      vocabSize: 9,
      expansionRatio: 1.5,
      learnedPosEmb: false,
      attnConfig: { clipQkv: 2, qkLn: true },
      logitScale: "inv_sqrt_d_model",
      noBias: true,
      attentionBias: true,
      embeddingFraction: 0.5,
      normType: "rmsnorm",
      normEps: 0.1,
      tieWordEmbeddings: false,
      padTokenId: 3,
    },
    required: [],
  },
  MptForCausalLM: {
    make: call((o) => new MptForCausalLM(o)),
    valid: { nHeads: 2, dModel: 64 },
    more: {
      nLayers: 1,
      maxSeqLen: 4,
      vocabSize: 9,
      layerNormEpsilon: 0.1,
      attnConfig: { clipQkv: 2 },
      tieWordEmbeddings: false,
      expansionRatio: 4,
      logitScale: null,
      noBias: true,
      normType: "layernorm",
      embeddingFraction: 1,
    },
    required: [],
  },
  OPTForCausalLM: {
    make: call((o) => new OPTForCausalLM(o)),
    valid: { numAttentionHeads: 2, hiddenSize: 96 },
    more: {
      vocabSize: 9,
      numHiddenLayers: 1,
      ffnDim: 6,
      maxPositionEmbeddings: 5,
      doLayerNormBefore: false,
      removeFinalLayerNorm: true,
      wordEmbedProjDim: 4,
      activationFunction: "gelu",
      enableBias: false,
      layerNormElementwiseAffine: false,
      padTokenId: 2,
      tieWordEmbeddings: false,
    },
    required: [],
  },
  GPTJForCausalLM: {
    make: call((o) => new GPTJForCausalLM(o)),
    valid: { nHead: 2, nEmbd: 2048 },
    more: {
      vocabSize: 9,
      nPositions: 5,
      nLayer: 1,
      rotaryDim: 4,
      rotaryPrecision: "float64",
      nInner: 6,
      activationFunction: "gelu",
      layerNormEpsilon: 0.1,
      tieWordEmbeddings: true,
    },
    required: [],
  },
  OpenFlamingoResampler: {
    make: call((o) => new OpenFlamingoResampler(o)),
    valid: { dim: 12 },
    more: { depth: 1, dimHead: 4, heads: 2, numLatents: 2, maxNumMedia: 2, maxNumFrames: 2, ffMult: 2 },
    required: ["dim"],
  },
  OpenFlamingo: {
    make: call((o: OpenFlamingoOptions) => {
      const isModel = o?.langEncoder instanceof LlamaForCausalLM; // wrapped once
      return new OpenFlamingo(isModel ? { ...o, langEncoder: llamaOfOneLayer() } : o);
    }),
    valid: {
      visionEncoder: encoder,
      langEncoder: llamaOfOneLayer(),
      eocTokenId: 1,
      mediaTokenId: 2,
      visDim: 6,
    },
    more: {
      crossAttnEveryNLayers: 2,
      crossAttnFirstLayer: 1,
      perceiver: { depth: 1 },
      crossAttn: { heads: 2 },
      gradientCheckpointing: true,
      profile: "open-flamingo@0.1.1",
      behaviour: { surplusImages: "accept" },
    },
    required: ["visionEncoder", "langEncoder", "eocTokenId", "mediaTokenId", "visDim"],
  },
  resizeVocabulary: {
    make: call((o) => resizeVocabulary(new LlamaForCausalLM({ vocabSize: 4, numHiddenLayers: 0 }), 5, o)),
    valid: {},
    more: { newRows: "mean", std: 0.1, seed: 1 },
    required: [],
  },
  Kosmos: {
    make: call((o) => new Kosmos(o)),
    valid: {
      clip: new CLIPVisionTransformer({ hiddenSize: 12, numHiddenLayers: 0 }),
      decoder: new MagnetoDecoder({ vocabSize: 9, layers: 0 }),
      tokens: { bos: 0, pad: 1, eos: 2, image: 3, imageEnd: 4 },
    },
    more: { mode: "published", resampler: { depth: 1 } },
    required: ["clip", "decoder", "tokens"],
  },
  "Kosmos: resampler": {
    make: call(
      (resampler) =>
        new Kosmos({
          clip: new CLIPVisionTransformer({ hiddenSize: 12, numHiddenLayers: 0 }),
          decoder: new MagnetoDecoder({ vocabSize: 9, layers: 0 }),
          tokens: { bos: 0, pad: 1, eos: 2, image: 3, imageEnd: 4 },
          resampler,
        }),
    ),
    valid: {},
    more: { depth: 1, dimHead: 4, heads: 2, numLatents: 2, numMediaEmbeds: 3, ffMult: 2 },
    required: [],
  },
  KosmosLanguage: {
    make: call((o) => new KosmosLanguage(o)),
    valid: { decoder: new MagnetoDecoder({ vocabSize: 9, layers: 0 }) },
    required: ["decoder"],
  },
  kosmosLayout: {
    make: call((o) => kosmosLayout([[5]], o)),
    valid: { tokens: { bos: 0, pad: 1, eos: 2, image: 3, imageEnd: 4 } },
    more: { slots: 2, maxPositions: 9, start: false, end: false },
    required: ["tokens"],
  },
  kosmosTextLimit: {
    make: call((o) => kosmosTextLimit(o)),
    valid: {},
    more: { slots: 2, maxPositions: 9, images: 3 },
    required: [],
  },
  FlamingoPaLM: {
    make: call((o) => new FlamingoPaLM(o)),
    valid: { ...head, numTokens: 9, depth: 1 },
    more: {
      ffMult: 2,
      mediaTokenId: 3,
      crossAttnEvery: 2,
      imgEncoder: encoder,
      perceiverNumLatents: 2,
      perceiverDepth: 1,
      maxVideoFrames: 2,
      onlyAttendImmediateMedia: true,
      profile: "flamboyance",
      behaviour: { embeds: "refuse" },
    },
    required: ["dim", "numTokens", "depth"],
  },
  ViT: {
    make: call((o) => new ViT(o)),
    valid: vit,
    more: { pool: "mean", channels: 1, dimHead: 4, dropout: 0.1, embDropout: 0.1 },
    required: ["imageSize", "patchSize", "numClasses", "dim", "depth", "heads", "mlpDim"],
  },
  OpenClipVisionTransformer: {
    make: call((o) => new OpenClipVisionTransformer(o)),
    valid: { imageSize: 8, patchSize: 4, width: 12, layers: 1, heads: 2, mlpRatio: 2 },
    more: { outputDim: 3, act: "quick_gelu", tokens: "ln_post", epsilon: 0.1 },
    required: ["imageSize", "patchSize", "width", "layers", "heads", "mlpRatio"],
  },
  CLIPVisionTransformer: {
    make: call((o) => new CLIPVisionTransformer(o)),
    valid: { hiddenSize: 24, numHiddenLayers: 1 },
    more: {
      intermediateSize: 6,
      numAttentionHeads: 2,
      numChannels: 1,
      imageSize: 8,
      patchSize: 4,
      hiddenAct: "relu",
      layerNormEps: 0.1,
      tokens: "ln_post",
    },
    required: [],
  },
  CLIPVisionModelWithProjection: {
    make: call((o) => new CLIPVisionModelWithProjection(o)),
    valid: { hiddenSize: 24, numHiddenLayers: 1 },
    more: { projectionDim: 3 },
    required: [],
  },
  Linear: {
    make: call((o: { in: number; out: number }) => {
      const { in: dim, out, ...rest } = o;
      return new Linear("i -> o", dim, out, rest);
    }),
    valid: { in: 3, out: 4 },
    more: { bias: false, initial: uniform(1), initialBias: uniform(1) },
    required: ["in", "out"],
  },
  Embedding: {
    make: call((o: { rows: number; dim: number }) => {
      const { rows, dim, ...rest } = o;
      return new Embedding("d", rows, dim, rest);
    }),
    valid: { rows: 3, dim: 4 },
    more: { initial: normal(0.1) },
    required: ["rows", "dim"],
  },
  PaddedEmbedding: {
    make: call((o: { rows: number; dim: number; paddingId: number | null }) => {
      const { rows, dim, ...rest } = o;
      return new PaddedEmbedding("d", rows, dim, rest);
    }),
    valid: { rows: 3, dim: 4, paddingId: 0 },
    more: { initial: normal(0.1) },
    required: ["rows", "dim", "paddingId"],
  },
  LayerNorm: {
    make: call(({ dim, ...rest }: { dim: number }) => new LayerNorm(dim, rest)),
    valid: { dim: 3 },
    more: { epsilon: 1e-3, bias: false },
    required: ["dim"],
  },
  RMSNorm: {
    make: call(({ dim, ...rest }: { dim: number }) => new RMSNorm(dim, rest)),
    valid: { dim: 3 },
    more: { epsilon: 1e-3 },
    required: ["dim"],
  },
  BatchNorm2d: {
    make: call(({ channels, ...rest }: { channels: number }) => new BatchNorm2d(channels, rest)),
    valid: { channels: 3 },
    more: { epsilon: 1e-3 },
    required: ["channels"],
  },
  Conv2d: {
    make: call(({ in: channels, out, ...rest }: { in: number; out: number; kernelSize: number }) => {
      return new Conv2d(channels, out, rest);
    }),
    valid: { in: 2, out: 3, kernelSize: 2 },
    more: { stride: 2, padding: "same", bias: false },
    required: ["in", "out", "kernelSize"],
  },
  conv2d: {
    make: call((o) => conv2d(planes, randomTensor([1, 1, 2, 2]), o)),
    valid: {},
    more: { stride: [1, 2], padding: [0, 1] },
    required: [],
  },
  maxPool2d: {
    make: call((o: { size: number }) => maxPool2d(planes, o)),
    valid: { size: 2 },
    more: { stride: 1, padding: 1 },
    required: ["size"],
  },
  unfold: {
    make: call((o: { size: number }) => unfold(planes, o)),
    valid: { size: 2 },
    more: { stride: 1, padding: 1 },
    required: ["size"],
  },
  PaLMLayerNorm: {
    make: call((o: { dim: number }) => new PaLMLayerNorm(o.dim)),
    valid: { dim: 3 },
    required: ["dim"],
  },
  RotaryEmbedding: {
    make: call((o: { dim: number }) => new RotaryEmbedding(o.dim)),
    valid: { dim: 4 },
    required: ["dim"],
  },
  "RotaryEmbedding.forward": {
    make: call((o: { positions: number }) => new RotaryEmbedding(4).forward(o.positions)),
    valid: { positions: 3 },
    required: ["positions"],
  },
  rotary: {
    make: call((o) => rotary(randomTensor<"b l k">([1, 2, 4]), o)),
    valid: { width: 4 },
    more: { pairing: "interleaved", base: 100, from: 3, precision: "float32" },
    required: ["width"],
  },
  XPos: {
    make: call((o) => new XPos(o)),
    valid: { width: 4 },
    more: { scaleBase: 8, precision: "float64" },
    required: ["width"],
  },
  "XPos.forward": {
    make: call((o) => new XPos({ width: 4 }).forward(randomTensor<"l k">([2, 4]), o)),
    valid: {},
    more: { offset: 3, downscale: true },
    required: [],
  },
  alibi: {
    make: call((o) => alibi(o)),
    valid: { heads: 4, keys: 3 },
    more: { biasMax: 4, precision: "float32" },
    required: ["heads", "keys"],
  },
  RelativePositionBias: {
    make: call((o) => new RelativePositionBias(o)),
    valid: {},
    more: { bidirectional: false, numBuckets: 8, maxDistance: 30, heads: 2, initial: normal(0.1) },
    required: [],
  },
  "RelativePositionBias.buckets": {
    make: call((o) => new RelativePositionBias().buckets(o)),
    valid: { queries: 2, keys: 3 },
    more: { from: 1 },
    required: ["queries", "keys"],
  },
  LearnedPositions: {
    make: call((o) => new LearnedPositions("d", o)),
    valid: { rows: 4, dim: 3 },
    more: { offset: 2, initial: normal(0.1), zeroRow: 1 },
    required: ["rows", "dim"],
  },
  linearPositions: {
    make: call((o: { sides: number[] }) => {
      const { sides, ...rest } = o;
      return linearPositions(sides, rest);
    }),
    valid: { sides: [2, 3] },
    more: { precision: "float32" },
    required: ["sides"],
  },
  fourierFeatures: {
    make: call((o) => fourierFeatures(linearPositions([3]), o)),
    valid: { bands: 2, maxResolution: [4] },
    more: { concatPositions: false, sineOnly: true, precision: "float32" },
    required: ["bands", "maxResolution"],
  },
  normalize: {
    make: call((o: object) => normalize(randomTensor([2, 3]), o)),
    valid: { epsilon: 1e-5 },
    more: { centred: false },
    required: [],
  },
  Dropout: { make: call((o: { p: number }) => new Dropout(o.p)), valid: { p: 0.5 }, required: ["p"] },
  adamw: {
    make: call((o) => adamw(o)),
    valid: { groups: group },
    more: { learningRate: 0.1, betas: [0.9, 0.99], epsilon: 1e-8, weightDecay: 0.1 },
    required: ["groups"],
  },
  adamw8bit: {
    make: call((o) => adamw8bit(o)),
    valid: { groups: group },
    more: {
      learningRate: 1,
      betas: [0.5, 0.5],
      epsilon: 1,
      weightDecay: 1,
      min8bitSize: 1,
      in32Bits: ["w"],
      blockSize: 2048,
      quantizer: "table",
    },
    required: ["groups"],
  },
  lion: {
    make: call((o) => lion(o)),
    valid: { groups: group },
    more: { learningRate: 1, betas: [0.5, 1], weightDecay: 1, decoupledWeightDecay: true },
    required: ["groups"],
  },
  stableAdamW: {
    make: call((o) => stableAdamW(o)),
    valid: { groups: group },
    more: { learningRate: 1, betas: [0.5, 0.5], epsilon: 1, weightDecay: 1, clipThreshold: 2 },
    required: ["groups"],
  },
  sgd: {
    make: call((o) => sgd(o)),
    valid: { groups: group },
    more: { learningRate: 0.1, momentum: 0.9, dampening: 0.1, weightDecay: 0.1, nesterov: false },
    required: ["groups"],
  },
  schedule: {
    make: call((o) => schedule(o)),
    valid: {},
    more: { kind: "constant", warmup: 2, steps: 9, floor: 0.1 },
    required: [],
  },
  generate: {
    make: call((o) => settingsOf(o)),
    valid: { stop: 1, maxTokens: 3 },
    more: {
      minTokens: 1,
      minLength: 2,
      repetitionPenalty: 1.5,
      noRepeatNgram: 2,
      badWords: [[1, 2]],
      never: [1],
      alternatives: 3,
      seenPrompts: [[1]],
    },
    required: ["stop", "maxTokens"],
  },
  "generate by sampling": {
    make: call((o) => settingsOf(o)),
    valid: { stop: [1, 2], maxTokens: 3, seed: 1 },
    more: { temperature: 2, topK: 3, topP: 0.5, returns: 3 },
    required: ["stop", "maxTokens"],
  },
  "generate by beams": {
    make: call((o) => settingsOf(o)),
    valid: { stop: [], maxTokens: 3, beams: 3 },
    more: { lengthPenalty: -2, earlyStopping: "never", returns: 2 },
    required: ["stop", "maxTokens"],
  },
};

const ONE = () => 1;

const BAD = [
  NaN,
  Infinity,
  -Infinity,
  -1,
  0.5,
  "3",
  null,
  undefined,
  1e9,
  {},
  true,
  0,
  [],
  ONE,
  2n,
  Symbol("s"),
];

/** The values of BAD that an option accepts, each documented in 17-options.md and the chapter of its class. */
const accepted: Readonly<Record<string, readonly unknown[]>> = {
  stop: [1e9, 0, []],
  maxTokens: [1e9, 0],
  minTokens: [1e9, 0],
  minLength: [1e9, 0],
  repetitionPenalty: [0.5, 1e9],
  noRepeatNgram: [1e9, 0],
  badWords: [[]],
  never: [[]],
  alternatives: [1e9, 0],
  seenPrompts: [[]],
  topP: [0.5, 0],
  "generate by sampling.returns": [],
  lengthPenalty: [-1, 0.5, 1e9, 0],
  earlyStopping: [true],
  mult: [0.5, 0],
  ffMult: [0.5, 0],
  "ParallelTransformerBlock.ffMult": [0],
  "FlamingoPaLM.ffMult": [0],
  depth: [0],
  perceiverDepth: [0],
  mlpDim: [0],
  numClasses: [0],
  in: [0],
  out: [0],
  mediaTokenId: [-1, 1e9, 0], // any id, also one that is no row of the table
  eocTokenId: [-1, 1e9, 0],
  imgEncoder: [null],
  maxNumMedia: [null],
  maxNumFrames: [null],
  perceiver: [{}],
  resampler: [{}],
  crossAttn: [{}],
  crossAttnFirstLayer: [0],
  gradientCheckpointing: [true],
  numHiddenLayers: [0],
  nLayer: [0],
  ffnDim: [0],
  nInner: [0, null],
  doLayerNormBefore: [true],
  removeFinalLayerNorm: [true],
  wordEmbedProjDim: [null],
  enableBias: [true],
  layerNormElementwiseAffine: [true],
  padTokenId: [null, 0, -1],
  ropeScaling: [null],
  paddingId: [null, 0],
  numKeyValueHeads: [null],
  headDim: [null],
  rmsNormEps: [0.5, 1e9],
  ropeTheta: [0.5, 1e9],
  attentionBias: [true],
  mlpBias: [true],
  tieWordEmbeddings: [true],
  rotaryPct: [0.5],
  rotaryEmbBase: [0.5, 1e9],
  layerNormEps: [0.5, 1e9],
  useParallelResidual: [true],
  nLayers: [0],
  layerNormEpsilon: [0.5, 1e9],
  attnConfig: [null, {}],
  logitScale: [null],
  "MosaicMptForCausalLM.logitScale": [-1, 0.5, null, 1e9, 0],
  "MosaicMptForCausalLM.expansionRatio": [0.5, 0],
  "OpenClipVisionTransformer.layers": [0],
  "OpenClipVisionTransformer.mlpRatio": [0.5, 0],
  "CLIPVisionTransformer.intermediateSize": [0],
  "CLIPVisionTransformer.layerNormEps": [0.5, 1e9, 0],
  "MosaicMptForCausalLM.embeddingFraction": [0.5],
  "MosaicMptForCausalLM.attentionBias": [null, true],
  "MagnetoDecoder.layers": [0],
  "MagnetoDecoder.paddingId": [null, 0, -1],
  deepNorm: [true],
  eps: [0.5, 1e9],
  xpos: [true],
  xposScaleBase: [0.5, 1e9],
  relativePosition: [null],
  multiway: [true],
  splitPosition: [-1],
  "MagnetoDecoder.maxPositions": [null],
  scaleEmbedding: [true],
  layerNormEmbedding: [true],
  tied: [true],
  attentionDropout: [0.5, 0],
  activationDropout: [0.5, 0],
  dropPathRate: [0.5, 0],
  learnedPosEmb: [true],
  normEps: [0.5, 1e9],
  noBias: [true],
  maxVideoFrames: [null],
  initial: [ONE],
  initialBias: [ONE],
  bound: [null, 0.5, 0, 1e9],
  zeroRow: [null, 0],
  std: [0.5, 0, 1e9],
  epsilon: [0.5, 0, 1e9],
  p: [0.5, 0],
  dropout: [0.5, 0],
  embDropout: [0.5, 0],
  positions: [0],
  base: [0.5, 1e9],
  from: [-1, 0],
  keys: [0],
  queries: [0],
  offset: [0],
  biasMax: [0.5, 1e9],
  scaleBase: [0.5, 1e9],
  bidirectional: [true],
  downscale: [true],
  "kosmosLayout.start": [true],
  "kosmosTextLimit.images": [0],
  "kosmosLayout.end": [true],
  concatPositions: [true],
  sineOnly: [true],
  learningRate: [0.5, 0, 1e9],
  "lion.learningRate": [0.5, 1e9],
  decoupledWeightDecay: [true],
  clipThreshold: [0.5, 1e9],
  min8bitSize: [0, 1e9],
  in32Bits: [[]],
  weightDecay: [0.5, 0, 1e9],
  momentum: [0.5, 0, 1e9],
  dampening: [0.5, 0, 1e9, -1], // torch does not restrict it
  temperature: [0.5, 1e9],
  topK: [Infinity, 1e9],
  seed: [-1, 1e9, 0],
  warmup: [0, 1e9],
  steps: [Infinity, 1e9, 0],
  floor: [0.5, 0],
  groups: [[]],
  behaviour: [{}],
  onlyAttendImmediateMedia: [true],
  bias: [true],
  "Conv2d.in": [],
  "Conv2d.out": [],
  centred: [true],
  stride: [],
  kernelSize: [],
  size: [],
  padding: [0],
};

/** Equality of the values of BAD, of which only {} and [] are objects. */
const same = (a: unknown, b: unknown): boolean =>
  Object.is(a, b) ||
  (typeof a === "object" &&
    typeof b === "object" &&
    a !== null &&
    b !== null &&
    Array.isArray(a) === Array.isArray(b));

const allowed = (who: string, option: string, required: readonly string[]): readonly unknown[] => [
  ...(accepted[`${who}.${option}`] ?? accepted[option] ?? []),
  ...(required.includes(option) ? [] : [undefined]),
];

describe.each(Object.entries(calls))("%s", (who, { make, valid, more = {}, required }) => {
  const all: Options = { ...valid, ...more };

  test.each(Object.keys(all))(
    "[options.values] [options.bounds] %s: every value is accepted as documented, or refused by name",
    (option) => {
      expect(() => make({ ...valid, ...(option in more ? { [option]: more[option] } : {}) })).not.toThrow();
      for (const value of BAD) {
        const started = performance.now();
        const listed = allowed(who, option, required).some((one) => same(one, value));
        const build = () => make({ ...valid, [option]: value });
        if (listed) expect(build, `${option} = ${String(value)}`).not.toThrow();
        else {
          const error = refusal(build);
          expect(error.message, String(value)).toContain(option);
          expect(error.rule).toMatch(
            /^(options\.(values|missing|bounds)|(open)?flamingo\.profile|sgd\.nesterov|llama\.|magneto\.|neox\.|gptj\.|optimizer\.|schedule\.|generate\.)/,
          );
        }
        expect(performance.now() - started).toBeLessThan(1000); // nothing is allocated
      }
    },
  );

  test.each(Object.keys(all))(
    "[options.values] %s: a number out of bounds is refused with the bounds, not for being no whole number",
    (option) => {
      for (const value of [2 ** 53, -(2 ** 53), [2 ** 53, 2 ** 53], [-1, -1]]) {
        let message = "";
        try {
          make({ ...valid, [option]: value });
        } catch (error) {
          ({ message } = error as Error);
        }
        expect(message).not.toMatch(/whole numbers?(?! (?:of bytes )?(?:from|above|between) \S*\d)/);
      }
    },
  );

  test("[options.missing] every required option is needed, by name", () => {
    for (const option of required) {
      const error = refusal(() =>
        make(Object.fromEntries(Object.entries(valid).filter(([name]) => name !== option))),
      );
      expect(error.message).toContain(option);
    }
  });
});

test("[options.values] a value is shown with its option, its call and what it must be", () => {
  const model = { ...head, numTokens: 9, depth: 2 };
  const wrong: readonly (readonly [Options, string])[] = [
    [
      { crossAttnEvery: 0 },
      "FlamingoPaLM: crossAttnEvery is 0; it must be a whole number from 1 to 16,777,216",
    ],
    [{ depth: 1e9 }, "FlamingoPaLM: depth is 1000000000; it must be a whole number from 0 to 10,000"],
    [{ depth: "2" }, 'FlamingoPaLM: depth is "2"; it must be a whole number from 0 to 10,000'],
    [
      { maxVideoFrames: [] },
      "FlamingoPaLM: maxVideoFrames is a list of 0; it must be a whole number from 1 to 16,777,216, or null",
    ],
    [
      { onlyAttendImmediateMedia: 1 },
      "FlamingoPaLM: onlyAttendImmediateMedia is 1; it must be true or false",
    ],
  ];
  for (const [options, message] of wrong) {
    const error = refusal(() => new FlamingoPaLM({ ...model, ...options } as never));
    expect(error.message).toBe(`${message}  [options.values]`);
  }
  expect(refusal(() => new FeedForward(null as never)).message).toContain(
    "takes an object of options, not null",
  );
  const long = { ...model, depth: "x".repeat(41) as never };
  expect(refusal(() => new FlamingoPaLM(long)).message).toContain(
    `depth is "${"x".repeat(40)}…"; it must be`,
  );
  for (const dim of [2.5, 3, 0, 2 ** 24 + 2])
    expect(refusal(() => new RotaryEmbedding(dim)).message).toContain("an even number from 2 to 16,777,216");
  expect(refusal(() => new FeedForward([12] as never)).message).toContain(
    "takes an object of options, not a list of 1",
  );
});

test("[options.values] an image encoder has a method, a ViT in an extractor is one, and a convention has its fields", () => {
  expect(
    refusal(() => new FlamingoPaLM({ ...head, numTokens: 9, depth: 1, imgEncoder: {} as never })).message,
  ).toContain("imgEncoder");
  expect(refusal(() => new Extractor({} as never)).message).toContain("it must be a ViT");
  expect(
    refusal(() => new Extractor(new ViT(vit), { returnEmbeddingsOnly: false } as never)).message,
  ).toContain("returnEmbeddingsOnly");
  for (const convention of [{}, null, "immediate", { numbering: "inclusive" }])
    expect(
      refusal(() => new MaskedCrossAttention({ ...head, convention: convention as never })).message,
    ).toContain("convention");
});

test("[options.known] an unknown option is refused with the nearest name, or with all of them", () => {
  const wrong: readonly (readonly [() => unknown, string, string])[] = [
    [
      () => new PerceiverResampler({ dim: 4, depth: 1, num_latents: 8 } as never),
      "num_latents",
      'did you mean "numLatents"?',
    ],
    [
      () => new FlamingoPaLM({ ...head, numTokens: 4, depth: 1, crossAttnEvry: 1 } as never),
      "crossAttnEvry",
      'did you mean "crossAttnEvery"?',
    ],
    [() => new FeedForward({ dim: 4, bogus: undefined } as never), "bogus", "known are dim, mult"],
    [() => new Linear("i -> o", 2, 2, { biass: true } as never), "biass", 'did you mean "bias"?'],
    [() => adamw({ groups: group, lr: 1 } as never), "lr", "known are groups, learningRate"],
    [() => new ViT({ ...vit, __proto__: null, constructor: 1 } as never), "constructor", "known are"],
  ];
  for (const [make, name, hint] of wrong) {
    const error = refusal(make);
    expect(error.rule).toBe("options.known");
    expect(error.message).toContain(`has no option "${name}"; ${hint}`);
  }
  expect(
    releaseMessage(refusal(() => new PerceiverResampler({ dim: 4, depth: 1, foo_bar: 1 } as never))),
  ).toBe("TypeError: PerceiverResampler.__init__() got an unexpected keyword argument 'foo_bar'");
  expect(
    releaseMessage(refusal(() => new PerceiverResampler({ dim: 4, depth: 1, fooBar: 1 } as never))),
  ).toBe("TypeError: PerceiverResampler.__init__() got an unexpected keyword argument 'foo_bar'");
  expect(releaseMessage(refusal(() => new FeedForward({ dim: 12, foo: 1 } as never)))).toBe(
    "TypeError: FeedForward() got an unexpected keyword argument 'foo'",
  );
});

test("[options.known] [options.missing] a call that no release has, has no message of a release", () => {
  for (const [call, rule] of [
    [() => train({ x: 1 } as never), "options.known"],
    [() => train({} as never), "options.missing"],
    [() => sgd({ lr: 1 } as never), "options.known"],
    [() => new OpenFlamingo({} as never), "options.missing"], // the release's class is called Flamingo
  ] as const) {
    const error = refusal(call);
    expect(error.rule).toBe(rule);
    expect(releaseMessage(error)).toBeNull();
  }
});

test("[options.known] an option that is undefined counts as left out", () => {
  const checks = { bound: optional(count), heads: optional(count) };
  const given: { bound?: number | undefined; heads?: number | undefined } = { bound: undefined, heads: 2 };
  expect(Object.entries(checked("f", given, checks))).toEqual([["heads", 2]]);
});

test("[options.values] null is accepted only where it is named, and undefined never is", () => {
  expect([null, undefined, 2, 0].map(count.accepts)).toEqual([false, false, true, false]);
  expect([null, undefined, 2, 0].map(nullable(count).accepts)).toEqual([true, false, true, false]);
  expect(nullable(count).wanted).toBe("a whole number from 1 to 16,777,216, or null");
});

test("[options.values] a list of names holds texts only", () => {
  const { accepts, wanted } = listOf("parameter names");
  const lists = [[], ["a"], ["a", "b"], [1], ["a", null], "a", { 0: "a", length: 1 }, null];
  expect(lists.map(accepts)).toEqual([true, true, true, false, false, false, false, false]);
  expect(wanted).toBe("a list of parameter names");
});

test("[options.known] the source package's snake_case suggests the option", () => {
  for (const [snake, option] of [
    ["perceiver_num_latents", "perceiverNumLatents"],
    ["only_attend_immediate_media", "onlyAttendImmediateMedia"],
    ["cross_attn_every", "crossAttnEvery"],
    ["media_token_id", "mediaTokenId"],
    ["img_encoder", "imgEncoder"],
    ["dim_head", "dimHead"],
  ] as const)
    expect(
      refusal(() => new FlamingoPaLM({ ...head, numTokens: 9, depth: 1, [snake]: 1 } as never)).message,
    ).toBe(`FlamingoPaLM has no option "${snake}"; did you mean "${option}"?  [options.known]`);
});

test("[options.known] [options.missing] inherited options do not count", () => {
  const inherited = Object.create({ dim: 12, mult: 2 });
  expect(refusal(() => new FeedForward(inherited)).rule).toBe("options.missing");
  expect(new FeedForward(Object.assign(Object.create({ mult: 2 }), { dim: 12 }))[1].weight.shape).toEqual([
    48, 12,
  ]);
  const model = new FlamingoPaLM({ ...head, numTokens: 9, depth: 1 });
  expect(releaseMessage(refusal(() => model.forward(int("b l", [[1]]), { image: null } as never)))).toBe(
    "TypeError: FlamingoPaLM.forward() got an unexpected keyword argument 'image'",
  );
});

test("[options.known] the constructors of position encodings refuse arguments beyond their own", () => {
  const calls: readonly (readonly [(...more: never[]) => unknown, string])[] = [
    [(...more) => new RotaryEmbedding(8, ...more), "RotaryEmbedding takes a width"],
    [(...more) => new XPos({ width: 8 }, ...more), "XPos takes an object of options"],
    [(...more) => new RelativePositionBias({}, ...more), "RelativePositionBias takes an object of options"],
    [
      (...more) => new LearnedPositions("d", { rows: 8, dim: 2 }, ...more),
      "LearnedPositions takes an axis and",
    ],
  ];
  for (const [make, message] of calls) {
    expect(make).not.toThrow();
    const error = refusal(() => make(...([5000] as never[])));
    expect([error.rule, error.message]).toEqual(["options.known", expect.stringContaining(message)]);
    expect(error.message).toContain("; it was also given 5000");
  }
});

test("[options.missing] what is missing is named with what it must be, in the words of the release", () => {
  const none = refusal(() => new FlamingoPaLM({} as never));
  expect(none.message).toContain("FlamingoPaLM needs dim, a whole number from 1 to 16,777,216; numTokens, ");
  expect(releaseMessage(none)).toBe(
    "TypeError: FlamingoPaLM.__init__() missing 3 required keyword-only arguments: 'dim', 'num_tokens', and 'depth'",
  );
  expect(releaseMessage(refusal(() => new PerceiverResampler({} as never)))).toBe(
    "TypeError: PerceiverResampler.__init__() missing 2 required keyword-only arguments: 'dim' and 'depth'",
  );
  expect(releaseMessage(refusal(() => new ParallelTransformerBlock({} as never)))).toBe(
    "TypeError: ParallelTransformerBlock.__init__() missing 1 required positional argument: 'dim'",
  );
  expect(releaseMessage(refusal(() => new FeedForward({} as never)))).toBe(
    "TypeError: FeedForward() missing 1 required positional argument: 'dim'",
  );
  expect(releaseMessage(refusal(() => new ViT({} as never)))).toBe(
    "TypeError: ViT.__init__() missing 7 required keyword-only arguments: 'image_size', 'patch_size', 'num_classes', 'dim', 'depth', 'heads', and 'mlp_dim'",
  );
});

test("[options.missing] Fourier features without bands are refused as generate_fourier_features(pos) of JOBR0/PerceiverIO_Pytorch at 64947cf", () => {
  const grid = linearPositions([3]);
  const message = (options: object) => releaseMessage(refusal(() => fourierFeatures(grid, options as never)));
  const needsBands =
    "TypeError: generate_fourier_features() missing 1 required positional argument: 'num_bands'";
  expect(message({})).toBe(needsBands);
  expect(message({ maxResolution: [4] })).toBe(needsBands);
  expect(message({ bands: 2 })).toBe(null); // max_resolution has a default there
  expect(message({ numBands: 2 })).toBe(null); // its own name of the argument
  expect(message({ bands: 2, maxResolution: [4], concatPos: true })).toBe(null);
  expect(message({ width: 2 })).toBe(
    "TypeError: generate_fourier_features() got an unexpected keyword argument 'width'",
  );
});

test("[options.values] values that the release refuses are refused in its words", () => {
  const flamingo = { ...head, numTokens: 9, depth: 1 };
  const power = "ZeroDivisionError: 0.0 cannot be raised to a negative power";
  const modulo = "ZeroDivisionError: integer modulo by zero";
  const range = (type: string) => `TypeError: '${type}' object cannot be interpreted as an integer`;
  const words: readonly (readonly [() => unknown, string])[] = [
    [() => new FlamingoPaLM({ ...flamingo, crossAttnEvery: 0 }), modulo],
    [() => new FlamingoPaLM({ ...flamingo, dimHead: 0 }), power],
    [() => new FlamingoPaLM({ ...flamingo, heads: 0 }), modulo],
    [() => new FlamingoPaLM({ ...flamingo, depth: 1.5 }), range("float")],
    [() => new FlamingoPaLM({ ...flamingo, depth: NaN }), range("float")],
    [() => new FlamingoPaLM({ ...flamingo, depth: null as never }), range("NoneType")],
    [() => new FlamingoPaLM({ ...flamingo, perceiverDepth: "3" as never }), range("str")],
    [() => new PerceiverAttention({ ...head, dimHead: 0 }), power],
    [() => new MaskedCrossAttention({ ...head, dimHead: 0 }), power],
    [() => new ParallelTransformerBlock({ ...head, dimHead: 0 }), power],
    [() => new ViT({ ...vit, dimHead: 0 }), power],
    [() => new ViT({ ...vit, patchSize: 0 }), modulo],
    [() => new ViT({ ...vit, heads: 0 }), modulo],
    [() => new ViT({ ...vit, depth: 0.5 }), range("float")],
    [
      () => new ViT({ ...vit, dropout: 1.5 }),
      "ValueError: dropout probability has to be between 0 and 1, but got 1.5",
    ],
    [
      () => new ViT({ ...vit, embDropout: -1 }),
      "ValueError: dropout probability has to be between 0 and 1, but got -1",
    ],
    [
      () => new ViT({ ...vit, pool: "max" as never }),
      "AssertionError: pool type must be either cls (cls token) or mean (mean pooling)",
    ],
    [
      () => new ViT({ ...vit, imageSize: 9 }),
      "AssertionError: Image dimensions must be divisible by the patch size.",
    ],
  ];
  for (const [make, message] of words) expect(releaseMessage(refusal(make))).toBe(message);
});

test("[options.known] positional arguments after the options are refused", () => {
  const surplus: readonly (readonly [() => unknown, string])[] = [
    [() => new LayerNorm(4, {}, ...([true] as never[])), "LayerNorm takes a width and options; it was also given true"],
    [() => new RMSNorm(4, {}, ...([1, "x"] as never[])), 'RMSNorm takes a width and options; it was also given 1, "x"'],
    [() => new BatchNorm2d(4, {}, ...([0.1] as never[])), "BatchNorm2d takes a number of channels and options; it was also given 0.1"],
    [() => new Conv2d(1, 1, { kernelSize: 1 }, ...([2] as never[])), "Conv2d takes two numbers of channels and options; it was also given 2"],
  ]; // biome-ignore format: four calls
  for (const [make, message] of surplus) {
    expect(refusal(make).message).toBe(`${message}  [options.known]`);
    expect(refusal(make).rule).toBe("options.known");
  }
  expect(refusal(() => new LayerNorm(4, 1e-3 as never)).message).toContain(
    "takes an object of options, not 0.001",
  );
});

test("[options.bounds] a parameter has at most 2^32 values, and its shape is a list of whole numbers", () => {
  expect(new Parameter("a b", [2 ** 16, 2 ** 16], uniform(1)).size).toBe(2 ** 32);
  // 2^32 + 1 = 641 · 6700417
  for (const shape of [[641, 6_700_417], [2 ** 32 + 1], [2 ** 16, 2 ** 16 + 1]])
    expect(() => new Parameter("a b", shape, uniform(1))).toThrow(ShapeError);
  for (const initial of [undefined, { kind: "constant", value: 0 }, 0])
    expect(() => new Parameter("a", [3], initial as never)).toThrow(/Parameter: initial is .* a function of/);
  for (const shape of [[-1], [0.5], [NaN], ["3"], null, "3"])
    expect(() => new Parameter("a", shape as never, uniform(1))).toThrow(/is not a shape/);
  // Each width alone is allowed, and their product is not.
  const wide = () => new PerceiverAttention({ dim: 4, heads: 2 ** 20, dimHead: 2 ** 20 });
  expect(wide).toThrow(RuleError);
});

test("[options.bounds] a call makes at most 2^32 values, which is checked before any is made", () => {
  for (const shape of [[2 ** 16, 2 ** 16], [2 ** 32], [1, 2 ** 31, 2], [0, 2 ** 40], []])
    expect(() => checkSize("f", shape)).not.toThrow();
  // 2^32 + 1 = 641 · 6700417
  for (const shape of [[641, 6_700_417], [2 ** 32 + 1], [2 ** 24, 2 ** 24]]) {
    const error = refusal(() => checkSize("f", shape));
    expect([error.rule, error.message]).toEqual([
      "options.bounds",
      `f: [${shape.join(" ")}] has more than 2^32 values  [options.bounds]`,
    ]);
  }
});

test("[options.values] depth 0 is allowed, as the release computes it", () => {
  const text = int("b l", [[1, 3, 2]]);
  const model = new FlamingoPaLM({ ...head, numTokens: 9, depth: 0, perceiverDepth: 0 });
  expect(model.forward(text, { embeds: randomTensor([1, 1, 2, 12]) }).shape).toEqual([1, 3, 9]);
  expect(new ViT({ ...vit, depth: 0, channels: 1 }).forward(randomTensor([1, 1, 8, 8])).shape).toEqual([
    1, 3,
  ]);
  expect(
    new PerceiverResampler({ ...head, depth: 0, numLatents: 2 }).forward(randomTensor([1, 1, 3, 12])).shape,
  ).toEqual([1, 1, 2, 12]);
});

test("[notation.operands] a forward pass without a tensor is refused with the name of its class", () => {
  const modules: Readonly<Record<string, { forward: (x: never) => unknown }>> = {
    LayerNorm: new LayerNorm(4),
    RMSNorm: new RMSNorm(4),
    BatchNorm2d: new BatchNorm2d(4),
    conv2d: new Conv2d(4, 4, { kernelSize: 1 }),
    PaLMLayerNorm: new PaLMLayerNorm(4),
    Dropout: new Dropout(0.5),
    SwiGLU: new SwiGLU(),
    PerceiverResampler: new PerceiverResampler({ dim: 4, depth: 1 }),
  };
  for (const [name, module] of Object.entries(modules))
    for (const x of [undefined, null, 5, "x", [1], {}, int("a", [1, 2])]) {
      const forward = () => module.forward(x as never);
      expect(forward, name).toThrow(ShapeError);
      expect(forward).toThrow(`in ${name}: operand 1 must be a tensor, not`);
    }
});
