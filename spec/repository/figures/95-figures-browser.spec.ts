// The layout of the figures, measured in Chromium, whose usual fonts are wide.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { repository } from "../../support/architecture/tree.mjs";
import { openBrowser } from "../../support/browser/page.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

const folder = join(repository, "docs/figures");
const names = readdirSync(folder).filter((name) => name.endsWith(".svg"));

interface Place {
  readonly words: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

test.each(names)("no text leaves %s, and no two texts overlap", async (name) => {
  const page = await browser.newPage();
  await page.setContent(readFileSync(join(folder, name), "utf8"));
  const { width, height, places } = await page.evaluate(() => {
    const svg = document.querySelector("svg") as SVGSVGElement;
    const places = [...svg.querySelectorAll("text")].map((text): Place => {
      const { x, y, width, height } = text.getBBox();
      return { words: text.textContent ?? "", x, y, width, height };
    });
    const { width, height } = svg.viewBox.baseVal;
    return { width, height, places };
  });
  await page.close();
  expect(places.length).toBeGreaterThan(8);
  const outside = places.filter(
    (p) => p.x < 4 || p.y < 2 || p.x + p.width > width - 4 || p.y + p.height > height - 2,
  );
  expect(outside.map(({ words }) => words)).toEqual([]);
  const apart = (p: Place, q: Place): boolean =>
    p.x + p.width <= q.x || q.x + q.width <= p.x || p.y + p.height <= q.y + 3 || q.y + q.height <= p.y + 3;
  const overlaps = places.flatMap((p, i) =>
    places
      .slice(i + 1)
      .filter((q) => !apart(p, q))
      .map((q) => [p.words, q.words]),
  );
  expect(overlaps).toEqual([]);
});

test.each(["light", "dark"] as const)("a figure in a page follows a %s scheme", async (colorScheme) => {
  const page = await browser.newPage({ colorScheme, viewport: { width: 420, height: 200 } });
  const address = `data:image/svg+xml;base64,${readFileSync(join(folder, "mask.svg")).toString("base64")}`;
  await page.setContent(
    `<style>:root{color-scheme:light dark}body{margin:0}</style><img width="420" src="${address}">`,
  );
  const paper = await page.evaluate(async () => {
    const image = document.querySelector("img") as HTMLImageElement;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [420, 200];
    const context = canvas.getContext("2d") as CanvasRenderingContext2D;
    context.drawImage(image, 0, 0);
    return [...context.getImageData(6, 150, 1, 1).data.slice(0, 3)];
  });
  await page.close();
  expect(paper).toEqual(colorScheme === "light" ? [255, 255, 255] : [13, 17, 23]);
});
