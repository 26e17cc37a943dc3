// A complete run: for each seed the image tower, then the models on the same documents, each followed by its evidence.
import { kindOf, removeFile } from "#host";
import type { Tokenizer } from "../../io/tokenizers/tokenizer.ts";
import type { Backend } from "../../kernels/backend.ts";
import type { FlamingoPaLM } from "../../models/flamingo/flamingo-palm.ts";
import type { Kosmos } from "../../models/kosmos/kosmos.ts";
import { initialize, stateDict } from "../../nn/state-dict.ts";
import { weightsDigest } from "../../training/weights-digest.ts";
import { BLANK, type Digits, type Picture } from "../digits/data.ts";
import { embeddings } from "../digits/embeddings.ts";
import { phaseFacts } from "../facts.ts";
import type { Checkpoints, PhaseFile } from "../phase-store.ts";
import {
  classifierAccuracy,
  type DigitClassifier,
  digitClassifier,
  pictureTensors,
} from "../smollm2-digits/vision.ts";
import { evidenceOf, type ReaderEvidence } from "./evidence.ts";
import { flamingoReader } from "./flamingo.ts";
import { digitsKosmos, kosmosReader } from "./kosmos.ts";
import type { Reader, ReaderName } from "./reader.ts";
import { type Plan, trainReader, trainTower } from "./training.ts";

/** Checkpoints of the first seed are `<prefix>1-vision.safetensors`, `<prefix>1-kosmos.safetensors`, … */
export interface KosmosDigitsRun extends Checkpoints {
  readonly digits: Digits;
  readonly tokenizer: Tokenizer;
  readonly plan: Plan;
  readonly backend: Backend;
  /** Whether FlamingoPaLM is trained on the same documents. */
  readonly compare: boolean;
  /** Seconds of processor time since any moment, of all threads together. */
  readonly clock: () => number;
  readonly seeds: readonly number[];
}

export interface PhaseStep {
  readonly seed: number;
  readonly phase: "vision" | ReaderName;
  /** The number of steps taken, and of all steps of the phase. */
  readonly step: number;
  readonly of: number;
  readonly loss: number;
}

export interface ReaderResult extends ReaderEvidence {
  readonly name: ReaderName;
  /** Numbers that are trained on documents. */
  readonly parameters: number;
  /** Processor time of a step, in seconds; null if all steps were taken before the run was resumed. */
  readonly secondsPerStep: number | null;
  /** Mean losses since the entry before. */
  readonly losses: readonly { readonly step: number; readonly loss: number }[];
}

export interface SeedResult {
  readonly seed: number;
  /** The accuracy of the image tower's own classifier, which captions cannot be expected to exceed. */
  readonly classifier: number;
  /** Whether training on documents changed no weight of the tower. */
  readonly towerUnchanged: boolean;
  readonly readers: readonly ReaderResult[];
}

const LOSS_EVERY = 100;
/** Seeds of one run at most. */
export const MOST_SEEDS = 10;

const PHASES = ["vision", "kosmos", "flamingo"] as const;
type PhaseName = (typeof PHASES)[number];
const PHASE_OF = { Kosmos: "kosmos", FlamingoPaLM: "flamingo" } as const satisfies Record<
  ReaderName,
  PhaseName
>;

/** Checkpoints are named by the position of their seed, so that one of another seed is refused and not left beside others. */
const checkpointOf = (prefix: string, position: number, phase: PhaseName): string =>
  `${prefix}${position + 1}-${phase}.safetensors`;

const checkpointFiles = ({ checkpoints }: Pick<KosmosDigitsRun, "checkpoints">, seeds: number): string[] =>
  Array.from({ length: seeds }, (_, i) => i).flatMap((i) =>
    checkpoints ? PHASES.map((phase) => checkpointOf(checkpoints, i, phase)) : [],
  );

/** Whether there is a checkpoint to continue from. */
export const canResume = (run: KosmosDigitsRun): boolean =>
  run.resume === true && checkpointFiles(run, run.seeds.length).some((path) => kindOf(path) === "file");

/** Removes the checkpoints of an earlier run, the last first, so that those that remain at any time are of one run. */
export function removeCheckpoints(run: KosmosDigitsRun): void {
  for (const path of checkpointFiles(run, MOST_SEEDS).reverse()) removeFile(path); // [kosmosDigits.resume]
}

function fileOf(run: KosmosDigitsRun, seed: number, phase: PhaseName): PhaseFile | null {
  const { checkpoints, resume = false, checkpointEvery: every } = run;
  if (!checkpoints) return null;
  const own = { task: "kosmos-digits", phase };
  const facts = phaseFacts({ ...run, seed }, "documents", ["vision", "documents"], own);
  return { path: checkpointOf(checkpoints, run.seeds.indexOf(seed), phase), facts, resume, every };
}

/** Mean losses of every hundred steps and of the rest. */
function meanLosses(losses: readonly number[]): ReaderResult["losses"] {
  const count = Math.ceil(losses.length / LOSS_EVERY);
  return Array.from({ length: count }, (_, i) => {
    const recent = losses.slice(i * LOSS_EVERY, (i + 1) * LOSS_EVERY);
    return {
      step: i * LOSS_EVERY + recent.length,
      loss: recent.reduce((sum, one) => sum + one, 0) / recent.length,
    };
  });
}

/** Trains one model, and measures it. */
async function* trainedReader(
  run: KosmosDigitsRun,
  seed: number,
  reader: Reader,
  features: Awaited<ReturnType<typeof embeddings>>,
): AsyncGenerator<PhaseStep, ReaderResult> {
  const { digits, tokenizer, backend, clock } = run;
  const { documents } = run.plan;
  const losses: number[] = [];
  const checkpoint = { file: fileOf(run, seed, PHASE_OF[reader.name]), losses };
  const begin = clock();
  let taken = 0;
  for await (const { step, loss } of trainReader(reader, { ...run, seed }, features, documents, checkpoint)) {
    taken++;
    yield { seed, phase: reader.name, step, of: documents.steps, loss };
  }
  const secondsPerStep = taken === 0 ? null : (clock() - begin) / taken;
  const state = stateDict(reader.model);
  const parameters = reader.names.reduce((sum, name) => sum + (state.get(name)?.size ?? 0), 0);
  const evidence = await evidenceOf({ reader, tokenizer, features, backend }, digits.heldOut);
  return { name: reader.name, parameters, secondsPerStep, losses: meanLosses(losses), ...evidence };
}

/** The models of one seed, and what was measured of them. */
export interface TrainedSeed {
  readonly result: SeedResult;
  readonly classifier: DigitClassifier;
  readonly kosmos: Kosmos;
  /** Null where it was not asked for. */
  readonly flamingo: FlamingoPaLM | null;
}

/** Trains and measures with one seed, and yields each step. */
export async function* trainSeed(run: KosmosDigitsRun, seed: number): AsyncGenerator<PhaseStep, TrainedSeed> {
  const { digits, plan, backend, compare } = run;
  const classifier = digitClassifier(seed);
  const { tower } = classifier;
  const kosmos = digitsKosmos(tower);
  initialize(kosmos, seed); // also the tower, which the next phase trains
  const file = fileOf(run, seed, "vision");
  for await (const { step, loss } of trainTower(classifier, { ...run, seed }, plan.vision, file))
    yield { seed, phase: "vision", step, of: plan.vision.steps, loss };
  const encoder = {
    model: tower,
    encode: (pictures: readonly Picture[]) => tower.forward(pictureTensors(pictures)),
  };
  const features = await embeddings(encoder, [...digits.train, ...digits.heldOut, BLANK], backend);
  const before = weightsDigest(tower);
  const readers: ReaderResult[] = [];
  const flamingo = compare ? flamingoReader(seed) : null;
  for (const reader of [kosmosReader(kosmos), ...(flamingo ? [flamingo] : [])])
    readers.push(yield* trainedReader(run, seed, reader, features));
  const towerUnchanged = weightsDigest(tower) === before; // [kosmosDigits.frozen]
  const accuracy = await classifierAccuracy(classifier, digits.heldOut, backend);
  const result = { seed, classifier: accuracy, towerUnchanged, readers };
  return { result, classifier, kosmos, flamingo: flamingo?.model ?? null };
}
