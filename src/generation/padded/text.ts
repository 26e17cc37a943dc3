// Batches of texts of different lengths as one tensor, with padding.
import { rowsOf } from "../../models/language-model.ts";
import { RuleError } from "../../tensor/errors.ts";
import { named, shapes } from "../../tensor/pattern.ts";
import { type Bool, Int } from "../../tensor/tensor.ts";

/** A batch of texts; the mask is false for padding. */
export interface PaddedText {
  readonly ids: Int<"b l">;
  readonly mask: Bool<"b s">;
}

/** The tokens of each row without its padding. Throws a RuleError if there is padding behind a row's first token, or nothing else. */
export function unpadded({ ids, mask }: PaddedText): number[][] {
  shapes("generate", { langX: [named("b s", ids), "b s"], attentionMask: [mask, "b s"] });
  const real = mask.flat();
  return rowsOf(ids).map((row, b) => {
    const marks = real.subarray(b * row.length, (b + 1) * row.length);
    const from = marks.indexOf(1);
    if (from < 0 || marks.subarray(from).includes(0))
      throw new RuleError(
        `row ${b} of attention_mask has padding that is not on the left, which generation does not take: pad in front of the text, so that new tokens follow it`,
        "generate.left-padding",
      );
    return row.slice(from);
  });
}

/** Prompts with what was added to each, as one tensor; shorter rows are filled up on the right. */
export function filled(
  prompts: readonly (readonly number[])[],
  added: readonly (readonly number[])[],
  fill: number,
): Int<"b l"> {
  const longest = added.reduce((most, row) => Math.max(most, row.length), 0);
  const rows = added.map((row, i) => [
    ...(prompts[i] ?? []),
    ...row,
    ...new Array<number>(longest - row.length).fill(fill), // [openflamingo.fill]
  ]);
  return new Int([rows.length, rows[0]?.length ?? 0], Int32Array.from(rows.flat()));
}
