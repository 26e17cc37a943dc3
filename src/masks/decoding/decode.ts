// Decoding replayed: what each pass of a cached generation sees, beside the rows of the whole text's mask.

import type { CachedStep, Convention } from "../conventions/schema.ts";
import { type Matrix, promptsOf } from "../grid.ts";
import { TOKEN } from "../numbering.ts";
import { factsOf, type MaskRow, maskRows } from "../rows.ts";
import { origins, type Pass } from "./cached-step.ts";

export interface DecodeOptions {
  /** How many positions are known when decoding begins; by default all but the last. */
  readonly prompt?: number;
  /** How many positions each pass takes; by default the prompt at once, then one at a time. */
  readonly passes?: readonly number[];
  /** Beams: for each pass, the row that each row of the batch goes on from; null where nothing is reordered. */
  readonly parents?: readonly (readonly number[] | null)[];
  /** How texts are judged; one judge may serve many replays of the same images and convention. */
  readonly judge?: Judge;
}

export interface DecodeStep {
  /** The positions of this pass: from, up to but not including to. */
  readonly from: number;
  readonly to: number;
  /** For each prompt, the rows of this pass as the cached step has them. */
  readonly rows: readonly (readonly MaskRow[])[];
  /** The same rows of the whole text's mask. */
  readonly full: readonly (readonly MaskRow[])[];
  /** Where the two differ first. */
  readonly differs: { readonly prompt: number; readonly position: number } | null;
  /** Why the source cannot make this step; then there are no rows. */
  readonly refused: string | null;
}

/** The rows of a text's mask. */
export type Judge = (kinds: readonly number[]) => readonly MaskRow[];

/** Judges each text once; without sentences where very many rows are replayed. */
export function judgeOf(images: number, convention: Convention, reasons = true): Judge {
  const known = new Map<string, readonly MaskRow[]>();
  return (kinds) => {
    const key = kinds.join("");
    const found = known.get(key);
    if (found) return found;
    const rows = reasons
      ? (maskRows({ shape: [1, kinds.length], data: kinds }, images, convention)[0] ?? [])
      : factsOf(kinds, images, convention).map((facts) => ({ ...facts, reason: "" }));
    known.set(key, rows);
    return rows;
  };
}

/** The same images in the same way: what two rows must share to be the same row. */
export const sameRow = (one: MaskRow, other: MaskRow | undefined): boolean =>
  one.outcome === other?.outcome &&
  one.images.length === other.images.length &&
  one.images.every((image, i) => image === other.images[i]);

/**
 * Decodes pass by pass. `locations` are the tokens that each row of the batch is given (b l), generated ones included;
 * under `parents` a row goes on from another row's text. [mask.step]
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
  const { judge = judgeOf(images, convention) } = options;

  let texts: readonly (readonly number[])[] = given.map(() => []);
  let counted = texts;
  let from = 0;
  return passes.map((size, p) => {
    const to = from + size;
    const before = texts;
    texts = given.map((kinds, b) => [...(before[parents[p]?.[b] ?? b] ?? []), ...kinds.slice(from, to)]); // [mask.step-beams]
    const news = texts.map((text) => text.slice(from));
    const anyImage = news.flat().includes(TOKEN.image);
    const ways = texts.map((text, b): Pass => {
      const known = given[b]?.slice(0, prompt) ?? [];
      return { from, to, prompt, text, known, counted: counted[b] ?? [], anyImage };
    });
    const step = stepOf(ways, { from, to, prompt }, convention.cachedStep, judge);
    if (from === 0 || anyImage) counted = news; // [mask.step-count]
    from = to;
    return step;
  });
}

function stepOf(
  ways: readonly Pass[],
  { from, to, prompt }: Pick<Pass, "from" | "to" | "prompt">,
  cachedStep: CachedStep,
  rowsOf: Judge,
): DecodeStep {
  const full = ways.map(({ text }) => rowsOf(text).slice(from));
  if (cachedStep === "prompt-end" && from > 0 && to - from > prompt) {
    const refused = `${to - from} tokens in one pass, but the prompt has ${prompt}`; // [mask.step-prompt-end]
    return { from, to, rows: [], full, differs: null, refused };
  }
  const rows = full.map((right, b) =>
    right.map((own, i): MaskRow => {
      const position = from + i;
      const { kinds, at, how } = origins[cachedStep](position, ways[b] as Pass);
      const row = rowsOf(kinds)[at] as MaskRow;
      const reason = how ? `position ${position} ${how}: ${row.reason}` : row.reason;
      return { ...row, position, isImage: own.isImage, image: own.image, reason };
    }),
  );
  const places = rows.flatMap((list, b) =>
    list.map((row, i) => ({ prompt: b, position: from + i, same: sameRow(row, full[b]?.[i]) })),
  );
  const first = places.find(({ same }) => !same); // [mask.step]
  const differs = first ? { prompt: first.prompt, position: first.position } : null;
  return { from, to, rows, full, differs, refused: null };
}

const whole = (n: number) => Number.isInteger(n) && n >= 1;

function checkPrompt(prompt: number, length: number): void {
  if (!whole(prompt) || prompt > Math.max(1, length)) {
    throw new RangeError(`A prompt has 1 to ${length} of the ${length} positions, not ${prompt}.`); // [mask.step-input]
  }
}

function checkPasses(passes: readonly number[], length: number): void {
  const sum = passes.reduce((a, n) => a + n, 0);
  if (length > 0 && (!passes.every(whole) || sum !== length)) {
    throw new RangeError(`Passes of ${passes.join(", ")} do not make ${length} positions.`); // [mask.step-input]
  }
}
