// Replays cached decoding: the mask rows that each pass uses, and the same rows of the whole text's mask. A row takes constant
// time, so a replay takes time in proportion to the rows of its passes.

import { didYouMean } from "../../terminal/nearest.ts";
import { shown } from "../conventions/check.ts";
import type { Convention } from "../conventions/schema.ts";
import type { Matrix } from "../grid.ts";
import { textsOf } from "../input.ts";
import { MaskRow, rowAt, sameRow } from "../rows.ts";
import type { Pass, PassBounds } from "./cached-step.ts";
import {
  batchesOf,
  checkParents,
  checkPasses,
  isCount,
  isRefused,
  type PassParents,
  usedRow,
} from "./passes.ts";

/** The passes in which a text is decoded, in positions. */
export interface ReplayDecodingOptions {
  /** The number of positions that are known when decoding begins; by default all but the last. */
  readonly prompt?: number;
  /** The number of positions in each pass; by default the prompt at once, then one at a time. */
  readonly passes?: readonly number[];
  /** Beams: for each pass, the row that each row of the batch continues; null where nothing is reordered. */
  readonly parents?: PassParents;
}

/** The reason why the source refuses a pass: it has more tokens than the prompt. */
export interface Refusal {
  readonly tokens: number;
  readonly prompt: number;
}

/** One pass of decoding beside the mask of the whole text. */
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
 * under `parents` a row continues another row's text. Throws a RangeError for an impossible prompt, passes or parents, and for an unknown option. [mask.step]
 */
export function replayDecoding(
  locations: Matrix,
  images: number,
  convention: Convention,
  options: ReplayDecodingOptions = {},
): DecodeStep[] {
  const given = textsOf(locations, images, convention);
  checkOptions(options);
  const length = locations.shape[1] ?? 0;
  const { prompt = Math.max(1, length - 1), parents = [] } = options;
  checkPrompt(prompt, length);
  const passes = options.passes ?? [prompt, ...new Array<number>(length - Math.min(prompt, length)).fill(1)];
  checkPasses(passes, length);
  checkParents(parents, given.length);

  return batchesOf(given, prompt, passes, parents).map(({ bounds, batch }) =>
    stepOf(bounds, batch, images, convention),
  );
}

function stepOf(
  bounds: PassBounds,
  batch: readonly Pass[],
  images: number,
  convention: Convention,
): DecodeStep {
  const { from, to, prompt } = bounds;
  const positions = Array.from({ length: to - from }, (_, i) => from + i);
  const full = batch.map(({ text }) => {
    const part = { text, from: 0, to };
    return positions.map((l) => rowAt(part, l, images, convention));
  });
  if (isRefused(bounds, convention))
    return { from, to, rows: [], full, differs: null, refused: { tokens: to - from, prompt } };
  let differs: DecodeStep["differs"] = null;
  const rows = full.map((list, b) =>
    list.map((whole) => {
      const { position, image } = whole;
      const used = usedRow(position, batch[b] as Pass, images, convention);
      const row = new MaskRow({ ...used, position, image });
      if (!sameRow(row, whole)) differs ??= { prompt: b, position }; // [mask.step]
      return row;
    }),
  );
  return { from, to, rows, full, differs, refused: null };
}

function checkPrompt(prompt: number, length: number): void {
  if (!isCount(prompt) || prompt > Math.max(1, length)) {
    throw new RangeError(`A prompt has 1 to ${length} of the ${length} positions, not ${shown(prompt)}.`); // [mask.step-input]
  }
}

const OPTIONS = ["prompt", "passes", "parents"];

/** Throws a RangeError for options that are no object, and for one that there is not. */
function checkOptions(options: unknown): void {
  if (typeof options !== "object" || options === null)
    throw new RangeError(`The options of replayDecoding are an object, not ${shown(options)}.`); // [mask.step-input]
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined)
    throw new RangeError(
      `replayDecoding has no option ${shown(unknown)}${didYouMean(unknown, OPTIONS)}; known are ${OPTIONS.join(", ")}.`,
    ); // [mask.step-input]
}
