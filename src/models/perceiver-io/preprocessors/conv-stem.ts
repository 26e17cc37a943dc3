// The convolutional stem of Perceiver IO (Conv2DDownsample of JOBR0/PerceiverIO_Pytorch, io_processors/processor_utils.py).
import { Conv2d } from "../../../nn/conv/conv2d.ts";
import { maxPool2d } from "../../../nn/conv/planes.ts";
import { BatchNorm2d } from "../../../nn/norms/batch-norm.ts";
import { type Check, checked, count, flag, layers, optional } from "../../../nn/options.ts";
import { truncatedNormal } from "../../../nn/parameter.ts";
import { relu } from "../../../tensor/ops/functions.ts";
import { tap } from "../../../tensor/program/apply.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import {
  DEFAULT_PROFILE,
  PERCEIVER_PROFILES,
  type PerceiverProfileName,
  perceiverProfile,
} from "../profiles.ts";

export interface Conv2DDownsampleOptions {
  readonly numLayers?: number | undefined;
  readonly inChannels?: number | undefined;
  readonly numChannels?: number | undefined;
  readonly useBatchnorm?: boolean | undefined;
  readonly profile?: PerceiverProfileName | undefined;
}
const checks: { readonly [K in keyof Conv2DDownsampleOptions]-?: Check } = {
  numLayers: optional(layers),
  inChannels: optional(count),
  numChannels: optional(count),
  useBatchnorm: optional(flag),
  profile: optional(perceiverProfile),
};

/** Convolution of 7 × 7, batch norm, ReLU and maximum of 3 × 3, each with stride 2: a quarter of the height and width a layer. */
export class Conv2DDownsample {
  norms: BatchNorm2d[] | null;
  convs: Conv2d[];
  readonly options: { readonly stem: "same" | "torch" };

  constructor(options: Conv2DDownsampleOptions = {}) {
    const given = checked("Conv2DDownsample", options, checks);
    const { numLayers = 1, inChannels = 3, numChannels = 64, useBatchnorm = true } = given;
    const { stem } = PERCEIVER_PROFILES[given.profile ?? DEFAULT_PROFILE];
    const padding = stem === "same" ? "same" : 3;
    const initial = truncatedNormal(0.01, 2);
    this.options = { stem };
    this.norms = useBatchnorm ? Array.from({ length: numLayers }, () => new BatchNorm2d(numChannels)) : null;
    this.convs = Array.from({ length: numLayers }, (_, i) => {
      const channels = i === 0 ? inChannels : numChannels;
      return new Conv2d(channels, numChannels, { kernelSize: 7, stride: 2, padding, bias: false, initial });
    });
  }

  /** The height or width that remains of n. */
  sideOf(n: number): number {
    const half = (side: number) => Math.ceil(side / 2);
    const layer =
      this.options.stem === "same"
        ? (side: number) => half(half(side))
        : (side: number) => Math.max(0, Math.floor((half(side) - 3) / 2) + 1); // no padding around the pooling  [perceiverio.grid]
    return this.convs.reduce(layer, n);
  }

  forward(x: Tensor<"b c h w">): Tensor<"b c h w"> {
    const padding = this.options.stem === "same" ? "same" : 0;
    let out = x;
    for (const [i, conv] of this.convs.entries()) {
      const convolved = conv.forward(out);
      const normed = this.norms?.[i]?.forward(convolved) ?? convolved;
      out = maxPool2d(relu(normed), { size: 3, stride: 2, padding }); // [perceiverio.stem]
    }
    return tap(this, "", out);
  }
}
