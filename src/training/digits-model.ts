// The small Flamingo of the digits.
import { FlamingoPaLM } from "../models/flamingo-palm.ts";
import type { FlamingoBehaviour } from "../models/profiles.ts";
import { Extractor, ViT } from "../models/vit.ts";
import { initialize } from "../nn/state-dict.ts";
import { IMAGE, VOCABULARY } from "./captions.ts";
import { SIDE } from "./digits.ts";

export interface DigitsModel {
  readonly vit: ViT;
  readonly flamingo: FlamingoPaLM;
}

const HEAD = { heads: 4, dimHead: 8 } as const;
const DIM = 32;

/** A vision encoder of two layers on 2×2 patches, and a language model of `depth` layers, each with a gate to the images. */
export function digitsModel(
  depth: number,
  seed: number,
  behaviour: Partial<FlamingoBehaviour> = {},
): DigitsModel {
  const vision = {
    imageSize: SIDE,
    patchSize: 2,
    channels: 1,
    numClasses: 10,
    mlpDim: 2 * DIM,
    pool: "cls" as const,
  };
  const vit = new ViT({ ...vision, ...HEAD, dim: DIM, depth: 2 });
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
  return { vit, flamingo };
}
