// Replays cached decoding: the mask rows that each pass uses, and the same rows of the whole text's mask.

import type { CachedStep, Convention } from "../conventions/schema.ts";
import { type Matrix, promptsOf } from "../grid.ts";
import { checkImages } from "../media-mask.ts";
import { TOKEN } from "../numbering.ts";
import { type MaskRow, promptRows, sameRow } from "../rows.ts";
import { originOf, type Pass } from "./cached-step.ts";

export interface DecodeOptions {
  /** The number of positions that are known when decoding begins; by default all but the last. */
  readonly prompt?: number;
  /** The number of positions in each pass; by default the prompt at once, then one at a time. */
  readonly passes?: readonly number[];
  /** Beams: for each pass, the row that each row of the batch continues; null where nothing is reordered. */
  readonly parents?: readonly (readonly number[] | null)[];
  /** Computes the rows of a text. Replays with the same images and convention can share one function. */
  readonly rowsOf?: TextRows;
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

/** The rows of a text's mask. */
export type TextRows = (kinds: readonly number[]) => readonly MaskRow[];

/** Computes the rows of each text once. */
export function rememberedRows(images: number, convention: Convention): TextRows {
  checkImages(images);
  const known = new Map<string, readonly MaskRow[]>();
  return (kinds) => {
    const key = kinds.join("");
    const rows = known.get(key) ?? promptRows(kinds, images, convention);
    known.set(key, rows);
    return rows;
  };
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
  const given = promptsOf(locations);
  const length = locations.shape[1] ?? 0;
  const { prompt = Math.max(1, length - 1), parents = [] } = options;
  checkPrompt(prompt, length);
  const passes = options.passes ?? [prompt, ...new Array<number>(length - Math.min(prompt, length)).fill(1)];
  checkPasses(passes, length);
  const { rowsOf = rememberedRows(images, convention) } = options;

  let texts: readonly (readonly number[])[] = given.map(() => []);
  let counted = texts;
  let from = 0;
  return passes.map((size, p) => {
    const to = from + size;
    const before = texts;
    texts = given.map((kinds, b) => [...(before[parents[p]?.[b] ?? b] ?? []), ...kinds.slice(from, to)]); // [mask.step-beams]
    const added = texts.map((text) => text.slice(from));
    const anyImage = added.flat().includes(TOKEN.image);
    const batch = texts.map((text, b): Pass => {
      const known = given[b]?.slice(0, prompt) ?? [];
      return { from, to, prompt, text, known, counted: counted[b] ?? [], anyImage };
    });
    const step = stepOf(batch, { from, to, prompt }, convention.cachedStep, rowsOf);
    if (from === 0 || anyImage) counted = added; // [mask.step-count]
    from = to;
    return step;
  });
}

function stepOf(
  batch: readonly Pass[],
  { from, to, prompt }: Pick<Pass, "from" | "to" | "prompt">,
  cachedStep: CachedStep,
  rowsOf: TextRows,
): DecodeStep {
  const full = batch.map(({ text }) => rowsOf(text).slice(from));
  if (cachedStep === "prompt-end" && from > 0 && to - from > prompt) {
    return { from, to, rows: [], full, differs: null, refused: { tokens: to - from, prompt } }; // [mask.step-prompt-end]
  }
  const rows = full.map((own, b) =>
    own.map(({ isImage, image }, i): MaskRow => {
      const position = from + i;
      const origin = originOf[cachedStep](position, batch[b] as Pass);
      return { ...(rowsOf(origin.kinds)[origin.position] as MaskRow), position, isImage, image, origin };
    }),
  );
  const places = rows.flatMap((list, b) =>
    list.map((row, i) => ({ prompt: b, position: from + i, same: sameRow(row, full[b]?.[i]) })),
  );
  const first = places.find(({ same }) => !same); // [mask.step]
  const differs = first ? { prompt: first.prompt, position: first.position } : null;
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
    throw new RangeError(`Passes of ${passes.join(", ")} do not make ${length} positions.`); // [mask.step-input]
  }
}
