// flamboyance/evaluation: prompts, scores and data of the published benchmarks.

export { ANSWER_SETTINGS, captionAnswer, vqaAnswer } from "../evaluation/answers.ts";
export { DATASETS, type DatasetInfo } from "../evaluation/catalogue/datasets.ts";
export { classProbabilities, ensembled, ensembleOrders } from "../evaluation/classes.ts";
export {
  type Filtered,
  type FilterOptions,
  filteredDocument,
  imageReason,
} from "../evaluation/data/filters.ts";
export { KOSMOS_TEXT_MIXTURE, mixed, mixture } from "../evaluation/data/mixture.ts";
export { type Packed, packed } from "../evaluation/data/packing.ts";
export {
  type BadLine,
  goodSamples,
  type ReadSample,
  type Sample,
  samplesOf,
} from "../evaluation/data/samples.ts";
export { type TrainingSample, trainingText } from "../evaluation/data/training-formats.ts";
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
} from "../evaluation/kosmos-prompts.ts";
export { type EvaluationProfile, evaluationProfiles } from "../evaluation/profiles.ts";
export {
  captionTask,
  type Demonstration,
  fewShotPrompt,
  hatefulMemesTask,
  imagenetTask,
  type PromptWithImages,
  type Task,
  vqaTask,
} from "../evaluation/prompts.ts";
export {
  type PromptBatch,
  type RankOptions,
  rankClassifications,
} from "../evaluation/rank-classification.ts";
export { type FeatureTower, imageFeatures, mostSimilar, towerOf } from "../evaluation/retrieval.ts";
export { type Interval, type IntervalOptions, meanWithInterval } from "../evaluation/runs/interval.ts";
export { drawnShots } from "../evaluation/runs/shots.ts";
export { captionTokens } from "../evaluation/scorers/captions/caption-tokens.ts";
export { type Captioned, cider } from "../evaluation/scorers/cider.ts";
export { accuracy, rocAuc } from "../evaluation/scorers/classification.ts";
export { bestOf, exactMatch, f1 } from "../evaluation/scorers/spans.ts";
export {
  normalizedAnswer,
  type VqaAccuracyOptions,
  vqaAccuracy,
} from "../evaluation/scorers/vqa-accuracy.ts";
