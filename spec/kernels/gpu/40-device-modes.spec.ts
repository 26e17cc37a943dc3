// Rules of 40-gpu.md for products and attention on a graphics card, on a fake of gpu.js that runs kernels as JavaScript functions.
// 40-browser.spec.ts runs the same kernels in Chromium.

import fc from "fast-check";
import { expect, test } from "vitest";
import { deviceBackend } from "../../../src/kernels/gpu/device-modes/backend.ts";
import { type DeviceMode, GpuDevice } from "../../../src/kernels/gpu/device-modes/gpu-device.ts";
import type { Launcher } from "../../../src/kernels/gpu/device-modes/launcher.ts";
import { unary } from "../../../src/kernels/gpu/device-modes/ops/elementwise.ts";
import { attention, einsum } from "../../../src/kernels/gpu/device-modes/ops/products.ts";
import { softmax } from "../../../src/kernels/gpu/device-modes/ops/rows.ts";
import { maxTo, unbroadcast } from "../../../src/kernels/gpu/device-modes/ops/sums.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { replay } from "../../../src/kernels/replay.ts";
import { Bug, LoadError, ShapeError } from "../../../src/tensor/errors.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import type { Mask, SoftmaxEmptyRow } from "../../../src/tensor/ops/table.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { flat, Int, view } from "../../../src/tensor/tensor.ts";
import { tinyFlamingo } from "../../support/fixtures/training/tiny.ts";
import { fakeGpuJs, INJECTED, openFakeDevice } from "../../support/kernels/gpu/fake-gpu-js.ts";
import { attendOn, computed, productOn, sumWithStride } from "../../support/kernels/gpu/ops.ts";
import {
  type AttentionCase,
  attentionCases,
  biasedCase,
  DEVICE_MODES,
  formula,
  gamma,
  numbers,
  productOf,
  worstOf,
} from "../../support/oracles/attention.ts";
import { randomTensor } from "../../support/properties/arbitraries.ts";

/** Expects that only buffers that are kept between runs are left on the device. */
function expectClean({ buffers, constants, device }: Launcher): void {
  expect([buffers.blocks, device.live]).toEqual([0, constants.size]);
}

test("products of any size, zero included, are within the bound", async () => {
  const { launcher } = await openFakeDevice();
  const axis = fc.integer({ min: 0, max: 7 });
  await fc.assert(
    fc.asyncProperty(axis, axis, axis, axis, fc.integer(), async (z, m, k, n, seed) => {
      const [a, b] = [numbers(z * m * k, seed), numbers(z * k * n, seed + 1)];
      const c = await productOn(launcher, [z, m, k, n], a, b);
      const { out, bound } = productOf(a, b, [z, m, k, n]);
      expect(worstOf(c, out, bound)).toBeLessThanOrEqual(1);
    }),
    { numRuns: 40 },
  );
  expectClean(launcher);
});

test("a sum includes all of its terms, and one kernel computes sums of any length", async () => {
  const { launcher, counts } = await openFakeDevice();
  const compiledAfter = async (k: number) => {
    const ones = Array(k).fill(1);
    expect([...(await productOn(launcher, [1, 1, k, 2], ones, [...ones, ...ones]))]).toEqual([k, k]);
    return counts.compiled;
  };
  const first = await compiledAfter(3);
  expect(await compiledAfter(1001)).toBe(first);
  expect(await compiledAfter(70_000)).toBe(first);
});

test("a text that grows by 200 tokens compiles no kernel after its first lengths, and is right at every length", async () => {
  const { launcher, counts } = await openFakeDevice();
  const compiledAt = async (s: number) => {
    const c: AttentionCase = {
      q: numbers(2 * 3, s),
      k: numbers(s * 3, s + 1),
      v: numbers(s * 2, s + 2),
      size: [1, 2, s, 3, 2],
      mayAttend: numbers(2 * s, s + 3).map((x) => (x < 0.5 ? 1 : 0)),
      keptRows: null,
      emptyRow: "uniform",
      bias: { shape: [1, s], values: numbers(s, s + 4) },
    };
    const { out, bound } = formula(c, DEVICE_MODES);
    expect(worstOf(await attendOn(launcher, c), out, bound)).toBeLessThanOrEqual(1);
    const sum = computed(launcher, [view(Float32Array.from(c.k), [s, 3])], (x) =>
      unbroadcast(launcher, { shape: [3] }, x),
    );
    const sums = [0, 1, 2].map((column) => c.k.filter((_, i) => i % 3 === column));
    const most = await computed(launcher, [view(Float32Array.from(c.k), [s, 3])], (x) =>
      maxTo(launcher, { shape: [3] }, x),
    );
    expect([...most]).toEqual(sums.map((column) => Math.max(...column)));
    for (const [i, x] of (await sum).entries()) {
      const terms = sums[i] ?? [];
      const exact = terms.reduce((total, term) => total + term, 0);
      expect(Math.abs(x - exact)).toBeLessThanOrEqual(
        gamma(s) * terms.reduce((total, term) => total + Math.abs(term), 0),
      );
    }
    return counts.compiled;
  };
  await compiledAt(1); // axes of size 1 have strides of their own
  const first = await compiledAt(2);
  for (let s = 3; s <= 200; s++) expect(await compiledAt(s)).toBe(first);
  expectClean(launcher);
});

test("a model compiles no kernel for another length of its text", async () => {
  const { backend, counts } = await openFakeDevice();
  const model = tinyFlamingo();
  const images = randomTensor<"b m c h w">([1, 1, 1, 4, 4], 1);
  const compiledAt = async (n: number) => {
    const text = new Int<"b l">(
      [1, n],
      Int32Array.from({ length: n }, (_, i) => (i === 0 ? 3 : 4 + (i % 6))),
    );
    const p = record(() => model.forward(text, { images }), { model, symbolic: true });
    const [ours, exact] = [await replay(p, backend), await replay(p, reference())];
    const [x, y] = [ours, exact].map(({ outputs }) => [
      ...flat(outputs.out?.data ?? view(new Float32Array(0), [0])),
    ]);
    for (const [i, value] of (y ?? []).entries()) expect(x?.[i]).toBeCloseTo(value, 4);
    return counts.compiled;
  };
  await compiledAt(1);
  const first = await compiledAt(2);
  for (const n of [3, 4, 5, 9, 17, 30]) expect(await compiledAt(n)).toBe(first);
});

test("attention is within the bound of the formula", async () => {
  const { launcher } = await openFakeDevice();
  await fc.assert(
    fc.asyncProperty(attentionCases(0.1, 1, 4), async (c) => {
      const { out, bound } = formula(c, DEVICE_MODES);
      expect(worstOf(await attendOn(launcher, c), out, bound)).toBeLessThanOrEqual(1);
    }),
    { numRuns: 60 },
  );
  expectClean(launcher);
});

const plain: AttentionCase = {
  q: numbers(2 * 3 * 4, 1),
  k: numbers(2 * 5 * 4, 2),
  v: numbers(2 * 5 * 2, 3),
  size: [2, 3, 5, 4, 2],
  mayAttend: [...["11011", "00000", "11111"].join("")].map(Number),
  keptRows: null,
  emptyRow: "zero",
};
const row = (out: Float32Array, l: number): number[] => [...out.subarray(2 * l, 2 * l + 2)];

test("a bias on any of the axes is within the bound beyond small sizes, and values have a width of their own", async () => {
  const { launcher } = await openFakeDevice();
  for (const shape of [[2, 9, 70], [9, 70], [2, 1, 70], [2, 9, 1], [70], []]) {
    const c = biasedCase([2, 9, 70, 4, 11], shape);
    const { out, bound } = formula(c, DEVICE_MODES);
    expect(worstOf(await attendOn(launcher, c), out, bound)).toBeLessThanOrEqual(1);
  }
  const wrong = { ...plain, bias: { shape: [4], values: [1, 2, 3, 4] } };
  await expect(attendOn(launcher, wrong)).rejects.toThrow(ShapeError);
  expectClean(launcher);
});

test("a bias of NaN at a masked key has no effect, and one of −∞ masks a key", async () => {
  const { launcher } = await openFakeDevice();
  const withBias = (x: number, isAt: (query: number, key: number) => boolean) => {
    const values = Array.from({ length: 15 }, (_, i) => (isAt(Math.floor(i / 5), i % 5) ? x : 0));
    return attendOn(launcher, { ...plain, bias: { shape: [3, 5], values } });
  };
  const before = await attendOn(launcher, plain);
  for (const x of [NaN, Infinity, -Infinity])
    expect(await withBias(x, (query, key) => query === 1 || (query === 0 && key === 2))).toEqual(before);
  expect(row(await withBias(NaN, (query, key) => query === 2 && key === 0), 2)).toEqual([NaN, NaN]);
  const mayAttend = [..."110110000001111"].map(Number);
  const masked = await attendOn(launcher, { ...plain, mayAttend });
  const removed = await withBias(-Infinity, (query, key) => query === 2 && key === 0);
  for (const [i, x] of masked.entries()) expect(removed[i]).toBeCloseTo(x, 6);
});

test("a masked key changes no bit of the output; an allowed key does", async () => {
  const { launcher } = await openFakeDevice();
  const before = await attendOn(launcher, plain);
  for (const score of [1e6, NaN, Infinity]) {
    const after = await attendOn(launcher, {
      ...plain,
      k: plain.k.map((x, i) => (i >= 8 && i < 12 ? score : x)),
    });
    expect([row(after, 0), row(after, 1)]).toEqual([row(before, 0), row(before, 1)]);
    expect(row(after, 2)).not.toEqual(row(before, 2));
    if (Number.isNaN(score)) expect(row(after, 2)).toEqual([NaN, NaN]);
  }
});

test("a NaN in a query makes its row NaN, and no other", async () => {
  const { launcher } = await openFakeDevice();
  const q = plain.q.map((x, i) => (i === 0 ? NaN : x));
  const out = await attendOn(launcher, { ...plain, q });
  expect([0, 1, 2].map((l) => row(out, l).some(Number.isNaN))).toEqual([true, false, false]);
});

test("weights are right for scores beyond the range of exp", async () => {
  const { launcher } = await openFakeDevice();
  const sharp = { ...plain, k: [900, 900, -900, 0], v: [1, 3, 5, 7], mayAttend: null };
  const size = [1, 1, 4, 1, 1] as const;
  expect([...(await attendOn(launcher, { ...sharp, size, q: [1] }))]).toEqual([2]);
  expect([...(await attendOn(launcher, { ...sharp, size, q: [-1] }))]).toEqual([5]);
});

test("empty rows are zero, uniform or NaN as requested; rows removed by the post-softmax mask are zero", async () => {
  const { launcher } = await openFakeDevice();
  const out = async (emptyRow: SoftmaxEmptyRow, keptRows: number[] | null = null) =>
    row(await attendOn(launcher, { ...plain, emptyRow, keptRows }), 1);
  const mean = [0, 1].map((c) => [0, 1, 2, 3, 4].reduce((sum, j) => sum + Number(plain.v[2 * j + c]) / 5, 0));
  expect(await out("zero")).toEqual([0, 0]);
  for (const [c, x] of (await out("uniform")).entries()) expect(x).toBeCloseTo(Number(mean[c]), 6);
  expect(await out("nan")).toEqual([NaN, NaN]);
  expect(await out("nan", [1, 0, 1])).toEqual([0, 0]);
});

const bits = (...data: number[]) => ({
  data: Uint8Array.from(data),
  shape: [1, 1, 2],
  stride: [0, 0, 1],
  offset: 0,
});
const twoKeys = (launcher: Launcher, k: number[], attrs: Parameters<typeof attention>[1]) => {
  const of = (...values: number[]) => view(Float32Array.from(values), [1, values.length, 1]);
  return computed(launcher, [of(1), of(...k), of(8, 100)], (q, k, v) =>
    attention(launcher, attrs, { q, k, v } as Three),
  );
};
type Three = Parameters<typeof attention>[2];

test("the lowest finite score is allowed, and a row of −∞ is NaN", async () => {
  const { launcher } = await openFakeDevice();
  const lowest = -3.4028235e38;
  for (const emptyRow of ["zero", "uniform", "nan"] as const) {
    const out = async (k: number[], mayAttend: Mask | null) => [
      ...(await twoKeys(launcher, k, { mayAttend, emptyRow, postSoftmaxMask: null })),
    ];
    expect(await out([lowest, lowest], null)).toEqual([54]);
    expect(await out([lowest, 9], bits(1, 0))).toEqual([8]);
    expect(await out([-Infinity, lowest], null)).toEqual([100]);
    expect(await out([-Infinity, -Infinity], null)).toEqual([NaN]);
    expect(await out([-Infinity, 9], bits(1, 0))).toEqual([NaN]);
  }
});

test("the post-softmax mask zeroes single weights and leaves the others unchanged", async () => {
  const { launcher } = await openFakeDevice();
  const attrs = { mayAttend: null, emptyRow: "zero", postSoftmaxMask: bits(1, 0) } as const;
  expect([...(await twoKeys(launcher, [0, 0], attrs))]).toEqual([4]);
});

test("the post-softmax mask zeroes NaN weights too; weights that it keeps stay NaN", async () => {
  const { launcher } = await openFakeDevice();
  const q = plain.q.map((x, i) => (i === 0 ? NaN : x));
  expect(row(await attendOn(launcher, { ...plain, q, keptRows: [0, 1, 1] }), 0)).toEqual([0, 0]);
  const attrs = { mayAttend: null, postSoftmaxMask: bits(0, 1), emptyRow: "zero" } as const;
  expect([...(await twoKeys(launcher, [NaN, 2], attrs))]).toEqual([NaN]);
});

test("[softmax.masked] a masked key has a weight of exactly 0 in a row of NaN", async () => {
  const { launcher } = await openFakeDevice();
  const attrs = { mayAttend: bits(1, 0), postSoftmaxMask: bits(0, 1), emptyRow: "zero" } as const;
  expect([...(await twoKeys(launcher, [NaN, 2], attrs))]).toEqual([0]);
  const scores = view(Float32Array.of(NaN, 2, 1, 2), [1, 2, 2]);
  const mayAttend = { data: Uint8Array.of(1, 0, 1, 0), shape: [1, 2, 2], stride: [4, 2, 1], offset: 0 };
  const weights = await computed(launcher, [scores], (x) =>
    softmax(launcher, { mayAttend, emptyRow: "zero" }, x),
  );
  expect([...weights]).toEqual([NaN, 0, 1, 0]);
});

test("attention with no elements, no keys, or queries of width 0", async () => {
  const { launcher } = await openFakeDevice();
  const of = (size: AttentionCase["size"]) => {
    const [z, l, s, d, e] = size;
    return attendOn(launcher, {
      ...plain,
      size,
      q: Array(z * l * d).fill(1),
      k: Array(z * s * d).fill(1),
      v: numbers(z * s * e, 1),
      mayAttend: null,
    });
  };
  expect([...(await of([1, 3, 0, 2, 2]))]).toEqual([0, 0, 0, 0, 0, 0]);
  expect([(await of([0, 3, 2, 2, 2])).length, (await of([1, 0, 2, 2, 2])).length]).toEqual([0, 0]);
  const mean = await of([1, 1, 4, 0, 1]);
  expect(mean[0]).toBeCloseTo(numbers(4, 1).reduce((x, y) => x + y, 0) / 4, 6);
});

test("a second run uploads its inputs only, downloads its result only, and leaves nothing behind", async () => {
  const { launcher, device } = await openFakeDevice();
  await attendOn(launcher, plain);
  const { uploads, downloads, live } = device;
  await attendOn(launcher, plain);
  // q, k, v, and the mask, which `attendOn` creates anew; offset tables are still on the device
  expect([device.uploads - uploads, device.downloads - downloads, device.live - live]).toEqual([4, 1, 1]);
  expectClean(launcher);
});

test("whichever upload or kernel fails, the error keeps its cause and nothing is left on the device", async () => {
  const complete = await openFakeDevice();
  await attendOn(complete.launcher, plain);
  const steps = complete.counts.uploaded + complete.counts.runs;
  for (let failAt = 0; failAt < steps; failAt++) {
    const { launcher, device, live } = await openFakeDevice({ failAt });
    const error = await attendOn(launcher, plain).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Bug);
    expect(error).toMatchObject({ cause: INJECTED });
    expectClean(launcher);
    expect(live.size).toBe(device.live);
  }
});

test("a failed download keeps its cause, and the buffer can be read afterwards", async () => {
  const { launcher } = await openFakeDevice({ failedDownloads: 1 });
  const { buffers } = launcher;
  const uploaded = await buffers.upload(view(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]));
  const error = await buffers.download(uploaded).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Bug);
  expect(error).toMatchObject({ cause: INJECTED });
  const negated = await buffers.download(await unary(launcher, "neg", ndArray(uploaded).transpose(1, 0)));
  expect([...flat(negated)]).toEqual([-1, -4, -2, -5, -3, -6]);
  expect([...flat(await buffers.download(uploaded))]).toEqual([1, 2, 3, 4, 5, 6]);
});

test("beyond 256 kernels the least recently used are destroyed, but none whose result is on the device", async () => {
  const { launcher, counts } = await openFakeDevice();
  const { buffers } = launcher;
  const sumOf = async (stride: number) => expect(await sumWithStride(launcher, stride)).toBe(2);
  const one = await buffers.upload(view(Float32Array.of(1), [1]));
  const kept = await unary(launcher, "neg", one);
  const before = counts.compiled;
  for (let k = 1; k <= 300; k++) {
    await sumOf(k);
    await sumOf(1 + (k % 2));
  }
  expect(counts.compiled - before).toBe(300); // strides 1 and 2 are used throughout, so they are not compiled again
  expect(counts.compiled - counts.destroyed).toBe(256);
  const compilations = async (work: () => Promise<unknown>) => {
    const before = counts.compiled;
    await work();
    return counts.compiled - before;
  };
  expect(await compilations(() => sumOf(300))).toBe(0); // used last
  expect(await compilations(() => sumOf(3))).toBe(1); // not used since the beginning
  expect([...flat(await buffers.download(kept))]).toEqual([-1]); // its kernel is older still
  for (const v of [one, kept]) buffers.free(buffers.blockOf(v.data) ?? 0);
  expectClean(launcher);
  await sumOf(4); // compiled again, in place of the kernel of `kept`
  const negate = async () => {
    const input = await buffers.upload(view(Float32Array.of(1), [1]));
    const negated = await unary(launcher, "neg", input);
    for (const v of [input, negated]) buffers.free(buffers.blockOf(v.data) ?? 0);
  };
  expect(await compilations(negate)).toBe(1);
});

test("a kernel that ran in another mode is an error, also for WebGL, whose kernels are identified by their class", async () => {
  const open = async (requested: DeviceMode, ran: string) => {
    const device = await GpuDevice.open(requested, async () => fakeGpuJs({ mode: ran }).library);
    return productOn(deviceBackend(device).launcher, [1, 1, 1, 1], [2], [2]).catch(
      (reason: unknown) => reason,
    );
  };
  expect(await open("webgl2", "webgl2")).toEqual(Float32Array.of(4));
  expect(await open("webgpu", "webgpu")).toEqual(Float32Array.of(4));
  expect(await open("headlessgl", "headlessgl")).toEqual(Float32Array.of(4));
  for (const [requested, ran] of [
    ["webgl2", "webgpu"],
    ["webgpu", "cpu"],
    ["webgl2", "gpu"],
    ["webgl2", "headlessgl"],
    ["headlessgl", "webgl2"],
  ] as const) {
    const error = await open(requested, ran);
    expect(error).toBeInstanceOf(LoadError);
    expect(String(error)).toMatch(new RegExp(`mode ${requested} .*${ran}`));
  }
});

test("shapes that do not match, a destroyed device and a missing gpu.js are errors", async () => {
  const { launcher, device } = await openFakeDevice();
  const of = (...shape: number[]) => view(new Float32Array(shape.reduce((x, y) => x * y, 1)), shape);
  const pattern = "z m k, z k n -> z m n";
  await expect(einsum(launcher, pattern, of(1, 1, 1), of(1, 2, 1))).rejects.toThrow(ShapeError);
  await expect(einsum(launcher, pattern, of(1, 1, 1), of(2, 1, 1))).rejects.toThrow(ShapeError);
  await device.destroy();
  await expect(productOn(launcher, [1, 1, 1, 1], [1], [1])).rejects.toThrow(Bug);
  const absent = GpuDevice.open("webgpu", () => Promise.reject(new Error("Cannot find package 'gpu.js'")));
  await expect(absent).rejects.toThrow(LoadError);
});
