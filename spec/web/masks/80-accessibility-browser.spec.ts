// axe-core and the width of the page in every state, and the keyboard: rules of 80-inspector.md, in Chromium.
import { join } from "node:path";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { addressOf, START, type State } from "../../../src/web/masks/state.ts";
import { type Looks, overflow, violations, visit } from "../../support/browser/page.ts";
import { servedPages } from "../../support/browser/served.ts";

const served = servedPages();

const open = (patch: Partial<State> = {}, looks?: Looks) =>
  visit(served.browser, `${served.base}#${addressOf({ ...START, ...patch })}`, looks);

const CHAT =
  "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n<|image|>What is this?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n";
const many = "<image> x ".repeat(80);
const batch = ["A cat <image> sits", "Two <image> dogs <image> run", "", "No picture"];

const states: Readonly<Record<string, Partial<State>>> = {
  "the initial page": {},
  "no prompt": { prompts: [""] },
  "an unknown convention": { convention: "nobody" },
  "rows with reasons": { layout: "rows" },
  "a comparison": {
    against: "mllama transformers",
    images: [2],
    convention: "flamingo-pytorch@0.1.2 immediate",
  },
  "a comparison in rows": { against: "all-previous", layout: "rows", latents: 3, show: "attention" },
  attention: { show: "attention", latents: 4, at: { prompt: 0, position: 7, image: 2 } },
  "the first step of decoding": { convention: "otter", known: 5 },
  "a later step of decoding": { convention: "otter", known: 5, step: 3, layout: "rows" },
  "decoding compared": {
    convention: "flamingo-mini",
    against: "otter",
    known: 4,
    step: 2,
    show: "attention",
  },
  "a batch": { prompts: batch, convention: "flamingo-pytorch@0.0.4", padding: "left" },
  "a chat": { prompts: [CHAT], convention: "mllama transformers" },
  "a text before the first image that becomes zero": { convention: "mllama reference" },
  tiles: {
    prompts: ["<|image|> a <|image|> b"],
    convention: "mllama transformers",
    tiles: [[1, 3]],
    show: "attention",
  },
  "tiles in rows": {
    prompts: ["x <|image|> a", "<|image|> b"],
    convention: "mllama transformers",
    tiles: [[1], [4]],
    layout: "rows",
  },
  "tiles that do not fit": { convention: "mllama reference", tiles: [[1]] },
  "many images": { prompts: [many], convention: "all-previous" },
  "many images in rows": { prompts: [many], convention: "all-previous", layout: "rows", latents: 16 },
  "more prompts than are shown": { prompts: Array.from({ length: 66 }, () => "a <image>") },
};

const looks: Readonly<Record<string, Looks>> = {
  light: {},
  dark: { dark: true },
  phone: { width: 360, height: 740 },
  "phone, dark": { width: 360, height: 740, dark: true },
  "zoomed to 200 %": { width: 640, height: 430, scale: 2 },
};

/** Waits for the warnings and the stages, which follow the grid. */
const settled = (page: Page) => page.waitForTimeout(120);

async function expectAccessible(page: Page, name: string): Promise<void> {
  await settled(page);
  expect([name, await violations(page)]).toEqual([name, []]);
  expect([name, await overflow(page)]).toEqual([name, 0]);
}

/** Sixteen states and more, each of which axe-core examines for about a second. */
const timeout = 180_000;

describe.each(Object.entries(looks))("%s", (_, look) => {
  test("axe-core finds nothing in any state, and the page is not wider than the window", {
    timeout,
  }, async () => {
    const { page, problems } = await open({}, look);
    for (const [name, patch] of Object.entries(states)) {
      await page.evaluate((hash) => (location.hash = hash), addressOf({ ...START, ...patch }) || "#");
      await expectAccessible(page, name);
    }
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test("nor where a file was opened or refused, a list is unfolded, or a text is too long", {
    timeout,
  }, async () => {
    const { page, problems } = await open({}, look);
    const picker = "input[type=file]";
    const odd = { name: "odd.safetensors", mimeType: "x/y", buffer: Buffer.from("nothing") };
    await page.setInputFiles(picker, odd);
    await page.waitForSelector(".status:has-text('odd.safetensors')");
    await expectAccessible(page, "a file that is refused");
    const folder = "golden/cases/flamingo-pytorch/flamingo-palm--more-tokens-than-images";
    const files = ["case.json", "inputs.safetensors", "expected.safetensors"];
    await page.setInputFiles(
      picker,
      files.map((name) => join(folder, name)),
    );
    await page.waitForSelector("text=recorded weights");
    await expectAccessible(page, "a golden case");
    await page.fill("textarea", "no <image> <image> ".repeat(20));
    await page.click("text=/and \\d+ more/");
    await expectAccessible(page, "an unfolded list");
    await page.fill("textarea", "word ".repeat(30_000));
    await page.waitForSelector("text=shows the first 10000 tokens");
    await expectAccessible(page, "a text that is too long");
    expect(problems).toEqual([]);
    await page.context().close();
  });
});

describe("the keyboard", () => {
  test("a batch is written, replayed and read without a mouse", async () => {
    const { page } = await open();
    const focused = () =>
      page.evaluate(() => {
        const element = document.activeElement as HTMLElement;
        return (
          element.getAttribute("aria-label") ?? element.closest("label")?.textContent ?? element.textContent
        );
      });
    await page.keyboard.press("Tab"); // the link to the other page
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("Prompt");
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("Add a prompt");
    await page.keyboard.press("Enter");
    expect(await focused()).toBe("Empty prompt");
    await page.keyboard.type("Two <image> dogs");
    expect(await focused()).toBe("Prompt 1");
    expect(await page.locator(".grid").count()).toBe(2);
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("Remove prompt 1");
    await page.keyboard.press("Space");
    expect(await focused()).toBe("Prompt");
    expect(await page.locator(".grid").count()).toBe(1);

    const reached = new Set<string | null>();
    for (let i = 0; i < 24; i++) {
      await page.keyboard.press("Tab");
      reached.add(await focused());
    }
    for (const name of ["Explanation", "Copy as text", "Copy link"]) expect([...reached]).toContain(name);
    await page.context().close();
  });

  test("the focus is visible on every control", async () => {
    const { page } = await open({ prompts: ["a <image>", "b"], known: 1 });
    const unmarked: string[] = [];
    for (let i = 0; i < 26; i++) {
      await page.keyboard.press("Tab");
      const bare = await page.evaluate(() => {
        const element = document.activeElement as HTMLElement;
        const { outlineStyle, outlineWidth } = getComputedStyle(element);
        const marked = outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 1;
        return marked || element === document.body ? null : element.outerHTML.slice(0, 80);
      });
      if (bare !== null) unmarked.push(bare);
    }
    expect(unmarked).toEqual([]);
    await page.context().close();
  });
});
