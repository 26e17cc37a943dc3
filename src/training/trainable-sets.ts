// Freezing is the set of parameters that is trained; these are the sources' own sets, by their names.
import { parameterNames, stateDict } from "../nn/state-dict.ts";
import { RuleError } from "../tensor/errors.ts";
import type { ParameterGroup } from "./optimizers/optimizer.ts";

interface TrainableSet {
  /** Where it was read. */
  readonly source: string;
  readonly trains: (name: string) => boolean;
}

const resamplerAndGates = (name: string): boolean => /^(perceiver_resampler\.|layers\.\d+\.1\.)/.test(name);

/** [freezing.sets] */
export const trainableSets = {
  paper: {
    source: "arXiv 2204.14198v2, §2.1 and §2.2: vision encoder and language model are frozen",
    trains: resamplerAndGates,
  },
  "flamingo-pytorch@0.1.2": {
    source: "FlamingoPaLM.forward, when it is given images or videos",
    trains: resamplerAndGates,
  },
  "flamingo-pytorch@0.1.2 text": {
    source:
      "FlamingoPaLM.forward on text alone: everything, the image encoder too, though no gradient reaches it",
    trains: () => true,
  },
  "open-flamingo": {
    source: "factory.create_model_and_transforms: the input embeddings too, unless freeze_lm_embeddings",
    trains: (name) => resamplerAndGates(name) || name === "token_emb.weight",
  },
  "language model": {
    source: "PaLM on text, before there are images",
    trains: (name) => /^(token_emb\.|to_logits\.|layers\.\d+\.0\.)/.test(name),
  },
} as const satisfies Readonly<Record<string, TrainableSet>>;

export type TrainableSetName = keyof typeof trainableSets;

/** Names of the parameters that a set trains. What is not named is frozen: no gradient of it is ever computed. */
export function trainable(model: object, set: TrainableSetName): string[] {
  const names = parameterNames(model).filter((name) => trainableSets[set].trains(name)); // [freezing.sets]
  if (names.length === 0)
    throw new RuleError(`${model.constructor.name} has no parameter of the set "${set}"`, "freezing.nothing");
  return names;
}

/** Matrices decay; gains, biases, gates and other vectors do not: the usual two groups. */
export function decayGroups(model: object, names: readonly string[]): ParameterGroup[] {
  const state = stateDict(model);
  const matrix = (name: string): boolean => (state.get(name)?.shape.length ?? 0) > 1;
  return [
    { names: names.filter(matrix) },
    { names: names.filter((name) => !matrix(name)), weightDecay: 0 }, // [freezing.decay]
  ];
}
