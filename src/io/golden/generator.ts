// The generator of golden/FORMAT.md: SplitMix64 in closed form, started from a hash of a text, so that every
// tensor, or a part of one, can be generated independently and in every language.
// SplitMix64: G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
import type { Floats } from "../../tensor/tensor.ts";

const GAMMA = 0x9e3779b97f4a7c15n;

/** The start of a stream: the 64-bit FNV-1a hash of the UTF-8 of a text. */
export function fnv1a64(text: string): bigint {
  let state = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    state = BigInt.asUintN(64, (state ^ BigInt(byte)) * 0x100000001b3n); // [case.words]
  }
  return state;
}

/**
 * Words first … first + count − 1 of the stream "seed/name", each as two 32-bit numbers, the lower first.
 * Word i is mix(start + (i + 1)·GAMMA) modulo 2⁶⁴. It uses 32-bit integers only: BigInt would take a minute for 10⁸ values.
 */
export function words(seed: number, name: string, first: number, count: number): Uint32Array {
  const out = new Uint32Array(2 * count);
  const start = BigInt.asUintN(64, fnv1a64(`${seed}/${name}`) + BigInt(first) * GAMMA);
  let low = Number(start & 0xffffffffn);
  let high = Number(start >> 32n);
  for (let i = 0; i < count; i++) {
    const sum = low + 0x7f4a7c15;
    high = (high + 0x9e3779b9 + (sum > 0xffffffff ? 1 : 0)) | 0;
    low = sum >>> 0;
    mixInto(out, 2 * i, low, high); // [case.words]
  }
  return out;
}

/** SplitMix64's finaliser: z ^= z >> 30, z *= M₁, z ^= z >> 27, z *= M₂, z ^= z >> 31. */
function mixInto(out: Uint32Array, at: number, low: number, high: number): void {
  let l = low ^ ((low >>> 30) | (high << 2));
  let h = high ^ (high >>> 30);
  h = (upper(l, 0x1ce4e5b9) + Math.imul(l, 0xbf58476d) + Math.imul(h, 0x1ce4e5b9)) | 0;
  l = Math.imul(l, 0x1ce4e5b9);
  l ^= (l >>> 27) | (h << 5);
  h ^= h >>> 27;
  h = (upper(l, 0x133111eb) + Math.imul(l, 0x94d049bb) + Math.imul(h, 0x133111eb)) | 0;
  l = Math.imul(l, 0x133111eb);
  out[at] = l ^ ((l >>> 31) | (h << 1));
  out[at + 1] = h ^ (h >>> 31);
}

/** The upper 32 bits of the product of two unsigned 32-bit integers, from 16-bit parts. */
function upper(a: number, b: number): number {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const low = Math.imul(a0, b0) >>> 16;
  const middle = (Math.imul(a1, b0) >>> 0) + low;
  const cross = (Math.imul(a0, b1) >>> 0) + (middle & 0xffff);
  return (Math.imul(a1, b1) + Math.floor(middle / 0x10000) + (cross >>> 16)) | 0;
}

/** mean + k·2^exponent, k uniform among the signed integers of `bits` bits. With 0 bits, the mean alone. */
export interface Dyadic {
  readonly mean: number;
  readonly exponent: number;
  readonly bits: number;
}

/** Words are generated in batches of this size, so that a large tensor needs little additional memory. */
const BATCH = 1 << 15;

/** Elements from … to − 1 of a stream, one byte each, the lowest byte of a word first. */
export function fillDyadic(
  out: Floats,
  seed: number,
  name: string,
  recipe: Dyadic,
  from = 0,
  to = out.length,
): void {
  const { mean, exponent, bits } = recipe;
  out.fill(mean, from, to);
  if (bits === 0) return;
  const [unit, shift, half] = [2 ** exponent, 8 - bits, 2 ** (bits - 1)];
  for (let at = from; at < to; ) {
    const word = Math.floor(at / 8);
    const stop = Math.min(to, 8 * (word + BATCH));
    const batch = words(seed, name, word, Math.ceil(stop / 8) - word);
    for (; at < stop; at++) {
      const i = at - 8 * word;
      const byte = ((batch[i >> 2] ?? 0) >>> (8 * (i & 3))) & 0xff;
      out[at] = mean + ((byte >>> shift) - half) * unit; // [case.dyadic]
    }
  }
}

/** low ≤ n < high, from the upper half of each word. */
export function fillIntegers(out: Int32Array, seed: number, name: string, low: number, high: number): void {
  for (let done = 0; done < out.length; done += BATCH) {
    const batch = words(seed, name, done, Math.min(BATCH, out.length - done));
    for (let i = 0; 2 * i < batch.length; i++) {
      out[done + i] = low + (upper(batch[2 * i + 1] ?? 0, high - low) >>> 0); // [case.integers]
    }
  }
}
