// AssemblyScript. exp, the normal distribution, functions composed of them, and sin, cos and log, on four lanes. The coefficients of the
// first are our own least-squares fits; sin, cos and log are computed in float64 by their series.
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

/**
 * (1 − e^(−2|x|)) / (1 + e^(−2|x|)) with the sign of x; for small |x|, where that cancels, Cephes' polynomial (Moshier, tanhf.c). The
 * error is at most 1.6 units in the last place.
 */
export function tanh4(x: v128): v128 {
  const size = f32x4.abs(x), z = f32x4.mul(x, x);
  let p = fma(c(-5.70498872745e-3), z, c(2.06390887954e-2));
  p = fma(p, z, c(-5.37397155531e-2));
  p = fma(p, z, c(1.33314422036e-1));
  p = fma(p, z, c(-3.33332819422e-1));
  const near = fma(f32x4.mul(x, z), p, x);
  const t = decay4(f32x4.mul(size, c(-2)));
  const far = f32x4.div(f32x4.sub(c(1), t), f32x4.add(c(1), t));
  return v128.bitselect(x, v128.bitselect(near, far, f32x4.lt(size, c(0.625))), c(-0.0));
}

/** 1 where x > 0, else 0. */
export function positive4(x: v128): v128 {
  return v128.and(f32x4.gt(x, c(0)), c(1));
}

function d(x: f64): v128 {
  return f64x2.splat(x);
}

/** a b + c in float64. */
function step(a: v128, b: v128, c: v128): v128 {
  return f64x2.add(f64x2.mul(a, b), c);
}

/** Two pairs of float64 as four float32. */
function narrow(low: v128, high: v128): v128 {
  return i64x2.shuffle(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
}

function highPair(x: v128): v128 {
  return f64x2.promote_low_f32x4(i64x2.shuffle(x, x, 1, 0));
}

/** The nearest float32 for all but one number in thousands: the error is at most 0.501 units in the last place, for any argument. */
export function sin4(x: v128): v128 {
  const size = f32x4.abs(x);
  const odd = narrow(sinOfShifted(f64x2.promote_low_f32x4(size), 0), sinOfShifted(highPair(size), 0));
  return v128.xor(odd, v128.and(x, c(-0.0)));
}

export function cos4(x: v128): v128 {
  const size = f32x4.abs(x);
  return narrow(sinOfShifted(f64x2.promote_low_f32x4(size), 1), sinOfShifted(highPair(size), 1));
}

/** π/2 in two parts. Products of the first, of 33 bits, with whole numbers below 2²⁰ are exact. */
const HALF_PI: f64 = 1.57079632673412561417, HALF_PI_REST: f64 = 6.07710050650619224932e-11;
/** Larger arguments are reduced with more bits of 2/π. */
const LARGE: f64 = 1048576;

/** The quadrant that `reduceLarge` found. */
let quadrant: i64 = 0;

/** sin(x + quarters · π/2) of two numbers from 0 up, which are float32 numbers. */
function sinOfShifted(x: v128, quarters: i64): v128 {
  const n = f64x2.nearest(f64x2.mul(x, d(0.63661977236758134308)));
  let r = f64x2.sub(f64x2.sub(x, f64x2.mul(n, d(HALF_PI))), f64x2.mul(n, d(HALF_PI_REST)));
  let q = i64x2.extend_low_i32x4_s(i32x4.trunc_sat_f64x2_s_zero(n));
  if (v128.any_true(v128.and(f64x2.ge(x, d(LARGE)), f64x2.lt(x, d(Infinity))))) {
    const a = f64x2.extract_lane(x, 0), b = f64x2.extract_lane(x, 1);
    if (a >= LARGE && a < Infinity) {
      r = f64x2.replace_lane(r, 0, reduceLarge(<f32>a));
      q = i64x2.replace_lane(q, 0, quadrant);
    }
    if (b >= LARGE && b < Infinity) {
      r = f64x2.replace_lane(r, 1, reduceLarge(<f32>b));
      q = i64x2.replace_lane(q, 1, quadrant);
    }
  }
  q = i64x2.add(q, i64x2.splat(quarters));
  const one = i64x2.splat(1);
  const isOdd = i64x2.eq(v128.and(q, one), one);
  const sign = i64x2.shl(v128.and(i64x2.shr_s(q, 1), one), 63);
  return v128.xor(v128.bitselect(cosSeries(r), sinSeries(r), isOdd), sign);
}

/** The series of sin r up to r¹¹, for |r| ≤ π/4: the terms that are left out are below 8e-12. */
function sinSeries(r: v128): v128 {
  const z = f64x2.mul(r, r);
  let p = step(d(-1.0 / 39916800), z, d(1.0 / 362880));
  p = step(p, z, d(-1.0 / 5040));
  p = step(p, z, d(1.0 / 120));
  p = step(p, z, d(-1.0 / 6));
  return step(f64x2.mul(r, z), p, r);
}

/** The series of cos r up to r¹², for |r| ≤ π/4. */
function cosSeries(r: v128): v128 {
  const z = f64x2.mul(r, r);
  let p = step(d(1.0 / 479001600), z, d(-1.0 / 3628800));
  p = step(p, z, d(1.0 / 40320));
  p = step(p, z, d(-1.0 / 720));
  p = step(p, z, d(1.0 / 24));
  p = step(p, z, d(-0.5));
  return step(p, z, d(1));
}

/** Bits 32 i to 32 i + 31 of 2/π after its binary point. */
function bitsOfTwoOverPi(i: i32): u64 {
  switch (i) {
    case 0: return 0xa2f9836e;
    case 1: return 0x4e441529;
    case 2: return 0xfc2757d1;
    case 3: return 0xf534ddc0;
    case 4: return 0xdb629599;
    case 5: return 0x3c439041;
    case 6: return 0xfe5163ab;
    default: return 0;
  }
}

/** 32 bits of 2/π from bit `at` on. Bits before the point are zero. */
function wordOfTwoOverPi(at: i32): u64 {
  const i = at >> 5, shift = <u64>(at & 31);
  return (((bitsOfTwoOverPi(i) << 32) | bitsOfTwoOverPi(i + 1)) >> (32 - shift)) & 0xffffffff;
}

/**
 * x − n π/2 for x ≥ 2²⁰ and the nearest whole n, whose last two bits become `quadrant` (Payne and Hanek, 1983). x is m 2ᵉ with a whole m
 * below 2²⁴. Only bits of 2/π that matter modulo 4 are multiplied: 96 of them, whose product with m has its last bit at 2^−94.
 */
function reduceLarge(x: f32): f64 {
  const bits = reinterpret<u32>(x);
  const m = <u64>((bits & 0x7fffff) | 0x800000), from = <i32>(bits >> 23) - 152;
  const high = (m * wordOfTwoOverPi(from)) << 32;
  const turned = high + m * wordOfTwoOverPi(from + 32) + ((m * wordOfTwoOverPi(from + 64)) >> 32);
  const n = (turned + (<u64>1 << 61)) >> 62;
  quadrant = <i64>n;
  return <f64><i64>(turned - (n << 62)) * (1.57079632679489661923 * 2.168404344971008868e-19);
}

/** log x = e ln 2 + log m for x = 2ᵉ m with √½ < m ≤ √2. */
export function log4(x: v128): v128 {
  const y = narrow(logOfPair(f64x2.promote_low_f32x4(x)), logOfPair(highPair(x)));
  const ends = v128.bitselect(c(-Infinity), c(NaN), f32x4.eq(x, c(0)));
  const top = v128.bitselect(x, y, f32x4.eq(x, c(Infinity)));
  return v128.bitselect(top, ends, f32x4.gt(x, c(0)));
}

/** log m = 2 artanh s with s = (m − 1) / (m + 1), by the series up to s¹⁵: |s| ≤ 0.172, so that the rest is below 4e-14. */
function logOfPair(x: v128): v128 {
  const mantissa = v128.or(v128.and(x, i64x2.splat(0xfffffffffffff)), d(1));
  const isHigh = f64x2.gt(mantissa, d(1.41421356237309504880));
  const m = v128.bitselect(f64x2.mul(mantissa, d(0.5)), mantissa, isHigh);
  const exponent = i64x2.sub(i64x2.sub(i64x2.shr_u(x, 52), i64x2.splat(1023)), isHigh);
  const e = f64x2.convert_low_i32x4_s(i32x4.shuffle(exponent, exponent, 0, 2, 0, 2));
  const s = f64x2.div(f64x2.sub(m, d(1)), f64x2.add(m, d(1))), z = f64x2.mul(s, s);
  let p = step(d(2.0 / 15), z, d(2.0 / 13));
  p = step(p, z, d(2.0 / 11));
  p = step(p, z, d(2.0 / 9));
  p = step(p, z, d(2.0 / 7));
  p = step(p, z, d(2.0 / 5));
  p = step(p, z, d(2.0 / 3));
  p = step(p, z, d(2));
  return step(e, d(0.69314718055994530942), f64x2.mul(s, p));
}
