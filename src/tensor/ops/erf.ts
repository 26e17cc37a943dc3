// The error function, which JavaScript does not have. The common five-term polynomial has an error of 4e-8.

const TWO_OVER_ROOT_PI = 2 / Math.sqrt(Math.PI);

/**
 * erf x = 2/√π · e^(−x²) · Σₙ 2ⁿ x²ⁿ⁺¹ / (1·3·…·(2n+1))     (DLMF 7.6.2; all terms have one sign, so there is no cancellation)
 *
 * The relative error is at most 1.4e-15. [erf.series]
 */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x); // 1 − erf 6 = 2e-17
  if (Number.isNaN(x)) return x;
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return TWO_OVER_ROOT_PI * Math.exp(-x * x) * sum;
}
