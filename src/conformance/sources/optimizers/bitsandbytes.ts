// bitsandbytes: AdamW8bit on a CPU. Without `bnb`, a case is from a wheel, which has a library for the processor; with it, from a checkout
// without the library, where the quantiser is written in operators of PyTorch.
import { optional, string } from "../../../io/fields.ts";
import { adamw8bit } from "../../../training/optimizers/eight-bit/adamw.ts";
import { procedureClass, type Source } from "../interface/source.ts";
import { betas, call, common, groups, orDefault, stepsOf } from "./steps.ts";

export const bitsandbytes: Source = {
  package: "bitsandbytes",
  profiles: { "bitsandbytes@0.50.2": {} },
  classes: {
    AdamW8bit: {
      ...procedureClass({
        options: {
          ...common,
          betas,
          eps: orDefault,
          min_8bit_size: orDefault,
          blocksize: orDefault,
          bnb: optional(string, undefined),
        },
        call,
        build: ({ lr, weightDecay, clip: clipAt, betas, eps, min8bitSize, blocksize, bnb }) => ({
          optimizer: adamw8bit({
            groups,
            learningRate: lr,
            weightDecay,
            betas,
            epsilon: eps,
            min8bitSize,
            blockSize: blocksize,
            quantizer: bnb === undefined ? "table" : "midpoints",
          }),
          clipAt,
        }),
        run: stepsOf,
      }),
      float32: true,
    },
  },
};
