// The tasks of Perceiver IO at full size: models, inputs and calls. source.py has the same.
import {
  ClassificationPerceiver,
  FlowPerceiver,
  Int,
  LanguagePerceiver,
  MultiModalPerceiver,
  tensor,
} from "../../../dist/index.js";
import { decodeChunk, encodeVideo } from "../../../dist/models/perceiver-io/tasks/multi-modal.js";

export const CHUNKS = 128;
const sizeOf = (shape) => shape.reduce((product, n) => product * n, 1);

/** 0.5 sin(0.7 i) in float32. */
function waves(shape) {
  const values = Float32Array.from({ length: sizeOf(shape) }, (_, i) => 0.5 * Math.sin(0.7 * i));
  return tensor("...", shape, values);
}
const tokens = new Int(
  [1, 2048],
  Int32Array.from({ length: 2048 }, (_, i) => (7 * i) % 262),
);
const picture = () => ({ picture: waves([1, 3, 224, 224]) });

const classifier = (prepType) => ({
  model: () => new ClassificationPerceiver({ prepType }),
  inputs: picture,
  call: (model, { picture }) => ({ out: model.forward(picture) }),
});

function oneChunk({ perceiver, options: { numClasses, samplesPerPatch } }, { images, audio }) {
  const sizes = { pixels: 16 * 224 * 224, patches: audio.shape[1] / samplesPerPatch, nChunks: CHUNKS };
  return { ...decodeChunk(perceiver, encodeVideo(perceiver, images, audio, numClasses), sizes, 0) };
}
const video = {
  model: () => new MultiModalPerceiver(),
  inputs: () => ({ images: waves([1, 16, 3, 224, 224]), audio: waves([1, 30720, 1]) }),
  call: oneChunk,
};

export const TASKS = {
  language: {
    title: "language",
    model: () => new LanguagePerceiver(),
    inputs: () => ({}),
    call: (model) => ({ out: model.forward(tokens) }),
  },
  conv1x1: {
    title: "classifier, learned positions and 1×1 convolution",
    ...classifier("LEARNED_POS_1X1CONV"),
  },
  pixels: { title: "classifier, Fourier positions and pixels", ...classifier("FOURIER_POS_PIXEL") },
  conv: { title: "classifier, Fourier positions and convolution", ...classifier("FOURIER_POS_CONVNET") },
  flow: {
    title: "flow, one tile of 368×496",
    model: () => new FlowPerceiver(),
    inputs: () => ({ image1: waves([1, 3, 368, 496]), image2: waves([1, 3, 368, 496]) }),
    call: (model, { image1, image2 }) => ({ out: model.forward(image1, image2) }),
  },
  chunk: { title: `video and sound, one of ${CHUNKS} chunks`, ...video },
  autoencode: { title: `video and sound, all of ${CHUNKS} chunks`, ...video },
};
