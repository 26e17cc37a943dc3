// The speed page of 81-speed.md in a real browser: npm run test:browser.
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { listen, pageServer } from "../../../src/cli/commands/inspect.ts";
import { startChromium } from "../../support/browser/chromium.mjs";
import {
  faintTexts,
  type Looks,
  namelessControls,
  openBrowser,
  overflow,
  picture,
  violations,
  visit,
} from "../../support/browser/page.ts";

const BUILT = "dist/web";
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
};

/** A static host: files and their types, without the headers of cross-origin isolation. */
const plainServer = (): Server =>
  createServer(({ url = "/" }, answer) => {
    answer.writeHead(200, { "Content-Type": TYPES[extname(url)] ?? "" });
    answer.end(readFileSync(join(BUILT, url)));
  });

const servers = [pageServer(), plainServer()] as const;
let browser: Browser;
let [isolated, plain] = ["", ""];

beforeAll(async () => {
  [isolated = "", plain = ""] = await Promise.all(servers.map((server) => listen(server, 0)));
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  for (const server of servers) server.close().closeAllConnections();
});

const QUICK = "speed.html#quick";
const button = ".primary";
const ended = (page: Page) =>
  page.waitForFunction(() => document.querySelector(".status")?.textContent === "Measured.");

async function measured(page: Page) {
  await page.click(button);
  await ended(page);
}

async function json(page: Page) {
  await page.click("text=Copy as JSON");
  await page.waitForFunction(() => document.querySelector(".status")?.textContent?.includes("clipboard"));
  return JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
}

const names = (requests: readonly string[]): string[] =>
  requests.filter((url) => !url.startsWith("blob:")).map((url) => url.replace(/.*\//, "").replace(/#.*/, ""));

describe("measuring", () => {
  test("nothing is loaded or measured before the button is pressed, and gpu.js only for its modes", async () => {
    const { page, problems, requests } = await visit(browser, isolated + QUICK);
    await page.waitForTimeout(300);
    expect(names(requests).sort()).toEqual(["speed.css", "speed.html", "speed.js"]);
    expect(await page.locator("table").count()).toBe(0);
    await measured(page);
    await measured(page);
    expect(names(requests).slice(3)).toEqual(["speed-kernels.js"]);
    expect(await page.locator("table").count()).toBe(3);
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test("served by flamboyance inspect, threads share memory, and a notice gives their number", async () => {
    const { page, problems } = await visit(browser, isolated + QUICK);
    const cores = await page.evaluate(() => navigator.hardwareConcurrency);
    await measured(page);
    const results = await json(page);
    expect([results.isolated, results.cores]).toEqual([true, cores]);
    const threads = [...new Set([1, cores])];
    expect([...new Set(results.matmul.map((one: { threads: number }) => one.threads))]).toEqual(threads);
    expect(await page.innerText(".notices")).toContain(cores > 1 ? `up to ${cores} threads` : "one core");
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test("served by a static host there is one thread, and a notice gives the reason", async () => {
    const { page, problems } = await visit(browser, plain + QUICK);
    await measured(page);
    const results = await json(page);
    expect([results.isolated, results.missing]).toEqual([false, []]);
    const speeds = [...results.matmul, ...results.attention];
    expect(speeds).toHaveLength(3);
    const number = expect.any(Number);
    for (const speed of speeds)
      expect(speed).toEqual({
        backend: "simd",
        mode: "relaxed", // Debian's Chromium has it
        threads: 1,
        shape: expect.any(Array),
        gflops: number,
        milliseconds: number,
      });
    expect(Object.keys(results.first)).toEqual(["load", "compile", "build", "run", "again"]);
    const notices = await page.innerText(".notices");
    expect(notices).toMatch(/one thread .*not cross-origin isolated/);
    expect(notices).toContain("fused multiply-add");
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test("the page works when it is opened from a disk", async () => {
    const address = `${pathToFileURL(join(BUILT, "speed.html"))}#quick`;
    const { page, problems } = await visit(browser, address);
    await measured(page);
    expect(await page.locator("table").count()).toBe(3);
    expect(problems).toEqual([]);
    await page.click("text=Which token sees which image");
    await page.waitForSelector(".grid");
    await page.click("text=Kernel speed in this browser");
    await page.waitForSelector(button);
    await page.context().close();
  });

  test("Stop ends the measurement and its threads, and keeps the results so far", async () => {
    const { page, problems } = await visit(browser, `${isolated}speed.html`);
    await page.click(button);
    const cores = await page.evaluate(() => navigator.hardwareConcurrency);
    await page.waitForSelector(`th:has-text("${cores > 1 ? `${cores} threads` : "1 thread"}")`);
    expect(page.workers()).toHaveLength(cores - 1);
    expect([await page.innerText(button), await page.locator("input:enabled").count()]).toEqual(["Stop", 0]);
    await page.click(button);
    await page.waitForFunction(() => document.querySelector(".status")?.textContent === "Stopped.");
    const shown = await page.innerText("main");
    await page.waitForTimeout(1500);
    expect(await page.innerText("main")).toBe(shown);
    await vi.waitFor(() => expect(page.workers()).toEqual([]), 10_000); // Chromium ends a waiting worker after two seconds
    const results = await json(page);
    const last = results.matmul.filter(({ threads }: { threads: number }) => threads === cores);
    expect([last.length >= 1, last.length < 5]).toEqual([true, true]);
    expect(await page.innerText(button)).toBe("Measure");
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test("without WebGPU there is a notice, and everything else is measured", async () => {
    const { page, requests } = await visit(browser, plain + QUICK);
    await page.evaluate(() => Object.defineProperty(navigator, "gpu", { value: undefined }));
    await page.check("text=gpu.js on WebGPU");
    await measured(page);
    expect(await page.innerText(".notices .alarm")).toBe("gpu webgpu: this browser does not offer WebGPU.");
    expect(names(requests)).not.toContain("speed-gpu.js");
    expect((await json(page)).matmul).toHaveLength(2);
    await page.context().close();
  });

  test("if gpu.js cannot be loaded or an adapter is refused, everything else is measured", async () => {
    const { page } = await visit(browser, plain + QUICK);
    await page.route("**/speed-gpu.js", (route) => route.abort());
    await page.evaluate(() => {
      const refuse = { requestAdapter: () => Promise.reject(new Error("the driver is gone")) };
      Object.defineProperty(navigator, "gpu", { value: refuse });
      const parameters = { getParameter: () => "a card", getExtension: () => null };
      HTMLCanvasElement.prototype.getContext = (() => parameters) as never;
    });
    await page.check("text=gpu.js on WebGL 2");
    await page.check("text=gpu.js on WebGPU");
    await measured(page);
    const results = await json(page);
    expect([results.missing, results.adapters, results.matmul.length]).toEqual([
      [
        { backend: "gpu", mode: "webgl2", why: "./speed-gpu.js could not be loaded" },
        { backend: "gpu", mode: "webgpu", why: "the driver is gone" },
      ],
      [],
      2,
    ]);
    await page.context().close();
  });
});

test("gpu.js is loaded for its modes, and a software adapter is reported as one", async () => {
  const software = await startChromium();
  try {
    const { page, requests } = await visit(software, isolated + QUICK);
    await page.uncheck("text=simd");
    await page.check("text=gpu.js on WebGL 2");
    await page.check("text=gpu.js on WebGPU");
    await measured(page);
    const results = await json(page);
    expect(results.missing).toEqual([]);
    const modes = (speeds: readonly { mode: string }[]) => speeds.map(({ mode }) => mode);
    expect([modes(results.matmul), modes(results.attention)]).toEqual([
      ["webgl2", "webgl2", "webgpu", "webgpu"],
      ["webgl2", "webgpu"],
    ]);
    expect(results.adapters).toMatchObject([
      { mode: "webgl2", software: true },
      { mode: "webgpu", software: true },
    ]);
    expect(await page.locator(".notices .alarm").allInnerTexts()).toEqual([
      expect.stringMatching(/^webgl2 runs on a software adapter \(.*SwiftShader/),
      expect.stringMatching(/^webgpu runs on a software adapter \(.*swiftshader/),
    ]);
    expect(names(requests).slice(3)).toEqual(["speed-kernels.js", "speed-gpu.js"]);
    await page.context().close();
  } finally {
    await software.close();
  }
});

describe("size and accessibility", () => {
  test("the page is small before the button is pressed", () => {
    const compressed = (name: string) => gzipSync(readFileSync(join(BUILT, name)), { level: 9 }).length;
    const sum = ["speed.html", "speed.css", "speed.js"].reduce((sum, name) => sum + compressed(name), 0);
    const [kernels, gpu] = [compressed("speed-kernels.js"), compressed("speed-gpu.js")];
    console.log(`compressed bytes: page ${sum}, kernels ${kernels}, gpu.js ${gpu}`);
    expect(sum).toBeLessThan(10_000);
    expect(kernels).toBeLessThan(110_000); // two modules of all kernels, 60 kB of code in base64, which hardly compresses
    expect(gpu).toBeLessThan(200_000);
  });

  test("a measurement is started with the keyboard, and its state is announced", async () => {
    const { page } = await visit(browser, plain + QUICK);
    const focused: (string | null | undefined)[] = [];
    for (let i = 0; i < 6; i++) {
      await page.keyboard.press("Tab");
      focused.push(
        await page.evaluate(() => document.activeElement?.closest("a, label, button")?.textContent),
      );
      if (focused.at(-1) === "Measure") break;
    }
    expect(focused).toHaveLength(5);
    await page.keyboard.press("Enter");
    await ended(page);
    expect(await page.getAttribute(".status", "role")).toBe("status");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Measure");
    await page.context().close();
  });

  const looks: [string, Looks][] = [
    ["light", {}],
    ["dark", { dark: true }],
    ["phone", { width: 360, height: 740 }],
    ["phone-dark", { width: 360, height: 740, dark: true }],
    ["zoomed", { width: 640, height: 430, scale: 2 }],
  ];
  test.each(looks)("%s: axe-core finds nothing, contrast, labels and width", async (look, size) => {
    const { page, problems } = await visit(browser, isolated + QUICK, size);
    const check = async () => {
      expect(await violations(page)).toEqual([]);
      expect(await faintTexts(page)).toEqual([]);
      expect(await namelessControls(page)).toEqual([]);
      expect(await overflow(page)).toBe(0);
    };
    await check();
    await measured(page);
    await check();
    await page.screenshot({ path: picture(`speed-${look}`), fullPage: true });
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test.each(looks)(
    "%s: axe-core finds nothing during a measurement, after its end, and where a mode is missing",
    async (_, size) => {
      const { page } = await visit(browser, `${isolated}speed.html`, size);
      await page.evaluate(() => Object.defineProperty(navigator, "gpu", { value: undefined }));
      await page.check("text=gpu.js on WebGPU");
      await page.click(button);
      await page.waitForSelector("progress[value]");
      expect([await page.innerText(button), await violations(page)]).toEqual(["Stop", []]);
      await page.waitForSelector("table");
      expect([await page.innerText(button), await violations(page)]).toEqual(["Stop", []]);
      await page.click(button);
      await page.waitForFunction(() => document.querySelector(".status")?.textContent === "Stopped.");
      expect(await page.innerText(".notices .alarm")).toContain("does not offer WebGPU");
      expect(await violations(page)).toEqual([]);
      await page.context().close();
    },
  );
});
