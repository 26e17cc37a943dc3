// lion-pytorch: Lion. The numbers of 0.2.3 and 0.2.5 are the same.
import { lion } from "../../../training/optimizers/lion.ts";
import { procedureClass, type Source } from "../interface/source.ts";
import { betas, call, common, flag, groups, stepsOf } from "./steps.ts";

export const lionPytorch: Source = {
  package: "lion-pytorch",
  profiles: { "lion-pytorch@0.2.5": {}, "lion-pytorch@0.2.3": {} },
  classes: {
    Lion: procedureClass({
      options: { ...common, betas, decoupled_weight_decay: flag },
      call,
      build: ({ lr, weightDecay, clip: clipAt, betas, decoupledWeightDecay }) => ({
        optimizer: lion({ groups, learningRate: lr, weightDecay, betas, decoupledWeightDecay }),
        clipAt,
      }),
      run: stepsOf,
    }),
  },
};
