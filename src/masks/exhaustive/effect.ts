// What a row shows to somebody who may only change its inputs: which images move it, whether its own text moves what it
// attends, whether the feed-forward runs. A byte a row, the content of the exhaustive golden cases.

import type { Convention } from "../conventions/schema.ts";
import { feedForwardRuns, type RowFacts, type RowOutcome } from "../outcome.ts";

/** Images from 1 to 4 are bits 0 to 3; the most that a byte has room for. */
export const MOST_IMAGES = 4;

export const EFFECT = { weighs: 16, feedForward: 32, nan: 64, refused: 255 } as const;

const weighs: Record<RowOutcome, boolean> = {
  attends: true,
  "unmasked-leak": true,
  "uniform-leak": false, // a plain average does not ask the text [mask.effect]
  zeroed: false,
  identity: false,
  nan: false,
};

/** [mask.effect] */
export function effectOf(row: RowFacts, convention: Convention): number {
  const fed = feedForwardRuns(row.mayAttend, convention) ? EFFECT.feedForward : 0;
  if (row.outcome === "nan") return EFFECT.nan | fed; // [mask.effect]
  const moved = row.images.reduce((bits, image) => bits | (1 << (image - 1)), 0); // [mask.effect]
  return moved | (weighs[row.outcome] ? EFFECT.weighs : 0) | fed;
}

/** In words: what a document or a failed comparison says. */
export function effectInWords(effect: number): string {
  if (effect === EFFECT.refused) return "refused";
  if (effect & EFFECT.nan) return "NaN";
  const images = [1, 2, 3, 4].filter((image) => effect & (1 << (image - 1)));
  const seen = images.length === 0 ? "nothing" : `{${images}}${effect & EFFECT.weighs ? "" : " evenly"}`;
  return effect & EFFECT.feedForward ? seen : `${seen}, no feed-forward`;
}
