// flamboyance/masks: which token sees which image, from integers and booleans alone. Imports no other package.

export {
  type ConventionName,
  conventionOf,
  conventions,
  type NamedConvention,
} from "../masks/conventions/conventions.ts";
export { lastImages } from "../masks/conventions/last.ts";
export type {
  CachedStep,
  Compare,
  Convention,
  ConventionSource,
  EmptyRowBehaviour,
  Numbering,
} from "../masks/conventions/schema.ts";
export type { ImageRange, ImageRanges } from "../masks/counting/image-ranges.ts";
export { type Tiles, tileMask, tilesOf } from "../masks/counting/tiles.ts";
export { type CountCheck, type CountFinding, checkCounts } from "../masks/counts.ts";
export { type DecodeStep, type ReplayDecodingOptions, replayDecoding } from "../masks/decoding/decode.ts";
export {
  type DistinguishingPrompt,
  differenceOf,
  distinguishingPrompt,
  type MaskDifference,
  type RowDifference,
} from "../masks/difference.ts";
export { type DrawOptions, drawMask } from "../masks/drawing/draw-mask.ts";
export { drawAgainst, drawOutcomes } from "../masks/drawing/side-by-side.ts";
export { explainRow, type RowReason } from "../masks/explain.ts";
export { findingsOf, type MaskFinding } from "../masks/findings.ts";
export { causalMask, type Grid, type Matrix, mediaLocations } from "../masks/grid.ts";
export {
  type InvariantName,
  type InvariantViolation,
  invariants,
  verdictsOf,
  violationsOf,
} from "../masks/invariants.ts";
export {
  mediaMask,
  type TextTimes,
  textTime,
  type Visibility,
  visibilityOf,
  zeroedRows,
} from "../masks/media-mask.ts";
export { isLeak, type RowOutcome, rowOutcome } from "../masks/outcome.ts";
export {
  type ExplainedToken,
  type ExplainMaskOptions,
  explainMask,
  type MaskExplanation,
} from "../masks/prompts/explain-mask.ts";
export { MaskRow, maskRows, type RowRun, runsOf } from "../masks/rows.ts";
export {
  differenceSentence,
  findingSentence,
  reasonClause,
  rowReason,
  violationSentence,
} from "../masks/sentences.ts";
