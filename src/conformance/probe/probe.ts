// Finds the mask that an implementation really has: changes one image at a time, sees which rows move, and names the
// convention, or the known mistake, that would have moved the same rows.
import type { Stored } from "../../io/safetensors/read.ts";
import { type Convention, conventions } from "../../masks/conventions/conventions.ts";
import type { CachedStep } from "../../masks/conventions/schema.ts";
import { LoadError } from "../../tensor/errors.ts";
import { causalWithoutMask, countingRestarts, maskMistakes } from "../mistakes/mask-mistakes.ts";
import type { Mistake } from "../mistakes/mistake.ts";
import {
  type Mismatch,
  mismatchesFrom,
  mismatchesOf,
  readWithoutLocations,
  type WithoutLocations,
  waysOf,
} from "./match.ts";
import { type Measured, measure } from "./measure.ts";
import { baseConventions, effectsOfConvention, effectsOfMistake } from "./mistakes.ts";
import { calls, IMAGES, inputsOf, type ProbeCall, type ProbeShape } from "./plan.ts";

/** What an adapter answers to one call. `skipped`: it says itself that it cannot do this. */
export type Answer = { readonly outputs: ReadonlyMap<string, Stored> } | { readonly skipped: string };
export type Adapter = (call: ProbeCall, inputs: ReadonlyMap<string, Stored>) => Promise<Answer>;

export interface Candidate {
  readonly convention: Convention;
  readonly mistake: Mistake;
}

export interface Cached {
  /** Why nothing was measured; null: it was. */
  readonly skipped: string | null;
  /** The ways of making a cached step that agree with every row. */
  readonly steps: readonly CachedStep[];
}

export interface ProbeResult {
  readonly call: ProbeCall;
  readonly measured: Measured;
  /** Conventions that agree on every row, those whose cached steps agree too first. */
  readonly exact: readonly Convention[];
  /** Known mistakes that agree on every row, and the conventions from which they depart. */
  readonly mistakes: readonly Candidate[];
  /** The convention, named or nearest, with which the rows are compared. */
  readonly nearest: Convention;
  readonly mismatches: readonly Mismatch[];
  readonly cached: Cached;
  readonly withoutLocations: WithoutLocations;
  /** Why prompts with too many or too few image tokens were left out; null: they were not. */
  readonly refused: string | null;
}

const every: readonly Convention[] = Object.values(conventions);

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Asks, measures, or says why not. */
async function ask(adapter: Adapter, call: ProbeCall, shape: ProbeShape): Promise<Measured> {
  const inputs = inputsOf(call, shape);
  const answer = await adapter(call, inputs);
  if ("skipped" in answer) throw new LoadError(answer.skipped);
  return measure(call, inputs, answer.outputs);
}

export interface ProbeOptions {
  readonly shape: ProbeShape;
  /** The convention that it should follow. */
  readonly expect?: Convention | null;
}

/** The adapter will not answer another call either: it hangs, or there is none. */
export class AdapterUnavailable extends LoadError {}

/** The first call, or where that is refused, its stricter prompts. [probe.strict] */
async function askAll(adapter: Adapter, shape: ProbeShape) {
  try {
    return { call: calls.full, measured: await ask(adapter, calls.full, shape), refused: null };
  } catch (error) {
    if (error instanceof AdapterUnavailable) throw error; // [probe.strict]
    const call = calls.strict; // [probe.strict]
    const measured = await ask(adapter, call, shape).catch(() => {
      throw error; // what the first call said is what is wrong
    });
    return { call, measured, refused: words(error) };
  }
}

/** Mistakes that would have moved these rows; one that changes nothing of what is known is none here. [probe.mistakes] */
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

export async function probe(adapter: Adapter, { shape, expect = null }: ProbeOptions): Promise<ProbeResult> {
  const { call, measured, refused } = await askAll(adapter, shape);
  const scored = every.map((convention) => ({
    convention,
    away: mismatchesFrom(convention, measured, call).length,
  }));
  const agreeing = scored.filter(({ away }) => away === 0).map(({ convention }) => convention); // [probe.names]
  const found = mistakesIn(measured, call);

  const cached = await askCached(adapter, shape, expect ?? agreeing[0] ?? null);
  const withoutLocations = await ask(adapter, calls["without-locations"], shape)
    .then((rows) => readWithoutLocations(rows, shape.latents))
    .catch((): WithoutLocations => "skipped");
  const fits = ({ cachedStep }: Convention) =>
    cached.steps.includes(cachedStep === "none" ? "rows" : cachedStep);
  const exact = [...agreeing.filter(fits), ...agreeing.filter((convention) => !fits(convention))]; // [probe.cached]
  const least = [...scored].sort((a, b) => a.away - b.away)[0]?.convention;
  const nearest = expect ?? exact[0] ?? found[0]?.convention ?? least ?? conventions.immediate;

  const keeps = agreeing.find(({ cachedStep }) => cachedStep !== "restart") ?? nearest;
  const late: Candidate[] = [
    ...(cached.steps.includes("restart") ? [{ convention: keeps, mistake: countingRestarts }] : []), // [probe.mistakes]
    ...(withoutLocations === "causal" ? [{ convention: keeps, mistake: causalWithoutMask }] : []), // [probe.mistakes]
  ];
  return {
    call,
    measured,
    exact,
    mistakes: [...found, ...late],
    nearest,
    mismatches: mismatchesFrom(nearest, measured, call),
    cached,
    withoutLocations,
    refused,
  };
}

async function askCached(
  adapter: Adapter,
  shape: ProbeShape,
  convention: Convention | null,
): Promise<Cached> {
  if (!convention) return { skipped: "the mask of the whole text has no name", steps: [] };
  try {
    const measured = await ask(adapter, calls.cached, shape);
    return { skipped: null, steps: waysOf(measured, convention) };
  } catch (error) {
    return { skipped: words(error), steps: [] };
  }
}
