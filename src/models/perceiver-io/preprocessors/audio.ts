// Sound as tokens of Perceiver IO (AudioPreprocessor of JOBR0/PerceiverIO_Pytorch, io_processors/preprocessors.py).
import type { Linear } from "../../../nn/linear.ts";
import { type Check, checked, count, layers, oneOf, optional } from "../../../nn/options.ts";
import { RuleError, ShapeError } from "../../../tensor/errors.ts";
import { rearrange } from "../../../tensor/ops/arrange.ts";
import { named, shapes } from "../../../tensor/pattern.ts";
import { tap } from "../../../tensor/program/apply.ts";
import type { Int, Tensor } from "../../../tensor/tensor.ts";
import {
  encodingChecks,
  type PositionEncoding,
  type PositionEncodingOptions,
  positionEncoding,
} from "../positions.ts";
import {
  type ConcatOrAdd,
  extraLayers,
  type Preprocessed,
  type Preprocessor,
  placed,
  tensorInput,
  withPositions,
} from "./preprocessor.ts";

export interface AudioPreprocessorOptions extends PositionEncodingOptions {
  /** The samples of each sound: a multiple of `samplesPerPatch`. */
  readonly samplesPerBatch: number;
  readonly prepType?: "patches" | undefined;
  readonly samplesPerPatch?: number | undefined;
  readonly nExtraPosMlp?: number | undefined;
  readonly concatOrAddPos?: ConcatOrAdd | undefined;
}
const checks: { readonly [K in keyof AudioPreprocessorOptions]-?: Check } = {
  ...encodingChecks,
  samplesPerBatch: count,
  prepType: optional(oneOf(["patches"])),
  samplesPerPatch: optional(count),
  nExtraPosMlp: optional(layers),
  concatOrAddPos: optional(oneOf(["concat", "add"])),
};

/**
 * Turns samples [b, n, 1] into tokens of `samplesPerPatch` samples each. Throws a RuleError for a number of samples that the
 * patches do not divide.
 * Source: AudioPreprocessor of JOBR0/PerceiverIO_Pytorch, io_processors/preprocessors.py.
 */
export class AudioPreprocessor implements Preprocessor {
  _positional_encoding: PositionEncoding;
  _extra_pos_mlps: Linear<"c", "e">[];
  readonly options: {
    readonly samples: number;
    readonly perPatch: number;
    readonly how: ConcatOrAdd;
  };

  constructor(options: AudioPreprocessorOptions) {
    const {
      samplesPerBatch,
      prepType: _,
      nExtraPosMlp = 0,
      ...given
    } = checked("AudioPreprocessor", options, checks);
    const { samplesPerPatch = 96, concatOrAddPos: how = "concat", ...encoding } = given;
    if (samplesPerBatch % samplesPerPatch !== 0)
      throw new RuleError(
        `samplesPerBatch is ${samplesPerBatch}, which is no multiple of samplesPerPatch, ${samplesPerPatch}`,
        "perceiverio.audio",
      );
    this._positional_encoding = positionEncoding(
      "AudioPreprocessor",
      [samplesPerBatch / samplesPerPatch],
      encoding,
    );
    this._extra_pos_mlps = extraLayers(nExtraPosMlp, this._positional_encoding.outputChannels);
    this.options = { samples: samplesPerBatch, perPatch: samplesPerPatch, how };
    withPositions("AudioPreprocessor", samplesPerPatch, this._positional_encoding, how);
  }

  get outputChannels(): number {
    const { perPatch, how } = this.options;
    return withPositions("AudioPreprocessor", perPatch, this._positional_encoding, how);
  }

  /**
   * Throws a ShapeError unless the input is b n 1, n being `samplesPerBatch`.
   * Shapes: inputs `b n 1` → out `b o c`, with o = n / samplesPerPatch.
   */
  forward(inputs: Tensor | Int, pos: Tensor<"n d"> | null = null): Preprocessed {
    const x = tensorInput("AudioPreprocessor", inputs);
    const { samples, perPatch, how } = this.options;
    const { b, n } = shapes("AudioPreprocessor", { inputs: [x, "b n 1"] });
    if (n !== samples)
      throw new ShapeError(
        `the sound has ${n} samples; this module takes ${samples}  [perceiverio.audio]`,
        "AudioPreprocessor",
      );
    const patches = rearrange("b (n e) 1 -> b n e", named("b (n e) 1", x), { e: perPatch }); // [perceiverio.audio]
    const made = placed(patches, this._positional_encoding.forward(b, pos), this._extra_pos_mlps, how);
    return { ...made, out: tap(this, "", made.out) };
  }
}
