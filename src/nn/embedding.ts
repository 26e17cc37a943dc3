// Embeddings of ids.
import { gather } from "../tensor/ops/functions.ts";
import type { Int, Tensor } from "../tensor/tensor.ts";
import { normal, Parameter } from "./parameter.ts";

/** One row of the table for each id (torch.nn.Embedding). */
export class Embedding<D extends string> {
  weight: Parameter<`n ${D}`>;

  constructor(axis: D, rows: number, dim: number, { std = 1 }: { std?: number } = {}) {
    this.weight = new Parameter(`n ${axis}`, [rows, dim], normal(std)); // [embedding.normal]
  }

  forward<I extends string>(ids: Int<I>): Tensor<`${I} ${D}`> {
    return gather(this.weight, ids); // [embedding.rows]
  }
}
