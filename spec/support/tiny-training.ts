// A tiny Flamingo, its data, and a run that can be stopped: what the tests of training train.
import { FlamingoPaLM } from "../../src/models/flamingo-palm.ts";
import { Extractor, ViT } from "../../src/models/vit.ts";
import { initialize, stateDict } from "../../src/nn/state-dict.ts";
import { generator } from "../../src/tensor/random.ts";
import { flat, Int, type Tensor } from "../../src/tensor/tensor.ts";
import { adamw } from "../../src/training/adamw.ts";
import { type TrainableSetName, trainable } from "../../src/training/freezing.ts";
import { crossEntropy } from "../../src/training/losses.ts";
import { nextTokens } from "../../src/training/targets.ts";
import { randomTensor } from "./arbitraries.ts";

const vision = {
  imageSize: 4,
  patchSize: 2,
  channels: 1,
  numClasses: 0,
  dim: 8,
  depth: 1,
  heads: 2,
  mlpDim: 8,
  dimHead: 4,
};

export function tinyFlamingo(seed = 1, dropout = 0): FlamingoPaLM {
  const imgEncoder = new Extractor(new ViT({ ...vision, dropout }));
  const small = { dim: 8, heads: 2, dimHead: 4, ffMult: 2, numTokens: 10, depth: 2, crossAttnEvery: 1 };
  const model = new FlamingoPaLM({ ...small, perceiverNumLatents: 2, perceiverDepth: 1, imgEncoder });
  initialize(model, seed);
  for (const [, cross] of model.layers) {
    cross?.attn_gate.assign(randomTensor([1], seed).data); // open gates: everything learns from the first step on
    cross?.ff_gate.assign(randomTensor([1], seed + 1).data);
  }
  return model;
}

export function tinyLoss(model: FlamingoPaLM, rows = 2): (step: number, part?: number) => Tensor<""> {
  return (step, part = 0) => {
    const { uniform } = generator(step, `text ${part}`);
    const row = () => [3, ...Array.from({ length: 4 }, () => 4 + Math.floor(uniform() * 6))];
    const text = new Int<"b l">([rows, 5], Int32Array.from(Array.from({ length: rows }, row).flat()));
    const images = randomTensor<"b m c h w">([rows, 1, 1, 4, 4], 100 * step + part + 1);
    return crossEntropy(model.forward(text, { images }), nextTokens(text)).mean;
  };
}

export const tinyOptimizer = (model: FlamingoPaLM, set: TrainableSetName = "paper") =>
  adamw({ groups: [{ names: trainable(model, set) }], learningRate: 1e-2 });

/** Every bit of every number, by name. */
export const bits = (model: object): Map<string, string> =>
  new Map([...stateDict(model)].map(([name, t]) => [name, flat(t.data).join(" ")]));

export const changedNames = (
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): string[] => [...before].filter(([name, numbers]) => after.get(name) !== numbers).map(([name]) => name);
