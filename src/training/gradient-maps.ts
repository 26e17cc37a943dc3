// Gradients by parameter name: their common norm, and sums of several.
import { flat, Tensor, view } from "../tensor/tensor.ts";
import type { Named } from "./optimizers/optimizer.ts";

/** √ Σ g² over all of them. */
export function globalNorm(gradients: Named): number {
  let squares = 0;
  for (const g of gradients.values()) for (const x of flat(g.data)) squares += x * x; // [clip.global]
  return Math.sqrt(squares);
}

function scaled(gradients: Named, by: number): Map<string, Tensor> {
  const times = ({ shape, data }: Tensor) =>
    new Tensor(
      shape,
      view(
        Float64Array.from(flat(data), (x) => x * by),
        shape,
      ),
    );
  return new Map([...gradients].map(([name, g]) => [name, times(g)]));
}

/** Gradients whose global norm is at most `largest`, all shortened alike; torch adds 1e-6 to the norm that it divides by. */
export function clip(gradients: Named, largest: number): { norm: number; gradients: Named } {
  const norm = globalNorm(gradients);
  const by = largest / (norm + 1e-6); // [clip.torch]
  return { norm, gradients: by < 1 ? scaled(gradients, by) : gradients };
}

/** sum + by · more: gradients of several parts of a batch, or of several datasets. */
export function accumulate(sum: Named | null, more: Named, by: number): Named {
  const next = by === 1 ? more : scaled(more, by);
  if (!sum) return next;
  const added = new Map(sum);
  for (const [name, g] of next) {
    const before = sum.get(name);
    if (!before) {
      added.set(name, g);
      continue;
    }
    const x = flat(g.data);
    const values = Float64Array.from(flat(before.data), (y, i) => y + (x[i] ?? 0)); // [accumulate.sum]
    added.set(name, new Tensor(g.shape, view(values, g.shape)));
  }
  return added;
}
