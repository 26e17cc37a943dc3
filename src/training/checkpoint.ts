// Checkpoints: weights, optimiser state and step number in one safetensors file.
import { loadSafetensors } from "../io/safetensors/read.ts";
import { saveSafetensors } from "../io/safetensors/write.ts";
import { loadStateDict, stateDict, ties } from "../nn/state-dict.ts";
import { LoadError } from "../tensor/errors.ts";
import { Int, type Tensor } from "../tensor/tensor.ts";
import type { Optimizer } from "./optimizers/optimizer.ts";

const SCHEMA = "flamboyance-checkpoint/1";

export interface Progress {
  readonly model: object;
  readonly optimizer: Optimizer;
}

const prefixed = (prefix: string, tensors: Iterable<readonly [string, Tensor]>): [string, Tensor][] =>
  [...tensors].map(([name, t]) => [`${prefix}.${name}`, t]);

/**
 * Writes everything that the next step depends on. The file is written next to `path` and then renamed, so that a complete
 * checkpoint remains if the process is killed. [checkpoint.atomic] Tensors keep their element type: nothing is rounded.
 */
export function saveCheckpoint(path: string, { model, optimizer }: Progress, step: number): void {
  const tied = ties(model);
  const weights = [...stateDict(model)].filter(([name]) => !tied.has(name));
  saveSafetensors(
    path,
    new Map<string, Tensor | Int>([
      ...prefixed("weights", weights), // [checkpoint.resume]
      ...prefixed("optimizer", optimizer.state()),
      ["step", new Int([1], Int32Array.of(step))],
    ]),
    {
      metadata: new Map([
        ["schema", SCHEMA],
        ["optimizer", optimizer.kind],
      ]),
    }, // [checkpoint.atomic]
  );
}

/** Restores the model and the optimiser and returns the number of steps taken. Throws a LoadError on any other file. */
export function loadCheckpoint(path: string, { model, optimizer }: Progress): number {
  const file = loadSafetensors(path);
  try {
    const [schema, kind] = [file.metadata.get("schema"), file.metadata.get("optimizer")];
    if (schema !== SCHEMA || kind !== optimizer.kind) {
      const mismatch =
        schema === SCHEMA ? `a checkpoint of ${kind}, not of ${optimizer.kind}` : "not a checkpoint";
      throw new LoadError(`${path} is ${mismatch}  [checkpoint.kind]`);
    }
    const under = (prefix: string): Map<string, Tensor> =>
      new Map(
        file.keys
          .filter((key) => key.startsWith(`${prefix}.`))
          .map((key) => {
            const t = file.tensor(key);
            t.data; // reads the numbers now, because the file may be replaced before they are used
            return [key.slice(prefix.length + 1), t];
          }),
      );
    loadStateDict(model, under("weights"));
    optimizer.load(under("optimizer"));
    return file.int("step").flat()[0] ?? 0;
  } finally {
    file.close();
  }
}
