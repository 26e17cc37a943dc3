// Three training phases: the image encoder as a classifier, the language model on text alone, and then, with both frozen,
// the resampler and the gated blocks on pictures and captions.
import { kindOf, removeFile } from "#host";
import type { Backend } from "../../kernels/backend.ts";
import { reference } from "../../kernels/reference/index.ts";
import type { Media } from "../../models/flamingo/media.ts";
import { crossEntropy } from "../../nn/cross-entropy.ts";
import { parameterNames, stateDict } from "../../nn/state-dict.ts";
import { LoadError } from "../../tensor/errors.ts";
import { named } from "../../tensor/pattern.ts";
import { generator } from "../../tensor/random.ts";
import { Int, type Tensor } from "../../tensor/tensor.ts";
import { factDifferences, loadCheckpoint, type RunFacts, saveCheckpoint } from "../../training/checkpoint.ts";
import { adamw } from "../../training/optimizers/adamw.ts";
import type { Optimizer, ParameterGroup } from "../../training/optimizers/optimizer.ts";
import { schedule } from "../../training/schedules.ts";
import { nextTokens } from "../../training/targets.ts";
import { decayGroups, trainable } from "../../training/trainable.ts";
import { type TrainingStep, train } from "../../training/training.ts";
import { phaseFacts } from "../facts.ts";
import { type Gates, gateGroups, openings, restoredGates, storedGates } from "../gates.ts";
import { interleaved, PAD, STOP, sentences } from "./captions.ts";
import { asImages, type Digits, type Picture, pick } from "./data.ts";
import { type Embeddings, embeddings, encoderOf, sequencesOf } from "./embeddings.ts";
import type { DigitsModel } from "./model.ts";

export type PhaseName = "vision" | "language" | "flamingo";
export const PHASES: readonly PhaseName[] = ["vision", "language", "flamingo"];

interface Phase {
  readonly steps: number;
  readonly rows: number;
  readonly learningRate: number;
}
export interface Plan extends Readonly<Record<PhaseName, Phase>> {
  readonly depth: number;
}

export const plans = {
  quick: {
    depth: 2,
    vision: { steps: 200, rows: 64, learningRate: 6e-3 },
    language: { steps: 150, rows: 16, learningRate: 5e-3 },
    flamingo: { steps: 350, rows: 24, learningRate: 6e-3 },
  },
  full: {
    depth: 4,
    vision: { steps: 600, rows: 64, learningRate: 3e-3 },
    language: { steps: 400, rows: 16, learningRate: 5e-3 },
    flamingo: { steps: 600, rows: 24, learningRate: 4e-3 },
  },
} as const satisfies Record<string, Plan>;

const GATE_RATE = 20;

export interface DigitsRun {
  readonly model: DigitsModel;
  readonly digits: Digits;
  readonly plan: Plan;
  readonly seed: number;
  readonly backend?: Backend | undefined;
  /** A path prefix: checkpoints are `<prefix>vision.safetensors`, `<prefix>language.safetensors`, … */
  readonly checkpoints?: string | null | undefined;
  /** Continues from the checkpoints, if there are any. Otherwise they are removed when the run begins. */
  readonly resume?: boolean | undefined;
}

export interface PhaseStep extends TrainingStep {
  readonly phase: PhaseName;
  readonly of: number;
}

type Loss = (step: number) => Tensor<"">;

/** The pictures of a step: one in each row for the classifier, pairs and triples in turn for captions. */
function picturesAt({ digits, plan, seed }: DigitsRun, phase: PhaseName, step: number): Picture[][] {
  const draw = generator(seed, `${phase} ${step}`); // [digits.seeded]
  const length = phase === "vision" ? 1 : 2 + (step % 2);
  const row = () => Array.from({ length }, () => pick(digits.train, draw));
  return Array.from({ length: plan[phase].rows }, row);
}

function lossOf(run: DigitsRun, phase: PhaseName, embedded: Embeddings): Loss {
  const { vit, flamingo } = run.model;
  if (phase === "vision")
    return (step) => {
      const shown = picturesAt(run, phase, step).flat();
      const labels = Int32Array.from(shown, ({ digit }) => digit);
      return crossEntropy(named("b n", vit.forward(asImages(shown))), new Int<"b">([shown.length], labels))
        .mean;
    };
  const predicted = (text: Int<"b l">, media: Media) =>
    crossEntropy(flamingo.forward(text, media), nextTokens(text, { padTokenId: PAD, endTokenId: STOP })).mean;
  if (phase === "language")
    return (step) =>
      predicted(sentences(run.plan.language.rows, 3, generator(run.seed, `${phase} ${step}`)), {}); // [digits.seeded]
  return (step) => {
    const shown = picturesAt(run, phase, step);
    const text = interleaved(shown, generator(run.seed, `captions ${step}`)); // [digits.seeded]
    return predicted(text, { embeds: sequencesOf(shown, embedded) });
  };
}

/** The parameter groups of a phase; gates have a higher learning rate. */
function groupsOf({ flamingo }: DigitsModel, phase: PhaseName, learningRate: number): ParameterGroup[] {
  if (phase === "vision")
    return decayGroups(
      flamingo,
      parameterNames(flamingo).filter((name) => name.startsWith("img_encoder.")),
    );
  const names = trainable(flamingo, phase === "language" ? "language model" : "paper");
  return gateGroups(flamingo, names, GATE_RATE * learningRate);
}

/** The optimiser of a phase; `names` are the parameters that the phase trains. */
export function optimizerOf(model: DigitsModel, phase: PhaseName, { learningRate }: Phase): Optimizer {
  return adamw({ groups: groupsOf(model, phase, learningRate), learningRate, betas: [0.9, 0.98] });
}

const CHECKPOINT_EVERY = 100;

const factsOf = (run: DigitsRun, phase: PhaseName): RunFacts => {
  const { plan, backend = reference() } = run;
  return phaseFacts({ ...run, backend }, phase, PHASES, { depth: plan.depth });
};

const checkpointOf = ({ checkpoints }: DigitsRun, phase: PhaseName): string | null =>
  checkpoints ? `${checkpoints}${phase}.safetensors` : null;

/** Whether there is a checkpoint to continue from. */
export const canResume = (run: DigitsRun): boolean =>
  run.resume === true && PHASES.some((phase) => kindOf(checkpointOf(run, phase) ?? "") === "file");

/** Removes the checkpoints of an earlier run, the last phase's first, so that those that remain at any time are of one run. */
export function removeCheckpoints(run: DigitsRun): void {
  for (const phase of [...PHASES].reverse()) {
    const path = checkpointOf(run, phase);
    if (path !== null) removeFile(path);
  }
}

/**
 * Throws a LoadError unless the checkpoints of `phases`, and all others that are there, are of this run. Another process that trains
 * into the same folder replaces or removes them.
 */
export function checkFolder(run: DigitsRun, phases: readonly PhaseName[]): void {
  for (const phase of PHASES) {
    const path = checkpointOf(run, phase);
    if (path === null) continue;
    const isThere = kindOf(path) === "file";
    if (isThere ? factDifferences(path, factsOf(run, phase)).length === 0 : !phases.includes(phase)) continue;
    throw new LoadError(
      `${path} has been ${isThere ? "replaced" : "removed"} while this run was training, as another run in the same folder does; give each run a folder of its own  [digits.fresh]`,
    );
  }
}

/**
 * Runs one phase, from its checkpoint when resuming, and writes a checkpoint every hundred steps and at the end. `history` receives
 * the gates after each step of the last phase, those before the checkpoint included.
 */
export async function* trainPhase(
  run: DigitsRun,
  phase: PhaseName,
  history: Gates[][] = [],
): AsyncGenerator<PhaseStep> {
  const { model, plan, backend } = run;
  const { steps } = plan[phase];
  const optimizer = optimizerOf(model, phase, plan[phase]);
  const extra = new Map<string, Tensor>();
  const progress = { model: model.flamingo, optimizer, extra };
  const path = checkpointOf(run, phase);
  const resumed = path !== null && run.resume && kindOf(path) === "file";
  const facts = factsOf(run, phase);
  const from = resumed ? loadCheckpoint(path, progress, facts) : 0; // [digits.stop]
  history.push(...restoredGates(extra.get("gates")));
  const remaining = phase === "flamingo" ? Array.from({ length: steps - from }, (_, i) => from + i) : [];
  const needed = remaining.flatMap((step) => picturesAt(run, phase, step).flat());
  const embedded = await embeddings(encoderOf(model.vit), needed, backend);
  const options = { model: model.flamingo, optimizer, steps, from, clipAt: 1, backend };
  const rates = schedule({ kind: "cosine", warmup: Math.min(10, steps - 1), steps, floor: 0.02 });
  for await (const step of train({ ...options, loss: lossOf(run, phase, embedded), schedule: rates })) {
    if (phase === "flamingo") history.push(gatesOf(model));
    if (path !== null && (step.step % CHECKPOINT_EVERY === 0 || step.step === steps)) {
      checkFolder(run, PHASES.slice(0, PHASES.indexOf(phase))); // [digits.fresh]
      if (phase === "flamingo") extra.set("gates", storedGates(history));
      saveCheckpoint(path, progress, step.step, facts);
    }
    yield { ...step, phase, of: steps };
  }
}

export const gatesOf = ({ flamingo }: DigitsModel): Gates[] =>
  openings(flamingo.layers.map(({ 1: cross }) => cross));

/** Every parameter and buffer as text, exact to the last bit, to find out which of them a phase changes. */
export const snapshot = (model: object): Map<string, string> =>
  new Map([...stateDict(model)].map(([name, t]) => [name, t.flat().join(" ")]));
