// torch 2.13.0: torch.nn (torch-nn.ts) and torch.optim. A case of the latter gives one parameter p0 and the gradients g0, g1, … of its steps; the outputs are the
// parameter after each step, p1, p2, …
import { between, boolean, list, number, optional, orNull, type Read, refuse } from "../../../io/fields.ts";
import { LoadError } from "../../../tensor/errors.ts";
import { flat, type Shape, Tensor, view } from "../../../tensor/tensor.ts";
import { clip } from "../../../training/gradient-maps.ts";
import { adamw } from "../../../training/optimizers/adamw.ts";
import type { Optimizer } from "../../../training/optimizers/optimizer.ts";
import { sgd } from "../../../training/optimizers/sgd.ts";
import type { Arguments } from "../interface/arguments.ts";
import { type Outputs, procedureClass, type Source } from "../interface/source.ts";
import { torchNN } from "./nn.ts";

const positive = between(number, 0, Number.MAX_VALUE);
const orDefault = optional(positive, undefined);
const fraction = between(number, 0, 1);

const numberOrDefault = optional(number, undefined);
const flag = optional(boolean, undefined);
const pair: Read<readonly [number, number]> = (value, at) => {
  const [first, second, ...rest] = list(fraction)(value, at);
  if (first === undefined || second === undefined || rest.length > 0)
    throw refuse(at, "has to be two numbers");
  return [first, second];
};

const betas = optional(pair, undefined);

/** Options that every optimiser has; `clip` is the argument of `torch.nn.utils.clip_grad_norm_` before each step. */
const clipOrNone = optional((value, at) => orNull(positive)(value, at) ?? undefined, undefined);
const common = { lr: orDefault, weight_decay: orDefault, clip: clipOrNone };

interface Steps {
  readonly optimizer: Optimizer;
  readonly clipAt: number | undefined;
}

const PARAMETER = "p0";
const groups = [{ names: [PARAMETER] }];

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

/** Steps of an optimiser on one parameter. [conform.run] */
async function stepsOf({ optimizer, clipAt }: Steps, args: Arguments): Promise<Outputs> {
  const { shape, data } = args.any(PARAMETER);
  const parameter = new Tensor(shape, view(Float64Array.from(flat(data)), shape));
  const outputs: [string, Tensor][] = [];
  for (const [step, gradient] of gradientsIn(args, shape).entries()) {
    const given = new Map([[PARAMETER, gradient]]);
    const { gradients } = clipAt === undefined ? { gradients: given } : clip(given, clipAt);
    optimizer.step(new Map([[PARAMETER, parameter]]), gradients);
    outputs.push([`p${step + 1}`, new Tensor(shape, view(Float64Array.from(flat(parameter.data)), shape))]);
  }
  return Object.fromEntries(outputs);
}

const call = [PARAMETER, "g#"];

export const torch: Source = {
  package: "torch",
  profiles: { "torch@2.13.0": {} },
  classes: {
    ...torchNN,
    AdamW: procedureClass({
      options: { ...common, betas, eps: orDefault },
      call,
      build: ({ lr, weightDecay, clip: clipAt, betas, eps }) => ({
        optimizer: adamw({ groups, learningRate: lr, weightDecay, betas, epsilon: eps }),
        clipAt,
      }),
      run: stepsOf,
    }),
    SGD: procedureClass({
      options: {
        ...common,
        momentum: orDefault,
        dampening: numberOrDefault,
        nesterov: flag,
      },
      call,
      build: ({ lr, weightDecay, clip: clipAt, momentum, dampening, nesterov }) => ({
        optimizer: sgd({ groups, learningRate: lr, weightDecay, momentum, dampening, nesterov }),
        clipAt,
      }),
      run: stepsOf,
    }),
  },
};
