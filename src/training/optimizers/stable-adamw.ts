// StableAdamW: AdamW whose learning rate is divided, for each parameter, by the root mean square of the update where that is above a
// threshold (Wortsman et al., arXiv 2304.13013, algorithm 2), as in StableAdamWUnfused of zetascale, which Kosmos-X trains with.
import { type Check, checked, notNegative, optional, positive } from "../../nn/options.ts";
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

/** Groups of parameters and their rates. */
export interface StableAdamWOptions {
  readonly groups: readonly ParameterGroup[];
  readonly learningRate?: number | undefined;
  readonly betas?: readonly [number, number] | undefined;
  readonly epsilon?: number | undefined;
  readonly weightDecay?: number | undefined;
  /** The root mean square of an update from which the learning rate is reduced. */
  readonly clipThreshold?: number | undefined;
}

const checks: { readonly [K in keyof StableAdamWOptions]-?: Check } = {
  groups: parameterGroups,
  learningRate: optional(notNegative),
  betas: optional(betas),
  epsilon: optional(notNegative),
  weightDecay: optional(notNegative),
  clipThreshold: optional(positive),
};

/** β (1 − βᵗ⁻¹) / (1 − βᵗ): a mean that decays with it needs no correction for its start at zero. */
const corrected = (beta: number, t: number): number => (beta * (1 - beta ** (t - 1))) / (1 - beta ** t); // [stableadamw.means]

/** √ of the mean of g² / max(v, ε²). [stableadamw.clip] */
function rootMeanSquare(g: Float64Array, v: Float64Array, epsilon: number): number {
  let sum = 0;
  for (let i = 0; i < g.length; i++) sum += (g[i] ?? 0) ** 2 / Math.max(v[i] ?? 0, epsilon ** 2);
  return Math.sqrt(sum / g.length);
}

/** Defaults are those of StableAdamWUnfused. Steps are counted for all parameters together, with or without a gradient. */
export function stableAdamW(options: StableAdamWOptions): Optimizer {
  const {
    groups,
    learningRate = 2e-3,
    betas: [beta1, beta2] = [0.9, 0.99],
    epsilon = 1e-8,
    weightDecay = 0.2,
    clipThreshold = 1,
  } = checked("stableAdamW", options, checks);
  const rates = ratesOf(groups, { learningRate, weightDecay });
  const names = new Set(rates.keys());
  let [first, second]: [Buffers, Buffers] = [new Map(), new Map()];
  let taken = 0;
  return {
    kind: "stable-adamw",
    names: [...names],
    step(parameters, gradients, factor = 1) {
      checkFactor(factor); // [optimizer.factor]
      const t = taken + 1;
      const [decay1, decay2] = [corrected(beta1, t), corrected(beta2, t)];
      for (const { name, rate, p, g } of updates(rates, parameters, gradients, [first, second])) {
        const [m, v] = [buffer(first, name, p.length), buffer(second, name, p.length)];
        for (let i = 0; i < p.length; i++) {
          const gi = g[i] ?? 0;
          m[i] = decay1 * (m[i] ?? 0) + (1 - decay1) * gi;
          v[i] = decay2 * (v[i] ?? 0) + (1 - decay2) * gi * gi;
        }
        const lr = rate.learningRate * factor;
        const stride = lr / Math.max(1, rootMeanSquare(g, v, epsilon) / clipThreshold); // [stableadamw.clip]
        const keep = 1 - lr * rate.weightDecay; // [stableadamw.decay]
        for (let i = 0; i < p.length; i++)
          p[i] = (p[i] ?? 0) * keep - (stride * (m[i] ?? 0)) / (Math.sqrt(v[i] ?? 0) + epsilon); // [stableadamw.step]
      }
      taken = t; // [stableadamw.count]
    },
    state: () =>
      new Map([
        ...stored("exp_avg", first),
        ...stored("exp_avg_sq", second),
        ...[...first.keys()].map((name) => [`step.${name}`, scalar(taken)] as const),
      ]),
    load(state, parameters) {
      const scalars = ["step"] as const;
      const all = restored(state, ["exp_avg", "exp_avg_sq", "step"], names, { parameters, scalars });
      checkCompanions(all, ["exp_avg", "exp_avg_sq"]);
      checkValues("exp_avg_sq", all.exp_avg_sq, "0 or above, as a mean of squares is", (x) => x >= 0);
      const [count = 0] = [...all.step.values()][0] ?? [];
      const words = "a whole number from 1 up, the same for all parameters";
      checkValues("step", all.step, words, (x) => Number.isSafeInteger(x) && x >= 1 && x === count);
      [first, second, taken] = [all.exp_avg, all.exp_avg_sq, count]; // [optimizer.state]
    },
  };
}
