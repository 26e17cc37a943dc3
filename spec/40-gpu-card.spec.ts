// The kernels for a graphics card, run as plain functions: what they compute, and what becomes of their buffers. In a real
// browser: 40-gpu-browser.spec.ts. The rules stand in 40-gpu.md.
import fc from "fast-check";
import { expect, test } from "vitest";
import { Card } from "../src/kernels/gpu/card.ts";
import { cardAttention, cardMatmul } from "../src/kernels/gpu/card-ops.ts";
import { dense, transposed } from "../src/kernels/gpu/matrices.ts";
import { Bug, LoadError, RuleError, ShapeError } from "../src/tensor/errors.ts";
import type { EmptyRow } from "../src/tensor/ops.ts";
import {
  type AttentionCase,
  attentionCases,
  formula,
  numbers,
  productOf,
  worstOf,
} from "./support/gpu-oracle.ts";
import { pretend } from "./support/gpu-pretender.ts";

async function cardOf(options: Parameters<typeof pretend>[0] = {}) {
  const pretended = pretend(options);
  return { ...pretended, card: await Card.open("webgpu", async () => pretended.library) };
}
const floats = (values: readonly number[]) => Float32Array.from(values);

function attend(card: Card, { q, k, v, size: [z, l, s, d, e], may, loud, emptyRow }: AttentionCase) {
  const mask = (bits: readonly number[] | null, stride: readonly number[]) =>
    bits && { data: Uint8Array.from(bits), shape: [z, l, s], stride, offset: 0 };
  return cardAttention(
    card,
    { q: dense(floats(q), z, l, d), k: dense(floats(k), z, s, d), v: dense(floats(v), z, s, e) },
    { emptyRow, mayAttend: mask(may, [0, s, 1]), heard: mask(loud, [0, 1, 0]) },
  );
}

test("[gpu.product] [gpu.empty] any size, zero included, is within the bound", async () => {
  const { card } = await cardOf();
  const axis = fc.integer({ min: 0, max: 7 });
  await fc.assert(
    fc.asyncProperty(axis, axis, axis, axis, fc.integer(), async (z, m, k, n, seed) => {
      const [a, b] = [numbers(z * m * k, seed), numbers(z * k * n, seed + 1)];
      const c = await cardMatmul(card, dense(floats(a), z, m, k), dense(floats(b), z, k, n));
      const { out, bound } = productOf(a, b, [z, m, k, n]);
      expect(worstOf(c, out, bound)).toBeLessThanOrEqual(1);
    }),
    { numRuns: 40 },
  );
  expect(card.live).toBe(0);
});

test("[gpu.product] operands are read where they lie", async () => {
  const { card } = await cardOf();
  const [a, b] = [numbers(6, 1), numbers(12, 2)];
  const straight = await cardMatmul(card, dense(floats(a), 1, 2, 3), dense(floats(b), 1, 3, 4));
  const flipped = await cardMatmul(
    card,
    transposed(dense(floats(b), 1, 3, 4)),
    transposed(dense(floats(a), 1, 2, 3)),
  );
  for (const i of [0, 1]) for (const j of [0, 1, 2, 3]) expect(flipped[j * 2 + i]).toBe(straight[i * 4 + j]);
});

test("[gpu.depth] a sum runs to its end, and each depth has a kernel of its own", async () => {
  const { card } = await cardOf();
  for (const k of [3, 1001, 3]) {
    const ones = floats(Array(k).fill(1));
    expect([...(await cardMatmul(card, dense(ones, 1, 1, k), dense(ones, 1, k, 1)))]).toEqual([k]);
  }
});

test("[gpu.attention] the output is within the bound of the formula", async () => {
  const { card, live } = await cardOf();
  await fc.assert(
    fc.asyncProperty(attentionCases, async (c) => {
      const { out, bound } = formula(c);
      expect(worstOf(await attend(card, c), out, bound)).toBeLessThanOrEqual(1);
    }),
    { numRuns: 60 },
  );
  expect([card.live, live.size]).toEqual([0, 0]);
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

test("[gpu.masked] [gpu.nan] what may not be attended to changes no bit; what may, does", async () => {
  const { card } = await cardOf();
  const before = await attend(card, plain);
  for (const score of [1e6, NaN, Infinity]) {
    const after = await attend(card, { ...plain, k: plain.k.map((x, i) => (i >= 8 && i < 12 ? score : x)) });
    expect([row(after, 0), row(after, 1)]).toEqual([row(before, 0), row(before, 1)]);
    expect(row(after, 2)).not.toEqual(row(before, 2));
    if (Number.isNaN(score)) expect(row(after, 2)).toEqual([NaN, NaN]);
  }
});

test("[gpu.nan] a NaN spoils its row, masked entries included", async () => {
  const { card } = await cardOf();
  const q = plain.q.map((x, i) => (i === 0 ? NaN : x));
  const out = await attend(card, { ...plain, q });
  expect([0, 1, 2].map((l) => row(out, l).some(Number.isNaN))).toEqual([true, false, false]);
});

test("[gpu.attention] scores beyond what exp can take leave the weights right", async () => {
  const { card } = await cardOf();
  const sharp = { ...plain, k: [900, 900, -900, 0], v: [1, 3, 5, 7], may: null };
  const size = [1, 1, 4, 1, 1] as const;
  expect([...(await attend(card, { ...sharp, size, q: [1] }))]).toEqual([2]);
  expect([...(await attend(card, { ...sharp, size, q: [-1] }))]).toEqual([5]);
});

test("[gpu.empty-row] [gpu.silent] zero, uniform or NaN, as asked; silent rows are zero whatever they were", async () => {
  const { card } = await cardOf();
  const out = async (emptyRow: EmptyRow, loud: number[] | null = null) =>
    row(await attend(card, { ...plain, emptyRow, loud }), 1);
  const mean = [0, 1].map((c) => [0, 1, 2, 3, 4].reduce((sum, j) => sum + Number(plain.v[2 * j + c]) / 5, 0));
  expect(await out("zero")).toEqual([0, 0]);
  for (const [c, x] of (await out("uniform")).entries()) expect(x).toBeCloseTo(Number(mean[c]), 6);
  expect(await out("nan")).toEqual([NaN, NaN]);
  expect(await out("nan", [1, 0, 1])).toEqual([0, 0]);
});

test("[gpu.silent] a single weight can be silenced; the others keep theirs", async () => {
  const { card } = await cardOf();
  const inputs = {
    q: dense(floats([0]), 1, 1, 1),
    k: dense(floats([1, 2]), 1, 2, 1),
    v: dense(floats([8, 100]), 1, 2, 1),
  };
  const heard = { data: Uint8Array.of(1, 0), shape: [1, 1, 2], stride: [0, 0, 1], offset: 0 };
  expect([...(await cardAttention(card, inputs, { mayAttend: null, emptyRow: "zero", heard }))]).toEqual([4]);
});

test("[gpu.silent] [gpu.nan] a silent row is zero even if a NaN spoilt it; what is heard of a spoilt row is NaN", async () => {
  const { card } = await cardOf();
  const q = plain.q.map((x, i) => (i === 0 ? NaN : x));
  expect(row(await attend(card, { ...plain, q, loud: [0, 1, 1] }), 0)).toEqual([0, 0]);
  const inputs = {
    q: dense(floats([1]), 1, 1, 1),
    k: dense(floats([NaN, 2]), 1, 2, 1),
    v: dense(floats([8, 100]), 1, 2, 1),
  };
  const bits = (...data: number[]) => ({
    data: Uint8Array.from(data),
    shape: [1, 1, 2],
    stride: [0, 0, 1],
    offset: 0,
  });
  const attrs = { mayAttend: bits(1, 0), heard: bits(0, 1), emptyRow: "zero" } as const;
  expect([...(await cardAttention(card, inputs, attrs))]).toEqual([NaN]);
});

test("[gpu.empty] attention without elements, without keys, without width", async () => {
  const { card } = await cardOf();
  const of = (size: AttentionCase["size"]) => {
    const [z, l, s, d, e] = size;
    return attend(card, {
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

test("[gpu.resident] what a kernel computes is not uploaded again, and nothing stays", async () => {
  const { card, passed, live } = await cardOf();
  await attend(card, plain);
  expect(passed).toEqual({ uploaded: 5, resident: 10 }); // up go q, k, v, the mask, an empty row's weight
  expect([card.live, live.size]).toEqual([0, 0]);
});

test.each(["copied", "rowTops", "rowSums", "softWeights", "scalarProduct"])(
  "[gpu.resident] [gpu.errors] %s fails: the error says so and nothing stays on the device",
  async (fail) => {
    const { card, live } = await cardOf({ fail });
    const error = await attend(card, plain).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Bug);
    expect(String(error)).toMatch(/gpu\.js failed in kernel "\w+ \d+": the card is on fire/);
    expect([card.live, live.size]).toEqual([0, 0]);
  },
);

test("[gpu.mode] the kernel that ran is asked for its mode; webgl2's is known by its class", async () => {
  const open = async (asked: "webgl2" | "webgpu", ran: string) => {
    const card = await Card.open(asked, async () => pretend({ mode: ran }).library);
    const one = dense(floats([2]), 1, 1, 1);
    return cardMatmul(card, one, one).catch((reason: unknown) => reason);
  };
  expect(await open("webgl2", "webgl2")).toEqual(floats([4]));
  expect(await open("webgpu", "webgpu")).toEqual(floats([4]));
  for (const [asked, ran] of [
    ["webgl2", "webgpu"],
    ["webgpu", "cpu"],
    ["webgl2", "gpu"],
  ] as const) {
    const error = await open(asked, ran);
    expect(error).toBeInstanceOf(RuleError);
    expect(String(error)).toContain(`asked to run in ${asked} and ran in ${ran}`);
  }
});

test("[gpu.destroy] [gpu.install] [gpu.sizes] a card refuses what a processor refuses", async () => {
  const { card } = await cardOf();
  const one = dense(floats([2]), 1, 1, 1);
  await expect(cardMatmul(card, one, dense(floats([1, 2]), 1, 2, 1))).rejects.toThrow(ShapeError);
  await expect(cardMatmul(card, one, dense(floats([1, 2]), 2, 1, 1))).rejects.toThrow(ShapeError);
  await card.destroy();
  await expect(cardMatmul(card, one, one)).rejects.toThrow("after its device was destroyed");
  const absent = Card.open("webgpu", () => Promise.reject(new Error("Cannot find package 'gpu.js'")));
  await expect(absent).rejects.toThrow(LoadError);
});
