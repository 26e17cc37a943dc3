// Training and measuring a Perceiver IO that estimates the motion of digits.
import type { Backend } from "../../../kernels/backend.ts";
import { run as runOn } from "../../../kernels/replay.ts";
import type { PerceiverIO } from "../../../models/perceiver-io/perceiver-io.ts";
import { flow } from "../../../models/perceiver-io/tasks/flow.ts";
import { mul, square, sub, sumAll } from "../../../tensor/ops/functions.ts";
import { named } from "../../../tensor/pattern.ts";
import { generator } from "../../../tensor/random.ts";
import { flat, Tensor, view } from "../../../tensor/tensor.ts";
import type { TrainingStep } from "../../../training/training.ts";
import { type PerceiverPlan, type PerceiverRun, trainModel } from "../perceiver/run.ts";
import { FRAME, frame, frames, motions, type Scene, scene } from "./scenes.ts";

const PLAN: PerceiverPlan = { task: "perceiver-flow", rows: 32, learningRate: 4e-3, warmup: 20 };

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
export function trainFlow(run: PerceiverRun): AsyncGenerator<TrainingStep> {
  const { model, train: pictures, seed } = run;
  return trainModel(run, PLAN, (step) => {
    const draw = generator(seed, `flow ${step}`); // [digits.seeded]
    const scenes = Array.from({ length: PLAN.rows }, () => scene(pictures, draw));
    const error = sub(flow(model, FRAME, frames(scenes)), motions(scenes));
    return sumAll(mul(named("b c h w", square(error)), pixelWeights(scenes))); // [digits.flow-loss]
  });
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
