// Arithmetic of float32 with the roundings of torch on processors that have fused multiply-adds.

/**
 * a · b + c, rounded once to float32; a, b and c are float32 numbers. The product is exact in float64, and the sum is rounded to
 * float64 first. Only where that rounding gives the middle between two float32 numbers could the second one go the wrong way.
 */
export function fma(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const near = Math.fround(sum);
  const rest = sum - near;
  if (rest === 0) return near;
  const far = near + 2 * rest;
  if (Math.fround(far) !== far) return near; // the sum is no middle
  const back = sum - product;
  const error = product - (sum - back) + (c - back); // what the sum in float64 has lost (Knuth, TAOCP 2, 4.2.2, theorem B)
  return error !== 0 && error > 0 === rest > 0 ? far : near;
}
