// Embeddings of ids.
import { repeat } from "../tensor/ops/arrange.ts";
import { add, detach, gather, where } from "../tensor/ops/functions.ts";
import { Bool, type Int, type Tensor } from "../tensor/tensor.ts";
import { checked, checkValue, count, nullable, optional, whole } from "./options.ts";
import { distribution, type Initial, normal, Parameter, withZeroRow } from "./parameter.ts";

export interface EmbeddingOptions {
  /** The initial distribution of the table, such as `({ normal }) => 0.02 * normal()`. Default: normal with standard deviation 1. */
  readonly initial?: Initial | undefined;
}

/**
 * One row of the table for each id (torch.nn.Embedding).
 * Source: torch.nn.Embedding.
 */
export class Embedding<D extends string> {
  weight: Parameter<`n ${D}`>;

  constructor(axis: D, rows: number, dim: number, options: EmbeddingOptions = {}) {
    checkValue("Embedding", "rows", rows, count);
    checkValue("Embedding", "dim", dim, count);
    const { initial = normal(1) } = checked("Embedding", options, { initial: optional(distribution) });
    this.weight = new Parameter(`n ${axis}`, [rows, dim], initial); // [embedding.initial]
  }

  /**
   * Throws a RuleError for an id that is no row of the table: enlarge the table for added tokens.
   * Shapes: ids `...` → `... d`.
   */
  forward<I extends string>(ids: Int<I>): Tensor<`${I} ${D}`> {
    return gather(this.weight, ids); // [embedding.rows]
  }
}

export interface PaddedEmbeddingOptions extends EmbeddingOptions {
  /** An id whose row is 0 at first and gets no gradient from the ids (torch.nn.Embedding's padding_idx); none with null. */
  readonly paddingId: number | null;
}

/**
 * An embedding with a row for padding (torch.nn.Embedding with padding_idx).
 * Source: torch.nn.Embedding.
 */
export class PaddedEmbedding<D extends string> extends Embedding<D> {
  readonly #paddingId: number | null;

  constructor(axis: D, rows: number, dim: number, options: PaddedEmbeddingOptions) {
    checkValue("PaddedEmbedding", "rows", rows, count);
    const checks = { initial: optional(distribution), paddingId: nullable(whole(0, rows - 1)) };
    const { initial = normal(1), paddingId } = checked("PaddedEmbedding", options, checks);
    super(axis, rows, dim, {
      initial: paddingId === null ? initial : withZeroRow(initial, paddingId, dim), // [embedding.padding]
    });
    this.#paddingId = paddingId;
  }

  /**
   * Throws a RuleError for an id that is no row of the table.
   * Shapes: ids `...` → `... d`.
   */
  override forward<I extends string>(ids: Int<I>): Tensor<`${I} ${D}`> {
    const rows = super.forward(ids);
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
