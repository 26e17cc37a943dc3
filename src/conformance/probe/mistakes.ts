// Known mistakes and conventions as the probe sees them: an effect for each row.
import { type Convention, conventions } from "../../masks/conventions/conventions.ts";
import { TOKEN } from "../../masks/counting/counted-text.ts";
import { effectOf } from "../../masks/exhaustive/effect.ts";
import { maskRows } from "../../masks/rows.ts";
import type { MaskMistake } from "../mistakes/mask-mistakes.ts";
import { effectsOfRule, maskedBatch } from "../mistakes/visibility.ts";

type Prompts = readonly (readonly number[])[];

/** The rows of an implementation of `convention` with a mistake in it. [probe.mistakes] */
export function effectsOfMistake(
  { rule }: MaskMistake,
  convention: Convention,
  prompts: Prompts,
  images: number,
): number[][] {
  const located = prompts.map((kinds) => kinds.map((kind) => Number(kind === TOKEN.image)));
  const batch = maskedBatch(located, images, convention);
  return effectsOfRule(batch, rule(batch));
}

export const effectsOfConvention = (convention: Convention, prompts: Prompts, images: number): number[][] =>
  maskRows(
    { shape: [prompts.length, prompts[0]?.length ?? 0], data: prompts.flat() },
    images,
    convention,
  ).map((rows) => rows.map((row) => effectOf(row, convention)));

/**
 * all-previous as it is computed where masked scores have a finite fill: the average of all images in rows before the first
 * image, which are then set to zero. Without that, they average all images.
 */
const allPreviousZeroed: Convention = {
  ...conventions["all-previous"],
  emptyRow: "uniform",
  zeroBeforeFirstImage: true,
};

/** The conventions that mistakes are made in: the released package's and the corrected ones. */
export const baseConventions: readonly Convention[] = [
  conventions["flamingo-pytorch@0.1.2 immediate"],
  conventions["flamingo-pytorch@0.1.2 all-previous"],
  conventions.immediate,
  allPreviousZeroed,
];
