// Pictures and videos as tokens of Perceiver IO (ImagePreprocessor of JOBR0/PerceiverIO_Pytorch, io_processors/preprocessors.py).
import { Conv2d } from "../../../nn/conv/conv2d.ts";
import { Linear } from "../../../nn/linear.ts";
import { type Check, checked, count, flag, layers, oneOf, optional, passing } from "../../../nn/options.ts";
import { truncatedNormal, varianceScaling } from "../../../nn/parameter.ts";
import { RuleError, ShapeError } from "../../../tensor/errors.ts";
import { rearrange, windows } from "../../../tensor/ops/arrange.ts";
import { named } from "../../../tensor/pattern.ts";
import { tap } from "../../../tensor/program/apply.ts";
import type { Int, Tensor } from "../../../tensor/tensor.ts";
import {
  encodingChecks,
  type PositionEncoding,
  type PositionEncodingOptions,
  positionEncoding,
} from "../positions.ts";
import { Conv2DDownsample } from "./conv-stem.ts";
import { spaceToDepth } from "./patches.ts";
import {
  type ConcatOrAdd,
  checkChannels,
  extraLayers,
  type Preprocessed,
  type Preprocessor,
  placed,
  tensorInput,
  withPositions,
} from "./preprocessor.ts";

const PREP_TYPES = ["conv", "patches", "pixels", "conv1x1"] as const;
export type PrepType = (typeof PREP_TYPES)[number];

export interface ImagePreprocessorOptions extends PositionEncodingOptions {
  readonly imgSize: readonly [height: number, width: number];
  readonly numFrames?: number | undefined;
  readonly inputChannels?: number | undefined;
  /** A convolutional stem, blocks of pixels, single pixels, or a convolution of single pixels. */
  readonly prepType?: PrepType | undefined;
  readonly spatialDownsample?: number | undefined;
  readonly temporalDownsample?: number | undefined;
  /** Layers that deepen the position encoding. */
  readonly nExtraPosMlp?: number | undefined;
  /** The channels of the convolutions, and of the layer after the patches. */
  readonly numChannels?: number | undefined;
  readonly convAfterPatching?: boolean | undefined;
  readonly conv2dUseBatchnorm?: boolean | undefined;
  readonly concatOrAddPos?: ConcatOrAdd | undefined;
}

const size = optional(count);
const isSide = count.accepts;
const checks: { readonly [K in keyof ImagePreprocessorOptions]-?: Check } = {
  ...encodingChecks,
  imgSize: passing(
    `a height and a width, each ${count.wanted}`,
    (v) => Array.isArray(v) && v.length === 2 && v.every(isSide),
  ),
  numFrames: size,
  inputChannels: size,
  prepType: optional(oneOf(PREP_TYPES)),
  spatialDownsample: size,
  temporalDownsample: size,
  nExtraPosMlp: optional(layers),
  numChannels: size,
  convAfterPatching: optional(flag),
  conv2dUseBatchnorm: optional(flag),
  concatOrAddPos: optional(oneOf(["concat", "add"])),
};

interface Settings {
  readonly imgSize: readonly [number, number];
  readonly numFrames: number;
  readonly channels: number;
  readonly type: PrepType;
  readonly spatial: number;
  readonly temporal: number;
  readonly how: ConcatOrAdd;
}

/** The number of layers of a stem that makes a picture smaller by a factor. Throws a RuleError unless it is a power of four. */
function stemLayers(spatial: number, temporal: number): number {
  const number = Math.round(Math.log(spatial) / Math.log(4));
  if (4 ** number === spatial && temporal === 1) return number;
  throw new RuleError(
    `with prepType "conv" spatialDownsample is a power of four and temporalDownsample 1, not ${spatial} and ${temporal}`,
    "perceiverio.stem",
  );
}

/** The grid of the tokens: frames if there are several, height, width. Throws a RuleError if blocks do not divide the picture. */
function gridOf(
  { imgSize, numFrames, type, spatial, temporal }: Settings,
  stem: Conv2DDownsample | null,
): number[] {
  const all = numFrames > 1 ? [numFrames, ...imgSize] : [...imgSize];
  const steps = numFrames > 1 ? [temporal, spatial, spatial] : [spatial, spatial];
  if (type === "patches" && all.some((n, i) => n % (steps[i] ?? 1) !== 0))
    throw new RuleError(
      `blocks of ${steps.join("×")} do not divide ${all.join("×")}: choose imgSize, numFrames and the downsampling accordingly`,
      "perceiverio.patches",
    );
  if (stem) return [...all.slice(0, -2), ...imgSize.map((n) => stem.sideOf(n))]; // [perceiverio.grid]
  return all.map((n, i) => Math.ceil(n / (steps[i] ?? 1))); // [perceiverio.grid]
}

/**
 * A picture [b c h w] or a video [b t c h w] as tokens. Throws a RuleError for a stem that cannot downsample so, and for blocks
 * that do not divide the picture.
 * Source: ImagePreprocessor of JOBR0/PerceiverIO_Pytorch, io_processors/preprocessors.py.
 */
export class ImagePreprocessor implements Preprocessor {
  convnet: Conv2DDownsample | null = null;
  convnet_1x1: Conv2d | null = null;
  _positional_encoding: PositionEncoding;
  _extra_pos_mlps: Linear<"c", "e">[];
  _conv_after_patch_layer: Linear<"e", "f"> | null = null;
  readonly options: Settings & { readonly features: number };

  constructor(options: ImagePreprocessorOptions) {
    const given = checked("ImagePreprocessor", options, checks);
    const { imgSize, numFrames = 1, inputChannels: channels = 3, prepType: type = "conv" } = given;
    const { spatialDownsample: spatial = 4, temporalDownsample: temporal = 1, nExtraPosMlp = 0 } = given;
    const { numChannels = 64, convAfterPatching = false, concatOrAddPos: how = "concat" } = given;
    const settings: Settings = { imgSize, numFrames, channels, type, spatial, temporal, how };
    const values = channels * spatial ** 2 * temporal;
    if (type === "conv")
      this.convnet = new Conv2DDownsample({
        inChannels: channels,
        numLayers: stemLayers(spatial, temporal),
        numChannels,
        useBatchnorm: given.conv2dUseBatchnorm ?? true,
        profile: given.profile,
      });
    if (type === "conv1x1") this.convnet_1x1 = pointwise(channels, numChannels, spatial, temporal);
    this._positional_encoding = positionEncoding("ImagePreprocessor", gridOf(settings, this.convnet), given);
    this._extra_pos_mlps = extraLayers(nExtraPosMlp, this._positional_encoding.outputChannels);
    if (convAfterPatching)
      this._conv_after_patch_layer = new Linear("e -> f", values, numChannels, {
        initial: varianceScaling(values),
      }); // [perceiverio.after-patches]
    const patches = convAfterPatching ? numChannels : values;
    const features = { pixels: channels, patches, conv: numChannels, conv1x1: numChannels }[type]; // [perceiverio.image]
    this.options = { ...settings, features };
    withPositions("ImagePreprocessor", features, this._positional_encoding, how);
  }

  get outputChannels(): number {
    const { features, how } = this.options;
    return withPositions("ImagePreprocessor", features, this._positional_encoding, how);
  }

  /**
   * Throws a ShapeError unless the input has the size, channels and frames that the module was built for.
   * Shapes: inputs `b c h w` or `b t c h w`, pos `n d` → out `b n f`, a token for each place of the grid.
   */
  forward(inputs: Tensor | Int, pos: Tensor<"n d"> | null = null): Preprocessed {
    const x = tensorInput("ImagePreprocessor", inputs);
    const features = this.#features(this.#video(x));
    const encoding = this._positional_encoding.forward(x.shape[0] ?? 0, pos);
    const made = placed(features, encoding, this._extra_pos_mlps, this.options.how);
    return { ...made, out: tap(this, "", made.out) };
  }

  /** The input as a video. */
  #video(x: Tensor): Tensor<"b t c h w"> {
    const { imgSize, channels, numFrames, temporal } = this.options;
    if (x.shape.length !== 4 && x.shape.length !== 5)
      throw new ShapeError(
        `a picture is b c h w and a video b t c h w, not [${x.shape.join(" ")}]  [perceiverio.image]`,
        "ImagePreprocessor",
      );
    const video = x.shape.length === 5 ? x : rearrange("b c h w -> b 1 c h w", named("b c h w", x));
    const [, t, c = 0, h, w] = video.shape;
    checkChannels("ImagePreprocessor", c, channels);
    const frames = numFrames > 1 ? numFrames : temporal; // a single block in time, as in optical flow
    if (t === frames && h === imgSize[0] && w === imgSize[1]) return named("b t c h w", video);
    throw new ShapeError(
      `the input has ${t} frames of ${h}×${w}; this module takes ${frames} of ${imgSize.join("×")}  [perceiverio.image]`,
      "ImagePreprocessor",
    );
  }

  #features(video: Tensor<"b t c h w">): Tensor<"b n e"> {
    const { type, spatial, temporal } = this.options;
    if (type === "patches") {
      const patches = named("b n e", spaceToDepth(video, { spatial, temporal }));
      return this._conv_after_patch_layer
        ? named("b n e", this._conv_after_patch_layer.forward(patches))
        : patches;
    }
    const stem = this.convnet ?? this.convnet_1x1; // [perceiverio.stem] [perceiverio.conv1x1]
    if (!stem) {
      const pixels = every(every(every(video, 1, temporal), 3, spatial), 4, spatial); // [perceiverio.pixels]
      return named("b n e", rearrange("b t c h w -> b (t h w) c", pixels));
    }
    const planes = rearrange("b t c h w -> (b t) c h w", video);
    const made = stem.forward(named("b c h w", planes));
    const tokens = rearrange("(b t) c h w -> b (t h w) c", named("(b t) c h w", made), {
      b: video.shape[0] ?? 0,
    });
    return named("b n e", tokens);
  }
}

/** A convolution of single pixels, one in each block. Throws a RuleError where it would have to skip frames. */
function pointwise(channels: number, out: number, spatial: number, temporal: number): Conv2d {
  if (temporal === 1)
    return new Conv2d(channels, out, { kernelSize: 1, stride: spatial, initial: truncatedNormal(0.01, 2) });
  throw new RuleError(
    `with prepType "conv1x1" temporalDownsample is 1, not ${temporal}`,
    "perceiverio.conv1x1",
  );
}

/** The first of every `step` elements along an axis. */
const every = (x: Tensor<"b t c h w">, axis: number, step: number): Tensor<"b t c h w"> =>
  rearrange("b t c h w 1 -> b t c h w", named("b t c h w 1", windows(x, axis, 1, step)));
