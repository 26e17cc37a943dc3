// Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909) as Hugging Face's tokenizers computes it
// (tokenizers/src/models/bpe): the adjacent pair of the lowest rank is merged, the leftmost first, until no pair has a rank.
import { LoadError } from "../../../tensor/errors.ts";
import { quoted } from "../../wording.ts";
import { byteToken, utf8Bytes } from "../text/bytes.ts";
import { MergeQueue } from "./merge-queue.ts";
import type { TokenModel } from "./model.ts";

export interface BpeOptions {
  readonly vocab: ReadonlyMap<string, number>;
  readonly merges: readonly (readonly [left: string, right: string])[];
  readonly unkToken: string | null;
  /** Before every character of a word but the first. */
  readonly prefix: string;
  /** After the last character of a word. */
  readonly suffix: string;
  readonly fuseUnk: boolean;
  readonly byteFallback: boolean;
  /** Whether a word that is a token is not split. */
  readonly ignoreMerges: boolean;
}

/** A pair of ids as one number; ids are below 2^26. */
const pairKey = (left: number, right: number): number => left * 2 ** 26 + right;

export class Bpe implements TokenModel {
  readonly #options: BpeOptions;
  readonly #tokens: ReadonlyMap<number, string>;
  readonly #ranks: ReadonlyMap<number, number>;
  /** The id that a merge of this rank makes. */
  readonly #made: Int32Array;

  constructor(options: BpeOptions) {
    this.#options = options;
    this.#tokens = new Map([...options.vocab].map(([token, id]) => [id, token]));
    this.#made = new Int32Array(options.merges.length);
    const ranks = new Map<number, number>();
    for (const [rank, [left, right]] of options.merges.entries()) {
      const made = left + right.slice(options.prefix.length);
      const [a, b, c] = [this.#id(left), this.#id(right), this.#id(made)];
      ranks.set(pairKey(a, b), rank);
      this.#made[rank] = c;
    }
    this.#ranks = ranks;
  }

  get size(): number {
    return this.#options.vocab.size;
  }
  idOf(token: string): number | undefined {
    return this.#options.vocab.get(token);
  }
  tokenOf(id: number): string | undefined {
    return this.#tokens.get(id);
  }

  #id(token: string): number {
    const id = this.#options.vocab.get(token);
    if (id === undefined)
      throw new LoadError(`a merge has ${quoted(token)}, which is not in the vocabulary  [tokenizer.bpe]`);
    return id;
  }

  /** [tokenizer.bpe] */
  encode(word: string): readonly number[] {
    const whole = this.#options.ignoreMerges ? this.#options.vocab.get(word) : undefined;
    if (whole !== undefined) return [whole];
    return this.#merge(this.#symbols(word));
  }

  /** The ids of the characters. One that is no token becomes its bytes, or the unknown token, or nothing. [tokenizer.unknown] */
  #symbols(word: string): number[] {
    const { vocab, unkToken, prefix, suffix, fuseUnk, byteFallback } = this.#options;
    const symbols: number[] = [];
    let wasUnknown = false;
    for (let i = 0; i < word.length; ) {
      const character = String.fromCodePoint(word.codePointAt(i) ?? 0);
      const isFirst = i === 0;
      i += character.length;
      const symbol = `${isFirst ? "" : prefix}${character}${i < word.length ? "" : suffix}`;
      const id = vocab.get(symbol);
      const bytes = id === undefined && byteFallback ? this.#bytes(symbol) : null;
      const unknown = unkToken === null ? undefined : vocab.get(unkToken);
      if (id !== undefined) symbols.push(id);
      else if (bytes !== null) symbols.push(...bytes);
      else if (unknown !== undefined && !(fuseUnk && wasUnknown)) symbols.push(unknown);
      wasUnknown = id === undefined && bytes === null;
    }
    return symbols;
  }

  /** The ids of the bytes of a symbol, or null if one of them has no token. */
  #bytes(symbol: string): number[] | null {
    const ids = Array.from(utf8Bytes(symbol), (byte) => this.#options.vocab.get(byteToken(byte)));
    return ids.every((id) => id !== undefined) ? ids : null;
  }

  #merge(symbols: readonly number[]): readonly number[] {
    const [ids, ranks, made] = [Int32Array.from(symbols), this.#ranks, this.#made];
    const queue = new MergeQueue(ids.length);
    const add = (left: number): void => {
      const right = queue.after(left);
      if (left < 0 || right < 0) return;
      const rank = ranks.get(pairKey(ids[left] ?? 0, ids[right] ?? 0));
      if (rank !== undefined) queue.push(rank, left);
    };
    for (let i = 0; i + 1 < ids.length; i++) add(i);
    for (let next = queue.pop(); next !== null; next = queue.pop()) {
      const { rank, left } = next;
      const right = queue.after(left);
      if (right < 0) continue;
      const now = ranks.get(pairKey(ids[left] ?? 0, ids[right] ?? 0));
      if (now === undefined || made[now] !== made[rank]) continue; // a pair that changed since it was queued
      ids[left] = made[rank] ?? 0;
      queue.join(left, right);
      add(queue.before(left));
      add(left);
    }
    return queue.remaining().map((at) => ids[at] ?? 0);
  }
}
