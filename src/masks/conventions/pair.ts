// The two conventions between which an option chooses. A model needs no more than these of all named ones.
import { allPrevious, immediate } from "./paper.ts";
import type { Convention } from "./schema.ts";

/** The two conventions between which the option only_attend_immediate_media chooses. */
export interface ConventionPair {
  readonly immediate: Convention;
  readonly allPrevious: Convention;
}

/** The corrected conventions, which this project uses unless another pair is named. */
export const correctedPair: ConventionPair = { immediate, allPrevious };

/** The convention of a model or block with that option, which is true unless it is set to false. */
export const conventionIn = (
  { immediate, allPrevious }: ConventionPair,
  onlyAttendImmediateMedia: unknown = true,
): Convention => (onlyAttendImmediateMedia === false ? allPrevious : immediate);
