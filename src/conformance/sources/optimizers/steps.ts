// Cases of optimisers: one parameter p0 and the gradients g0, g1, … of its steps. The outputs are the parameter after each step, p1, p2,
// …, and the optimiser's state after the last one, under the names of its package.
import { between, boolean, list, number, optional, orNull, type Read, refuse } from "../../../io/fields.ts";
import { LoadError } from "../../../tensor/errors.ts";
import { flat, Int, type Shape, sizeOf, Tensor, view } from "../../../tensor/tensor.ts";
import { clipGradients } from "../../../training/gradient-maps.ts";
import type { Optimizer } from "../../../training/optimizers/optimizer.ts";
import type { Arguments } from "../interface/arguments.ts";
import type { Outputs } from "../interface/source.ts";

const positive = between(number, 0, Number.MAX_VALUE);
/** A number of at least 0, or the optimiser's default. */
export const orDefault = optional(positive, undefined);
export const numberOrDefault = optional(number, undefined);
export const flag = optional(boolean, undefined);

const fraction = between(number, 0, 1);
const pair: Read<readonly [number, number]> = (value, at) => {
  const [first, second, ...rest] = list(fraction)(value, at);
  if (first === undefined || second === undefined || rest.length > 0)
    throw refuse(at, "has to be two numbers");
  return [first, second];
};
export const betas = optional(pair, undefined);

/** Options that every optimiser has; `clip` is the argument of `torch.nn.utils.clip_grad_norm_` before each step. */
const clipOrNone = optional((value, at) => orNull(positive)(value, at) ?? undefined, undefined);
export const common = { lr: orDefault, weight_decay: orDefault, clip: clipOrNone };

export interface Steps {
  readonly optimizer: Optimizer;
  readonly clipAt: number | undefined;
}

const PARAMETER = "p0";
/** The arguments of a case's call. */
export const call = [PARAMETER, "g#"];
export const groups = [{ names: [PARAMETER] }];

/** The gradients g0, g1, … of all steps, each with the shape of the parameter. */
function gradientsIn(args: Arguments, shape: Shape): Tensor[] {
  const steps = Object.keys(args.values).length - 1; // the other argument is the parameter
  return Array.from({ length: steps }, (_, step) => {
    const gradient = args.any(`g${step}`); // [conform.run]
    if (gradient.shape.join() === shape.join()) return gradient;
    const sizes = `[${gradient.shape.join(" ")}], and ${PARAMETER} has [${shape.join(" ")}]`;
    throw new LoadError(`the gradient g${step} has the shape ${sizes}  [conform.run]`);
  });
}

/** The state of the parameter, elements of which have its shape. */
const stateOf = (optimizer: Optimizer, shape: Shape): [string, Tensor | Int][] =>
  [...optimizer.state()].map(([key, t]) => {
    const kind = key.slice(0, -PARAMETER.length - 1);
    if (sizeOf(t.shape) !== sizeOf(shape)) return [kind, t];
    return [kind, t instanceof Int ? new Int(shape, t.flat()) : new Tensor(shape, view(t.flat(), shape))];
  });

/** Steps of an optimiser on one parameter. [conform.run] */
export async function stepsOf({ optimizer, clipAt }: Steps, args: Arguments): Promise<Outputs> {
  const { shape, data } = args.any(PARAMETER);
  const parameter = new Tensor(shape, view(Float64Array.from(flat(data)), shape));
  const outputs: [string, Tensor | Int][] = [];
  for (const [step, gradient] of gradientsIn(args, shape).entries()) {
    const given = new Map([[PARAMETER, gradient]]);
    const { gradients } = clipAt === undefined ? { gradients: given } : clipGradients(given, clipAt);
    optimizer.step(new Map([[PARAMETER, parameter]]), gradients);
    outputs.push([`p${step + 1}`, new Tensor(shape, view(parameter.flat().slice(), shape))]);
  }
  return Object.fromEntries([...outputs, ...stateOf(optimizer, shape)]);
}
