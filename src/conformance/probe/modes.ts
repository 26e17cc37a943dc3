// Cached decoding, and calls without locations: an implementation can have another mask there.
import type { Convention } from "../../masks/conventions/conventions.ts";
import type { CachedStep } from "../../masks/conventions/schema.ts";
import { type Ask, answerOrRefusal, isRefusal, type Refusal, SkippedCall } from "./ask.ts";
import { mixed } from "./batch/calls.ts";
import { type BatchFault, batchFaultOf, compareBatches } from "./batch/independence.ts";
import { cachedStepsOf, readWithoutLocations, type WithoutLocations } from "./match.ts";
import { measure } from "./measure.ts";
import { calls, type ProbeShape, textsOf } from "./plan.ts";

export interface Cached {
  /** The reason why cached steps were not measured; null if they were. */
  readonly skipped: string | null;
  /** The ways of making a cached step that agree with every row. */
  readonly steps: readonly CachedStep[];
}

export interface Modes {
  readonly cached: Cached;
  readonly withoutLocations: WithoutLocations;
  /** The reason why the call without locations was not measured; null if it was. */
  readonly withoutLocationsSkipped: string | null;
  /** Rows of these calls that are not the same in every batch. */
  readonly batch: BatchFault | null;
  readonly refused: readonly Refusal[];
}

type CachedMode = Pick<Modes, "cached" | "batch" | "refused">;

const notMeasured = (skipped: string, more: Partial<CachedMode> = {}): CachedMode => ({
  cached: { skipped, steps: [] },
  batch: null,
  refused: [],
  ...more,
});

/** [probe.cached] */
async function cachedMode(ask: Ask, shape: ProbeShape, convention: Convention | null): Promise<CachedMode> {
  if (!convention) return notMeasured("the mask of the whole text is none of the known conventions");
  const answer = await answerOrRefusal(ask, calls.cached);
  if (isRefusal(answer)) {
    const bySkip = answer.error instanceof SkippedCall;
    return notMeasured(answer.reason, bySkip ? {} : { refused: [answer] }); // [probe.strict]
  }
  const { differences, refused } = await compareBatches(ask, answer, [mixed(calls.cached)]);
  const batch = await batchFaultOf(ask, answer, differences);
  if (batch) return notMeasured("their rows depend on the batch", { batch, refused });
  const steps = cachedStepsOf(measure(textsOf(calls.cached, shape), answer), convention);
  return { cached: { skipped: null, steps }, batch, refused };
}

/** [probe.without-locations] */
async function withoutLocationsMode(ask: Ask, shape: ProbeShape) {
  const call = calls["without-locations"];
  const answer = await answerOrRefusal(ask, call);
  if (isRefusal(answer))
    return {
      withoutLocations: "skipped",
      withoutLocationsSkipped: answer.reason,
      batch: null,
      refused: [],
    } as const;
  const { differences, refused } = await compareBatches(ask, answer, [mixed(call)]); // [probe.batch]
  return {
    withoutLocations: readWithoutLocations(measure(textsOf(call, shape), answer), shape.latents),
    withoutLocationsSkipped: null,
    batch: await batchFaultOf(ask, answer, differences),
    refused,
  };
}

/** Sends the calls of cached decoding and those without locations. Cached steps are compared with ways of continuing `convention`. */
export async function modesOf(ask: Ask, shape: ProbeShape, convention: Convention | null): Promise<Modes> {
  const cached = await cachedMode(ask, shape, convention);
  const without = await withoutLocationsMode(ask, shape);
  const refused = [...cached.refused, ...without.refused];
  return { ...without, ...cached, batch: cached.batch ?? without.batch, refused };
}
