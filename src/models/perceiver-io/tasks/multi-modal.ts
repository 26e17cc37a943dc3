// Autoencoding of videos with sound and a label: Jaegle et al., arXiv 2107.14795, §4.3 (perceiver_io/multimodal_perceiver.py of
// JOBR0/PerceiverIO_Pytorch).
import { type Check, checked, checkValue, whole } from "../../../nn/options.ts";
import { Bug, RuleError } from "../../../tensor/errors.ts";
import { concat, rearrange } from "../../../tensor/ops/arrange.ts";
import { add, mulScalar } from "../../../tensor/ops/functions.ts";
import { named, shapes } from "../../../tensor/pattern.ts";
import { Int, Tensor, view } from "../../../tensor/tensor.ts";
import { joined, memberOf } from "../modalities.ts";
import { PerceiverIO } from "../perceiver-io.ts";
import {
  AudioPostprocessor,
  ClassificationPostprocessor,
  ProjectionPostprocessor,
} from "../postprocessors.ts";
import { AudioPreprocessor } from "../preprocessors/audio.ts";
import { ImagePreprocessor } from "../preprocessors/image.ts";
import { oneSequence } from "../preprocessors/multimodal.ts";
import { OneHotPreprocessor } from "../preprocessors/one-hot.ts";
import { DEFAULT_PROFILE } from "../profiles.ts";
import { FourierQuery, TrainableQuery } from "../queries.ts";
import { imageSize, type PerceiverTaskOptions, size, taskChecks } from "./options.ts";

export interface MultiModalPerceiverOptions extends PerceiverTaskOptions {
  readonly imgSize?: readonly [height: number, width: number] | undefined;
  readonly imgChannels?: number | undefined;
  readonly numFrames?: number | undefined;
  readonly numClasses?: number | undefined;
  readonly audioSamplesPerFrame?: number | undefined;
  readonly audioSamplesPerPatch?: number | undefined;
}
const checks: { readonly [K in keyof MultiModalPerceiverOptions]-?: Check } = {
  imgSize: imageSize,
  imgChannels: size,
  numFrames: size,
  numClasses: size,
  audioSamplesPerFrame: size,
  audioSamplesPerPatch: size,
  ...taskChecks,
};

/** The reconstruction of a video. */
export interface Reconstruction {
  readonly image: Tensor<"b t c h w">;
  readonly audio: Tensor<"b n 1">;
  readonly label: Tensor<"b e">;
}

/** from, from + 1, …, to − 1 */
export const range = (from: number, to: number): Int =>
  new Int(
    [to - from],
    Int32Array.from({ length: to - from }, (_, i) => from + i),
  );

/**
 * A video of `numFrames` frames, its sound, and the class of what it shows.
 * Source: Jaegle et al., arXiv 2107.14795, §4.3; MultiModalPerceiver of JOBR0/PerceiverIO_Pytorch.
 */
export class MultiModalPerceiver {
  perceiver: PerceiverIO;
  readonly options: { readonly numClasses: number; readonly samplesPerPatch: number };

  constructor(options: MultiModalPerceiverOptions = {}) {
    const given = checked("MultiModalPerceiver", options, checks);
    const { imgSize = [224, 224], imgChannels = 3, numFrames = 16, numClasses = 700 } = given;
    const { audioSamplesPerFrame = 1920, audioSamplesPerPatch: samplesPerPatch = 16 } = given;
    const {
      numSelfAttendsPerBlock = 8,
      numBlocks = 1,
      numLatents = 784,
      numLatentChannels: channels = 512,
    } = given;
    const { profile = DEFAULT_PROFILE } = given;
    const [h, w] = imgSize;
    const samples = numFrames * audioSamplesPerFrame;
    const sound = { numBands: 192, maxResolution: [samples] };
    const picture = { numBands: 32, maxResolution: [numFrames, Math.floor(h / 4), Math.floor(w / 4)] };
    this.options = { numClasses, samplesPerPatch };
    this.perceiver = new PerceiverIO({
      numSelfAttendsPerBlock,
      numBlocks,
      numLatents,
      numLatentChannels: channels,
      inputPreprocessors: {
        audio: new AudioPreprocessor({
          samplesPerBatch: samples,
          samplesPerPatch,
          fourierPositionEncodingKwargs: sound,
          profile,
        }),
        image: new ImagePreprocessor({
          imgSize,
          inputChannels: imgChannels,
          numFrames,
          fourierPositionEncodingKwargs: picture,
          prepType: "patches",
          profile,
        }),
        label: new OneHotPreprocessor({ inputChannels: numClasses }),
      },
      outputPostprocessors: {
        audio: new AudioPostprocessor({ inChannels: channels, samplesPerPatch }), // [perceiverio.multi-modal]
        image: new ProjectionPostprocessor({ numInputs: channels, numOutputs: imgChannels }),
        label: new ClassificationPostprocessor({ numInputChannels: channels, numClasses }),
      },
      outputQueries: {
        audio: new FourierQuery({ outputIndexDims: [samples / samplesPerPatch], ...sound, profile }),
        image: new FourierQuery({ outputIndexDims: [numFrames, h, w], ...picture, profile }),
        label: new TrainableQuery({ outputIndexDims: [1], numChannels: 1024 }),
      },
      inputPaddingChannels: 4,
      outputQueryPaddingChannels: 2,
      inputMaskProbs: { image: 0, audio: 0, label: 1 },
      profile,
    });
  }

  /**
   * The reconstruction of a video. Throws a RuleError unless `nChunks` divides pixels and patches of sound.
   * Shapes: images `b t c h w`, audio `b n 1` → image `b t c h w`, audio `b n 1`, label `b e`.
   */
  forward(images: Tensor<"b t c h w">, audio: Tensor<"b n 1">, nChunks = 128): Reconstruction {
    return autoencode(this.perceiver, images, audio, { ...this.options, nChunks });
  }
}

/** Options of decoding. */
export interface AutoencodeOptions {
  readonly numClasses: number;
  readonly samplesPerPatch: number;
  /** The number of parts in which the outputs are decoded. */
  readonly nChunks: number;
}

/**
 * Encodes a video once and decodes its pixels and sound in chunks; the label is the mean over the chunks, whose labels are equal. Throws
 * a RuleError unless the chunks divide pixels and sound.
 */
export function autoencode(
  perceiver: PerceiverIO,
  images: Tensor<"b t c h w">,
  audio: Tensor<"b n 1">,
  { numClasses, samplesPerPatch, nChunks }: AutoencodeOptions,
): Reconstruction {
  const { t, h, w } = shapes("MultiModalPerceiver", {
    images: [images, "b t c h w"],
    audio: [audio, "b n 1"],
  });
  checkValue("MultiModalPerceiver", "nChunks", nChunks, whole(1, 2 ** 24));
  const [pixels, patches] = [t * h * w, (audio.shape[1] ?? 0) / samplesPerPatch];
  if (pixels % nChunks !== 0 || patches % nChunks !== 0)
    throw new RuleError(
      `${nChunks} chunks do not divide ${pixels} pixels and ${patches} patches of sound`,
      "perceiverio.chunks",
    );
  const encoded = encodeVideo(perceiver, images, audio, numClasses); // [perceiverio.chunks]
  const chunks = Array.from({ length: nChunks }, (_, chunk) =>
    decodeChunk(perceiver, encoded, { pixels, patches, nChunks }, chunk),
  );
  const parts = (name: keyof Chunk): Tensor[] => chunks.map((chunk) => chunk[name]);
  return assembled({ image: parts("image"), audio: parts("audio"), label: parts("label") }, { t, h });
}

/** The latents of a video whose label is not known. */
export function encodeVideo(
  perceiver: PerceiverIO,
  images: Tensor<"b t c h w">,
  audio: Tensor<"b n 1">,
  numClasses: number,
): Tensor<"b r c"> {
  const [b = 0] = images.shape;
  const label = new Tensor([b, numClasses], view(new Float64Array(b * numClasses), [b, numClasses]));
  return perceiver.encode({ image: images, audio, label }).latents;
}

/** A part of the pixels and of the sound, and the label. */
export type Chunk = Readonly<Record<"image" | "audio" | "label", Tensor>>;

/** Decodes one of `nChunks` parts of all pixels and patches of sound. */
export function decodeChunk(
  perceiver: PerceiverIO,
  latents: Tensor<"b r c">,
  {
    pixels,
    patches,
    nChunks,
  }: { readonly pixels: number; readonly patches: number; readonly nChunks: number },
  chunk: number,
): Chunk {
  const points = (all: number) => range((all / nChunks) * chunk, (all / nChunks) * (chunk + 1));
  return decodePoints(perceiver, latents, { image: points(pixels), audio: points(patches) });
}

/** Decodes some pixels and patches of sound, and the label. The queries are not made of the inputs, so the latents suffice. */
export function decodePoints(
  perceiver: PerceiverIO,
  latents: Tensor<"b r c">,
  points: { readonly image: Int; readonly audio: Int },
): Chunk {
  const tokens = { all: named("b s c", latents), byModality: {}, withoutPos: {} };
  const result = perceiver.decode(
    { latents, tokens },
    { subsampledOutputPoints: { ...points, label: null } },
  );
  if (result instanceof Tensor) throw new Bug("the model has one result");
  return {
    image: memberOf(result, "image"),
    audio: memberOf(result, "audio"),
    label: memberOf(result, "label"),
  };
}

/** The video and the sound of all parts, and the mean of their labels. */
export function assembled(
  { image, audio, label }: Readonly<Record<keyof Chunk, readonly Tensor[]>>,
  { t, h }: { readonly t: number; readonly h: number },
): Reconstruction {
  const frames = named("b (t h w) c", oneSequence(image.map((part) => named("b s c", part))));
  const samples = joined(audio, (all, part) =>
    concat("b n, b m -> b k", named("b n", all), named("b m", part)),
  );
  return {
    image: rearrange("b (t h w) c -> b t c h w", frames, { t, h }),
    audio: rearrange("b n -> b n 1", named("b n", samples)),
    label: named("b e", mulScalar(joined(label, add), 1 / label.length)),
  };
}
