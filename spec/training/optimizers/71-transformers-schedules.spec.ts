// The schedules of transformers: rules scheduler.… of 71-optimizers.md. The factors are those that the lambdas of get_scheduler
// of transformers 4.57.6 return for the steps 0 to 14.
import { expect, test } from "vitest";
import {
  TRANSFORMERS_SCHEDULES,
  type TransformersScheduleOptions,
  transformersSchedule,
} from "../../../src/training/transformers-schedules.ts";
import { refusal } from "../../support/properties/refusals.ts";

type Released = TransformersScheduleOptions & { readonly factors: readonly number[] };
const RELEASED = [
  {
    name: "constant",
    numWarmupSteps: 0,
    numTrainingSteps: 12,
    factors: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  },
  {
    name: "constant",
    numWarmupSteps: 3,
    numTrainingSteps: 12,
    factors: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  },
  {
    name: "constant",
    numWarmupSteps: 5,
    numTrainingSteps: 5,
    factors: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  },
  {
    name: "constant",
    numWarmupSteps: 7,
    numTrainingSteps: 4,
    factors: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  },
  {
    name: "constant_with_warmup",
    numWarmupSteps: 0,
    numTrainingSteps: 12,
    factors: [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
  },
  {
    name: "constant_with_warmup",
    numWarmupSteps: 3,
    numTrainingSteps: 12,
    factors: [
      0.0, 0.3333333333333333, 0.6666666666666666, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0,
    ],
  },
  {
    name: "constant_with_warmup",
    numWarmupSteps: 5,
    numTrainingSteps: 5,
    factors: [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
  },
  {
    name: "constant_with_warmup",
    numWarmupSteps: 7,
    numTrainingSteps: 4,
    factors: [
      0.0, 0.14285714285714285, 0.2857142857142857, 0.42857142857142855, 0.5714285714285714,
      0.7142857142857143, 0.8571428571428571, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0,
    ],
  },
  {
    name: "linear",
    numWarmupSteps: 0,
    numTrainingSteps: 12,
    factors: [
      1.0, 0.9166666666666666, 0.8333333333333334, 0.75, 0.6666666666666666, 0.5833333333333334, 0.5,
      0.4166666666666667, 0.3333333333333333, 0.25, 0.16666666666666666, 0.08333333333333333, 0.0, 0.0, 0.0,
    ],
  },
  {
    name: "linear",
    numWarmupSteps: 3,
    numTrainingSteps: 12,
    factors: [
      0.0, 0.3333333333333333, 0.6666666666666666, 1.0, 0.8888888888888888, 0.7777777777777778,
      0.6666666666666666, 0.5555555555555556, 0.4444444444444444, 0.3333333333333333, 0.2222222222222222,
      0.1111111111111111, 0.0, 0.0, 0.0,
    ],
  },
  {
    name: "linear",
    numWarmupSteps: 5,
    numTrainingSteps: 5,
    factors: [0.0, 0.2, 0.4, 0.6, 0.8, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
  },
  {
    name: "linear",
    numWarmupSteps: 7,
    numTrainingSteps: 4,
    factors: [
      0.0, 0.14285714285714285, 0.2857142857142857, 0.42857142857142855, 0.5714285714285714,
      0.7142857142857143, 0.8571428571428571, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
    ],
  },
  {
    name: "cosine",
    numWarmupSteps: 0,
    numTrainingSteps: 12,
    factors: [
      1.0, 0.9829629131445341, 0.9330127018922194, 0.8535533905932737, 0.75, 0.6294095225512604, 0.5,
      0.3705904774487396, 0.2500000000000001, 0.14644660940672627, 0.06698729810778065, 0.0170370868554659, 0,
      0.01703708685546579, 0.0669872981077807,
    ],
  },
  {
    name: "cosine",
    numWarmupSteps: 3,
    numTrainingSteps: 12,
    factors: [
      0.0, 0.3333333333333333, 0.6666666666666666, 1.0, 0.9698463103929542, 0.883022221559489, 0.75,
      0.5868240888334653, 0.41317591116653485, 0.2500000000000001, 0.11697777844051105, 0.03015368960704584,
      0, 0.030153689607045786, 0.116977778440511,
    ],
  },
  {
    name: "cosine",
    numWarmupSteps: 5,
    numTrainingSteps: 5,
    factors: [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 0, 1.0, 0, 1.0, 0, 1.0, 0, 1.0, 0],
  },
  {
    name: "cosine",
    numWarmupSteps: 7,
    numTrainingSteps: 4,
    factors: [
      0.0, 0.14285714285714285, 0.2857142857142857, 0.42857142857142855, 0.5714285714285714,
      0.7142857142857143, 0.8571428571428571, 1.0, 0, 1.0, 0, 1.0, 0, 1.0, 0,
    ],
  },
  {
    name: "cosine_with_restarts",
    numWarmupSteps: 0,
    numTrainingSteps: 12,
    factors: [
      1.0, 0.9829629131445341, 0.9330127018922194, 0.8535533905932737, 0.75, 0.6294095225512604, 0.5,
      0.3705904774487396, 0.2500000000000001, 0.14644660940672627, 0.06698729810778065, 0.0170370868554659,
      0.0, 0.0, 0.0,
    ],
  },
  {
    name: "cosine_with_restarts",
    numWarmupSteps: 3,
    numTrainingSteps: 12,
    factors: [
      0.0, 0.3333333333333333, 0.6666666666666666, 1.0, 0.9698463103929542, 0.883022221559489, 0.75,
      0.5868240888334653, 0.41317591116653485, 0.2500000000000001, 0.11697777844051105, 0.03015368960704584,
      0.0, 0.0, 0.0,
    ],
  },
  {
    name: "cosine_with_restarts",
    numWarmupSteps: 5,
    numTrainingSteps: 5,
    factors: [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
  },
  {
    name: "cosine_with_restarts",
    numWarmupSteps: 7,
    numTrainingSteps: 4,
    factors: [
      0.0, 0.14285714285714285, 0.2857142857142857, 0.42857142857142855, 0.5714285714285714,
      0.7142857142857143, 0.8571428571428571, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
    ],
  },
  {
    name: "inverse_sqrt",
    numWarmupSteps: 0,
    numTrainingSteps: 12,
    factors: [
      1.0, 0.9999500037496877, 0.9999000149975006, 0.9998500337415648, 0.9998000599800071, 0.9997500937109545,
      0.9997001349325354, 0.9996501836428782, 0.9996002398401119, 0.9995503035223668, 0.9995003746877732,
      0.9994504533344625, 0.9994005394605663, 0.9993506330642176, 0.999300734143549,
    ],
  },
  {
    name: "inverse_sqrt",
    numWarmupSteps: 3,
    numTrainingSteps: 12,
    factors: [
      0.0, 0.3333333333333333, 0.6666666666666666, 1.0, 0.8660254037844387, 0.7745966692414834,
      0.7071067811865475, 0.6546536707079771, 0.6123724356957945, 0.5773502691896258, 0.5477225575051661,
      0.5222329678670935, 0.5, 0.4803844614152614, 0.4629100498862757,
    ],
  },
  {
    name: "inverse_sqrt",
    numWarmupSteps: 5,
    numTrainingSteps: 5,
    factors: [
      0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 0.9128709291752769, 0.8451542547285166, 0.7905694150420948,
      0.7453559924999299, 0.7071067811865475, 0.674199862463242, 0.6454972243679028, 0.6201736729460422,
      0.5976143046671968,
    ],
  },
  {
    name: "inverse_sqrt",
    numWarmupSteps: 7,
    numTrainingSteps: 4,
    factors: [
      0.0, 0.14285714285714285, 0.2857142857142857, 0.42857142857142855, 0.5714285714285714,
      0.7142857142857143, 0.8571428571428571, 1.0, 0.9354143466934853, 0.8819171036881969, 0.8366600265340756,
      0.7977240352174657, 0.7637626158259734, 0.7337993857053429, 0.7071067811865475,
    ],
  },
] as readonly Released[];

test("[scheduler.warmup] [scheduler.constant] [scheduler.linear] [scheduler.cosine] [scheduler.restarts] [scheduler.inverse-sqrt] [scheduler.steps] the factors of get_scheduler", () => {
  for (const { factors, ...options } of RELEASED) {
    const factor = transformersSchedule(options);
    for (const [step, expected] of factors.entries())
      expect(Math.abs(factor(step) - expected), `${JSON.stringify(options)} at ${step}`).toBeLessThan(1e-15);
  }
  expect(new Set(RELEASED.map(({ name }) => name))).toEqual(new Set(TRANSFORMERS_SCHEDULES));
});

test("[scheduler.warmup] without a warm-up the first step has the factor 1", () => {
  for (const name of ["constant_with_warmup", "linear", "cosine"] as const)
    expect(transformersSchedule({ name, numTrainingSteps: 5 })(0)).toBe(1);
});

test("[scheduler.steps] a schedule that decays to 0 needs the number of steps, and names are those of the package", () => {
  for (const name of ["linear", "cosine", "cosine_with_restarts"] as const)
    expect(refusal(() => transformersSchedule({ name })).rule).toBe("scheduler.steps");
  expect(transformersSchedule({ name: "constant_with_warmup", numWarmupSteps: 2 })(1)).toBe(0.5);
  // @ts-expect-error polynomial decay depends on the learning rate
  expect(refusal(() => transformersSchedule({ name: "polynomial" })).message).toContain("polynomial");
});
