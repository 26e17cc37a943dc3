// torch 2.13.0: torch.nn (nn.ts) and torch.optim.
import { adamw } from "../../../training/optimizers/adamw.ts";
import { sgd } from "../../../training/optimizers/sgd.ts";
import { procedureClass, type Source } from "../interface/source.ts";
import {
  betas,
  call,
  common,
  flag,
  groups,
  numberOrDefault,
  orDefault,
  stepsOf,
} from "../optimizers/steps.ts";
import { torchNN } from "./nn.ts";

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
