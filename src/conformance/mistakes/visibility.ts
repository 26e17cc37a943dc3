// The mask of a cross-attention as a function of prompt, position and image. A known mistake is another such function: mutants rewrite a
// recorded program with it, and the probe compares its effects with the measured ones.
import type { Convention } from "../../masks/conventions/schema.ts";
import { EFFECT } from "../../masks/exhaustive/effect.ts";
import { softmaxEmptyRow } from "../../masks/media-mask.ts";
import { numbersOf } from "../../masks/numbering.ts";
import { feedForwardRuns, isZeroed } from "../../masks/outcome.ts";
import type { SoftmaxEmptyRow } from "../../tensor/ops/table.ts";

/** For the prompt b, its position l and the image m, all counted from 0. */
export interface VisibilityRule {
  readonly may: (b: number, l: number, m: number) => boolean;
  /** Rows that are set to zero after the softmax. */
  readonly zeroed: (b: number, l: number) => boolean;
  readonly emptyRow: SoftmaxEmptyRow;
  /** Rows on which the block's feed-forward runs. */
  readonly fed: (b: number, l: number) => boolean;
}

export interface MaskedBatch {
  readonly convention: Convention;
  /** 1 at each image's token, and the number of images at or before each position. */
  readonly located: readonly (readonly number[])[];
  readonly time: readonly (readonly number[])[];
  readonly images: number;
  /** The convention's own rule. */
  readonly visibility: VisibilityRule;
}

/** Another rule, in the parts in which it differs; null where the mistake cannot be made. */
export type MistakenRule = (batch: MaskedBatch) => Partial<VisibilityRule> | null;

/** The entry of a row, or 0 outside. */
export const cell = (rows: readonly (readonly number[])[], b: number, l: number): number => rows[b]?.[l] ?? 0;

export const compares = ({ compare }: Convention, time: number, image: number): boolean =>
  compare === "equal" ? time === image : time >= image;

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** A batch under a convention that counts inclusively and compares with == or >=, as the blocks here do. */
export function maskedBatch(
  located: readonly (readonly number[])[],
  images: number,
  convention: Convention,
): MaskedBatch {
  const time = located.map((prompt) => numbersOf(prompt, { numbering: "inclusive", endTokens: "ignored" }));
  const may: VisibilityRule["may"] = (b, l, m) => compares(convention, cell(time, b, l), m + 1); // [mutant.visibility]
  const visibility: VisibilityRule = {
    may,
    zeroed: (b, l) => isZeroed(cell(time, b, l), convention), // [mutant.visibility]
    emptyRow: softmaxEmptyRow(convention),
    fed: (b, l) =>
      feedForwardRuns(
        upTo(images).some((m) => may(b, l, m)),
        convention,
      ),
  };
  return { convention, located, time, images, visibility };
}

/** The effect of a rule on every row, as the probe measures it. [probe.mistakes] */
export function effectsOfRule(
  { located, images, visibility }: MaskedBatch,
  rule: Partial<VisibilityRule> | null,
) {
  const { may, zeroed, emptyRow, fed } = { ...visibility, ...rule }; // [probe.mistakes]
  const all = 2 ** images - 1;
  const empty = { zero: 0, uniform: all, nan: EFFECT.nan }[emptyRow];
  return located.map((prompt, b) =>
    prompt.map((_, l) => {
      const runs = fed(b, l) ? EFFECT.feedForward : 0;
      if (zeroed(b, l)) return runs;
      const seen = upTo(images).reduce((bits, m) => bits | (may(b, l, m) ? 1 << m : 0), 0);
      return (seen === 0 ? empty : seen | EFFECT.weighs) | runs;
    }),
  );
}
