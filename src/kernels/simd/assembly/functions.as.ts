// AssemblyScript. exp, the normal distribution, and functions composed of them, on four lanes. The coefficients are our own least-squares
// fits.
import { fma } from "./tile.as.ts";

function c(x: f32): v128 {
  return f32x4.splat(x);
}

/** 1.5 · 2²³. The last bit of a float of this size has the value 1, so adding x rounds it to an integer, held in the last bits. */
const WHOLE: f32 = 12582912;

/** WHOLE + n for the integer n nearest to x / ln 2. (The conversion instruction of WebAssembly is slow on x64.) */
function doublings(x: v128): v128 {
  return f32x4.add(f32x4.mul(x, c(1.44269504088896)), c(WHOLE));
}

/** The integer n of WHOLE + n. */
function count(doublings: v128): v128 {
  return i32x4.sub(doublings, i32x4.splat(reinterpret<i32>(WHOLE)));
}

/** eʳ for the remainder r = x − n ln 2. */
function rest(x: v128, doublings: v128): v128 {
  const n = f32x4.sub(doublings, c(WHOLE));
  return series(f32x4.sub(f32x4.sub(x, f32x4.mul(n, c(0.693359375))), f32x4.mul(n, c(-2.12194440054690583e-4))));
}

/**
 * eˣ = 2ⁿ eʳ with |r| ≤ ln 2 / 2; eʳ = 1 + r + r² p(r) with an error of 4e-9. 2ⁿ is multiplied in two steps, so that subnormal results
 * are right. NaN gives NaN (pmin and pmax return their first operand for NaN), +∞ gives +∞, −∞ gives 0.
 */
export function exp4(x: v128): v128 {
  const y = f32x4.pmax(f32x4.pmin(x, c(90)), c(-105));
  const by = doublings(y), n = count(by), half = i32x4.shr_s(n, 1);
  return f32x4.mul(f32x4.mul(rest(y, by), power(half)), power(i32x4.sub(n, half)));
}

/** eˣ for x ≤ 0, as softmax needs it, with 0 in place of subnormal results; a third faster than exp4. */
export function decay4(x: v128): v128 {
  const y = f32x4.pmax(x, c(-87)), by = doublings(y);
  return v128.andnot(f32x4.mul(rest(y, by), power(count(by))), f32x4.lt(x, c(-87)));
}

/** eʳ for |r| ≤ ln 2 / 2. */
function series(r: v128): v128 {
  let p = fma(c(1.3751407895e-3), r, c(8.3689163414e-3));
  p = fma(p, r, c(4.1669533109e-2));
  p = fma(p, r, c(0.1666651846));
  p = fma(p, r, c(0.499999885951));
  return f32x4.add(c(1), fma(f32x4.mul(r, r), p, r));
}

/** 2ⁿ for integers n in the range of normal exponents. */
function power(n: v128): v128 {
  return i32x4.shl(i32x4.add(n, i32x4.splat(127)), 23);
}

/** 1/(1 + e^−x) for x ≥ 0 and eˣ/(1 + eˣ) for x < 0, which does not overflow where the result is small. */
export function sigmoid4(x: v128): v128 {
  const e = exp4(f32x4.neg(f32x4.abs(x)));
  const above = v128.bitselect(c(1), e, f32x4.ge(x, c(0)));
  return f32x4.div(above, f32x4.add(c(1), e));
}

/**
 * Φ(x): for x < 0 the tail Φ(−|x|) = e^(−x²/2) P(|x|) / Q(|x|), with an error of 6e-9 up to |x| = 14, for x ≥ 0 one minus the tail. The
 * tail keeps its relative precision, which 1 + erf(x / √2) would lose.
 */
function normalCdf(x: v128): v128 {
  const t = f32x4.pmin(f32x4.abs(x), c(14));
  let p = fma(c(4.077540522e-3), t, c(4.037211870e-2));
  p = fma(p, t, c(0.1824605857));
  p = fma(p, t, c(0.4372493016));
  p = fma(p, t, c(0.5000000028));
  let q = fma(c(1.022074960e-2), t, c(0.1012047045));
  q = fma(q, t, c(0.4674257998));
  q = fma(q, t, c(1.199285675));
  q = fma(q, t, c(1.672383558));
  q = fma(q, t, c(1));
  const tail = f32x4.mul(exp4(f32x4.mul(f32x4.mul(x, x), c(-0.5))), f32x4.div(p, q));
  return v128.bitselect(tail, f32x4.sub(c(1), tail), f32x4.lt(x, c(0)));
}

export function gelu4(x: v128): v128 {
  return f32x4.mul(x, normalCdf(x));
}

/** Φ(x) + x φ(x) */
export function geluGrad4(x: v128): v128 {
  const density = f32x4.mul(exp4(f32x4.mul(f32x4.mul(x, x), c(-0.5))), c(0.398942280401));
  return fma(x, density, normalCdf(x));
}
