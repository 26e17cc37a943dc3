// Stochastic depth: Huang et al., arXiv 1603.09382, as timm 0.6.13 (timm/models/layers/drop.py, drop_path) and torchscale compute it.
import { checkTensors } from "../tensor/ops/arrange.ts";
import { mulScalar, where } from "../tensor/ops/functions.ts";
import { Bool, type Tensor } from "../tensor/tensor.ts";
import { Dropout } from "./dropout.ts";

/** In train mode, sets a fraction p of the rows of a batch to zero and multiplies the others by 1/(1 − p); the identity otherwise. */
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
