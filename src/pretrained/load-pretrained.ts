// Language models from folders of Hugging Face: the class by config.json, the weights by name.

import { openPretrained, type Pretrained } from "../io/huggingface/pretrained.ts";
import type { JsonObject } from "../io/json.ts";
import type { LanguageModel } from "../models/language-model.ts";
import { type WriterWithStep, writerOf } from "../models/writer.ts";
import type { StateDictReport, Weights } from "../nn/loading/report.ts";
import type { LoadRules, UsualRules } from "../nn/loading/rules.ts";
import { abortSignal, type Check, checked, flag, oneOf, optional, passing, whole } from "../nn/options.ts";
import { loadStateDict, stateDict, ties } from "../nn/state-dict.ts";
import { PRECISIONS } from "../tensor/precision.ts";
import { isSource, type TensorSource } from "../tensor/source.ts";
import { sizeOf, type Tensor } from "../tensor/tensor.ts";
import { convertWeights } from "./converted.ts";
import { type MemoryPlan, type PlanOptions, planOf } from "./memory-plan.ts";
import { buildModel, classFor, type PretrainedClass } from "./model-classes.ts";
import { CountedWeights, type ReadingProgress } from "./reading.ts";

/** The texts for which memory is planned, rules for names of weights, and how to read them. */
export interface LoadPretrainedOptions extends PlanOptions, Omit<LoadRules, "usual"> {
  /** Called with the memory plan before any weight is read. An error that it throws ends the loading. */
  readonly plan?: ((plan: MemoryPlan) => void) | undefined;
  /** Called when a weight is read for the first time: while loading if `lazy` is false, else whenever a run first uses it. */
  readonly progress?: ((progress: ReadingProgress) => void) | undefined;
  /** Ends the loading with the signal's reason. It is checked between tensors, and no model is returned. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Whether weights are read from the files whenever they are used, which takes no memory here. If false, all are read and checked
   * now, kept in the dtype of the files, and the files are closed. Default true.
   */
  readonly lazy?: boolean | undefined;
}

/** A language model with the weights of a folder. */
export interface LoadedModel {
  readonly model: LanguageModel;
  /** The model as generation takes it. */
  readonly writer: WriterWithStep;
  /** config.json. */
  readonly config: JsonObject;
  /** generation_config.json; null if there is none. */
  readonly generationConfig: JsonObject | null;
  /** Which weights were loaded, left out and renamed. */
  readonly report: StateDictReport;
  readonly plan: MemoryPlan;
  /** Closes the files. A later use of a weight that is read lazily opens them again. */
  close(): void;
}

const aFunction: Check = passing("a function", (value) => typeof value === "function");
/** The mask of a prompt, whose size is the square of its length, is made to count intermediates. */
const LONGEST_PROMPT = 8192;
const planChecks: { readonly [K in keyof PlanOptions]-?: Check } = {
  context: optional(whole(1, 2 ** 24)),
  prompt: optional(whole(1, LONGEST_PROMPT)),
  texts: optional(whole(1, 2 ** 16)),
  dtype: optional(oneOf(PRECISIONS)),
};
const anything: Check = optional(passing("a rule of loadStateDict", () => true)); // loadStateDict checks its rules
const checks: { readonly [K in keyof LoadPretrainedOptions]-?: Check } = {
  ...planChecks,
  ignore: anything,
  rename: anything,
  optional: anything,
  strip: anything,
  plan: optional(aFunction),
  progress: optional(aFunction),
  signal: optional(abortSignal),
  lazy: optional(flag),
};

interface Opened {
  readonly pretrained: Pretrained;
  readonly one: PretrainedClass;
  readonly model: LanguageModel;
}

/** Opens a folder and builds its model without weights. */
function open(folder: string): Opened {
  const pretrained = openPretrained(folder);
  try {
    const file = `${folder}/config.json`;
    const one = classFor(pretrained.config, file);
    return { pretrained, one, model: buildModel(one, pretrained.config, file) };
  } catch (error) {
    pretrained.close();
    throw error;
  }
}

/** Loading rules of a class: buffers of old checkpoints, and names in other releases or in the class without its head. */
function usualRules({ base, buffers, otherNames = {} }: PretrainedClass): UsualRules {
  const based = base.names.map((pattern) => [pattern, `${base.prefix}${pattern}`]);
  return { ignore: buffers, rename: { ...otherNames, ...Object.fromEntries(based) } }; // [pretrained.buffers] [pretrained.names]
}

/**
 * Throws a StateDictError if a folder has fewer tensors than its model has parameters, which may be many: a plan takes time proportional to
 * their number.
 */
function checkCount({ pretrained, one, model }: Opened, rules: LoadRules = {}): void {
  const parameters = new Set(stateDict(model).values());
  if (rules.optional !== undefined || pretrained.keys.length >= parameters.size) return;
  loadStateDict(model, pretrained, { ...rules, usual: usualRules(one) }); // [pretrained.count]
}

/**
 * The memory that the language model of a folder needs. Of the weights only what describes them is read. Throws as `loadPretrained`
 * does for a folder that is none, and for a configuration that is not supported.
 */
export function memoryPlan(folder: string, options: PlanOptions = {}): MemoryPlan {
  const known = checked("memoryPlan", options, planChecks);
  const opened = open(folder);
  const { pretrained, one, model } = opened;
  try {
    checkCount(opened);
    return planOf(one, model, pretrained, known);
  } finally {
    pretrained.close();
  }
}

/** Values that are read in one piece. */
const PIECE = 2 ** 23;

/** Lets other tasks run, such as the one that aborts a signal. */
const pause = (): Promise<void> => new Promise((resume) => setTimeout(resume, 0));

/** Reads every parameter into memory, in its dtype. */
async function readNow(model: LanguageModel, signal: AbortSignal | undefined): Promise<void> {
  const tied = ties(model);
  for (const [name, t] of stateDict(model)) {
    if (tied.has(name) || !isSource(t.stored)) continue;
    t.assign(await inMemory(t, t.stored, signal));
  }
}

async function inMemory(
  { shape }: Tensor,
  source: TensorSource,
  signal: AbortSignal | undefined,
): Promise<TensorSource> {
  const size = sizeOf(shape);
  const { dtype } = source;
  const all =
    dtype === "float64"
      ? new Float64Array(size)
      : dtype === "float32"
        ? new Float32Array(size)
        : new Uint16Array(size);
  const piece = source.sequential ? size : PIECE;
  for (let from = 0; from < size; from += piece) {
    await pause();
    signal?.throwIfAborted(); // [pretrained.signal]
    all.set(source.read(from, Math.min(size, from + piece)), from);
  }
  return { dtype, read: (from, to) => all.subarray(from, to) };
}

/**
 * Loads the language model of a folder as `save_pretrained` writes it: builds the class that config.json names, and gives it the
 * weights, in the dtypes of the files. Throws a LoadError that names the file with a problem, a StateDictError where names or shapes
 * do not fit, and the reason of `signal` where that is aborted.
 */
export async function loadPretrained(
  folder: string,
  options: LoadPretrainedOptions = {},
): Promise<LoadedModel> {
  const known = checked("loadPretrained", options, checks);
  const { signal, lazy = true, plan: onPlan, progress, context, prompt, texts, dtype } = known;
  signal?.throwIfAborted();
  const opened = open(folder);
  const { pretrained, one, model } = opened;
  try {
    const { ignore, rename, optional: mayLack, strip } = known;
    const rules = { ignore, rename, optional: mayLack, strip };
    checkCount(opened, rules);
    const plan = planOf(one, model, pretrained, { context, prompt, texts, dtype });
    onPlan?.(plan); // [pretrained.plan]
    const weights: Weights = progress ? new CountedWeights(pretrained, progress) : pretrained;
    const report = loadStateDict(model, weights, { ...rules, usual: usualRules(one) }); // [pretrained.model]
    if (dtype !== undefined) convertWeights(model, dtype);
    if (!lazy) await readNow(model, signal);
    await pause();
    signal?.throwIfAborted(); // [pretrained.signal]
    if (!lazy) pretrained.close();
    const { config, generationConfig } = pretrained;
    const close = () => pretrained.close();
    return { model, writer: writerOf(model), config, generationConfig, report, plan, close };
  } catch (error) {
    pretrained.close();
    throw error;
  }
}
