// The schedules of transformers 4.57.6 (optimization.py, get_scheduler), with which OpenFlamingo is trained. They begin at 0.
import { type Check, checked, oneOf, optional, whole } from "../nn/options.ts";
import { RuleError } from "../tensor/errors.ts";
import type { Schedule } from "./schedules.ts";

export const TRANSFORMERS_SCHEDULES = [
  "constant",
  "constant_with_warmup",
  "linear",
  "cosine",
  "cosine_with_restarts",
  "inverse_sqrt",
] as const;

/** A schedule of transformers by its name, and its length in steps. */
export interface TransformersScheduleOptions {
  readonly name: (typeof TRANSFORMERS_SCHEDULES)[number];
  /** Steps of linear warm-up, the first of which has the factor 0. Default 0; "constant" has none. */
  readonly numWarmupSteps?: number | undefined;
  /** The step at which linear and cosine schedules are 0. */
  readonly numTrainingSteps?: number | undefined;
}

const steps = whole(0, Number.MAX_SAFE_INTEGER);
const checks: { readonly [K in keyof TransformersScheduleOptions]-?: Check } = {
  name: oneOf(TRANSFORMERS_SCHEDULES),
  numWarmupSteps: optional(steps),
  numTrainingSteps: optional(steps),
};

/** A factor after the warm-up. `progress` is 0 at its end and 1 at the last step; the release does not limit it. */
type Decay = (after: { readonly step: number; readonly progress: number; readonly left: number }) => number;

/** The step from which a square root is counted, where there is no warm-up. */
const TIMESCALE = 10_000;

function decayOf(name: TransformersScheduleOptions["name"], warmup: number): Decay {
  if (name === "linear") return ({ left }) => Math.max(0, left); // [scheduler.linear]
  if (name === "cosine")
    return ({ progress }) => Math.max(0, 0.5 * (1 + Math.cos(Math.PI * 0.5 * 2 * progress))); // [scheduler.cosine]
  if (name === "cosine_with_restarts")
    return ({ progress }) =>
      progress >= 1 ? 0 : Math.max(0, 0.5 * (1 + Math.cos(Math.PI * (progress % 1)))); // [scheduler.restarts]
  if (name === "inverse_sqrt") {
    const scale = warmup || TIMESCALE;
    return ({ step }) => 1 / Math.sqrt((step + scale - warmup) / scale); // [scheduler.inverse-sqrt]
  }
  return () => 1; // [scheduler.constant]
}

const DECAYING: readonly string[] = ["linear", "cosine", "cosine_with_restarts"];

/** A schedule of transformers by its name. Throws a RuleError where linear and cosine schedules have no number of steps. */
export function transformersSchedule(options: TransformersScheduleOptions): Schedule {
  const { name, numWarmupSteps = 0, numTrainingSteps } = checked("transformersSchedule", options, checks);
  if (numTrainingSteps === undefined && DECAYING.includes(name))
    throw new RuleError(`a ${name} schedule needs numTrainingSteps`, "scheduler.steps", { name });
  const warmup = name === "constant" ? 0 : numWarmupSteps; // [scheduler.constant]
  const [end, decay] = [numTrainingSteps ?? 0, decayOf(name, warmup)];
  const length = Math.max(1, end - warmup); // [scheduler.steps]
  return (step) =>
    step < warmup
      ? step / Math.max(1, warmup) // [scheduler.warmup]
      : decay({ step, progress: (step - warmup) / length, left: (end - step) / length });
}
