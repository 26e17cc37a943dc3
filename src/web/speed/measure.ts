// Measures one way after the other, one shape after the other, and breathes in between: a page must stay a page.

import { peakGflops } from "../../bench/peak-flops.ts";
import { parts } from "../../bench/rates.ts";
import { modeOf, type Target } from "../../bench/target.ts";
import type { TimingOptions } from "../../bench/timing.ts";
import type { Shape } from "../../tensor/tensor.ts";
import { type First, messageOf, PARTS, type Part, type Speeds } from "./speeds.ts";

export interface Plan {
  readonly ways: readonly Target[];
  readonly shapes: Readonly<Record<Part, readonly Shape[]>>;
  readonly patience: Omit<TimingOptions, "rest">;
  /** Of the loop in registers. */
  readonly loops: number;
  readonly first: (() => Promise<First>) | null;
  readonly signal: AbortSignal;
  /** Called before each step, with how much is done, 0 to 1. */
  readonly tell: (doing: string, done: number) => void;
}

type Step = (doing: string) => Promise<void>;

/** Seconds that one run may take. */
const LONGEST = 3;
const WORDS: Readonly<Record<Part, string>> = { matmul: "product", attention: "attention" };

/** Gives the page its turn; throws where somebody has stopped it. */
async function breathe(signal: AbortSignal): Promise<void> {
  await new Promise((resume) => setTimeout(resume, 0));
  signal.throwIfAborted();
}

/** Every shape on one backend, opened and closed here. */
async function measureWay(way: Target, plan: Plan, found: Speeds, step: Step): Promise<void> {
  const { backend: name, threads } = way;
  const backend = await way.open();
  const mode = modeOf(backend);
  const long: string[] = [];
  const patience = { ...plan.patience, rest: () => breathe(plan.signal) };
  try {
    for (const part of PARTS) {
      let last = Infinity;
      for (const shape of plan.shapes[part]) {
        const title = `${WORDS[part]} ${shape.join("×")}`;
        await step(`${title}, ${way.mode ?? name}${threads > 1 ? ` on ${threads} threads` : ""}`);
        const operations = parts[part].operations(shape);
        if (operations > LONGEST * last * 1e9) {
          long.push(title);
          continue;
        }
        last = await parts[part].rate(backend, shape, patience);
        const milliseconds = operations / last / 1e6;
        found[part].push({ backend: name, mode, threads, shape, gflops: last, milliseconds });
      }
    }
    const why = `left out, since it would take seconds a run: ${long.join(", ")}`;
    if (long.length > 0) found.missing.push({ backend: name, mode, why });
  } finally {
    await backend.close();
  }
}

/** Adds to `found` as it goes. False if it was stopped: what was found stays. */
export async function measure(plan: Plan, found: Speeds): Promise<boolean> {
  const { ways, shapes, loops, first, signal, tell } = plan;
  const steps =
    1 + Number(first !== null) + ways.length * PARTS.reduce((sum, part) => sum + shapes[part].length, 0);
  let taken = 0;
  const step: Step = async (doing) => {
    tell(doing, taken++ / steps);
    await breathe(signal);
  };
  try {
    if (first) {
      await step("the first result of a small model");
      try {
        found.first = await first();
      } catch (error) {
        found.missing.push({ backend: "simd", mode: null, why: `no first result: ${messageOf(error)}` });
      }
    }
    await step("the loop in registers");
    found.registerGflops = peakGflops(loops);
    for (const way of ways) {
      try {
        await measureWay(way, plan, found, step);
      } catch (error) {
        if (signal.aborted) throw error;
        found.missing.push({ backend: way.backend, mode: way.mode ?? null, why: messageOf(error) });
      }
    }
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}
