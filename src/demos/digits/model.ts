// A small Flamingo for the digits, and its file format.
import { loadSafetensors, type SafetensorsFile } from "../../io/safetensors/read.ts";
import { saveSafetensors } from "../../io/safetensors/write.ts";
import { quoted } from "../../io/wording.ts";
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

/** A ViT of two layers on four patches, and a language model of `depth` layers, each followed by a gated cross-attention block. */
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

/** A model with the same weights and other behaviour. */
export function withBehaviour(
  { flamingo, depth }: DigitsModel,
  behaviour: Partial<FlamingoBehaviour>,
): DigitsModel {
  const other = digitsModel(depth, 0, behaviour);
  loadStateDict(other.flamingo, stateDict(flamingo));
  return other;
}

const SCHEMA = "flamboyance-digits/1";

/** Writes the weights as float16, with the depth and the vocabulary as metadata. */
export function saveDigitsModel(path: string, { flamingo, depth }: DigitsModel): void {
  const tied = ties(flamingo);
  const weights = new Map([...stateDict(flamingo)].filter(([name]) => !tied.has(name)));
  const metadata = { schema: SCHEMA, depth: String(depth), vocabulary: VOCABULARY.join(" ") };
  saveSafetensors(path, weights, { floats: "F16", metadata: new Map(Object.entries(metadata)) }); // [digits.model-file]
}

/** The number of layers whose tensors the file has, so that a small file cannot cause a large model to be built. */
const layersIn = ({ keys }: SafetensorsFile): number =>
  new Set(keys.flatMap((key) => /^layers\.(\d+)\./.exec(key)?.[1] ?? [])).size;

/** Throws a LoadError for any file that `saveDigitsModel` did not write. */
export function loadDigitsModel(path: string): DigitsModel {
  const file = loadSafetensors(path);
  const { metadata } = file;
  if (metadata.get("schema") !== SCHEMA || metadata.get("vocabulary") !== VOCABULARY.join(" "))
    throw new LoadError(`${path} is not a model written by train digits  [digits.model-file]`);
  const [depth, layers] = [metadata.get("depth") ?? "", layersIn(file)];
  if (depth !== String(layers) || layers === 0)
    throw new LoadError(
      `${path} is broken: its depth is ${quoted(depth)}, and it has ${layers} layers; train the model again  [digits.model-file]`,
    );
  const model = digitsModel(layers, 0);
  const tensors = file.keys.map((key): [string, Tensor] => [key, file.tensor(key)]);
  try {
    loadStateDict(model.flamingo, new Map(tensors));
    for (const t of stateDict(model.flamingo).values()) t.data; // reads each weight now, so that one that is not finite is refused
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    throw new LoadError(`${path} is broken, train the model again: ${error.message}`);
  }
  return model;
}
