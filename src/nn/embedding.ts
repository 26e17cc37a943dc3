// Embeddings of ids.
import { repeat } from "../tensor/ops/arrange.ts";
import { add, detach, gather, where } from "../tensor/ops/functions.ts";
import { Bool, type Int, type Tensor } from "../tensor/tensor.ts";
import { checked, checkValue, count, notNegative, nullable, optional, whole } from "./options.ts";
import { normal, Parameter, uniform, withZeroRow } from "./parameter.ts";

export interface EmbeddingOptions {
  /** The standard deviation of the initial values. Default 1. */
  readonly std?: number;
  /** Initial values are uniform within ±bound, and not normal. */
  readonly bound?: number | null;
  /** An id whose row is 0 at first and gets no gradient from the ids (torch.nn.Embedding's padding_idx). */
  readonly paddingId?: number | null;
}

/**
 * One row of the table for each id (torch.nn.Embedding).
 * Source: torch.nn.Embedding.
 */
export class Embedding<D extends string> {
  weight: Parameter<`n ${D}`>;
  readonly #paddingId: number | null;

  constructor(axis: D, rows: number, dim: number, options: EmbeddingOptions = {}) {
    checkValue("Embedding", "rows", rows, count());
    checkValue("Embedding", "dim", dim, count());
    const checks = {
      std: optional(notNegative),
      bound: optional(nullable(notNegative)),
      paddingId: optional(nullable(whole(0, rows - 1))),
    };
    const { std = 1, bound = null, paddingId = null } = checked("Embedding", options, checks);
    this.#paddingId = paddingId;
    const rowsOf = bound === null ? normal(std) : uniform(bound); // [embedding.normal] [embedding.uniform]
    const initial = paddingId === null ? rowsOf : withZeroRow(rowsOf, paddingId, dim); // [embedding.padding]
    this.weight = new Parameter(`n ${axis}`, [rows, dim], initial);
  }

  /**
   * Throws a RuleError for an id that is no row of the table: enlarge the table for added tokens.
   * Shapes: ids `...` → `... d`.
   */
  forward<I extends string>(ids: Int<I>): Tensor<`${I} ${D}`> {
    const rows = gather(this.weight, ids); // [embedding.rows]
    const id = this.#paddingId;
    if (id === null || !ids.flat().includes(id)) return rows;
    const marked = (wanted: boolean): Bool => {
      const marks = Uint8Array.from(ids.flat(), (x) => Number((x === id) === wanted));
      return repeat("... -> ... d", new Bool<"...">(ids.shape, marks), { d: rows.shape.at(-1) ?? 0 });
    };
    const [padding, others] = [marked(true), marked(false)];
    return add(where(others, rows), detach(where(padding, rows))); // [embedding.padding]
  }
}
