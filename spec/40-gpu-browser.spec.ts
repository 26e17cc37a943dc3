// gpu.js in the modes of a graphics card, in Chromium with a card of software. The rules stand in 40-gpu.md.
import fc from "fast-check";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundle, openPage, startChromium } from "./support/chromium.mjs";
import {
  type AttentionCase,
  attentionCases,
  formula,
  numbers,
  productOf,
  worstOf,
} from "./support/gpu-oracle.ts";
import type * as Functions from "./support/gpu-page.ts";

let browser: Browser;
let script: string;
beforeAll(async () => {
  [browser, script] = await Promise.all([startChromium(), bundle("spec/support/gpu-page.ts")]);
});
afterAll(() => browser?.close());

const back = (values: readonly (number | string)[]): number[] => values.map(Number);

describe.each(["webgl2", "webgpu"] as const)("%s", (mode) => {
  let page: Page;
  beforeAll(async () => {
    page = await openPage(browser, script);
  });

  async function product(size: [number, number, number, number], seed: number) {
    const [z, m, k, n] = size;
    const [a, b] = [numbers(z * m * k, seed), numbers(z * k * n, seed + 1)];
    const { values, live } = await page.evaluate(
      ([mode, size, a, b]) =>
        (globalThis as unknown as { page: typeof Functions }).page.product(mode, size, a, b),
      [mode, size, a, b] as const,
    );
    const { out, bound } = productOf(a, b, size);
    return { error: worstOf(back(values), out, bound), live };
  }

  async function attend(c: AttentionCase) {
    const json = (values: readonly number[]) => values.map((x) => (Number.isNaN(x) ? null : x));
    const given = { ...c, q: json(c.q), k: json(c.k), v: json(c.v) };
    const { values, live } = await page.evaluate(
      ([mode, given]) => (globalThis as unknown as { page: typeof Functions }).page.attend(mode, given),
      [mode, given] as const,
    );
    return { values: back(values), live };
  }

  test("[gpu.product] [gpu.depth] [gpu.resident] products of many sizes, and nothing stays on the device", async () => {
    const sizes: [number, number, number, number][] = [
      [1, 1, 1, 1],
      [2, 5, 1001, 3],
      [1, 70, 65, 129],
      [3, 0, 2, 2],
      [9, 2, 7, 4],
    ];
    for (const size of sizes) {
      const { error, live } = await product(size, 5);
      expect([size, error <= 1, live]).toEqual([size, true, 0]);
    }
  });

  test("[gpu.attention] the output is within the bound of the formula", async () => {
    await fc.assert(
      fc.asyncProperty(attentionCases, async (c) => {
        const { values, live } = await attend(c);
        const { out, bound } = formula(c);
        expect(worstOf(values, out, bound)).toBeLessThanOrEqual(1);
        expect(live).toBe(0);
      }),
      { numRuns: 15 },
    );
  });

  test("[gpu.nan] [gpu.empty-row] NaN reaches the rows that see it, and no others", async () => {
    const [q, k, v] = [numbers(6, 1), numbers(8, 2), numbers(8, 3)];
    const plain = { size: [1, 3, 4, 2, 2] as const, loud: null, emptyRow: "nan" as const };
    const may = [...["1101", "0000", "1111"].join("")].map(Number);
    const spoilt = k.map((x, i) => (i === 4 ? NaN : x)); // key 2
    const { values } = await attend({ ...plain, q, k: spoilt, v, may });
    expect(values.map((x) => Number.isNaN(x))).toEqual([false, false, true, true, true, true]);
  });

  test("[gpu.mode] a golden case runs in the mode that was asked for, and conforms", async () => {
    const folder = "golden/cases/flamingo-pytorch/masked-cross-attention--lead-text";
    const files = ["case.json", "inputs.safetensors", "expected.safetensors"];
    const verdict = await page.evaluate(
      ([mode, folder, files]) =>
        (globalThis as unknown as { page: typeof Functions }).page.checkFolder(mode, folder, [...files]),
      [mode, folder, files] as const,
    );
    expect(verdict).toMatchObject({
      status: "passed",
      kernels: { mode, matmul: 3, attention: 1, elsewhere: 0 },
    });
  });
});
