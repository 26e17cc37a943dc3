// The passes of cached decoding: the part of the text that each one is given, and the mask row that each of its positions uses.

import { shown } from "../conventions/check.ts";
import type { Convention } from "../conventions/schema.ts";
import { type CountedText, countText, type TextPart } from "../counting/counted-text.ts";
import type { Matrix } from "../grid.ts";
import { textsOf } from "../input.ts";
import { type Visibility, visibilityOfRows } from "../media-mask.ts";
import { MaskRow, rowAt } from "../rows.ts";
import { originOf, type Pass, type PassBounds } from "./cached-step.ts";

export const isCount = (n: number) => Number.isInteger(n) && n >= 1;

/** Beams: for each pass, the row that each row of the batch continues; null where nothing is reordered. */
export type PassParents = readonly (readonly number[] | null)[];

export function checkPasses(passes: readonly number[], length: number): void {
  if (!Array.isArray(passes))
    throw new RangeError(`Passes are a list of numbers of positions, not ${shown(passes)}.`); // [mask.step-input]
  const isPossible = passes.every(isCount) && passes.reduce((a, n) => a + n, 0) === length;
  if (length > 0 && !isPossible)
    throw new RangeError(
      `Passes of ${passes.slice(0, 8).map(shown).join(", ")}${passes.length > 8 ? ", …" : ""} do not make ${length} positions.`,
    ); // [mask.step-input]
}

/** Throws a RangeError unless the parents of a pass are null, or a row of the batch for each row. */
export function checkParents(parents: PassParents, rows: number): void {
  const isRow = (row: unknown) => Number.isInteger(row) && Number(row) >= 0 && Number(row) < rows;
  const isPossible = (given: unknown) =>
    given === null || (Array.isArray(given) && given.length === rows && given.every(isRow));
  const wrong = Array.isArray(parents) ? parents.find((given) => !isPossible(given)) : parents;
  if (wrong !== undefined)
    throw new RangeError(
      `The parents of a pass are null or a list of ${rows} rows, each from 0 to ${rows - 1}, not ${shown(wrong)}.`,
    ); // [mask.step-input]
}

/** One pass of a batch; `batch` has one Pass for each row. */
export interface PassBatch {
  readonly bounds: PassBounds;
  readonly batch: readonly Pass[];
}

/** The passes of a batch of texts, in order. */
export function batchesOf(
  given: readonly TextPart[],
  prompt: number,
  passes: readonly number[],
  parents: PassParents,
): PassBatch[] {
  let texts: readonly CountedText[] = given.map(({ text }) => text);
  const knowns = texts.map((text): TextPart => ({ text, from: 0, to: prompt }));
  let counted: readonly TextPart[] = [];
  let from = 0;
  return passes.map((size, p) => {
    const to = from + size;
    texts = reordered(texts, given, parents[p] ?? null, from);
    const added = texts.map((text): TextPart => ({ text, from, to }));
    const anyImage = added.some(({ text }) => (text.imagesBefore[to] ?? 0) > (text.imagesBefore[from] ?? 0));
    const batch = added.map((pass, b): Pass => {
      const known = knowns[b] ?? pass;
      return { from, to, prompt, text: pass.text, known, counted: counted[b] ?? pass, anyImage };
    });
    if (from === 0 || anyImage) counted = added; // [mask.step-count]
    const bounds = { from, to, prompt };
    from = to;
    return { bounds, batch };
  });
}

/** The texts after a beam search has reordered them: each row continues its parent's text with its own tokens. */
function reordered(
  texts: readonly CountedText[],
  given: readonly TextPart[],
  parents: readonly number[] | null,
  from: number,
): readonly CountedText[] {
  if (parents === null) return texts;
  return given.map(({ text }, b) => {
    const before = texts[parents[b] ?? b]?.kinds ?? [];
    return countText([...before.slice(0, from), ...text.kinds.slice(from)]); // [mask.step-beams]
  });
}

/** Whether the source refuses a pass, because it has more tokens than the prompt. */
export const isRefused = ({ from, to, prompt }: PassBounds, { cachedStep }: Convention): boolean =>
  cachedStep === "prompt-end" && from > 0 && to - from > prompt; // [mask.step-prompt-end]

/** The row that a pass uses at a position. */
export function usedRow(position: number, pass: Pass, images: number, convention: Convention): MaskRow {
  const origin = originOf[convention.cachedStep](position, pass);
  return new MaskRow({ ...rowAt(origin.part, origin.position, images, convention), origin });
}

/**
 * The masks of the last of several passes, for its own positions only: the images that the cached step of the convention sees, given
 * the passes before it. `locations` are the tokens of all passes, b l, and `passes` the number of positions of each; the first
 * one is the prompt. Throws a RangeError if the source refuses the pass. [mask.step-visibility]
 */
export function passVisibility(
  locations: Matrix,
  passes: readonly number[],
  images: number,
  convention: Convention,
  parents: PassParents = [],
): Visibility {
  const texts = textsOf(locations, images, convention);
  checkPasses(passes, locations.shape[1] ?? 0);
  checkParents(parents, texts.length);
  const last = batchesOf(texts, passes[0] ?? 0, passes, parents).at(-1);
  if (!last) throw new RangeError("Decoding has at least one pass."); // [mask.step-input]
  const { from, to, prompt } = last.bounds;
  if (isRefused(last.bounds, convention))
    throw new RangeError(
      `The convention "${convention.name}" refuses a pass of ${to - from} tokens after a prompt of ${prompt}: pass at most as many.`,
    ); // [mask.step-prompt-end]
  const rows = last.batch.flatMap((pass) =>
    Array.from({ length: to - from }, (_, i) => usedRow(from + i, pass, images, convention)),
  );
  return visibilityOfRows(rows, [last.batch.length, to - from], images, convention);
}
