// Stochastic gradient descent with momentum, as in torch.optim.SGD. Sutskever et al. (2013) multiply the gradient by the
// learning rate before it enters the momentum; torch multiplies the momentum.
import { between, type Check, checked, flag, notNegative, optional } from "../../nn/options.ts";
import { RuleError } from "../../tensor/errors.ts";
import {
  type Buffers,
  checkFactor,
  type Optimizer,
  type ParameterGroup,
  parameterGroups,
  ratesOf,
  restored,
  stored,
  updates,
} from "./optimizer.ts";

/** Groups of parameters and their rates, as torch.optim.SGD has them. */
export interface SGDOptions {
  readonly groups: readonly ParameterGroup[];
  readonly learningRate?: number | undefined;
  readonly momentum?: number | undefined;
  readonly dampening?: number | undefined;
  readonly nesterov?: boolean | undefined;
  /** Added to the gradient (L2 regularisation), not decoupled. */
  readonly weightDecay?: number | undefined;
}

const checks: { readonly [K in keyof SGDOptions]-?: Check } = {
  groups: parameterGroups,
  learningRate: optional(notNegative),
  momentum: optional(notNegative),
  dampening: optional(between(-Number.MAX_VALUE, Number.MAX_VALUE, "a finite number")),
  nesterov: optional(flag),
  weightDecay: optional(notNegative),
};

/**
 * Stochastic gradient descent with momentum. Throws a RuleError for Nesterov momentum without a momentum, or with dampening.
 * Source: torch.optim.SGD.
 */
export function sgd(options: SGDOptions): Optimizer {
  const {
    groups,
    learningRate = 1e-3,
    momentum = 0,
    dampening = 0,
    nesterov = false,
    weightDecay = 0,
  } = checked("sgd", options, checks);
  if (nesterov && (momentum === 0 || dampening !== 0))
    throw new RuleError(
      `Nesterov momentum needs a momentum above 0 and a dampening of 0, not ${momentum} and ${dampening}`,
      "sgd.nesterov",
    );
  const rates = ratesOf(groups, { learningRate, weightDecay });
  const names = new Set(rates.keys());
  let velocities: Buffers = new Map();
  return {
    kind: "sgd",
    names: [...names],
    step(parameters, gradients, factor = 1) {
      checkFactor(factor); // [optimizer.factor]
      for (const { name, rate, p, g } of updates(rates, parameters, gradients, [velocities])) {
        const lr = rate.learningRate * factor;
        for (let i = 0; i < p.length; i++) g[i] = (g[i] ?? 0) + rate.weightDecay * (p[i] ?? 0); // [sgd.decay]
        const before = velocities.get(name);
        const velocity = before ?? g; // the first step is not dampened  [sgd.first]
        if (before) {
          for (let i = 0; i < p.length; i++)
            velocity[i] = momentum * (velocity[i] ?? 0) + (1 - dampening) * (g[i] ?? 0); // [sgd.momentum]
        }
        if (momentum !== 0) velocities.set(name, velocity);
        for (let i = 0; i < p.length; i++) {
          const ahead = (g[i] ?? 0) + momentum * (velocity[i] ?? 0); // [sgd.nesterov]
          const along = nesterov ? ahead : momentum === 0 ? (g[i] ?? 0) : (velocity[i] ?? 0);
          p[i] = (p[i] ?? 0) - lr * along;
        }
      }
    },
    state: () => new Map(stored("momentum_buffer", velocities)),
    load(state, parameters) {
      const known = momentum === 0 ? new Set<string>() : names; // without momentum there is no state
      velocities = restored(state, ["momentum_buffer"], known, { parameters }).momentum_buffer; // [optimizer.state]
    },
  };
}
