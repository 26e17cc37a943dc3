// SentencePiece's byte-pair encoding: the adjacent pair whose concatenation is the piece of the highest score is merged, the leftmost
// first (google/sentencepiece, src/bpe_model.cc). A pair is found by its text, not by a list of merges.
import { MergeQueue } from "../models/merge-queue.ts";
import type { PrefixIndex } from "../text/prefix-index.ts";
import { NORMAL, type Piece, UNUSED, USER_DEFINED } from "./model.ts";

/** Texts of pieces, unknown characters included. */
export class PairMerging {
  /** The rank of each piece that merges can make: 0 for the highest score; equal scores share one. */
  readonly #ranks: ReadonlyMap<string, number>;
  readonly #unused: ReadonlySet<string>;
  readonly #userDefined: PrefixIndex;

  constructor(pieces: readonly Piece[], userDefined: PrefixIndex) {
    const made = pieces.filter(({ type }) => type === NORMAL || type === USER_DEFINED || type === UNUSED);
    const scores = [...new Set(made.map(({ score }) => score))].sort((a, b) => b - a);
    const rankOf = new Map(scores.map((score, rank) => [score, rank]));
    this.#ranks = new Map(made.map(({ text, score }) => [text, rankOf.get(score) ?? 0]));
    this.#unused = new Set(pieces.filter(({ type }) => type === UNUSED).map(({ text }) => text));
    this.#userDefined = userDefined;
  }

  /** [sentencepiece.bpe] */
  segment(text: string): string[] {
    const starts: number[] = [];
    const isFrozen: boolean[] = [];
    for (let at = 0; at < text.length; ) {
      const symbol = this.#userDefined.longest(text, at);
      starts.push(at);
      isFrozen.push(symbol !== null);
      at += symbol?.length ?? ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1);
    }
    const queue = new MergeQueue(starts.length);
    const textOf = (left: number, right: number): string => {
      const next = queue.after(right);
      return text.slice(starts[left], next < 0 ? undefined : starts[next]);
    };
    const halves = new Map<string, readonly [string, string]>();
    const rankOf = (left: number): number | undefined => {
      const right = queue.after(left);
      if (left < 0 || right < 0 || isFrozen[left] || isFrozen[right]) return undefined;
      const whole = textOf(left, right);
      if (this.#unused.has(whole)) halves.set(whole, [textOf(left, left), textOf(right, right)]);
      return this.#ranks.get(whole);
    };
    const add = (left: number): void => {
      const rank = rankOf(left);
      if (rank !== undefined) queue.push(rank, left);
    };
    for (let i = 0; i + 1 < starts.length; i++) add(i);
    for (let next = queue.pop(); next !== null; next = queue.pop()) {
      if (rankOf(next.left) !== next.rank) continue; // a pair that changed since it was queued
      queue.join(next.left, queue.after(next.left));
      add(queue.before(next.left));
      add(next.left);
    }
    return queue.remaining().flatMap((at) => this.#resegmented(textOf(at, at), halves));
  }

  /** An unused piece is taken apart into what it was merged from. */
  #resegmented(piece: string, halves: ReadonlyMap<string, readonly [string, string]>): string[] {
    const parts = this.#unused.has(piece) ? halves.get(piece) : undefined;
    return parts === undefined ? [piece] : parts.flatMap((part) => this.#resegmented(part, halves));
  }
}
