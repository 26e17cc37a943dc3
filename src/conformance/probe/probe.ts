// Identifies the mask of an implementation: changes one image at a time, measures which rows change, and finds the
// convention, or the known mistake, with the same effects.
import { type Convention, conventions } from "../../masks/conventions/conventions.ts";
import { checkGiven, checkMember } from "../../tensor/given.ts";
import { causalWithoutMask, countingRestarts, maskMistakes } from "../mistakes/mask-mistakes.ts";
import type { Mistake } from "../mistakes/mistake.ts";
import { type Ask, answerOrRefusal, asking, isRefusal, type ProbeAdapter, type Refusal } from "./ask.ts";
import { type BatchFault, batchFaultOf, compareBatches, otherBatches } from "./batch/independence.ts";
import { combinationOf } from "./combinations.ts";
import { type Mismatch, mismatchesFrom, mismatchesOf } from "./match.ts";
import { type Measured, measure } from "./measure.ts";
import { baseConventions, effectsOfConvention, effectsOfMistake } from "./mistakes.ts";
import { type Modes, modesOf } from "./modes.ts";
import { calls, IMAGES, type ProbeCall, type ProbeShape, textsOf } from "./plan.ts";
import { checkReached, type Outputs, UnusableOutputs } from "./rows.ts";

/** A convention in which a known mistake is made. */
export interface ConventionCandidate {
  readonly convention: Convention;
  readonly mistake: Mistake;
}

/** The conventions and known mistakes that agree with an implementation, row by row. */
export interface ProbeResult extends Modes {
  readonly call: ProbeCall;
  readonly measured: Measured;
  /** Rows that are not the same in every batch. Conventions are compared only where it is those of another call. */
  readonly batch: BatchFault | null;
  /** Conventions that agree on every row; those whose cached steps agree too come first. */
  readonly exact: readonly Convention[];
  /** Known mistakes that agree on every row, each with the convention that it is made in. */
  readonly mistakes: readonly ConventionCandidate[];
  /** A convention without a name that agrees on every row; null if a named one does, or none. */
  readonly combination: Convention | null;
  /** The convention that the rows are compared with: the expected, the first exact or the nearest one. */
  readonly nearest: Convention;
  readonly mismatches: readonly Mismatch[];
  /** Calls that the adapter did not answer, although no implementation may skip them. */
  readonly refused: readonly Refusal[];
}

const every: readonly Convention[] = Object.values(conventions);

/** The sizes of the calls, and what is expected. */
export interface ProbeOptions {
  readonly shape: ProbeShape;
  /** The convention that the implementation is expected to follow. */
  readonly expect?: Convention | null;
}

/** The first call, or where that fails, one of fewer prompts. [probe.strict] */
async function firstAnswer(ask: Ask): Promise<{ base: Outputs; refused: readonly Refusal[] }> {
  const refused: Refusal[] = [];
  for (const call of [calls.full, calls.padded, calls.strict]) {
    const answer = await answerOrRefusal(ask, call);
    if (!isRefusal(answer)) return { base: answer, refused }; // [probe.strict]
    if (answer.error instanceof UnusableOutputs) throw answer.error; // [probe.strict]
    refused.push(answer);
  }
  throw refused[0]?.error; // [probe.strict]
}

/** Mistakes with the measured effects; one that changes no known bit is not reported. [probe.mistakes] */
function mistakesIn(measured: Measured, { prompts }: ProbeCall): ConventionCandidate[] {
  return baseConventions.flatMap((convention) => {
    const own = { effects: effectsOfConvention(convention, prompts, IMAGES), known: measured.known };
    return maskMistakes.flatMap((mistake): ConventionCandidate[] => {
      const effects = effectsOfMistake(mistake, convention, prompts, IMAGES);
      const changes = mismatchesOf(own, effects).length > 0; // [probe.mistakes]
      return changes && mismatchesOf(measured, effects).length === 0 ? [{ convention, mistake }] : []; // [probe.mistakes]
    });
  });
}

/** Compares the rows of an adapter with every convention and known mistake. */
export async function findConvention(adapter: ProbeAdapter, options: ProbeOptions): Promise<ProbeResult> {
  checkGiven("findConvention", { adapter }, "a function");
  checkMember("findConvention", { options }, "shape", "an object with a shape, the sizes of the model");
  const { shape, expect = null } = options;
  const ask = asking(adapter, shape);
  const first = await firstAnswer(ask);
  const { call } = first.base;
  const others = await compareBatches(ask, first.base, otherBatches(call));
  const measured = measure(textsOf(call, shape), first.base);
  const start = { call, measured, refused: [...first.refused, ...others.refused] };
  const candidates = mistakesIn(measured, call);
  const batch = await faultOf(ask, first.base, others.differences, candidates);
  if (batch) return { ...start, ...notCompared(batch, candidates, expect) };
  checkReached(first.base);

  const scored = every.map((convention) => ({
    convention,
    mismatching: mismatchesFrom(convention, measured, call).length,
  }));
  const agreeing = scored.filter(({ mismatching }) => mismatching === 0).map(({ convention }) => convention); // [probe.names]
  const combination = agreeing.length === 0 ? combinationOf(measured, call) : null;
  const modes = await modesOf(ask, shape, expect ?? agreeing[0] ?? combination);
  const fits = ({ cachedStep }: Convention) =>
    modes.cached.steps.includes(cachedStep === "none" ? "rows" : cachedStep);
  const exact = [...agreeing.filter(fits), ...agreeing.filter((convention) => !fits(convention))]; // [probe.cached]
  const least = [...scored].sort((a, b) => a.mismatching - b.mismatching)[0]?.convention;
  const nearest =
    expect ?? exact[0] ?? candidates[0]?.convention ?? combination ?? least ?? conventions.immediate;
  return {
    ...modes,
    ...start,
    refused: [...start.refused, ...modes.refused],
    exact,
    mistakes: [...candidates, ...mistakesOfModes(modes, agreeing, nearest)],
    combination,
    nearest,
    mismatches: mismatchesFrom(nearest, measured, call),
  };
}

/** The mistakes that show only in cached steps and without locations. [probe.mistakes] */
function mistakesOfModes(
  { cached, withoutLocations }: Modes,
  agreeing: readonly Convention[],
  nearest: Convention,
): ConventionCandidate[] {
  const counting = agreeing.find(({ cachedStep }) => cachedStep !== "restart") ?? nearest;
  return [
    ...(cached.steps.includes("restart") ? [{ convention: counting, mistake: countingRestarts }] : []), // [probe.mistakes]
    ...(withoutLocations === "causal" ? [{ convention: counting, mistake: causalWithoutMask }] : []), // [probe.mistakes]
  ];
}

const FIRST_MASK = "first-prompt-for-all";

/** How the rows of the first call depend on each other. The mistake of a mask for all rows is known by its effects. */
async function faultOf(
  ask: Ask,
  base: Outputs,
  differences: BatchFault["differences"],
  candidates: readonly ConventionCandidate[],
): Promise<BatchFault | null> {
  const firstMask = candidates.some(({ mistake }) => mistake.id === FIRST_MASK);
  if (!firstMask || differences.length === 0) return batchFaultOf(ask, base, differences);
  return { call: base.call.name, dependence: "first-mask", differences }; // [probe.batch-fault]
}

/** The result where the rows of the first call depend on each other: no convention can be compared with them. */
function notCompared(
  batch: BatchFault,
  candidates: readonly ConventionCandidate[],
  expect: Convention | null,
) {
  const skipped = "the rows of a batch depend on each other";
  return {
    batch,
    exact: [],
    mistakes: candidates.filter(({ mistake }) => mistake.id === FIRST_MASK),
    combination: null,
    nearest: expect ?? conventions.immediate,
    mismatches: [],
    cached: { skipped, steps: [] },
    withoutLocations: "skipped" as const,
    withoutLocationsSkipped: skipped,
  };
}
