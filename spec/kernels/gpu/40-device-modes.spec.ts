// The kernels for a graphics card, run as plain functions: what they compute, and what becomes of their buffers. In a real
// browser: 40-gpu-browser.spec.ts. The rules stand in 40-gpu.md.
import fc from "fast-check";
import { expect, test } from "vitest";
import { onDevice } from "../../../src/kernels/gpu/device-modes/backend.ts";
import { unary } from "../../../src/kernels/gpu/device-modes/ops/elementwise.ts";
import { type DeviceMode, GpuDevice } from "../../../src/kernels/gpu/device-modes/gpu-device.ts";
import type { Launcher } from "../../../src/kernels/gpu/device-modes/launcher.ts";
import { attention, einsum } from "../../../src/kernels/gpu/device-modes/ops/products.ts";
import { Bug, LoadError, ShapeError } from "../../../src/tensor/errors.ts";
import type { EmptyRow, Mask } from "../../../src/tensor/ops/table.ts";
import { flat, view } from "../../../src/tensor/tensor.ts";
import { pretend } from "../../support/kernels/fake-gpu-js.ts";
import { attendOn, computed, productOn } from "../../support/kernels/gpu-ops.ts";
import {
  type AttentionCase,
  attentionCases,
  CARD,
  formula,
  numbers,
  productOf,
  worstOf,
} from "../../support/oracles/attention.ts";

async function cardOf(options: Parameters<typeof pretend>[0] = {}) {
  const pretended = pretend(options);
  const device = await GpuDevice.open("webgpu", async () => pretended.library);
  const backend = onDevice(device);
  return { ...pretended, device, backend, launcher: backend.launcher };
}
/** Nothing is left but what stays from run to run. */
function expectClean({ buffers, constants, device }: Launcher): void {
  expect([buffers.blocks, device.live]).toEqual([0, constants.size]);
}

test("any size, zero included, is within the bound", async () => {
  const { launcher } = await cardOf();
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

test("a sum runs to its end, and each depth has a kernel of its own", async () => {
  const { launcher, compiled } = await cardOf();
  for (const k of [3, 1001, 3]) {
    const ones = Array(k).fill(1);
    expect([...(await productOn(launcher, [1, 1, k, 1], ones, ones))]).toEqual([k]);
  }
  expect(compiled.filter((name) => name.startsWith("product"))).toEqual([
    "product 3 1 1",
    "product 1001 1 1",
  ]);
});

test("the output is within the bound of the formula", async () => {
  const { launcher } = await cardOf();
  await fc.assert(
    fc.asyncProperty(attentionCases(0.1, 1, 4), async (c) => {
      const { out, bound } = formula(c, CARD);
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
  may: [...["11011", "00000", "11111"].join("")].map(Number),
  loud: null,
  emptyRow: "zero",
};
const row = (out: Float32Array, l: number): number[] => [...out.subarray(2 * l, 2 * l + 2)];

test("what may not be attended to changes no bit; what may, does", async () => {
  const { launcher } = await cardOf();
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

test("a NaN spoils its row, masked entries included", async () => {
  const { launcher } = await cardOf();
  const q = plain.q.map((x, i) => (i === 0 ? NaN : x));
  const out = await attendOn(launcher, { ...plain, q });
  expect([0, 1, 2].map((l) => row(out, l).some(Number.isNaN))).toEqual([true, false, false]);
});

test("scores beyond what exp can take leave the weights right", async () => {
  const { launcher } = await cardOf();
  const sharp = { ...plain, k: [900, 900, -900, 0], v: [1, 3, 5, 7], may: null };
  const size = [1, 1, 4, 1, 1] as const;
  expect([...(await attendOn(launcher, { ...sharp, size, q: [1] }))]).toEqual([2]);
  expect([...(await attendOn(launcher, { ...sharp, size, q: [-1] }))]).toEqual([5]);
});

test("zero, uniform or NaN, as asked; silent rows are zero whatever they were", async () => {
  const { launcher } = await cardOf();
  const out = async (emptyRow: EmptyRow, loud: number[] | null = null) =>
    row(await attendOn(launcher, { ...plain, emptyRow, loud }), 1);
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

test("the lowest scores still count, and −∞ alone is no weight at all", async () => {
  const { launcher } = await cardOf();
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

test("a single weight can be silenced; the others keep theirs", async () => {
  const { launcher } = await cardOf();
  const attrs = { mayAttend: null, emptyRow: "zero", postSoftmaxMask: bits(1, 0) } as const;
  expect([...(await twoKeys(launcher, [0, 0], attrs))]).toEqual([4]);
});

test("a silent row is zero even if a NaN spoilt it; what is postSoftmaxMask of a spoilt row is NaN", async () => {
  const { launcher } = await cardOf();
  const q = plain.q.map((x, i) => (i === 0 ? NaN : x));
  expect(row(await attendOn(launcher, { ...plain, q, loud: [0, 1, 1] }), 0)).toEqual([0, 0]);
  const attrs = { mayAttend: bits(1, 0), postSoftmaxMask: bits(0, 1), emptyRow: "zero" } as const;
  expect([...(await twoKeys(launcher, [NaN, 2], attrs))]).toEqual([NaN]);
});

test("attention without elements, without keys, without width", async () => {
  const { launcher } = await cardOf();
  const of = (size: AttentionCase["size"]) => {
    const [z, l, s, d, e] = size;
    return attendOn(launcher, {
      ...plain,
      size,
      q: Array(z * l * d).fill(1),
      k: Array(z * s * d).fill(1),
      v: numbers(z * s * e, 1),
      may: null,
    });
  };
  expect([...(await of([1, 3, 0, 2, 2]))]).toEqual([0, 0, 0, 0, 0, 0]);
  expect([(await of([0, 3, 2, 2, 2])).length, (await of([1, 0, 2, 2, 2])).length]).toEqual([0, 0]);
  const mean = await of([1, 1, 4, 0, 1]);
  expect(mean[0]).toBeCloseTo(numbers(4, 1).reduce((x, y) => x + y, 0) / 4, 6);
});

test("what a kernel computes is not uploaded again, and nothing stays", async () => {
  const { launcher, device, passed } = await cardOf();
  await attendOn(launcher, plain);
  // q, k, v, the mask and the one byte of what is all heard; the places of two products and of rows
  expect([passed.uploaded, device.uploads, device.downloads]).toEqual([8, 8, 1]);
  expectClean(launcher);
});

test.each(["input", "copied", "rowTops", "rowSums", "softWeights", "product"])(
  "%s fails: the error says so and nothing stays on the device",
  async (fail) => {
    const { launcher, device, live } = await cardOf({ fail });
    const error = await attendOn(launcher, plain).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Bug);
    expect(String(error)).toMatch(/gpu\.js failed in kernel "\w+( \d+)*": the card is on fire/);
    expectClean(launcher);
    expect(live.size).toBe(device.live);
  },
);

test("a read that fails says so, and leaves the numbers as they were for the next", async () => {
  const { launcher } = await cardOf({ failedReads: 1 });
  const { buffers } = launcher;
  const there = await buffers.upload(view(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]));
  const error = await buffers.download(there).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Bug);
  expect(error).toMatchObject({
    message: "gpu.js failed in a download: the card is lost",
    cause: new Error("the card is lost"),
  });
  const turned = await buffers.download(await unary(launcher, "neg", there.transpose(1, 0)));
  expect([...flat(turned)]).toEqual([-1, -4, -2, -5, -3, -6]);
  expect([...flat(await buffers.download(there))]).toEqual([1, 2, 3, 4, 5, 6]);
});

test("those that ran longest ago are dropped, and none whose result is still there", async () => {
  const { launcher, compiled, dropped } = await cardOf();
  const { buffers } = launcher;
  const ones = Array(300).fill(1);
  const sumOf = async (k: number) => {
    expect([...(await productOn(launcher, [1, 1, k, 1], ones.slice(0, k), ones.slice(0, k)))]).toEqual([k]);
  };
  const one = await buffers.upload(view(Float32Array.of(1), [1]));
  const kept = await unary(launcher, "neg", one);
  for (let k = 1; k <= 300; k++) {
    await sumOf(k);
    await sumOf(1 + (k % 2)); // often asked for
  }
  expect(compiled.length - dropped.length).toBe(256);
  expect(dropped.slice(0, 3)).toEqual(["product 3 1 1", "product 4 1 1", "product 5 1 1"]);
  expect([...flat(await buffers.download(kept))]).toEqual([-1]);
  await sumOf(3);
  expect(compiled.filter((name) => name === "product 3 1 1")).toHaveLength(2);
  for (const v of [one, kept]) buffers.free(buffers.blockOf(v.data) ?? 0);
  expectClean(launcher);
  await sumOf(4);
  expect(dropped.filter((name) => name.startsWith("eachOfOne"))).toEqual(["eachOfOne 1"]);
});

test("the kernel that ran is asked for its mode; those of WebGL are known by their class", async () => {
  const open = async (asked: DeviceMode, ran: string) => {
    const device = await GpuDevice.open(asked, async () => pretend({ mode: ran }).library);
    return productOn(onDevice(device).launcher, [1, 1, 1, 1], [2], [2]).catch((reason: unknown) => reason);
  };
  expect(await open("webgl2", "webgl2")).toEqual(Float32Array.of(4));
  expect(await open("webgpu", "webgpu")).toEqual(Float32Array.of(4));
  expect(await open("headlessgl", "headlessgl")).toEqual(Float32Array.of(4));
  for (const [asked, ran] of [
    ["webgl2", "webgpu"],
    ["webgpu", "cpu"],
    ["webgl2", "gpu"],
    ["webgl2", "headlessgl"],
    ["headlessgl", "webgl2"],
  ] as const) {
    const error = await open(asked, ran);
    expect(error).toBeInstanceOf(LoadError);
    expect(String(error)).toContain(`asked to run in ${asked} and ran in ${ran}`);
  }
});

test("a card refuses what a processor refuses", async () => {
  const { launcher, device } = await cardOf();
  const of = (...shape: number[]) => view(new Float32Array(shape.reduce((x, y) => x * y, 1)), shape);
  const pattern = "z m k, z k n -> z m n";
  await expect(einsum(launcher, pattern, of(1, 1, 1), of(1, 2, 1))).rejects.toThrow(ShapeError);
  await expect(einsum(launcher, pattern, of(1, 1, 1), of(2, 1, 1))).rejects.toThrow(ShapeError);
  await device.destroy();
  await expect(productOn(launcher, [1, 1, 1, 1], [1], [1])).rejects.toThrow("after its device was destroyed");
  const absent = GpuDevice.open("webgpu", () => Promise.reject(new Error("Cannot find package 'gpu.js'")));
  await expect(absent).rejects.toThrow(LoadError);
});
