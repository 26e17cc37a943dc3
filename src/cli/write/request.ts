// The arguments of `flamboyance write`.
import { PRECISIONS, type Precision } from "../../tensor/precision.ts";
import type { WriteOptions } from "../../writing/write-text.ts";
import {
  numberOption,
  oneOf,
  optionalWhole,
  positiveOption,
  type readArguments,
  shareOption,
  wholeOption,
} from "../arguments.ts";
import { UsageError } from "../usage-error.ts";

/** How tokens are chosen. */
export const GENERATION_OPTIONS = {
  "max-tokens": { type: "string", default: "256" },
  "min-tokens": { type: "string" },
  stop: { type: "string", multiple: true },
  seed: { type: "string" },
  temperature: { type: "string" },
  "top-k": { type: "string" },
  "top-p": { type: "string" },
  "repetition-penalty": { type: "string" },
  "no-repeat-ngram": { type: "string" },
  beams: { type: "string" },
  "length-penalty": { type: "string" },
  json: { type: "boolean", default: false },
  top: { type: "string" },
} as const;

/** Where the model is computed, and in which dtype. */
export const COMPUTATION_OPTIONS = {
  dtype: { type: "string" },
  backend: { type: "string", default: "auto" },
  threads: { type: "string" },
} as const;

export const WRITE_OPTIONS = {
  model: { type: "string" },
  chat: { type: "boolean", default: false },
  system: { type: "string" },
  ...GENERATION_OPTIONS,
  ...COMPUTATION_OPTIONS,
  plan: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

type ValuesOf<O extends NonNullable<Parameters<typeof readArguments>[1]>> = ReturnType<
  typeof readArguments<O>
>["values"];
export type WriteValues = ValuesOf<typeof WRITE_OPTIONS>;
type GenerationValues = ValuesOf<typeof GENERATION_OPTIONS>;
type ComputationValues = ValuesOf<typeof COMPUTATION_OPTIONS>;

/** Beams, and prompts of one batch, at most. */
const MOST_ROWS = 256;
const MOST_TOKENS = 2 ** 24;

export interface Computation {
  readonly dtype: Precision | undefined;
  readonly backend: "auto" | "simd" | "reference";
  readonly threads: number | undefined;
}

export interface Request extends Computation {
  readonly folder: string;
  /** Texts as given; "-" is stdin. */
  readonly prompts: readonly string[];
  /** With --chat: the system message, if there is one. */
  readonly chat: { readonly system: string | undefined } | null;
  readonly generation: WriteOptions;
  readonly planOnly: boolean;
  readonly json: boolean;
}

/** An option that may be missing. */
const given = <T>(
  option: string,
  text: string | undefined,
  read: (option: string, text: string) => T,
): T | undefined => (text === undefined ? undefined : read(option, text));

/** The options of sampling; a seed if any of them is given. */
function samplingOf(values: GenerationValues): Pick<WriteOptions, "seed" | "temperature" | "topK" | "topP"> {
  const temperature = given("temperature", values.temperature, positiveOption);
  const topK = optionalWhole("top-k", values["top-k"], 1);
  const topP = given("top-p", values["top-p"], shareOption);
  const isSampled = [values.seed, temperature, topK, topP].some((value) => value !== undefined);
  return isSampled ? { seed: wholeOption("seed", values.seed ?? "1"), temperature, topK, topP } : {};
}

function beamsOf(values: GenerationValues): Pick<WriteOptions, "beams" | "lengthPenalty"> {
  const beams = wholeOption("beams", values.beams ?? "1", 1, MOST_ROWS);
  const lengthPenalty = given("length-penalty", values["length-penalty"], numberOption);
  if (beams === 1 && lengthPenalty !== undefined)
    throw new UsageError("--length-penalty needs --beams of at least 2");
  return beams === 1 ? {} : { beams, lengthPenalty };
}

/** The options of generation. Throws a UsageError for values out of range, and for options that exclude each other. */
export function generationOf(values: GenerationValues): WriteOptions {
  const sampling = samplingOf(values);
  const beams = beamsOf(values);
  if (beams.beams !== undefined && sampling.seed !== undefined)
    throw new UsageError(
      "--beams chooses the most probable texts, and --seed, --temperature, --top-k and --top-p draw tokens; give one of both",
    );
  const top = optionalWhole("top", values.top, 0, MOST_TOKENS);
  if (top !== undefined && !values.json) throw new UsageError("--top needs --json");
  if (top !== undefined && beams.beams !== undefined)
    throw new UsageError("--top and --beams exclude each other; leave one of them out");
  const stopStrings = values.stop ?? [];
  if (stopStrings.includes("")) throw new UsageError("--stop is empty; give a string");
  const [maxTokens, minTokens] = [
    wholeOption("max-tokens", values["max-tokens"], 1, MOST_TOKENS),
    optionalWhole("min-tokens", values["min-tokens"], 0, MOST_TOKENS),
  ];
  if ((minTokens ?? 0) > maxTokens)
    throw new UsageError(`--min-tokens is ${minTokens}, more than the ${maxTokens} of --max-tokens`);
  return {
    maxTokens,
    minTokens,
    stopStrings,
    repetitionPenalty: given("repetition-penalty", values["repetition-penalty"], positiveOption),
    noRepeatNgram: optionalWhole("no-repeat-ngram", values["no-repeat-ngram"], 1, MOST_TOKENS),
    ...sampling,
    ...beams,
    ...(values.json && beams.beams === undefined ? { alternatives: top ?? 0 } : {}),
  };
}

/** The backend, dtype and threads; float64 is computed by the reference backend alone. */
export function computationOf(values: ComputationValues): Computation {
  const backend = oneOf("backend", values.backend, ["auto", "simd", "reference"]);
  const dtype = given("dtype", values.dtype, (option, text) => oneOf(option, text, PRECISIONS));
  const threads = optionalWhole("threads", values.threads, 1, MOST_ROWS);
  if (dtype === "float64" && backend === "simd")
    throw new UsageError("simd computes in float32; --dtype float64 needs --backend reference");
  const isReference = backend === "reference" || dtype === "float64";
  if (isReference && threads !== undefined)
    throw new UsageError("--threads is an option of simd; the reference backend has one thread");
  return { dtype, backend: isReference ? "reference" : backend, threads };
}

/** The request of a command line. Throws a UsageError that names the option and the remedy. */
export function requestOf(values: WriteValues, prompts: readonly string[]): Request {
  if (values.model === undefined || values.model === "")
    throw new UsageError(
      "write needs --model FOLDER, a model folder of Hugging Face; in a clone of the repository, npm run fetch:smollm2 makes one",
    );
  if (prompts.length === 0 && !values.plan)
    throw new UsageError("write needs a prompt: a text in quotes, or - for stdin");
  if (prompts.length > MOST_ROWS)
    throw new UsageError(`write takes at most ${MOST_ROWS} prompts, not ${prompts.length}`);
  if (prompts.filter((prompt) => prompt === "-").length > 1)
    throw new UsageError("stdin (-) is one prompt; give it once");
  if (values.system !== undefined && !values.chat) throw new UsageError("--system needs --chat");
  return {
    folder: values.model,
    prompts,
    chat: values.chat ? { system: values.system } : null,
    generation: generationOf(values),
    ...computationOf(values),
    planOnly: values.plan,
    json: values.json,
  };
}
