// Checkpoints of a training run of an OpenFlamingo: the trained part, the optimiser, and how far the run is.
import { loadSafetensors } from "../../io/safetensors/read.ts";
import { checked } from "../../nn/options.ts";
import { LoadError } from "../../tensor/errors.ts";
import { checkMember } from "../../tensor/given.ts";
import { Tensor, view } from "../../tensor/tensor.ts";
import { loadCheckpoint, saveCheckpoint, type TrainingRun, trainingRunChecks } from "../checkpoint.ts";
import type { FlamingoProgress } from "./train.ts";

/** A training that `saveFlamingoRun` writes and `loadFlamingoRun` continues. */
export type FlamingoRun = TrainingRun;

const UPDATES = "updates";

/** Writes the parameters that the optimiser trains, its state and the progress. The frozen models are not written. */
export function saveFlamingoRun(path: string, run: FlamingoRun, progress: FlamingoProgress): void {
  checkMember("saveFlamingoRun", { progress }, "step", "an object with step and updates");
  const { step, updates } = progress;
  const { model, optimizer, facts = {} } = checked("saveFlamingoRun", run, trainingRunChecks);
  const extra = new Map([[UPDATES, new Tensor([1], view(Float64Array.of(updates), [1]))]]);
  saveCheckpoint(path, { model, optimizer, names: optimizer.names, extra }, step, facts); // [trainflamingo.resume]
}

/** The number of updates in a file; null if it has none. */
function updatesIn(path: string): number | null {
  const file = loadSafetensors(path);
  try {
    if (!file.has(`extra.${UPDATES}`)) return null;
    const [updates = -1, ...others] = file.tensor(`extra.${UPDATES}`).flat();
    return others.length === 0 && Number.isSafeInteger(updates) && updates >= 0 ? updates : null;
  } finally {
    file.close();
  }
}

/**
 * Restores the trained parameters and the optimiser, and returns the progress. Throws a LoadError for a file that is none of this run's, and
 * changes nothing then.
 */
export function loadFlamingoRun(path: string, run: FlamingoRun): FlamingoProgress {
  const { model, optimizer, facts = {} } = checked("loadFlamingoRun", run, trainingRunChecks);
  const updates = updatesIn(path);
  if (updates === null)
    throw new LoadError(`${path} is no checkpoint of saveFlamingoRun  [trainflamingo.resume]`);
  const extra = new Map<string, Tensor>();
  const step = loadCheckpoint(path, { model, optimizer, names: optimizer.names, extra }, facts);
  return { step, updates }; // [trainflamingo.resume]
}
