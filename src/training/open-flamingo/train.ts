// The training loop of OpenFlamingo: open_flamingo/train/train_utils.py of open-flamingo 2.0.1, train_one_epoch. Several datasets make up a
// step, each with its own loss and weight; the frozen models are differentiated through and never change.
import type { Backend } from "../../kernels/backend.ts";
import { vocabularyTables } from "../../models/language-models/vocabulary.ts";
import { OpenFlamingo } from "../../models/open-flamingo/flamingo.ts";
import { openFlamingoLayerOutputs } from "../../models/open-flamingo/names.ts";
import {
  abortSignal,
  type Check,
  checked,
  count,
  flag,
  nullable,
  object,
  optional,
  passing,
  whole,
} from "../../nn/options.ts";
import { stateDict } from "../../nn/state-dict.ts";
import { RuleError } from "../../tensor/errors.ts";
import type { Int, Tensor } from "../../tensor/tensor.ts";
import { accumulateGradients, clipGradients, globalNorm, normLimit } from "../gradient-maps.ts";
import type { Named, Optimizer } from "../optimizers/optimizer.ts";
import { factorAt, type Schedule } from "../schedules.ts";
import { lossAndGradients } from "../step.ts";
import { type FlamingoTrainingBehaviour, flamingoTraining } from "./behaviour.ts";
import { embeddingGradientMask } from "./gradient-mask.ts";
import { laionLabels, mmc4Labels } from "./labels.ts";
import { type FlamingoBatch, flamingoLoss, hasLabels } from "./loss.ts";

/** One of the datasets of a training: its batches, labels and weight. */
export interface FlamingoDataset {
  /** For reports and errors. */
  readonly name: string;
  /** Which tokens have a loss: those of captions, of interleaved text, or those that a function labels. */
  readonly labels: "laion" | "mmc4" | ((ids: Int<"b l">) => Int<"b l">);
  /** The weight of its loss. Default 1; the released models had 0.2 for captions. */
  readonly weight?: number | undefined;
  /** The batch of a micro-batch, numbered from 0 over all steps. It must depend on the number alone, so that runs can be resumed. */
  readonly batch: (position: number) => FlamingoBatch | Promise<FlamingoBatch>;
}

/** The progress of a run. */
export interface FlamingoProgress {
  /** The number of steps. */
  readonly step: number;
  /** The number of those that changed the weights. */
  readonly updates: number;
}

/** Model, optimiser, datasets and length of a training, in steps. */
export interface TrainFlamingoOptions {
  readonly model: OpenFlamingo;
  readonly optimizer: Optimizer;
  readonly datasets: readonly FlamingoDataset[];
  readonly steps: number;
  /** Where to begin, as `loadFlamingoRun` returns it. Default: at step 0. */
  readonly from?: FlamingoProgress | undefined;
  /** The token that pads, which has no label. */
  readonly padTokenId: number;
  /** Micro-batches in a step, whose gradients are averaged. Default 1. */
  readonly accumulation?: number | undefined;
  readonly schedule?: Schedule | undefined;
  /** The global norm to clip gradients to; null: none. Default 1, as in the release. */
  readonly clipAt?: number | null | undefined;
  /** The rows of the token embeddings that are trained, if the optimiser has them. Default: those of image and end of a chunk; null: all. */
  readonly embeddingRows?: readonly number[] | null | undefined;
  /** Computes the inside of layers again in the backward pass, in place of keeping it. Default false. */
  readonly gradientCheckpointing?: boolean | undefined;
  readonly behaviour?: Partial<FlamingoTrainingBehaviour> | undefined;
  readonly backend?: Backend | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The report of one step. */
export interface FlamingoStep extends FlamingoProgress {
  /** The mean loss of each dataset over its micro-batches with labels; null if there were none. */
  readonly losses: Readonly<Record<string, number | null>>;
  /** The global norm of the gradients before they were clipped last. */
  readonly norm: number;
  /** The schedule's factor; null if the step changed no weights. */
  readonly factor: number | null;
  /** Batches without labels. */
  readonly withoutLabels: readonly { readonly dataset: string; readonly position: number }[];
}

const isFunction = (value: unknown): boolean => typeof value === "function";
const STEPS = whole(0, 2 ** 31 - 1); // as in a checkpoint
const isDataset = (value: FlamingoDataset | null | undefined): boolean =>
  typeof value?.name === "string" &&
  (value.labels === "laion" || value.labels === "mmc4" || isFunction(value.labels)) &&
  (value.weight === undefined || Number.isFinite(value.weight)) &&
  isFunction(value.batch);
const checks: { readonly [K in keyof TrainFlamingoOptions]-?: Check } = {
  model: passing("an OpenFlamingo", (value) => value instanceof OpenFlamingo),
  optimizer: object("an optimiser, as adamw() makes it"),
  datasets: passing(
    "a list of at least one { name, labels, batch }, with a finite weight where it has one and names that differ",
    (value) =>
      Array.isArray(value) &&
      value.length > 0 &&
      value.every(isDataset) &&
      new Set(value.map(({ name }) => name)).size === value.length,
  ),
  steps: STEPS,
  from: optional(object("{ step, updates }, as loadFlamingoRun returns it")),
  padTokenId: whole(-(2 ** 31), 2 ** 31 - 1),
  accumulation: optional(count),
  schedule: optional(passing("a function from step to the factor of the learning rate", isFunction)),
  clipAt: optional(nullable(normLimit)),
  embeddingRows: optional(
    nullable(
      passing("a list of token ids", (value) => Array.isArray(value) && value.every(Number.isInteger)),
    ),
  ),
  gradientCheckpointing: optional(flag),
  behaviour: optional(object("a behaviour, such as flamingoTrainingProfiles has")),
  backend: optional(object("a backend")),
  signal: optional(abortSignal),
};

/** A run's options with their defaults. */
interface Run extends TrainFlamingoOptions {
  readonly accumulation: number;
  readonly clipAt: number | null;
  readonly behaviour: FlamingoTrainingBehaviour;
}

/** The labels of a dataset's batch. */
function labelsOf({ model, padTokenId }: Run, { labels }: FlamingoDataset, ids: Int<"b l">): Int<"b l"> {
  if (typeof labels === "function") return labels(ids);
  const { mediaTokenId, eocTokenId } = model.options;
  return { laion: laionLabels, mmc4: mmc4Labels }[labels](ids, { mediaTokenId, eocTokenId, padTokenId });
}

/** Sets the gradient of token embeddings that are not trained to 0. */
function maskOf({ model, optimizer, embeddingRows }: Run): (gradients: Named) => Named {
  const { mediaTokenId, eocTokenId } = model.options;
  const rows = embeddingRows === undefined ? [mediaTokenId, eocTokenId] : embeddingRows; // [trainflamingo.embeddings]
  const { weight } = vocabularyTables(model.lang_encoder).input;
  const [table] = [...stateDict(model)].find(([, t]) => Object.is(t, weight)) ?? [];
  if (rows === null || table === undefined || !optimizer.names.includes(table))
    return (gradients) => gradients;
  return (gradients) => {
    const gradient = gradients.get(table);
    return gradient ? new Map([...gradients, [table, embeddingGradientMask(gradient, rows)]]) : gradients;
  };
}

/** The sums over the micro-batches of a step so far. */
interface Accumulated {
  gradients: Named | null;
  norm: number;
  readonly losses: Map<string, number[]>;
  readonly withoutLabels: { readonly dataset: string; readonly position: number }[];
}

/** Adds the datasets' gradients of one micro-batch. Returns false if that discards what there is. */
async function addMicroBatch(run: Run, position: number, to: Accumulated): Promise<boolean> {
  const { model, optimizer, accumulation, gradientCheckpointing, backend, signal, behaviour } = run;
  const keepOnly = gradientCheckpointing ? openFlamingoLayerOutputs : null;
  for (const dataset of run.datasets) {
    const batch = await dataset.batch(position);
    const labels = labelsOf(run, dataset, batch.ids);
    if (!hasLabels(labels)) {
      to.withoutLabels.push({ dataset: dataset.name, position });
      if (behaviour.withoutLabels === "skip") continue; // [trainflamingo.no-labels]
      to.gradients = null; // [trainflamingo.no-labels]
      return false;
    }
    const { loss, gradients } = await lossAndGradients(() => flamingoLoss(model, batch, labels), {
      model,
      names: optimizer.names,
      keepOnly,
      backend,
      signal,
    });
    to.losses.set(dataset.name, [...(to.losses.get(dataset.name) ?? []), loss]);
    to.gradients = accumulateGradients(to.gradients, gradients, (dataset.weight ?? 1) / accumulation); // [trainflamingo.weights]
  }
  return true;
}

/** The gradients of a step, masked and clipped; null if it changes no weights. */
async function accumulated(run: Run, step: number, mask: (gradients: Named) => Named): Promise<Accumulated> {
  const { accumulation, clipAt, behaviour } = run;
  const sum: Accumulated = { gradients: null, norm: 0, losses: new Map(), withoutLabels: [] };
  const clipNow = (): void => {
    if (!sum.gradients) return;
    const masked = mask(sum.gradients); // [trainflamingo.embeddings]
    const clipped =
      clipAt === null ? { norm: globalNorm(masked), gradients: masked } : clipGradients(masked, clipAt);
    sum.norm = clipped.norm;
    sum.gradients = clipped.gradients;
  };
  for (let i = 0; i < accumulation; i++) {
    const isKept = await addMicroBatch(run, step * accumulation + i, sum); // [trainflamingo.position]
    if (isKept && behaviour.clipping === "micro-batch") clipNow(); // [trainflamingo.clip]
  }
  if (behaviour.clipping === "step") clipNow(); // [trainflamingo.clip]
  return sum;
}

const mean = (numbers: readonly number[]): number | null =>
  numbers.length === 0 ? null : numbers.reduce((a, b) => a + b) / numbers.length;

/**
 * Trains the parameters in `optimizer.names` and yields after each step. [trainflamingo.loop] Throws a RuleError at once if an option is
 * none of these.
 */
export function trainFlamingo(options: TrainFlamingoOptions): AsyncGenerator<FlamingoStep> {
  const known = checked("trainFlamingo", options, checks);
  const { accumulation = 1, clipAt = 1, behaviour, from } = known;
  if (from !== undefined && !(STEPS.accepts(from.step) && STEPS.accepts(from.updates)))
    throw new RuleError(`trainFlamingo: from has whole numbers step and updates`, "options.values");
  return steps({ ...known, accumulation, clipAt, behaviour: { ...flamingoTraining, ...behaviour } });
}

async function* steps(run: Run): AsyncGenerator<FlamingoStep> {
  const { model, optimizer, from = { step: 0, updates: 0 }, schedule = () => 1, behaviour, signal } = run;
  const parameters: ReadonlyMap<string, Tensor> = stateDict(model);
  const mask = maskOf(run);
  let { updates } = from;
  for (let { step } = from; step < run.steps; step++) {
    signal?.throwIfAborted();
    const { gradients, norm, losses, withoutLabels } = await accumulated(run, step, mask);
    const factor = gradients && factorAt(schedule, behaviour.scheduleCounts === "steps" ? step : updates);
    if (gradients && factor !== null) {
      optimizer.step(parameters, gradients, factor);
      updates++; // [trainflamingo.no-labels]
    }
    const means = run.datasets.map(({ name }) => [name, mean(losses.get(name) ?? [])] as const);
    yield { step: step + 1, updates, losses: Object.fromEntries(means), norm, factor, withoutLabels };
  }
}
