// flamboyance/masks: which token sees which image, from integers and booleans alone.
export { type ConventionName, conventionOf, conventions } from "./conventions/conventions.ts";
export { lastImages } from "./conventions/last.ts";
export type {
  CachedStep,
  Compare,
  Convention,
  EmptyRowBehaviour,
  Numbering,
  Source,
} from "./conventions/schema.ts";
export { type CountedText, countText, TOKEN, wholeText } from "./counting/counted-text.ts";
export type { ImageRange, ImageRanges } from "./counting/image-ranges.ts";
export { type Tiles, tileMask, tilesOf } from "./counting/tiles.ts";
export { type CountCheck, type CountFinding, checkCounts } from "./counts.ts";
export { type DecodeOptions, type DecodeStep, replayDecoding } from "./decoding/decode.ts";
export {
  type Difference,
  type DistinguishingPrompt,
  differenceOf,
  distinguishingPrompt,
  type RowDifference,
} from "./difference.ts";
export { type DrawOptions, drawMask } from "./drawing/draw-mask.ts";
export { drawAgainst, drawOutcomes } from "./drawing/side-by-side.ts";
export { distinguishingExample, tour, workedExample } from "./drawing/tour.ts";
export { effectInWords, effectOf } from "./exhaustive/effect.ts";
export { type Decoding, kindStrings } from "./exhaustive/prompts.ts";
export { explain, type Reason } from "./explain.ts";
export { type Finding, findingsOf, placeOf, toneOf } from "./findings.ts";
export { causal, type Grid, locate, type Matrix } from "./grid.ts";
export { type InvariantName, invariants, type Violation, verdictsOf, violationsOf } from "./invariants.ts";
export { type Counts, mediaMask, textTime, type Visibility, visibilityOf, zeroedRows } from "./media-mask.ts";
export { numbersOf } from "./numbering.ts";
export { feedForwardRuns, leaks, OUTCOME_LABELS, type RowOutcome, rowOutcome } from "./outcome.ts";
export { MaskRow, maskRows, type RowRun, runsOf } from "./rows.ts";
export { differenceSentence, findingSentence, reasonClause, violationSentence } from "./sentences.ts";
