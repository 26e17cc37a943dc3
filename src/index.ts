// flamboyance: everything public, in one flat list. `flamboyance/masks` needs neither ndarray nor a device.

// blocks and models
export {
  GatedCrossAttentionBlock,
  type GatedCrossAttentionBlockOptions,
} from "./blocks/gated-cross-attention-block.ts";
export { MaskedCrossAttention, type MaskedCrossAttentionOptions } from "./blocks/masked-cross-attention.ts";
export {
  ParallelTransformerBlock,
  type ParallelTransformerBlockOptions,
  SwiGLU,
} from "./blocks/parallel-transformer-block.ts";
export { PerceiverAttention } from "./blocks/perceiver-attention.ts";
export { PerceiverResampler, type PerceiverResamplerOptions } from "./blocks/perceiver-resampler.ts";
// files
export { loadSafetensors, openSafetensors, type SafetensorsFile } from "./io/safetensors.ts";
export { saveSafetensors, writeSafetensors } from "./io/write-safetensors.ts";
export { auto } from "./kernels/auto.ts";
export { type Backend, differentiable } from "./kernels/backend.ts";
export { matmul } from "./kernels/matmul.ts";
export { reference } from "./kernels/reference/index.ts";
export { type KernelReport, type ReplayOptions, replay, run } from "./kernels/replay.ts";
export * from "./masks/index.ts";
export { FlamingoPaLM, type FlamingoPaLMOptions } from "./models/flamingo-palm.ts";
export type { ImageEncoder, Media } from "./models/media.ts";
export { type FlamingoBehaviour, type ProfileName, profiles } from "./models/profiles.ts";
export { Extractor, ViT, type ViTOptions } from "./models/vit.ts";
// layers
export { attention } from "./nn/attention.ts";
export { Dropout, setTraining } from "./nn/dropout.ts";
export { Embedding } from "./nn/embedding.ts";
export { FeedForward } from "./nn/feed-forward.ts";
export { GammaLayerNorm, LayerNorm, normalize } from "./nn/layer-norm.ts";
export { Linear } from "./nn/linear.ts";
export { Parameter } from "./nn/parameter.ts";
export { RotaryEmbedding } from "./nn/rotary.ts";
export { initialize, loadStateDict, parameterNames, stateDict, ties } from "./nn/state-dict.ts";
export {
  concat,
  concatLast,
  einsum,
  halves,
  pad,
  rearrange,
  repeat,
  slice,
  split,
  sum,
  unbind,
} from "./tensor/arrange.ts";
export { Bug, LoadError, RuleError, ShapeError } from "./tensor/errors.ts";
// programs
export { evaluate } from "./tensor/evaluate.ts";
// tensors
export {
  add,
  arange,
  cos,
  detach,
  div,
  equal,
  exp,
  expand,
  gather,
  gelu,
  log,
  maskedSoftmax,
  maxLast,
  meanLast,
  mul,
  neg,
  scale,
  scatter,
  shift,
  sigmoid,
  sin,
  softmax,
  sqrt,
  square,
  sub,
  sumLast,
  sumTo,
  tanh,
  total,
  where,
} from "./tensor/functions.ts";
export { gradientOf, gradients } from "./tensor/gradients.ts";
export type { EmptyRow, OpName, Ops } from "./tensor/ops.ts";
export { named, shapes } from "./tensor/pattern.ts";
export type { Precision } from "./tensor/precision.ts";
export { type Node, type Program, prune, type Scope } from "./tensor/program.ts";
export { dropout, type Generator, generator } from "./tensor/random.ts";
export { keepTaps, LAYERS, peakNumbers, recompute } from "./tensor/recompute.ts";
export { extend, record, scope, tap } from "./tensor/record.ts";
export {
  Bool,
  bool,
  flat,
  Int,
  int,
  type Shape,
  symbol,
  Tensor,
  tensor,
  type View,
  view,
} from "./tensor/tensor.ts";
// training
export { type AdamWOptions, adamw } from "./training/adamw.ts";
export { loadCheckpoint, saveCheckpoint } from "./training/checkpoint.ts";
export { decayGroups, type TrainableSetName, trainable, trainableSets } from "./training/freezing.ts";
export { accumulate, clip, globalNorm } from "./training/gradient-maps.ts";
export { type CrossEntropy, crossEntropy, IGNORED, weightedSum } from "./training/losses.ts";
export type { Optimizer, ParameterGroup } from "./training/optimizer.ts";
export { type Schedule, type ScheduleOptions, schedule } from "./training/schedules.ts";
export { type SGDOptions, sgd } from "./training/sgd.ts";
export { lossAndGradients, stepProgram } from "./training/step.ts";
export { nextTokens, type TargetOptions } from "./training/targets.ts";
export { type Step, type TrainOptions, train } from "./training/training.ts";
