// AdamW: Loshchilov and Hutter, arXiv 1711.05101v3, algorithm 2, with the rounding order of torch.optim.AdamW.
import { type Check, checked, notNegative, optional } from "../../nn/options.ts";
import {
  type Buffers,
  betas,
  buffer,
  checkCompanions,
  checkFactor,
  checkValues,
  type Optimizer,
  type ParameterGroup,
  parameterGroups,
  ratesOf,
  restored,
  scalar,
  stored,
  updates,
} from "./optimizer.ts";

/** Groups of parameters and their rates, as torch.optim.AdamW has them. */
export interface AdamWOptions {
  readonly groups: readonly ParameterGroup[];
  readonly learningRate?: number | undefined;
  readonly betas?: readonly [number, number] | undefined;
  readonly epsilon?: number | undefined;
  readonly weightDecay?: number | undefined;
}

const checks: { readonly [K in keyof AdamWOptions]-?: Check } = {
  groups: parameterGroups,
  learningRate: optional(notNegative),
  betas: optional(betas),
  epsilon: optional(notNegative),
  weightDecay: optional(notNegative),
};

/**
 * m and v are running means of g and g². A step subtracts rate · m̂ / (√v̂ + ε), and weight decay shrinks the parameter
 * separately. Defaults are those of torch.optim.AdamW.
 */
export function adamw(options: AdamWOptions): Optimizer {
  const {
    groups,
    learningRate = 1e-3,
    betas: [beta1, beta2] = [0.9, 0.999],
    epsilon = 1e-8,
    weightDecay = 0.01,
  } = checked("adamw", options, checks);
  const rates = ratesOf(groups, { learningRate, weightDecay });
  const names = new Set(rates.keys());
  let [first, second]: [Buffers, Buffers] = [new Map(), new Map()];
  /** Steps are counted for each parameter, because steps without a gradient do not count. */
  let steps: Buffers = new Map();
  return {
    kind: "adamw",
    names: [...names],
    step(parameters, gradients, factor = 1) {
      checkFactor(factor); // [optimizer.factor]
      for (const { name, rate, p, g } of updates(rates, parameters, gradients, [first, second])) {
        const lr = rate.learningRate * factor;
        const [m, v] = [buffer(first, name, p.length), buffer(second, name, p.length)];
        const taken = buffer(steps, name, 1);
        const t = (taken[0] ?? 0) + 1;
        taken[0] = t;
        const stride = lr / (1 - beta1 ** t); // [adamw.bias-correction]
        const root = Math.sqrt(1 - beta2 ** t);
        const keep = 1 - lr * rate.weightDecay; // [adamw.decoupled]
        for (let i = 0; i < p.length; i++) {
          const gi = g[i] ?? 0;
          const mi = (m[i] ?? 0) + (1 - beta1) * (gi - (m[i] ?? 0));
          const vi = beta2 * (v[i] ?? 0) + (1 - beta2) * gi * gi;
          m[i] = mi;
          v[i] = vi;
          p[i] = (p[i] ?? 0) * keep - (stride * mi) / (Math.sqrt(vi) / root + epsilon); // [adamw.step]
        }
      }
    },
    state: () =>
      new Map([
        ...stored("exp_avg", first),
        ...stored("exp_avg_sq", second),
        ...[...steps].map(([name, t]) => [`step.${name}`, scalar(t[0] ?? 0)] as const),
      ]),
    load(state, parameters) {
      const scalars = ["step"] as const;
      const all = restored(state, ["exp_avg", "exp_avg_sq", "step"], names, { parameters, scalars });
      checkCompanions(all, ["exp_avg", "exp_avg_sq"]);
      checkValues("exp_avg_sq", all.exp_avg_sq, "0 or above, as a mean of squares is", (x) => x >= 0);
      checkValues("step", all.step, "a whole number from 1 up", (x) => Number.isSafeInteger(x) && x >= 1);
      [first, second, steps] = [all.exp_avg, all.exp_avg_sq, all.step]; // [optimizer.state]
    },
  };
}
