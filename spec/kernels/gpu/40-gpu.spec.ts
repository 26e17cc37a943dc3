// Rules of 40-gpu.md for the modes of the processor. Expected values are loops written from its equations, not from src.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type CompiledKernel, loadLibrary } from "../../../src/kernels/gpu/gpu-js.ts";
import { attention } from "../../../src/kernels/gpu/host-modes/attention.ts";
import { hostBackend } from "../../../src/kernels/gpu/host-modes/backend.ts";
import { type HostDevice, openHostDevice } from "../../../src/kernels/gpu/host-modes/host-device.ts";
import { matmul, product } from "../../../src/kernels/gpu/host-modes/matmul.ts";
import { dense, transposed } from "../../../src/kernels/gpu/host-modes/matrices.ts";
import { gpu } from "../../../src/kernels/gpu/index.ts";
import { Bug, LoadError, RuleError, ShapeError } from "../../../src/tensor/errors.ts";
import { einsum } from "../../../src/tensor/ops/einsum.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import type { Matrices } from "../../../src/tensor/ops/matmul.ts";
import { expand } from "../../../src/tensor/ops/reductions.ts";
import type { SoftmaxEmptyRow } from "../../../src/tensor/ops/table.ts";
import { flat, view } from "../../../src/tensor/tensor.ts";
import {
  type AttentionCase,
  attentionCases,
  biasedCase,
  numbers as float32s,
  formula,
  gamma,
  HOST_MODES,
  productOf,
  worstOf,
} from "../../support/oracles/attention.ts";

/** float32 numbers as an array that kernels accept. */
const numbers = (n: number, seed: number, size = 1): Float32Array =>
  Float32Array.from(float32s(n, seed, size));

/** gpu.js, with counts of the kernels that were compiled and destroyed. */
async function countingLibrary() {
  const library = await loadLibrary();
  const counts = { compiled: 0, destroyed: 0 };
  class GPU extends library.GPU {
    override createKernel(body: (...inputs: never[]) => unknown, settings: object) {
      counts.compiled++;
      const kernel = super.createKernel(body, settings) as CompiledKernel;
      const destroy = kernel.destroy.bind(kernel);
      kernel.destroy = () => {
        counts.destroyed++;
        destroy();
      };
      return kernel;
    }
  }
  return { library: { ...library, GPU }, counts };
}

type Size = readonly [batch: number, m: number, k: number, n: number];

describe.each(["webasm", "cpu"] as const)("%s", (mode) => {
  let device: HostDevice;
  beforeAll(async () => {
    device = await openHostDevice(mode);
  });
  afterAll(() => device.destroy());

  async function errorOf(size: Size, seed: number): Promise<number> {
    const [batch, m, k, n] = size;
    const [a, b] = [numbers(batch * m * k, seed), numbers(batch * k * n, seed + 1)];
    const { out, bound } = productOf(a, b, size);
    return worstOf(await matmul(device, dense(a, batch, m, k), dense(b, batch, k, n)), out, bound);
  }

  test.each([999, 1000, 1001, 1024, 4096])("a sum of %i terms includes all of them", async (k) => {
    expect(await errorOf([1, 6, k, 5], k)).toBeLessThanOrEqual(1);
  });

  test.each<Size>([
    [1, 130, 1001, 129],
    [8, 96, 64, 100],
    [3, 1, 257, 1],
    [1, 512, 4, 33],
    [40, 5, 7, 3],
    [2, 3, 4, 2051],
  ])("a product of batch %i, %i × %i, times %i columns is within the bound", async (...size) => {
    expect(await errorOf(size, 7)).toBeLessThanOrEqual(1);
  });

  test("products of any size, zero included, are within the bound", async () => {
    const axis = fc.integer({ min: 0, max: 9 });
    await fc.assert(
      fc.asyncProperty(axis, axis, axis, axis, fc.integer(), async (batch, m, k, n, seed) => {
        expect(await errorOf([batch, m, k, n], seed)).toBeLessThanOrEqual(1);
      }),
      { numRuns: 60 },
    );
  });

  test("concurrent products do not interfere", async () => {
    const sizes = Array.from({ length: 12 }, (_, i): Size => [1, 128 + 4 * i, 8, 260 - 5 * i]);
    const errors = await Promise.all(sizes.map((size, i) => errorOf(size, i)));
    expect(Math.max(...errors)).toBeLessThanOrEqual(1);
  });

  test("operands may be transposed, repeated, or in float64", async () => {
    const [a, b] = [numbers(5 * 3, 1), numbers(2 * 4 * 3, 2)];
    const repeated: Matrices = { ...dense(Float64Array.from(a), 1, 5, 3), starts: Int32Array.of(0, 0) };
    const c = await matmul(device, repeated, transposed(dense(b, 2, 4, 3)));
    for (let z = 0; z < 2; z++)
      for (let i = 0; i < 5; i++)
        for (let j = 0; j < 4; j++) {
          const terms = [0, 1, 2].map((p) => Number(a[i * 3 + p]) * Number(b[(z * 4 + j) * 3 + p]));
          const exact = terms.reduce((x, y) => x + y);
          const bound = gamma(3) * terms.reduce((x, y) => x + Math.abs(y), 0);
          expect(Math.abs(Number(c[(z * 5 + i) * 4 + j]) - exact)).toBeLessThanOrEqual(bound);
        }
  });

  test("the last elements of an array of more than 2²⁴ elements are read correctly", async () => {
    const [k, n] = [2 ** 20 + 5, 16];
    const a = new Float32Array(k);
    const b = new Float32Array(k * n).fill(-1);
    for (const p of [k - 1, k - 2]) {
      a[p] = p === k - 1 ? 1 : 32;
      for (let j = 0; j < n; j++) b[p * n + j] = j + 1;
    }
    const c = await matmul(device, dense(a, 1, 1, k), dense(b, 1, k, n));
    expect([...c]).toEqual(Array.from({ length: n }, (_, j) => 33 * (j + 1)));
    const d = await matmul(device, transposed(dense(b, 1, k, n)), dense(a, 1, k, 1));
    expect([...d]).toEqual([...c]);
  });

  test("a product without elements is empty, and a sum over nothing is zero", async () => {
    const zeros = async (batch: number, m: number, k: number, n: number) =>
      matmul(
        device,
        dense(new Float32Array(batch * m * k), batch, m, k),
        dense(new Float32Array(batch * k * n), batch, k, n),
      );
    expect([...(await zeros(2, 1, 0, 3))]).toEqual([0, 0, 0, 0, 0, 0]);
    for (const [batch, m, n] of [
      [0, 2, 2],
      [2, 0, 2],
      [2, 2, 0],
    ] as const) {
      expect((await zeros(batch, m, 3, n)).length).toBe(0);
    }
    const none = new Float32Array(0);
    const empty = { q: dense(none, 2, 3, 0), k: dense(none, 2, 4, 0), v: dense(numbers(16, 1), 2, 4, 2) };
    const mean = await attention(device, empty, { mayAttend: null, emptyRow: "zero", postSoftmaxMask: null });
    expect(mean[0]).toBeCloseTo(
      [0, 2, 4, 6].reduce((sum, i) => sum + Number(numbers(16, 1)[i]) / 4, 0),
      6,
    );
    const keyless = { q: dense(numbers(6, 1), 1, 3, 2), k: dense(none, 1, 0, 2), v: dense(none, 1, 0, 2) };
    for (const emptyRow of ["zero", "uniform", "nan"] as const) {
      const out = await attention(device, keyless, { mayAttend: null, emptyRow, postSoftmaxMask: null });
      expect([...out]).toEqual([0, 0, 0, 0, 0, 0]);
    }
  });

  test("shapes that do not match or do not fit a kernel are a ShapeError, before gpu.js is called", async () => {
    const six = numbers(6, 1);
    const expectShapeError = async (text: string, call: () => unknown) => {
      const error = await Promise.resolve()
        .then(call)
        .catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(ShapeError);
      expect(String(error)).toContain(text);
    };
    const [wide, tall] = [dense(six, 1, 2, 3), dense(six, 1, 3, 2)];
    await expectShapeError("holds 4 values, got 6", () => dense(six, 1, 2, 2));
    await expectShapeError("[1 2 3] times [1 2 3]", () => matmul(device, wide, wide));
    await expectShapeError("[2 1 3] times [1 3 2]", () => matmul(device, dense(six, 2, 1, 3), tall));
    await expectShapeError("from 0 to 5", () => matmul(device, { ...wide, data: six.subarray(1) }, tall));
    await expectShapeError("from -1 to 4", () =>
      matmul(device, { ...wide, starts: Int32Array.of(-1) }, tall),
    );

    const size = { batch: 1, blocks: 1, depth: 2, columns: 4 };
    const long = (length: number) => ({ length }) as Float32Array;
    await expectShapeError("got 6 and 8", () => product(device, six, long(8), size));
    await expectShapeError("got 8 and 6", () => product(device, long(8), six, size));
    const tooLarge = async (blocks: number, depth: number, columns: number) =>
      expectShapeError("does not fit", () =>
        product(device, long(4 * blocks * depth), long(depth * columns), {
          batch: 1,
          blocks,
          depth,
          columns,
        }),
      );
    await tooLarge(2 ** 19, 2 ** 4, 2 ** 9);
    await tooLarge(1, 2 ** 24, 4);
    await tooLarge(2 ** 24, 1, 4);

    const all = { mayAttend: null, emptyRow: "zero", postSoftmaxMask: null } as const;
    const attend = (q: Matrices, k: Matrices, v: Matrices) => () => attention(device, { q, k, v }, all);
    await expectShapeError("attention of", attend(wide, wide, tall));
    await expectShapeError("attention of", attend(wide, tall, tall));
    await expectShapeError(
      "attention of",
      attend(dense(six, 2, 1, 3), dense(six, 2, 1, 3), dense(six.subarray(3), 1, 1, 3)),
    );
    for (const shape of [[1, 2, 3], [1, 3, 2], [2, 2, 2], [2]]) {
      const mask = { data: new Uint8Array(8), shape, stride: shape.map(() => 0), offset: 0 };
      const inputs = { q: wide, k: wide, v: wide };
      await expectShapeError("mayAttend is", () => attention(device, inputs, { ...all, mayAttend: mask }));
      await expectShapeError("postSoftmaxMask is", () =>
        attention(device, inputs, { ...all, postSoftmaxMask: mask }),
      );
    }
  });

  type Case = AttentionCase<Float32Array, Uint8Array>;

  const attendWith = (
    on: HostDevice,
    { q, k, v, size: [z, l, s, d, e], mayAttend, keptRows, emptyRow, bias = null }: Case,
  ): Promise<Float32Array> =>
    attention(
      on,
      {
        q: dense(q, z, l, d),
        k: dense(k, z, s, d),
        v: dense(v, z, s, e),
        ...(bias ? { bias: expand.compute({ shape: [z, l, s] }, view(bias.values, bias.shape)) } : {}),
      },
      {
        emptyRow,
        mayAttend: mayAttend && { data: mayAttend, shape: [z, l, s], stride: [0, s, 1], offset: 0 },
        postSoftmaxMask: keptRows && { data: keptRows, shape: [z, l, s], stride: [0, 1, 0], offset: 0 },
      },
    );

  const attend = (c: Case) => attendWith(device, c);

  const typed = ({ q, k, v, mayAttend, keptRows, bias, ...rest }: AttentionCase): Case => ({
    ...rest,
    bias: bias ? { ...bias, values: Float32Array.from(bias.values) } : null,
    q: Float32Array.from(q),
    k: Float32Array.from(k),
    v: Float32Array.from(v),
    mayAttend: mayAttend && Uint8Array.from(mayAttend),
    keptRows: keptRows && Uint8Array.from(keptRows),
  });

  test("attention is within the bound of the formula", async () => {
    await fc.assert(
      fc.asyncProperty(attentionCases(0.1, 1, 10, 40), async (c) => {
        const { out, bound } = formula(c, HOST_MODES);
        expect(worstOf(await attend(typed(c)), out, bound)).toBeLessThanOrEqual(1);
      }),
      { numRuns: 100 },
    );
  });

  test("a bias beyond any block of the kernels is within the bound, and values have a width of their own", async () => {
    for (const shape of [[3, 40, 300], [40, 300], [3, 1, 300], [3, 40, 1], [300]]) {
      const c = biasedCase([3, 40, 300, 6, 21], shape);
      const { out, bound } = formula(c, HOST_MODES);
      expect(worstOf(await attend(typed(c)), out, bound)).toBeLessThanOrEqual(1);
    }
  });

  test("a bias of NaN and ±∞ has the effect of the definition; at masked keys it has none", async () => {
    const withBias = (x: number, isAt: (query: number, key: number) => boolean) => {
      const values = Float32Array.from({ length: 15 }, (_, i) => (isAt(Math.floor(i / 5), i % 5) ? x : 0));
      return attend({ ...plain, bias: { shape: [3, 5], values } });
    };
    const before = await attend(plain);
    for (const x of [NaN, Infinity, -Infinity]) {
      expect(await withBias(x, (query, key) => query === 1 || (query === 0 && key === 2))).toEqual(before);
      const changed = await withBias(x, (query, key) => query === 2 && key === 0);
      expect([row(changed, 0, 0), row(changed, 1, 0)]).toEqual([row(before, 0, 0), row(before, 1, 0)]);
      if (x !== -Infinity) expect(row(changed, 0, 2)).toEqual([NaN, NaN]);
    }
    expect(row(await withBias(-Infinity, (query) => query === 2), 0, 2)).toEqual([NaN, NaN]);
    // a bias of −∞ has the effect of a mask
    const masked = Uint8Array.from("11011" + "00000" + "01111", Number);
    const [x, y] = [
      await withBias(-Infinity, (query, key) => query === 2 && key === 0),
      await attend({ ...plain, mayAttend: masked }),
    ];
    for (const [i, value] of y.entries()) expect(x[i]).toBeCloseTo(value, 6);
  });

  test("a text that grows by 200 tokens compiles a handful of kernels, and is right at every length", async () => {
    const { library, counts } = await countingLibrary();
    const counted = await openHostDevice(mode, async () => library);
    const backend = hostBackend(counted);
    for (let s = 57; s < 257; s++) {
      const c = typed({ ...attentionOf([1, 2, s, 3, 2]), bias: { shape: [1, s], values: float32s(s, s) } });
      const { out, bound } = formula(c, HOST_MODES);
      expect(worstOf(await attendWith(counted, c), out, bound)).toBeLessThanOrEqual(1);
      const [a, b] = [numbers(2 * s, s), numbers(s * 3, s + 1)];
      const product = productOf(a, b, [1, 2, s, 3]);
      const sum = await backend.ops.einsum?.(
        { pattern: "m k, k n -> m n" },
        view(a, [2, s]),
        view(b, [s, 3]),
      );
      expect(worstOf(sum ? [...flat(sum)] : [], product.out, product.bound)).toBeLessThanOrEqual(1);
    }
    expect(counts.compiled).toBeLessThanOrEqual(6);
    await counted.destroy();
  });

  test("at most 32 kernels are kept, those used last, and none is destroyed while it runs", async () => {
    const { library, counts } = await countingLibrary();
    const counted = await openHostDevice(mode, async () => library);
    const sumOf = async (k: number) =>
      Number(
        (
          await matmul(
            counted,
            dense(new Float32Array(k).fill(1), 1, 1, k),
            dense(new Float32Array(k).fill(1), 1, k, 1),
          )
        )[0],
      );
    const sums = await Promise.all(Array.from({ length: 40 }, (_, i) => sumOf(64 * (i + 1))));
    expect(sums).toEqual(Array.from({ length: 40 }, (_, i) => 64 * (i + 1)));
    expect([counts.compiled, counts.destroyed]).toEqual([40, 0]); // all are running
    for (const k of [64, 64 * 41, 64 * 42]) expect(await sumOf(k)).toBe(k);
    expect([counts.compiled, counts.destroyed]).toEqual([42, 10]);
    expect(await sumOf(64)).toBe(64); // used lately
    expect(counts.compiled).toBe(42);
    expect(await sumOf(128)).toBe(128); // compiled again
    expect([counts.compiled, counts.destroyed]).toEqual([43, 11]);
    await counted.destroy();
  });

  const attentionOf = (size: AttentionCase["size"]): AttentionCase => {
    const [z, l, s, d, e] = size;
    return {
      q: float32s(z * l * d, s),
      k: float32s(z * s * d, s + 1),
      v: float32s(z * s * e, s + 2),
      size,
      mayAttend: null,
      keptRows: null,
      emptyRow: "zero",
    };
  };

  const plain: Case = {
    q: numbers(2 * 3 * 4, 1),
    k: numbers(2 * 5 * 4, 2),
    v: numbers(2 * 5 * 2, 3),
    size: [2, 3, 5, 4, 2],
    mayAttend: Uint8Array.from("11011" + "00000" + "11111", Number),
    keptRows: null,
    emptyRow: "zero",
  };
  /** The values of row l of matrix z. */
  const row = (out: Float32Array, z: number, l: number): number[] => [
    ...out.subarray((z * 3 + l) * 2).subarray(0, 2),
  ];

  test("weights are right for scores beyond the range of exp", async () => {
    const k = Float32Array.of(900, 900, -900, 0);
    const sharp: Case = {
      ...plain,
      q: Float32Array.of(1),
      k,
      v: Float32Array.of(1, 3, 5, 7),
      size: [1, 1, 4, 1, 1],
      mayAttend: null,
    };
    expect([...(await attend(sharp))]).toEqual([2]);
    expect([...(await attend({ ...sharp, q: Float32Array.of(-1) }))]).toEqual([5]);
  });

  test("a masked key changes no bit of the output, whatever its score", async () => {
    const before = await attend(plain);
    for (const score of [1e6, -1e6, NaN, Infinity]) {
      const k = Float32Array.from(plain.k);
      k.fill(score, 2 * 4, 3 * 4); // key 2 of matrix 0, to which only the last row may attend
      const after = await attend({ ...plain, k });
      expect(row(after, 0, 0)).toEqual(row(before, 0, 0));
      expect(row(after, 0, 1)).toEqual(row(before, 0, 1));
      expect(row(after, 0, 2)).not.toEqual(row(before, 0, 2));
    }
  });

  test("a score as low as a fill value is allowed", async () => {
    const low = {
      ...plain,
      k: plain.k.map(() => -1e30),
      q: plain.q.map(() => 1),
      v: plain.v.map((_, i) => (i >> 1) % 5),
    };
    expect(row(await attend(low), 0, 0)).toEqual([2, 2]); // the mean of 0, 1, 3 and 4
  });

  test("empty rows are zero, uniform or NaN as requested", async () => {
    const out = async (emptyRow: SoftmaxEmptyRow) => row(await attend({ ...plain, emptyRow }), 1, 1);
    const mean = [0, 1].map((c) =>
      [0, 1, 2, 3, 4].reduce((sum, j) => sum + Number(plain.v[10 + 2 * j + c]) / 5, 0),
    );
    expect(await out("zero")).toEqual([0, 0]);
    for (const [c, x] of (await out("uniform")).entries()) expect(x).toBeCloseTo(Number(mean[c]), 6);
    expect(await out("nan")).toEqual([NaN, NaN]);
  });

  test("rows removed by the post-softmax mask are zero, empty ones too", async () => {
    const keptRows = Uint8Array.of(0, 0, 1);
    const out = await attend({ ...plain, emptyRow: "nan", keptRows });
    const all = await attend({ ...plain, emptyRow: "zero" });
    for (const z of [0, 1]) {
      expect(row(out, z, 0)).toEqual([0, 0]);
      expect(row(out, z, 1)).toEqual([0, 0]);
      expect(row(out, z, 2)).toEqual(row(all, z, 2));
    }
  });

  test("the post-softmax mask zeroes single weights and leaves the others unchanged", async () => {
    const [z, l, s, d, e] = [1, 1, 2, 1, 1];
    const inputs = { q: dense(Float32Array.of(0), z, l, d), k: dense(Float32Array.of(1, 2), z, s, d) };
    const postSoftmaxMask = { data: Uint8Array.of(1, 0), shape: [z, l, s], stride: [0, 0, 1], offset: 0 };
    const v = dense(Float32Array.of(8, 100), z, s, e);
    expect([
      ...(await attention(device, { ...inputs, v }, { mayAttend: null, emptyRow: "zero", postSoftmaxMask })),
    ]).toEqual([4]);
  });

  test("[softmax.masked] a masked key has a weight of exactly 0 in a row of NaN", async () => {
    const mask = (...bits: number[]) => ({
      data: Uint8Array.from(bits),
      shape: [1, 1, 2],
      stride: [2, 2, 1],
      offset: 0,
    });
    const [q, k] = [dense(Float32Array.of(1), 1, 1, 1), dense(Float32Array.of(NaN, 2), 1, 2, 1)];
    const v = dense(Float32Array.of(8, 100), 1, 2, 1);
    const out = async (mayAttend: ReturnType<typeof mask> | null) =>
      attention(device, { q, k, v }, { mayAttend, emptyRow: "zero", postSoftmaxMask: mask(0, 1) });
    expect([...(await out(mask(1, 0)))]).toEqual([0]);
    expect([...(await out(null))]).toEqual([NaN]);
  });

  test("NaN in a query, a key or a value reaches exactly the rows that see it", async () => {
    const withNaN = (values: Float32Array, at: number) => values.map((x, i) => (i === at ? NaN : x));
    const nanRows = async (change: Partial<Case>) => {
      const out = await attend({ ...plain, ...change });
      return [0, 1, 2].map((l) => row(out, 0, l).some(Number.isNaN));
    };
    expect(await nanRows({})).toEqual([false, false, false]);
    expect(await nanRows({ q: withNaN(plain.q, 0) })).toEqual([true, false, false]);
    expect(await nanRows({ q: withNaN(plain.q, 4) })).toEqual([false, false, false]); // the empty row
    expect(await nanRows({ k: withNaN(plain.k, 4) })).toEqual([true, false, true]); // key 1
    expect(await nanRows({ k: withNaN(plain.k, 8) })).toEqual([false, false, true]); // key 2
    expect(await nanRows({ v: withNaN(plain.v, 0) })).toEqual([true, true, true]); // 0 · NaN is NaN, as in the definition
  });

  test("einsum agrees with its definition for every kind of pattern, on views", async () => {
    const backend = await gpu({ mode });
    const sizes: Record<string, number> = { b: 2, h: 3, l: 5, s: 4, k: 6, d: 7, o: 3 };
    const patterns = [
      "b h l k, b h s k -> b h l s",
      "... l d, o d -> ... l o",
      "b h l s, b h s k -> l h k b",
      "b l d, b l o -> o d",
      "l, o -> o l",
      "d, d -> ",
      "b l d, b d -> l b",
    ];
    for (const pattern of patterns) {
      const [left = "", right = ""] = (pattern.split(" -> ")[0] ?? "").split(", ");
      const operand = (side: string, seed: number) => {
        const shape =
          side === ""
            ? []
            : side
                .replace("...", "b h")
                .split(" ")
                .map((name) => sizes[name] ?? 0);
        const rank = shape.length;
        const back = view(
          numbers(
            shape.reduce((x, y) => x * y, 1),
            seed,
          ),
          [...shape].reverse(),
        );
        return ndArray(back).transpose(...Array.from({ length: rank }, (_, i) => rank - 1 - i));
      };
      const [a, b] = [operand(left, 1), operand(right, 2)];
      const exact = einsum.compute({ pattern }, a, b);
      const actual = await backend.ops.einsum?.({ pattern }, a, b);
      expect(actual?.shape).toEqual(exact.shape);
      const values = actual ? [...flat(actual)] : [];
      for (const [i, x] of [...flat(exact)].entries()) expect(values[i]).toBeCloseTo(x, 5);
    }
    expect(backend.ran).toEqual({ matmul: patterns.length, attention: 0 });
    await backend.close();
  });

  test("the backend reports its mode and counts products and attention scopes", async () => {
    const backend = await gpu({ mode });
    expect([backend.mode, backend.precision, backend.ran]).toEqual([
      mode,
      "float32",
      { matmul: 0, attention: 0 },
    ]);
    const q = view(plain.q, [1, 2, 3, 4]);
    const k = view(plain.k, [1, 2, 5, 4]);
    const v = view(plain.v, [1, 2, 5, 2]);
    const out = await backend.scopes.attention?.run(
      { mayAttend: null, emptyRow: "zero", postSoftmaxMask: null },
      { q, k, v },
    );
    expect(out?.shape).toEqual([1, 2, 3, 2]);
    expect(out && [...flat(out)]).toEqual([...(await attend({ ...plain, mayAttend: null }))]);
    expect(backend.ran).toEqual({ matmul: 0, attention: 1 });
    await backend.ops.einsum?.({ pattern: "b h l k, b h s k -> b h l s" }, q, k);
    expect(backend.ran).toEqual({ matmul: 1, attention: 1 });
    await backend.close();
  });
});

function four(): [number, number, number, number] {
  return [1, 2, 3, 4];
}

test("a kernel that gpu.js runs in another mode is an error that names both modes and the reason", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const device = await openHostDevice("webasm");
  expect([...(await device.kernel("fine", four, { depth: 1 })([1, 1, 1]))]).toEqual([1, 2, 3, 4]);
  const unsupported = { type: "NumberTexture" } as unknown as number;
  const unsupportedKernel = device.kernel("fallen", four, { depth: 1, unsupported });
  await expect(unsupportedKernel([1, 1, 1])).rejects.toThrow(LoadError);
  await expect(unsupportedKernel([1, 1, 1])).rejects.toThrow(/"fallen".*webasm.*cpu.*"unsupported"/);
  expect(warn).toHaveBeenCalled(); // gpu.js itself only writes a warning
  await device.destroy();
  warn.mockRestore();
});

test("opening a mode that the machine does not support is an error", async () => {
  await expect(openHostDevice("webgl2" as "cpu")).rejects.toThrow(LoadError);
});

test("[options.known] [options.values] an option that gpu does not have, or a mode that is none, is refused", async () => {
  const modes = "it must be one of webasm, cpu, webgl2, webgpu, headlessgl";
  const options: readonly [unknown, string][] = [
    [null, "gpu takes an object of options, not null"],
    [5, "gpu takes an object of options, not a number"],
    ["webasm", "gpu takes an object of options, not a string"],
    [["webasm"], "gpu takes an object of options, not a list"],
    [{ modes: "cpu" }, 'gpu has no option "modes" (did you mean "mode"?); known are mode'],
    [{ mode: "webgl" }, `gpu: mode is "webgl"; ${modes}`],
    [{ mode: null }, `gpu: mode is null; ${modes}`],
    [{ mode: 1 }, `gpu: mode is 1; ${modes}`],
    [{ mode: ["cpu"] }, `gpu: mode is a list; ${modes}`],
  ];
  for (const [given, message] of options) {
    const opened = gpu(given as never);
    await expect(opened, message).rejects.toThrow(RuleError);
    await expect(opened).rejects.toThrow(message);
  }
  const backend = await gpu({ mode: undefined });
  expect(backend.mode).toBe("webasm");
  await backend.close();
});

test("a kernel of a destroyed device is an error", async () => {
  const device = await openHostDevice("webasm");
  const kernel = device.kernel("four", four, {});
  await kernel([1, 1, 1]);
  await device.destroy();
  await expect(kernel([1, 1, 1])).rejects.toThrow(Bug);
});

test("an error of gpu.js names the kernel and keeps its cause", async () => {
  const device = await openHostDevice("webasm");
  const arrow = device.kernel("arrow", () => [1, 2, 3, 4], {});
  const error = await arrow([1, 1, 1]).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Bug);
  expect(error).toMatchObject({ message: expect.stringContaining('"arrow"'), cause: expect.any(Error) });
  await device.destroy();
});

test("without gpu.js the error names the command that installs it", async () => {
  const absent = openHostDevice("cpu", () => Promise.reject(new Error("Cannot find package 'gpu.js'")));
  await expect(absent).rejects.toThrow(LoadError);
  await expect(absent).rejects.toThrow("npm install gpu.js@2.24.1");
});
