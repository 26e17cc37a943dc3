// Long texts, hostile links and files in the built page, in Chromium: rules of 80-inspector.md.
import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { addressOf, START, type State } from "../../../src/web/masks/state.ts";
import { visit, workFor } from "../../support/browser/page.ts";
import { servedPages } from "../../support/browser/served.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const served = servedPages();

const open = (hash: string) => visit(served.browser, `${served.base}#${hash}`);
const linkTo = (patch: Partial<State>) => addressOf({ ...START, ...patch });

/** Milliseconds of work after which the page reacts again. */
const LONGEST = 1000;
const MOST_ELEMENTS = 20_000;
const MOST_MEGABYTES = 200;

const size = (page: Page) =>
  page.evaluate(() => ({
    elements: document.querySelectorAll("*").length,
    megabytes: (performance as unknown as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize / 1e6,
  }));

const images = "<image>".repeat(2000);
const words = `${"<image> a b c d e f g ".repeat(200)}${"word ".repeat(8000)}`;
const long: Readonly<Record<string, string>> = {
  "2,000 image tokens in an older link": `p=${encodeURIComponent(images)}&r=16&as=rows`,
  "2,000 image tokens, compared by weights": linkTo({
    prompts: [images],
    latents: 16,
    against: "all-previous",
    show: "attention",
  }),
  "2,000 image tokens of which every row sees all": linkTo({
    prompts: [`x ${images}`],
    convention: "flamingo-pytorch@0.0.3",
  }),
  "10,000 tokens and 200 images, compared and decoded": linkTo({
    prompts: [words],
    convention: "otter",
    against: "all-previous",
    known: 9000,
    step: 500,
  }),
  "60 images of 16 latents in rows": linkTo({
    prompts: ["<image> a b c ".repeat(60)],
    latents: 16,
    layout: "rows",
    show: "attention",
  }),
  "64 prompts": linkTo({ prompts: Array.from({ length: 64 }, () => "<image> a b c ".repeat(70)), known: 1 }),
};

describe("long texts", () => {
  for (const [name, hash] of Object.entries(long)) {
    test(`${name}: the page reacts within a second, and stays small`, async () => {
      const { page, problems } = await open("");
      const opened = await workFor(page, (hash) => (location.hash = hash), hash);
      const typed = await workFor(page, () => {
        const area = document.querySelector("textarea") as HTMLTextAreaElement;
        area.value += " end";
        area.dispatchEvent(new Event("input"));
      });
      const scrolled = await workFor(page, () => scrollTo(0, document.documentElement.scrollHeight / 2));
      const copied = await workFor(page, () =>
        (document.querySelector(".actions button") as HTMLElement).click(),
      );
      const { elements, megabytes } = await size(page);
      console.log(
        `${name}: ${[opened, typed, scrolled, copied].join(", ")} ms, ${elements} elements, ${Math.round(megabytes)} MB`,
      );
      expect(Math.max(opened, typed, scrolled, copied)).toBeLessThan(LONGEST);
      expect(elements).toBeLessThan(MOST_ELEMENTS);
      expect(megabytes).toBeLessThan(MOST_MEGABYTES);
      expect(problems).toEqual([]);
      await page.context().close();
    });
  }

  test("five million pasted characters are cut, with a warning, and have no link", async () => {
    const { page, problems } = await open("");
    const paste = (selector: string) => {
      const area = document.querySelector(selector) as HTMLTextAreaElement;
      area.value = "<image> word ".repeat(400_000);
      area.dispatchEvent(new Event("input"));
    };
    await page.evaluate(() =>
      document.body.append(Object.assign(document.createElement("textarea"), { id: "bare" })),
    );
    const bare = await workFor(page, paste, "#bare"); // the time of the text field itself
    const worst = await workFor(page, paste, "main textarea");
    console.log(`five million characters: ${worst} ms, of which the text field takes ${bare} ms`);
    expect(worst).toBeLessThan(bare + LONGEST);
    expect(await page.innerText(".notices")).toContain("reads the first 400000 characters");
    await page.click("text=Copy link");
    expect(await page.innerText(".status")).toBe("The prompts are too long for a link.");
    expect(new URL(page.url()).hash).toBe("");
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test("many images share a cell, which says how many of them are seen", async () => {
    const { page } = await open(
      linkTo({ prompts: ["<image> ".repeat(100)], convention: "all-previous", layout: "rows" }),
    );
    const rest = page.locator("[data-position='70'] .rest");
    await page.evaluate(() => scrollTo(0, 70 * 30));
    await rest.waitFor();
    expect(await rest.getAttribute("aria-label")).toBe("36 other images: 7 seen"); // images 65 to 71 of 65 to 100
    expect(await rest.innerText()).toBe("7");
    await page.context().close();
  });
});

describe("hostile links", () => {
  const script = "<img src=x onerror=window.ran=1><script>window.ran=1</script>";
  const links: Readonly<Record<string, string>> = {
    "broken percent-encoding": "prompt=%E0%A4%A%&c=%&vs=%zz&n=%&at=%&%=%",
    "numbers that are none":
      "n=1e9.-1&r=99999999&head=NaN&at=-1.0.0&known=Infinity&step=0x10&pad=up&as=1&show=2",
    "numbers beyond the text": "prompt=a&at=999999.999999.999999&known=999999&step=999999&head=63&n=64",
    "names of JavaScript's own properties":
      "c=constructor&vs=__proto__&as=toString&show=hasOwnProperty&__proto__=x&pad=valueOf",
    "script text": `prompt=${encodeURIComponent(script)}&c=${encodeURIComponent(script)}&vs=${encodeURIComponent(script)}`,
    "control characters": `prompt=${encodeURIComponent("\u0000\u001b[31m\u202e <image> \ufeff")}&c=%00%1b`,
    "no fields": "&&&===&=&#",
    "many fields": "prompt=a&".repeat(5000),
    "a long name": `c=${"x".repeat(100_000)}`,
  };
  for (const [name, hash] of Object.entries(links)) {
    test(`${name}: the page opens without an error, and runs nothing`, async () => {
      const { page, problems } = await open(hash);
      await page.waitForTimeout(150);
      expect(await page.locator(".grid").count()).toBeGreaterThan(0);
      await page.click("text=Copy as text");
      await page.keyboard.press("Tab");
      expect(
        await page.evaluate(() => [
          "ran" in window,
          document.querySelectorAll("main img, main script").length,
        ]),
      ).toEqual([false, 0]);
      expect(problems).toEqual([]);
      await page.context().close();
    });
  }
});

describe("files", () => {
  const folder = temporary();
  const file = (name: string, content: Uint8Array | string) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  /** A file of 3 GB that begins with these bytes and takes no space on the disk. */
  const sparse = (name: string, start: Uint8Array) => {
    const path = join(folder, name);
    const descriptor = openSync(path, "w");
    writeSync(descriptor, start);
    ftruncateSync(descriptor, 3_000_000_000);
    closeSync(descriptor);
    return path;
  };
  const noise = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 2_654_435_761) >>> 24);
  const cases: readonly (readonly [string, () => string[], RegExp])[] = [
    [
      "a text",
      () => [file("notes.txt", "hello")],
      /^Drop the three files of a golden case, or a \.safetensors file/,
    ],
    ["a binary file", () => [file("noise.bin", noise)], /^Drop the three files/],
    [
      "a binary file by the name of tensors",
      () => [file("noise.safetensors", noise)],
      /^noise\.safetensors: /,
    ],
    ["an empty file", () => [file("empty.safetensors", "")], /^empty\.safetensors: this is an empty file/],
    ["a case of nonsense", () => [file("case.json", '{"__proto__": 1}')], /case\.json/],
    ["a case of deep brackets", () => [file("case.json", "[".repeat(100_000))], /case\.json/],
    ["3 GB of zeros", () => [sparse("zeros.safetensors", new Uint8Array())], /^zeros\.safetensors: /],
    [
      "3 GB that begin with a length",
      () => [sparse("length.safetensors", Uint8Array.of(0, 0, 0, 9))],
      /^length\.safetensors: /,
    ],
    ["a case of 3 GB", () => [sparse("case.json", new Uint8Array())], /^case\.json has 3000 MB/],
  ];
  test.each(cases)("%s is refused with a sentence", async (_, paths, sentence) => {
    const { page, problems } = await open("");
    await page.setInputFiles("input[type=file]", paths());
    await page.waitForFunction(() => document.querySelector(".status")?.textContent !== "");
    expect(await page.innerText(".status")).toMatch(sentence);
    expect((await size(page)).megabytes).toBeLessThan(MOST_MEGABYTES);
    expect(await page.locator(".grid").count()).toBe(1);
    expect(problems).toEqual([]);
    await page.context().close();
  });
});
