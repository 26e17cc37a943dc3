// The models of the four tasks of Perceiver IO, with the weights of a file or with random ones.
import { kindOf } from "#host";
import { openPretrained } from "../../io/huggingface/pretrained.ts";
import { openWeights } from "../../io/huggingface/shards.ts";
import { loadPickle } from "../../io/pickle/read.ts";
import { loadPerceiver, type PerceiverTask } from "../../models/perceiver-io/checkpoints.ts";
import type { PerceiverCheckpoint } from "../../models/perceiver-io/names.ts";
import type { PerceiverProfileName } from "../../models/perceiver-io/profiles.ts";
import { ClassificationPerceiver } from "../../models/perceiver-io/tasks/classification.ts";
import { FlowPerceiver } from "../../models/perceiver-io/tasks/flow.ts";
import { LanguagePerceiver } from "../../models/perceiver-io/tasks/language.ts";
import { MultiModalPerceiver } from "../../models/perceiver-io/tasks/multi-modal.ts";
import type { Weights } from "../../nn/loading/report.ts";
import { initialize } from "../../nn/state-dict.ts";
import { LoadError } from "../../tensor/errors.ts";

export const PREPARATIONS = {
  conv: "FOURIER_POS_CONVNET",
  conv1x1: "LEARNED_POS_1X1CONV",
  pixels: "FOURIER_POS_PIXEL",
} as const;
export type Preparation = keyof typeof PREPARATIONS;

export interface ModelRequest {
  /** A file of weights, or a folder with config.json; undefined: random weights. */
  readonly weights: string | undefined;
  /** The seed of random weights. */
  readonly seed: number;
  /** A model that runs in seconds, with the same inputs and outputs but fewer of them. */
  readonly isSmall: boolean;
  readonly profile: PerceiverProfileName;
}

/** Sizes of inputs; those of the full models are the source's. */
export const SIZES = {
  full: {
    language: { maxSeqLen: 2048 },
    classification: { imgSize: [224, 224] },
    flow: { imgSize: [368, 496] },
    video: { imgSize: [224, 224], numFrames: 16 },
  },
  small: {
    language: { maxSeqLen: 256 },
    classification: { imgSize: [64, 64] },
    flow: { imgSize: [96, 128] },
    video: { imgSize: [32, 32], numFrames: 4 },
  },
} as const;

/** Samples of sound for a frame, and in a patch. */
export const SOUND = { perFrame: 1920, perPatch: 16, rate: 48_000 } as const;

/** Whose names a checkpoint has: those of the code that the profile follows. */
const ORIGINS = {
  "perceiver-io@64947cf": "perceiver-io",
  deepmind: "deepmind",
  "transformers@5.18.0": "transformers",
} as const satisfies Readonly<Record<PerceiverProfileName, PerceiverCheckpoint>>;

/** A folder of transformers, a pickle of DeepMind, a file of PyTorch, or safetensors. */
function opened(path: string): Weights {
  if (kindOf(path) === "folder") return openPretrained(path);
  return /\.(pickle|pystate|pkl)$/.test(path) ? loadPickle(path) : openWeights(path);
}

/** Loads the weights, or draws random ones. Throws a LoadError that names the file where they do not fit. */
function filled<M extends PerceiverTask>(model: M, { weights, seed, profile }: ModelRequest): M {
  if (weights === undefined) return initialize(model, seed); // [perceiver.weights]
  if (kindOf(weights) === "nothing")
    throw new LoadError(
      `cannot open ${weights}: it does not exist; name a file of weights (.pth, .pt, .bin or .safetensors) or a folder with config.json`,
    );
  try {
    loadPerceiver(model, opened(weights), ORIGINS[profile]); // [perceiver.weights]
    return model;
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    throw new LoadError(`${weights} does not fit the model: ${error.message}`);
  }
}

const SMALL = { numSelfAttendsPerBlock: 1, numBlocks: 1, numLatents: 16 } as const;

export function languageModel(request: ModelRequest): LanguagePerceiver {
  const { isSmall, profile } = request;
  const size = isSmall ? { ...SIZES.small.language, ...SMALL, embedDim: 64, numLatentChannels: 64 } : {};
  return filled(new LanguagePerceiver({ ...size, profile }), request);
}

export function classifier(request: ModelRequest, preparation: Preparation): ClassificationPerceiver {
  const { isSmall, profile } = request;
  const size = isSmall ? { ...SIZES.small.classification, ...SMALL, numLatentChannels: 64 } : {};
  return filled(
    new ClassificationPerceiver({ ...size, profile, prepType: PREPARATIONS[preparation] }),
    request,
  );
}

export function flowModel(request: ModelRequest): FlowPerceiver {
  const { isSmall, profile } = request;
  const size = isSmall ? { ...SIZES.small.flow, ...SMALL, numLatentChannels: 64 } : {};
  return filled(new FlowPerceiver({ ...size, profile }), request);
}

export function videoModel(request: ModelRequest): MultiModalPerceiver {
  const { isSmall, profile } = request;
  const size = isSmall ? { ...SIZES.small.video, ...SMALL, numLatentChannels: 64 } : {};
  return filled(new MultiModalPerceiver({ ...size, profile }), request);
}
