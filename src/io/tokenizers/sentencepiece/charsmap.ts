// Character maps of SentencePiece: for strings, what they are normalized to. In a file a map is a trie and the strings that it refers to,
// each ended by a zero byte (google/sentencepiece, src/normalizer.cc, `DecodePrecompiledCharsMap`).
import { LoadError } from "../../../tensor/errors.ts";
import { DoubleArray } from "./double-array.ts";

/** What the text at a position is replaced with, and how many code units of it. */
export interface Replacement {
  readonly text: string;
  readonly length: number;
}

export interface CharacterMap {
  /** The replacement of the longest key that the text has at `from`; null if it has none there. [sentencepiece.longest] */
  at(text: string, from: number): Replacement | null;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

class StoredMap implements CharacterMap {
  readonly #trie: DoubleArray;
  readonly #strings: Uint8Array;

  constructor(trie: DoubleArray, strings: Uint8Array) {
    this.#trie = trie;
    this.#strings = strings;
  }

  at(text: string, from: number): Replacement | null {
    const match = this.#trie.longest(text, from);
    if (match === null || match.value >= this.#strings.length) return null;
    const end = this.#strings.indexOf(0, match.value);
    const bytes = this.#strings.subarray(match.value, end < 0 ? undefined : end);
    if (bytes.length > LONGEST) return null;
    return { text: decoder.decode(bytes), length: match.length };
  }
}

/** The longest replacement, in bytes; the longest of SentencePiece's own maps has 33. */
const LONGEST = 1000;

/** Reads a map: the length of the trie in bytes (32 bits, little-endian), the trie and the strings. No bytes are the identity. [sentencepiece.charsmap] */
export function readCharacterMap(bytes: Uint8Array, name: string): CharacterMap | null {
  if (bytes.length === 0) return null;
  const size = bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (bytes.length <= 4 || size >= bytes.length - 4 || size % 4 !== 0)
    throw new LoadError(
      `${name}: the character map of ${bytes.length} bytes gives its trie ${size} bytes; the file is damaged  [sentencepiece.charsmap]`,
    );
  return new StoredMap(new DoubleArray(bytes.subarray(4, 4 + size)), bytes.subarray(4 + size));
}
