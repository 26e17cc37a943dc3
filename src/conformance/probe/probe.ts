// Identifies the mask of an implementation: changes one image at a time, measures which rows change, and finds the
// convention, or the known mistake, with the same effects.
import type { Stored } from "../../io/safetensors/read.ts";
import { type Convention, conventions } from "../../masks/conventions/conventions.ts";
import type { CachedStep } from "../../masks/conventions/schema.ts";
import { LoadError } from "../../tensor/errors.ts";
import { causalWithoutMask, countingRestarts, maskMistakes } from "../mistakes/mask-mistakes.ts";
import type { Mistake } from "../mistakes/mistake.ts";
import {
  cachedStepsOf,
  type Mismatch,
  mismatchesFrom,
  mismatchesOf,
  readWithoutLocations,
  type WithoutLocations,
} from "./match.ts";
import { type Measured, measure } from "./measure.ts";
import { baseConventions, effectsOfConvention, effectsOfMistake } from "./mistakes.ts";
import { calls, IMAGES, inputsOf, type ProbeCall, type ProbeShape } from "./plan.ts";

/** An adapter's answer to one call. `skipped`: the reason why it does not support the call. */
export type Answer = { readonly outputs: ReadonlyMap<string, Stored> } | { readonly skipped: string };
export type Adapter = (call: ProbeCall, inputs: ReadonlyMap<string, Stored>) => Promise<Answer>;

export interface Candidate {
  readonly convention: Convention;
  readonly mistake: Mistake;
}

export interface Cached {
  /** The reason why cached steps were not measured; null if they were. */
  readonly skipped: string | null;
  /** The ways of making a cached step that agree with every row. */
  readonly steps: readonly CachedStep[];
}

export interface ProbeResult {
  readonly call: ProbeCall;
  readonly measured: Measured;
  /** Conventions that agree on every row; those whose cached steps agree too come first. */
  readonly exact: readonly Convention[];
  /** Known mistakes that agree on every row, each with the convention that it is made in. */
  readonly mistakes: readonly Candidate[];
  /** The convention that the rows are compared with: the expected, the first exact or the nearest one. */
  readonly nearest: Convention;
  readonly mismatches: readonly Mismatch[];
  readonly cached: Cached;
  readonly withoutLocations: WithoutLocations;
  /** The reason why prompts with too many or too few image tokens were left out; null if they were not. */
  readonly refused: string | null;
}

const every: readonly Convention[] = Object.values(conventions);

/** A call that the adapter does not support. [probe.skipped] */
class SkippedCall extends LoadError {
  readonly reason: string;

  constructor({ name }: ProbeCall, reason: string) {
    super(`the adapter skips the call "${name}": ${reason}  [probe.skipped]`);
    this.reason = reason;
  }
}

function messageOf(error: unknown): string {
  if (error instanceof SkippedCall) return error.reason;
  return error instanceof Error ? error.message : String(error);
}

/** Calls the adapter and measures its outputs. */
async function measured(adapter: Adapter, call: ProbeCall, shape: ProbeShape): Promise<Measured> {
  const inputs = inputsOf(call, shape);
  const answer = await adapter(call, inputs);
  if ("skipped" in answer) throw new SkippedCall(call, answer.skipped);
  return measure(call, inputs, answer.outputs);
}

export interface ProbeOptions {
  readonly shape: ProbeShape;
  /** The convention that the implementation is expected to follow. */
  readonly expect?: Convention | null;
}

/** The adapter cannot answer another call either: it hangs, or the command does not exist. */
export class AdapterUnavailable extends LoadError {}

/** The first call, or where that fails, its stricter prompts. [probe.strict] */
async function measuredFirst(adapter: Adapter, shape: ProbeShape) {
  try {
    return { call: calls.full, rows: await measured(adapter, calls.full, shape), refused: null };
  } catch (error) {
    if (error instanceof AdapterUnavailable) throw error; // [probe.strict]
    const call = calls.strict; // [probe.strict]
    const rows = await measured(adapter, call, shape).catch(() => {
      throw error; // the failure of the first call is reported
    });
    return { call, rows, refused: messageOf(error) };
  }
}

/** Mistakes with the measured effects; one that changes no known bit is not reported. [probe.mistakes] */
function mistakesIn(measured: Measured, { prompts }: ProbeCall): Candidate[] {
  return baseConventions.flatMap((convention) => {
    const own = { effects: effectsOfConvention(convention, prompts, IMAGES), known: measured.known };
    return maskMistakes.flatMap((mistake): Candidate[] => {
      const effects = effectsOfMistake(mistake, convention, prompts, IMAGES);
      const changes = mismatchesOf(own, effects).length > 0; // [probe.mistakes]
      return changes && mismatchesOf(measured, effects).length === 0 ? [{ convention, mistake }] : []; // [probe.mistakes]
    });
  });
}

/** Calls the adapter up to four times and compares its rows with every convention and known mistake. */
export async function probe(adapter: Adapter, { shape, expect = null }: ProbeOptions): Promise<ProbeResult> {
  const { call, rows, refused } = await measuredFirst(adapter, shape);
  const scored = every.map((convention) => ({
    convention,
    mismatching: mismatchesFrom(convention, rows, call).length,
  }));
  const agreeing = scored.filter(({ mismatching }) => mismatching === 0).map(({ convention }) => convention); // [probe.names]
  const candidates = mistakesIn(rows, call);

  const cached = await cachedSteps(adapter, shape, expect ?? agreeing[0] ?? null);
  const withoutLocations = await measured(adapter, calls["without-locations"], shape)
    .then((effects) => readWithoutLocations(effects, shape.latents))
    .catch((): WithoutLocations => "skipped");
  const fits = ({ cachedStep }: Convention) =>
    cached.steps.includes(cachedStep === "none" ? "rows" : cachedStep);
  const exact = [...agreeing.filter(fits), ...agreeing.filter((convention) => !fits(convention))]; // [probe.cached]
  const least = [...scored].sort((a, b) => a.mismatching - b.mismatching)[0]?.convention;
  const nearest = expect ?? exact[0] ?? candidates[0]?.convention ?? least ?? conventions.immediate;

  const counting = agreeing.find(({ cachedStep }) => cachedStep !== "restart") ?? nearest;
  const fromOtherCalls: Candidate[] = [
    ...(cached.steps.includes("restart") ? [{ convention: counting, mistake: countingRestarts }] : []), // [probe.mistakes]
    ...(withoutLocations === "causal" ? [{ convention: counting, mistake: causalWithoutMask }] : []), // [probe.mistakes]
  ];
  return {
    call,
    measured: rows,
    exact,
    mistakes: [...candidates, ...fromOtherCalls],
    nearest,
    mismatches: mismatchesFrom(nearest, rows, call),
    cached,
    withoutLocations,
    refused,
  };
}

async function cachedSteps(
  adapter: Adapter,
  shape: ProbeShape,
  convention: Convention | null,
): Promise<Cached> {
  if (!convention)
    return { skipped: "the mask of the whole text is none of the known conventions", steps: [] };
  try {
    const rows = await measured(adapter, calls.cached, shape);
    return { skipped: null, steps: cachedStepsOf(rows, convention) };
  } catch (error) {
    return { skipped: messageOf(error), steps: [] };
  }
}
