// The observable effect of a row, as one byte: which images change it, whether its own text changes the output of attention, and
// whether the feed-forward runs. The exhaustive golden cases hold effects, since they can be measured from outside.

import type { Convention } from "../conventions/schema.ts";
import { feedForwardRuns, type RowOutcome } from "../outcome.ts";
import type { MaskRow } from "../rows.ts";

/** Images 1 to 4 are bits 0 to 3. */
export const MOST_IMAGES = 4;

export const EFFECT = { weighs: 16, feedForward: 32, nan: 64, refused: 255 } as const;

const weighs: Record<RowOutcome, boolean> = {
  attends: true,
  "unmasked-leak": true,
  "uniform-leak": false, // a plain average does not depend on the text [mask.effect]
  zeroed: false,
  identity: false,
  nan: false,
};

/** [mask.effect] */
export function effectOf(row: MaskRow, convention: Convention): number {
  const feedForward = feedForwardRuns(row.allowed.length > 0, convention) ? EFFECT.feedForward : 0;
  if (row.outcome === "nan") return EFFECT.nan | feedForward; // [mask.effect]
  const images = row.images.reduce((bits, image) => bits | (1 << (image - 1)), 0); // [mask.effect]
  return images | (weighs[row.outcome] ? EFFECT.weighs : 0) | feedForward;
}

/** An effect as text, for documents and failed comparisons. */
export function effectInWords(effect: number): string {
  if (effect === EFFECT.refused) return "refused";
  if (effect & EFFECT.nan) return "NaN";
  const images = [1, 2, 3, 4].filter((image) => effect & (1 << (image - 1)));
  const seen = images.length === 0 ? "nothing" : `{${images}}${effect & EFFECT.weighs ? "" : " evenly"}`;
  return effect & EFFECT.feedForward ? seen : `${seen}, no feed-forward`;
}
