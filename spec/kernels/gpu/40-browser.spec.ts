// Rules of 40-gpu.md for the modes of a graphics card, in Chromium with a software-rendered card.
import fc from "fast-check";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundle, openPage, startChromium } from "../../support/browser/chromium.mjs";
import type * as Functions from "../../support/kernels/gpu/page.ts";
import {
  type AttentionCase,
  attentionCases,
  DEVICE_MODES,
  formula,
  gamma,
  numbers,
  productOf,
  worstOf,
} from "../../support/oracles/attention.ts";

let browser: Browser;
let script: string;
beforeAll(async () => {
  [browser, script] = await Promise.all([startChromium(), bundle("spec/support/kernels/gpu/page.ts")]);
});
afterAll(() => browser?.close());

const parsed = (values: readonly (number | string)[]): number[] => values.map(Number);

describe.each(["webgl2", "webgpu"] as const)("%s", (mode) => {
  let page: Page;
  beforeAll(async () => {
    page = await openPage(browser, script);
  });

  async function product(size: [number, number, number, number], seed: number) {
    const [z, m, k, n] = size;
    const [a, b] = [numbers(z * m * k, seed), numbers(z * k * n, seed + 1)];
    const { values, left } = await page.evaluate(
      ([mode, size, a, b]) =>
        (globalThis as unknown as { page: typeof Functions }).page.product(mode, size, a, b),
      [mode, size, a, b] as const,
    );
    const { out, bound } = productOf(a, b, size);
    return { error: worstOf(parsed(values), out, bound), left };
  }

  async function attend(c: AttentionCase) {
    const json = (values: readonly number[]) => values.map((x) => (Number.isNaN(x) ? null : x));
    const sent = { ...c, q: json(c.q), k: json(c.k), v: json(c.v) };
    const { values, left } = await page.evaluate(
      ([mode, sent]) => (globalThis as unknown as { page: typeof Functions }).page.attend(mode, sent),
      [mode, sent] as const,
    );
    return { values: parsed(values), left };
  }

  test("products of many sizes are within the bound and leave nothing on the device", async () => {
    const sizes: [number, number, number, number][] = [
      [1, 1, 1, 1],
      [2, 5, 1001, 3],
      [1, 70, 65, 129],
      [3, 0, 2, 2],
      [9, 2, 7, 4],
    ];
    for (const size of sizes) {
      const { error, left } = await product(size, 5);
      expect([size, error <= 1, left]).toEqual([size, true, 0]);
    }
  });

  test("attention is within the bound of the formula", async () => {
    await fc.assert(
      fc.asyncProperty(attentionCases(0.1, 1, 4), async (c) => {
        const { values, left } = await attend(c);
        const { out, bound } = formula(c, DEVICE_MODES);
        expect(worstOf(values, out, bound)).toBeLessThanOrEqual(1);
        expect(left).toBe(0);
      }),
      { numRuns: 15 },
    );
  });

  test("a NaN in a key reaches the rows that may attend to it, and no others", async () => {
    const [q, k, v] = [numbers(6, 1), numbers(8, 2), numbers(8, 3)];
    const plain = { size: [1, 3, 4, 2, 2] as const, keptRows: null, emptyRow: "nan" as const };
    const mayAttend = [...["1101", "0000", "1111"].join("")].map(Number);
    const withNaN = k.map((x, i) => (i === 4 ? NaN : x)); // key 2
    const { values } = await attend({ ...plain, q, k: withNaN, v, mayAttend });
    expect(values.map((x) => Number.isNaN(x))).toEqual([false, false, true, true, true, true]);
  });

  test("the lowest finite score is allowed, and a row of −∞ is NaN", async () => {
    const lowest = -3.4028235e38;
    const row = { size: [1, 1, 2, 1, 1], q: [1], v: [8, 100], keptRows: null, emptyRow: "zero" } as const;
    const out = async (k: number[], mayAttend: number[] | null) =>
      (await attend({ ...row, k, mayAttend })).values;
    expect(await out([lowest, lowest], null)).toEqual([54]);
    expect(await out([lowest, 9], [1, 0])).toEqual([8]);
    expect(await out([-Infinity, lowest], null)).toEqual([100]);
    expect(await out([-Infinity, -Infinity], null)).toEqual([NaN]);
  });

  const layout = { transposed: true, margin: 1, step: 2, repeated: 0 };
  const plain = { transposed: false, margin: 0, step: 1, repeated: 0 };
  const callPage = <T>(name: string, ...args: unknown[]): Promise<T> =>
    page.evaluate(
      ([name, args]) =>
        (globalThis as unknown as { page: Record<string, (...args: unknown[]) => T> }).page[name]?.(
          ...args,
        ) as T,
      [name, [mode, ...args]] as const,
    );

  test("every op agrees with its definition on views of any layout, empty ones included", async () => {
    const extents = [
      { a: 3, b: 4, c: 5 },
      { a: 1, b: 2, c: 3 },
      { a: 2, b: 0, c: 3 },
    ];
    const runs = (await callPage<number[]>("examples")).flatMap((row) =>
      extents.flatMap((extent, seed) => [
        { row, extent, seed, layout: plain, hostLayout: plain },
        { row, extent, seed, layout, hostLayout: { ...layout, repeated: 1 } },
        { row, extent, seed, layout: { ...plain, repeated: 2 }, hostLayout: plain },
      ]),
    );
    const errors = await callPage<(number | null)[]>("errors", runs);
    const wrong = runs.filter((_, i) => !(Number(errors[i] ?? NaN) <= gamma(32)));
    expect(runs.length).toBeGreaterThan(300);
    expect(wrong).toEqual([]);
  });

  test("the errors of functions of one number are within their bounds", async () => {
    const errors = await callPage<[string, number | null][]>("functions");
    expect(errors.length).toBe(12);
    expect(errors.filter(([, error]) => !(Number(error ?? NaN) <= 1))).toEqual([]);
  });

  test("every element of the transpose of an array of more than 2²⁴ elements is read correctly", async () => {
    expect(await callPage("misplaced", 4099, 4100)).toBe(0);
  });

  test("a result can be read after more kernels than are cached have run", async () => {
    const most = 300;
    const sums = await callPage<number[]>("strides", most);
    expect(sums).toEqual([...Array(most).fill(2), 1]);
  });

  test("a second run of a block uploads its inputs and downloads its result, and nothing else", async () => {
    const { runs, parameters, error } = await callPage<Awaited<ReturnType<typeof Functions.block>>>("block");
    const [first, ...others] = runs;
    expect(first?.uploads).toBeGreaterThan(parameters + 2);
    for (const run of others) expect(run).toEqual({ uploads: 2, downloads: 1, live: first?.live });
    expect(error).toBeLessThan(1e-5);
  });

  test("a golden case runs in the requested mode and conforms", async () => {
    const folder = "golden/cases/flamingo-pytorch/masked-cross-attention--lead-text";
    const files = ["case.json", "inputs.safetensors", "expected.safetensors"];
    const verdict = await page.evaluate(
      ([mode, folder, files]) =>
        (globalThis as unknown as { page: typeof Functions }).page.checkFolder(mode, folder, [...files]),
      [mode, folder, files] as const,
    );
    expect(verdict).toMatchObject({
      status: "passed",
      kernels: { mode, matmul: 3, attention: 1, fallback: 0 },
    });
  });
});
