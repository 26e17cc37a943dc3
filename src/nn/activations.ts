// Activation functions by the names that transformers gives them (ACT2FN in transformers/activations.py).
import { RuleError } from "../tensor/errors.ts";
import { add, addScalar, gelu, mul, mulScalar, relu, sigmoid, square } from "../tensor/ops/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { shown } from "./options.ts";

/** A function of each element. */
export type Activation = <A extends string>(x: Tensor<A>) => Tensor<A>;

/**
 * x σ(x), also called swish.
 * Shapes: x `...` → `...`.
 * Source: Elfwing, Uchibe and Doya, arXiv 1702.03118.
 */
export const silu: Activation = (x) => mul(x, sigmoid(x)); // [activation.silu]

/**
 * x σ(1.702 x), the sigmoid approximation of GELU.
 * Shapes: x `...` → `...`.
 * Source: Hendrycks and Gimpel, arXiv 1606.08415, §2.
 */
export const quickGelu: Activation = (x) => mul(x, sigmoid(mulScalar(x, 1.702))); // [activation.quick-gelu]

/**
 * x σ(2√(2/π) (x + 0.044715 x³)), the tanh approximation of GELU: with σ(2u) = (1 + tanh u) / 2 it equals ½ x (1 + tanh(√(2/π) (x
 * + 0.044715 x³))).
 * Shapes: x `...` → `...`.
 * Source: Hendrycks and Gimpel, arXiv 1606.08415, §2; NewGELUActivation of transformers 4.57.6.
 */
export const geluTanh: Activation = (x) => {
  const cubed = mul(square(x), x);
  return mul(x, sigmoid(mulScalar(add(x, mulScalar(cubed, 0.044715)), 2 * Math.sqrt(2 / Math.PI)))); // [activation.gelu-tanh]
};

/** The tanh approximation with √(2/π) cut to ten digits, as transformers' FastGELUActivation has it. */
const geluFast: Activation = (x) => {
  const inner = mul(x, addScalar(mulScalar(square(x), 0.044715), 1));
  return mul(x, sigmoid(mulScalar(inner, 2 * 0.7978845608))); // [activation.gelu-tanh]
};

/** Activations by transformers' names; `gelu` is the exact one, with the error function. */
export const ACTIVATIONS = {
  gelu,
  gelu_new: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  gelu_fast: geluFast,
  gelu_python: gelu,
  quick_gelu: quickGelu,
  silu,
  swish: silu,
  relu,
} as const satisfies Readonly<Record<string, Activation>>; // [activation.names]
/** The name of an activation in transformers. */
export type ActivationName = keyof typeof ACTIVATIONS;

/** The activation with a name. Throws a RuleError that lists the known names for any other. */
export function activation(name: ActivationName): Activation {
  if (typeof name === "string" && Object.hasOwn(ACTIVATIONS, name)) return ACTIVATIONS[name];
  const known = Object.keys(ACTIVATIONS).join(", ");
  throw new RuleError(`there is no activation ${shown(name)}; known are ${known}`, "activation.names");
}
