// One loss with its gradients: recorded, differentiated, replayed.
import { type Backend, differentiable } from "../kernels/backend.ts";
import { reference } from "../kernels/reference/index.ts";
import { replay } from "../kernels/replay.ts";
import { gradientOf, gradients } from "../tensor/autodiff/gradients.ts";
import { RuleError } from "../tensor/errors.ts";
import { gradientCheckpointing, keepTaps } from "../tensor/program/checkpointing.ts";
import type { Program } from "../tensor/program/program.ts";
import { withTaps } from "../tensor/program/program.ts";
import { record } from "../tensor/program/record.ts";
import { flat, type Tensor } from "../tensor/tensor.ts";
import type { Named } from "./optimizers/optimizer.ts";

export interface Differentiated {
  readonly model: object;
  /** The parameters to differentiate by: everything else is frozen. */
  readonly names: readonly string[];
  /** Outputs of these taps are kept, the rest of the forward pass is computed again when it is needed. */
  readonly keepOnly?: RegExp | null | undefined;
  /** Scopes to differentiate fused, for a backend that has kernels for that: see `differentiable`. */
  readonly fused?: readonly string[] | undefined;
}

/**
 * The program of a loss and of its gradients. It has no derivative of anything frozen; parameters that the loss does not reach
 * have none either, as in torch.
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
    throw new RuleError("the loss reaches none of the parameters that are to be trained", "train.reached");
  const program = gradients(forward, "loss", reached, { fused }); // [train.frozen]
  return keepOnly ? gradientCheckpointing(program, "loss", keepTaps(keepOnly)) : program;
}

export interface LossAndGradients {
  readonly loss: number;
  readonly gradients: Named;
}

export async function lossAndGradients(
  loss: () => Tensor<"">,
  options: Differentiated & {
    readonly backend?: Backend | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<LossAndGradients> {
  const { backend = reference("float64"), signal, names } = options;
  const program = stepProgram(loss, { fused: differentiable(backend), ...options }); // [train.whole]
  const { outputs } = await replay(program, backend, { signal }); // [train.abort]
  const gradient = (name: string): [string, Tensor][] => {
    const g = outputs[gradientOf(name)];
    return g ? [[name, g]] : [];
  };
  const value = outputs.loss ? (flat(outputs.loss.data)[0] ?? Number.NaN) : Number.NaN;
  if (!Number.isFinite(value))
    throw new RuleError(
      `the loss is ${value}: try a lower learning rate, or look at the data`,
      "train.finite",
    );
  return { loss: value, gradients: new Map(names.flatMap(gradient)) };
}
