// [conform.check] and [case.data] of 60-conformance.md and 36-cases.md in Chromium: the same report as in Node.
import { readFileSync } from "node:fs";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundle, openPage, startChromium } from "../../support/browser/chromium.mjs";
import * as inNode from "../../support/browser/port-in-page.ts";

const FOLDER = "golden/cases/flamingo-pytorch/swiglu--two-axes";
const files = Object.fromEntries(
  ["case.json", "inputs.safetensors", "expected.safetensors"].map((name) => [
    name,
    readFileSync(`${FOLDER}/${name}`).toString("base64"),
  ]),
);

let browser: Browser;
let script: string;
beforeAll(async () => {
  [browser, script] = await Promise.all([startChromium(), bundle("spec/support/browser/port-in-page.ts")]);
});
afterAll(() => browser?.close());

async function inPage<T>(name: keyof typeof inNode, ...args: readonly unknown[]): Promise<T> {
  const page = await openPage(browser, script, { isolated: false });
  try {
    return (await page.evaluate(
      ([name, args]) =>
        (globalThis as unknown as { page: Record<string, (...args: unknown[]) => never> }).page[name]?.(
          ...args,
        ),
      [name, [...args]] as const,
    )) as T;
  } finally {
    await page.close();
  }
}

test("[conform.check] a page checks a port on a case given as data, with the report of Node", async () => {
  const right = await inPage<inNode.CheckedInPage>("checkedInPage", files, false);
  expect([right.passed, right.mistake]).toEqual([true, null]);
  const wrong = await inPage<inNode.CheckedInPage>("checkedInPage", files, true);
  expect([wrong.passed, wrong.mistake]).toEqual([false, "swiglu-halves-exchanged"]);
  expect(wrong.text).toContain("seen in mlx-lm #767");
  expect(wrong).toEqual(await inNode.checkedInPage(files, true));
});

test("[case.data] a damaged file is an error of its case, and a name is refused with the remedy", async () => {
  const damaged = await inPage<inNode.CheckedInPage>(
    "checkedInPage",
    { ...files, "case.json": "e30=" },
    false,
  );
  expect(damaged.passed).toBe(false);
  expect(JSON.stringify(damaged.document)).toMatch(/cases\[0\]/);
  expect(await inPage("refusedName", "swiglu--two-axes")).toMatch(
    /"swiglu--two-axes" names a case of the package.*give the case as data/,
  );
});
