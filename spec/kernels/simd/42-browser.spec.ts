// The SIMD kernels of 42-simd.md in Chromium, with and without cross-origin isolation, held to Node's bits.
import { setFlagsFromString } from "node:v8";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RELAXED } from "../../../src/kernels/simd/bytes.ts";
import type { EngineOptions } from "../../../src/kernels/simd/engine.ts";
import { bundle, openPage, startChromium } from "../../support/browser/chromium.mjs";
import { type Computed, computed } from "../../support/kernels/simd-page.ts";

const fuses = () => WebAssembly.validate(Buffer.from(RELAXED, "base64"));
if (!fuses()) setFlagsFromString("--experimental-wasm-relaxed-simd"); // Node 20 has it, behind a flag

let browser: Browser;
let script: string;
beforeAll(async () => {
  [browser, script] = await Promise.all([startChromium(), bundle("spec/support/kernels/simd-page.ts")]);
});
afterAll(() => browser?.close());

async function inPage(isolated: boolean, options: EngineOptions): Promise<Computed> {
  const page = await openPage(browser, script, { isolated });
  try {
    return await page.evaluate(
      (options) => (globalThis as unknown as { page: { computed: typeof computed } }).page.computed(options),
      options,
    );
  } finally {
    await page.close();
  }
}

describe.each([
  ["fixed", false],
  ["relaxed", true],
] as const)("the module %s", (kind, relaxed) => {
  test("a page without isolation computes on one thread, Node's bits, and says so", async () => {
    const [node, page] = await Promise.all([computed({ relaxed, threads: 1 }), inPage(false, { relaxed })]);
    expect(node.mode).toBe(`${kind}, 1 thread`);
    expect(page).toEqual({ ...node, isolated: false, helped: 0 });
  });

  test("an isolated page computes on several threads, Node's bits, and says so", async () => {
    const [node, page] = await Promise.all([
      computed({ relaxed, threads: 1 }),
      inPage(true, { relaxed, threads: 3 }),
    ]);
    expect(page.helped).toBeGreaterThan(0);
    expect(page).toEqual({ ...node, isolated: true, mode: `${kind}, 3 threads`, helped: page.helped });
  });
});
