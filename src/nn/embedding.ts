// Embeddings of ids.
import { RuleError } from "../tensor/errors.ts";
import { gather } from "../tensor/ops/functions.ts";
import { Int, type Tensor } from "../tensor/tensor.ts";
import { checked, checkValue, count, notNegative, optional } from "./options.ts";
import { normal, Parameter } from "./parameter.ts";
import { ID_OUT_OF_RANGE } from "./torch-errors.ts";

/** One row of the table for each id (torch.nn.Embedding). */
export class Embedding<D extends string> {
  weight: Parameter<`n ${D}`>;

  constructor(axis: D, rows: number, dim: number, options: { std?: number } = {}) {
    checkValue("Embedding", "rows", rows, count());
    checkValue("Embedding", "dim", dim, count());
    const { std = 1 } = checked("Embedding", options, { std: optional(notNegative) });
    this.weight = new Parameter(`n ${axis}`, [rows, dim], normal(std)); // [embedding.normal]
  }

  /** Throws a RuleError if an id is not a row of the table. */
  forward<I extends string>(ids: Int<I>): Tensor<`${I} ${D}`> {
    checkIds(ids, this.weight.shape[0] ?? 0); // [embedding.rows]
    return gather(this.weight, ids); // [embedding.rows]
  }
}

function checkIds(ids: Int, rows: number): void {
  if (!(ids instanceof Int))
    throw new RuleError("an embedding takes token ids: int(…) makes them from numbers", "embedding.rows");
  const values = ids.flat();
  const at = values.findIndex((id) => id < 0 || id >= rows);
  if (at < 0) return;
  throw new RuleError(
    `id ${values[at]} at position ${at} is not among the ${rows} rows of the table`,
    "embedding.rows",
    ID_OUT_OF_RANGE,
  );
}
