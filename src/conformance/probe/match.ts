// Compares measured effects with those of conventions, of the known ways of making cached steps, and of calls without
// locations.
import type { Convention } from "../../masks/conventions/conventions.ts";
import type { CachedStep } from "../../masks/conventions/schema.ts";
import { replayDecoding } from "../../masks/decoding/decode.ts";
import { EFFECT, effectOf } from "../../masks/exhaustive/effect.ts";
import type { Measured } from "./measure.ts";
import { effectsOfConvention } from "./mistakes.ts";
import { calls, IMAGES, LENGTH, type ProbeCall } from "./plan.ts";

export interface Mismatch {
  readonly prompt: number;
  readonly position: number;
  readonly measured: number;
  readonly expected: number;
}

/** The rows on which the measured effect is not the expected one, in the bits that are known. [probe.match] */
export const mismatchesOf = (
  { effects, known }: Pick<Measured, "effects" | "known">,
  expected: readonly (readonly number[])[],
): Mismatch[] =>
  effects.flatMap((rows, prompt) =>
    rows.flatMap((measured, position) => {
      const effect = expected[prompt]?.[position] ?? 0;
      const differs = ((measured ^ effect) & (known[prompt]?.[position] ?? 0)) !== 0; // [probe.match]
      return differs ? [{ prompt, position, measured, expected: effect }] : [];
    }),
  );

export const mismatchesFrom = (
  convention: Convention,
  measured: Measured,
  { prompts }: ProbeCall,
): Mismatch[] => mismatchesOf(measured, effectsOfConvention(convention, prompts, IMAGES));

/** The effects of cached decoding that makes its steps in this way. */
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

/** Every way but "none", whose rows are those of "rows". */
const CACHED_STEPS: readonly CachedStep[] = [
  "rows",
  "count",
  "restart",
  "prompt-end",
  "mask-end",
  "last-row",
  "ahead",
];

/** The ways of making cached steps that agree with every measured row. [probe.cached] */
export const cachedStepsOf = (measured: Measured, convention: Convention): CachedStep[] =>
  CACHED_STEPS.filter(
    (step) => mismatchesOf(measured, cachedEffects(calls.cached, convention, step)).length === 0,
  ); // [probe.cached]

/** Row l of a causal mask over keys: those up to l, or up to the difference of the lengths beyond it. */
function causalEffects(latents: number, shift: number): number[][] {
  const seen = (l: number) =>
    Array.from({ length: IMAGES }, (_, m) => (m * latents <= l + shift ? 1 << m : 0));
  return [Array.from({ length: LENGTH }, (_, l) => seen(l).reduce((a, b) => a | b))];
}

export type WithoutLocations =
  | "everything"
  | "causal"
  | "nothing"
  | "something else"
  | "not finite"
  | "skipped";

/** The images that rows see when no locations are given. [probe.without-locations] */
export function readWithoutLocations({ effects }: Measured, latents: number): WithoutLocations {
  if (effects.flat().includes(EFFECT.nan)) return "not finite"; // [probe.without-locations]
  const all = 2 ** IMAGES - 1;
  const rows = effects.map((list) => list.map((effect) => effect & all));
  const flat = rows.flat();
  if (flat.every((row) => row === all)) return "everything"; // [probe.without-locations]
  if (flat.every((row) => row === 0)) return "nothing"; // [probe.without-locations]
  const same = (expected: number[][]) => `${expected}` === `${rows}`;
  const shifts = [0, IMAGES * latents - LENGTH];
  return shifts.some((shift) => same(causalEffects(latents, shift))) ? "causal" : "something else"; // [probe.without-locations]
}
