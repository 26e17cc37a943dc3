// The arguments of `flamboyance evaluate`.
import { isRanked, TASKS, type TaskName } from "../../evaluation/runs/examples.ts";
import type { WriteOptions } from "../../writing/write-text.ts";
import { oneOf, optionalWhole, type readArguments, wholeOption } from "../arguments.ts";
import { UsageError } from "../usage-error.ts";
import { COMPUTATION_OPTIONS, type Computation, computationOf } from "../write/request.ts";
import { METHOD_OPTIONS, type Method, methodOf } from "./method.ts";

export const EVALUATE_OPTIONS = {
  model: { type: "string" },
  task: { type: "string" },
  data: { type: "string" },
  demos: { type: "string" },
  shots: { type: "string", default: "0" },
  seed: { type: "string", default: "1" },
  limit: { type: "string" },
  "max-tokens": { type: "string" },
  beams: { type: "string", default: "1" },
  out: { type: "string" },
  ...METHOD_OPTIONS,
  stop: { type: "boolean", default: false },
  backend: COMPUTATION_OPTIONS.backend,
  threads: COMPUTATION_OPTIONS.threads,
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

export type EvaluateValues = ReturnType<typeof readArguments<typeof EVALUATE_OPTIONS>>["values"];

export interface EvaluateRequest extends Computation {
  readonly model: string;
  readonly task: TaskName;
  readonly data: string;
  /** The file of the demonstrations; by default that of the examples. */
  readonly demos: string;
  readonly shots: number;
  readonly seed: number;
  readonly limit: number | undefined;
  readonly generation: WriteOptions;
  readonly method: Method;
  readonly out: string | undefined;
  /** Whether the first example that cannot be used ends the run. */
  readonly stop: boolean;
  readonly json: boolean;
}

const needed = (values: EvaluateValues, option: "model" | "task" | "data", what: string): string => {
  const value = values[option];
  if (value === undefined || value === "") throw new UsageError(`evaluate needs --${option} ${what}`);
  return value;
};

/** The request of a command line. Throws a UsageError that names the option and the remedy. */
export function evaluateRequest(values: EvaluateValues, positionals: readonly string[]): EvaluateRequest {
  if (positionals.length > 0)
    throw new UsageError(`evaluate takes options only, not "${positionals[0]}"; files are named by --data`);
  const task = oneOf("task", needed(values, "task", TASKS.join(" | ")), TASKS);
  const data = needed(values, "data", "FILE.jsonl");
  const beams = wholeOption("beams", values.beams, 1, 64);
  if (isRanked(task) && beams > 1) throw new UsageError(`--beams generates answers; ${task} scores choices`);
  if (isRanked(task) && values["max-tokens"] !== undefined)
    throw new UsageError(`--max-tokens bounds generated answers; ${task} scores choices`);
  const shots = wholeOption("shots", values.shots, 0, 64);
  return {
    model: needed(values, "model", "PATH, the folder of a model or the file of the digits' model"),
    task,
    data,
    demos: values.demos ?? data,
    shots,
    method: methodOf(values, task, shots),
    seed: wholeOption("seed", values.seed),
    limit: optionalWhole("limit", values.limit, 1),
    generation: {
      maxTokens: wholeOption("max-tokens", values["max-tokens"] ?? "20", 1, 4096),
      ...(beams > 1 ? { beams, lengthPenalty: 0 } : {}),
    },
    out: values.out,
    stop: values.stop,
    ...computationOf(values),
    json: values.json,
  };
}
