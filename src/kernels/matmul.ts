// The matrix product as a single call on any backend, for users and for the benchmark.

import { ShapeError } from "../tensor/errors.ts";
import { einsum } from "../tensor/ops/arrange.ts";
import { checkTensors } from "../tensor/program/apply.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { auto } from "./auto.ts";
import type { Backend } from "./backend.ts";
import { run } from "./replay.ts";

/** Opened by the first call that passes no backend, and never closed. */
let defaultBackend: Promise<Backend> | undefined;

/**
 * C[…, i, j] = Σₚ A[…, i, p] B[…, p, j], for matrices or batches of matrices with equal leading axes. Without a backend it runs
 * on the one that `auto` chooses, which all such calls share; open a backend yourself to choose threads or precision, and to
 * close it. Throws a ShapeError if the axes do not fit.
 * Shapes: a `... m k`, b `... k n` → `... m n`.
 */
export async function matmul<M extends string, K extends string, N extends string>(
  a: Tensor<`${M} ${K}`>,
  b: Tensor<`${NoInfer<K>} ${N}`>,
  backend?: Backend,
): Promise<Tensor<`${M} ${N}`>> {
  checkTensors("matmul", a, b);
  const [left, right] = [a.shape, b.shape];
  const sameBatch = `${left.slice(0, -2)}` === `${right.slice(0, -2)}`;
  if (left.length < 2 || left.length !== right.length || !sameBatch || left.at(-1) !== right.at(-2))
    throw new ShapeError(
      `[${left.join(" ")}] times [${right.join(" ")}]: matmul takes [… m k] times [… k n]`,
    );
  if (!backend) defaultBackend ??= auto();
  const product = () => einsum("... m k, ... k n -> ... m n", a as Tensor, b as Tensor);
  return run(backend ?? (await (defaultBackend as Promise<Backend>)), product, { inputs: { a, b } });
}
