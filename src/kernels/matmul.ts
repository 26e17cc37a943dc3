// The matrix product as one call, on whichever backend: what the benchmark times, and what anybody may call.

import { ShapeError } from "../tensor/errors.ts";
import { einsum } from "../tensor/ops/arrange.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { auto } from "./auto.ts";
import type { Backend } from "./backend.ts";
import { run } from "./replay.ts";

/** Opened by the first call that names no backend, and kept. */
let own: Promise<Backend> | undefined;

/**
 * C[…, i, j] = Σₚ A[…, i, p] B[…, p, j], for matrices or for batches of them. Without a backend it runs where `auto` says.
 * Several products in a row share one backend; open it yourself to choose threads or precision, and to close it.
 */
export async function matmul<M extends string, K extends string, N extends string>(
  a: Tensor<`${M} ${K}`>,
  b: Tensor<`${NoInfer<K>} ${N}`>,
  backend?: Backend,
): Promise<Tensor<`${M} ${N}`>> {
  const [left, right] = [a.shape, b.shape];
  const batches = `${left.slice(0, -2)}` === `${right.slice(0, -2)}`;
  if (left.length < 2 || left.length !== right.length || !batches || left.at(-1) !== right.at(-2))
    throw new ShapeError(`[${left.join(" ")}] times [${right.join(" ")}]`);
  own = backend ? own : (own ?? auto());
  const product = () => einsum("... m k, ... k n -> ... m n", a as Tensor, b as Tensor);
  return run(backend ?? (await (own as Promise<Backend>)), product, { inputs: { a, b } });
}
