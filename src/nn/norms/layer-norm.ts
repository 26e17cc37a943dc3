// Layer normalisation: Ba, Kiros and Hinton, arXiv 1607.06450, equation (4).
import { ShapeError } from "../../tensor/errors.ts";
import { checkTensors } from "../../tensor/ops/arrange.ts";
import { add, addScalar, div, expand, meanLast, mul, sqrt, square, sub } from "../../tensor/ops/functions.ts";
import { scope, tap } from "../../tensor/program/record.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { checkValue, count, notNegative } from "../options.ts";
import { constant, Parameter } from "../parameter.ts";
import { layerNormError, scaleError } from "../torch-errors.ts";

const EPSILON = 1e-5; // [norm.epsilon]

/** (x − μ) / √(σ² + ε) over the last axis, with σ² the mean square deviation (divided by n, not n − 1). */
export function normalize<A extends string>(x: Tensor<A>, epsilon = EPSILON): Tensor<A> {
  checkValue("normalize", "epsilon", epsilon, notNegative);
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
    checkValue("LayerNorm", "dim", dim, count());
    this.weight = new Parameter("d", [dim], constant(1));
    this.bias = new Parameter("d", [dim], constant(0));
  }

  forward<A extends string>(x: Tensor<A>): Tensor<A> {
    checkWidth("LayerNorm", x, this.weight, layerNormError);
    return tap(this, "", affine(x, this.weight, this.bias));
  }
}

/** PaLM's layer norm: γ is learned, β is a buffer of zeros. */
export class PaLMLayerNorm {
  static readonly buffers: readonly string[] = ["beta"]; // [norm.beta]
  gamma: Parameter<"d">;
  beta: Parameter<"d">;

  constructor(dim: number) {
    checkValue("PaLMLayerNorm", "dim", dim, count());
    this.gamma = new Parameter("d", [dim], constant(1));
    this.beta = new Parameter("d", [dim], constant(0));
  }

  forward<A extends string>(x: Tensor<A>): Tensor<A> {
    checkWidth("PaLMLayerNorm", x, this.gamma, (dim, shape) => scaleError(dim, shape.at(-1) ?? 0));
    return tap(this, "", affine(x, this.gamma, this.beta));
  }
}

function affine<A extends string>(x: Tensor<A>, scale: Tensor<"d">, bias: Tensor<"d">): Tensor<A> {
  return add(mul(normalize(x), expand(scale, x)), expand(bias, x)); // [norm.affine]
}

/** Throws a ShapeError if x is no tensor, or its last axis is not as wide as the scale. */
function checkWidth(
  caller: string,
  x: Tensor,
  scale: Tensor<"d">,
  upstream: (dim: number, shape: readonly number[]) => string,
): void {
  checkTensors(caller, x);
  const { shape } = x;
  const dim = scale.shape[0] ?? 0;
  if (shape.at(-1) === dim) return;
  const problem = `the input is [${shape.join(" ")}], but its last axis must be ${dim} wide  [norm.affine]`;
  throw new ShapeError(problem, caller, upstream(dim, shape));
}
