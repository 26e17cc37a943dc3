// Layer normalisation (Ba, Kiros and Hinton, arXiv 1607.06450, equation (4)) and its form without centring.
import { ShapeError } from "../../tensor/errors.ts";
import { add, addScalar, div, expand, meanLast, mul, sqrt, square, sub } from "../../tensor/ops/functions.ts";
import { checkTensors, scope, tap } from "../../tensor/program/apply.ts";
import { shapeText, type Tensor } from "../../tensor/tensor.ts";
import { checked, checkNoMore, checkValue, count, flag, notNegative, optional } from "../options.ts";
import { constant, Parameter } from "../parameter.ts";

export const EPSILON = 1e-5; // [norm.epsilon]
const RMS_EPSILON = 1e-6;

/** The options of `normalize`. */
export interface NormalizeOptions {
  /** Added to the variance or mean square, inside the square root. */
  readonly epsilon?: number;
  /** Whether the mean is subtracted first; without it, the row is divided by its root mean square (RMS norm). */
  readonly centred?: boolean;
}

/**
 * (x − μ) / √(σ² + ε) over the last axis, with σ² the mean square deviation (divided by n, not n − 1); with `centred: false` x /
 * √(ν + ε), with ν the mean square.
 * Shapes: x `... n` → `... n`.
 */
export function normalize<A extends string>(x: Tensor<A>, options: NormalizeOptions = {}): Tensor<A> {
  const checks = { epsilon: optional(notNegative), centred: optional(flag) };
  const { epsilon = EPSILON, centred = true } = checked("normalize", options, checks);
  return normalized(x, epsilon, centred);
}

/** `normalize` with options that are known to be valid. */
function normalized<A extends string>(x: Tensor<A>, epsilon = EPSILON, centred = true): Tensor<A> {
  return scope("normalize", { x }, { epsilon, centred }, ({ x }) => {
    // #region normalize
    const part = centred ? sub(x, expand(meanLast(x), x)) : x;
    const variance = meanLast(square(part)); // [norm.biased-variance]
    return div(part, expand(sqrt(addScalar(variance, epsilon)), x)); // [norm.rms]
    // #endregion
  });
}

/** ε (default 1e-5), and whether there is a β (default true). */
export interface LayerNormOptions {
  readonly epsilon?: number;
  readonly bias?: boolean;
}

/**
 * γ ⊙ normalize(x) + β (torch.nn.LayerNorm); without `bias`, there is no β.
 * Source: Ba, Kiros and Hinton, arXiv 1607.06450, equation (4); torch.nn.LayerNorm.
 */
export class LayerNorm {
  weight: Parameter<"d">;
  bias: Parameter<"d"> | null;
  readonly #epsilon: number;

  constructor(dim: number, options: LayerNormOptions = {}, ...surplus: readonly never[]) {
    checkValue("LayerNorm", "dim", dim, count);
    const checks = { epsilon: optional(notNegative), bias: optional(flag) };
    const { epsilon = EPSILON, bias = true } = checked("LayerNorm", options, checks);
    checkNoMore("LayerNorm", "a width and options", surplus);
    this.weight = new Parameter("d", [dim], constant(1));
    this.bias = bias ? new Parameter("d", [dim], constant(0)) : null; // [norm.bias]
    this.#epsilon = epsilon;
  }

  /**
   * γ ⊙ normalize(x) + β. Throws a ShapeError if x has another width.
   * Shapes: x `... d` → `... d`.
   */
  forward<A extends string>(x: Tensor<A>): Tensor<A> {
    checkWidth("LayerNorm", x, this.weight);
    return tap(this, "", affine(normalized(x, this.#epsilon), this.weight, this.bias));
  }
}

/** ε, which is added to the mean square. Default 1e-6. */
export interface RMSNormOptions {
  readonly epsilon?: number;
}

/**
 * γ ⊙ x / √(mean x² + ε), as torch.nn.RMSNorm and transformers' LlamaRMSNorm compute it. ε is 1e-6 unless given, as in
 * transformers; torch's default depends on the precision of the input.
 * Source: Zhang and Sennrich, arXiv 1910.07467, equation (4).
 */
export class RMSNorm {
  weight: Parameter<"d">;
  readonly #epsilon: number;

  constructor(dim: number, options: RMSNormOptions = {}, ...surplus: readonly never[]) {
    checkValue("RMSNorm", "dim", dim, count);
    const { epsilon = RMS_EPSILON } = checked("RMSNorm", options, { epsilon: optional(notNegative) });
    checkNoMore("RMSNorm", "a width and options", surplus);
    this.weight = new Parameter("d", [dim], constant(1));
    this.#epsilon = epsilon;
  }

  /**
   * γ ⊙ x / √(mean x² + ε). Throws a ShapeError if x has another width.
   * Shapes: x `... d` → `... d`.
   */
  forward<A extends string>(x: Tensor<A>): Tensor<A> {
    checkWidth("RMSNorm", x, this.weight);
    return tap(this, "", affine(normalized(x, this.#epsilon, false), this.weight, null)); // [norm.rms]
  }
}

/**
 * PaLM's layer norm: γ is learned, β is a buffer of zeros.
 * Source: LayerNorm of flamingo-pytorch 0.1.2; Chowdhery et al., arXiv 2204.02311, §2.
 */
export class PaLMLayerNorm {
  static readonly buffers: readonly string[] = ["beta"]; // [norm.beta]
  gamma: Parameter<"d">;
  beta: Parameter<"d">;

  constructor(dim: number) {
    checkValue("PaLMLayerNorm", "dim", dim, count);
    this.gamma = new Parameter("d", [dim], constant(1));
    this.beta = new Parameter("d", [dim], constant(0));
  }

  /**
   * γ ⊙ normalize(x) + β. Throws a ShapeError if x has another width.
   * Shapes: x `... d` → `... d`.
   */
  forward<A extends string>(x: Tensor<A>): Tensor<A> {
    checkWidth("PaLMLayerNorm", x, this.gamma);
    return tap(this, "", affine(normalized(x), this.gamma, this.beta));
  }
}

function affine<A extends string>(x: Tensor<A>, scale: Tensor<"d">, bias: Tensor<"d"> | null): Tensor<A> {
  const scaled = mul(x, expand(scale, x));
  return bias ? add(scaled, expand(bias, x)) : scaled; // [norm.affine]
}

/** Throws a ShapeError if x is no tensor, or its last axis is not as wide as the scale. */
function checkWidth(caller: string, x: Tensor, { shape: scale }: Tensor<"d">): void {
  checkTensors(caller, x);
  if (x.shape.at(-1) === scale[0]) return;
  const problem = `the last axis of ${shapeText(x.shape)} must be ${scale[0]} wide  [norm.affine]`;
  throw new ShapeError(problem, caller, { x: x.shape, scale });
}
