// Learned position embeddings: Gehring et al., arXiv 1705.03122, §3.1: one row of a table for each position. OPT and torchscale count from
// row 2 on, because fairseq, where both come from, reserves the first rows for padding.

import { RuleError } from "../../tensor/errors.ts";
import { gather } from "../../tensor/ops/functions.ts";
import { Int, type Tensor } from "../../tensor/tensor.ts";
import {
  type Check,
  checked,
  checkNoMore,
  checkValue,
  count,
  inner,
  nullable,
  optional,
  whole,
} from "../options.ts";
import { distribution, type Initial, normal, Parameter, withZeroRow } from "../parameter.ts";

/** The table of learned positions. */
export interface LearnedPositionsOptions {
  /** Rows of the table, those before position 0 included. */
  readonly rows: number;
  /** The width of a row. */
  readonly dim: number;
  /** The row of position 0: 2 in OPT. */
  readonly offset?: number | undefined;
  /** The initial distribution of the table. Default: normal with standard deviation 1. */
  readonly initial?: Initial | undefined;
  /** A row whose initial values are 0, as that of torch's padding_idx. */
  readonly zeroRow?: number | null | undefined;
}
const checks: { readonly [K in keyof LearnedPositionsOptions]-?: Check } = {
  rows: count,
  dim: count,
  offset: optional(inner),
  initial: optional(distribution),
  zeroRow: optional(nullable(inner)),
};

/**
 * A table with a learned row for each position: "…" integers become "… D", row `position + offset` for each.
 * Source: Gehring et al., arXiv 1705.03122, §3.1; OPTLearnedPositionalEmbedding of transformers 4.57.6.
 */
export class LearnedPositions<D extends string> {
  weight: Parameter<`n ${D}`>;
  readonly options: { readonly offset: number };

  constructor(axis: D, options: LearnedPositionsOptions, ...surplus: readonly never[]) {
    checkNoMore("LearnedPositions", "an axis and an object of options", surplus);
    const {
      rows,
      dim,
      offset = 0,
      initial = normal(1),
      zeroRow = null,
    } = checked("LearnedPositions", options, checks);
    this.options = { offset };
    if (zeroRow !== null) checkValue("LearnedPositions", "zeroRow", zeroRow, whole(0, rows - 1));
    const drawn = zeroRow === null ? initial : withZeroRow(initial, zeroRow, dim); // [learned.zero-row]
    this.weight = new Parameter(`n ${axis}`, [rows, dim], drawn);
  }

  /**
   * Row `position + offset` for each position. Throws a RuleError if a position has no row. A padded token may have position −1
   * where the offset leaves a row for it.
   * Shapes: positions `...` → `... d`.
   */
  forward<I extends string>(positions: Int<I>): Tensor<`${I} ${D}`> {
    if (!(positions instanceof Int))
      throw new RuleError("positions are integers: int(…) makes them from numbers", "learned.rows");
    const { offset } = this.options;
    const rows = this.weight.shape[0] ?? 0;
    const at = positions.flat();
    const none = at.find((position) => position < -offset || position >= rows - offset);
    if (none !== undefined)
      throw new RuleError(
        `position ${none} has no row in a table of ${rows} rows, of which ${offset} come before position 0`,
        "learned.rows",
      );
    return gather(
      this.weight,
      new Int<I>(
        positions.shape,
        at.map((position) => position + offset),
      ),
    ); // [learned.offset]
  }
}
