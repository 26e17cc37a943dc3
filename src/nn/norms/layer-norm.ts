// Layer normalisation: Ba, Kiros and Hinton, arXiv 1607.06450, equation (4).
import { add, addScalar, div, expand, meanLast, mul, sqrt, square, sub } from "../../tensor/ops/functions.ts";
import { scope, tap } from "../../tensor/program/record.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { constant, Parameter } from "../parameter.ts";

const EPSILON = 1e-5; // [norm.epsilon]

/** (x − μ) / √(σ² + ε) over the last axis, with σ² the mean square deviation (divided by n, not n − 1). */
export function normalize<A extends string>(x: Tensor<A>, epsilon = EPSILON): Tensor<A> {
  return scope("normalize", { x }, { epsilon }, ({ x }) => {
    const centred = sub(x, expand(meanLast(x), x));
    const variance = meanLast(square(centred)); // [norm.biased-variance]
    return div(centred, expand(sqrt(addScalar(variance, epsilon)), x));
  });
}

/** γ ⊙ normalize(x) + β (torch.nn.LayerNorm). */
export class LayerNorm {
  weight: Parameter<"d">;
  bias: Parameter<"d">;

  constructor(dim: number) {
    this.weight = new Parameter("d", [dim], constant(1));
    this.bias = new Parameter("d", [dim], constant(0));
  }

  forward<A extends string>(x: Tensor<A>): Tensor<A> {
    return tap(this, "", affine(x, this.weight, this.bias));
  }
}

/** PaLM's layer norm: γ is learned, β is a buffer of zeros. */
export class PaLMLayerNorm {
  static readonly buffers: readonly string[] = ["beta"]; // [norm.beta]
  gamma: Parameter<"d">;
  beta: Parameter<"d">;

  constructor(dim: number) {
    this.gamma = new Parameter("d", [dim], constant(1));
    this.beta = new Parameter("d", [dim], constant(0));
  }

  forward<A extends string>(x: Tensor<A>): Tensor<A> {
    return tap(this, "", affine(x, this.gamma, this.beta));
  }
}

function affine<A extends string>(x: Tensor<A>, scale: Tensor<"d">, bias: Tensor<"d">): Tensor<A> {
  return add(mul(normalize(x), expand(scale, x)), expand(bias, x)); // [norm.affine]
}
