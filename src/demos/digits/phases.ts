// Three training phases: the image encoder as a classifier, the language model on text alone, and then, with both frozen,
// the resampler and the gated blocks on pictures and captions.
import { kindOf } from "#host";
import type { Backend } from "../../kernels/backend.ts";
import type { Media } from "../../models/flamingo/media.ts";
import { parameterNames, stateDict } from "../../nn/state-dict.ts";
import { named } from "../../tensor/pattern.ts";
import { generator } from "../../tensor/random.ts";
import { flat, Int, type Tensor } from "../../tensor/tensor.ts";
import { loadCheckpoint, saveCheckpoint } from "../../training/checkpoint.ts";
import { crossEntropy } from "../../training/losses.ts";
import { adamw } from "../../training/optimizers/adamw.ts";
import type { Optimizer, ParameterGroup } from "../../training/optimizers/optimizer.ts";
import { schedule } from "../../training/schedules.ts";
import { nextTokens } from "../../training/targets.ts";
import { decayGroups, trainable } from "../../training/trainable.ts";
import { type Step, train } from "../../training/training.ts";
import { interleaved, PAD, STOP, sentences } from "./captions.ts";
import { asImages, type Digits, type Picture, pick } from "./data.ts";
import { type Embeddings, embeddings, sequencesOf } from "./embeddings.ts";
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

/**
 * The gates' learning rate, relative to the others'. Gates start at zero, and the blocks behind them get gradients in
 * proportion to how far the gates have opened.
 */
const GATE_RATE = 20;

export interface DigitsRun {
  readonly model: DigitsModel;
  readonly digits: Digits;
  readonly plan: Plan;
  readonly seed: number;
  readonly backend?: Backend | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A path prefix: checkpoints are `<prefix>vision.safetensors`, `<prefix>language.safetensors`, … */
  readonly checkpoints?: string | null | undefined;
  readonly resume?: boolean | undefined;
}

export interface PhaseStep extends Step {
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
  const gates = names.filter((name) => name.endsWith("_gate"));
  const others = names.filter((name) => !name.endsWith("_gate"));
  return [
    ...decayGroups(flamingo, others),
    { names: gates, learningRate: GATE_RATE * learningRate, weightDecay: 0 },
  ];
}

/** The optimiser of a phase; `names` are the parameters that the phase trains. */
export function optimizerOf(model: DigitsModel, phase: PhaseName, { learningRate }: Phase): Optimizer {
  return adamw({ groups: groupsOf(model, phase, learningRate), learningRate, betas: [0.9, 0.98] });
}

const CHECKPOINT_EVERY = 100;

/** Runs one phase, from its checkpoint when resuming, and writes a checkpoint every hundred steps and at the end. */
export async function* trainPhase(run: DigitsRun, phase: PhaseName): AsyncGenerator<PhaseStep> {
  const { model, plan, backend, signal, checkpoints = null, resume = false } = run;
  const { steps } = plan[phase];
  const optimizer = optimizerOf(model, phase, plan[phase]);
  const progress = { model: model.flamingo, optimizer };
  const path = `${checkpoints}${phase}.safetensors`;
  const resumed = checkpoints !== null && resume && kindOf(path) === "file";
  const from = resumed ? loadCheckpoint(path, progress) : 0; // [digits.stop]
  const remaining = phase === "flamingo" ? Array.from({ length: steps - from }, (_, i) => from + i) : [];
  const needed = remaining.flatMap((step) => picturesAt(run, phase, step).flat());
  const embedded = await embeddings(model.vit, needed, backend);
  const options = { model: model.flamingo, optimizer, steps, from, clipAt: 1, backend, signal };
  const rates = schedule({ kind: "cosine", warmup: Math.min(10, steps - 1), steps, floor: 0.02 });
  for await (const step of train({ ...options, loss: lossOf(run, phase, embedded), schedule: rates })) {
    if (checkpoints !== null && (step.step % CHECKPOINT_EVERY === 0 || step.step === steps))
      saveCheckpoint(path, progress, step.step);
    yield { ...step, phase, of: steps };
  }
}

/** tanh of both gates in each layer; 0 is closed. */
export const gatesOf = ({ flamingo }: DigitsModel): { attn: number; ff: number }[] =>
  flamingo.layers.flatMap(([, cross]) => {
    const opening = (gate: Tensor): number => Math.tanh(flat(gate.data)[0] ?? 0);
    return cross ? [{ attn: opening(cross.attn_gate), ff: opening(cross.ff_gate) }] : [];
  });

/** Every parameter and buffer as text, exact to the last bit, to find out which of them a phase changes. */
export const snapshot = (model: object): Map<string, string> =>
  new Map([...stateDict(model)].map(([name, t]) => [name, flat(t.data).join(" ")]));
