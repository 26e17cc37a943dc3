import { dropout, type Generator, generator } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { walk } from "../tensor/walk.ts";

/** Identity, unless training: then a fraction p of all elements is set to zero (torch.nn.Dropout). */
export class Dropout {
  readonly p: number;
  /** null: not training. */
  generator: Generator | null = null;

  constructor(p: number) {
    this.p = p;
  }

  forward<A extends string>(x: Tensor<A>): Tensor<A> {
    return this.generator && this.p > 0 ? dropout(x, this.p, this.generator) : x; // [dropout.eval]
  }
}

/** Switches every dropout below `module` on, each with a generator of its own, or off. */
export function setTraining(module: object, training: { readonly seed: number } | null): void {
  for (const [path, part] of walk(module)) {
    if (part instanceof Dropout) part.generator = training && generator(training.seed, path); // [dropout.generators]
  }
}
