// A complete run: three phases, then the evidence.
import { parameterNames } from "../../nn/state-dict.ts";
import type { Gates } from "../gates.ts";
import { classifierAccuracy, type EvidenceRow, evidence, underConventions } from "./evidence.ts";
import {
  type DigitsRun,
  optimizerOf,
  PHASES,
  type PhaseStep,
  removeCheckpoints,
  snapshot,
  trainPhase,
} from "./phases.ts";
import type { DigitsReport } from "./report.ts";

/** Trains and yields each step. The result reports whether the last phase changed its own parameters and no others. */
export async function* trainDigits(
  run: DigitsRun,
): AsyncGenerator<PhaseStep, Pick<DigitsReport, "frozenUnchanged" | "trainedChanged" | "history">> {
  const { model, plan } = run;
  const history: Gates[][] = [];
  let before = snapshot(model.flamingo);
  if (!run.resume) removeCheckpoints(run); // [digits.fresh]
  for (const phase of PHASES) {
    if (phase === "flamingo") before = snapshot(model.flamingo);
    yield* trainPhase(run, phase, history);
  }
  const after = snapshot(model.flamingo);
  const trained = new Set(optimizerOf(model, "flamingo", plan.flamingo).names);
  const changed = (name: string): boolean => before.get(name) !== after.get(name);
  const frozen = parameterNames(model.flamingo).filter((name) => !trained.has(name));
  return {
    frozenUnchanged: !frozen.some(changed), // [digits.frozen]
    trainedChanged: [...trained].every(changed),
    history,
  };
}

/** Accuracy on held-out pairs and triples: as trained, swapped, blanked, and under other conventions if requested. */
export async function allEvidence(
  { model, digits, backend }: DigitsRun,
  { conventions }: { readonly conventions: boolean },
): Promise<{ classifier: number; rows: EvidenceRow[] }> {
  const rows: EvidenceRow[] = [];
  for (const length of [2, 3]) {
    rows.push(...Object.values(await evidence(model, digits.heldOut, length, backend)));
    if (conventions) rows.push(...(await underConventions(model, digits.heldOut, length, backend)));
  }
  return { classifier: await classifierAccuracy(model, digits.heldOut, backend), rows };
}
