// Training: the image tower as a classifier of digits, then each model on documents, with the tower frozen.

import type { Tokenizer } from "../../io/tokenizers/tokenizer.ts";
import type { Backend } from "../../kernels/backend.ts";
import { parameterNames } from "../../nn/state-dict.ts";
import { generator } from "../../tensor/random.ts";
import { flat, Tensor, view } from "../../tensor/tensor.ts";
import { adamw } from "../../training/optimizers/adamw.ts";
import { schedule } from "../../training/schedules.ts";
import { decayGroups } from "../../training/trainable.ts";
import { type TrainingStep, train } from "../../training/training.ts";
import { type Digits, pick } from "../digits/data.ts";
import type { Embeddings } from "../digits/embeddings.ts";
import { gateGroups } from "../gates.ts";
import { type PhaseFile, phaseStore, trainStored } from "../phase-store.ts";
import { classifierLoss, type DigitClassifier } from "../smollm2-digits/vision.ts";
import { type EncodedDocument, encoded, randomDocument } from "./documents.ts";
import type { Reader } from "./reader.ts";

interface Phase {
  readonly steps: number;
  readonly rows: number;
  readonly learningRate: number;
}
export interface Plan {
  readonly vision: Phase;
  readonly documents: Phase;
}

export const PLAN: Plan = {
  vision: { steps: 600, rows: 64, learningRate: 3e-3 },
  documents: { steps: 800, rows: 24, learningRate: 3e-3 },
};

const BETAS = [0.9, 0.98] as const;
/** The gates' learning rate, relative to the others'. */
const GATE_RATE = 10;

/** What a run trains on. */
export interface Material {
  readonly digits: Digits;
  readonly tokenizer: Tokenizer;
  readonly seed: number;
  readonly backend: Backend;
}

const rates = (steps: number) =>
  schedule({ kind: "cosine", warmup: Math.min(30, steps - 1), steps, floor: 0.02 });

/** Trains tower and head on single digits, from the checkpoint in `file` if there is one. */
export async function* trainTower(
  classifier: DigitClassifier,
  { digits, seed, backend }: Material,
  { steps, rows, learningRate }: Phase,
  file: PhaseFile | null = null,
): AsyncGenerator<TrainingStep> {
  const groups = decayGroups(classifier, parameterNames(classifier));
  const optimizer = adamw({ groups, learningRate, betas: BETAS });
  const loss = (step: number) => {
    const draw = generator(seed, `vision ${step}`); // [kosmosDigits.seeded]
    return classifierLoss(
      classifier,
      Array.from({ length: rows }, () => pick(digits.train, draw)),
    );
  };
  const options = { model: classifier, optimizer, loss, steps, clipAt: 1, backend };
  yield* trainStored(file, { ...options, schedule: rates(steps) });
}

/** The documents of a step. Both models read the same ones. [kosmosDigits.seeded] */
export function documentsAt(
  { digits, tokenizer, seed }: Pick<Material, "digits" | "tokenizer" | "seed">,
  step: number,
  rows: number,
): EncodedDocument[] {
  const draw = generator(seed, `documents ${step}`); // [kosmosDigits.seeded]
  return Array.from({ length: rows }, () => encoded(tokenizer, randomDocument(digits.train, draw)));
}

/** Losses of steps as a tensor of a checkpoint. */
const storedLosses = (losses: readonly number[]): Tensor =>
  new Tensor([losses.length], view(Float64Array.from(losses), [losses.length]));

/**
 * Trains a model on documents, from the checkpoint in `file` if there is one. `losses` receives the loss of each step, those before
 * the checkpoint included.
 */
export async function* trainReader(
  { model, names, loss }: Reader,
  material: Material,
  features: Embeddings,
  { steps, rows, learningRate }: Phase,
  { file = null, losses = [] }: { readonly file?: PhaseFile | null; readonly losses?: number[] } = {},
): AsyncGenerator<TrainingStep> {
  const groups = gateGroups(model, names, GATE_RATE * learningRate);
  const optimizer = adamw({ groups, learningRate, betas: BETAS });
  const store = file && phaseStore(file, { model, optimizer, steps });
  const restored = store?.extra.get("losses");
  losses.push(...(restored ? flat(restored.data) : []));
  const read = (step: number) => loss(documentsAt(material, step, rows), features);
  const { backend } = material;
  const options = { model, optimizer, loss: read, steps, from: store?.from, clipAt: 1, backend };
  for await (const one of train({ ...options, schedule: rates(steps) })) {
    losses.push(one.loss);
    store?.save(one.step, () => [["losses", storedLosses(losses)]]);
    yield one;
  }
}
