// Postprocessors of Perceiver IO, with the names and defaults of JOBR0/PerceiverIO_Pytorch (io_processors/postprocessors.py).
import type { Embedding } from "../../nn/embedding.ts";
import { Linear } from "../../nn/linear.ts";
import {
  type Check,
  checked,
  count,
  flag,
  oneOf,
  optional,
  passing,
  positive,
  whole,
} from "../../nn/options.ts";
import { constant, Parameter, varianceScaling } from "../../nn/parameter.ts";
import { RuleError, ShapeError } from "../../tensor/errors.ts";
import { checkMember } from "../../tensor/given.ts";
import { einsum, rearrange, slice } from "../../tensor/ops/arrange.ts";
import { add, expand, mulScalar } from "../../tensor/ops/functions.ts";
import { named } from "../../tensor/pattern.ts";
import { tap } from "../../tensor/program/apply.ts";
import { sizeOf, type Tensor } from "../../tensor/tensor.ts";
import { depthToSpace } from "./preprocessors/patches.ts";

/** A module that turns the decoder's outputs into the result of a modality. */
export interface Postprocessor {
  /** The number of outputs that it uses; absent: all. */
  readonly reads?: number;
  forward(outputs: Tensor<"b o c">): Tensor;
}

/** A linear layer as the source initialises those of its postprocessors. */
const projection = (channels: number, out: number): Linear<"c", "e"> =>
  new Linear("c -> e", channels, out, { initial: varianceScaling(channels) });

/**
 * Logits of tokens: the product with the table of an embedding, and a bias.
 * Source: EmbeddingPostprocessor of JOBR0/PerceiverIO_Pytorch, io_processors/postprocessors.py.
 */
export class EmbeddingPostprocessor implements Postprocessor {
  _embedding: Embedding<"c">;
  bias: Parameter<"e">;

  constructor(embedding: Embedding<"c">) {
    checkMember("EmbeddingPostprocessor", { embedding }, "weight", "an Embedding");
    this._embedding = embedding;
    this.bias = new Parameter("e", [embedding.weight.shape[0] ?? 0], constant(0));
  }

  forward(outputs: Tensor<"b o c">): Tensor<"b o e"> {
    const logits = einsum("b o c, e c -> b o e", outputs, named("e c", this._embedding.weight)); // [perceiverio.tied]
    return tap(this, "", add(logits, expand(this.bias, logits)));
  }
}

export interface ImagePostprocessorOptions {
  readonly imgSize: readonly [height: number, width: number];
  readonly inputChannels?: number | undefined;
  readonly postprocType?: "pixels" | "patches" | undefined;
  readonly spatialUpsample?: number | undefined;
  readonly temporalUpsample?: number | undefined;
  readonly nOutputs?: number | undefined;
  /** The grid of the outputs: height and width, or frames, height and width. */
  readonly inputReshapeSize?: readonly number[] | null | undefined;
}
const isSide = count.accepts;
const size = optional(count);
const imageChecks: { readonly [K in keyof ImagePostprocessorOptions]-?: Check } = {
  imgSize: passing(
    `a height and a width, each ${count.wanted}`,
    (v) => Array.isArray(v) && v.length === 2 && v.every(isSide),
  ),
  inputChannels: size,
  postprocType: optional(oneOf(["pixels", "patches"])), // [perceiverio.image-output]
  spatialUpsample: size,
  temporalUpsample: size,
  nOutputs: optional(whole(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)),
  inputReshapeSize: optional(
    passing(
      `two or three sides, each ${count.wanted}, or null`,
      (v) => v === null || (Array.isArray(v) && v.every(isSide) && (v.length === 2 || v.length === 3)),
    ),
  ),
};

/**
 * Outputs as they are, or the pixels of the blocks that they describe, channels last. Throws a RuleError for pixels that are to
 * be upsampled.
 * Source: ImagePostprocessor of JOBR0/PerceiverIO_Pytorch, io_processors/postprocessors.py.
 */
export class ImagePostprocessor implements Postprocessor {
  readonly options: {
    readonly isPatches: boolean;
    readonly spatial: number;
    readonly temporal: number;
    readonly grid: readonly number[] | null;
  };

  constructor(options: ImagePostprocessorOptions) {
    const given = checked("ImagePostprocessor", options, imageChecks);
    const { postprocType = "pixels", spatialUpsample: spatial = 1, temporalUpsample: temporal = 1 } = given;
    if (postprocType === "pixels" && (spatial !== 1 || temporal !== 1))
      throw new RuleError(
        "pixels are not upsampled: set spatialUpsample and temporalUpsample to 1, or postprocType to patches",
        "perceiverio.image-output",
      );
    this.options = {
      isPatches: postprocType === "patches",
      spatial,
      temporal,
      grid: given.inputReshapeSize ?? null,
    };
  }

  /**
   * Throws a ShapeError if the outputs do not fill the grid.
   * Shapes: outputs `b o c` → `b o c`, on a grid `b h w c` or `b t h w c`, or with patches `b t h w c`.
   */
  forward(outputs: Tensor): Tensor {
    const { isPatches, spatial, temporal, grid } = this.options;
    const placed = grid ? onGrid("ImagePostprocessor", outputs, grid) : outputs;
    return tap(this, "", isPatches ? depthToSpace(placed, { spatial, temporal }) : placed); // [perceiverio.image-output]
  }
}

/** Outputs b o c on a grid, b h w c or b t h w c. */
function onGrid(caller: string, outputs: Tensor, grid: readonly number[]): Tensor {
  const [, o] = outputs.shape;
  if (o !== sizeOf(grid))
    throw new ShapeError(
      `${o} outputs do not fill a grid of ${grid.join("×")}  [perceiverio.image-output]`,
      caller,
    );
  const [t = 1, h = 1] = grid.length === 3 ? grid : [1, ...grid];
  if (grid.length === 3)
    return rearrange("b (t h w) c -> b t h w c", named("b (t h w) c", outputs), { t, h });
  return rearrange("b (h w) c -> b h w c", named("b (h w) c", outputs), { h });
}

export interface AudioPostprocessorOptions {
  readonly postprocType?: "patches" | undefined;
  readonly inChannels?: number | undefined;
  readonly samplesPerPatch?: number | undefined;
}

/**
 * `samplesPerPatch` samples for each output, concatenated: [b n].
 * Source: AudioPostprocessor of JOBR0/PerceiverIO_Pytorch, io_processors/postprocessors.py.
 */
export class AudioPostprocessor implements Postprocessor {
  linear: Linear<"c", "e">;

  constructor(options: AudioPostprocessorOptions = {}) {
    const { inChannels = 1024, samplesPerPatch = 96 } = checked("AudioPostprocessor", options, {
      postprocType: optional(oneOf(["patches"])),
      inChannels: size,
      samplesPerPatch: size,
    });
    this.linear = projection(inChannels, samplesPerPatch);
  }

  forward(outputs: Tensor<"b o c">): Tensor<"b (o e)"> {
    return tap(this, "", rearrange("b o e -> b (o e)", named("b o e", this.linear.forward(outputs)))); // [perceiverio.audio-output]
  }
}

/**
 * The outputs unchanged.
 * Source: IdentityPostprocessor of JOBR0/PerceiverIO_Pytorch, io_processors/postprocessors.py.
 */
export class IdentityPostprocessor implements Postprocessor {
  /** Shapes: outputs `b o c` → `b o c`. */
  forward(outputs: Tensor): Tensor {
    return outputs;
  }
}

export interface ClassificationPostprocessorOptions {
  readonly numInputChannels: number;
  readonly numClasses: number;
  readonly project?: boolean | undefined;
}

/**
 * Scores of the classes: the first output, projected or as it is.
 * Source: ClassificationPostprocessor of JOBR0/PerceiverIO_Pytorch, io_processors/postprocessors.py.
 */
export class ClassificationPostprocessor implements Postprocessor {
  readonly reads = 1; // [perceiverio.first-output]
  /** null if `project` is false. */
  linear: Linear<"c", "e"> | null;

  constructor(options: ClassificationPostprocessorOptions) {
    const {
      numInputChannels,
      numClasses,
      project = true,
    } = checked("ClassificationPostprocessor", options, {
      numInputChannels: count,
      numClasses: count,
      project: optional(flag),
    });
    this.linear = project ? projection(numInputChannels, numClasses) : null;
  }

  forward(outputs: Tensor<"b o c">): Tensor<"b e"> {
    const first = named("b 1 c", slice(outputs, 1, 0, 1)); // [perceiverio.first-output]
    const scores = this.linear ? this.linear.forward(first) : first;
    return tap(this, "", rearrange("b 1 e -> b e", named("b 1 e", scores)));
  }
}

/**
 * A linear layer of each output.
 * Source: ProjectionPostprocessor of JOBR0/PerceiverIO_Pytorch, io_processors/postprocessors.py.
 */
export class ProjectionPostprocessor implements Postprocessor {
  projection: Linear<"c", "e">;

  constructor(options: { readonly numInputs: number; readonly numOutputs: number }) {
    const { numInputs, numOutputs } = checked("ProjectionPostprocessor", options, {
      numInputs: count,
      numOutputs: count,
    });
    this.projection = projection(numInputs, numOutputs);
  }

  forward(outputs: Tensor<"b o c">): Tensor<"b o e"> {
    return tap(this, "", named("b o e", this.projection.forward(outputs)));
  }
}

export interface FlowPostprocessorOptions {
  readonly imgSize: readonly [height: number, width: number];
  readonly flowScaleFactor?: number | undefined;
}

/**
 * Displacements of the pixels, in pixels: [b 2 h w].
 * Source: FlowPostprocessor of JOBR0/PerceiverIO_Pytorch, io_processors/postprocessors.py.
 */
export class FlowPostprocessor implements Postprocessor {
  readonly options: { readonly height: number; readonly scale: number; readonly imgSize: readonly number[] };

  constructor(options: FlowPostprocessorOptions) {
    const { imgSize, flowScaleFactor: scale = 1 } = checked("FlowPostprocessor", options, {
      imgSize: imageChecks.imgSize,
      flowScaleFactor: optional(positive),
    });
    this.options = { height: imgSize[0], scale, imgSize };
  }

  /** Throws a ShapeError if the outputs do not fill the picture. */
  forward(outputs: Tensor<"b o c">): Tensor<"b c h w"> {
    const grid = onGrid("FlowPostprocessor", mulScalar(outputs, this.options.scale), this.options.imgSize); // [perceiverio.flow-scale]
    return tap(this, "", rearrange("b h w c -> b c h w", named("b h w c", grid)));
  }
}
