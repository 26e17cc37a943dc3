// A digest of weights, to recognise the frozen models that a run was made with.
import { stateDict, ties } from "../nn/state-dict.ts";
import { type TensorSource, widened } from "../tensor/source.ts";
import { sizeOf, sourceOf } from "../tensor/tensor.ts";

/** Values that are read at a time. */
const PIECE = 2 ** 20;

/** Mixes 32-bit words into two hashes with different multipliers (FNV-1a on words, not on bytes). */
class Digest {
  #a = 0x811c9dc5;
  #b = 0x9747b28c;

  add(words: Uint32Array): void {
    let [a, b] = [this.#a, this.#b];
    for (let i = 0; i < words.length; i++) {
      const word = words[i] ?? 0;
      a = Math.imul(a ^ word, 0x01000193);
      a ^= a >>> 15;
      b = Math.imul(b ^ word, 0x85ebca6b);
      b ^= b >>> 13;
    }
    [this.#a, this.#b] = [a, b];
  }

  addText(text: string): void {
    this.add(Uint32Array.from(text, (one) => one.codePointAt(0) ?? 0));
  }

  get text(): string {
    return [this.#a, this.#b].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }
}

/** The bits of a source's values as float64 words, so that a weight has one digest in every dtype that represents it. */
function addValues(digest: Digest, source: TensorSource, size: number): void {
  const piece = source.sequential ? size : PIECE;
  for (let from = 0; from < size; from += piece) {
    const numbers = widened(source.read(from, Math.min(size, from + piece)), source.dtype);
    const exact = Float64Array.from(numbers);
    digest.add(new Uint32Array(exact.buffer));
  }
}

/**
 * Sixteen hexadecimal digits that depend on names, shapes and every bit of the parameters that a name does not exclude. It recognises
 * other weights, and is no protection against weights that are made to have the same digest. Lazily read weights are read piece by piece.
 */
export function weightsDigest(model: object, except: readonly string[] = []): string {
  const [digest, tied, left] = [new Digest(), ties(model), new Set(except)];
  for (const [name, t] of stateDict(model)) {
    if (tied.has(name) || left.has(name)) continue;
    digest.addText(`${name} ${t.shape.join(" ")}\n`); // [checkpoint.digest]
    addValues(digest, sourceOf(t.stored), sizeOf(t.shape)); // [checkpoint.digest]
  }
  return digest.text;
}
