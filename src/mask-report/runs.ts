// Runs of neighbouring positions on which two lists of rows are equal to those before: two conventions, or cached steps and the whole
// text's mask.
import type { DecodeStep } from "../masks/decoding/decode.ts";
import { rowsDiffer } from "../masks/difference.ts";
import { alikeRows, type MaskRow, sameRow } from "../masks/rows.ts";
import type { MaskReport } from "./report.ts";

export interface PairRun {
  readonly prompt: number;
  readonly from: number;
  /** The last position. */
  readonly to: number;
  /** The rows of the first position. */
  readonly one: MaskRow;
  readonly other: MaskRow;
  readonly differs: boolean;
}

/** Collects pairs of rows, in the order of their positions, into runs. */
class PairRuns {
  readonly runs: {
    prompt: number;
    from: number;
    to: number;
    one: MaskRow;
    other: MaskRow;
    differs: boolean;
  }[] = [];

  add(prompt: number, position: number, one: MaskRow, other: MaskRow, differs: boolean): void {
    const last = this.runs.at(-1);
    const joins =
      last?.prompt === prompt &&
      last.to === position - 1 &&
      last.differs === differs &&
      alikeRows(last.one, one) &&
      alikeRows(last.other, other);
    if (joins) last.to = position;
    else this.runs.push({ prompt, from: position, to: position, one, other, differs });
  }
}

/** The rows of a report's two conventions. */
export function pairsOfDifference({ rows, others }: MaskReport): PairRun[] {
  const pairs = new PairRuns();
  rows.forEach((list, prompt) => {
    for (const row of list) {
      const other = others?.[prompt]?.[row.position] ?? row;
      pairs.add(prompt, row.position, row, other, rowsDiffer(row, other));
    }
  });
  return pairs.runs;
}

/** The rows of the cached steps after the first pass, beside those of the whole text's mask. */
export function pairsOfDecoding(steps: readonly DecodeStep[]): PairRun[] {
  const pairs = new PairRuns();
  const prompts = steps[0]?.full.length ?? 0;
  for (let prompt = 0; prompt < prompts; prompt++)
    for (const { rows, full } of steps.slice(1))
      (rows[prompt] ?? []).forEach((cached, i) => {
        const whole = full[prompt]?.[i] ?? cached;
        pairs.add(prompt, cached.position, cached, whole, !sameRow(cached, whole));
      });
  return pairs.runs;
}
