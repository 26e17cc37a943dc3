// The small Flamingo of the digits, and the file it is kept in.
import { loadSafetensors } from "../../io/safetensors/read.ts";
import { saveSafetensors } from "../../io/safetensors/write.ts";
import { FlamingoPaLM } from "../../models/flamingo/flamingo-palm.ts";
import type { FlamingoBehaviour } from "../../models/flamingo/profiles.ts";
import { Extractor, ViT } from "../../models/vision/vit.ts";
import { initialize, loadStateDict, stateDict, ties } from "../../nn/state-dict.ts";
import { LoadError } from "../../tensor/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { IMAGE, VOCABULARY } from "./captions.ts";
import { SIDE } from "./data.ts";

export interface DigitsModel {
  readonly vit: ViT;
  readonly flamingo: FlamingoPaLM;
  readonly depth: number;
}

const DIM = 32;
const HEAD = { heads: 4, dimHead: 8 } as const;
const VISION = {
  imageSize: SIDE,
  patchSize: 4,
  channels: 1,
  numClasses: 10,
  mlpDim: 2 * DIM,
  depth: 2,
} as const;

/** An encoder of two layers on four patches, and a language model of `depth` layers, each followed by a gate to the images. */
export function digitsModel(
  depth: number,
  seed: number,
  behaviour: Partial<FlamingoBehaviour> = {},
): DigitsModel {
  const vit = new ViT({ ...VISION, ...HEAD, dim: DIM });
  const flamingo = new FlamingoPaLM({
    ...HEAD,
    dim: DIM,
    depth,
    ffMult: 2,
    numTokens: VOCABULARY.length,
    mediaTokenId: IMAGE,
    crossAttnEvery: 1,
    perceiverDepth: 1,
    perceiverNumLatents: 4,
    imgEncoder: new Extractor(vit),
    behaviour,
  });
  initialize(flamingo, seed);
  return { vit, flamingo, depth };
}

/** Another model with the same weights, that behaves differently. */
export function withBehaviour(
  { flamingo, depth }: DigitsModel,
  behaviour: Partial<FlamingoBehaviour>,
): DigitsModel {
  const other = digitsModel(depth, 0, behaviour);
  loadStateDict(other.flamingo, stateDict(flamingo));
  return other;
}

const SCHEMA = "flamboyance-digits/1";

/** Weights as float16, about a tenth of a megabyte, with the vocabulary beside them. */
export function saveDigitsModel(path: string, { flamingo, depth }: DigitsModel): void {
  const again = ties(flamingo);
  const weights = new Map([...stateDict(flamingo)].filter(([name]) => !again.has(name)));
  const metadata = { schema: SCHEMA, depth: String(depth), vocabulary: VOCABULARY.join(" ") };
  saveSafetensors(path, weights, { floats: "F16", metadata: new Map(Object.entries(metadata)) }); // [digits.model-file]
}

export function loadDigitsModel(path: string): DigitsModel {
  const file = loadSafetensors(path);
  const { metadata } = file;
  if (metadata.get("schema") !== SCHEMA || metadata.get("vocabulary") !== VOCABULARY.join(" "))
    throw new LoadError(`${path} is no model of the digits  [digits.model-file]`);
  const model = digitsModel(Number(metadata.get("depth")), 0);
  loadStateDict(model.flamingo, new Map(file.keys.map((key): [string, Tensor] => [key, file.tensor(key)])));
  return model;
}
