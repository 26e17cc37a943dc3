// Packing of texts into sequences of one length: full sentences, as RoBERTa's (Liu et al., arXiv 1907.11692, §4.2, FULL-SENTENCES) and KOSMOS-1's text.
import { checkValue, whole } from "../../nn/options.ts";

/** A packed sequence: whole pieces, in order. */
export interface Packed {
  readonly ids: readonly number[];
  /** Where each piece begins. */
  readonly starts: readonly number[];
}

/**
 * Packs pieces of ids, such as sentences that begin or end with their special tokens, into sequences of at most `length` ids. A sequence is closed when
 * the next piece does not fit. A piece that is longer than a sequence is cut: it fills sequences of its own, and what is left of it begins the next one. No id is
 * lost, repeated or moved. [packing.order] Throws a RuleError if `length` is not a whole number from 1 up.
 */
export function* packed(
  pieces: Iterable<readonly number[]>,
  length: number,
): Generator<Packed, void, undefined> {
  checkValue("packed", "length", length, whole(1, 2 ** 24));
  let ids: number[] = [];
  let starts: number[] = [];
  for (const piece of pieces) {
    if (ids.length > 0 && ids.length + piece.length > length) {
      yield { ids, starts }; // [packing.whole]
      [ids, starts] = [[], []];
    }
    let from = 0;
    for (; piece.length - from > length; from += length)
      yield { ids: piece.slice(from, from + length), starts: [0] }; // [packing.long]
    if (from === piece.length) continue;
    starts.push(ids.length);
    for (let i = from; i < piece.length; i++) ids.push(piece[i] ?? 0); // [packing.order]
  }
  if (ids.length > 0) yield { ids, starts };
}
