// Checkpoints of a training run of a Kosmos: the trained part, the optimiser, and how far the run is.

import { type Check, checked, object, optional } from "../../nn/options.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { loadCheckpoint, type RunFacts, saveCheckpoint } from "../checkpoint.ts";
import type { Optimizer } from "../optimizers/optimizer.ts";
import type { KosmosProgress } from "./train.ts";

export interface KosmosRun {
  readonly model: object;
  readonly optimizer: Optimizer;
  /** Everything that the numbers of the run depend on, such as seeds, the recipe, and `weightsDigest` of the frozen image tower. */
  readonly facts?: RunFacts | undefined;
}

const checks: { readonly [K in keyof KosmosRun]-?: Check } = {
  model: object("a model"),
  optimizer: object("an optimiser"),
  facts: optional(object("facts of the run, by name")),
};

/** Writes the parameters that the optimiser trains, its state, and the progress. Frozen parameters are not written. */
export function saveKosmosRun(
  path: string,
  run: KosmosRun,
  { step, kept = new Map() }: KosmosProgress,
): void {
  const { model, optimizer, facts = {} } = checked("saveKosmosRun", run, checks);
  saveCheckpoint(path, { model, optimizer, names: optimizer.names, extra: new Map(kept) }, step, facts); // [trainkosmos.resume]
}

/**
 * Restores the trained parameters and the optimiser, and returns the progress. Throws a LoadError for a file that is none of this run's, and
 * changes nothing then.
 */
export function loadKosmosRun(path: string, run: KosmosRun): KosmosProgress {
  const { model, optimizer, facts = {} } = checked("loadKosmosRun", run, checks);
  const kept = new Map<string, Tensor>();
  const step = loadCheckpoint(path, { model, optimizer, names: optimizer.names, extra: kept }, facts);
  return { step, ...(kept.size > 0 && { kept }) }; // [trainkosmos.resume]
}
