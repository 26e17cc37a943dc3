// Checkpoints of a training run of a Kosmos: the trained part, the optimiser, and how far the run is.

import { checked } from "../../nn/options.ts";
import { checkMember } from "../../tensor/given.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { loadCheckpoint, saveCheckpoint, type TrainingRun, trainingRunChecks } from "../checkpoint.ts";
import type { KosmosProgress } from "./train.ts";

/** A training that `saveKosmosRun` writes and `loadKosmosRun` continues. */
export type KosmosRun = TrainingRun;

/** Writes the parameters that the optimiser trains, its state, and the progress. Frozen parameters are not written. */
export function saveKosmosRun(path: string, run: KosmosRun, progress: KosmosProgress): void {
  checkMember("saveKosmosRun", { progress }, "step", "an object with at least step");
  const { step, kept = new Map() } = progress;
  const { model, optimizer, facts = {} } = checked("saveKosmosRun", run, trainingRunChecks);
  saveCheckpoint(path, { model, optimizer, names: optimizer.names, extra: new Map(kept) }, step, facts); // [trainkosmos.resume]
}

/**
 * Restores the trained parameters and the optimiser, and returns the progress. Throws a LoadError for a file that is none of this run's, and
 * changes nothing then.
 */
export function loadKosmosRun(path: string, run: KosmosRun): KosmosProgress {
  const { model, optimizer, facts = {} } = checked("loadKosmosRun", run, trainingRunChecks);
  const kept = new Map<string, Tensor>();
  const step = loadCheckpoint(path, { model, optimizer, names: optimizer.names, extra: kept }, facts);
  return { step, ...(kept.size > 0 && { kept }) }; // [trainkosmos.resume]
}
