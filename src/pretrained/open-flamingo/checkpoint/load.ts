// Loads checkpoints of OpenFlamingo: the trained part that open-flamingo saves, checkpoints of its training, and whole state dicts.
import type { FileContent } from "../../../io/file-content.ts";
import type { OpenFlamingo } from "../../../models/open-flamingo/flamingo.ts";
import type { Weights } from "../../../nn/loading/report.ts";
import { type Check, checked, flag, optional, passing } from "../../../nn/options.ts";
import { loadStateDict } from "../../../nn/state-dict.ts";
import { LoadError } from "../../../tensor/errors.ts";
import type { WeightsFile } from "../../memory-plan.ts";
import { compared } from "./compare.ts";
import { OpenCheckpoint } from "./open.ts";
import { type CheckpointReport, isLoaded } from "./report.ts";
import { describeCheckpointReport } from "./report-text.ts";

/** What is refused, and the name of the checkpoint in errors. */
export interface LoadFlamingoCheckpointOptions {
  /** Stands for the checkpoint in errors, where it is not given as a path. */
  readonly name?: string | undefined;
  /** Whether tensors are refused that are unknown, and a checkpoint without the rows of added tokens. Default false: the report names them. */
  readonly strict?: boolean | undefined;
}

const checks: { readonly [K in keyof LoadFlamingoCheckpointOptions]-?: Check } = {
  name: optional(passing("a text", (value) => typeof value === "string")),
  strict: optional(flag),
};

/** A checkpoint does not fit a model, and nothing was loaded. The error has the report that `describeCheckpointReport` turns into lines. */
export class CheckpointError extends LoadError {
  readonly report: CheckpointReport;
  constructor(report: CheckpointReport) {
    super(describeCheckpointReport(report).join("\n"));
    this.report = report;
  }
}

/** The result of loading. Values are read from the file whenever they are used. */
export interface LoadedCheckpoint {
  readonly report: CheckpointReport;
  /** The file for a memory plan; its bytes are 0 for a Map. */
  readonly file: WeightsFile;
  /** Closes the file. A later use of a weight opens it again. */
  close(): void;
}

/**
 * Loads a checkpoint into a model whose language model and image encoder have their weights already: a path, bytes, an open file or a Map
 * of tensors. Everything that the checkpoint holds is in the report, in one of its groups. Throws a CheckpointError with the same
 * report, and loads nothing, where shapes differ, copies of a tensor differ, or the trained part is not the model's.
 */
export function loadFlamingoCheckpoint(
  model: OpenFlamingo,
  checkpoint: string | FileContent | Weights,
  options: LoadFlamingoCheckpointOptions = {},
): LoadedCheckpoint {
  const { name, strict = false } = checked("loadFlamingoCheckpoint", options, checks);
  const file = name ?? (typeof checkpoint === "string" ? checkpoint : "the checkpoint");
  const opened = new OpenCheckpoint(checkpoint, file);
  try {
    const { report, sources } = compared(model, opened, strict);
    if (!isLoaded(report)) throw new CheckpointError(report); // [checkpoints.all-or-nothing]
    const weights = new Map([...sources].map(([to, from]) => [to, opened.get(from)]));
    const absent = new Set([...report.missing.frozen, ...report.missing.rows]);
    loadStateDict(model, weights, { optional: [(parameter) => absent.has(parameter)] });
    const weightsFile = { name: opened.file, tensors: opened.keys.length, bytes: opened.bytes ?? 0 };
    return { report, file: weightsFile, close: () => opened.close() };
  } catch (error) {
    opened.close();
    throw error;
  }
}
