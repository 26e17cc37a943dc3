// Gradients by parameter name: their global norm, clipping, and accumulation.
import { type Check, checkValue, passing } from "../nn/options.ts";
import { checkGiven } from "../tensor/given.ts";
import { checkTensors } from "../tensor/program/apply.ts";
import { flat, Tensor, view } from "../tensor/tensor.ts";
import type { Named } from "./optimizers/optimizer.ts";

/** The largest global norm. 0 makes every gradient 0 and Infinity changes none, as in torch. */
export const normLimit: Check = passing(
  "a number of at least 0",
  (value) => typeof value === "number" && value >= 0,
);
const weightCheck: Check = passing("a finite number", Number.isFinite);

/** √ Σ g² over all elements of all gradients. */
export function globalNorm(gradients: Named): number {
  checkGiven("globalNorm", { gradients }, "a Map");
  let squares = 0;
  checkTensors("globalNorm", ...gradients.values());
  for (const g of gradients.values()) for (const x of g.flat()) squares += x * x; // [clip.global]
  return Math.sqrt(squares);
}

function scaled(gradients: Named, factor: number): Map<string, Tensor> {
  const times = ({ shape, data }: Tensor) =>
    new Tensor(
      shape,
      view(
        Float64Array.from(flat(data), (x) => x * factor),
        shape,
      ),
    );
  return new Map([...gradients].map(([name, g]) => [name, times(g)]));
}

/**
 * Scales all gradients by one factor so that their global norm is at most `largest`, and returns the norm before. As
 * torch.nn.utils.clip_grad_norm_ does, it adds 1e-6 to the norm that it divides by.
 */
export function clipGradients(gradients: Named, largest: number): { norm: number; gradients: Named } {
  checkValue("clip", "largest", largest, normLimit);
  const norm = globalNorm(gradients);
  const factor = largest / (norm + 1e-6); // [clip.torch]
  return { norm, gradients: factor < 1 ? scaled(gradients, factor) : gradients };
}

/** sum + weight · gradients, for the parts of a batch or for several datasets. */
export function accumulateGradients(sum: Named | null, gradients: Named, weight: number): Named {
  checkValue("accumulate", "weight", weight, weightCheck);
  const weighted = weight === 1 ? gradients : scaled(gradients, weight);
  if (!sum) return weighted;
  const total = new Map(sum);
  for (const [name, g] of weighted) {
    const before = sum.get(name);
    if (!before) {
      total.set(name, g);
      continue;
    }
    const x = g.flat();
    const values = Float64Array.from(before.flat(), (y, i) => y + (x[i] ?? 0)); // [accumulate.sum]
    total.set(name, new Tensor(g.shape, view(values, g.shape)));
  }
  return total;
}
