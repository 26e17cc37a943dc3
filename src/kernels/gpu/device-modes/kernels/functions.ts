// Functions of one number for kernels on a graphics card. They use basic arithmetic only: GLSL guarantees no precision for exp and
// tanh, and WGSL allows exp an error of 3 + 2|x| units in the last place. gpu.js compiles their source text, so each uses its argument
// and the other functions of this file only. The coefficients of eʳ and of the normal distribution are those of simd/assembly/functions.as.ts.

/** eˣ = 2ⁿ eʳ with |r| ≤ ln 2 / 2. 2ⁿ itself may be out of range, so 2^⌊n/2⌋ is multiplied in twice, which is exact. */
export function exponential(x: number): number {
  if (x < -105) return 0;
  let y = x;
  if (y > 90) y = 90;
  const n = Math.floor(y * Math.LOG2E + 0.5);
  const r = y - n * 0.693359375 + n * 2.1219444e-4;
  let p = 1.3751407895e-3 * r + 8.3689163414e-3;
  p = p * r + 4.1669533109e-2;
  p = p * r + 0.1666651846;
  p = p * r + 0.499999885951;
  const half = Math.floor(n * 0.5);
  let left = Math.abs(half);
  let factor = 2.0;
  if (half < 0) factor = 0.5;
  let power = 1.0;
  for (let bit = 0; bit < 7; bit++) {
    const rest = Math.floor(left * 0.5);
    if (left > 2 * rest) power = power * factor;
    factor = factor * factor;
    left = rest;
  }
  if (n > 2 * half) return 2 * (1 + (r + r * r * p)) * power * power;
  return (1 + (r + r * r * p)) * power * power;
}

/** 1/(1 + e⁻ˣ), computed from e^−|x|, which does not overflow. */
export function logistic(x: number): number {
  const e = exponential(-Math.abs(x));
  if (x < 0) return e / (1 + e);
  return 1 / (1 + e);
}

/** Cephes' polynomial (Moshier, tanhf.c) for small arguments, 1 − 2/(e²ˣ + 1) for others. */
export function hyperbolicTangent(x: number): number {
  const size = Math.abs(x);
  const z = x * x;
  let p = -5.70498872745e-3 * z + 2.06390887954e-2;
  p = p * z - 5.37397155531e-2;
  p = p * z + 1.33314422036e-1;
  p = p * z - 3.33332819422e-1;
  if (size < 0.625) return x + x * z * p;
  const far = 1 - 2 / (exponential(2 * size) + 1);
  if (x < 0) return -far;
  return far;
}

/** Φ(x): for x < 0 the tail Φ(−|x|) = e^(−x²/2) P(|x|) / Q(|x|), which keeps its relative precision, for x ≥ 0 one minus the tail. */
export function normalDistribution(x: number): number {
  const t = Math.min(Math.abs(x), 14);
  let p = 4.077540522e-3 * t + 4.03721187e-2;
  p = p * t + 0.1824605857;
  p = p * t + 0.4372493016;
  p = p * t + 0.5000000028;
  let q = 1.02207496e-2 * t + 0.1012047045;
  q = q * t + 0.4674257998;
  q = q * t + 1.199285675;
  q = q * t + 1.672383558;
  q = q * t + 1;
  const tail = exponential(-0.5 * x * x) * (p / q);
  if (x < 0) return tail;
  return 1 - tail;
}

/**
 * sin(x + quarters · π/2). The argument is reduced to x − n · π/2 after Cody and Waite: n and π/2 are split into parts of 12 bits, so
 * that every product, and every difference up to |x| = 2²⁰, is exact. The rest is computed by Cephes' polynomials (Moshier, sinf.c).
 */
export function sineOfShifted(x: number, quarters: number): number {
  const n = Math.floor(x * 0.6366197723675814 + 0.5);
  let high = Math.floor(Math.abs(n) * 0.000244140625) * 4096;
  if (n < 0) high = -high;
  const low = n - high;
  let y = x - high * 1.5703125 - low * 1.5703125;
  y = y - high * 0.0004837512969970703 - low * 0.0004837512969970703;
  y = y - high * 7.549533620476723e-8 - low * 7.549533620476723e-8;
  y = y - n * 2.56328e-12;
  const z = y * y;
  let sine = -1.9515295891e-4 * z + 8.3321608736e-3;
  sine = sine * z - 1.6666654611e-1;
  sine = sine * z * y + y;
  let cosine = 2.443315711809948e-5 * z - 1.388731625493765e-3;
  cosine = cosine * z + 4.166664568298827e-2;
  cosine = cosine * z * z - 0.5 * z + 1;
  const quadrant = n + quarters - 4 * Math.floor((n + quarters) * 0.25);
  if (quadrant > 2.5) return -cosine;
  if (quadrant > 1.5) return -sine;
  if (quadrant > 0.5) return cosine;
  return sine;
}

/**
 * log x = e ln 2 + log m with x = 2ᵉ m and √½ ≤ m ≤ √2; x is halved or doubled until it is m, which is exact. log m = 2 artanh s with
 * s = (m − 1)/(m + 1).
 */
export function logarithm(x: number): number {
  if (x < 0) return (x - x) / (x - x);
  if (x === 0) return -1 / (x * x);
  if (x > 3.4028234663852886e38) return x;
  let m = x;
  let e = 0;
  for (let i = 0; i < 150; i++) {
    let step = 0; // gpu.js's WebGL takes no else in a loop that has one statement
    if (m > Math.SQRT2) step = 1;
    if (m < Math.SQRT1_2) step = -1;
    if (step > 0) m = m * 0.5;
    if (step < 0) m = m * 2;
    e = e + step;
  }
  const s = (m - 1) / (m + 1);
  const z = s * s;
  let p = 0.2222222222222222 * z + 0.2857142857142857;
  p = p * z + 0.4;
  p = p * z + 0.6666666666666666;
  return s * z * p - e * 2.1219444e-4 + 2 * s + e * 0.693359375;
}

/** The functions that kernels may call. */
export const FUNCTIONS = [
  exponential,
  logistic,
  hyperbolicTangent,
  normalDistribution,
  sineOfShifted,
  logarithm,
];
