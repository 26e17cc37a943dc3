// Convolution with learned weights.
import { rearrange } from "../../tensor/ops/arrange.ts";
import { add, expand } from "../../tensor/ops/functions.ts";
import { tap } from "../../tensor/program/apply.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { checked, checkNoMore, checkValue, count, flag, optional } from "../options.ts";
import { constant, distribution, type Initial, Parameter, uniform } from "../parameter.ts";
import { conv2d, type PlaneOptions, pair, planeChecks, type Sides, sides } from "./planes.ts";

/** Kernel, stride and padding, in elements of the plane, and initial values. */
export interface Conv2dOptions extends PlaneOptions {
  readonly kernelSize: Sides;
  readonly bias?: boolean;
  /** The initial distribution of the weight; the bias then begins at 0. Default: that of torch.nn.Conv2d for both. */
  readonly initial?: Initial | undefined;
}

/**
 * A convolution of planes [b c h w] with a weight [out in y x] and a bias (torch.nn.Conv2d, without groups and dilation),
 * initialised uniformly within ±1/√(in · y · x).
 * Source: torch.nn.Conv2d.
 */
export class Conv2d {
  weight: Parameter<"o c y x">;
  bias: Parameter<"o"> | null;
  readonly #options: PlaneOptions;

  constructor(channels: number, out: number, options: Conv2dOptions, ...surplus: readonly never[]) {
    checkValue("Conv2d", "in", channels, count);
    checkValue("Conv2d", "out", out, count);
    const checks = {
      ...planeChecks,
      kernelSize: sides(1),
      bias: optional(flag),
      initial: optional(distribution),
    };
    const { kernelSize, bias = true, initial, ...rest } = checked("Conv2d", options, checks);
    checkNoMore("Conv2d", "two numbers of channels and options", surplus);
    const [high, wide] = pair(kernelSize);
    const bound = 1 / Math.sqrt(channels * high * wide); // [conv.uniform]
    this.weight = new Parameter("o c y x", [out, channels, high, wide], initial ?? uniform(bound));
    this.bias = bias ? new Parameter("o", [out], initial ? constant(0) : uniform(bound)) : null;
    this.#options = rest;
  }

  /**
   * The convolution of planes.
   * Shapes: x `b c h w` → `b o y x`, with o output channels and a value for each place of the window.
   */
  forward(x: Tensor<"b c h w">): Tensor<"b c h w"> {
    const y = conv2d(x, this.weight, this.#options);
    if (!this.bias) return tap(this, "", y);
    return tap(this, "", add(y, expand(rearrange("o -> o 1 1", this.bias), y))); // [conv.correlation]
  }
}
