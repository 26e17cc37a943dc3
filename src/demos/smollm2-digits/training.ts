// Two phases: the image tower as a classifier, then, with it and the language model frozen, the resampler and the gated layers on texts about
// pairs of pictures.
import { kindOf, removeFile } from "#host";
import type { Backend } from "../../kernels/backend.ts";
import { parameterNames } from "../../nn/state-dict.ts";
import { generator } from "../../tensor/random.ts";
import { Tensor, view } from "../../tensor/tensor.ts";
import type { RunFacts } from "../../training/checkpoint.ts";
import type { FlamingoBatch } from "../../training/open-flamingo/loss.ts";
import { trainFlamingo } from "../../training/open-flamingo/train.ts";
import { adamw } from "../../training/optimizers/adamw.ts";
import { schedule } from "../../training/schedules.ts";
import { decayGroups, trainable } from "../../training/trainable.ts";
import { type Digits, type Picture, pick } from "../digits/data.ts";
import { type Embeddings, embeddings, sequencesOf } from "../digits/embeddings.ts";
import { phaseFacts } from "../facts.ts";
import { type Gates, gateGroups, restoredGates, storedGates } from "../gates.ts";
import { type PhaseFile, phaseStore, trainStored } from "../phase-store.ts";
import { addStates, batchOfTexts, gatesOf, type SmolDigits, type States } from "./model.ts";
import { answerLabels, type PairText, pairTexts } from "./texts.ts";
import { classifierLoss, pictureTensors } from "./vision.ts";

export type PhaseName = "vision" | "flamingo";
export const PHASES: readonly PhaseName[] = ["vision", "flamingo"];

interface Phase {
  readonly steps: number;
  readonly rows: number;
  readonly learningRate: number;
}
export interface Plan extends Readonly<Record<PhaseName, Phase>> {
  /** Distinct texts. */
  readonly texts: number;
}

export const PLAN: Plan = {
  texts: 200,
  vision: { steps: 400, rows: 64, learningRate: 3e-3 },
  flamingo: { steps: 400, rows: 16, learningRate: 1e-3 },
};

/** The gates' learning rate, relative to the others'. */
const GATE_RATE = 20;

export interface SmolRun {
  readonly model: SmolDigits;
  readonly digits: Digits;
  readonly plan: Plan;
  readonly seed: number;
  readonly backend: Backend;
  /** A digest of the language model's weights. */
  readonly language: string;
  /** A path prefix: checkpoints are `<prefix>vision.safetensors` and `<prefix>flamingo.safetensors`. */
  readonly checkpoints: string;
  /** Continues from the checkpoints, if there are any. Otherwise they are removed when the run begins. */
  readonly resume: boolean;
  /** Steps between two checkpoints. Default 50. */
  readonly checkpointEvery?: number | undefined;
}

export interface PhaseStep {
  readonly phase: PhaseName | "texts";
  /** The number of steps taken, and of all steps of the phase; of texts where hidden states are computed. */
  readonly step: number;
  readonly of: number;
  /** null where hidden states are computed. */
  readonly loss: number | null;
}

const factsOf = (run: SmolRun, phase: PhaseName): RunFacts =>
  phaseFacts(run, phase, PHASES, {
    task: "smollm2-digits",
    texts: run.plan.texts,
    "first layer": run.model.firstLayer,
    "language model": run.language,
  });

export const checkpointOf = ({ checkpoints }: SmolRun, phase: PhaseName): string =>
  `${checkpoints}${phase}.safetensors`;

const isThere = (run: SmolRun, phase: PhaseName): boolean => kindOf(checkpointOf(run, phase)) === "file";

/** Whether there is a checkpoint to continue from. */
export const canResume = (run: SmolRun): boolean => run.resume && PHASES.some((phase) => isThere(run, phase));

/** Removes the checkpoints of an earlier run, the last phase's first. */
export function removeCheckpoints(run: SmolRun): void {
  for (const phase of [...PHASES].reverse()) removeFile(checkpointOf(run, phase));
}

const fileOf = (run: SmolRun, phase: PhaseName): PhaseFile => ({
  path: checkpointOf(run, phase),
  facts: factsOf(run, phase),
  resume: run.resume,
  every: run.checkpointEvery,
});

const rates = (steps: number) =>
  schedule({ kind: "cosine", warmup: Math.min(10, steps - 1), steps, floor: 0.02 });

/** Trains tower and head on single digits. */
export async function* trainTower(run: SmolRun): AsyncGenerator<PhaseStep> {
  const { model, plan, backend, digits, seed } = run;
  const { classifier } = model;
  const { steps, rows, learningRate } = plan.vision;
  const groups = decayGroups(classifier, parameterNames(classifier));
  const optimizer = adamw({ groups, learningRate, betas: BETAS });
  const loss = (step: number) => {
    const draw = generator(seed, `vision ${step}`); // [smollm2Digits.seeded]
    return classifierLoss(
      classifier,
      Array.from({ length: rows }, () => pick(digits.train, draw)),
    );
  };
  const options = { model: classifier, optimizer, loss, steps, clipAt: 1, backend, schedule: rates(steps) };
  for await (const { step, loss } of trainStored(fileOf(run, "vision"), options))
    yield { phase: "vision", step, of: steps, loss };
}
const BETAS = [0.9, 0.98] as const;

/** The data of the second phase, from which each step draws. */
interface Material {
  readonly texts: readonly PairText[];
  readonly states: States;
  readonly features: Embeddings;
  /** Pictures to train on, by digit. */
  readonly pictures: readonly (readonly Picture[])[];
}

/** The texts of a step, which are neighbours in length so that little is padded, and a picture for each digit that they name. */
export function batchAt(
  run: SmolRun,
  { texts, states, features, pictures }: Material,
  step: number,
): FlamingoBatch {
  const draw = generator(run.seed, `flamingo ${step}`); // [smollm2Digits.seeded]
  const rows = Math.min(run.plan.flamingo.rows, texts.length);
  const from = Math.floor(draw.uniform() * (texts.length - rows + 1));
  const chosen = texts.slice(from, from + rows);
  const shown = chosen.map(({ digits }) => digits.map((digit) => pick(pictures[digit] ?? [], draw)));
  const batch = batchOfTexts(run.model, chosen);
  const [b = 0, l = 0] = batch.ids.shape;
  const width = run.model.flamingo.model.lang_encoder.width;
  const values = new Float32Array(b * l * width);
  for (const [row, text] of chosen.entries()) values.set(states.get(text) ?? [], row * l * width);
  const x = new Tensor<"b l d">([b, l, width], view(values, [b, l, width]));
  return { ...batch, features: sequencesOf(shown, features), states: { layer: run.model.firstLayer, x } };
}

/** The parameters of the second phase: resampler and gated layers. */
export const trainedNames = ({ flamingo }: SmolDigits): string[] =>
  trainable(flamingo.model, "open-flamingo, frozen embeddings");

/** Trains resampler and gated layers. `history` receives the gates after each step, those before the checkpoint included. */
export async function* trainGatedLayers(run: SmolRun, history: Gates[][]): AsyncGenerator<PhaseStep> {
  const { model, plan, backend, digits, seed } = run;
  const { model: flamingo, tokenizer, padTokenId } = model.flamingo;
  const { steps, learningRate } = plan.flamingo;
  const groups = gateGroups(flamingo, trainedNames(model), GATE_RATE * learningRate);
  const optimizer = adamw({ groups, learningRate, betas: BETAS });
  const store = phaseStore(fileOf(run, "flamingo"), { model: flamingo, optimizer, steps });
  history.push(...restoredGates(store.extra.get("gates")));
  if (store.from >= steps) return;

  const texts = pairTexts(tokenizer, plan.texts, seed);
  const states = new Map<PairText, Float32Array>();
  for await (const done of addStates(model, texts, states, backend))
    yield { phase: "texts", step: done, of: texts.length, loss: null };
  const encoder = { model: model.classifier.tower, encode: encodeWith(model) };
  const features = await embeddings(encoder, digits.train, backend); // [smollm2Digits.states]
  const pictures = Array.from({ length: 10 }, (_, digit) =>
    digits.train.filter((one) => one.digit === digit),
  );
  const material = { texts, states, features, pictures };
  const dataset = {
    name: "pairs",
    labels: answerLabels(tokenizer),
    batch: (step: number) => batchAt(run, material, step),
  };
  const from = { step: store.from, updates: store.from };
  const options = { model: flamingo, optimizer, datasets: [dataset], steps, from, padTokenId, backend };
  for await (const { step, losses } of trainFlamingo({ ...options, schedule: rates(steps) })) {
    history.push(gatesOf(model));
    store.save(step, () => [["gates", storedGates(history)]]);
    yield { phase: "flamingo", step, of: steps, loss: losses.pairs ?? null };
  }
}

const encodeWith =
  ({ classifier }: SmolDigits) =>
  (pictures: readonly Picture[]) =>
    classifier.tower.forward(pictureTensors(pictures));
