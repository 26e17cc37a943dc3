// flamboyance/training: losses, optimisers, schedules, training loops and checkpoints of runs.

export { type CrossEntropy, crossEntropy, IGNORED } from "../nn/cross-entropy.ts";
export {
  type FactDifference,
  ForeignCheckpointError,
  loadCheckpoint,
  type RunFacts,
  saveCheckpoint,
} from "../training/checkpoint.ts";
export { shuffledOrder } from "../training/data-order.ts";
export { accumulateGradients, clipGradients, globalNorm } from "../training/gradient-maps.ts";
export { type KosmosGrouping, kosmosGroups } from "../training/kosmos/groups.ts";
export { publishedKosmosLoss } from "../training/kosmos/published-loss.ts";
export { type KosmosRecipe, kosmosRecipes, recipeOptions } from "../training/kosmos/recipes.ts";
export { type KosmosRun, loadKosmosRun, saveKosmosRun } from "../training/kosmos/run.ts";
export {
  type KosmosProgress,
  type KosmosStep,
  type KosmosTrainingBatch,
  type TrainKosmosOptions,
  trainKosmos,
} from "../training/kosmos/train.ts";
export { weightedSum } from "../training/losses.ts";
export {
  type FlamingoTrainingBehaviour,
  flamingoTrainingProfiles,
} from "../training/open-flamingo/behaviour.ts";
export { embeddingGradientMask } from "../training/open-flamingo/gradient-mask.ts";
export { flamingoGroups } from "../training/open-flamingo/groups.ts";
export {
  acceptsInterleaved,
  type InterleavedDocument,
  type InterleavedOptions,
  interleavedText,
} from "../training/open-flamingo/interleaved.ts";
export { type LabelOptions, laionLabels, mmc4Labels } from "../training/open-flamingo/labels.ts";
export { type FlamingoBatch, flamingoLoss } from "../training/open-flamingo/loss.ts";
export { type FlamingoRun, loadFlamingoRun, saveFlamingoRun } from "../training/open-flamingo/run.ts";
export {
  type FlamingoDataset,
  type FlamingoProgress,
  type FlamingoStep,
  type TrainFlamingoOptions,
  trainFlamingo,
} from "../training/open-flamingo/train.ts";
export { type AdamWOptions, adamw } from "../training/optimizers/adamw.ts";
export { type AdamW8bitOptions, adamw8bit } from "../training/optimizers/eight-bit/adamw.ts";
export { type LionOptions, lion } from "../training/optimizers/lion.ts";
export type { Optimizer, ParameterGroup } from "../training/optimizers/optimizer.ts";
export { type SGDOptions, sgd } from "../training/optimizers/sgd.ts";
export { type StableAdamWOptions, stableAdamW } from "../training/optimizers/stable-adamw.ts";
export { type Schedule, type ScheduleOptions, schedule } from "../training/schedules.ts";
export { lossAndGradients } from "../training/step.ts";
export { nextTokens, type TargetOptions } from "../training/targets.ts";
export { decayGroups, trainable } from "../training/trainable.ts";
export { type TrainingStep, type TrainOptions, train } from "../training/training.ts";
export {
  type TransformersScheduleOptions,
  transformersSchedule,
} from "../training/transformers-schedules.ts";
export { weightsDigest } from "../training/weights-digest.ts";
