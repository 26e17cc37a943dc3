// Optical flow: Jaegle et al., arXiv 2107.14795, §4.2 (perceiver_io/flow_perceiver.py of JOBR0/PerceiverIO_Pytorch).
import { type Check, checked, optional, positive } from "../../../nn/options.ts";
import { RuleError } from "../../../tensor/errors.ts";
import { concat, pad, rearrange, slice } from "../../../tensor/ops/arrange.ts";
import { add, div, expand, mul } from "../../../tensor/ops/functions.ts";
import { named, shapes } from "../../../tensor/pattern.ts";
import { Tensor, view } from "../../../tensor/tensor.ts";
import { joined } from "../modalities.ts";
import { PerceiverIO } from "../perceiver-io.ts";
import { FlowPostprocessor } from "../postprocessors.ts";
import { ImagePreprocessor } from "../preprocessors/image.ts";
import { patchesForFlow } from "../preprocessors/patches.ts";
import { DEFAULT_PROFILE } from "../profiles.ts";
import { FlowQuery } from "../queries.ts";
import { imageSize, type PerceiverTaskOptions, taskChecks } from "./options.ts";

export interface FlowPerceiverOptions extends PerceiverTaskOptions {
  readonly imgSize?: readonly [height: number, width: number] | undefined;
  readonly flowScaleFactor?: number | undefined;
}
const checks: { readonly [K in keyof FlowPerceiverOptions]-?: Check } = {
  imgSize: imageSize,
  flowScaleFactor: optional(positive),
  ...taskChecks,
};

/**
 * The displacement of every pixel of a picture to the next one, in pixels.
 * Source: Jaegle et al., arXiv 2107.14795, §4.2; FlowPerceiver of JOBR0/PerceiverIO_Pytorch.
 */
export class FlowPerceiver {
  perceiver: PerceiverIO;
  readonly options: { readonly imgSize: readonly [number, number] };

  constructor(options: FlowPerceiverOptions = {}) {
    const given = checked("FlowPerceiver", options, checks);
    const {
      imgSize = [368, 496],
      flowScaleFactor = 20 / 100,
      numLatents = 2048,
      numLatentChannels = 512,
    } = given;
    const { numSelfAttendsPerBlock = 24, numBlocks = 1, profile = DEFAULT_PROFILE } = given;
    this.options = { imgSize };
    const input = new ImagePreprocessor({
      imgSize,
      inputChannels: 27,
      fourierPositionEncodingKwargs: { numBands: 64, maxResolution: imgSize },
      prepType: "patches",
      spatialDownsample: 1,
      convAfterPatching: true,
      temporalDownsample: 2,
      numChannels: 64,
      profile,
    });
    this.perceiver = new PerceiverIO({
      finalProjectOutChannels: 2,
      numBlocks,
      numSelfAttendsPerBlock,
      numLatents,
      numLatentChannels,
      perceiverEncoderKwargs: { numSelfAttendHeads: 16 },
      perceiverDecoderKwargs: { outputWInit: "zeros" },
      outputQueries: new FlowQuery({
        preprocessedInputChannels: input.outputChannels,
        outputImgSize: imgSize,
      }),
      inputPreprocessors: input,
      outputPostprocessors: new FlowPostprocessor({ imgSize, flowScaleFactor }),
      profile,
    });
  }

  /**
   * Pictures of exactly `imgSize`, or with `testMode` of any larger size, which are covered with tiles. Throws a RuleError for
   * pictures of another size, and for tiles that would not advance.
   * Shapes: image1 `b c h w`, image2 `b c h w` → `b d h w`, with d = 2.
   */
  forward(
    image1: Tensor<"b c h w">,
    image2: Tensor<"b c h w">,
    tiling: Partial<Tiling> = {},
  ): Tensor<"b c h w"> {
    return flow(this.perceiver, this.options.imgSize, [image1, image2], tiling);
  }
}

export interface Tiling {
  readonly testMode: boolean;
  /** The least number of pixels that neighbouring tiles share. */
  readonly minOverlap: number;
}

/** The flow of a pair of pictures. Throws a RuleError if they are smaller than a tile, or of another size without `testMode`. */
export function flow(
  perceiver: PerceiverIO,
  [h, w]: readonly [number, number],
  [first, second]: readonly [Tensor<"b c h w">, Tensor<"b c h w">],
  { testMode = false, minOverlap = 20 }: Partial<Tiling> = {},
): Tensor<"b c h w"> {
  const { h: height, w: width } = shapes("FlowPerceiver", {
    image1: [first, "b c h w"],
    image2: [second, "b c h w"],
  });
  const inTime = <A extends string>(axes: A, x: Tensor<"b c h w">): Tensor<A> =>
    named(axes, rearrange("b c h w -> b 1 c h w", x));
  const frames = [inTime("b t c h w", first), inTime("b u c h w", second)] as const;
  const pair = concat("b t c h w, b u c h w -> b v c h w", ...frames);
  const tile = (y: number, x: number): Tensor<"b c h w"> => {
    const part = slice(slice(pair, 3, y, y + h), 4, x, x + w);
    return named("b c h w", perceiver.single(patchesForFlow(named("b t c h w", part))));
  };
  if (height < h || width < w || (!testMode && (height !== h || width !== w)))
    throw new RuleError(
      `the pictures are ${height}×${width}; the model takes ${h}×${w}, or with testMode any larger size: resize them`,
      "perceiverio.flow-size",
    );
  if (!testMode) return tile(0, 0);
  const places = tilePlaces([height, width], [h, w], minOverlap);
  return blended(
    places.map(({ y, x }) => ({ y, x, flow: tile(y, x) })),
    [height, width],
    [h, w],
  );
}

/** Rows and columns. */
type Sides = readonly [height: number, width: number];

/** The upper left corner of a tile. */
export interface Place {
  readonly y: number;
  readonly x: number;
}

/** Where the tiles of a picture are. Throws a RuleError if they would not advance. */
export const tilePlaces = ([height, width]: Sides, [h, w]: Sides, minOverlap = 20): Place[] =>
  corners(height, h, minOverlap).flatMap((y) => corners(width, w, minOverlap).map((x) => ({ y, x }))); // [perceiverio.tiles]

/** The flow of a picture from the flows of its tiles. */
export function blended(
  tiles: readonly (Place & { readonly flow: Tensor<"b c h w"> })[],
  [height, width]: Sides,
  [h, w]: Sides,
): Tensor<"b c h w"> {
  const weights = tileWeights(h, w);
  const total = new Float32Array(height * width); // as in the source, whose weights are float32  [perceiverio.tiles]
  const pieces = tiles.map(({ y, x, flow: piece }) => {
    const weighted = mul(piece, expand(planes(weights, h, w), piece));
    for (const [i, weight] of weights.entries()) {
      const at = (y + Math.floor(i / w)) * width + x + (i % w);
      total[at] = (total[at] ?? 0) + weight;
    }
    return pad(pad(weighted, 2, y, height - y - h), 3, x, width - x - w);
  });
  const sum = joined(pieces, add); // [perceiverio.tiles]
  return div(sum, expand(planes(total, height, width), sum));
}

/** Where tiles of `side` begin along a side of `length`; the last one ends with it. Throws a RuleError if they would not advance. */
function corners(length: number, side: number, overlap: number): number[] {
  if (!(overlap < side && overlap >= 0))
    throw new RuleError(
      `minOverlap is ${overlap}; it must be less than the side of a tile, ${side}`,
      "perceiverio.tiles",
    );
  const last = length - side;
  const steps = Array.from({ length: Math.ceil(last / (side - overlap)) }, (_, i) => i * (side - overlap));
  return [...steps, last]; // [perceiverio.tiles]
}

/** The weight of each pixel of a tile: its distance from the nearest edge, at most 1. */
function tileWeights(h: number, w: number): Float32Array {
  const distance = (i: number, n: number): number => Math.min(i + 1, n - i);
  const most = Math.min(Math.ceil(h / 2), Math.ceil(w / 2));
  return Float32Array.from(
    { length: h * w },
    (_, i) => Math.min(distance(Math.floor(i / w), h), distance(i % w, w)) / most,
  ); // [perceiverio.tiles]
}

/** One value for each pixel, for all of a batch and both coordinates. */
const planes = (values: Float32Array, h: number, w: number): Tensor<"b c h w"> =>
  new Tensor([1, 1, h, w], view(values, [1, 1, h, w]));
