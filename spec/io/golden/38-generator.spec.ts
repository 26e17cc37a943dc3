import fc from "fast-check";
import { expect, test } from "vitest";
import { fillDyadic, fillIntegers, fnv1a64, words } from "../../../src/io/golden/generator.ts";
import { make, type Recipe, recipe } from "../../../src/io/golden/recipe.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { valuesOf } from "../../support/fixtures/official-file.ts";

const at = { file: "case.json", field: "recipes.x" };
const read = (value: unknown) => recipe(value as never, at) as Exclude<Recipe, { kind: "file" }>;
const makeFrom = (value: unknown, seed: number, name: string, shape: number[]) =>
  make(read(value), seed, name, shape, at);
const MASK = 2n ** 64n - 1n;

/** SplitMix64 as in the paper, step by step. */
function* splitmix64(start: bigint): Generator<bigint> {
  for (let state = start; ; ) {
    state = (state + 0x9e3779b97f4a7c15n) & MASK;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
    yield z ^ (z >> 31n);
  }
}

const joined = (halves: Uint32Array) =>
  Array.from(
    { length: halves.length / 2 },
    (_, i) => BigInt(halves[2 * i + 1] ?? 0) * 2n ** 32n + BigInt(halves[2 * i] ?? 0),
  );

test("[case.words] words equal the test vectors of golden/FORMAT.md", () => {
  expect(fnv1a64("1/inputs.x")).toBe(0xe7c2163fe00ef1a2n);
  expect(joined(words(1, "inputs.x", 0, 3))).toEqual([
    0xe861618623099c90n,
    0x581ba9145ddabc17n,
    0xc125df34365a0be4n,
  ]);
  const bytes = new Uint8Array(words(1, "inputs.x", 0, 2).buffer).slice(0, 10);
  expect([...bytes]).toEqual([144, 156, 9, 35, 134, 97, 97, 232, 23, 188]);
});

test("[case.words] the stream is that of SplitMix64, from any word on", () => {
  const law = fc.property(
    fc.integer(),
    fc.string({ unit: "grapheme" }),
    fc.nat(100),
    fc.nat(20),
    (seed, name, first, n) => {
      const stream = splitmix64(fnv1a64(`${seed}/${name}`));
      const all = Array.from({ length: first + n }, () => stream.next().value);
      expect(joined(words(seed, name, first, n))).toEqual(all.slice(first));
    },
  );
  fc.assert(law);
  const far = 2 ** 40 + 12345;
  const start = (fnv1a64("7/x") + BigInt(far) * 0x9e3779b97f4a7c15n) & MASK;
  expect(joined(words(7, "x", far, 1))).toEqual([splitmix64(start).next().value]);
});

test("[case.dyadic] floats equal the test vectors of golden/FORMAT.md", () => {
  const x = makeFrom({ mean: 0, exponent: -6, bits: 8 }, 1, "inputs.x", [2, 5]);
  expect(x).toBeInstanceOf(Tensor);
  expect(x.shape).toEqual([2, 5]);
  const first = [0.25, 0.4375, -1.859375, -1.453125, 0.09375, -0.484375, -0.484375, 1.625, -1.640625, 0.9375];
  expect(valuesOf(x)).toEqual(first);
  const gain = makeFrom({ mean: 1, exponent: -6, bits: 6 }, 1, "weights.norm.weight", [6]);
  expect(valuesOf(gain)).toEqual([0.828125, 0.671875, 0.765625, 0.984375, 1.484375, 1.3125]);
  expect(valuesOf(makeFrom({ mean: 0.75, exponent: 0, bits: 0 }, 1, "x", [3]))).toEqual([0.75, 0.75, 0.75]);
});

test("[case.dyadic] a part of a tensor equals the same part of the whole, also across batches", () => {
  const whole = new Float32Array(600_001);
  const plain = { mean: 0, exponent: -6, bits: 8 };
  fillDyadic(whole, 3, "x", plain);
  const stream = splitmix64(fnv1a64("3/x"));
  const bytes = Array.from({ length: 75_001 }, () => stream.next().value).flatMap((word) =>
    Array.from({ length: 8 }, (_, i) => Number((word >> BigInt(8 * i)) & 255n)),
  );
  expect(whole.every((value, e) => value === ((bytes[e] ?? 0) - 128) / 64)).toBe(true);
  for (const [from, to] of [
    [0, 1],
    [3, 29],
    [262_140, 262_150],
    [524_287, 600_001],
    [5, 5],
  ] as const) {
    const part = new Float32Array(whole.length);
    fillDyadic(part, 3, "x", plain, from, to);
    expect(part.subarray(from, to)).toEqual(whole.subarray(from, to));
    expect(part.every((value, e) => value === 0 || (from <= e && e < to))).toBe(true);
  }
});

test("[case.rows] the elements of a row use the parameters of the row and the same bytes", () => {
  const rows = [
    { at: [0, 1], exponent: -15 },
    { at: [1], mean: 3, bits: 0 },
    { at: [1, 1, 2], bits: 1, exponent: 0 },
  ];
  const plain = { mean: 0, exponent: -6, bits: 8 };
  const x = valuesOf(makeFrom(plain, 5, "x", [2, 2, 3]));
  const y = valuesOf(makeFrom({ ...plain, rows }, 5, "x", [2, 2, 3]));
  const right = [
    ...x.slice(0, 3),
    ...x.slice(3, 6).map((value) => value / 512),
    3,
    3,
    3,
    3,
    3,
    (x[11] ?? 0) < 0 ? -1 : 0,
  ];
  expect(y).toEqual(right);
});

test("[case.integers] integers equal the test vector of golden/FORMAT.md, with overwritten positions, over the whole range", () => {
  const range = { low: 4, high: 20000 };
  expect(valuesOf(makeFrom(range, 7, "inputs.text", [8]))).toEqual([
    1266, 9808, 42, 6960, 6409, 9683, 9432, 18534,
  ]);
  const placed = {
    ...range,
    place: [
      [0, 1, 3],
      [1, 3, -7],
    ],
  };
  expect(valuesOf(makeFrom(placed, 7, "inputs.text", [2, 4]))).toEqual([
    1266, 3, 42, 6960, 6409, 9683, 9432, -7,
  ]);
  const [low, high] = [-(2 ** 31), 2 ** 31 - 1];
  const out = new Int32Array(40_000);
  fillIntegers(out, 1, "x", low, high);
  const stream = splitmix64(fnv1a64("1/x"));
  expect(
    out.every((n) => n === low + Number(((stream.next().value >> 32n) * BigInt(high - low)) >> 32n)),
  ).toBe(true);
  expect(
    valuesOf(
      makeFrom(
        {
          true: [
            [0, 2],
            [1, 0],
          ],
        },
        1,
        "x",
        [2, 3],
      ),
    ),
  ).toEqual([0, 0, 1, 1, 0, 0]);
});
