// The executable half of 33-precision.md.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { reference } from "../../src/kernels/reference/index.ts";
import { RuleError } from "../../src/tensor/errors.ts";
import { type Precision, round, roundInto, toBfloat16, toFloat16 } from "../../src/tensor/precision.ts";

/** IEEE 754 in integer arithmetic: the nearest multiple of the spacing, ties to even. */
type Format = readonly [p: number, lo: number, hi: number];
function oracle(x: number, [p, lo, hi]: Format): number {
  if (!Number.isFinite(x) || x === 0) return x;
  const [mantissa, exponent] = exact(Math.abs(x));
  let e = exponent + mantissa.toString(2).length - 1; // 2^e ≤ |x| < 2^(e+1)
  e = Math.max(e, lo) - p + 1;
  const shift = BigInt(e - exponent); // |x| = mantissa·2^exponent = q steps of 2^e and a rest
  let q = shift <= 0n ? mantissa << -shift : mantissa >> shift;
  const twice = shift <= 0n ? 0n : 2n * (mantissa - (q << shift));
  const step = shift <= 0n ? 1n : 1n << shift;
  if (twice > step || (twice === step && q % 2n === 1n)) q += 1n;
  const top = BigInt(hi - p + 1 - e); // the largest number is (2^p − 1) · 2^(hi − p + 1)
  if (q > (2n ** BigInt(p) - 1n) << (top < 0n ? 0n : top) || top < 0n) return x < 0 ? -Infinity : Infinity;
  const size = Number(q) * 2 ** Math.max(e, -1074);
  return x < 0 ? -size : size;
}

/** |x| = mantissa · 2^exponent, without loss. */
function exact(x: number): [bigint, number] {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, x);
  const word = bits.getBigUint64(0);
  const [exponent, digits] = [Number(word >> 52n) & 0x7ff, word & (2n ** 52n - 1n)];
  return exponent === 0 ? [digits, -1074] : [digits | (2n ** 52n), exponent - 1075];
}

const FORMATS = { bfloat16: [8, -126, 127], float16: [11, -14, 15], float32: [24, -126, 127] } as const;
const NAMES = ["bfloat16", "float16", "float32"] as const;

/** Numbers near those of the format, near the midpoints between them, and next to both. */
const near = ([p, lo, hi]: Format) =>
  fc
    .record({
      e: fc.integer({ min: lo - p - 2, max: hi + 2 }),
      digits: fc.nat({ max: 2 ** (p + 2) }),
      nudge: fc.constantFrom(0, 0, 1e-16, -1e-16, 2 ** -30, -(2 ** -30)),
      sign: fc.constantFrom(1, -1),
    })
    .map(({ e, digits, nudge, sign }) => sign * digits * 2 ** (e - p) * (1 + nudge));

describe("[io.round-half-even] rounding once, to nearest, ties to even", () => {
  for (const name of NAMES) {
    test(`[io.round-half-even] ${name} equals the definition in integer arithmetic`, () => {
      const law = fc.property(fc.oneof(near(FORMATS[name]), fc.double()), (x) => {
        const right = oracle(x, FORMATS[name]);
        expect(round[name](x)).toBe(right);
        expect(round[name](right)).toBe(right);
        const list = Float64Array.of(0, x, -x);
        roundInto(list.subarray(1), name);
        expect([...list]).toEqual([0, right, -right]);
      });
      fc.assert(law, { numRuns: 5000 });
    });
  }

  test("[io.round-half-even] zeros keep their sign, NaN and infinities are unchanged, and float64 is not rounded", () => {
    for (const name of ["float64", ...NAMES] as Precision[]) {
      for (const x of [0, -0, Infinity, -Infinity, Number.NaN]) expect(round[name](x)).toBe(x);
      if (name !== "float64") expect(round[name](-1e-300)).toBe(-0);
    }
    const list = Float64Array.of(0.1);
    roundInto(list, "float64");
    expect(list[0]).toBe(0.1);
  });

  /** [x, bfloat16, float16] by torch 2.13.0, from float32 values: torch.tensor(x, dtype=torch.float32).to(…). */
  const TORCH = [
    [1.00390625, 1.0, 1.00390625],
    [1.01171875, 1.015625, 1.01171875],
    [1.0039063692092896, 1.0078125, 1.00390625],
    [1.0039061307907104, 1.0, 1.00390625],
    [1.00048828125, 1.0, 1.0],
    [1.00146484375, 1.0, 1.001953125],
    [1.0004884004592896, 1.0, 1.0009765625],
    [-0.10000000149011612, -0.10009765625, -0.0999755859375],
    [3.1415927410125732, 3.140625, 3.140625],
    [65504, 65536, 65504],
    [65519.99609375, 65536, 65504],
    [65520, 65536, Infinity],
    [6.1005353927612305e-5, 6.103515625e-5, 6.103515625e-5],
    [2.9802322387695312e-8, 2.9802322387695312e-8, 0],
    [4.470348358154297e-8, 4.470348358154297e-8, 2 ** -24],
    [8.940696716308594e-8, 8.940696716308594e-8, 1.1920928955078125e-7],
    [3.3895313892515355e38, 3.3895313892515355e38, Infinity],
    [3.39617752923046e38, Infinity, Infinity],
    [3.396000058146428e38, 3.3895313892515355e38, Infinity],
    [9.99994610111476e-41, 9.183549615799121e-41, 0],
    [4.591774807899561e-41, 0, 0],
    [-6.887662211849341e-41, -9.183549615799121e-41, -0],
    [1.4901161193847656e-7, 1.4901161193847656e-7, 1.1920928955078125e-7],
  ] as const;
  test("[io.round-half-even] torch gives the same results for float32 values", () => {
    for (const [x, brain, half] of TORCH) expect([x, toBfloat16(x), toFloat16(x)]).toEqual([x, brain, half]);
  });

  /** [x, float16] by numpy 2.4.6, np.float16(x). torch 2.13.0 rounds the first five twice: 1, 1.001953125, 0, inf, 2048. */
  const NUMPY = [
    [1.0004882812509095, 1.0009765625],
    [1.0014648437499991, 1.0009765625],
    [2.9802322388562674e-8, 2 ** -24],
    [65519.99999999907, 65504],
    [2049.0000001, 2050],
    [1.0004882812490905, 1],
    [2049, 2048],
    [2051, 2052],
  ] as const;
  test("[io.round-half-even] a float64 is not rounded to float32 first", () => {
    for (const [x, half] of NUMPY) expect([x, toFloat16(x)]).toEqual([x, half]);
    expect(toBfloat16(1 + 2 ** -8 + 2 ** -40)).toBe(1.0078125); // torch: 1
    expect(toBfloat16(1 + 3 * 2 ** -8 - 2 ** -40)).toBe(1.0078125); // torch: 1.015625
  });
});

test("[precision.known] a backend of an unknown precision is refused, and the known ones are listed", () => {
  for (const name of ["float61", "Float32", "toString", "", null, Number.NaN, 32]) {
    const open = () => reference(name as Precision);
    expect(open, String(name)).toThrow(RuleError);
    expect(open).toThrow(
      /is not a precision; known are float64, float32, bfloat16, float16 {2}\[precision\.known\]$/,
    );
  }
  expect(reference().precision).toBe("float64");
  for (const name of ["float64", "float32", "bfloat16", "float16"] as const)
    expect(reference(name).precision).toBe(name);
});
