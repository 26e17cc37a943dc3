// Starts a headless Chromium with a graphics card of software, and gives it a page made of one script. Used by tests and by commands.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { build } from "vite";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const KNOWN = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const ORIGIN = "http://localhost"; // a secure context without a certificate: WebGPU asks for one

/** The browser's file: $CHROMIUM, or where systems put it; null if there is none. */
export const chromiumPath = () => process.env.CHROMIUM ?? KNOWN.find((path) => existsSync(path)) ?? null;

/** `real`: the machine's own graphics card instead of one of software. */
export async function startChromium({ real = false } = {}) {
  const executablePath = chromiumPath();
  if (executablePath === null)
    throw new Error("there is no Chromium here: install it, or set CHROMIUM to its path");
  const software = ["--use-webgpu-adapter=swiftshader", "--enable-unsafe-swiftshader"];
  const device = real ? ["--enable-features=Vulkan", "--ignore-gpu-blocklist"] : software;
  const args = ["--no-sandbox", "--enable-unsafe-webgpu", ...device];
  return chromium.launch({ executablePath, headless: true, args });
}

/** A TypeScript file and all it imports, as one script. Nothing is minified: gpu.js reads its kernels' text. */
export async function bundle(entry) {
  const built = await build({
    root,
    configFile: false,
    logLevel: "error",
    resolve: { conditions: ["source", "browser"] },
    build: {
      write: false,
      minify: false,
      target: "es2022",
      lib: { entry: resolve(root, entry), formats: ["iife"], name: "page" },
    },
  });
  const [{ output }] = Array.isArray(built) ? built : [built];
  return output[0].code;
}

/** What lets a page's threads share memory. */
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** A page that has run the script and may fetch what lies below `folder` of the repository; `isolated` from other origins. */
export async function openPage(browser, script, { folder = "golden", isolated = false } = {}) {
  const page = await browser.newPage();
  const served = resolve(root, folder);
  await page.route(`${ORIGIN}/**`, (route) => {
    const path = decodeURIComponent(new URL(route.request().url()).pathname).slice(1);
    if (path === "")
      return route.fulfill({
        contentType: "text/html",
        headers: isolated ? ISOLATION : {},
        body: "<!doctype html><title>page</title>",
      });
    const file = resolve(root, path);
    const inside = file.startsWith(served + sep) && existsSync(file) && statSync(file).isFile();
    return inside ? route.fulfill({ body: readFileSync(join(file)) }) : route.fulfill({ status: 404 });
  });
  await page.goto(`${ORIGIN}/`);
  await page.addScriptTag({ content: script });
  return page;
}
