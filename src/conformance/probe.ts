// Finds the mask that an implementation really has: changes one image at a time, sees which rows move, and names the
// convention, or the known mistake, that would have moved the same rows.
import type { Stored } from "../io/safetensors.ts";
import { type Convention, conventions } from "../masks/convention.ts";
import { replayDecoding } from "../masks/decode.ts";
import { EFFECT, effectOf } from "../masks/effect.ts";
import type { CachedStep } from "../masks/terms.ts";
import { LoadError } from "../tensor/errors.ts";
import { type Measured, measure } from "./probe-measure.ts";
import { departed, effectsOfConvention, effectsOfMistake, type Mistake, mistakes } from "./probe-mistakes.ts";
import { calls, IMAGES, inputsOf, LENGTH, type ProbeCall, type ProbeShape } from "./probe-plan.ts";

/** What an adapter answers to one call. `skipped`: it says itself that it cannot do this. */
export type Answer = { readonly outputs: ReadonlyMap<string, Stored> } | { readonly skipped: string };
export type Adapter = (call: ProbeCall, inputs: ReadonlyMap<string, Stored>) => Promise<Answer>;

export interface Candidate {
  readonly convention: Convention;
  /** Null: the convention itself. */
  readonly mistake: Mistake | null;
  readonly effects: readonly (readonly number[])[];
}

export interface Departure {
  readonly prompt: number;
  readonly position: number;
  readonly measured: number;
  readonly expected: number;
}

export interface Cached {
  /** Why nothing was measured; null: it was. */
  readonly skipped: string | null;
  /** The ways of making a cached step that agree with every row. */
  readonly steps: readonly CachedStep[];
}

export type WithoutLocations = "everything" | "causal" | "nothing" | "something else" | "skipped";

export interface ProbeResult {
  readonly call: ProbeCall;
  readonly measured: Measured;
  /** Conventions that agree on every row, those whose cached steps agree too first. */
  readonly exact: readonly Convention[];
  /** Known mistakes that agree on every row, and the conventions from which they depart. */
  readonly mistakes: readonly Candidate[];
  /** The convention, named or nearest, with which the rows are compared. */
  readonly nearest: Convention;
  readonly departures: readonly Departure[];
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

/** The rows on which an effect is not what was measured, in the bits that are known. [probe.match] */
export const departuresOf = (
  { effects, known }: Pick<Measured, "effects" | "known">,
  expected: readonly (readonly number[])[],
): Departure[] =>
  effects.flatMap((rows, prompt) =>
    rows.flatMap((measured, position) => {
      const should = expected[prompt]?.[position] ?? 0;
      const differs = ((measured ^ should) & (known[prompt]?.[position] ?? 0)) !== 0; // [probe.match]
      return differs ? [{ prompt, position, measured, expected: should }] : [];
    }),
  );

/** What a way of making cached steps would show after the first pass. */
function cachedEffects(call: ProbeCall, convention: Convention, cachedStep: CachedStep): number[][] {
  const locations = { shape: [call.prompts.length, LENGTH], data: call.prompts.flat() };
  const [prompt = 1] = call.passes ?? [];
  const steps = replayDecoding(
    locations,
    IMAGES,
    { ...convention, cachedStep },
    { prompt, passes: call.passes ?? [] },
  );
  return call.prompts.map((_, p) =>
    steps.flatMap(
      ({ rows, to, from }) =>
        rows[p]?.map((row) => effectOf(row, convention)) ?? new Array<number>(to - from).fill(EFFECT.refused),
    ),
  );
}

/** Every way but "none", which shows nothing that "rows" does not. */
const WAYS: readonly CachedStep[] = [
  "rows",
  "count",
  "restart",
  "prompt-end",
  "mask-end",
  "last-row",
  "ahead",
];

/** [probe.cached] */
export const waysOf = (measured: Measured, convention: Convention): CachedStep[] =>
  WAYS.filter((way) => departuresOf(measured, cachedEffects(calls.cached, convention, way)).length === 0); // [probe.cached]

/** Row l of a causal mask over keys: those up to l, or up to the difference of the lengths beyond it. */
function causalEffects(latents: number, shift: number): number[][] {
  const seen = (l: number) =>
    Array.from({ length: IMAGES }, (_, m) => (m * latents <= l + shift ? 1 << m : 0));
  return [Array.from({ length: LENGTH }, (_, l) => seen(l).reduce((a, b) => a | b))];
}

/** [probe.without-locations] */
function readWithoutLocations({ effects }: Measured, latents: number): WithoutLocations {
  const all = 2 ** IMAGES - 1;
  const rows = effects.map((list) => list.map((effect) => effect & all));
  const flat = rows.flat();
  if (flat.every((row) => row === all)) return "everything"; // [probe.without-locations]
  if (flat.every((row) => row === 0)) return "nothing"; // [probe.without-locations]
  const same = (expected: number[][]) => `${expected}` === `${rows}`;
  const shifts = [0, IMAGES * latents - LENGTH];
  return shifts.some((shift) => same(causalEffects(latents, shift))) ? "causal" : "something else"; // [probe.without-locations]
}

export interface ProbeOptions {
  readonly shape: ProbeShape;
  /** The convention that it should follow. */
  readonly expect?: Convention | null;
}

export async function probe(adapter: Adapter, { shape, expect = null }: ProbeOptions): Promise<ProbeResult> {
  let [call, refused]: [ProbeCall, string | null] = [calls.full, null];
  let measured: Measured;
  try {
    measured = await ask(adapter, call, shape);
  } catch (error) {
    call = calls.strict; // [probe.strict]
    refused = words(error);
    measured = await ask(adapter, call, shape).catch(() => {
      throw error; // what the first call said is what is wrong
    });
  }
  const { prompts } = call;
  const candidates = every.map((convention) => ({
    convention,
    effects: effectsOfConvention(convention, prompts, IMAGES),
  }));
  const scored = candidates.map(({ convention, effects }) => ({
    convention,
    departures: departuresOf(measured, effects),
  }));
  const agreeing = scored
    .filter(({ departures }) => departures.length === 0)
    .map(({ convention }) => convention); // [probe.names]
  const wrong = departed.flatMap((convention) =>
    mistakes.map(
      (mistake): Candidate => ({
        convention,
        mistake,
        effects: effectsOfMistake(mistake.id, convention, prompts, IMAGES),
      }),
    ),
  );
  const found = wrong.filter(({ convention, effects }) => {
    const own = candidates.find((other) => other.convention === convention)?.effects ?? [];
    const changes = departuresOf({ effects: own, known: measured.known }, effects).length > 0; // a mistake that changes nothing is none here
    return changes && departuresOf(measured, effects).length === 0; // [probe.mistakes]
  });
  const least = [...scored].sort((a, b) => a.departures.length - b.departures.length)[0];
  const beside = found[0]?.convention;
  const nearest = expect ?? agreeing[0] ?? beside ?? least?.convention ?? conventions.immediate;

  const cached = await askCached(adapter, shape, nearest);
  const withoutLocations = await ask(adapter, calls["without-locations"], shape)
    .then((rows) => readWithoutLocations(rows, shape.latents))
    .catch((): WithoutLocations => "skipped");
  const fits = ({ cachedStep }: Convention) =>
    cached.steps.includes(cachedStep === "none" ? "rows" : cachedStep);
  const exact = [...agreeing.filter(fits), ...agreeing.filter((convention) => !fits(convention))]; // [probe.cached]
  const reference = expect ?? exact[0] ?? nearest;
  const departures = scored.find(({ convention }) => convention === reference)?.departures ?? [];
  return {
    call,
    measured,
    exact,
    mistakes: found,
    nearest: reference,
    departures,
    cached,
    withoutLocations,
    refused,
  };
}

async function askCached(adapter: Adapter, shape: ProbeShape, convention: Convention): Promise<Cached> {
  try {
    const measured = await ask(adapter, calls.cached, shape);
    return { skipped: null, steps: waysOf(measured, convention) };
  } catch (error) {
    return { skipped: words(error), steps: [] };
  }
}
