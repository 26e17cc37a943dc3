// Training and measuring a Perceiver IO on the digits.
import type { Backend } from "../../../kernels/backend.ts";
import { replay } from "../../../kernels/replay.ts";
import type { PerceiverIO } from "../../../models/perceiver-io/perceiver-io.ts";
import { crossEntropy } from "../../../nn/cross-entropy.ts";
import { named } from "../../../tensor/pattern.ts";
import { record } from "../../../tensor/program/record.ts";
import { type Generator, generator } from "../../../tensor/random.ts";
import { Int } from "../../../tensor/tensor.ts";
import type { TrainingStep } from "../../../training/training.ts";
import { asImages, type Picture, pick, SIDE } from "../data.ts";
import { highest } from "../evidence.ts";
import { type PerceiverPlan, type PerceiverRun, trainModel } from "./run.ts";

const PLAN: PerceiverPlan = { task: "perceiver-digits", rows: 64, learningRate: 4e-3, warmup: 10 };

/** A picture shifted by −1, 0 or 1 pixel in each direction; pixels that come from outside are white. */
export function shifted({ pixels, digit }: Picture, right: number, down: number): Picture {
  const moved = pixels.map((_, i) => {
    const [x, y] = [(i % SIDE) - right, Math.floor(i / SIDE) - down];
    const isInside = x >= 0 && x < SIDE && y >= 0 && y < SIDE;
    return isInside ? (pixels[y * SIDE + x] ?? 0) : 0; // [digits.shifted]
  });
  return { digit, pixels: moved };
}

const shift = ({ uniform }: Generator): number => Math.floor(3 * uniform()) - 1;

/** Trains every parameter as a classifier of single, shifted digits; yields each step. */
export function trainPerceiver(run: PerceiverRun): AsyncGenerator<TrainingStep> {
  const { model, train: pictures, seed } = run;
  const { rows } = PLAN;
  return trainModel(run, PLAN, (step) => {
    const draw = generator(seed, `perceiver ${step}`); // [digits.seeded]
    const shown = Array.from({ length: rows }, () => shifted(pick(pictures, draw), shift(draw), shift(draw)));
    const labels = new Int<"b">(
      [rows],
      Int32Array.from(shown, ({ digit }) => digit),
    );
    return crossEntropy(named("b n", model.single(asImages(shown))), labels).mean;
  });
}

/** The attention weights of the encoder's cross-attention, b h r s. */
const READING = "_encoder.cross_attend.attention.attn";

export interface Reading {
  /** The digit with the highest score, for each picture. */
  readonly predicted: readonly number[];
  /** The share of each latent's attention that each pixel gets, averaged over heads and pictures: [latent][pixel]. */
  readonly attention: readonly Float64Array[];
}

/** Classifies pictures, and reports which pixels each latent reads. */
export async function readPictures(
  model: PerceiverIO,
  pictures: readonly Picture[],
  backend: Backend,
): Promise<Reading> {
  const program = record(() => ({ scores: model.single(asImages(pictures)) }), { model, symbolic: true });
  const { outputs, taps } = await replay(program, backend, { taps: [READING] });
  const predicted = outputs.scores ? highest(outputs.scores) : [];
  const weights = taps[READING];
  const [, heads = 1, latents = 0] = weights?.shape ?? [];
  const attention = Array.from({ length: latents }, () => new Float64Array(SIDE ** 2));
  for (const [i, weight] of (weights ? weights.flat() : []).entries()) {
    const row = attention[Math.floor(i / SIDE ** 2) % latents];
    if (row) row[i % SIDE ** 2] = (row[i % SIDE ** 2] ?? 0) + weight / (heads * pictures.length); // [digits.latents]
  }
  return { predicted, attention };
}
