// The two conventions between which an option chooses, without the sentences and sources of the named ones: a model needs no more.
import type { Convention } from "./schema.ts";

/** The two conventions between which the option only_attend_immediate_media chooses. */
export interface ConventionPair<C extends Convention = Convention> {
  readonly immediate: C;
  readonly allPrevious: C;
}

const immediate: Convention = {
  name: "immediate",
  numbering: "inclusive",
  neighbours: "apart",
  endTokens: "ignored",
  compare: "equal",
  emptyRow: "zero",
  zeroBeforeFirstImage: false,
  emptyRowFeedForward: "run",
  cachedStep: "rows",
};

/** The conventions of the paper (arXiv 2204.14198v2, section 2.3 and table 10 ii), which this project uses unless another pair is named. */
export const correctedPair: ConventionPair = {
  immediate,
  allPrevious: { ...immediate, name: "all-previous", compare: "at-least" },
};

/** The releases of flamingo-pytorch fill masked scores with a finite number, have no cache, and fail without an image. */
export const released: Convention = {
  ...immediate,
  emptyRow: "uniform",
  cachedStep: "none",
  refuses: "no-image",
};

/** flamingo-pytorch 0.1.2. */
export const releasedPair: ConventionPair = {
  immediate: { ...released, name: "flamingo-pytorch@0.1.2 immediate", zeroBeforeFirstImage: true },
  allPrevious: { ...released, name: "flamingo-pytorch@0.1.2 all-previous", compare: "at-least" },
};

/** The convention of a model or block with that option, which is true unless it is set to false. */
export const conventionIn = <C extends Convention>(
  { immediate, allPrevious }: ConventionPair<C>,
  onlyAttendImmediateMedia: unknown = true,
): C => (onlyAttendImmediateMedia === false ? allPrevious : immediate);
