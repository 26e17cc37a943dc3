// Learning-rate schedules, as factors of the highest learning rate.
import {
  between,
  type Check,
  checked,
  checkValue,
  notNegative,
  oneOf,
  optional,
  whole,
} from "../nn/options.ts";
import { RuleError } from "../tensor/errors.ts";

export type ScheduleKind = "constant" | "linear" | "cosine";
/** Maps a step (0, 1, …) to a factor between 0 and 1. */
export type Schedule = (step: number) => number;

/** The factor of a step. Throws a RuleError for one that is no finite number of at least 0. */
export function factorAt(schedule: Schedule, step: number): number {
  const factor = schedule(step);
  checkValue("the schedule", `the factor of step ${step}`, factor, notNegative); // [schedule.factor]
  return factor;
}

/** Shape and length of a schedule, in steps. */
export interface ScheduleOptions {
  readonly kind?: ScheduleKind | undefined;
  /** Steps of linear warm-up. The first factor is 1 / (warmup + 1), not 0, so that the first step has an effect. Default 0. */
  readonly warmup?: number | undefined;
  /** The step from which the factor is `floor`; constant schedules need none. */
  readonly steps?: number | undefined;
  /** The final factor. Default 0. */
  readonly floor?: number | undefined;
}

/** The remaining part of the decay, 1 to 0, as a function of progress, 0 to 1. */
const shapes: Readonly<Record<ScheduleKind, (progress: number) => number>> = {
  constant: () => 1,
  linear: (progress) => 1 - progress, // [schedule.linear]
  cosine: (progress) => (1 + Math.cos(Math.PI * progress)) / 2, // [schedule.cosine]
};

const number = whole(0, Number.MAX_SAFE_INTEGER);
const checks: { readonly [K in keyof ScheduleOptions]-?: Check } = {
  kind: optional(oneOf(Object.keys(shapes))),
  warmup: optional(number),
  steps: optional({
    ...number,
    accepts: (value) => value === Number.POSITIVE_INFINITY || number.accepts(value),
  }),
  floor: optional(between(0, 1, "a number from 0 to 1")),
};

/**
 * Linear warm-up, then a constant factor, linear decay, or half a cosine (Loshchilov and Hutter, arXiv 1608.03983,
 * equation 5). Throws a RuleError if a decaying schedule does not have more steps than its warm-up.
 */
export function schedule(options: ScheduleOptions): Schedule {
  const {
    kind = "constant",
    warmup = 0,
    steps = Number.POSITIVE_INFINITY,
    floor = 0,
  } = checked("schedule", options, checks);
  if (kind !== "constant" && !(Number.isFinite(steps) && steps > warmup))
    throw new RuleError(
      `a ${kind} schedule needs more steps than its warm-up of ${warmup}, not ${steps}`,
      "schedule.steps",
    );
  return (step) => {
    if (step < warmup) return (step + 1) / (warmup + 1); // [schedule.warmup]
    const progress = kind === "constant" ? 0 : Math.min(1, (step - warmup) / (steps - warmup));
    return floor + (1 - floor) * shapes[kind](progress); // [schedule.floor]
  };
}
