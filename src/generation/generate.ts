// Autoregressive generation for a batch of prompts. The first step reads the prompts, and each later one the tokens chosen last.
import type { Backend } from "../kernels/backend.ts";
import { reference } from "../kernels/reference/index.ts";
import { type Writer, writerCheck } from "../models/language-model.ts";
import {
  abortSignal,
  type Check,
  checked,
  checkValue,
  object,
  optional,
  passing,
  shown,
  whole,
} from "../nn/options.ts";
import { RuleError } from "../tensor/errors.ts";
import { Bool, flat, Int, type Tensor } from "../tensor/tensor.ts";
import { CachedSteps, type Pass } from "./cached-steps.ts";
import { type Choose, greedy } from "./choose.ts";

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

/** Throws a RuleError if there are no prompts, or one is empty or holds a value that is no token id. */
function checkPrompts(rows: readonly (readonly number[])[]): void {
  if (!Array.isArray(rows))
    throw new RuleError(`prompts are a list of token rows, not ${shown(rows)}`, "generate.prompts");
  if (rows.length === 0) throw new RuleError("there are no prompts; give at least one", "generate.prompts");
  for (const [b, row] of rows.entries()) checkPrompt(row, b);
}

/** Token rows as one tensor. Shorter rows are padded on the right; later tokens change nothing at the positions before them. */
export function batchOf(rows: readonly (readonly number[])[], padding: number): Int<"b l"> {
  checkPrompts(rows);
  const l = rows.reduce((longest, row) => Math.max(longest, row.length), 0);
  const data = new Int32Array(rows.length * l).fill(padding);
  for (const [b, row] of rows.entries()) data.set(row, b * l);
  return new Int([rows.length, l], data);
}

/** Prompts as one tensor. Shorter ones are padded on the left, so that the next token follows every row's last one. */
function prefill(rows: readonly (readonly number[])[], padding: number): Pass {
  const l = rows.reduce((longest, row) => Math.max(longest, row.length), 0);
  const ids = new Int32Array(rows.length * l).fill(padding);
  const mask = new Uint8Array(rows.length * l);
  for (const [b, row] of rows.entries()) {
    ids.set(row, (b + 1) * l - row.length);
    mask.fill(1, (b + 1) * l - row.length, (b + 1) * l); // [generate.padding]
  }
  return { ids: new Int([rows.length, l], ids), mask: new Bool([rows.length, l], mask) };
}

/** The next pass: one token a row. A row that has ended (null) gets padding. [generate.cached] */
function following({ mask }: Pass, tokens: readonly (number | null)[], padding: number): Pass {
  const b = tokens.length;
  const s = mask.shape[1] ?? 0;
  const longer = new Uint8Array(b * (s + 1));
  for (const [row, token] of tokens.entries()) {
    longer.set(mask.data.subarray(row * s, (row + 1) * s), row * (s + 1));
    longer[row * (s + 1) + s] = Number(token !== null);
  }
  const ids = Int32Array.from(tokens, (token) => token ?? padding);
  return { ids: new Int([b, 1], ids), mask: new Bool([b, s + 1], longer) };
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

function checkLogits({ shape }: Tensor, b: number, stop: number): void {
  const n = shape[1] ?? 0;
  if (shape.length !== 2 || shape[0] !== b)
    throw new RuleError(
      `the logits after ${b} rows are [${b} n], not [${shape.join(" ")}]`,
      "generate.logits",
    );
  if (stop >= n)
    throw new RuleError(`stop is ${stop}, which is none of the model's ${n} tokens`, "generate.stop");
}

/**
 * Continues each prompt and yields the tokens of each step as soon as they are chosen, one for each prompt: null where the prompt has
 * ended. Ends when every prompt has its stop token, or after `maxTokens` tokens. Throws as `generate` does.
 */
export async function* stream(
  writer: Writer,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): AsyncGenerator<readonly (number | null)[], void> {
  checkValue("generate", "writer", writer, writerCheck);
  const known = checked("generate", options, checks);
  const { stop, maxTokens, backend = reference(), signal } = known;
  checkPrompts(prompts);
  const steps = new CachedSteps(writer, backend, { signal });
  const done = prompts.map(() => false);
  let pass = prefill(prompts, stop);
  try {
    for (let taken = 0; taken < maxTokens && done.includes(false); taken++) {
      const logits = await steps.step(pass);
      checkLogits(logits, prompts.length, stop);
      const n = logits.shape[1] ?? 0;
      const values = flat(logits.data);
      const tokens = prompts.map((_, b) =>
        done[b] ? null : next(Float64Array.from(values.subarray(b * n, (b + 1) * n)), b, known),
      );
      yield tokens; // [generate.stream]
      pass = following(pass, tokens, stop);
      for (const [b, token] of tokens.entries()) done[b] ||= token === stop; // [generate.stop]
    }
  } finally {
    steps.close();
  }
}

/**
 * Continues each prompt until its stop token or by `maxTokens` tokens, and returns prompts and continuations together. Throws
 * a RuleError if a prompt is empty, an id is none of the model's tokens, or there is no token to choose.
 */
export async function generate(
  writer: Writer,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): Promise<number[][]> {
  const steps: (readonly (number | null)[])[] = [];
  for await (const tokens of stream(writer, prompts, options)) steps.push(tokens);
  return prompts.map((prompt, b) => [...prompt, ...steps.flatMap((tokens) => tokens[b] ?? [])]);
}
