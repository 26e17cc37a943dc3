// A small Perceiver IO that estimates optical flow, built of the parts of the paper's flow model (arXiv 2107.14795, §4.2).
import { PerceiverIO } from "../../../models/perceiver-io/perceiver-io.ts";
import { FlowPostprocessor } from "../../../models/perceiver-io/postprocessors.ts";
import { ImagePreprocessor } from "../../../models/perceiver-io/preprocessors/image.ts";
import { FlowQuery } from "../../../models/perceiver-io/queries.ts";
import { initialize } from "../../../nn/state-dict.ts";
import { FRAME } from "./scenes.ts";

const CHANNELS = 64;
const HEADS = 4;

/** Each pixel with its 3 × 3 neighbourhood in both frames is a token and, again, the query of its motion. */
export function perceiverFlow(seed: number): PerceiverIO {
  const input = new ImagePreprocessor({
    imgSize: FRAME,
    inputChannels: 9,
    fourierPositionEncodingKwargs: { numBands: 4, maxResolution: FRAME },
    prepType: "patches",
    spatialDownsample: 1,
    convAfterPatching: true,
    temporalDownsample: 2,
    numChannels: 30,
  });
  const model = new PerceiverIO({
    numLatents: 16,
    numLatentChannels: CHANNELS,
    numSelfAttendsPerBlock: 2,
    numBlocks: 1,
    inputPreprocessors: input,
    perceiverEncoderKwargs: {
      qkChannels: CHANNELS,
      vChannels: CHANNELS,
      numCrossAttendHeads: HEADS,
      numSelfAttendHeads: HEADS,
      latentPosEncInitScale: 1,
    },
    perceiverDecoderKwargs: { qkChannels: CHANNELS, vChannels: CHANNELS, numHeads: HEADS },
    outputQueries: new FlowQuery({ preprocessedInputChannels: input.outputChannels, outputImgSize: FRAME }),
    finalProjectOutChannels: 2,
    outputPostprocessors: new FlowPostprocessor({ imgSize: FRAME }),
  });
  return initialize(model, seed);
}
