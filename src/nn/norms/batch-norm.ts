// Batch normalisation in evaluation: Ioffe and Szegedy, arXiv 1502.03167, §3.1.
import { RuleError, ShapeError } from "../../tensor/errors.ts";
import { rearrange } from "../../tensor/ops/arrange.ts";
import { add, addScalar, div, expand, mul, sqrt, sub } from "../../tensor/ops/functions.ts";
import { checkTensors, tap } from "../../tensor/program/apply.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { checked, checkNoMore, checkValue, count, notNegative, optional } from "../options.ts";
import { constant, Parameter } from "../parameter.ts";

/** ε, which is added to the variance. Default 1e-5. */
export interface BatchNormOptions {
  readonly epsilon?: number;
}

/**
 * γ ⊙ (x − mean) / √(variance + ε) + β for each channel of planes [b c h w], with the running statistics of training
 * (torch.nn.BatchNorm2d in evaluation mode). Statistics of a batch are not computed: train mode is refused.
 * Source: Ioffe and Szegedy, arXiv 1502.03167, §3.1; torch.nn.BatchNorm2d.
 */
export class BatchNorm2d {
  static readonly buffers: readonly string[] = ["running_mean", "running_var", "num_batches_tracked"]; // [batchnorm.buffers]
  weight: Parameter<"c">;
  bias: Parameter<"c">;
  running_mean: Parameter<"c">;
  running_var: Parameter<"c">;
  /** How many batches the running statistics come from; loaded and saved, but not used. */
  num_batches_tracked: Parameter<"">;
  readonly #epsilon: number;

  constructor(channels: number, options: BatchNormOptions = {}, ...surplus: readonly never[]) {
    checkValue("BatchNorm2d", "channels", channels, count);
    const { epsilon = 1e-5 } = checked("BatchNorm2d", options, { epsilon: optional(notNegative) });
    checkNoMore("BatchNorm2d", "a number of channels and options", surplus);
    this.weight = new Parameter("c", [channels], constant(1));
    this.bias = new Parameter("c", [channels], constant(0));
    this.running_mean = new Parameter("c", [channels], constant(0));
    this.running_var = new Parameter("c", [channels], constant(1));
    this.num_batches_tracked = new Parameter("", [], constant(0));
    this.#epsilon = epsilon;
  }

  /** Throws a RuleError: setTraining calls it where a model enters train mode. */
  refuseTraining(path: string): never {
    const name = path === "" ? "BatchNorm2d" : `the BatchNorm2d "${path}"`;
    throw new RuleError(
      `${name} cannot be in train mode: it uses running statistics and does not update them; freeze it, and train without setTraining`,
      "batchnorm.evaluation",
    );
  }

  /** The normalised planes. Throws a ShapeError for anything but planes with as many channels as the layer has. */
  forward(x: Tensor<"b c h w">): Tensor<"b c h w"> {
    checkTensors("BatchNorm2d", x);
    const [channels] = this.weight.shape;
    if (x.shape.length !== 4 || x.shape[1] !== channels)
      throw new ShapeError(
        `planes are [b ${channels} h w], not [${x.shape.join(" ")}]  [batchnorm.evaluation]`,
        "BatchNorm2d",
        { x: x.shape, scale: this.weight.shape },
      );
    const each = (t: Tensor<"c">) => expand(rearrange("c -> c 1 1", t), x);
    const deviation = sqrt(addScalar(this.running_var, this.#epsilon));
    const centred = div(sub(x, each(this.running_mean)), each(deviation)); // [batchnorm.evaluation]
    return tap(this, "", add(mul(centred, each(this.weight)), each(this.bias)));
  }
}
