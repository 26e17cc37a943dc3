// Lion: Chen et al., "Symbolic Discovery of Optimization Algorithms", arXiv 2302.06675, program 1, as in lion-pytorch 0.2.5.
import { type Check, checked, flag, notNegative, optional, passing, positive } from "../../nn/options.ts";
import {
  type Buffers,
  buffer,
  checkFactor,
  type Optimizer,
  type ParameterGroup,
  parameterGroups,
  ratesOf,
  restored,
  stored,
  updates,
} from "./optimizer.ts";

/** Groups of parameters and their rates, as lion-pytorch has them. */
export interface LionOptions {
  readonly groups: readonly ParameterGroup[];
  readonly learningRate?: number | undefined;
  readonly betas?: readonly [number, number] | undefined;
  readonly weightDecay?: number | undefined;
  /** Divides the weight decay by the learning rate given here, so that it is the share that is lost in a step at that rate. */
  readonly decoupledWeightDecay?: boolean | undefined;
}

const isBeta = (value: unknown): boolean => typeof value === "number" && value >= 0 && value <= 1;
const checks: { readonly [K in keyof LionOptions]-?: Check } = {
  groups: parameterGroups,
  learningRate: optional(positive),
  betas: optional(
    passing(
      "two numbers from 0 to 1",
      (value) => Array.isArray(value) && value.length === 2 && value.every(isBeta),
    ),
  ),
  weightDecay: optional(notNegative),
  decoupledWeightDecay: optional(flag),
};

/** The update is the sign of a mean of the gradients, so that every element moves by the learning rate. Defaults are lion-pytorch's. */
export function lion(options: LionOptions): Optimizer {
  const {
    groups,
    learningRate = 1e-4,
    betas: [beta1, beta2] = [0.9, 0.99],
    weightDecay = 0,
    decoupledWeightDecay = false,
  } = checked("lion", options, checks);
  const rates = ratesOf(groups, { learningRate, weightDecay });
  const names = new Set(rates.keys());
  const unit = decoupledWeightDecay ? learningRate : 1;
  let means: Buffers = new Map();
  return {
    kind: "lion",
    names: [...names],
    step(parameters, gradients, factor = 1) {
      checkFactor(factor); // [optimizer.factor]
      for (const { name, rate, p, g } of updates(rates, parameters, gradients, [means])) {
        const lr = rate.learningRate * factor;
        const m = buffer(means, name, p.length);
        const keep = 1 - (lr * rate.weightDecay) / unit; // [lion.decay]
        for (let i = 0; i < p.length; i++) {
          const [mi, gi] = [m[i] ?? 0, g[i] ?? 0];
          p[i] = (p[i] ?? 0) * keep - lr * Math.sign(beta1 * mi + (1 - beta1) * gi); // [lion.step]
          m[i] = beta2 * mi + (1 - beta2) * gi; // [lion.mean]
        }
      }
    },
    state: () => new Map(stored("exp_avg", means)),
    load(state, parameters) {
      means = restored(state, ["exp_avg"], names, { parameters }).exp_avg; // [optimizer.state]
    },
  };
}
