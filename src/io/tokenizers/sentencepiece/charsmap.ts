// Character maps of SentencePiece: for byte strings, what they are normalized to. A map is a trie and the strings that it refers to, each
// ended by a zero byte (google/sentencepiece, src/normalizer.cc, `DecodePrecompiledCharsMap`).
import { LoadError } from "../../../tensor/errors.ts";
import { DoubleArray } from "./double-array.ts";

/** What the text at a position is replaced with, and how many bytes of it. */
export interface Replacement {
  readonly bytes: Uint8Array;
  readonly length: number;
}

export class CharsMap {
  readonly #trie: DoubleArray;
  readonly #strings: Uint8Array;

  constructor(trie: DoubleArray, strings: Uint8Array) {
    this.#trie = trie;
    this.#strings = strings;
  }

  /** The replacement of the longest key at `from`; null if no key is there. [sentencepiece.longest] */
  at(bytes: Uint8Array, from: number): Replacement | null {
    const match = this.#trie.longest(bytes, from);
    if (match === null || match.value >= this.#strings.length) return null;
    const end = this.#strings.indexOf(0, match.value);
    return { bytes: this.#strings.subarray(match.value, end < 0 ? undefined : end), length: match.length };
  }
}

/** Reads a map: the length of the trie in bytes (32 bits, little-endian), the trie and the strings. No bytes are the identity. [sentencepiece.charsmap] */
export function readCharsMap(bytes: Uint8Array, name: string): CharsMap | null {
  if (bytes.length === 0) return null;
  const size = bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (bytes.length <= 4 || size >= bytes.length - 4 || size % 4 !== 0)
    throw new LoadError(
      `${name}: the character map of ${bytes.length} bytes gives its trie ${size} bytes; the file is damaged  [sentencepiece.charsmap]`,
    );
  return new CharsMap(new DoubleArray(bytes.subarray(4, 4 + size)), bytes.subarray(4 + size));
}
