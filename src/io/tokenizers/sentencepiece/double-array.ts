// A double array (Aoe 1989), as Darts-clone writes it: a trie in 32-bit units, which maps strings of bytes to numbers
// (google/sentencepiece, third_party/darts_clone/darts.h).

/** The fields of a unit. */
const labelOf = (unit: number): number => (unit & 0x8000_00ff) >>> 0;
const hasLeaf = (unit: number): boolean => (unit & 0x100) !== 0;
const numberOf = (unit: number): number => unit & 0x7fff_ffff;
const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);

export interface Match {
  /** UTF-16 code units of the text. */
  readonly length: number;
  readonly value: number;
}

/** The bytes of a character in UTF-8. */
function bytesOf(point: number): number[] {
  if (point < 0x80) return [point];
  if (point < 0x800) return [0xc0 | (point >> 6), 0x80 | (point & 63)];
  if (point < 0x10000) return [0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63)];
  return [0xf0 | (point >> 18), 0x80 | ((point >> 12) & 63), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63)];
}

export class DoubleArray {
  readonly #units: Uint32Array;

  /** Units in little-endian order; the length in bytes is a multiple of 4. */
  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#units = Uint32Array.from({ length: bytes.length >>> 2 }, (_, i) => view.getUint32(4 * i, true));
  }

  /**
   * The longest key that the UTF-8 bytes of `text` have at `from`, among those that end with a character; null if there is none.
   * Where a unit leads outside the array, the search ends. [sentencepiece.charsmap]
   */
  longest(text: string, from: number): Match | null {
    const units = this.#units;
    let at = offsetOf(units[0] ?? 0) >>> 0;
    let found: Match | null = null;
    for (let i = from; i < text.length; ) {
      const point = text.codePointAt(i) ?? 0;
      i += point > 0xffff ? 2 : 1;
      let unit: number | undefined;
      for (const byte of bytesOf(point)) {
        unit = units[(at ^ byte) >>> 0];
        if (unit === undefined || labelOf(unit) !== byte) return found;
        at = (at ^ byte ^ offsetOf(unit)) >>> 0;
      }
      const leaf = unit !== undefined && hasLeaf(unit) ? units[at] : undefined;
      if (leaf !== undefined) found = { length: i - from, value: numberOf(leaf) };
    }
    return found;
  }
}
