// Learning rates over time, as a factor of the highest.
import { RuleError } from "../tensor/errors.ts";

export type ScheduleKind = "constant" | "linear" | "cosine";
/** From a step (0, 1, …) to a factor between 0 and 1. */
export type Schedule = (step: number) => number;

export interface ScheduleOptions {
  readonly kind?: ScheduleKind | undefined;
  /** Steps before the factor is 1; the first of them is 1 / (warmup + 1), so that no step is lost. */
  readonly warmup?: number | undefined;
  /** At this step, and after it, the factor is `floor`. A constant schedule has no end. */
  readonly steps?: number | undefined;
  readonly floor?: number | undefined;
}

/** How much of the way down from 1 to the floor is left, after a share of the way from 0 to 1. */
const shapes: Readonly<Record<ScheduleKind, (share: number) => number>> = {
  constant: () => 1,
  linear: (share) => 1 - share, // [schedule.linear]
  cosine: (share) => (1 + Math.cos(Math.PI * share)) / 2, // [schedule.cosine]
};

/** Linear warm-up, then constant, linear or along half a cosine (Loshchilov and Hutter, arXiv 1608.03983, equation 5). */
export function schedule({
  kind = "constant",
  warmup = 0,
  steps = Number.POSITIVE_INFINITY,
  floor = 0,
}: ScheduleOptions): Schedule {
  if (kind !== "constant" && !(Number.isFinite(steps) && steps > warmup))
    throw new RuleError(
      `a ${kind} schedule needs more steps than its warm-up of ${warmup}, not ${steps}`,
      "schedule.steps",
    );
  return (step) => {
    if (step < warmup) return (step + 1) / (warmup + 1); // [schedule.warmup]
    const share = kind === "constant" ? 0 : Math.min(1, (step - warmup) / (steps - warmup));
    return floor + (1 - floor) * shapes[kind](share); // [schedule.floor]
  };
}
