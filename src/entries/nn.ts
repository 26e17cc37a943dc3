// flamboyance/nn: the layers and blocks of which the models are made, and what a module of one's own needs.

export {
  GatedCrossAttentionBlock,
  type GatedCrossAttentionBlockOptions,
} from "../blocks/gated-cross-attention-block.ts";
export { MaskedCrossAttention, type MaskedCrossAttentionOptions } from "../blocks/masked-cross-attention.ts";
export {
  ParallelTransformerBlock,
  type ParallelTransformerBlockOptions,
  SwiGLU,
} from "../blocks/parallel-transformer-block.ts";
export { PerceiverAttention } from "../blocks/perceiver-attention.ts";
export { PerceiverResampler, type PerceiverResamplerOptions } from "../blocks/perceiver-resampler.ts";
export {
  ACTIVATIONS,
  type ActivationName,
  activation,
  geluTanh,
  quickGelu,
  silu,
} from "../nn/activations.ts";
export { attention } from "../nn/attention/attention.ts";
export { Conv2d, type Conv2dOptions } from "../nn/conv/conv2d.ts";
export { conv2d, maxPool2d, type Padding, type PlaneOptions, unfold } from "../nn/conv/planes.ts";
export { Dropout } from "../nn/dropout.ts";
export { Embedding, PaddedEmbedding } from "../nn/embedding.ts";
export { FeedForward } from "../nn/feed-forward.ts";
export { Linear } from "../nn/linear.ts";
export { BatchNorm2d, type BatchNormOptions } from "../nn/norms/batch-norm.ts";
export {
  LayerNorm,
  type LayerNormOptions,
  type NormalizeOptions,
  normalize,
  PaLMLayerNorm,
  RMSNorm,
  type RMSNormOptions,
} from "../nn/norms/layer-norm.ts";
export { Parameter } from "../nn/parameter.ts";
export { alibi } from "../nn/positions/alibi.ts";
export { fourierFeatures, linearPositions } from "../nn/positions/fourier.ts";
export { LearnedPositions } from "../nn/positions/learned.ts";
export { RotaryEmbedding } from "../nn/positions/palm-rotary.ts";
export { RelativePositionBias } from "../nn/positions/relative-bias.ts";
export { rotary } from "../nn/positions/rotary.ts";
export type { RopeScaling } from "../nn/positions/scaling.ts";
export { XPos } from "../nn/positions/xpos.ts";
export { setTraining } from "../nn/train-mode.ts";
export { named, shapes } from "../tensor/pattern.ts";
export { dropout } from "../tensor/random.ts";
