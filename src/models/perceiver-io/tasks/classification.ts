// Classification of pictures: Jaegle et al., arXiv 2107.14795, §4.5 (perceiver_io/classification_perceiver.py of JOBR0/PerceiverIO_Pytorch).
import { type Check, checked, oneOf, optional } from "../../../nn/options.ts";
import { named } from "../../../tensor/pattern.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { PerceiverIO } from "../perceiver-io.ts";
import { ClassificationPostprocessor } from "../postprocessors.ts";
import { ImagePreprocessor } from "../preprocessors/image.ts";
import { DEFAULT_PROFILE, PERCEIVER_PROFILES } from "../profiles.ts";
import { TrainableQuery } from "../queries.ts";
import { imageSize, type PerceiverTaskOptions, size, taskChecks } from "./options.ts";

const PREP_TYPES = ["FOURIER_POS_CONVNET", "LEARNED_POS_1X1CONV", "FOURIER_POS_PIXEL"] as const;

export interface ClassificationPerceiverOptions extends PerceiverTaskOptions {
  readonly numClasses?: number | undefined;
  readonly imgSize?: readonly [height: number, width: number] | undefined;
  readonly imgChannels?: number | undefined;
  readonly prepType?: (typeof PREP_TYPES)[number] | undefined;
}
const checks: { readonly [K in keyof ClassificationPerceiverOptions]-?: Check } = {
  numClasses: size,
  imgSize: imageSize,
  imgChannels: size,
  prepType: optional(oneOf(PREP_TYPES)),
  ...taskChecks,
};

/**
 * Scores of the classes of a picture.
 * Source: Jaegle et al., arXiv 2107.14795, §4.4 and appendix; ClassificationPerceiver of JOBR0/PerceiverIO_Pytorch.
 */
export class ClassificationPerceiver {
  perceiver: PerceiverIO;

  constructor(options: ClassificationPerceiverOptions = {}) {
    const given = checked("ClassificationPerceiver", options, checks);
    const { numClasses = 1000, imgSize = [224, 224], imgChannels: inputChannels = 3 } = given;
    const { prepType = "FOURIER_POS_CONVNET", numSelfAttendsPerBlock = 6, numBlocks = 8 } = given;
    const { numLatents = 512, numLatentChannels = 1024, profile = DEFAULT_PROFILE } = given;
    const { rows, channels } = PERCEIVER_PROFILES[profile].classQuery;
    const fourier = (side: number) =>
      ({
        positionEncodingType: "FOURIER",
        fourierPositionEncodingKwargs: { numBands: 64, maxResolution: [side, side] },
      }) as const;
    const image = { imgSize, inputChannels, profile };
    const input = {
      FOURIER_POS_CONVNET: () => new ImagePreprocessor({ ...image, ...fourier(56), prepType: "conv" }),
      LEARNED_POS_1X1CONV: () =>
        new ImagePreprocessor({
          ...image,
          positionEncodingType: "TRAINABLE",
          trainablePositionEncodingKwargs: { numChannels: 256 },
          prepType: "conv1x1",
          projectPosDim: 256,
          numChannels: 256,
          spatialDownsample: 1,
        }),
      FOURIER_POS_PIXEL: () =>
        new ImagePreprocessor({ ...image, ...fourier(224), prepType: "pixels", spatialDownsample: 1 }),
    }[prepType]();
    const isLearned = prepType === "LEARNED_POS_1X1CONV";
    this.perceiver = new PerceiverIO({
      numBlocks,
      numSelfAttendsPerBlock,
      numLatents,
      numLatentChannels,
      inputPreprocessors: input,
      perceiverEncoderKwargs: { numSelfAttendHeads: 8 },
      outputQueries: new TrainableQuery({
        outputIndexDims: rows === "classes" ? numClasses : rows, // [perceiverio.class-query]
        numChannels: channels === "latents" ? numLatentChannels : channels,
      }),
      perceiverDecoderKwargs: { useQueryResidual: !isLearned || profile === "transformers@5.18.0" }, // [perceiverio.classification]
      finalProjectOutChannels: numClasses,
      outputPostprocessors: new ClassificationPostprocessor({
        numInputChannels: numClasses,
        numClasses,
        project: false,
      }),
      profile,
    });
  }

  forward(picture: Tensor<"b c h w">): Tensor<"b e"> {
    return named("b e", this.perceiver.single(picture));
  }
}
