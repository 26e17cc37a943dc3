// Prompts as passes of a writer.
import { shown } from "../nn/options.ts";
import { RuleError } from "../tensor/errors.ts";
import { checkGiven } from "../tensor/given.ts";
import { Bool, Int } from "../tensor/tensor.ts";
import type { Pass } from "./cached-steps.ts";
import { tokenId } from "./options.ts";

type Rows = readonly (readonly number[])[];

/** Throws a RuleError if there are no prompts, or one is empty or holds a value that is no token id. */
export function checkPrompts(rows: Rows): void {
  if (!Array.isArray(rows))
    throw new RuleError(`prompts are a list of token rows, not ${shown(rows)}`, "generate.prompts");
  if (rows.length === 0) throw new RuleError("there are no prompts; give at least one", "generate.prompts");
  for (const [b, row] of rows.entries()) checkPrompt(row, b);
}

function checkPrompt(row: readonly number[], b: number): void {
  if (!Array.isArray(row))
    throw new RuleError(`prompt ${b} is a list of token ids, not ${shown(row)}`, "generate.prompts");
  if (row.length === 0)
    throw new RuleError(
      `prompt ${b} has no tokens, so there is no position whose next token could be chosen; begin it with a token`,
      "generate.prompts",
    );
  const at = row.findIndex((token) => !tokenId.accepts(token));
  if (at >= 0)
    throw new RuleError(
      `prompt ${b} has ${String(row[at])} at position ${at}, which is no token id`,
      "generate.prompts",
    );
}

const longest = (rows: Rows): number => rows.reduce((most, row) => Math.max(most, row.length), 0);

/** Token rows as one tensor. Shorter rows are padded on the right; later tokens change nothing at the positions before them. */
export function batchOf(rows: Rows, padding: number): Int<"b l"> {
  checkPrompts(rows);
  const l = longest(rows);
  const data = new Int32Array(rows.length * l).fill(padding);
  for (const [b, row] of rows.entries()) data.set(row, b * l);
  return new Int([rows.length, l], data);
}

/** Prompts as one tensor. Shorter ones are padded on the left, so that the next token follows every row's last one. */
export function prefill(rows: Rows, padding: number): Pass {
  checkGiven("prefill", { rows }, "a list");
  const l = longest(rows);
  const ids = new Int32Array(rows.length * l).fill(padding);
  const mask = new Uint8Array(rows.length * l);
  for (const [b, row] of rows.entries()) {
    ids.set(row, (b + 1) * l - row.length);
    mask.fill(1, (b + 1) * l - row.length, (b + 1) * l); // [generate.padding]
  }
  return { ids: new Int([rows.length, l], ids), mask: new Bool([rows.length, l], mask), from: null };
}

/**
 * The next pass: one token a row. A row that has ended (null) gets padding. `from` gives for each row the row of the last pass that it
 * continues; null: the same one. [generate.cached]
 */
export function following(
  { mask }: Pick<Pass, "mask">,
  tokens: readonly (number | null)[],
  padding: number,
  from: readonly number[] | null = null,
): Pass {
  const b = tokens.length;
  const s = mask.shape[1] ?? 0;
  const longer = new Uint8Array(b * (s + 1));
  for (const [row, token] of tokens.entries()) {
    const before = from?.[row] ?? row;
    longer.set(mask.data.subarray(before * s, (before + 1) * s), row * (s + 1));
    longer[row * (s + 1) + s] = Number(token !== null);
  }
  const ids = Int32Array.from(tokens, (token) => token ?? padding);
  return { ids: new Int([b, 1], ids), mask: new Bool([b, s + 1], longer), from };
}
