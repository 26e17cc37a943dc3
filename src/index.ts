// flamboyance: tensors, programs and their execution, models. The other entries are the files of src/entries.

export { auto } from "./kernels/auto.ts";
export { type Backend, differentiable } from "./kernels/backend.ts";
export { KeptTensor } from "./kernels/kept-tensor.ts";
export { matmul } from "./kernels/matmul.ts";
export { reference } from "./kernels/reference/index.ts";
export {
  type KernelReport,
  type ReplayOptions,
  type RunOptions,
  releaseKept,
  replay,
  run,
} from "./kernels/replay.ts";
export { FlamingoPaLM, type FlamingoPaLMOptions } from "./models/flamingo/flamingo-palm.ts";
export type { ImageEncoder, Media } from "./models/flamingo/media.ts";
export type { ParameterSetName } from "./models/flamingo/names.ts";
export { type FlamingoBehaviour, type ProfileName, profiles } from "./models/flamingo/profiles.ts";
export type { KosmosImages, KosmosInputs, KosmosOutputs } from "./models/kosmos/inputs.ts";
export { Kosmos, type KosmosMode, type KosmosOptions } from "./models/kosmos/kosmos.ts";
export { KosmosLanguage } from "./models/kosmos/language.ts";
export {
  type KosmosBatch,
  type KosmosLayout,
  type KosmosSegment,
  type KosmosTokens,
  kosmosBatch,
  kosmosLayout,
  kosmosSegments,
  kosmosTextLimit,
  type LayoutOptions,
} from "./models/kosmos/layout.ts";
export { KOSMOS_SIZES } from "./models/kosmos/sizes.ts";
export {
  type DecoderLayer,
  type Decoding,
  type KeyValues,
  type LanguageModel,
  noPadding,
} from "./models/language-model.ts";
export { GPTNeoXForCausalLM, type GPTNeoXOptions } from "./models/language-models/gpt-neox.ts";
export { GPTJForCausalLM, type GPTJOptions } from "./models/language-models/gptj.ts";
export { LlamaForCausalLM, type LlamaOptions } from "./models/language-models/llama.ts";
export { MagnetoDecoder } from "./models/language-models/magneto/decoder.ts";
export type { MagnetoNormalization, MagnetoOptions } from "./models/language-models/magneto/options.ts";
export {
  type MosaicMptAttentionOptions,
  MosaicMptForCausalLM,
  type MosaicMptOptions,
} from "./models/language-models/mosaic-mpt.ts";
export { type MptAttentionOptions, MptForCausalLM, type MptOptions } from "./models/language-models/mpt.ts";
export { OPTForCausalLM, type OPTOptions } from "./models/language-models/opt.ts";
export { type ResizeVocabularyOptions, resizeVocabulary } from "./models/language-models/vocabulary.ts";
export { withStep } from "./models/media-writer.ts";
export { OpenFlamingo, type OpenFlamingoOptions } from "./models/open-flamingo/flamingo.ts";
export type { FlamingoImages, FlamingoInputs, FlamingoOutputs } from "./models/open-flamingo/inputs.ts";
export {
  type OpenFlamingoBehaviour,
  type OpenFlamingoProfile,
  openFlamingoProfiles,
} from "./models/open-flamingo/profiles.ts";
export { PerceiverIO, type PerceiverIOOptions } from "./models/perceiver-io/perceiver-io.ts";
export {
  AudioPostprocessor,
  ClassificationPostprocessor,
  EmbeddingPostprocessor,
  FlowPostprocessor,
  IdentityPostprocessor,
  ImagePostprocessor,
  ProjectionPostprocessor,
} from "./models/perceiver-io/postprocessors.ts";
export { AudioPreprocessor } from "./models/perceiver-io/preprocessors/audio.ts";
export { EmbeddingPreprocessor } from "./models/perceiver-io/preprocessors/embedding.ts";
export { ImagePreprocessor } from "./models/perceiver-io/preprocessors/image.ts";
export { OneHotPreprocessor } from "./models/perceiver-io/preprocessors/one-hot.ts";
export { BasicQuery, FlowQuery, FourierQuery, TrainableQuery } from "./models/perceiver-io/queries.ts";
export { ClassificationPerceiver } from "./models/perceiver-io/tasks/classification.ts";
export { FlowPerceiver } from "./models/perceiver-io/tasks/flow.ts";
export { LanguagePerceiver } from "./models/perceiver-io/tasks/language.ts";
export { MultiModalPerceiver } from "./models/perceiver-io/tasks/multi-modal.ts";
export { type OpenClipOptions, OpenClipVisionTransformer } from "./models/vision/clip/open-clip.ts";
export type { ClipTower } from "./models/vision/clip/tower.ts";
export {
  CLIPVisionModel,
  CLIPVisionModelWithProjection,
  type CLIPVisionOptions,
  CLIPVisionTransformer,
} from "./models/vision/clip/transformers.ts";
export { Extractor, ViT, type ViTOptions } from "./models/vision/vit.ts";
export { type Cache, type DecodingStep, type Writer, writerOf } from "./models/writer.ts";
export { StateDictError } from "./nn/loading/compare.ts";
export type { StateDictReport } from "./nn/loading/report.ts";
export { describeStateDictReport } from "./nn/loading/report-text.ts";
export type { LoadRules, NameRule } from "./nn/loading/rules.ts";
export { initialize, loadStateDict, parameterNames, stateDict, ties } from "./nn/state-dict.ts";
export { gradientOf, gradients } from "./tensor/autodiff/gradients.ts";
export { Bug, LoadError, RuleError, ShapeError } from "./tensor/errors.ts";
export {
  chunk,
  concat,
  einsum,
  overlap,
  pad,
  rearrange,
  repeat,
  slice,
  split,
  sum,
  unbind,
  windows,
} from "./tensor/ops/arrange.ts";
export {
  add,
  addScalar,
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
  mulScalar,
  neg,
  pick,
  place,
  positive,
  relu,
  scatter,
  sigmoid,
  sin,
  softmax,
  sqrt,
  square,
  sub,
  sumAll,
  sumExp,
  sumLast,
  tanh,
  unbroadcast,
  where,
} from "./tensor/ops/functions.ts";
export type { OpName, Ops, SoftmaxEmptyRow } from "./tensor/ops/table.ts";
export type { Precision } from "./tensor/precision.ts";
export { scope, tap } from "./tensor/program/apply.ts";
export { gradientCheckpointing, keepTaps, peakLiveElements } from "./tensor/program/checkpointing.ts";
export { evaluate } from "./tensor/program/evaluate.ts";
export { type Node, type Program, prune, type Scope } from "./tensor/program/program.ts";
export { extend, record } from "./tensor/program/record.ts";
export { type Generator, generator } from "./tensor/random.ts";
export type { TensorSource } from "./tensor/source.ts";
export {
  abstractTensor,
  Bool,
  bool,
  Int,
  int,
  type Shape,
  type Strided,
  Tensor,
  tensor,
} from "./tensor/tensor.ts";
