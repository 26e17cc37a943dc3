// The 256 numbers that a byte of the state stands for: dynamic tree quantisation (Dettmers, arXiv 1511.04561; Dettmers et al., "8-bit
// Optimizers via Block-wise Quantization", arXiv 2110.02861, section 1.3), in the values of create_dynamic_map of bitsandbytes.

/** Exponents from 10⁻⁶ to 10⁰. */
const EXPONENTS = 7;

/**
 * n numbers from 0.1 to 1 at equal distances, as torch.linspace computes them in float32: from the start in the first half, from the
 * end in the second.
 */
function linspace(n: number): Float32Array {
  const [start, end] = [Math.fround(0.1), 1];
  const step = Math.fround(Math.fround(end - start) / (n - 1));
  return Float32Array.from({ length: n }, (_, i) =>
    i < n >> 1 ? Math.fround(start + step * i) : Math.fround(end - step * (n - 1 - i)),
  );
}

/**
 * The map, in increasing order. For each exponent, the middles of 2ⁱ equal intervals of 0.1 to 1 (2ⁱ⁺¹ without a sign), with both
 * signs if it is signed; besides them 0 and 1. [adamw8bit.map]
 */
export function dynamicMap(signed: boolean): Float32Array {
  const values: number[] = [0, 1];
  for (let i = 0; i < EXPONENTS; i++) {
    const scale = Math.fround(10 ** (i - (EXPONENTS - 1)));
    const bounds = linspace(2 ** (signed ? i : i + 1) + 1);
    for (let at = 1; at < bounds.length; at++) {
      const middle = Math.fround(Math.fround((bounds[at - 1] ?? 0) + (bounds[at] ?? 0)) / 2);
      const value = Math.fround(scale * middle);
      values.push(value);
      if (signed) values.push(-value);
    }
  }
  return Float32Array.from(values).sort();
}
