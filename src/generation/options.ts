// The options of generation.
import type { Backend } from "../kernels/backend.ts";
import {
  abortSignal,
  between,
  type Check,
  checked,
  count,
  object,
  optional,
  passing,
  positive,
  whole,
} from "../nn/options.ts";
import { seed } from "../nn/train-mode.ts";
import { RuleError } from "../tensor/errors.ts";
import type { Choose } from "./choose.ts";
import type { ProcessorOptions } from "./processors.ts";

/** How texts end, how tokens are chosen, and on which backend. Lengths count tokens. */
export interface GenerateOptions extends ProcessorOptions {
  /** The token that ends a row, or several of them; it is kept as the row's last token. An empty list: rows end by `maxTokens`. */
  readonly stop: number | readonly number[];
  /** The number of tokens that are generated at most. */
  readonly maxTokens: number;
  /** Tokens are drawn, by the generator of this seed. Default: the most probable token is chosen. */
  readonly seed?: number | undefined;
  /** Chooses a token from the processed scores, in place of the most probable one. */
  readonly choose?: Choose | undefined;
  /** The number of rows of each prompt: drawn ones, or the best beams. Default 1. */
  readonly returns?: number | undefined;
  /** The number of beams of a beam search. Default 1: none. */
  readonly beams?: number | undefined;
  /** The score of a beam is its sum of log-probabilities, divided by this power of its number of generated tokens. Default 1. */
  readonly lengthPenalty?: number | undefined;
  /**
   * When a beam search ends for a prompt with `beams` finished beams: true: at once; false: when no running beam has a better score at
   * its present length; "never": when none can reach one at any length. Default false.
   */
  readonly earlyStopping?: boolean | "never" | undefined;
  /** A row ends when its generated text holds one of these strings; needs `textOf`. */
  readonly stopStrings?: readonly string[] | undefined;
  /** The text of generated tokens, for `stopStrings`. */
  readonly textOf?: ((tokens: readonly number[]) => string) | undefined;
  /** The number of alternatives reported with each token, beside its log-probability after the processors. Default: neither is reported. */
  readonly alternatives?: number | undefined;
  /**
   * The prompts as processors see them, such as with padding in front of shorter ones, which counts as text in transformers. Default: a
   * prompt's own tokens, so that a batch generates what its rows would alone.
   */
  readonly seenPrompts?: readonly (readonly number[])[] | undefined;
  readonly backend?: Backend | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A token id: a whole number that an Int holds. */
export const tokenId = whole(0, 2 ** 31 - 1);
const isIds = (value: unknown): boolean => Array.isArray(value) && value.every(tokenId.accepts);
const ids = passing("a list of token ids", isIds);
const tokens = whole(0, Number.MAX_SAFE_INTEGER);
const functionOf = (wanted: string): Check => passing(wanted, (value) => typeof value === "function");
const fullLists = (wanted: string, accepts: Check["accepts"]): Check =>
  passing(wanted, (value) => Array.isArray(value) && value.every(accepts));
const finiteTopK = whole(1, Number.MAX_SAFE_INTEGER);
const isTopK = (value: unknown): boolean => value === Number.POSITIVE_INFINITY || finiteTopK.accepts(value);

const checks: { readonly [K in keyof GenerateOptions]-?: Check } = {
  stop: passing(
    `a token id (${tokenId.wanted}) or a list of them`,
    (value) => tokenId.accepts(value) || isIds(value),
  ),
  maxTokens: tokens,
  minTokens: optional(tokens),
  minLength: optional(tokens),
  repetitionPenalty: optional(positive),
  noRepeatNgram: optional(tokens),
  badWords: optional(
    fullLists(
      "a list of lists of token ids, none of them empty",
      (word) => isIds(word) && (word as unknown[]).length > 0,
    ),
  ),
  onlyTexts: optional(
    passing(
      "a list of at least one text, each a list of at least one token id",
      (value) =>
        Array.isArray(value) && value.length > 0 && value.every((text) => isIds(text) && text.length > 0),
    ),
  ),
  never: optional(ids),
  seed: optional(seed),
  temperature: optional(positive),
  topK: optional(passing(`${finiteTopK.wanted}, or Infinity`, isTopK)),
  topP: optional(between(0, 1, "a number from 0 to 1")),
  choose: optional(functionOf("a function from scores to a token id")),
  returns: optional(count),
  beams: optional(whole(1, 2 ** 16)),
  lengthPenalty: optional(between(-Number.MAX_VALUE, Number.MAX_VALUE, "a finite number")),
  earlyStopping: optional(
    passing('true, false or "never"', (value) => typeof value === "boolean" || value === "never"),
  ),
  stopStrings: optional(
    fullLists("a list of strings, none of them empty", (text) => typeof text === "string" && text !== ""),
  ),
  textOf: optional(functionOf("a function from token ids to a text")),
  alternatives: optional(tokens),
  seenPrompts: optional(fullLists("a list of lists of token ids", isIds)),
  backend: optional(object("a backend")),
  signal: optional(abortSignal),
};

/** Options that have no meaning without another one. */
const NEEDS: readonly (readonly [keyof GenerateOptions, keyof GenerateOptions])[] = [
  ["temperature", "seed"],
  ["topK", "seed"],
  ["topP", "seed"],
  ["lengthPenalty", "beams"],
  ["earlyStopping", "beams"],
  ["stopStrings", "textOf"],
];
/** Options of different ways to choose tokens. */
const EITHER: readonly (readonly [keyof GenerateOptions, keyof GenerateOptions])[] = [
  ["seed", "choose"],
  ["beams", "seed"],
  ["beams", "choose"],
  ["beams", "alternatives"],
];

/** Options that were checked, with `stop` as a list. */
export interface Settings extends Omit<GenerateOptions, "stop"> {
  readonly stops: readonly number[];
  readonly beams: number;
  readonly returns: number;
}

/** Checks the options of generation. Throws a RuleError that names the option, or the two that do not go together. */
export function settingsOf(options: GenerateOptions): Settings {
  const { stop, ...known } = checked("generate", options, checks);
  const { beams = 1, returns = 1, seed } = known;
  const given = (name: keyof GenerateOptions): boolean =>
    name === "beams" ? beams > 1 : known[name as keyof typeof known] !== undefined;
  for (const [name, needed] of NEEDS)
    if (given(name) && !given(needed))
      throw new RuleError(
        `generate: ${name} needs ${needed === "beams" ? "more than one beam" : needed}`,
        "generate.combined",
      );
  for (const [one, other] of EITHER)
    if (given(one) && given(other))
      throw new RuleError(
        `generate: ${one} and ${other} exclude each other; leave one of them out`,
        "generate.combined",
      );
  if (returns > 1 && beams === 1 && seed === undefined)
    throw new RuleError(
      `generate: returns is ${returns}, but without a seed or beams all ${returns} rows would be the same`,
      "generate.combined",
    );
  if (beams > 1 && returns > beams)
    throw new RuleError(`generate: returns is ${returns}, more than the ${beams} beams`, "generate.combined");
  return { ...known, stops: typeof stop === "number" ? [stop] : stop, beams, returns };
}
