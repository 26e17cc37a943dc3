// Dropout of activations.
import { checkTensors } from "../tensor/ops/arrange.ts";
import { dropout, type Generator, generator } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { walk } from "../tensor/walk.ts";
import { BatchNorm2d } from "./norms/batch-norm.ts";
import { between, type Check, checkValue } from "./options.ts";
import { probabilityError } from "./torch-errors.ts";

/** A rate of dropout. */
export const probability: Check = between(0, 1, "a probability, from 0 to 1", probabilityError);

/** In train mode, sets a fraction p of all elements to zero; the identity otherwise (torch.nn.Dropout). */
export class Dropout {
  readonly p: number;
  /** null in evaluation mode. */
  generator: Generator | null = null;

  constructor(p: number) {
    checkValue("Dropout", "p", p, probability);
    this.p = p;
  }

  forward<A extends string>(x: Tensor<A>): Tensor<A> {
    checkTensors("Dropout", x);
    return this.generator && this.p > 0 ? dropout(x, this.p, this.generator) : x; // [dropout.eval]
  }
}

/**
 * Sets every dropout below `module` to train mode, each with its own generator, or to evaluation mode. Throws a RuleError if `module`
 * has a batch norm, which has no train mode.
 */
export function setTraining(module: object, training: { readonly seed: number } | null): void {
  const parts = [...walk(module)];
  if (training) for (const [path, part] of parts) if (part instanceof BatchNorm2d) part.refuseTraining(path); // [batchnorm.evaluation]
  for (const [path, part] of parts) {
    if (part instanceof Dropout) part.generator = training && generator(training.seed, path); // [dropout.generators]
  }
}
