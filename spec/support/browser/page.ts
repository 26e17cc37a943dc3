// Opens pages in Chromium and measures them.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Browser, type CDPSession, chromium, type Page } from "playwright-core";
import { repository } from "../architecture/tree.mjs";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export async function openBrowser(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM ?? PATHS.find((path) => existsSync(path));
  if (executablePath === undefined)
    throw new Error("these tests need Chromium: apt-get install chromium, or name one in CHROMIUM");
  const asRoot = process.getuid?.() === 0;
  return chromium.launch({ executablePath, args: asRoot ? ["--no-sandbox"] : [] });
}

export interface Looks {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  /** Pixels of the screen for each pixel of the page: 2 in a page zoomed to 200 %, which is then half as wide. */
  readonly scale?: number;
}

/** An open page, its requests, and its problems: errors, failed requests, and violations of its policy. */
export interface Visit {
  readonly page: Page;
  readonly problems: string[];
  readonly requests: string[];
}

export async function visit(browser: Browser, address: string, looks: Looks = {}): Promise<Visit> {
  const { width = 1280, height = 860, dark = false, scale = 1 } = looks;
  const context = await browser.newContext({
    viewport: { width, height },
    deviceScaleFactor: scale,
    colorScheme: dark ? "dark" : "light",
    permissions: address.startsWith("http") ? ["clipboard-read", "clipboard-write"] : [],
  });
  const page = await context.newPage();
  const problems: string[] = [];
  const requests: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(message.text());
  });
  page.on("request", (request) => requests.push(request.url()));
  page.on("requestfailed", (request) => problems.push(`${request.url()} failed`));
  await page.goto(address);
  await page.waitForSelector("main > header");
  return { page, problems, requests };
}

/** The path of a screenshot for manual inspection, in a folder that is not committed. */
export function picture(name: string): string {
  const folder = join(repository, "coverage/inspector");
  mkdirSync(folder, { recursive: true });
  return join(folder, `${name}.png`);
}

/** Texts with a contrast of less than 4.5 to their background (WCAG 2, AA), as "text: contrast". */
export const faintTexts = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (colour: string): number[] => {
      if (!context) return [];
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
      return [...context.getImageData(0, 0, 1, 1).data].map((n) => n / 255);
    };
    const over = (front: number[], back: number[]) => {
      const alpha = front[3] ?? 1;
      return [0, 1, 2].map((i) => (front[i] ?? 0) * alpha + (back[i] ?? 0) * (1 - alpha));
    };
    const behind = (element: Element | null): number[] => {
      if (!element) return [1, 1, 1];
      const layers = [getComputedStyle(element), getComputedStyle(element, "::before")];
      return layers.reduce((back, layer, i) => {
        if (i === 1 && !(element.matches(".cell.seen") && layer.content !== "none")) return back;
        return over(rgba(layer.backgroundColor), back);
      }, behind(element.parentElement));
    };
    const light = ([r = 0, g = 0, b = 0]: number[]) => {
      const linear = [r, g, b].map((n) => (n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4));
      return 0.2126 * (linear[0] ?? 0) + 0.7152 * (linear[1] ?? 0) + 0.0722 * (linear[2] ?? 0);
    };
    const faint = new Set<string>();
    for (const element of document.querySelectorAll("body *")) {
      const text = [...element.childNodes]
        .filter((n) => n.nodeType === Node.TEXT_NODE)
        .map((n) => n.textContent?.trim())
        .join("");
      if (text === "" || element.getClientRects().length === 0 || element.tagName === "OPTION") continue;
      const back = behind(element);
      const front = over(rgba(getComputedStyle(element).color), back);
      const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
      const contrast = ((high ?? 0) + 0.05) / ((low ?? 0) + 0.05);
      if (contrast < 4.5) faint.add(`${element.className} ${text}: ${contrast.toFixed(2)}`);
    }
    return [...faint];
  });

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Rules of WCAG's level AAA, which the pages do not claim. */
const ENHANCED = ["color-contrast-enhanced", "identical-links-same-purpose", "meta-refresh-no-exceptions"];

/** The violations that axe-core finds on the whole page, as "impact rule: element". All its rules run, experimental ones included. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE); // not a script element, which the page's policy forbids
  return page.evaluate(async (enhanced) => {
    const { axe } = globalThis as unknown as { axe: typeof import("axe-core") };
    const rules = axe.getRules().map(({ ruleId }) => [ruleId, { enabled: !enhanced.includes(ruleId) }]);
    const { violations } = await axe.run(document, { rules: Object.fromEntries(rules) });
    return violations.flatMap(({ id, impact, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${impact} ${id}: ${target.join(" ")} ${failureSummary}`),
    );
  }, ENHANCED);
}

/** The number of pixels by which the page is wider than the window. */
export const overflow = (page: Page): Promise<number> =>
  page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - innerWidth));

/** Controls without an accessible name. */
export const namelessControls = (page: Page): Promise<string[]> =>
  page.evaluate(() =>
    [
      ...document.querySelectorAll<HTMLElement>(
        "button, input, select, textarea, [tabindex], summary, [role=grid]",
      ),
    ]
      .filter((element) => element.getClientRects().length > 0)
      .filter((element) => {
        const labels = (element as HTMLInputElement).labels;
        const name = element.getAttribute("aria-label") ?? labels?.[0]?.textContent ?? element.textContent;
        return (name ?? "").trim() === "";
      })
      .map((element) => element.outerHTML.slice(0, 80)),
  );

async function threadTime(session: CDPSession): Promise<number> {
  const { metrics } = await session.send("Performance.getMetrics");
  return 1000 * (metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0);
}

/**
 * Does something in the page, and returns the milliseconds of processor time that the page's thread takes for it, until it is idle. Other
 * processes do not lengthen it.
 */
export async function workFor<T>(page: Page, act: (value: T) => void, value?: T): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const before = await threadTime(session);
  await page.evaluate(([source, value]) => void new Function("value", `(${source})(value)`)(value), [
    `${act}`,
    value,
  ] as const);
  let [time, quiet] = [before, 0];
  while (quiet < 4) {
    await page.waitForTimeout(150);
    const now = await threadTime(session);
    quiet = now - time < 5 ? quiet + 1 : 0;
    time = now;
  }
  await session.detach();
  return Math.round(time - before);
}

export interface Scroll {
  /** Milliseconds of each frame, sorted. */
  readonly frames: readonly number[];
  /** Milliseconds of script, style and layout for each frame. */
  readonly work: number;
}

async function workOf(session: CDPSession): Promise<number> {
  const { metrics } = await session.send("Performance.getMetrics");
  const wanted = ["ScriptDuration", "LayoutDuration", "RecalcStyleDuration"];
  return metrics.reduce((sum, { name, value }) => sum + (wanted.includes(name) ? value * 1000 : 0), 0);
}

/** Scrolls from top to bottom in `count` frames. */
export async function scrolled(page: Page, count: number): Promise<Scroll> {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const before = await workOf(session);
  const frames = await page.evaluate(async (count) => {
    const frame = () => new Promise<number>((done) => requestAnimationFrame(done));
    const step = (document.documentElement.scrollHeight - innerHeight) / count;
    const times: number[] = [];
    let last = await frame();
    for (let i = 0; i < count; i++) {
      scrollBy(0, step);
      const now = await frame();
      times.push(now - last);
      last = now;
    }
    return times.sort((a, b) => a - b);
  }, count);
  return { frames, work: ((await workOf(session)) - before) / count };
}
