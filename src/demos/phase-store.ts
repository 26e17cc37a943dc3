// Checkpoints of a phase of training.
import { kindOf } from "#host";
import type { Tensor } from "../tensor/tensor.ts";
import { loadCheckpoint, type RunFacts, saveCheckpoint } from "../training/checkpoint.ts";
import type { Optimizer } from "../training/optimizers/optimizer.ts";
import { type TrainingStep, type TrainOptions, train } from "../training/training.ts";

/** The options of a run that concern its checkpoints. */
export interface Checkpoints {
  /** A path prefix: checkpoints are `<prefix><phase>.safetensors`. Default: there are none. */
  readonly checkpoints?: string | null | undefined;
  /** Continues from the checkpoints, if there are any. */
  readonly resume?: boolean | undefined;
  /** Steps between two checkpoints. Default 50. */
  readonly checkpointEvery?: number | undefined;
}

/** The file of a phase's checkpoint. */
export interface PhaseFile {
  readonly path: string;
  readonly facts: RunFacts;
  /** Continues from the file, if it is there. */
  readonly resume: boolean;
  /** Steps between two checkpoints. Default 50. */
  readonly every?: number | undefined;
}

/** Saves and restores one phase. */
export interface PhaseStore {
  /** The number of steps taken before. */
  readonly from: number;
  /** Further tensors of the checkpoint that was restored. */
  readonly extra: ReadonlyMap<string, Tensor>;
  /** Saves after a step at which a checkpoint is due; only then are the further tensors made. */
  save(step: number, extra?: () => Iterable<readonly [string, Tensor]>): void;
}

/** The store of the phase that trains the parameters of an optimiser, restored where there is a checkpoint to resume from. */
export function phaseStore(
  { path, facts, resume, every = 50 }: PhaseFile,
  {
    model,
    optimizer,
    steps,
  }: { readonly model: object; readonly optimizer: Optimizer; readonly steps: number },
): PhaseStore {
  const restored = new Map<string, Tensor>();
  const progress = { model, optimizer, names: optimizer.names };
  const isThere = resume && kindOf(path) === "file";
  return {
    from: isThere ? loadCheckpoint(path, { ...progress, extra: restored }, facts) : 0, // [smollm2Digits.resume] [kosmosDigits.resume] [digits.perceiver-resume]
    extra: restored,
    save(step, extra = () => []) {
      if (step % every === 0 || step === steps)
        saveCheckpoint(path, { ...progress, extra: new Map(extra()) }, step, facts);
    },
  };
}

/** Trains from the checkpoint in `file`, if there is one, and saves there after each step at which a checkpoint is due. */
export async function* trainStored<M extends object>(
  file: PhaseFile | null,
  options: Omit<TrainOptions<M>, "from">,
): AsyncGenerator<TrainingStep> {
  const store = file && phaseStore(file, options);
  for await (const one of train({ ...options, from: store?.from })) {
    store?.save(one.step);
    yield one;
  }
}
