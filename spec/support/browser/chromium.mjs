// Starts a headless Chromium with a software-rendered graphics card, and opens pages that run a bundled script.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { build } from "vite";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const ORIGIN = "http://localhost"; // a secure context, which WebGPU requires, without a certificate

/** The path of the browser: $CHROMIUM or a usual path; null if there is none. */
export const chromiumPath = () => process.env.CHROMIUM ?? PATHS.find((path) => existsSync(path)) ?? null;

/** `real`: the machine's graphics card instead of a software-rendered one. */
export async function startChromium({ real = false } = {}) {
  const executablePath = chromiumPath();
  if (executablePath === null)
    throw new Error("Chromium was not found: install it, or set CHROMIUM to its path");
  const software = ["--use-webgpu-adapter=swiftshader", "--enable-unsafe-swiftshader"];
  const device = real ? ["--enable-features=Vulkan", "--ignore-gpu-blocklist"] : software;
  const args = ["--no-sandbox", "--enable-unsafe-webgpu", ...device];
  return chromium.launch({ executablePath, headless: true, args });
}

/** Bundles a TypeScript file and its imports into one script. It is not minified, because gpu.js compiles the source text of kernels. */
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

/** The headers that allow the threads of a page to share memory. */
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** Opens a page that runs the script and can fetch files below `folder` of the repository. `isolated`: with cross-origin isolation. */
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
