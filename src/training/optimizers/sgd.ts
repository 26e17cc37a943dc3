// Stochastic gradient descent with momentum, as in torch.optim.SGD. Sutskever et al. (2013) multiply the gradient by the
// learning rate before it enters the momentum; torch multiplies the momentum.
import {
  type Buffers,
  type Optimizer,
  type ParameterGroup,
  ratesOf,
  restored,
  stored,
  updates,
} from "./optimizer.ts";

export interface SGDOptions {
  readonly groups: readonly ParameterGroup[];
  readonly learningRate?: number | undefined;
  readonly momentum?: number | undefined;
  readonly dampening?: number | undefined;
  readonly nesterov?: boolean | undefined;
  /** Added to the gradient (L2 regularisation), not decoupled. */
  readonly weightDecay?: number | undefined;
}

export function sgd({
  groups,
  learningRate = 1e-3,
  momentum = 0,
  dampening = 0,
  nesterov = false,
  weightDecay = 0,
}: SGDOptions): Optimizer {
  const rates = ratesOf(groups, { learningRate, weightDecay });
  let velocities: Buffers = new Map();
  return {
    kind: "sgd",
    names: [...rates.keys()],
    step(parameters, gradients, factor = 1) {
      for (const { name, rate, p, g } of updates(rates, parameters, gradients)) {
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
    load(state) {
      velocities = restored("momentum_buffer", state);
    },
  };
}
