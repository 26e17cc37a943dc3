// The loop. It is a generator of steps: what happens between two of them (printing, checkpoints, stopping) is the caller's.
import type { Backend } from "../kernels/backend.ts";
import { setTraining } from "../nn/dropout.ts";
import { stateDict } from "../nn/state-dict.ts";
import { hash } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { accumulate, clip, globalNorm } from "./gradient-maps.ts";
import type { Named, Optimizer } from "./optimizers/optimizer.ts";
import type { Schedule } from "./schedules.ts";
import { lossAndGradients } from "./step.ts";

export interface TrainOptions<M extends object> {
  readonly model: M;
  readonly optimizer: Optimizer;
  /** Called while recording; which data it takes may depend on nothing but the step and the part. */
  readonly loss: (step: number, part: number) => Tensor<"">;
  readonly steps: number;
  /** The first step: where a checkpoint left off. */
  readonly from?: number | undefined;
  readonly schedule?: Schedule | undefined;
  /** The largest global norm of a step's gradients. */
  readonly clipAt?: number | undefined;
  /** Weights of the parts whose gradients make one step: [0.5, 0.5] halves a batch, [1, 0.2] are two datasets. */
  readonly parts?: readonly number[] | undefined;
  /** Dropout is active, with masks that follow from this seed and the step. */
  readonly dropoutSeed?: number | null | undefined;
  readonly keepOnly?: RegExp | null | undefined;
  readonly backend?: Backend | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Step {
  /** Steps taken so far, this one included. */
  readonly step: number;
  readonly loss: number;
  /** Before clipping. */
  readonly norm: number;
  readonly factor: number;
}

/** A model that knows itself which of its parts are in training mode. */
interface Trained {
  train(seed: number): unknown;
}
const trains = (model: object): model is Trained => "train" in model && typeof model.train === "function";

function wake(model: object, seed: number): void {
  if (trains(model)) model.train(seed);
  else setTraining(model, { seed });
}

/** Σ weight · loss over the parts of a step, and its gradients. */
async function whole<M extends object>(options: TrainOptions<M>, step: number) {
  const { model, optimizer, loss, parts = [1], dropoutSeed = null, keepOnly, backend, signal } = options;
  let total = 0;
  let sum: Named | null = null;
  for (const [part, weight] of parts.entries()) {
    if (dropoutSeed !== null) wake(model, hash(`${dropoutSeed}/${step}/${part}`)); // [train.dropout]
    const one = await lossAndGradients(() => loss(step, part), {
      model,
      names: optimizer.names,
      keepOnly,
      backend,
      signal,
    });
    total += weight * one.loss;
    sum = accumulate(sum, one.gradients, weight); // [train.parts]
  }
  return { loss: total, gradients: sum ?? new Map<string, Tensor>() };
}

/** Trains the parameters that the optimizer names, and yields after each step. [train.loop] */
export async function* train<M extends object>(options: TrainOptions<M>): AsyncGenerator<Step> {
  const { model, optimizer, steps, from = 0, schedule = () => 1, clipAt, signal } = options;
  const parameters = stateDict(model);
  try {
    for (let step = from; step < steps; step++) {
      signal?.throwIfAborted();
      const { loss, gradients } = await whole(options, step);
      const clipped =
        clipAt === undefined ? { norm: globalNorm(gradients), gradients } : clip(gradients, clipAt);
      const factor = schedule(step);
      optimizer.step(parameters, clipped.gradients, factor);
      yield { step: step + 1, loss, norm: clipped.norm, factor }; // [train.loop]
    }
  } finally {
    setTraining(model, null);
  }
}
