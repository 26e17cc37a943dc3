// A complete run: both phases, with digests of what must not change, then the evidence.
import { parameterNames } from "../../nn/state-dict.ts";
import { weightsDigest } from "../../training/weights-digest.ts";
import type { Gates } from "../gates.ts";
import {
  attentionOf,
  type CaptionRow,
  captionRows,
  pairsFrom,
  type QuestionRow,
  questionRows,
} from "./evidence.ts";
import type { SmolDigits } from "./model.ts";
import type { SmolEvidence, SmolTraining } from "./report.ts";
import {
  type PhaseStep,
  removeCheckpoints,
  type SmolRun,
  trainedNames,
  trainGatedLayers,
  trainTower,
} from "./training.ts";
import { classifierAccuracy } from "./vision.ts";

/** A digest of every weight of the language model. */
export function languageDigest(model: SmolDigits): string {
  const { model: flamingo } = model.flamingo;
  const tower = parameterNames(flamingo).filter((name) => name.startsWith("vision_encoder."));
  return weightsDigest(flamingo, [...trainedNames(model), ...tower]);
}

/** Steps between the losses that a report has. */
const LOSS_EVERY = 10;

/** Trains and yields each step. The result says whether the frozen weights are the same, bit for bit. [smollm2Digits.frozen] */
export async function* trainSmolDigits(run: SmolRun): AsyncGenerator<PhaseStep, SmolTraining> {
  const { model } = run;
  const { tower } = model.classifier;
  const history: Gates[][] = [];
  const losses: { step: number; loss: number }[] = [];
  if (!run.resume) removeCheckpoints(run); // [smollm2Digits.resume]
  yield* trainTower(run);
  const before = weightsDigest(tower);
  let recent: number[] = [];
  for await (const one of trainGatedLayers(run, history)) {
    if (one.loss !== null) recent.push(one.loss);
    if (one.phase === "flamingo" && (one.step % LOSS_EVERY === 0 || one.step === one.of)) {
      losses.push({ step: one.step, loss: recent.reduce((sum, loss) => sum + loss, 0) / recent.length });
      recent = [];
    }
    yield one;
  }
  const frozen = {
    language: { before: run.language, after: languageDigest(model) },
    tower: { before, after: weightsDigest(tower) },
  };
  return { frozen, history, losses, firstLayer: model.firstLayer };
}

/** A part of the evidence that has been measured. */
export type Measured = CaptionRow | QuestionRow;

/** Measures on held-out pictures, and yields each row. */
export async function* smolEvidence({
  model,
  digits,
  backend,
}: SmolRun): AsyncGenerator<Measured, SmolEvidence> {
  const { heldOut } = digits;
  const captions: CaptionRow[] = [];
  for await (const row of captionRows(model, heldOut, backend)) {
    captions.push(row);
    yield row;
  }
  const questions: QuestionRow[] = [];
  for await (const row of questionRows(model, heldOut, backend)) {
    questions.push(row);
    yield row;
  }
  const [pair = []] = pairsFrom(heldOut);
  const classifier = await classifierAccuracy(model.classifier, heldOut, backend);
  return { captions, questions, classifier, attention: await attentionOf(model, pair, backend) };
}
