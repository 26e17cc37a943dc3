// The public interface of the package. `flamboyance/masks`, `flamboyance/simd` and `flamboyance/gpu` are entries of their own.

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
export { ANSWER_SETTINGS, captionAnswer, vqaAnswer } from "./evaluation/answers.ts";
export { DATASETS, type DatasetInfo } from "./evaluation/catalogue/datasets.ts";
export { classProbabilities, ensembled, ensembleOrders } from "./evaluation/classes.ts";
export {
  type Filtered,
  type FilterOptions,
  filteredDocument,
  imageReason,
} from "./evaluation/data/filters.ts";
export { KOSMOS_TEXT_MIXTURE, mixed, mixture } from "./evaluation/data/mixture.ts";
export { type Packed, packed } from "./evaluation/data/packing.ts";
export {
  type BadLine,
  goodSamples,
  type ReadSample,
  type Sample,
  samplesOf,
} from "./evaluation/data/samples.ts";
export { type TrainingSample, trainingText } from "./evaluation/data/training-formats.ts";
export {
  type KosmosExample,
  type KosmosTask,
  kosmosCaptions,
  kosmosChainPrompt,
  kosmosColour,
  kosmosContinuation,
  kosmosDescriptionPrompt,
  kosmosImageNet,
  kosmosIqPrompt,
  kosmosMemes,
  kosmosPrompt,
  kosmosRationalePrompt,
  kosmosRelativeSize,
  kosmosSentiment,
  kosmosVqa,
  kosmosWebPages,
  type PromptSegment,
} from "./evaluation/kosmos-prompts.ts";
export { type EvaluationProfile, evaluationProfiles } from "./evaluation/profiles.ts";
export {
  captionTask,
  type Demonstration,
  fewShotPrompt,
  hatefulMemesTask,
  imagenetTask,
  type PromptWithImages,
  type Task,
  vqaTask,
} from "./evaluation/prompts.ts";
export { type PromptBatch, type RankOptions, rankClassifications } from "./evaluation/rank-classification.ts";
export { type FeatureTower, imageFeatures, mostSimilar, towerOf } from "./evaluation/retrieval.ts";
export { type Interval, type IntervalOptions, meanWithInterval } from "./evaluation/runs/interval.ts";
export { drawnShots } from "./evaluation/runs/shots.ts";
export { captionTokens } from "./evaluation/scorers/caption-tokens.ts";
export { type Captioned, cider } from "./evaluation/scorers/cider.ts";
export { accuracy, rocAuc } from "./evaluation/scorers/classification.ts";
export { bestOf, exactMatch, f1 } from "./evaluation/scorers/spans.ts";
export { normalizedAnswer, type VqaAccuracyOptions, vqaAccuracy } from "./evaluation/scorers/vqa-accuracy.ts";
export { attentionMaps, attentionWeights } from "./generation/attention-maps.ts";
export { beamSearch } from "./generation/beam-search.ts";
export type { Beam } from "./generation/beams.ts";
export { type Alternative, type Choose, type ChosenToken, greedy } from "./generation/choose.ts";
export { generate, stream } from "./generation/generate.ts";
export type { GenerateOptions } from "./generation/options.ts";
export { type GenerateFlamingoOptions, generateFlamingo } from "./generation/padded/flamingo.ts";
export { prefill } from "./generation/prompts.ts";
export { openPretrained, type Pretrained } from "./io/huggingface/pretrained.ts";
export { colourWheel, type Flow, flowErrorImage, flowImage } from "./io/images/flow-colours.ts";
export type { Image, ImageMode } from "./io/images/image.ts";
export { encodePng } from "./io/images/png/write.ts";
export {
  clipPreprocessing,
  type ImagePreprocessing,
  kosmosPreprocessing,
  openClipPreprocessing,
  preprocessImage,
} from "./io/images/preprocessing.ts";
export { decodeImageFile, readImage, readImageFile } from "./io/images/read.ts";
export { type ImageSize, type ResizeFilter, type ResizeOptions, resizeImage } from "./io/images/resize.ts";
export { type Crop, resizedCrop } from "./io/images/resize-floats.ts";
export {
  centerCrop,
  clipNormalization,
  clipNormalizations,
  imageTensor,
  type Normalization,
  resizeShortSide,
} from "./io/images/transforms.ts";
export { loadPickle, openPickle, type PickledTensors } from "./io/pickle/read.ts";
export { loadSafetensors, openSafetensors, type SafetensorsFile } from "./io/safetensors/read.ts";
export { saveSafetensors, writeSafetensors } from "./io/safetensors/write.ts";
export { encodeWav, readWav, readWavFile, type Sound } from "./io/sound/wav.ts";
export { byteText, byteTokens } from "./io/tokenizers/byte-tokens.ts";
export type { ChatMessage } from "./io/tokenizers/chat.ts";
export {
  type KosmosPreset,
  type KosmosTokenizer,
  type LoadKosmosTokenizerOptions,
  loadKosmosTokenizer,
  paddingWarning,
} from "./io/tokenizers/kosmos/load.ts";
export { type PublishedTokens, publishedTokens } from "./io/tokenizers/kosmos/published.ts";
export { loadTokenizer } from "./io/tokenizers/load.ts";
export type { TextStream } from "./io/tokenizers/streaming.ts";
export type { ChatOptions, DecodeOptions, EncodeOptions, Tokenizer } from "./io/tokenizers/tokenizer.ts";
export { loadTorch, openTorch } from "./io/torch/read.ts";
export { saveTorch, writeTorch } from "./io/torch/write.ts";
export { auto } from "./kernels/auto.ts";
export { type Backend, differentiable } from "./kernels/backend.ts";
export { KeptTensor } from "./kernels/kept-tensor.ts";
export { matmul } from "./kernels/matmul.ts";
export { reference } from "./kernels/reference/index.ts";
export { type KernelReport, type ReplayOptions, releaseKept, replay, run } from "./kernels/replay.ts";
export * from "./masks/index.ts";
export { FlamingoPaLM, type FlamingoPaLMOptions } from "./models/flamingo/flamingo-palm.ts";
export type { ImageEncoder, Media } from "./models/flamingo/media.ts";
export { type ParameterSetName, parameterSets } from "./models/flamingo/names.ts";
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
  type Cache,
  type DecoderLayer,
  type Decoding,
  type KeyValues,
  type LanguageModel,
  noPadding,
  type Step as DecodingStep,
  type Writer,
  writerOf,
} from "./models/language-model.ts";
export {
  GPT_NEOX_5_NAMES,
  GPTNeoXForCausalLM,
  type GPTNeoXOptions,
} from "./models/language-models/gpt-neox.ts";
export { GPTJForCausalLM, type GPTJOptions } from "./models/language-models/gptj.ts";
export { LlamaForCausalLM, type LlamaOptions } from "./models/language-models/llama.ts";
export { MagnetoDecoder } from "./models/language-models/magneto/decoder.ts";
export type { MagnetoNormalization, MagnetoOptions } from "./models/language-models/magneto/options.ts";
export {
  MOSAIC_GPT_NAMES,
  type MosaicMptAttentionOptions,
  MosaicMptForCausalLM,
  type MosaicMptOptions,
} from "./models/language-models/mosaic-mpt.ts";
export { type MptAttentionOptions, MptForCausalLM, type MptOptions } from "./models/language-models/mpt.ts";
export { OPTForCausalLM, type OPTOptions } from "./models/language-models/opt.ts";
export { type ResizeVocabularyOptions, resizeVocabulary } from "./models/language-models/vocabulary.ts";
export {
  type CheckpointForm,
  type CheckpointFormOptions,
  checkpointState,
  flamingoStateDict,
} from "./models/open-flamingo/checkpoints/state.ts";
export { OpenFlamingo, type OpenFlamingoOptions } from "./models/open-flamingo/flamingo.ts";
export type { FlamingoImages, FlamingoInputs, FlamingoOutputs } from "./models/open-flamingo/inputs.ts";
export {
  type OpenFlamingoBehaviour,
  type OpenFlamingoProfile,
  openFlamingoProfiles,
} from "./models/open-flamingo/profiles.ts";
export { loadPerceiver, type PerceiverTask } from "./models/perceiver-io/checkpoints.ts";
export { PERCEIVER_NAMES, type PerceiverCheckpoint } from "./models/perceiver-io/names.ts";
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
export {
  ACTIVATIONS,
  type ActivationName,
  activation,
  geluTanh,
  quickGelu,
  silu,
} from "./nn/activations.ts";
export { attention } from "./nn/attention/attention.ts";
export { Conv2d, type Conv2dOptions } from "./nn/conv/conv2d.ts";
export { conv2d, maxPool2d, type Padding, type PlaneOptions, unfold } from "./nn/conv/planes.ts";
export { type CrossEntropy, crossEntropy, IGNORED } from "./nn/cross-entropy.ts";
export { Dropout, setTraining } from "./nn/dropout.ts";
export { Embedding } from "./nn/embedding.ts";
export { FeedForward } from "./nn/feed-forward.ts";
export { Linear } from "./nn/linear.ts";
export { StateDictError } from "./nn/loading/compare.ts";
export type { StateDictReport } from "./nn/loading/report.ts";
export { describeReport } from "./nn/loading/report-text.ts";
export type { LoadRules } from "./nn/loading/rules.ts";
export { BatchNorm2d, type BatchNormOptions } from "./nn/norms/batch-norm.ts";
export {
  LayerNorm,
  type LayerNormOptions,
  type NormalizeOptions,
  normalize,
  PaLMLayerNorm,
  RMSNorm,
  type RMSNormOptions,
} from "./nn/norms/layer-norm.ts";
export { Parameter } from "./nn/parameter.ts";
export { alibi } from "./nn/positions/alibi.ts";
export { fourierFeatures, linearPositions } from "./nn/positions/fourier.ts";
export { LearnedPositions } from "./nn/positions/learned.ts";
export { RelativePositionBias } from "./nn/positions/relative-bias.ts";
export { RotaryEmbedding, rotary } from "./nn/positions/rotary.ts";
export type { RopeScaling } from "./nn/positions/scaling.ts";
export { XPos } from "./nn/positions/xpos.ts";
export { initialize, loadStateDict, parameterNames, stateDict, ties } from "./nn/state-dict.ts";
export { type LoadClipOptions, type LoadedClip, loadClip } from "./pretrained/clip/load.ts";
export {
  type FlamingoPaLMSettings,
  type LoadedFlamingoPaLM,
  loadFlamingoPaLM,
  saveFlamingoPaLM,
} from "./pretrained/flamingo-palm/folder.ts";
export {
  kosmosTower,
  type LoadedKosmos,
  type LoadKosmosOptions,
  loadKosmos,
  type SaveKosmosOptions,
  saveKosmos,
} from "./pretrained/kosmos/folder.ts";
export { type KosmosPlanOptions, kosmosMemoryPlan } from "./pretrained/kosmos/memory-plan.ts";
export type { KosmosSettings } from "./pretrained/kosmos/settings.ts";
export {
  type LoadedModel,
  type LoadPretrainedOptions,
  loadPretrained,
  memoryPlan,
} from "./pretrained/load-pretrained.ts";
export type { MemoryPlan, PlanOptions, SimdPlan } from "./pretrained/memory-plan.ts";
export {
  CheckpointError,
  type LoadedCheckpoint,
  type LoadFlamingoCheckpointOptions,
  loadFlamingoCheckpoint,
} from "./pretrained/open-flamingo/checkpoint/load.ts";
export type { CheckpointReport } from "./pretrained/open-flamingo/checkpoint/report.ts";
export { describeCheckpoint } from "./pretrained/open-flamingo/checkpoint/report-text.ts";
export { saveFlamingoCheckpoint } from "./pretrained/open-flamingo/checkpoint/save.ts";
export {
  type CreateFlamingoOptions,
  createFlamingo,
  type FlamingoAndTransforms,
  type VisionTower,
} from "./pretrained/open-flamingo/factory.ts";
export {
  type FlamingoSettings,
  type LoadedFlamingo,
  type LoadFlamingoOptions,
  loadFlamingo,
  saveFlamingo,
} from "./pretrained/open-flamingo/folder.ts";
export {
  type FlamingoParts,
  type FlamingoPlanOptions,
  flamingoMemoryPlan,
} from "./pretrained/open-flamingo/memory-plan.ts";
export { describePlan } from "./pretrained/plan-text.ts";
export type { Amount, ReadingProgress } from "./pretrained/reading.ts";
export { gradientOf, gradients } from "./tensor/autodiff/gradients.ts";
export { Bug, LoadError, RuleError, ShapeError } from "./tensor/errors.ts";
export {
  chunk,
  concat,
  concatLast,
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
export type { EmptyRow, OpName, Ops } from "./tensor/ops/table.ts";
export { named, shapes } from "./tensor/pattern.ts";
export type { Precision } from "./tensor/precision.ts";
export { gradientCheckpointing, keepTaps, peakLiveElements } from "./tensor/program/checkpointing.ts";
export { evaluate } from "./tensor/program/evaluate.ts";
export { type Node, type Program, prune, type Scope } from "./tensor/program/program.ts";
export { extend, record, scope, tap } from "./tensor/program/record.ts";
export { dropout, type Generator, generator } from "./tensor/random.ts";
export type { Source } from "./tensor/source.ts";
export {
  abstractTensor,
  Bool,
  bool,
  flat,
  Int,
  int,
  type Shape,
  Tensor,
  tensor,
  type View,
  view,
} from "./tensor/tensor.ts";
export {
  type FactDifference,
  ForeignCheckpointError,
  loadCheckpoint,
  type RunFacts,
  saveCheckpoint,
} from "./training/checkpoint.ts";
export { shuffledOrder } from "./training/data-order.ts";
export { accumulate, clip, globalNorm } from "./training/gradient-maps.ts";
export { type KosmosGrouping, kosmosGroups } from "./training/kosmos/groups.ts";
export { publishedKosmosLoss } from "./training/kosmos/published-loss.ts";
export { type KosmosRecipe, kosmosRecipes, recipeOptions } from "./training/kosmos/recipes.ts";
export { type KosmosRun, loadKosmosRun, saveKosmosRun } from "./training/kosmos/run.ts";
export {
  type KosmosProgress,
  type KosmosStep,
  type KosmosTrainingBatch,
  type TrainKosmosOptions,
  trainKosmos,
} from "./training/kosmos/train.ts";
export { weightedSum } from "./training/losses.ts";
export {
  type FlamingoTrainingBehaviour,
  flamingoTrainingProfiles,
} from "./training/open-flamingo/behaviour.ts";
export { embeddingGradientMask } from "./training/open-flamingo/gradient-mask.ts";
export { flamingoGroups } from "./training/open-flamingo/groups.ts";
export {
  acceptsInterleaved,
  type InterleavedDocument,
  type InterleavedOptions,
  interleavedText,
} from "./training/open-flamingo/interleaved.ts";
export { type LabelOptions, laionLabels, mmc4Labels } from "./training/open-flamingo/labels.ts";
export { type FlamingoBatch, flamingoLoss } from "./training/open-flamingo/loss.ts";
export { type FlamingoRun, loadFlamingoRun, saveFlamingoRun } from "./training/open-flamingo/run.ts";
export {
  type FlamingoDataset,
  type FlamingoProgress,
  type FlamingoStep,
  type TrainFlamingoOptions,
  trainFlamingo,
} from "./training/open-flamingo/train.ts";
export { type AdamWOptions, adamw } from "./training/optimizers/adamw.ts";
export { type AdamW8bitOptions, adamw8bit } from "./training/optimizers/eight-bit/adamw.ts";
export { type LionOptions, lion } from "./training/optimizers/lion.ts";
export type { Optimizer, ParameterGroup } from "./training/optimizers/optimizer.ts";
export { type SGDOptions, sgd } from "./training/optimizers/sgd.ts";
export { type StableAdamWOptions, stableAdamW } from "./training/optimizers/stable-adamw.ts";
export { type Schedule, type ScheduleOptions, schedule } from "./training/schedules.ts";
export { lossAndGradients, stepProgram } from "./training/step.ts";
export { nextTokens, type TargetOptions } from "./training/targets.ts";
export { decayGroups, trainable } from "./training/trainable.ts";
export { type Step, type TrainOptions, train } from "./training/training.ts";
export { type TransformersScheduleOptions, transformersSchedule } from "./training/transformers-schedules.ts";
export { weightsDigest } from "./training/weights-digest.ts";
export {
  type BeamText,
  type Finish,
  type Piece,
  type TextModel,
  type WriteOptions,
  writeBeams,
  writeText,
} from "./writing/write-text.ts";
