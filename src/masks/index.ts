// flamboyance/masks: which token sees which image. Integers and booleans only; imports nothing.
export { type ConventionName, conventionOf, conventions } from "./convention.ts";
export { type CountCheck, type CountFinding, checkCounts } from "./counts.ts";
export { type DecodeOptions, type DecodeStep, replayDecoding } from "./decode.ts";
export {
  type Difference,
  differenceOf,
  type RowDifference,
  type Telling,
  tellingPrompt,
} from "./difference.ts";
export { type DrawOptions, drawMask } from "./draw.ts";
export { drawAgainst, drawClasses } from "./draw-conventions.ts";
export { effectInWords, effectOf } from "./effect.ts";
export { explain } from "./explain.ts";
export { causal, type Grid, locate, type Matrix } from "./grid.ts";
export { type InvariantName, invariants, type Violation, verdictsOf, violationsOf } from "./invariants.ts";
export { type Counts, mediaMask, type SoftmaxRule, silentRows, softmaxRule, textTime } from "./media-mask.ts";
export { numbersOf, TOKEN } from "./numbering.ts";
export { CLASS_WORDS, leaks, type RowClass, type RowFacts, rowClass } from "./row-class.ts";
export { type MaskRow, maskRows } from "./rows.ts";
export { type Decoding, strings } from "./short-prompts.ts";
export type { CachedStep, Compare, Convention, EmptyRow, Numbering, Source } from "./terms.ts";
export { tellingExample, tour, workedExample } from "./tour.ts";
