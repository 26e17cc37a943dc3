// A loss and its gradients: the loss is recorded as a program, differentiated, and replayed on a backend.
import { type Backend, differentiable } from "../kernels/backend.ts";
import { reference } from "../kernels/reference/index.ts";
import { replay } from "../kernels/replay.ts";
import { gradientOf, gradients } from "../tensor/autodiff/gradients.ts";
import { RuleError } from "../tensor/errors.ts";
import { checkGiven, checkMember } from "../tensor/given.ts";
import { gradientCheckpointing, keepTaps } from "../tensor/program/checkpointing.ts";
import type { Program } from "../tensor/program/program.ts";
import { withTaps } from "../tensor/program/program.ts";
import { record } from "../tensor/program/record.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Named } from "./optimizers/optimizer.ts";

export interface Differentiated {
  readonly model: object;
  /** The parameters to differentiate with respect to; all others are frozen. */
  readonly names: readonly string[];
  /** Gradient checkpointing: named activations to keep. The rest of the forward pass is computed again when it is needed. */
  readonly keepOnly?: RegExp | null | undefined;
  /** Scopes to differentiate as a whole, for backends with a kernel for their derivative: see `differentiable`. */
  readonly fused?: readonly string[] | undefined;
}

/**
 * The program of a loss and of its gradients. Frozen parameters have no gradient in it, nor do parameters that the loss does
 * not depend on, as in torch. Throws a RuleError if the loss depends on none of `names`.
 */
export function stepProgram(
  loss: () => Tensor<"">,
  { model, names, keepOnly = null, fused }: Differentiated,
): Program {
  const forward = withTaps(
    record(() => ({ loss: loss() }), { model, symbolic: true }),
    [],
  );
  const reached = names.filter((name) => name in forward.leaves); // [train.reached]
  if (names.length > 0 && reached.length === 0)
    throw new RuleError(
      "the loss depends on none of the parameters to be trained; check the optimiser's groups",
      "train.reached",
    );
  const program = gradients(forward, "loss", reached, { fused }); // [train.frozen]
  return keepOnly ? gradientCheckpointing(program, "loss", keepTaps(keepOnly)) : program;
}

export interface LossAndGradients {
  readonly loss: number;
  readonly gradients: Named;
}

/** The value of a loss and its gradients by parameter name. Throws a RuleError if the loss is not finite. */
export async function lossAndGradients(
  loss: () => Tensor<"">,
  options: Differentiated & {
    readonly backend?: Backend | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<LossAndGradients> {
  checkGiven("lossAndGradients", { loss }, "a function");
  checkMember("lossAndGradients", { options }, "model", "an object with at least model and names");
  const { backend = reference("float64"), signal, names } = options;
  const program = stepProgram(loss, { fused: differentiable(backend), ...options }); // [train.fused]
  const { outputs } = await replay(program, backend, { signal }); // [train.abort]
  const gradient = (name: string): [string, Tensor][] => {
    const g = outputs[gradientOf(name)];
    return g ? [[name, g]] : [];
  };
  const value = outputs.loss ? (outputs.loss.flat()[0] ?? Number.NaN) : Number.NaN;
  if (!Number.isFinite(value))
    throw new RuleError(`the loss is ${value}: try a lower learning rate, or check the data`, "train.finite");
  return { loss: value, gradients: new Map(names.flatMap(gradient)) };
}
