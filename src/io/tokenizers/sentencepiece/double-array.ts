// A double array (Aoe 1989), as Darts-clone writes it: a trie in 32-bit units, which maps strings of bytes to numbers
// (google/sentencepiece, third_party/darts_clone/darts.h).

/** The fields of a unit. */
const labelOf = (unit: number): number => unit & 0x8000_00ff;
const hasLeaf = (unit: number): boolean => (unit & 0x100) !== 0;
const numberOf = (unit: number): number => unit & 0x7fff_ffff;
const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);

export class DoubleArray {
  readonly #units: Uint32Array;

  /** Units in little-endian order; the length in bytes is a multiple of 4. */
  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#units = Uint32Array.from({ length: bytes.length >>> 2 }, (_, i) => view.getUint32(4 * i, true));
  }

  /** The longest key that `bytes` has at `from`, or null. A unit outside the array ends the search. [sentencepiece.charsmap] */
  longest(bytes: Uint8Array, from: number): { readonly length: number; readonly value: number } | null {
    const units = this.#units;
    let at = offsetOf(units[0] ?? 0);
    let found: { length: number; value: number } | null = null;
    for (let i = from; i < bytes.length; i++) {
      const byte = bytes[i] ?? 0;
      at = (at ^ byte) >>> 0;
      const unit = units[at];
      if (unit === undefined || labelOf(unit) !== byte) break;
      at = (at ^ offsetOf(unit)) >>> 0;
      const leaf = hasLeaf(unit) ? units[at] : undefined;
      if (leaf !== undefined) found = { length: i - from + 1, value: numberOf(leaf) };
    }
    return found;
  }
}
