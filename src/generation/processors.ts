// Logits processors: functions that change the scores of the next token before one is chosen. Their effects, order and arithmetic are
// those of transformers 4.57.6 (generation/logits_process.py, and `_get_logits_processor` of generation/utils.py).
import { largest } from "./largest.ts";

/** Returns new scores, [vocabulary], for the token that follows `tokens`: the prompt and what was generated. */
export type Process = (scores: Float64Array, tokens: readonly number[]) => Float64Array;

const EXCLUDED = Number.NEGATIVE_INFINITY;

/** A copy of the scores in which the given tokens are excluded. */
function without(scores: Float64Array, tokens: Iterable<number>): Float64Array {
  const left = scores.slice();
  for (const token of tokens) if (token < left.length) left[token] = EXCLUDED;
  return left;
}

/** Divides the positive scores of tokens that occur in the text by `penalty`, and multiplies the negative ones by it. */
export const repetitionPenalty =
  (penalty: number): Process =>
  (scores, tokens) => {
    const penalised = scores.slice();
    for (const token of new Set(tokens)) {
      const score = scores[token];
      if (score !== undefined) penalised[token] = score < 0 ? score * penalty : score / penalty; // [generate.repetition]
    }
    return penalised;
  };

/** Excludes the tokens that would repeat a sequence of n tokens that the text has already. */
export const noRepeatNgram =
  (n: number): Process =>
  (scores, tokens) => {
    const end = tokens.length - (n - 1);
    const begins = (at: number): boolean => {
      for (let i = 0; i < n - 1; i++) if (tokens[at + i] !== tokens[end + i]) return false;
      return true;
    };
    const repeated: number[] = [];
    for (let at = 0; at < end; at++) if (begins(at)) repeated.push(tokens[at + n - 1] ?? 0); // [generate.ngrams]
    return without(scores, repeated);
  };

/** Excludes the last token of each sequence whose other tokens end the text. One that consists of a stop token is ignored. */
export const badWords = (words: readonly (readonly number[])[], stops: readonly number[]): Process => {
  const excluded = words.filter(([first, ...rest]) => rest.length > 0 || !stops.includes(first ?? -1)); // [generate.bad-words]
  return (scores, tokens) =>
    without(
      scores,
      excluded.flatMap((word) => {
        const start = tokens.length - (word.length - 1);
        const completes =
          word.length === 1 ||
          (start > 0 && word.slice(0, -1).every((token, i) => tokens[start + i] === token));
        return completes ? word.slice(-1) : [];
      }),
    );
};

/** Excludes the stop tokens until the text, prompt included, has `length` tokens. */
export const minLength =
  (length: number, stops: readonly number[]): Process =>
  (scores, tokens) =>
    tokens.length < length ? without(scores, stops) : scores; // [generate.min-length]

/** Excludes tokens wherever they stand. */
export const suppressed =
  (tokens: readonly number[]): Process =>
  (scores) =>
    without(scores, tokens); // [generate.never]

/** The texts that begin alike: what may follow, and whether a text may end here. */
interface Node {
  readonly next: Map<number, Node>;
  ends: boolean;
}

/** The trie of texts, each a list of token ids. */
function trieOf(texts: readonly (readonly number[])[]): Node {
  const root: Node = { next: new Map(), ends: false };
  for (const text of texts) {
    let node = root;
    for (const id of text) {
      const known = node.next.get(id) ?? { next: new Map(), ends: false };
      node.next.set(id, known);
      node = known;
    }
    node.ends = true;
  }
  return root;
}

/** The node at which tokens end; undefined where they are no beginning of a text. */
function nodeAfter(root: Node, tokens: readonly number[]): Node | undefined {
  let node: Node | undefined = root;
  for (const id of tokens) node = node?.next.get(id);
  return node;
}

/**
 * Generation of one of several known texts, such as names of classes: PrefixConstrainedLogitsProcessor of the package, with a trie for its function
 * (De Cao et al., arXiv 2010.00904, §3.1). Excludes all tokens but those that continue the generated ones, which begin behind `promptLength`, to one of the texts; where a text is complete, the
 * stop tokens may follow.
 */
export function onlyTexts(
  texts: readonly (readonly number[])[],
  stops: readonly number[],
  promptLength: number,
): Process {
  const root = trieOf(texts);
  return (scores, tokens) => {
    const node = nodeAfter(root, tokens.slice(promptLength));
    const allowed = new Set([...(node?.next.keys() ?? []), ...(node?.ends ? stops : [])]);
    return scores.map((score, id) => (allowed.has(id) ? score : Number.NEGATIVE_INFINITY)); // [generate.only-texts]
  };
}

export const temperature =
  (t: number): Process =>
  (scores) =>
    scores.map((score) => score / t); // [generate.temperature]

/** Excludes tokens with lower scores than the k-th highest; all that are equal to it stay. At least `keep` tokens stay. */
export const topK =
  (k: number, keep = 1): Process =>
  (scores) => {
    const count = Math.min(Math.max(k, keep), scores.length);
    const least = scores[largest(scores, count)[count - 1] ?? 0] ?? EXCLUDED;
    return scores.map((score) => (score < least ? EXCLUDED : score)); // [generate.top-k]
  };

/**
 * Excludes the least probable tokens that together have a probability of at most 1 − p. Of tokens with equal scores those with the lowest
 * ids are excluded first, as in the package for few tokens; its sort is not stable for many. At least `keep` tokens stay.
 */
export const topP =
  (p: number, keep = 1): Process =>
  (scores) => {
    const possible = Uint32Array.from([...scores.keys()].filter((id) => scores[id] !== EXCLUDED));
    const ascending = possible.sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0) || a - b); // [generate.top-p]
    const top = scores[ascending.at(-1) ?? 0] ?? 0;
    const weights = Float64Array.from(ascending, (id) => Math.exp((scores[id] ?? 0) - top));
    const sum = weights.reduce((a, b) => a + b, 0);
    const removed: number[] = [];
    let cumulative = 0;
    for (const [i, id] of ascending.entries()) {
      cumulative += (weights[i] ?? 0) / sum;
      if (cumulative > 1 - p || i >= ascending.length - keep) break;
      removed.push(id);
    }
    return without(scores, removed);
  };

/** Processors by their options, in the order in which they are applied. */
export interface ProcessorOptions {
  /** Above 1, tokens of the text (the prompt included) become less probable. Default 1: off. */
  readonly repetitionPenalty?: number | undefined;
  /** n: no sequence of n tokens occurs twice, the prompt included. Default 0: off. */
  readonly noRepeatNgram?: number | undefined;
  /** Sequences of tokens that are not generated. */
  readonly badWords?: readonly (readonly number[])[] | undefined;
  /** The least number of tokens of a row, prompt included. */
  readonly minLength?: number | undefined;
  /** The least number of generated tokens of a row. */
  readonly minTokens?: number | undefined;
  /** Texts, as token ids, of which one is generated and then a stop token. Default: any text. */
  readonly onlyTexts?: readonly (readonly number[])[] | undefined;
  /** Tokens that are never chosen, such as padding and the image token. */
  readonly never?: readonly number[] | undefined;
  /** Divides the scores: below 1 the distribution is sharper, above 1 flatter. Default 1. With `seed` only, like topK and topP. */
  readonly temperature?: number | undefined;
  /** Only the k most probable tokens can be drawn. Default: all. */
  readonly topK?: number | undefined;
  /** Only the most probable tokens whose probabilities sum to p can be drawn. Default 1: all. */
  readonly topP?: number | undefined;
}
export type ProcessorName = keyof ProcessorOptions;

export interface Processor {
  readonly name: ProcessorName;
  readonly process: Process;
}

/** Facts about the prompt and the search that processors depend on. */
export interface ProcessedRow {
  readonly stops: readonly number[];
  /** The number of tokens of the prompt. */
  readonly promptLength: number;
  /** The number of tokens that topK and topP leave at least. Default 1. */
  readonly keep?: number;
}

/** The processors that the options turn on, in their order. */
export function processorsOf(
  options: ProcessorOptions,
  { stops, promptLength, keep = 1 }: ProcessedRow,
): Processor[] {
  const { repetitionPenalty: penalty = 1, noRepeatNgram: n = 0, badWords: words = [], never = [] } = options;
  const { minLength: length = 0, minTokens = 0, onlyTexts: texts = [] } = options;
  const { temperature: t = 1, topK: k = Number.POSITIVE_INFINITY, topP: p = 1 } = options;
  const mayStop = stops.length > 0;
  const all: readonly (readonly [ProcessorName, boolean, () => Process])[] = [
    ["repetitionPenalty", penalty !== 1, () => repetitionPenalty(penalty)],
    ["noRepeatNgram", n > 0, () => noRepeatNgram(n)],
    ["badWords", words.length > 0, () => badWords(words, stops)],
    ["minLength", mayStop && length > 0, () => minLength(length, stops)],
    ["minTokens", mayStop && minTokens > 0, () => minLength(promptLength + minTokens, stops)],
    ["onlyTexts", texts.length > 0, () => onlyTexts(texts, stops, promptLength)],
    ["never", never.length > 0, () => suppressed(never)],
    ["temperature", t !== 1, () => temperature(t)],
    ["topK", k !== Number.POSITIVE_INFINITY, () => topK(k, keep)],
    ["topP", p < 1, () => topP(p, keep)],
  ]; // [generate.order]
  return all.filter(([, on]) => on).map(([name, , process]) => ({ name, process: process() }));
}

/** The scores after all processors. */
export const processed = (
  processors: readonly Processor[],
  scores: Float64Array,
  tokens: readonly number[],
): Float64Array => processors.reduce((now, { process }) => process(now, tokens), scores);
