// Seeded random numbers. Every purpose has its own generator, so that results do not depend on the order of draws.
import { RuleError } from "./errors.ts";
import { mulScalar, where } from "./ops/functions.ts";
import { Bool, type Tensor } from "./tensor.ts";

/** FNV-1a begins with it: the hash of an empty name. */
const UNNAMED = 0x811c9dc5;

/** A 32-bit hash of a name (FNV-1a), to derive the seed of one generator from a common seed. */
export function hash(name: string): number {
  let h = UNNAMED;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193); // [random.seeded]
  return h >>> 0;
}

/**
 * Mixes the bits of a seed, so that every bit affects every bit of the result (the finaliser of MurmurHash3, by Austin Appleby).
 * Without it the first numbers of neighbouring seeds would be equal.
 */
function scramble(seed: number): number {
  let h = seed | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/**
 * The low 32 bits of the numbers of xoroshiro128+, with the rotations 24, 16 and 37 (Blackman and Vigna, arXiv 1805.01407, figure 1).
 * The state is two words of 64 bits, each in two halves, and at first −1 − seed and seed · 2³², as in pure-rand.
 */
function xoroshiro128plus(seed: number): () => number {
  let [low0, high0, low1, high1] = [~seed, -1, 0, seed | 0];
  return () => {
    const sum = low0 + low1; // s0 + s1
    const low = low0 ^ low1; // x = s0 ^ s1
    const high = high0 ^ high1;
    const rotated = (low0 << 24) | (high0 >>> 8);
    high0 = ((high0 << 24) | (low0 >>> 8)) ^ high ^ ((high << 16) | (low >>> 16)); // s0 = rotl(s0, 24) ^ x ^ (x << 16)
    low0 = rotated ^ low ^ (low << 16);
    low1 = (high << 5) | (low >>> 27); // s1 = rotl(x, 37)
    high1 = (low << 5) | (high >>> 27);
    return sum >>> 0; // [random.seeded]
  };
}

/** Random numbers of one seed and name. Two generators with the same seed and name give the same numbers. */
export interface Generator {
  /** A number in 0 ≤ u < 1, with 32 random bits. */
  uniform(): number;
  /** A number with mean 0 and variance 1. */
  normal(): number;
}

/** The generator of `name` under a seed, of which 32 bits count. Throws a RuleError if the seed is no whole number from −(2⁵³ − 1) to 2⁵³ − 1. */
export function generator(seed: number, name = ""): Generator {
  if (!Number.isSafeInteger(seed))
    throw new RuleError(
      `a seed is a whole number from -(2^53 - 1) to 2^53 - 1, not ${typeof seed === "number" ? seed : typeof seed}`,
      "random.seeded",
    );
  return generatorOf(seed, hash(name)); // [state.seeds]
}

/** The generator of a name's hash, by default that of the empty name, under a whole number as its seed. */
export function generatorOf(seed: number, nameHash = UNNAMED): Generator {
  const bits = xoroshiro128plus(scramble(seed ^ nameHash));
  const uniform = () => bits() / 2 ** 32; // [random.uniform]
  let spare: number | null = null;
  /** Box and Muller (1958): two independent normals from two uniforms. */
  const normal = () => {
    if (spare !== null) {
      const second = spare;
      spare = null;
      return second;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform())); // [random.normal]
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  return { uniform, normal };
}

/** A permutation of 0 … size − 1 (Fisher and Yates; Durstenfeld 1964). */
export function permutation(size: number, { uniform }: Generator): Int32Array {
  const order = Int32Array.from({ length: size }, (_, i) => i);
  for (let i = size - 1; i > 0; i--) {
    const j = Math.floor(uniform() * (i + 1)); // [order.shuffled]
    const other = order[i] ?? 0;
    order[i] = order[j] ?? 0;
    order[j] = other;
  }
  return order;
}

/**
 * x with a fraction p of its elements set to zero and the others multiplied by 1/(1−p), which keeps the expected value. The mask
 * is drawn when the function is called. Throws a RuleError if p is no probability.
 * Shapes: x `...` → `...`.
 */
export function dropout<A extends string>(x: Tensor<A>, p: number, random: Generator): Tensor<A> {
  if (!(typeof p === "number" && p >= 0 && p <= 1))
    throw new RuleError(
      `dropout with p = ${typeof p === "number" ? p : typeof p}, which is not a probability`,
      "dropout.mean",
    );
  const keep = new Bool<A>(
    x.shape,
    Uint8Array.from({ length: x.size }, () => (random.uniform() < p ? 0 : 1)), // [dropout.mask]
  );
  return mulScalar(where(keep, x), p < 1 ? 1 / (1 - p) : 0); // [dropout.mean]
}
