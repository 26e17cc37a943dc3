// Decoding replayed: what each pass of a cached generation sees, beside the rows of the whole text's mask.
import { type Matrix, promptsOf } from "./grid.ts";
import { TOKEN } from "./numbering.ts";
import { factsOf, type MaskRow, maskRows } from "./rows.ts";
import type { CachedStep, Convention } from "./terms.ts";

export interface DecodeOptions {
  /** How many positions are known when decoding begins; by default all but the last. */
  readonly prompt?: number;
  /** How many positions each pass takes; by default the prompt at once, then one at a time. */
  readonly passes?: readonly number[];
  /** Beams: for each pass, the row that each row of the batch goes on from; null where nothing is reordered. */
  readonly parents?: readonly (readonly number[] | null)[];
  /** false leaves the sentences out, where very many rows are replayed. */
  readonly reasons?: boolean;
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

/** Where a row is taken from: a position of some text's mask, and in words. */
interface Origin {
  readonly kinds: readonly number[];
  readonly at: number;
  readonly how: string | null;
}

interface Pass {
  readonly from: number;
  readonly to: number;
  readonly prompt: number;
  /** Everything up to `to`, of this row of the batch. */
  readonly text: readonly number[];
  /** What was last counted (see CachedStep's count). */
  readonly counted: readonly number[];
  readonly anyImage: boolean;
}

const PROMPT_ROW = (at: number) => `is given the row of the prompt's position ${at}`;

/** Where the row of position l comes from. */
const origins: Record<CachedStep, (l: number, pass: Pass) => Origin> = {
  none: (l, { text }) => ({ kinds: text, at: l, how: null }),
  rows: (l, { text }) => ({ kinds: text, at: l, how: null }), // [mask.step-rows]
  restart: (l, { text, from }) => ({
    kinds: text.slice(from), // [mask.step-restart]
    at: l - from,
    how: from > 0 ? `counts from position ${from}, where its pass begins` : null,
  }),
  count: (l, pass) => {
    const { counted, anyImage, from } = pass;
    if (from === 0 || anyImage) return origins.restart(l, pass); // [mask.step-count]
    return { kinds: counted, at: counted.length - 1, how: "counts the images in the text last counted" }; // [mask.step-count]
  },
  "prompt-end": (l, { text, from, to, prompt }) => {
    if (from === 0) return { kinds: text, at: l, how: null };
    const at = prompt - to + l; // [mask.step-prompt-end]
    return { kinds: text.slice(0, prompt), at, how: PROMPT_ROW(at) };
  },
  "mask-end": (l, { text, to, prompt }) => {
    const at = Math.min(l < prompt ? prompt - Math.min(to, prompt) + l : l, prompt - 1); // [mask.step-mask-end]
    return { kinds: text.slice(0, prompt), at, how: at === l ? null : PROMPT_ROW(at) };
  },
  "last-row": (l, { text, prompt }) => {
    const at = Math.min(l, prompt - 1); // [mask.step-last-row]
    return { kinds: text.slice(0, prompt), at, how: at === l ? null : PROMPT_ROW(at) };
  },
  ahead: (l, pass) => {
    const several = pass.text.slice(0, pass.prompt).filter((kind) => kind === TOKEN.image).length > 1;
    if (l < pass.prompt || !several) return origins["last-row"](l, pass);
    return { kinds: [TOKEN.text], at: 0, how: "lies beyond the prompt, where its images end" }; // [mask.step-ahead]
  },
};

/** The rows of a text's mask, each text judged once. */
function judgeOf(images: number, convention: Convention, reasons: boolean): Judge {
  const known = new Map<string, MaskRow[]>();
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

type Judge = (kinds: readonly number[]) => MaskRow[];

/** The same images in the same way: what two rows must share to be the same row. */
export const sameRow = (one: MaskRow, other: MaskRow | undefined): boolean =>
  one.class === other?.class &&
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
  const passes = options.passes ?? [prompt, ...new Array<number>(Math.max(0, length - prompt)).fill(1)];
  checkPasses(passes, prompt, length);
  const rowsOf = judgeOf(images, convention, options.reasons ?? true);

  let texts: readonly (readonly number[])[] = given.map(() => []);
  let counted = texts;
  let from = 0;
  return passes.map((size, p) => {
    const to = from + size;
    const before = texts;
    texts = given.map((kinds, b) => [...(before[parents[p]?.[b] ?? b] ?? []), ...kinds.slice(from, to)]); // [mask.step-beams]
    const news = texts.map((text) => text.slice(from));
    const anyImage = news.flat().includes(TOKEN.image);
    const shared = { from, to, prompt, anyImage };
    const step = stepOf(texts, counted, shared, convention.cachedStep, rowsOf);
    if (from === 0 || anyImage) counted = news; // [mask.step-count]
    from = to;
    return step;
  });
}

function stepOf(
  texts: readonly (readonly number[])[],
  counted: readonly (readonly number[])[],
  shared: Omit<Pass, "text" | "counted">,
  cachedStep: CachedStep,
  rowsOf: Judge,
): DecodeStep {
  const { from, to, prompt } = shared;
  const full = texts.map((text) => rowsOf(text).slice(from));
  if (cachedStep === "prompt-end" && from > 0 && to - from > prompt) {
    const refused = `${to - from} tokens in one pass, but the prompt has ${prompt}`; // [mask.step-prompt-end]
    return { from, to, rows: [], full, differs: null, refused };
  }
  const rows = texts.map((text, b) =>
    text.slice(from).map((_, i) => {
      const pass = { ...shared, text, counted: counted[b] ?? [] };
      const { kinds, at, how } = origins[cachedStep](from + i, pass);
      const row = rowsOf(kinds)[at] as MaskRow;
      const { isImage, image } = full[b]?.[i] ?? row;
      const reason = how ? `position ${from + i} ${how}: ${row.reason}` : row.reason;
      return { ...row, position: from + i, isImage, image, reason };
    }),
  );
  const places = rows.flatMap((list, b) => list.map((row, i) => ({ prompt: b, position: from + i, row, i })));
  const first = places.find(({ prompt: b, row, i }) => !sameRow(row, full[b]?.[i])); // [mask.step]
  const differs = first ? { prompt: first.prompt, position: first.position } : null;
  return { from, to, rows, full, differs, refused: null };
}

function checkPasses(passes: readonly number[], prompt: number, length: number): void {
  const whole = (n: number) => Number.isInteger(n) && n >= 1;
  if (!whole(prompt) || prompt > Math.max(1, length)) {
    throw new RangeError(`A prompt has 1 to ${length} of the ${length} positions, not ${prompt}.`); // [mask.step-input]
  }
  const sum = passes.reduce((a, n) => a + n, 0);
  if (length > 0 && (!passes.every(whole) || sum !== length)) {
    throw new RangeError(`Passes of ${passes.join(", ")} do not make ${length} positions.`); // [mask.step-input]
  }
}
