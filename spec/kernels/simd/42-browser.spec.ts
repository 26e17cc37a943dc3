// Rules of 42-simd.md in Chromium, with and without cross-origin isolation: results are the same bits as in Node.
import { setFlagsFromString } from "node:v8";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RELAXED } from "../../../src/kernels/simd/bytes.ts";
import type { EngineOptions } from "../../../src/kernels/simd/engine.ts";
import { bundle, openPage, startChromium } from "../../support/browser/chromium.mjs";
import { type Computed, computed } from "../../support/kernels/simd-page.ts";

const fuses = () => WebAssembly.validate(Buffer.from(RELAXED, "base64"));
if (!fuses()) setFlagsFromString("--experimental-wasm-relaxed-simd"); // Node 20 supports it behind a flag

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
] as const)("the %s module", (kind, relaxed) => {
  test("a page without isolation computes the same bits on one thread and reports it", async () => {
    const [node, page] = await Promise.all([computed({ relaxed, threads: 1 }), inPage(false, { relaxed })]);
    expect([node.mode, node.threads]).toEqual([kind, 1]);
    expect(page).toEqual({ ...node, isolated: false, sharedRounds: 0 });
  });

  test("an isolated page computes the same bits on several threads and reports their number", async () => {
    const [node, page] = await Promise.all([
      computed({ relaxed, threads: 1 }),
      inPage(true, { relaxed, threads: 3 }),
    ]);
    expect(page.sharedRounds).toBeGreaterThan(0);
    expect(page).toEqual({
      ...node,
      isolated: true,
      threads: 3,
      sharedRounds: page.sharedRounds,
    });
  });
});
