// The training loop of a Kosmos: micro-batches of interleaved images and text, one update a step.
import type { Backend } from "../../kernels/backend.ts";
import type { KosmosInputs } from "../../models/kosmos/inputs.ts";
import { Kosmos } from "../../models/kosmos/kosmos.ts";
import { IGNORED } from "../../nn/cross-entropy.ts";
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
import { parameterNames, stateDict } from "../../nn/state-dict.ts";
import { seed, setTraining } from "../../nn/train-mode.ts";
import { RuleError } from "../../tensor/errors.ts";
import { hash } from "../../tensor/random.ts";
import { Int, type Tensor } from "../../tensor/tensor.ts";
import { accumulateGradients, clipGradients, globalNorm, normLimit } from "../gradient-maps.ts";
import type { Named, Optimizer } from "../optimizers/optimizer.ts";
import { factorAt, type Schedule } from "../schedules.ts";
import { lossAndGradients } from "../step.ts";
import { behaviourOf, type KosmosTrainingBehaviour } from "./behaviour.ts";

/** Texts with their images: what `Kosmos.loss` takes. `kosmosLayout` and `kosmosBatch` make ids, mask and targets. */
export interface KosmosTrainingBatch extends KosmosInputs {
  readonly targets: Int<"b s">;
}

/** How far a run is. */
export interface KosmosProgress {
  /** The number of steps. */
  readonly step: number;
  /** With `untrained: "kept"`: the gradients of parameters that the optimiser does not have, as the last step left them. */
  readonly kept?: Named | undefined;
}

/** Model, optimiser, data and length of a training, in steps. */
export interface TrainKosmosOptions {
  readonly model: Kosmos;
  readonly optimizer: Optimizer;
  /** The micro-batch of a number, which counts from 0 over all steps. It must depend on the number alone, so that runs can be resumed. */
  readonly batch: (position: number) => KosmosTrainingBatch | Promise<KosmosTrainingBatch>;
  readonly steps: number;
  /** Where to begin, as `loadKosmosRun` returns it. Default: at step 0. */
  readonly from?: KosmosProgress | undefined;
  /** Micro-batches of a step. Default 1. */
  readonly accumulation?: number | undefined;
  readonly schedule?: Schedule | undefined;
  /** The global norm to clip gradients to; null: none. Default null. */
  readonly clipAt?: number | null | undefined;
  /** The loss of a micro-batch. Default: `model.loss`, the mean cross-entropy of its targets. */
  readonly loss?: ((model: Kosmos, batch: KosmosTrainingBatch) => Tensor<"">) | undefined;
  /** Activates the model's dropout, with masks that depend on this seed, the step and the micro-batch. Default null: no dropout. */
  readonly dropoutSeed?: number | null | undefined;
  /** Computes the inside of layers again in the backward pass, in place of keeping it. Default false. */
  readonly gradientCheckpointing?: boolean | undefined;
  readonly behaviour?: Partial<KosmosTrainingBehaviour> | undefined;
  readonly backend?: Backend | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The report of one step. */
export interface KosmosStep extends KosmosProgress {
  /** The mean over the targets of the step, or what `loss` and `mean` make of them. */
  readonly loss: number;
  /** exp(loss). */
  readonly perplexity: number;
  /** The global norm of the gradients before clipping. */
  readonly norm: number;
  /** The schedule's factor of the learning rate. */
  readonly factor: number;
  /** The number of targets. */
  readonly targets: number;
}

const isFunction = (value: unknown): boolean => typeof value === "function";
const STEPS = whole(0, 2 ** 31 - 1); // as in a checkpoint
const checks: { readonly [K in keyof TrainKosmosOptions]-?: Check } = {
  model: passing("a Kosmos", (value) => value instanceof Kosmos),
  optimizer: passing(
    "an optimiser, as adamw() makes it",
    (value) => typeof value === "object" && value !== null && "names" in value,
  ),
  batch: passing("a function from the number of a micro-batch to its inputs", isFunction),
  steps: STEPS,
  from: optional(object("{ step }, as loadKosmosRun returns it")),
  accumulation: optional(count),
  schedule: optional(passing("a function from step to the factor of the learning rate", isFunction)),
  clipAt: optional(nullable(normLimit)),
  loss: optional(passing("a function from model and batch to a loss", isFunction)),
  dropoutSeed: optional(nullable(seed)),
  gradientCheckpointing: optional(flag),
  behaviour: optional(object("a behaviour, such as kosmosTraining")),
  backend: optional(object("a backend")),
  signal: optional(abortSignal),
};

/** A run's options with their defaults. */
interface Run extends TrainKosmosOptions {
  readonly accumulation: number;
  readonly clipAt: number | null;
  readonly dropoutSeed: number | null;
  readonly loss: (model: Kosmos, batch: KosmosTrainingBatch) => Tensor<"">;
  readonly behaviour: KosmosTrainingBehaviour;
  /** The parameters whose gradients are computed. */
  readonly names: readonly string[];
}

/** The number of targets of a batch. */
function countTargets(batch: KosmosTrainingBatch, position: number): number {
  const { targets } = Object(batch) as Partial<KosmosTrainingBatch>;
  if (!(targets instanceof Int))
    throw new RuleError(
      `micro-batch ${position} has no targets; kosmosBatch makes them, with ids and mask`,
      "trainkosmos.targets",
    );
  return targets.flat().filter((id) => id !== IGNORED).length;
}

interface Accumulated {
  readonly loss: number;
  readonly gradients: Named;
  readonly targets: number;
}

/** Gradients in the order of the parameters: that of the sum in the norm, which a run that is resumed must have too. [trainkosmos.resume] */
const inOrder = (gradients: Named, names: readonly string[]): Named =>
  new Map(
    names.flatMap((name) => {
      const gradient = gradients.get(name);
      return gradient ? [[name, gradient] as const] : [];
    }),
  );

/** The loss and the gradients of a step. Throws a RuleError where none of its micro-batches has a target. */
async function accumulated(run: Run, step: number, kept: Named): Promise<Accumulated> {
  const { model, accumulation, dropoutSeed, behaviour, names, backend, signal } = run;
  const first = step * accumulation; // [trainkosmos.position]
  const batches: KosmosTrainingBatch[] = [];
  for (let i = 0; i < accumulation; i++) batches.push(await run.batch(first + i));
  const counts = batches.map((batch, i) => countTargets(batch, first + i));
  const targets = counts.reduce((sum, n) => sum + n, 0);
  if (targets === 0)
    throw new RuleError(
      `no micro-batch of step ${step} has a target, so that its loss is 0 / 0; leave such batches out`,
      "trainkosmos.targets",
    );
  let [loss, sum]: [number, Named | null] = [0, kept.size > 0 ? kept : null];
  for (const [i, batch] of batches.entries()) {
    const own = counts[i] ?? 0;
    if (own === 0) continue; // [trainkosmos.targets]
    const weight = behaviour.mean === "targets" ? own / targets : 1 / accumulation; // [trainkosmos.mean]
    if (dropoutSeed !== null) setTraining(model, { seed: hash(`${dropoutSeed}/${step}/${i}`) }); // [trainkosmos.dropout]
    const keepOnly = run.gradientCheckpointing ? model.layerOutputs : null; // [trainkosmos.checkpointing]
    const one = await lossAndGradients(() => run.loss(model, batch), {
      model,
      names,
      keepOnly,
      backend,
      signal,
    });
    loss += weight * one.loss;
    sum = accumulateGradients(sum, one.gradients, weight); // [trainkosmos.shards]
  }
  return { loss, gradients: inOrder(sum ?? new Map(), names), targets };
}

/**
 * Trains the parameters in `optimizer.names` and yields after each step. [trainkosmos.loop] Throws a RuleError at once if an option is none
 * of these.
 */
export function trainKosmos(options: TrainKosmosOptions): AsyncGenerator<KosmosStep> {
  const known = checked("trainKosmos", options, checks);
  const { model, optimizer, from, accumulation = 1, clipAt = null, dropoutSeed = null } = known;
  if (from !== undefined && !STEPS.accepts(from.step))
    throw new RuleError("trainKosmos: from has a whole number step", "options.values");
  const behaviour = behaviourOf(known.behaviour);
  const { loss = (one: Kosmos, batch: KosmosTrainingBatch) => one.loss(batch) } = known; // [trainkosmos.loss]
  const names = behaviour.untrained === "kept" ? parameterNames(model) : optimizer.names; // [trainkosmos.untrained] [trainkosmos.frozen]
  return steps({ ...known, accumulation, clipAt, dropoutSeed, behaviour, loss, names });
}

async function* steps(run: Run): AsyncGenerator<KosmosStep> {
  const { model, optimizer, from = { step: 0 }, schedule = () => 1, clipAt, behaviour, signal } = run;
  const parameters: ReadonlyMap<string, Tensor> = stateDict(model);
  const trained = new Set(optimizer.names);
  let kept: Named = from.kept ?? new Map();
  try {
    for (let { step } = from; step < run.steps; step++) {
      signal?.throwIfAborted();
      const { loss, gradients, targets } = await accumulated(run, step, kept);
      const clipped =
        clipAt === null ? { norm: globalNorm(gradients), gradients } : clipGradients(gradients, clipAt); // [trainkosmos.clip]
      const factor = factorAt(schedule, step);
      optimizer.step(parameters, clipped.gradients, factor);
      kept = new Map([...clipped.gradients].filter(([name]) => !trained.has(name))); // [trainkosmos.untrained]
      const progress = { step: step + 1, ...(behaviour.untrained === "kept" && { kept }) };
      yield { ...progress, loss, perplexity: Math.exp(loss), norm: clipped.norm, factor, targets }; // [trainkosmos.loop]
    }
  } finally {
    setTraining(model, null);
  }
}
