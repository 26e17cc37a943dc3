// Measures one target after another and one shape after another, and lets the page handle events between two timings.
import { peakGflops } from "../../bench/peak-flops.ts";
import { kernels } from "../../bench/rates.ts";
import { KERNELS, type Shapes } from "../../bench/shapes.ts";
import { measureTarget, type Target } from "../../bench/target.ts";
import type { TimingOptions } from "../../bench/timing.ts";
import { firstLineOf } from "../../tensor/errors.ts";
import type { FirstResult, Results } from "./results.ts";

export interface Plan {
  readonly targets: readonly Target[];
  readonly shapes: Shapes;
  readonly timing: Omit<TimingOptions, "rest">;
  /** Iterations of the loop that measures the peak of one thread. */
  readonly loops: number;
  readonly first: (() => Promise<FirstResult>) | null;
  readonly signal: AbortSignal;
  /** Called before each step with the share of steps that are done, 0 to 1. */
  readonly progress: (step: string, done: number) => void;
}

type Step = (title: string) => Promise<void>;

/** A shape is left out if the rate of the one before it predicts more seconds than this for one run. */
const LONGEST = 3;

/** Lets the page handle events; throws if the measurement was stopped. */
async function pause(signal: AbortSignal): Promise<void> {
  await new Promise((resume) => setTimeout(resume, 0));
  signal.throwIfAborted();
}

const measureShapes = (target: Target, plan: Plan, results: Results, step: Step): Promise<void> =>
  measureTarget(target, async (backend, name) => {
    const leftOut: string[] = [];
    const timing = { ...plan.timing, rest: () => pause(plan.signal) };
    const threads = name.threads > 1 ? ` on ${name.threads} threads` : "";
    for (const kernel of KERNELS) {
      const { title, operations, rate } = kernels[kernel];
      let gflops = Infinity;
      for (const shape of plan.shapes[kernel]) {
        const product = `${title} ${shape.join("×")}`;
        await step(`${product}, ${target.mode ?? target.backend}${threads}`);
        if (operations(shape) > LONGEST * gflops * 1e9) {
          leftOut.push(product);
          continue;
        }
        gflops = await rate(backend, shape, timing);
        const milliseconds = operations(shape) / gflops / 1e6;
        results[kernel].push({ ...name, shape, gflops, milliseconds });
      }
    }
    const why = `left out because one run would take seconds: ${leftOut.join(", ")}`;
    if (leftOut.length > 0) results.missing.push({ backend: name.backend, mode: name.mode, why });
  });

/** Adds to `results` as it goes. Returns false if it was stopped; the results so far are kept. */
export async function measure(plan: Plan, results: Results): Promise<boolean> {
  const { targets, shapes, loops, first, signal, progress } = plan;
  const shapeCount = KERNELS.reduce((sum, kernel) => sum + shapes[kernel].length, 0);
  const steps = 1 + Number(first !== null) + targets.length * shapeCount;
  let done = 0;
  const step: Step = async (title) => {
    progress(title, done++ / steps);
    await pause(signal);
  };
  try {
    if (first) {
      await step("the first result of a small model");
      try {
        results.first = await first();
      } catch (error) {
        results.missing.push({ backend: "simd", mode: null, why: `no first result: ${firstLineOf(error)}` });
      }
    }
    await step("the peak of one thread");
    results.peakGflops = await peakGflops(loops);
    for (const target of targets) {
      try {
        await measureShapes(target, plan, results, step);
      } catch (error) {
        if (signal.aborted) throw error;
        const { backend, mode = null } = target;
        results.missing.push({ backend, mode, why: firstLineOf(error) });
      }
    }
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}
