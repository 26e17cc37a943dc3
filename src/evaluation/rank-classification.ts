// Classification by the log-probabilities of class names: `get_rank_classifications` of open-flamingo 2.0.1
// (open_flamingo/eval/models/open_flamingo.py), for any model that continues texts.
import { CachedSteps, type Pass } from "../generation/cached-steps.ts";
import { logProbabilities } from "../generation/choose.ts";
import { tokenId } from "../generation/options.ts";
import { following } from "../generation/prompts.ts";
import { scoresOf } from "../generation/scores.ts";
import type { Backend } from "../kernels/backend.ts";
import { reference } from "../kernels/reference/index.ts";
import { noPadding } from "../models/language-model.ts";
import { checkWriter, type Writer } from "../models/writer.ts";
import { abortSignal, type Check, checked, count, flag, object, optional, passing } from "../nn/options.ts";
import { RuleError } from "../tensor/errors.ts";
import { named, shapes } from "../tensor/pattern.ts";
import { Bool, type Tensor } from "../tensor/tensor.ts";
import { type EvaluationProfile, evaluationProfile, evaluationProfiles } from "./profiles.ts";

/** The classes, and how they are scored. */
export interface RankOptions {
  /** The token ids of each class, without special tokens. */
  readonly classes: readonly (readonly number[])[];
  /** The score of a class: the mean of the log-probabilities of its tokens, or their sum. Default true: the mean. */
  readonly normalizeLength?: boolean | undefined;
  /** Default: `flamboyance`, without the defects of the release. */
  readonly profile?: EvaluationProfile | undefined;
  /** The number of pairs of a prompt and a class that are read in one batch. Default 64. */
  readonly batch?: number | undefined;
  readonly backend?: Backend | undefined;
  readonly signal?: AbortSignal | undefined;
}

const isClass = (value: unknown): boolean =>
  Array.isArray(value) && value.length > 0 && value.every(tokenId.accepts);
const checks: { readonly [K in keyof RankOptions]-?: Check } = {
  classes: passing(
    "a list of classes, each a list of at least one token id",
    (value) => Array.isArray(value) && value.length > 0 && value.every(isClass),
  ),
  normalizeLength: optional(flag),
  profile: evaluationProfile,
  batch: optional(count),
  backend: optional(object("a backend")),
  signal: optional(abortSignal),
};

/** Prompts as one batch: their mask is false for padding, which stands before the text. `prefill` makes them from lists of ids. */
export type PromptBatch = Pick<Pass, "ids" | "mask">;

/** Log-probabilities of the next token of each row. */
type Logs = readonly Float64Array[];

/** Throws a RuleError if a row has no text, or padding behind it. */
function checkPrompts({ ids, mask }: PromptBatch): void {
  const { b, l } = shapes("rankClassifications", { ids: [ids, "b l"], mask: [named("b l", mask), "b l"] });
  const real = mask.flat();
  for (let row = 0; row < b; row++) {
    const first = real.subarray(row * l, (row + 1) * l).indexOf(1);
    if (first < 0) throw new RuleError(`prompt ${row} is empty; begin it with a token`, "evaluate.prompts");
    const gap = real.subarray(row * l + first, (row + 1) * l).indexOf(0);
    if (gap >= 0)
      throw new RuleError(
        `prompt ${row} has padding at position ${first + gap}, behind its text; pad on the left, so that a class follows the text`,
        "evaluate.prompts",
      );
  }
}

/** The log-probabilities of all rows. Throws a RuleError if a logit is NaN or +∞. */
const logsOf = (logits: Tensor, rows: number): Logs =>
  scoresOf(logits, rows, { stops: [], maxTokens: 1, beams: 1, returns: 1 }).map(logProbabilities);

/** The running sums of log-probabilities, [prompt][class]. */
type Sums = readonly Float64Array[];

const added = (sums: Sums, row: number, at: number, logs: Float64Array | undefined, id: number): void => {
  const sum = sums[row];
  if (sum) sum[at] = (sum[at] ?? 0) + (logs?.[id] ?? Number.NaN);
};

/** A class behind a prompt. */
interface Pair {
  readonly row: number;
  readonly at: number;
  readonly tokens: readonly number[];
}

/** Reads classes of more than one token, each behind its own prompt, and adds the log-probabilities of their further tokens. */
async function readApart(
  pairs: readonly Pair[],
  { trunk, mask, sums }: { readonly trunk: CachedSteps; readonly mask: Bool<"b s">; readonly sums: Sums },
): Promise<void> {
  const steps = trunk.branch(); // [evaluate.own-cache]
  const longest = pairs.reduce((most, { tokens }) => Math.max(most, tokens.length), 0);
  let before: Pick<Pass, "mask"> = { mask };
  try {
    for (let t = 0; t + 1 < longest; t++) {
      const ids = pairs.map(({ tokens }) => (t + 1 < tokens.length ? (tokens[t] ?? null) : null));
      const pass = following(before, ids, 0, t === 0 ? pairs.map(({ row }) => row) : null);
      const logs = logsOf(await steps.step(pass), pairs.length);
      before = pass;
      for (const [i, { row, at, tokens }] of pairs.entries()) {
        const next = tokens[t + 1];
        if (next !== undefined) added(sums, row, at, logs[i], next);
      }
    }
  } finally {
    steps.close();
  }
}

/** Reads one class after another behind the prompts, as the release does: each is read after the ones before it. */
async function readTogether(
  classes: RankOptions["classes"],
  { trunk, mask, sums }: { readonly trunk: CachedSteps; readonly mask: Bool<"b s">; readonly sums: Sums },
): Promise<void> {
  let before: Pick<Pass, "mask"> = { mask };
  for (const [at, tokens] of classes.entries())
    for (const [t, id] of tokens.entries()) {
      const pass = following(before, new Array<number>(sums.length).fill(id), 0);
      const logs = logsOf(await trunk.step(pass), sums.length);
      before = pass;
      const next = tokens[t + 1];
      if (next !== undefined) for (const [row] of sums.entries()) added(sums, row, at, logs[row], next);
    }
}

/** Throws a RuleError if a class has a token that the model lacks. */
function checkClasses(classes: RankOptions["classes"], tokens: number): void {
  for (const [at, ids] of classes.entries()) {
    const wrong = ids.find((id) => id >= tokens);
    if (wrong !== undefined)
      throw new RuleError(
        `class ${at} has the token ${wrong}, which is none of the model's ${tokens} tokens`,
        "evaluate.classes",
      );
  }
}

/**
 * The log-probability of each class behind each prompt, [prompt][class]. Prompts are read once, and the classes behind them with the cache.
 * Throws a RuleError if a prompt is padded behind its text, a class has no tokens or one that the model lacks, or a logit is not finite.
 */
export async function rankClassifications(
  writer: Writer,
  prompts: PromptBatch,
  options: RankOptions,
): Promise<number[][]> {
  checkWriter("rankClassifications", writer);
  const known = checked("rankClassifications", options, checks);
  const { classes, normalizeLength = true, profile = "flamboyance", batch = 64 } = known;
  const { backend = reference(), signal } = known;
  checkPrompts(prompts);
  const { classCache, padding } = evaluationProfiles[profile];
  const [b = 0, l = 0] = prompts.ids.shape;
  const given = new Bool<"b s">([b, l], prompts.mask.flat());
  const mask = padding === "visible" ? noPadding(b, l) : given; // [evaluate.padding]
  const trunk = new CachedSteps(writer, backend, { signal });
  try {
    const logs = logsOf(await trunk.step({ ids: prompts.ids, mask: given }), b);
    checkClasses(classes, logs[0]?.length ?? 0);
    const sums = logs.map((row) => Float64Array.from(classes, (ids) => row[ids[0] ?? -1] ?? Number.NaN)); // [evaluate.rank]
    if (classCache === "shared") await readTogether(classes, { trunk, mask, sums });
    else {
      const pairs = sums.flatMap((_, row) =>
        classes.flatMap((tokens, at) => (tokens.length > 1 ? [{ row, at, tokens }] : [])),
      );
      for (let from = 0; from < pairs.length; from += batch)
        await readApart(pairs.slice(from, from + batch), { trunk, mask, sums });
    }
    return sums.map(
      (row) => Array.from(row, (sum, at) => (normalizeLength ? sum / (classes[at]?.length ?? 1) : sum)), // [evaluate.normalize-length]
    );
  } finally {
    trunk.close();
  }
}
