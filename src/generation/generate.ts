// Autoregressive generation for a batch of prompts. Each step runs the model on the complete rows; there is no cache.
import type { Backend } from "../kernels/backend.ts";
import { reference } from "../kernels/reference/index.ts";
import { run } from "../kernels/replay.ts";
import { abortSignal, type Check, checked, object, optional, passing, shown, whole } from "../nn/options.ts";
import { RuleError } from "../tensor/errors.ts";
import { flat, Int, type Tensor } from "../tensor/tensor.ts";
import { type Choose, greedy } from "./choose.ts";

/** The parts of a causal language model that generation uses. */
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

/** A token id: a whole number that an Int holds. */
const id = whole(0, 2 ** 31 - 1);
const checks: { readonly [K in keyof GenerateOptions]-?: Check } = {
  stop: id,
  maxTokens: whole(0, Number.MAX_SAFE_INTEGER),
  choose: optional(passing("a function from logits to a token id", (value) => typeof value === "function")),
  never: optional(passing("a list of token ids", (value) => Array.isArray(value) && value.every(id.accepts))),
  backend: optional(object("a backend")),
  signal: optional(abortSignal),
};

/**
 * Token rows as one tensor, padded on the right. A causal model's logits at earlier positions do not depend on padding. Throws
 * a RuleError if there are no rows, or a row is empty or holds a value that is no token id.
 */
export function batchOf(rows: readonly (readonly number[])[], padding: number): Int<"b l"> {
  if (!Array.isArray(rows))
    throw new RuleError(`prompts are a list of token rows, not ${shown(rows)}`, "generate.prompts");
  if (rows.length === 0) throw new RuleError("there are no prompts; give at least one", "generate.prompts");
  for (const [b, row] of rows.entries()) checkPrompt(row, b);
  const l = rows.reduce((longest, row) => Math.max(longest, row.length), 0);
  const data = new Int32Array(rows.length * l).fill(padding);
  for (const [b, row] of rows.entries()) data.set(row, b * l); // [generate.padding]
  return new Int([rows.length, l], data);
}

function checkPrompt(row: readonly number[], b: number): void {
  if (!Array.isArray(row))
    throw new RuleError(`prompt ${b} is a list of token ids, not ${shown(row)}`, "generate.prompts");
  if (row.length === 0)
    throw new RuleError(
      `prompt ${b} has no tokens, so there is no position whose next token could be chosen; begin it with a token`,
      "generate.prompts",
    );
  const at = row.findIndex((token) => !id.accepts(token));
  if (at >= 0)
    throw new RuleError(
      `prompt ${b} has ${String(row[at])} at position ${at}, which is no token id`,
      "generate.prompts",
    );
}

/** The token that follows one position, from its logits. Throws a RuleError if there is none to choose. */
function next(logits: Float64Array, row: number, { choose = greedy, never = [] }: GenerateOptions): number {
  const n = logits.length;
  for (const token of never) {
    if (token >= n)
      throw new RuleError(`never lists ${token}, which is none of the model's ${n} tokens`, "generate.never");
    logits[token] = Number.NEGATIVE_INFINITY; // [generate.never]
  }
  const wrong = logits.findIndex((x) => !(x < Number.POSITIVE_INFINITY));
  if (wrong >= 0)
    throw new RuleError(
      `the logit of token ${wrong} after prompt ${row} is ${logits[wrong]}; look for a weight or an input that is not finite`,
      "generate.finite",
    );
  if (!logits.some((x) => x > Number.NEGATIVE_INFINITY))
    throw new RuleError(
      `no token is left for prompt ${row}: all ${n} are excluded by never or have the logit −∞`,
      "generate.never",
    );
  const chosen = choose(logits);
  if (Number.isInteger(chosen) && chosen >= 0 && chosen < n) {
    if (!never.includes(chosen)) return chosen;
    throw new RuleError(`choose returned ${chosen}, which never lists`, "generate.chosen");
  }
  throw new RuleError(
    `choose returned ${String(chosen)}, which is none of the model's ${n} tokens`,
    "generate.chosen",
  );
}

/**
 * Continues each prompt until its stop token or by `maxTokens` tokens, and returns prompts and continuations together. Throws
 * a RuleError if a prompt is empty, an id is none of the model's tokens, or there is no token to choose.
 */
export async function generate(
  { model, logits }: LanguageModel,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): Promise<number[][]> {
  const known = checked("generate", options, checks);
  const { stop, maxTokens, backend = reference(), signal } = known;
  batchOf(prompts, stop); // refuses empty prompts also where maxTokens is 0
  const rows = prompts.map((prompt) => [...prompt]);
  const done = rows.map(() => false);
  for (let taken = 0; taken < maxTokens && done.includes(false); taken++) {
    const text = batchOf(rows, stop);
    const { shape, data } = await run(backend, () => logits(text), { model, signal });
    const [, l = 0] = text.shape;
    const n = shape[2] ?? 0;
    if (shape.length !== 3 || shape[0] !== rows.length || shape[1] !== l)
      throw new RuleError(
        `logits of a text [${text.shape.join(" ")}] are [${text.shape.join(" ")} n], not [${shape.join(" ")}]`,
        "generate.logits",
      );
    if (stop >= n)
      throw new RuleError(`stop is ${stop}, which is none of the model's ${n} tokens`, "generate.stop");
    const values = flat(data);
    for (const [b, row] of rows.entries()) {
      if (done[b]) continue;
      const from = (b * l + row.length - 1) * n;
      const token = next(Float64Array.from(values.subarray(from, from + n)), b, known);
      row.push(token);
      done[b] = token === stop; // [generate.stop]
    }
  }
  return rows;
}
