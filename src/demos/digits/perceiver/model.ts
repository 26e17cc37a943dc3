// A small Perceiver IO that classifies digits: pixels with Fourier features of their positions, one query for the class.
import { saveSafetensors } from "../../../io/safetensors/write.ts";
import { PerceiverIO } from "../../../models/perceiver-io/perceiver-io.ts";
import { ClassificationPostprocessor } from "../../../models/perceiver-io/postprocessors.ts";
import { ImagePreprocessor } from "../../../models/perceiver-io/preprocessors/image.ts";
import { TrainableQuery } from "../../../models/perceiver-io/queries.ts";
import { initialize, stateDict } from "../../../nn/state-dict.ts";
import { NUMBERS } from "../captions.ts";
import { SIDE } from "../data.ts";

const CHANNELS = 48;
const HEADS = 4;
const CLASSES = NUMBERS.length;

/** 64 pixels of 19 channels each are read into 16 latents, which attend to each other in two layers. */
export function perceiverDigits(seed: number): PerceiverIO {
  const model = new PerceiverIO({
    numLatents: 16,
    numLatentChannels: CHANNELS,
    numSelfAttendsPerBlock: 2,
    numBlocks: 1,
    inputPreprocessors: new ImagePreprocessor({
      imgSize: [SIDE, SIDE],
      inputChannels: 1,
      prepType: "pixels",
      spatialDownsample: 1,
      positionEncodingType: "FOURIER",
      fourierPositionEncodingKwargs: { numBands: 4, maxResolution: [SIDE, SIDE] },
    }),
    perceiverEncoderKwargs: {
      qkChannels: CHANNELS,
      vChannels: CHANNELS,
      numCrossAttendHeads: HEADS,
      numSelfAttendHeads: HEADS,
      latentPosEncInitScale: 1, // with the default of 0.02 all latents begin as nearly the same sum of pixels, and learning is slower
    },
    outputQueries: new TrainableQuery({ outputIndexDims: 1, numChannels: CHANNELS }),
    finalProjectOutChannels: CLASSES,
    outputPostprocessors: new ClassificationPostprocessor({
      numInputChannels: CLASSES,
      numClasses: CLASSES,
      project: false,
    }),
  });
  initialize(model, seed);
  return model;
}

/** Writes the weights in float32, with the name of their form. */
export function savePerceiver(path: string, model: PerceiverIO, schema: string): void {
  saveSafetensors(path, stateDict(model), { floats: "F32", metadata: new Map([["schema", schema]]) }); // [digits.perceiver-file]
}
