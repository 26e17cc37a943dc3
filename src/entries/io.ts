// flamboyance/io: files of weights, tokenizers, images and sound; models from folders of pretrained weights, and their memory.

export { openPretrained, type Pretrained } from "../io/huggingface/pretrained.ts";
export { type Flow, flowErrorImage, flowImage } from "../io/images/flow-colours.ts";
export type { Image, ImageMode } from "../io/images/image.ts";
export { encodePng } from "../io/images/png/write.ts";
export {
  clipPreprocessing,
  type ImagePreprocessing,
  kosmosPreprocessing,
  openClipPreprocessing,
  preprocessImage,
} from "../io/images/preprocessing.ts";
export { decodeImageFile, readImage, readImageFile } from "../io/images/read.ts";
export { type ImageSize, type ResizeFilter, type ResizeOptions, resizeImage } from "../io/images/resize.ts";
export { type Crop, resizedCrop } from "../io/images/resize-floats.ts";
export {
  centerCrop,
  clipNormalizations,
  imageTensor,
  type Normalization,
  resizeShortSide,
} from "../io/images/transforms.ts";
export { loadPickle, openPickle, type PickledTensors } from "../io/pickle/read.ts";
export { loadSafetensors, openSafetensors, type SafetensorsFile } from "../io/safetensors/read.ts";
export { saveSafetensors, writeSafetensors } from "../io/safetensors/write.ts";
export { encodeWav, readWav, readWavFile, type Sound } from "../io/sound/wav.ts";
export { byteText, byteTokens } from "../io/tokenizers/byte-tokens.ts";
export type { ChatMessage } from "../io/tokenizers/chat.ts";
export {
  type KosmosPreset,
  type KosmosTokenizer,
  type LoadKosmosTokenizerOptions,
  loadKosmosTokenizer,
  paddingWarning,
} from "../io/tokenizers/kosmos/load.ts";
export { type PublishedTokens, publishedTokens } from "../io/tokenizers/kosmos/published.ts";
export { loadTokenizer } from "../io/tokenizers/load.ts";
export type { TextStream } from "../io/tokenizers/streaming.ts";
export type { ChatOptions, DecodeOptions, EncodeOptions, Tokenizer } from "../io/tokenizers/tokenizer.ts";
export { loadTorch, openTorch } from "../io/torch/read.ts";
export { saveTorch, writeTorch } from "../io/torch/write.ts";
export { GPT_NEOX_5_NAMES } from "../models/language-models/gpt-neox.ts";
export { MOSAIC_GPT_NAMES } from "../models/language-models/mosaic-mpt.ts";
export {
  type CheckpointForm,
  type CheckpointFormOptions,
  checkpointState,
  flamingoStateDict,
} from "../models/open-flamingo/checkpoints/state.ts";
export { loadPerceiver, type PerceiverTask } from "../models/perceiver-io/checkpoints.ts";
export { PERCEIVER_NAMES, type PerceiverCheckpoint } from "../models/perceiver-io/names.ts";
export { type LoadClipOptions, type LoadedClip, loadClip } from "../pretrained/clip/load.ts";
export {
  type FlamingoPaLMSettings,
  type LoadedFlamingoPaLM,
  loadFlamingoPaLM,
  saveFlamingoPaLM,
} from "../pretrained/flamingo-palm/folder.ts";
export {
  kosmosTower,
  type LoadedKosmos,
  type LoadKosmosOptions,
  loadKosmos,
  type SaveKosmosOptions,
  saveKosmos,
} from "../pretrained/kosmos/folder.ts";
export { type KosmosPlanOptions, kosmosMemoryPlan } from "../pretrained/kosmos/memory-plan.ts";
export type { KosmosSettings } from "../pretrained/kosmos/settings.ts";
export {
  type LoadedModel,
  type LoadPretrainedOptions,
  loadPretrained,
  memoryPlan,
} from "../pretrained/load-pretrained.ts";
export type { MemoryPlan, PlanOptions, SimdPlan } from "../pretrained/memory-plan.ts";
export {
  CheckpointError,
  type LoadedCheckpoint,
  type LoadFlamingoCheckpointOptions,
  loadFlamingoCheckpoint,
} from "../pretrained/open-flamingo/checkpoint/load.ts";
export type { CheckpointReport } from "../pretrained/open-flamingo/checkpoint/report.ts";
export { describeCheckpointReport } from "../pretrained/open-flamingo/checkpoint/report-text.ts";
export { saveFlamingoCheckpoint } from "../pretrained/open-flamingo/checkpoint/save.ts";
export {
  type CreateFlamingoOptions,
  createFlamingo,
  type FlamingoAndTransforms,
  type VisionTower,
} from "../pretrained/open-flamingo/factory.ts";
export {
  type FlamingoSettings,
  type LoadedFlamingo,
  type LoadFlamingoOptions,
  loadFlamingo,
  saveFlamingo,
} from "../pretrained/open-flamingo/folder.ts";
export {
  type FlamingoParts,
  type FlamingoPlanOptions,
  flamingoMemoryPlan,
} from "../pretrained/open-flamingo/memory-plan.ts";
export { describeMemoryPlan } from "../pretrained/plan-text.ts";
export type { Amount, ReadingProgress } from "../pretrained/reading.ts";
