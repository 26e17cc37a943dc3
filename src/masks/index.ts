// flamboyance/masks: which token sees which image. Integers and booleans only; imports nothing.
export { type Convention, type ConventionName, conventions } from "./convention.ts";
export { type DrawOptions, drawMask } from "./draw.ts";
export { drawAgainst, drawClasses } from "./draw-conventions.ts";
export { explain } from "./explain.ts";
export { causal, type Grid, locate, type Matrix } from "./grid.ts";
export { type Counts, mediaMask, silentRows, textTime } from "./media-mask.ts";
export { type RowClass, type RowFacts, rowClass } from "./row-class.ts";
export { type MaskRow, maskRows } from "./rows.ts";
export { tellingExample, tour, workedExample } from "./tour.ts";
