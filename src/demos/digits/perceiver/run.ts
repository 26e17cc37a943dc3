// A run of a small Perceiver IO on the digits: one phase, which trains every parameter.
import { kindOf, removeFile } from "#host";
import type { Backend } from "../../../kernels/backend.ts";
import type { PerceiverIO } from "../../../models/perceiver-io/perceiver-io.ts";
import { parameterNames } from "../../../nn/state-dict.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { adamw } from "../../../training/optimizers/adamw.ts";
import { schedule } from "../../../training/schedules.ts";
import { decayGroups } from "../../../training/trainable.ts";
import type { TrainingStep } from "../../../training/training.ts";
import { phaseFacts } from "../../facts.ts";
import { type Checkpoints, type PhaseFile, trainStored } from "../../phase-store.ts";
import type { Picture } from "../data.ts";

/** The checkpoint is `<prefix>training.safetensors`. */
export interface PerceiverRun extends Checkpoints {
  readonly model: PerceiverIO;
  readonly train: readonly Picture[];
  readonly steps: number;
  readonly seed: number;
  readonly backend: Backend;
}

/** The constants of a task. */
export interface PerceiverPlan {
  readonly task: "perceiver-digits" | "perceiver-flow";
  /** Examples of a step. */
  readonly rows: number;
  readonly learningRate: number;
  /** Steps in which the learning rate rises, at most. */
  readonly warmup: number;
}

const PHASE = "training";

const checkpointOf = ({ checkpoints }: Checkpoints): string | null =>
  checkpoints ? `${checkpoints}${PHASE}.safetensors` : null;

/** Whether there is a checkpoint to continue from. */
export const canResume = (run: Checkpoints): boolean =>
  run.resume === true && kindOf(checkpointOf(run) ?? "") === "file";

/** Removes the checkpoint of an earlier run. */
export function removeCheckpoint(run: Checkpoints): void {
  const path = checkpointOf(run);
  if (path !== null) removeFile(path); // [digits.perceiver-resume]
}

function fileOf(run: PerceiverRun, { task, ...constants }: PerceiverPlan): PhaseFile | null {
  const path = checkpointOf(run);
  if (path === null) return null;
  const plan = { [PHASE]: { steps: run.steps, ...constants } };
  const facts = phaseFacts({ ...run, plan, digits: run }, PHASE, [PHASE], { task });
  return { path, facts, resume: run.resume ?? false, every: run.checkpointEvery };
}

/** Trains every parameter, from the checkpoint if the run is resumed; yields each step. */
export function trainModel(
  run: PerceiverRun,
  plan: PerceiverPlan,
  loss: (step: number) => Tensor<"">,
): AsyncGenerator<TrainingStep> {
  const { model, steps, backend } = run;
  const { learningRate, warmup } = plan;
  const groups = decayGroups(model, parameterNames(model));
  const optimizer = adamw({ groups, learningRate, betas: [0.9, 0.98] });
  const rates = schedule({ kind: "cosine", warmup: Math.min(warmup, steps - 1), steps, floor: 0.02 });
  const options = { model, optimizer, loss, steps, schedule: rates, clipAt: 1, backend };
  return trainStored(fileOf(run, plan), options);
}
