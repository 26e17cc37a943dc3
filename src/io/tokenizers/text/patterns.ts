// Regular expressions of tokenizer.json. They are written for Oniguruma; @huggingface/tokenizers translates them to JavaScript's.
import { LoadError, messageOf } from "../../../tensor/errors.ts";
import { quoted } from "../../wording.ts";

/** Translates a pattern for Oniguruma; flags g and u. */
export type Translate = (source: string) => RegExp;

/** The longest pattern, in characters. */
const LONGEST = 10_000;
/** Quantifiers without an upper bound in one alternative. With two, a text of n characters takes at most on the order of n³ steps. */
const MOST_UNBOUNDED = 2;

interface Splitting {
  readonly SplitPreTokenizer: new (config: object) => { readonly pattern: RegExp | null };
}

/** Loads the package that translates; a page that reads no tokenizer does not load it. */
export async function loadTranslator(): Promise<Translate> {
  // The package's types import files without extensions, which the compiler does not resolve here.
  const { SplitPreTokenizer } = (await import("@huggingface/tokenizers")) as unknown as Splitting;
  return (source) => {
    if (source.length > LONGEST)
      throw new LoadError(`a pattern of ${source.length} characters is too long  [tokenizer.patterns]`);
    const problem = problemOf(source);
    if (problem !== null)
      throw new LoadError(
        `the pattern ${quoted(source)} ${problem}, so its running time has no useful bound  [tokenizer.patterns]`,
      );
    try {
      const { pattern } = new SplitPreTokenizer({
        type: "Split",
        pattern: { Regex: source },
        behavior: "Isolated",
        invert: false,
      });
      if (pattern !== null) return pattern;
    } catch (error) {
      throw new LoadError(
        `the pattern ${quoted(source)} cannot be read: ${messageOf(error)}  [tokenizer.patterns]`,
      );
    }
    throw new LoadError(`the pattern ${quoted(source)} cannot be read  [tokenizer.patterns]`);
  };
}

interface Group {
  /** Unbounded quantifiers of the current alternative. */
  unbounded: number;
  most: number;
  /** Whether the group has a quantifier of variable length, or alternatives: what makes a repetition of it ambiguous. */
  isVariable: boolean;
}

const group = (): Group => ({ unbounded: 0, most: 0, isVariable: false });
const QUANTIFIER = /[*+?]|\{\d*,?\d*\}/y;
const CLASS = /\[\^?\]?(?:\\.|\[(?:\\.|[^\]\\])*\]|[^\]\\])*\]/suy;

/**
 * What makes the running time of a backtracking matcher exponential: an unbounded repetition of a group that itself has variable
 * parts, such as (a+)+ or (a|aa)*, and back references. Also more than two unbounded repetitions in one alternative. [tokenizer.patterns]
 */
function problemOf(source: string): string | null {
  const open: Group[] = [];
  let current = group();
  let closed: Group | null = null;
  const sticky = (pattern: RegExp, at: number): string | null => {
    pattern.lastIndex = at;
    return pattern.exec(source)?.[0] ?? null;
  };
  for (let i = 0; i < source.length; ) {
    const quantifier = sticky(QUANTIFIER, i);
    if (source[i] === "\\" && /[1-9kg]/.test(source[i + 1] ?? "")) return "has a back reference";
    if (quantifier !== null && !(source[i] === "?" && source[i - 1] === "(")) {
      const isUnbounded = /^[*+]$|,\}$/.test(quantifier);
      if (isUnbounded && closed?.isVariable === true) return "repeats a group of variable length";
      if (isUnbounded) current.unbounded++;
      if (!/^\{\d+\}$/.test(quantifier)) current.isVariable = true;
      if (current.unbounded > MOST_UNBOUNDED)
        return `has more than ${MOST_UNBOUNDED} unbounded repetitions in a row`;
      i += quantifier.length;
      if (source[i] === "?" || source[i] === "+") i++; // lazy and possessive ones
      closed = null;
      continue;
    }
    closed = null;
    if (source[i] === "\\") i += 2;
    else if (source[i] === "[") i += sticky(CLASS, i)?.length ?? 1;
    else {
      if (source[i] === "(") {
        open.push(current);
        current = group();
      } else if (source[i] === "|") {
        current.most = Math.max(current.most, current.unbounded);
        current.unbounded = 0;
        current.isVariable = true;
      } else if (source[i] === ")") {
        closed = current;
        const most = Math.max(current.most, current.unbounded);
        current = open.pop() ?? group();
        current.unbounded += most;
        current.isVariable ||= closed.isVariable;
        if (current.unbounded > MOST_UNBOUNDED)
          return `has more than ${MOST_UNBOUNDED} unbounded repetitions in a row`;
      }
      i++;
    }
  }
  return null;
}
