// Autoregressive generation for a batch of prompts. Each step runs the model on the complete rows; there is no cache.
import type { Backend } from "../kernels/backend.ts";
import { reference } from "../kernels/reference/index.ts";
import { run } from "../kernels/replay.ts";
import { flat, Int, type Tensor } from "../tensor/tensor.ts";
import { type Choose, greedy } from "./choose.ts";

/** What generation needs of a causal language model. */
export interface LanguageModel {
  /** The module that owns the parameters. */
  readonly model: object;
  /** Logits of the next token at every position of a batch of token rows. Recorded, then run on a backend. */
  readonly logits: (text: Int<"b l">) => Tensor<"b l n">;
}

export interface GenerateOptions {
  /** The token that ends a row; it is kept as the row's last token. */
  readonly stop: number;
  readonly maxTokens: number;
  /** Default: greedy. */
  readonly choose?: Choose | undefined;
  /** Tokens that are never chosen, such as padding and the image token. */
  readonly never?: readonly number[] | undefined;
  readonly backend?: Backend | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Token rows as one tensor, padded on the right. A causal model's logits at earlier positions do not depend on padding. */
export function batchOf(rows: readonly (readonly number[])[], padding: number): Int<"b l"> {
  const l = Math.max(...rows.map((row) => row.length));
  const data = new Int32Array(rows.length * l).fill(padding);
  for (const [b, row] of rows.entries()) data.set(row, b * l); // [generate.padding]
  return new Int([rows.length, l], data);
}

/** Continues each prompt until its stop token or by `maxTokens` tokens, and returns prompts and continuations together. */
export async function generate(
  { model, logits }: LanguageModel,
  prompts: readonly (readonly number[])[],
  { stop, maxTokens, choose = greedy, never = [], backend = reference(), signal }: GenerateOptions,
): Promise<number[][]> {
  const rows = prompts.map((prompt) => [...prompt]);
  const done = rows.map(() => false);
  for (let taken = 0; taken < maxTokens && done.includes(false); taken++) {
    const text = batchOf(rows, stop);
    const { shape, data } = await run(backend, () => logits(text), { model, signal });
    const [, l = 0, n = 0] = shape;
    const values = flat(data);
    for (const [b, row] of rows.entries()) {
      if (done[b]) continue;
      const from = (b * l + row.length - 1) * n;
      const last = Float64Array.from(values.subarray(from, from + n));
      for (const id of never) last[id] = Number.NEGATIVE_INFINITY; // [generate.never]
      const next = choose(last);
      row.push(next);
      done[b] = next === stop; // [generate.stop]
    }
  }
  return rows;
}
