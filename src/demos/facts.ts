// Facts that identify a training run in phases, for its checkpoints.
import type { Backend } from "../kernels/backend.ts";
import type { RunFacts } from "../training/checkpoint.ts";
import { type Digits, digestOf } from "./digits/data.ts";

interface PhasedRun<P extends string> {
  readonly plan: Readonly<Record<P, object>>;
  readonly seed: number;
  readonly digits: Pick<Digits, "train">;
  readonly backend: Backend;
}

/** Everything that the numbers of a phase's checkpoint depend on; `own` are facts that not every run has. */
export function phaseFacts<P extends string>(
  { plan, seed, digits, backend }: PhasedRun<P>,
  phase: P,
  phases: readonly P[],
  own: RunFacts,
): RunFacts {
  const { name, mode, precision } = backend;
  const settings = phases.flatMap((one) =>
    Object.entries(plan[one]).map(([fact, value]) => [`${one} ${fact}`, value] as const),
  );
  return {
    phase,
    seed,
    backend: [name, mode, precision].filter(Boolean).join(" "),
    ...own,
    ...Object.fromEntries(settings),
    data: digestOf(digits.train),
  };
}
