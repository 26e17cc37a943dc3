// Checkpoints: weights, optimiser state and step number in one safetensors file, with the facts that identify the run.

import { loadSafetensors, type SafetensorsFile } from "../io/safetensors/read.ts";
import { saveSafetensors } from "../io/safetensors/write.ts";
import { quoted } from "../io/wording.ts";
import { type Check, checkObject, checkValue, object, optional, whole } from "../nn/options.ts";
import { loadStateDict, stateDict, ties } from "../nn/state-dict.ts";
import { LoadError, RuleError } from "../tensor/errors.ts";
import { checkGiven } from "../tensor/given.ts";
import { flat, Int, Tensor } from "../tensor/tensor.ts";
import { OPTIMIZER_KINDS, type Optimizer } from "./optimizers/optimizer.ts";

const SCHEMA = "flamboyance-checkpoint/2";
/** The prefix of a fact's key in the file's metadata. */
const FACT = "run.";
const PARTS = ["weights", "optimizer", "extra"] as const;

export interface Progress {
  readonly model: object;
  readonly optimizer: Optimizer;
  /** The weights that the file holds; the others are those that the model has. Default: all. */
  readonly names?: readonly string[] | undefined;
  /** Further tensors of the run, such as a history. They are stored with the rest; loading replaces the content of the map. */
  readonly extra?: Map<string, Tensor> | undefined;
}

/** The facts that identify a run: everything that its numbers depend on, such as seed, plan and a digest of the data. */
export type RunFacts = Readonly<Record<string, string | number>>;

/** A run whose checkpoints hold the trained part of a model. */
export interface TrainingRun {
  readonly model: object;
  readonly optimizer: Optimizer;
  /** Everything that the numbers of the run depend on, such as seeds, options, and `weightsDigest` of the frozen parts. */
  readonly facts?: RunFacts | undefined;
}

export const trainingRunChecks: { readonly [K in keyof TrainingRun]-?: Check } = {
  model: object("a model"),
  optimizer: object("an optimiser"),
  facts: optional(object("facts of the run, by name")),
};

/** A fact that differs between a checkpoint and a run. */
export interface FactDifference {
  readonly fact: string;
  /** The value in the file; null if the file does not have the fact. */
  readonly stored: string | null;
  /** The value of this run; null if it does not have the fact. */
  readonly expected: string | null;
}

const MOST_DIFFERENCES = 4;

const differenceClause = ({ fact, stored, expected }: FactDifference): string =>
  `${fact} ${stored === null ? "is not recorded" : `is ${quoted(stored)}`} there and ${expected === null ? "not given" : quoted(expected)} here`;

/** The checkpoint is one of another run. */
export class ForeignCheckpointError extends LoadError {
  override name = "ForeignCheckpointError";
  readonly path: string;
  readonly differences: readonly FactDifference[];
  constructor(
    path: string,
    differences: readonly FactDifference[],
    remedy = "resume that run with its own options, or keep the checkpoints of this one in another folder",
  ) {
    checkGiven("ForeignCheckpointError", { differences }, "a list");
    const shown = differences.slice(0, MOST_DIFFERENCES).map(differenceClause);
    const more = differences.length - shown.length;
    const list = [...shown, ...(more > 0 ? [`${more} more facts differ`] : [])].join(", ");
    super(`${path} is a checkpoint of another run: ${list}; ${remedy}  [checkpoint.run]`);
    this.path = path;
    this.differences = differences;
  }
}

const prefixed = <T>(prefix: string, tensors: Iterable<readonly [string, T]>): [string, T][] =>
  [...tensors].map(([name, t]) => [`${prefix}.${name}`, t]);

/** The parameters and buffers that a checkpoint holds, tied ones once. Throws a RuleError for a name that is none of them. */
function weightsOf(model: object, names: readonly string[] | undefined): Map<string, Tensor> {
  const tied = ties(model);
  const all = new Map([...stateDict(model)].filter(([name]) => !tied.has(name)));
  if (names === undefined) return all;
  const unknown = names.find((name) => !all.has(name));
  if (unknown !== undefined)
    throw new RuleError(
      `the model has no parameter ${quoted(unknown)} to store; parameterNames(model) lists them`,
      "checkpoint.part",
    );
  const chosen = new Set(names);
  return new Map([...all].filter(([name]) => chosen.has(name))); // [checkpoint.part]
}

/**
 * Writes everything that the next step depends on. The file is written next to `path` and then renamed, so that a complete
 * checkpoint remains if the process is killed. [checkpoint.atomic] Tensors keep their element type: nothing is rounded. Throws a
 * RuleError if `step` is no whole number from 0 up.
 */
export function saveCheckpoint(path: string, progress: Progress, step: number, run: RunFacts = {}): void {
  checkObject("saveCheckpoint", progress);
  const { model, optimizer, names, extra = new Map() } = progress;
  checkValue("saveCheckpoint", "step", step, whole(0, 2 ** 31 - 1));
  const state = prefixed("optimizer", optimizer.state());
  const tensors = new Map<string, Tensor | Int>([
    ...prefixed("weights", weightsOf(model, names)), // [checkpoint.resume]
    ...state,
    ...prefixed("extra", extra),
    ["step", new Int([1], Int32Array.of(step))],
  ]);
  const metadata = new Map([
    ["schema", SCHEMA],
    ["optimizer", optimizer.kind],
    ["tensors", String(tensors.size)],
    ...Object.entries(run).map(([fact, value]) => [`${FACT}${fact}`, String(value)] as const), // [checkpoint.run]
  ]);
  const dtypes = new Map(state.flatMap(([key, t]) => (t instanceof Int ? [[key, "U8"] as const] : [])));
  saveSafetensors(path, tensors, { metadata, dtypes }); // [checkpoint.atomic]
}

/** Facts that differ between a file and this run. */
function differencesOf({ metadata }: SafetensorsFile, run: RunFacts): FactDifference[] {
  const stored = new Map(
    [...metadata].flatMap(([key, value]) => (key.startsWith(FACT) ? [[key.slice(FACT.length), value]] : [])),
  );
  const expected = new Map(Object.entries(run).map(([fact, value]) => [fact, String(value)]));
  return [...new Set([...expected.keys(), ...stored.keys()])].flatMap((fact) => {
    const [a = null, b = null] = [stored.get(fact), expected.get(fact)];
    return a === b ? [] : [{ fact, stored: a, expected: b }];
  });
}

/** The facts that differ between the checkpoint in a file and this run. Throws a LoadError if the file cannot be read. */
export function factDifferences(path: string, run: RunFacts): FactDifference[] {
  const file = loadSafetensors(path);
  try {
    return differencesOf(file, run);
  } finally {
    file.close();
  }
}

function checkKind(file: SafetensorsFile, { kind }: Optimizer): void {
  const [schema, stored] = [file.metadata.get("schema"), file.metadata.get("optimizer")];
  if (schema === SCHEMA && stored === kind) return;
  const mismatch =
    schema === SCHEMA
      ? `a checkpoint of ${OPTIMIZER_KINDS.find((one) => one === stored) ?? "an unknown optimiser"}, not of ${kind}`
      : schema?.startsWith("flamboyance-checkpoint/")
        ? `a checkpoint of another version (${quoted(schema)}), which this one cannot read; train again`
        : "not a checkpoint";
  throw new LoadError(`${file.name} is ${mismatch}  [checkpoint.kind]`);
}

const broken = (file: SafetensorsFile, problem: string): LoadError =>
  new LoadError(`${file.name} is broken: ${problem}; resume from another checkpoint  [checkpoint.whole]`);

interface Parts {
  readonly weights: Map<string, Tensor>;
  readonly optimizer: Map<string, Tensor | Int>;
  readonly extra: Map<string, Tensor>;
}

/** The tensors of each part, read now, because the file may be replaced before they are used. */
function partsOf(file: SafetensorsFile): Parts {
  const parts: Parts = { weights: new Map(), optimizer: new Map(), extra: new Map() };
  const stored = file.metadata.get("tensors");
  if (stored !== String(file.keys.length))
    throw broken(
      file,
      `it has ${file.keys.length} tensors and was written with ${quoted(stored ?? "an unknown number")}`,
    );
  for (const key of file.keys) {
    const part = PARTS.find((one) => key.startsWith(`${one}.`));
    if (part === undefined && key !== "step")
      throw broken(file, `it has a tensor ${quoted(key)}, which no checkpoint has`);
    if (part === undefined) continue;
    const name = key.slice(part.length + 1);
    if (part === "optimizer" && file.info(key).dtype === "U8") {
      parts.optimizer.set(name, file.int(key)); // [checkpoint.resume]
      continue;
    }
    const { shape, data } = file.tensor(key);
    if (!flat(data).every(Number.isFinite))
      throw broken(file, `${quoted(key)} has a value that is not finite`);
    parts[part].set(name, new Tensor(shape, data)); // [checkpoint.resume]
  }
  return parts;
}

function stepOf(file: SafetensorsFile): number {
  const { shape } = file.info("step");
  const step = shape.length === 1 && shape[0] === 1 ? file.int("step").flat()[0] : undefined;
  if (step === undefined || step < 0) throw broken(file, `its step is ${step ?? "not one number"}`);
  return step;
}

/** Checks names and shapes of the weights, so that loading them cannot fail when the optimiser has changed. */
function checkWeights(
  file: SafetensorsFile,
  expected: ReadonlyMap<string, Tensor>,
  weights: ReadonlyMap<string, Tensor>,
): void {
  const names = new Set([...expected.keys(), ...weights.keys()]);
  for (const name of names) {
    const [a, b] = [expected.get(name), weights.get(name)].map((t) => t && `[${t.shape.join(" ")}]`);
    if (a !== b)
      throw broken(
        file,
        `weight ${quoted(name)} is ${b ?? "missing"} there and ${a ?? "missing"} in the model`,
      );
  }
}

/**
 * Restores the model and the optimiser and returns the number of steps taken. The file is checked whole before anything changes.
 * Throws a LoadError on any other file, and a ForeignCheckpointError if `run` is given and the file has other facts. Throws a
 * RuleError for a name that is no parameter of the model.
 */
export function loadCheckpoint(path: string, progress: Progress, run?: RunFacts): number {
  checkObject("loadCheckpoint", progress);
  const { model, optimizer, names, extra } = progress;
  const expected = weightsOf(model, names);
  const file = loadSafetensors(path);
  try {
    checkKind(file, optimizer);
    const differences = run ? differencesOf(file, run) : [];
    if (differences.length > 0) throw new ForeignCheckpointError(path, differences);
    const step = stepOf(file);
    const parts = partsOf(file); // [checkpoint.whole]
    checkWeights(file, expected, parts.weights); // [checkpoint.whole]
    optimizer.load(parts.optimizer, parts.weights);
    loadStateDict(model, parts.weights, { optional: [(name) => !expected.has(name)] });
    extra?.clear();
    for (const [name, t] of parts.extra) extra?.set(name, t);
    return step;
  } finally {
    file.close();
  }
}
