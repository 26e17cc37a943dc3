// The training loop, as a generator of steps: printing, checkpoints and stopping are left to the caller.
import type { Backend } from "../kernels/backend.ts";
import {
  abortSignal,
  type Check,
  checked,
  nullable,
  object,
  optional,
  passing,
  whole,
} from "../nn/options.ts";
import { stateDict } from "../nn/state-dict.ts";
import { seed, setTraining } from "../nn/train-mode.ts";
import { hash } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { accumulateGradients, clipGradients, globalNorm, normLimit } from "./gradient-maps.ts";
import type { Named, Optimizer } from "./optimizers/optimizer.ts";
import { factorAt, type Schedule } from "./schedules.ts";
import { lossAndGradients } from "./step.ts";

/** Model, optimiser, loss and length of a training, in steps. */
export interface TrainOptions<M extends object> {
  readonly model: M;
  readonly optimizer: Optimizer;
  /** Called while recording. Its data must depend on the step and the part alone, so that runs can be resumed. */
  readonly loss: (step: number, part: number) => Tensor<"">;
  readonly steps: number;
  /** The first step, as `loadCheckpoint` returns it. Default 0. */
  readonly from?: number | undefined;
  readonly schedule?: Schedule | undefined;
  /** The global norm to clip gradients to. Default: no clipping. */
  readonly clipAt?: number | undefined;
  /** Weights of the parts that make up a step: [0.5, 0.5] for the halves of a batch, [1, 0.2] for two datasets. */
  readonly parts?: readonly number[] | undefined;
  /** Activates dropout, with masks that depend on this seed, the step and the part. Default: no dropout. */
  readonly dropoutSeed?: number | null | undefined;
  /** Gradient checkpointing: named activations to keep, such as `flamingo.layerOutputs`. Default: all. */
  readonly keepOnly?: RegExp | null | undefined;
  readonly backend?: Backend | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The report of one step. */
export interface TrainingStep {
  /** The number of steps taken, this one included. */
  readonly step: number;
  readonly loss: number;
  /** The global norm of the gradients before clipping. */
  readonly norm: number;
  /** The schedule's factor of the learning rate. */
  readonly factor: number;
}

const STEPS = whole(0, 2 ** 31 - 1); // as in a checkpoint
const isFunction = (value: unknown): boolean => typeof value === "function";
const isWeights = (value: unknown): boolean =>
  Array.isArray(value) && value.length > 0 && value.every(Number.isFinite);
const checks: { readonly [K in keyof TrainOptions<object>]-?: Check } = {
  model: object("a model"),
  optimizer: passing(
    "an optimiser, as adamw() and sgd() make it",
    (value) => typeof value === "object" && value !== null && "names" in value,
  ),
  loss: passing("a function from step and part to a loss", isFunction),
  steps: STEPS,
  from: optional(STEPS),
  schedule: optional(passing("a function from step to the factor of the learning rate", isFunction)),
  clipAt: optional(normLimit),
  parts: optional(passing("a list of at least one finite weight", isWeights)),
  dropoutSeed: optional(nullable(seed)),
  keepOnly: optional(nullable(passing("a regular expression", (value) => value instanceof RegExp))),
  backend: optional(object("a backend")),
  signal: optional(abortSignal),
};

/** Σ weight · loss over the parts of a step, and its gradients. */
async function lossOfParts<M extends object>(options: TrainOptions<M>, step: number) {
  const { model, optimizer, loss, parts = [1], dropoutSeed = null, keepOnly, backend, signal } = options;
  let total = 0;
  let sum: Named | null = null;
  for (const [part, weight] of parts.entries()) {
    if (dropoutSeed !== null) setTraining(model, { seed: hash(`${dropoutSeed}/${step}/${part}`) }); // [train.dropout]
    const one = await lossAndGradients(() => loss(step, part), {
      model,
      names: optimizer.names,
      keepOnly,
      backend,
      signal,
    });
    total += weight * one.loss;
    sum = accumulateGradients(sum, one.gradients, weight); // [train.parts]
  }
  return { loss: total, gradients: sum ?? new Map<string, Tensor>() };
}

/**
 * Trains the parameters in `optimizer.names` and yields after each step. [train.loop] Throws a RuleError at once if an option is
 * none of these.
 */
export function train<M extends object>(options: TrainOptions<M>): AsyncGenerator<TrainingStep> {
  return steps(checked("train", options, checks));
}

async function* steps<M extends object>(options: TrainOptions<M>): AsyncGenerator<TrainingStep> {
  const { model, optimizer, steps: end, from = 0, schedule = () => 1, clipAt, signal } = options;
  const parameters = stateDict(model);
  try {
    for (let step = from; step < end; step++) {
      signal?.throwIfAborted();
      const { loss, gradients } = await lossOfParts(options, step);
      const clipped =
        clipAt === undefined ? { norm: globalNorm(gradients), gradients } : clipGradients(gradients, clipAt);
      const factor = factorAt(schedule, step);
      optimizer.step(parameters, clipped.gradients, factor);
      yield { step: step + 1, loss, norm: clipped.norm, factor }; // [train.loop]
    }
  } finally {
    setTraining(model, null);
  }
}
