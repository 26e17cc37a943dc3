// Dropout of activations.

import { mulScalar, where } from "../tensor/ops/functions.ts";
import { checkTensors } from "../tensor/program/apply.ts";
import { dropout, type Generator } from "../tensor/random.ts";
import { Bool, type Tensor } from "../tensor/tensor.ts";
import { between, type Check, checkValue } from "./options.ts";

/** A rate of dropout. */
export const probability: Check = between(0, 1, "a probability, from 0 to 1");

/**
 * In train mode, sets a fraction p of all elements to zero; the identity otherwise (torch.nn.Dropout).
 * Source: Srivastava et al., "Dropout", JMLR 15 (2014); torch.nn.Dropout.
 */
export class Dropout {
  readonly p: number;
  /** null in evaluation mode. */
  generator: Generator | null = null;

  constructor(p: number) {
    checkValue("Dropout", "p", p, probability);
    this.p = p;
  }

  /** Train mode with the masks of a generator, or evaluation mode without one. `setTraining` calls it. */
  drawFrom(generator: Generator | null): void {
    this.generator = generator;
  }

  /**
   * x, or in train mode x with a fraction p of zeros and the others divided by 1 − p.
   * Shapes: x `...` → `...`.
   */
  forward<A extends string>(x: Tensor<A>): Tensor<A> {
    checkTensors("Dropout", x);
    return this.generator && this.p > 0 ? dropout(x, this.p, this.generator) : x; // [dropout.eval]
  }
}

/**
 * In train mode, sets a fraction p of the rows of a batch to zero and multiplies the others by 1/(1 − p); the identity otherwise. Stochastic depth: Huang et al.,
 * arXiv 1603.09382, as timm 0.6.13 (timm/models/layers/drop.py, drop_path) and torchscale compute it.
 */
export class DropPath extends Dropout {
  override forward<A extends string>(x: Tensor<A>): Tensor<A> {
    checkTensors("DropPath", x);
    const { p, generator } = this;
    if (!generator || p === 0) return x; // [dropout.eval]
    const [b = 0, ...others] = x.shape;
    const kept = Uint8Array.from({ length: b }, () => (generator.uniform() < p ? 0 : 1)); // [dropout.path]
    const keep = new Bool<A>(x.shape, kept, [1, ...others.map(() => 0)]);
    return mulScalar(where(keep, x), p < 1 ? 1 / (1 - p) : 0); // [dropout.path]
  }
}
