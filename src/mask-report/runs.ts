// Runs of neighbouring positions on which two lists of rows are equal to those before: two conventions, or cached steps and the whole
// text's mask.
import type { DecodeStep } from "../masks/decoding/decode.ts";
import { rowsDiffer } from "../masks/difference.ts";
import { addRun, alikeRows, type MaskRow, type Run, sameRow } from "../masks/rows.ts";
import type { MaskReport } from "./report.ts";

export interface PairRun extends Run {
  readonly prompt: number;
  /** The rows of the first position. */
  readonly one: MaskRow;
  readonly other: MaskRow;
  readonly differs: boolean;
}

const alikePairs = (a: PairRun, b: PairRun): boolean =>
  a.prompt === b.prompt && a.differs === b.differs && alikeRows(a.one, b.one) && alikeRows(a.other, b.other);

/** Adds the pair of rows at one position, which follows those before it. */
function addPair(runs: PairRun[], prompt: number, one: MaskRow, other: MaskRow, differs: boolean): void {
  const { position } = one;
  addRun(runs, { prompt, from: position, to: position, one, other, differs }, alikePairs);
}

/** The rows of a report's two conventions. */
export function pairsOfDifference({ rows, others }: MaskReport): PairRun[] {
  const runs: PairRun[] = [];
  rows.forEach((list, prompt) => {
    for (const row of list) {
      const other = others?.[prompt]?.[row.position] ?? row;
      addPair(runs, prompt, row, other, rowsDiffer(row, other));
    }
  });
  return runs;
}

/** The rows of the cached steps after the first pass, beside those of the whole text's mask. */
export function pairsOfDecoding(steps: readonly DecodeStep[]): PairRun[] {
  const runs: PairRun[] = [];
  const prompts = steps[0]?.full.length ?? 0;
  for (let prompt = 0; prompt < prompts; prompt++)
    for (const { rows, full } of steps.slice(1))
      (rows[prompt] ?? []).forEach((cached, i) => {
        const whole = full[prompt]?.[i] ?? cached;
        addPair(runs, prompt, cached, whole, !sameRow(cached, whole));
      });
  return runs;
}
