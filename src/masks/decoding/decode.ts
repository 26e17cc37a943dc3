// Replays cached decoding: the mask rows that each pass uses, and the same rows of the whole text's mask. A row takes constant
// time, so a replay takes time in proportion to the rows of its passes.

import { checkConvention } from "../conventions/check.ts";
import type { CachedStep, Convention } from "../conventions/schema.ts";
import { type CountedText, countText, type TextPart } from "../counting/counted-text.ts";
import { kindsOf, type Matrix } from "../grid.ts";
import { checkImages } from "../media-mask.ts";
import { MaskRow, rowAt, sameRow } from "../rows.ts";
import { originOf, type Pass } from "./cached-step.ts";

export interface DecodeOptions {
  /** The number of positions that are known when decoding begins; by default all but the last. */
  readonly prompt?: number;
  /** The number of positions in each pass; by default the prompt at once, then one at a time. */
  readonly passes?: readonly number[];
  /** Beams: for each pass, the row that each row of the batch continues; null where nothing is reordered. */
  readonly parents?: readonly (readonly number[] | null)[];
}

/** The reason why the source refuses a pass: it has more tokens than the prompt. */
export interface Refusal {
  readonly tokens: number;
  readonly prompt: number;
}

export interface DecodeStep {
  /** The positions of this pass: from, up to but not including to. */
  readonly from: number;
  readonly to: number;
  /** For each prompt, the rows that the cached step uses. */
  readonly rows: readonly (readonly MaskRow[])[];
  /** For each prompt, the same rows of the whole text's mask. */
  readonly full: readonly (readonly MaskRow[])[];
  /** The first row that differs between the two. */
  readonly differs: { readonly prompt: number; readonly position: number } | null;
  /** Set if the source refuses this step; `rows` is then empty. */
  readonly refused: Refusal | null;
}

/**
 * Decodes pass by pass. `locations` are the tokens that each row of the batch is given (b l), generated ones included;
 * under `parents` a row continues another row's text. Throws a RangeError for an impossible prompt or passes. [mask.step]
 */
export function replayDecoding(
  locations: Matrix,
  images: number,
  convention: Convention,
  options: DecodeOptions = {},
): DecodeStep[] {
  checkConvention(convention);
  const given = kindsOf(locations);
  const length = locations.shape[1] ?? 0;
  const { prompt = Math.max(1, length - 1), parents = [] } = options;
  checkPrompt(prompt, length);
  const passes = options.passes ?? [prompt, ...new Array<number>(length - Math.min(prompt, length)).fill(1)];
  checkPasses(passes, length);
  checkImages(images);

  let texts: readonly CountedText[] = given.map(countText);
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
    const step = stepOf(batch, { from, to, prompt }, images, convention);
    if (from === 0 || anyImage) counted = added; // [mask.step-count]
    from = to;
    return step;
  });
}

/** The texts after a beam search has reordered them: each row continues its parent's text with its own tokens. */
function reordered(
  texts: readonly CountedText[],
  given: readonly (readonly number[])[],
  parents: readonly number[] | null,
  from: number,
): readonly CountedText[] {
  if (parents === null) return texts;
  return given.map((kinds, b) => {
    const before = texts[parents[b] ?? b]?.kinds ?? [];
    return countText([...before.slice(0, from), ...kinds.slice(from)]); // [mask.step-beams]
  });
}

function stepOf(
  batch: readonly Pass[],
  { from, to, prompt }: Pick<Pass, "from" | "to" | "prompt">,
  images: number,
  convention: Convention,
): DecodeStep {
  const { cachedStep }: { cachedStep: CachedStep } = convention;
  const positions = Array.from({ length: to - from }, (_, i) => from + i);
  const full = batch.map(({ text }) => {
    const part = { text, from: 0, to };
    return positions.map((l) => rowAt(part, l, images, convention));
  });
  if (cachedStep === "prompt-end" && from > 0 && to - from > prompt) {
    return { from, to, rows: [], full, differs: null, refused: { tokens: to - from, prompt } }; // [mask.step-prompt-end]
  }
  let differs: DecodeStep["differs"] = null;
  const rows = full.map((list, b) =>
    list.map((whole) => {
      const { position, image } = whole;
      const origin = originOf[cachedStep](position, batch[b] as Pass);
      const used = rowAt(origin.part, origin.position, images, convention);
      const row = new MaskRow({ ...used, position, image, origin });
      if (!sameRow(row, whole)) differs ??= { prompt: b, position }; // [mask.step]
      return row;
    }),
  );
  return { from, to, rows, full, differs, refused: null };
}

const isCount = (n: number) => Number.isInteger(n) && n >= 1;

function checkPrompt(prompt: number, length: number): void {
  if (!isCount(prompt) || prompt > Math.max(1, length)) {
    throw new RangeError(`A prompt has 1 to ${length} of the ${length} positions, not ${prompt}.`); // [mask.step-input]
  }
}

function checkPasses(passes: readonly number[], length: number): void {
  const sum = passes.reduce((a, n) => a + n, 0);
  if (length > 0 && (!passes.every(isCount) || sum !== length)) {
    throw new RangeError(
      `Passes of ${passes.slice(0, 8).join(", ")}${passes.length > 8 ? ", …" : ""} do not make ${length} positions.`,
    ); // [mask.step-input]
  }
}
