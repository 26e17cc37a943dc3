// AssemblyScript. exp, erf and what is made of them, four at a time. The coefficients are least-squares fits of our own.
import { fma } from "./tile.as.ts";

function c(x: f32): v128 {
  return f32x4.splat(x);
}

/**
 * eˣ = 2ⁿ eʳ with |r| ≤ ln 2 / 2; eʳ = 1 + r + r² p(r) to 4e-9. Subnormal results too: the power of two is multiplied in two steps.
 * NaN stays NaN, +∞ is +∞, −∞ is 0.
 */
export function exp4(x: v128): v128 {
  const y = f32x4.max(f32x4.min(x, c(90)), c(-105));
  const n = f32x4.nearest(f32x4.mul(y, c(1.44269504088896)));
  const r = f32x4.sub(f32x4.sub(y, f32x4.mul(n, c(0.693359375))), f32x4.mul(n, c(-2.12194440054690583e-4)));
  let p = fma(c(1.3751407895e-3), r, c(8.3689163414e-3));
  p = fma(p, r, c(4.1669533109e-2));
  p = fma(p, r, c(0.1666651846));
  p = fma(p, r, c(0.499999885951));
  p = f32x4.add(c(1), fma(f32x4.mul(r, r), p, r));
  const whole = i32x4.trunc_sat_f32x4_s(n);
  const half = i32x4.shr_s(whole, 1);
  return f32x4.mul(f32x4.mul(p, power(half)), power(i32x4.sub(whole, half)));
}

/** 2ⁿ for whole n among the normal exponents. */
function power(n: v128): v128 {
  return i32x4.shl(i32x4.add(n, i32x4.splat(127)), 23);
}

export function sigmoid4(x: v128): v128 {
  return f32x4.div(c(1), f32x4.add(c(1), exp4(f32x4.neg(x))));
}

/** erf(x / √2) = x P(x²) / Q(x²) for |x| ≤ 5.6, to 2e-8; ±1 beyond. */
function erf4(x: v128): v128 {
  const y = f32x4.max(f32x4.min(x, c(5.6)), c(-5.6));
  const u = f32x4.mul(y, y);
  let p = fma(c(4.459520957e-8), u, c(1.257935606e-5));
  p = fma(p, u, c(3.378434440e-4));
  p = fma(p, u, c(9.354613832e-3));
  p = fma(p, u, c(6.785678512e-2));
  p = fma(p, u, c(0.7978845438));
  let q = fma(c(1.179655138e-6), u, c(7.334165477e-5));
  q = fma(q, u, c(1.885452163e-3));
  q = fma(q, u, c(2.867718070e-2));
  q = fma(q, u, c(0.2517121954));
  q = fma(q, u, c(1));
  const erf = f32x4.div(f32x4.mul(y, p), q);
  const low = v128.bitselect(c(-1), erf, f32x4.lt(x, c(-5.6)));
  return v128.bitselect(c(1), low, f32x4.gt(x, c(5.6)));
}

function normalCdf(x: v128): v128 {
  return fma(c(0.5), erf4(x), c(0.5));
}

export function gelu4(x: v128): v128 {
  return f32x4.mul(x, normalCdf(x));
}

/** Φ(x) + x φ(x) */
export function geluSlope4(x: v128): v128 {
  const density = f32x4.mul(exp4(f32x4.mul(f32x4.mul(x, x), c(-0.5))), c(0.398942280401));
  return fma(x, density, normalCdf(x));
}
