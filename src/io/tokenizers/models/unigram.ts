// The unigram language model (Kudo 2018, arXiv:1804.10959): of all segmentations of a text into pieces, the one with the largest sum
// of scores, found by Viterbi's algorithm (google/sentencepiece, src/unigram_model.cc, `EncodeOptimized`).
import { byteToken, utf8Bytes } from "../text/bytes.ts";
import { PrefixIndex } from "../text/prefix-index.ts";
import type { TokenModel } from "./model.ts";

export interface UnigramOptions {
  /** The pieces with their ids and scores: text is segmented into these. */
  readonly pieces: Iterable<{ readonly text: string; readonly id: number; readonly score: number }>;
  /** Every token by id, pieces of any kind. */
  readonly tokens: readonly string[];
  /** The id of each token. */
  readonly ids: ReadonlyMap<string, number>;
  readonly unkId: number;
  /** The score of a character that is no piece: the lowest score − 10. */
  readonly unkScore: number;
  readonly byteFallback: boolean;
  /** Sums are stored in this precision: Math.fround in sentencepiece, float64 in Hugging Face's tokenizers. */
  readonly precision: "float32" | "float64";
}

/** What is subtracted from the lowest score for a character that is no piece. */
export const UNKNOWN_PENALTY = 10;

export class Unigram implements TokenModel {
  readonly #options: UnigramOptions;
  readonly #index: PrefixIndex;
  readonly #scores: Float64Array;

  constructor(options: UnigramOptions) {
    this.#options = options;
    this.#scores = new Float64Array(options.tokens.length);
    const pieces = [...options.pieces];
    for (const { id, score } of pieces) this.#scores[id] = score;
    this.#index = new PrefixIndex(pieces.map(({ text, id }) => [text, id] as const));
  }

  get size(): number {
    return this.#options.tokens.length;
  }
  idOf(token: string): number | undefined {
    return this.#options.ids.get(token);
  }
  tokenOf(id: number): string | undefined {
    return this.#options.tokens[id];
  }

  /** [unigram.viterbi] */
  encode(text: string): readonly number[] {
    const { unkId, byteFallback } = this.#options;
    const [from, ids] = this.#bestPaths(text);
    const result: number[] = [];
    for (let end = text.length, unknownEnd = end; end > 0; ) {
      const [start, id] = [from[end] ?? 0, ids[end] ?? unkId];
      const before = start > 0 ? ids[start] : null;
      if (id !== unkId) result.push(id);
      else if (before !== unkId) {
        // Adjacent unknown characters are one unknown token, or the bytes of all. [unigram.unknown]
        const bytes = byteFallback ? this.#bytes(text.slice(start, unknownEnd)) : null;
        for (const one of bytes?.reverse() ?? [unkId]) result.push(one);
      }
      if (id !== unkId || before !== unkId) unknownEnd = start;
      end = start;
    }
    return result.reverse();
  }

  /** For every position, where the last piece of the best segmentation up to it starts, and the id of that piece. */
  #bestPaths(text: string): [from: Int32Array, ids: Int32Array] {
    const { unkId, unkScore, precision } = this.#options;
    const scores = this.#scores;
    const best = new (precision === "float32" ? Float32Array : Float64Array)(text.length + 1);
    const from = new Int32Array(text.length + 1).fill(-1);
    const ids = new Int32Array(text.length + 1);
    const round = precision === "float32" ? Math.fround : (x: number) => x;
    const offer = (start: number, end: number, id: number, sum: number): void => {
      if (from[end] !== -1 && !(sum > (best[end] ?? 0))) return; // of equal sums the first found counts [unigram.ties]
      best[end] = sum;
      from[end] = start;
      ids[end] = id;
    };
    for (let start = 0; start < text.length; ) {
      const width = (text.codePointAt(start) ?? 0) > 0xffff ? 2 : 1;
      const here = best[start] ?? 0;
      let hasSingle = false;
      this.#index.each(text, start, (length, id) => {
        offer(start, start + length, id, (scores[id] ?? 0) + here);
        hasSingle ||= length === width;
      });
      if (!hasSingle) offer(start, start + width, unkId, round(unkScore + here)); // [unigram.unknown]
      start += width;
    }
    return [from, ids];
  }

  #bytes(text: string): number[] | null {
    const ids = Array.from(utf8Bytes(text), (byte) => this.#options.ids.get(byteToken(byte)));
    return ids.every((id) => id !== undefined) ? ids : null;
  }
}
