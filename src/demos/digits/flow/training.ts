// Training and measuring a Perceiver IO that estimates the motion of digits.
import type { Backend } from "../../../kernels/backend.ts";
import { run as runOn } from "../../../kernels/replay.ts";
import type { PerceiverIO } from "../../../models/perceiver-io/perceiver-io.ts";
import { flow } from "../../../models/perceiver-io/tasks/flow.ts";
import { parameterNames } from "../../../nn/state-dict.ts";
import { mul, square, sub, sumAll } from "../../../tensor/ops/functions.ts";
import { named } from "../../../tensor/pattern.ts";
import { generator } from "../../../tensor/random.ts";
import { flat, Tensor, view } from "../../../tensor/tensor.ts";
import { adamw } from "../../../training/optimizers/adamw.ts";
import { schedule } from "../../../training/schedules.ts";
import { decayGroups } from "../../../training/trainable.ts";
import { type TrainingStep, train } from "../../../training/training.ts";
import type { PerceiverRun } from "../perceiver/training.ts";
import { FRAME, frame, frames, motions, type Scene, scene } from "./scenes.ts";

const ROWS = 32;
const LEARNING_RATE = 4e-3;

/** Factors that make a sum over pixels the mean over pixels of ink plus the mean over white ones: ink is rare. */
export function pixelWeights(scenes: readonly Scene[]): Tensor<"b c h w"> {
  const isInk = scenes.flatMap((shown) => {
    const ink = Array.from(frame(shown, 0), (value) => value > 0);
    return [...ink, ...ink]; // for x and for y
  });
  const ink = isInk.filter(Boolean).length / 2;
  const white = isInk.length / 2 - ink;
  const shape = [scenes.length, 2, ...FRAME];
  return new Tensor<"b c h w">(
    shape,
    view(
      Float64Array.from(isInk, (is) => 1 / (is ? ink : white)),
      shape,
    ),
  );
}

/** Trains every parameter on random pairs of frames with the squared distance from the true motion; yields each step. */
export function trainFlow({
  model,
  train: pictures,
  steps,
  seed,
  backend,
}: PerceiverRun): AsyncGenerator<TrainingStep> {
  const loss = (step: number) => {
    const draw = generator(seed, `flow ${step}`); // [digits.seeded]
    const scenes = Array.from({ length: ROWS }, () => scene(pictures, draw));
    const error = sub(flow(model, FRAME, frames(scenes)), motions(scenes));
    return sumAll(mul(named("b c h w", square(error)), pixelWeights(scenes))); // [digits.flow-loss]
  };
  const groups = decayGroups(model, parameterNames(model));
  const optimizer = adamw({ groups, learningRate: LEARNING_RATE, betas: [0.9, 0.98] });
  const rates = schedule({ kind: "cosine", warmup: Math.min(20, steps - 1), steps, floor: 0.02 });
  return train({ model, optimizer, loss, steps, schedule: rates, clipAt: 1, backend });
}

/** The estimated motion of every pixel of each pair of frames, all x before all y. */
export async function estimateFlow(
  model: PerceiverIO,
  scenes: readonly Scene[],
  backend: Backend,
): Promise<Float64Array[]> {
  const [first, second] = frames(scenes);
  const inputs = { first, second };
  const estimates = flat(
    (await runOn(backend, () => flow(model, FRAME, [first, second]), { model, inputs })).data,
  );
  const each = estimates.length / scenes.length;
  return scenes.map((_, i) => Float64Array.from(estimates.subarray(i * each, (i + 1) * each)));
}
