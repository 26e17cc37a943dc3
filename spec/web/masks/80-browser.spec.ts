// Rules of 80-inspector.md for the built page, in Chromium: npm run test:browser.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { addressOf, START, type State } from "../../../src/web/masks/state.ts";
import {
  faintTexts,
  type Looks,
  namelessControls,
  picture,
  scrolled,
  visit,
} from "../../support/browser/page.ts";
import { servedPages } from "../../support/browser/served.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const BUILT = "dist/web";
const GOLDEN = "golden/cases/flamingo-pytorch/flamingo-palm--more-tokens-than-images";
const goldenFiles = ["case.json", "inputs.safetensors", "expected.safetensors"].map((name) =>
  join(GOLDEN, name),
);
const served = servedPages();

const at = (patch: Partial<State> = {}) => `${served.base}#${addressOf({ ...START, ...patch })}`;
const open = (patch: Partial<State> = {}, looks?: Looks) => visit(served.browser, at(patch), looks);

const words = ["the", "quick", "flamingo", "stands", ",", "on", "one", "leg"];
const long = Array.from({ length: 512 }, (_, i) => (i % 32 === 3 ? "<image>" : words[i % 8])).join(" ");

const folder = temporary();

describe("the package", () => {
  test("the page is a few files of together less than 80 kB, compressed", () => {
    const files = ["index.html", "inspector.css", "inspector.js"];
    const second = ["speed-gpu.js", "speed-kernels.js", "speed.css", "speed.html", "speed.js"];
    expect(readdirSync(BUILT).sort()).toEqual([...files, ...second].sort());
    const compressed = files.reduce(
      (sum, name) => sum + gzipSync(readFileSync(join(BUILT, name)), { level: 9 }).length,
      0,
    );
    const raw = files.reduce((sum, name) => sum + statSync(join(BUILT, name)).size, 0);
    console.log(`the page has ${raw} bytes, ${compressed} compressed`);
    expect(compressed).toBeLessThan(80_000);
  });

  test("flamboyance inspect prints the address and ends on SIGTERM", async () => {
    const child = spawn(process.execPath, ["dist/cli/main.js", "inspect", "--json"]);
    const ended = new Promise((resolve) => child.once("close", resolve));
    const output = await new Promise<string>((resolve) =>
      child.stdout.once("data", (data) => resolve(`${data}`)),
    );
    const { address } = JSON.parse(output) as { address: string };
    expect(await (await fetch(address)).text()).toContain("<title>Which token sees which image</title>");
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
    const { status, stderr } = spawnSync(process.execPath, ["dist/cli/main.js", "inspect", "--port", "x"], {
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([3, expect.stringMatching(/--port .*65535.*"x"/)]);
  });

  test("flamboyance inspect refuses arguments without opening them, and a port that is taken", () => {
    execFileSync("mkfifo", [join(folder, "pipe")]); // would block whoever opens it
    const inspect = (...args: string[]) => {
      const run = ["dist/cli/main.js", "inspect", ...args];
      const { status, stdout, stderr } = spawnSync(process.execPath, run, {
        encoding: "utf8",
        timeout: 5000,
      });
      return [status, stdout, stderr.split("\n")[0]];
    };
    for (const path of [join(folder, "pipe"), folder, "dist/web/inspector.js", "\u001b[31m", "/dev/zero"])
      expect(inspect(path)).toEqual([
        3,
        "",
        expect.stringContaining("inspect takes no arguments, and was given"),
      ]);
    expect(inspect("\u001b[31m\u202e")[2]).toMatch(/"\\u\{1b\}\[31m\\u\{202e\}"$/);
    for (const port of ["65536", "-1", "1.5", "", "8080x"])
      expect(inspect(`--port=${port}`)).toEqual([
        3,
        "",
        expect.stringMatching(/--port is a whole number from 0 to 65535/),
      ]);
    const port = Number(new URL(served.base).port);
    expect(inspect("--port", `${port}`)).toEqual([
      2,
      "",
      expect.stringContaining(
        `cannot serve on port ${port}: another program uses it; --port chooses another`,
      ),
    ]);
  });

  test("flamboyance inspect outlives broken connections, and ends on Ctrl-C while one is open", async () => {
    const child = spawn(process.execPath, ["dist/cli/main.js", "inspect", "--json"]);
    const ended = new Promise((resolve) =>
      child.once("close", (status, signal) => resolve([status, signal])),
    );
    const errors: string[] = [];
    child.stderr.on("data", (text) => errors.push(`${text}`));
    const output = await new Promise<string>((resolve) =>
      child.stdout.once("data", (data) => resolve(`${data}`)),
    );
    const { port } = new URL((JSON.parse(output) as { address: string }).address);
    const send = (text: string) =>
      new Promise<Socket>((resolve) => {
        const socket = connect(Number(port), "127.0.0.1", () => socket.write(text, () => resolve(socket)));
        socket.on("error", () => {});
      });
    for (const text of [
      "garbage\r\n\r\n",
      "GET /inspector.js HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /%E0%A4%A HTTP/1.1\r\n",
    ])
      (await send(text)).destroy(); // as a browser that is closed
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
    await send("GET / HTTP/1.1\r\n"); // the request is never finished
    child.kill("SIGINT");
    expect(await ended).toEqual([0, null]);
    expect(errors).toEqual([]);
  });

  test("the page requests its own files only, and its policy forbids inline scripts", async () => {
    const { page, problems, requests } = await open({ show: "attention", against: "otter" });
    await page.waitForSelector(".numbers td");
    expect(requests.map((url) => url.replace(served.base, "").replace(/#.*/, "")).sort()).toEqual([
      "",
      "inspector.css",
      "inspector.js",
    ]);
    expect(problems).toEqual([]);
    const inline = await page.evaluate(() => {
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.body.append(script);
      return "ran" in window;
    });
    expect(inline).toBe(false);
    await page.context().close();
  });

  test("the page opens from a disk", async () => {
    const { page, problems } = await visit(
      served.browser,
      `${pathToFileURL(join(BUILT, "index.html"))}#c=otter`,
    );
    expect(await page.textContent(".source h3")).toBe("otter");
    await page.waitForSelector(".numbers td");
    expect(problems).toEqual([]);
    await page.context().close();
  });
});

describe("the page", () => {
  test("the page is painted within a second", async () => {
    const times: number[] = [];
    for (let i = 0; i < 3; i++) {
      const { page } = await open();
      const paint = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
      times.push((await page.evaluate(paint)) ?? NaN);
      await page.context().close();
    }
    const best = Math.min(...times); // other processes can only delay a paint
    console.log(`first painted after ${Math.round(best)} ms`);
    expect(best).toBeLessThan(1000);
  });

  test("typing updates the page", async () => {
    const { page, problems } = await open();
    await page.fill("textarea", "One <image> two");
    await page.waitForFunction(() => document.querySelectorAll(".token").length === 3);
    await page.waitForFunction(() => location.hash.includes("prompt=One"));
    expect(await page.textContent(".panel h2")).toContain("Position 2: “two”");
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test("a link restores the page", async () => {
    const first = await open();
    await first.page.fill("textarea", "A <image> b\n\n<image> c");
    await first.page.click("text=Add a prompt");
    await first.page.fill("textarea >> nth=1", "<image> d");
    await first.page.selectOption("select >> nth=0", "flamingo-pytorch@0.0.4");
    await first.page.selectOption("select >> nth=1", "mllama reference");
    await first.page.click("button[value=rows]");
    await first.page.click("[data-position='3'] [data-image='1']");
    await first.page.waitForFunction(() => location.hash.includes("at=0.3.1"));
    const url = first.page.url();
    await first.page.waitForTimeout(200);
    const second = await visit(served.browser, url);
    await second.page.waitForSelector(".notices li");
    await second.page.waitForTimeout(200);
    const shown = (page: typeof first.page) => page.innerText("main");
    expect(await shown(second.page)).toBe(await shown(first.page));
    expect(await second.page.inputValue("textarea")).toBe("A <image> b\n\n<image> c");
    expect(await second.page.inputValue("textarea >> nth=1")).toBe("<image> d");
    await first.page.context().close();
    await second.page.context().close();
  });

  test("a link can name a convention that the list does not have", async () => {
    const { page } = await open({ convention: "last 3", against: "last 2" });
    const chosen = [page.locator("select >> nth=0"), page.locator("select >> nth=1")];
    expect(await Promise.all(chosen.map((select) => select.inputValue()))).toEqual(["last 3", "last 2"]);
    expect(await page.locator(".source h3").allInnerTexts()).toEqual(["last 3", "last 2"]);
    await page.context().close();
  });

  test("a link scrolls to its place", async () => {
    const { page } = await open({ prompts: [long], at: { prompt: 0, position: 400, image: 3 } });
    await page.waitForSelector("[data-position='400'].active");
    const box = await page.locator("[data-position='400']").boundingBox();
    expect((box?.y ?? -1) >= 0 && (box?.y ?? 9999) < 860).toBe(true);
    expect(await page.innerText(".panel h2")).toContain("and image 3");
    await page.context().close();
  });

  test("the arrow keys move through the grid, and the explanation is a live region", async () => {
    const { page } = await open();
    await page.focus(".grid");
    for (const key of [
      "Home",
      "ArrowRight",
      "ArrowRight",
      "ArrowRight",
      "ArrowRight",
      "ArrowDown",
      "ArrowDown",
    ])
      await page.keyboard.press(key);
    const active = await page.evaluate(() => {
      const id = document.activeElement?.getAttribute("aria-activedescendant") ?? "";
      const cell = document.getElementById(id);
      return [
        id,
        cell?.getAttribute("role"),
        cell?.getAttribute("aria-label"),
        cell?.classList.contains("active"),
      ];
    });
    expect(active).toEqual(["at-0-4-2", "gridcell", "image 2: not seen", true]);
    expect(await page.getAttribute(".words", "aria-live")).toBe("polite");
    expect(await page.innerText(".words")).toMatch(/Position 4 .*image 2.*position 7/);
    await page.keyboard.press("End");
    expect(await page.innerText(".words")).toMatch(/Position 9 .*image 2.*image 3.*position 8/);
    await page.context().close();
  });

  test("the explanation follows the mouse and returns to the selected token", async () => {
    const { page } = await open({ at: { prompt: 0, position: 0, image: 0 } });
    await page.hover("[data-position='7'] .chip");
    expect(await page.innerText(".words h2")).toContain("Position 7");
    expect(await page.innerText(".words strong")).toBe("attends 2");
    await page.mouse.move(2, 2);
    expect(await page.innerText(".words h2")).toContain("Position 0");
    expect(await page.innerText(".words strong")).toBe("zeroed");
    await page.context().close();
  });

  test("a chip and the cells of its image share a colour and show the number", async () => {
    const { page } = await open({ against: "all-previous" });
    const looks = await page.evaluate(() => {
      const colour = (selector: string, pseudo?: string) =>
        getComputedStyle(document.querySelector(selector) as Element, pseudo).backgroundColor;
      return {
        chip: colour(".chip.image.i2"),
        cell: colour(".token .cell.i2.seen", "::before"),
        other: colour(".chip.image.i1"),
        numbers: [...document.querySelectorAll(".token .cell.i2.seen b")].every((b) => b.textContent === "2"),
        label: document.querySelector(".gutter .label.i2")?.textContent,
        marked: document.querySelectorAll(".cell.differs").length,
      };
    });
    expect(looks.cell).toBe(looks.chip);
    expect(looks.chip).not.toBe(looks.other);
    expect([looks.numbers, looks.label, looks.marked]).toEqual([true, "2", 10]);
    await page.context().close();
  });

  test("a warning links to its place", async () => {
    const { page } = await open({
      prompts: [`${"word ".repeat(300)}<image> x`],
      images: [0],
      convention: "flamingo-pytorch@0.0.4",
    });
    await page.click(".notices .link");
    await page.waitForFunction(() => location.hash.includes("at=0.300"));
    expect(await page.isVisible("[data-position='300'].active")).toBe(true);
    expect(await page.innerText(".words")).toContain("Position 300");
    await page.context().close();
  });

  test("the sliders select decoding steps", async () => {
    const { page } = await open({ convention: "flamingo-mini" });
    await page.check("input[type=checkbox]");
    await page.focus("[aria-label='Decoding step']");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(() => location.hash.includes("step=3"));
    expect(await page.innerText(".decode .fact")).toMatch(/^Step 3 of 5 processes position 7.*another row/);
    expect(await page.locator(".token.now").count()).toBe(1);
    expect(await page.locator(".token.later").count()).toBe(2);
    expect(await page.locator(".verdict.changed").count()).toBeGreaterThan(0);
    await page.context().close();
  });

  test("“Copy as text” copies the output of flamboyance mask", async () => {
    const text = "A cat: <image> Two dogs: <image><image> done";
    const { page } = await open({
      convention: "flamingo-pytorch@0.1.2 immediate",
      against: "otter",
      images: [2],
    });
    await page.click("text=Copy as text");
    await page.waitForFunction(() => document.querySelector(".status")?.textContent !== "");
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    const args = [
      "mask",
      text,
      "--convention",
      "flamingo-pytorch@0.1.2 immediate",
      "--against",
      "otter",
      "--images",
      "2",
    ];
    const { stdout } = spawnSync(process.execPath, ["dist/cli/main.js", ...args], {
      encoding: "utf8",
      env: { ...process.env, NO_COLOR: "1" },
    });
    expect(copied).toBe(stdout);
    await page.click("text=Copy link");
    await page.waitForFunction(() => document.querySelector(".status")?.textContent?.includes("link"));
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(page.url());
    await page.context().close();
  });

  test("tiles are given in a field where the convention has them, and padding tiles are drawn as such", async () => {
    const { page, problems } = await open({ prompts: ["<|image|> a <|image|> b"], convention: "otter" });
    const tiles = page.locator("label:has-text('Tiles') input");
    expect(await tiles.isVisible()).toBe(false);
    await page.selectOption("select >> nth=0", "mllama transformers");
    await tiles.fill("1, 3");
    await tiles.press("Enter");
    const bars = (image: number) =>
      page.evaluate(
        (image) =>
          [...document.querySelectorAll(`[data-position='3'] [data-image='${image}'] i`)].map((bar) =>
            Number(bar.classList.contains("pad")),
          ),
        image,
      );
    await page.waitForSelector("i.pad");
    expect([await bars(1), await bars(2)]).toEqual([[], [0, 0, 0, 1]]); // the row attends to the second image only
    expect(await page.getAttribute("[data-position='3'] [data-image='2']", "aria-label")).toBe(
      "image 2: seen, 3 of 4 tiles",
    );
    await page.waitForFunction(() => location.hash.includes("tiles=1.3"));
    await page.click("[data-position='3'] .chip");
    await page.waitForFunction(() => document.querySelector(".heads")?.textContent?.startsWith("Position 3"));
    const weights = await page.locator(".numbers tbody tr").nth(3).locator("td").allInnerTexts();
    expect(weights.map((text) => text === "0")).toEqual([true, true, true, true, false, false, false, true]);
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test("the stages show the selected token and head", async () => {
    const { page } = await open({ at: { prompt: 0, position: 0, image: 0 } });
    await page.waitForSelector(".numbers td");
    const stages = await page.locator(".numbers tbody th").allInnerTexts();
    expect(stages.map((title) => title.split("\n")[0])).toEqual([
      "Scores",
      "Masked scores",
      "Softmax",
      "Post-softmax mask",
      "Gated",
      "Residual",
      "Feed-forward",
    ]);
    expect(await page.innerText(".stages")).toContain("Attention adds nothing to this row");
    await page.click("[data-position='9'] .chip");
    await page.waitForFunction(() => document.querySelector(".heads")?.textContent?.startsWith("Position 9"));
    const before = await page.innerText(".stages");
    await page.selectOption(".heads select", "1");
    await page.waitForFunction(
      (old) => (document.querySelector(".stages") as HTMLElement).innerText !== old,
      before,
    );
    expect(await page.locator(".numbers tbody th").count()).toBe(7);
    await page.context().close();
  });

  test("a golden case that is chosen or dropped shows its attention", async () => {
    const { page, problems } = await open();
    await page.setInputFiles("input[type=file]", goldenFiles);
    await page.waitForSelector("text=recorded weights");
    const notice = await page.innerText(".notices li >> nth=0");
    expect(notice).toMatch(/layers\.0\.1\.attn\.attn.*flamingo-pytorch@0\.1\.2 immediate/);
    expect(await page.locator(".grid").count()).toBe(2);
    expect(await page.locator("[data-position='1'] .cell.i1.bars i").first().count()).toBe(1);
    await page.fill("textarea", "another <image>");
    await page.waitForFunction(
      () => !document.querySelector(".notices")?.textContent?.includes("recorded weights"),
    );

    const files = goldenFiles.map((path) => ({
      name: path.slice(GOLDEN.length + 1),
      bytes: [...readFileSync(path)],
    }));
    await page.evaluate((list) => {
      const data = new DataTransfer();
      for (const { name, bytes } of list) data.items.add(new File([Uint8Array.from(bytes)], name));
      dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    }, files);
    await page.waitForSelector("text=recorded weights");
    await page.setInputFiles("input[type=file]", {
      name: "odd.safetensors",
      mimeType: "x/y",
      buffer: Buffer.from("nothing"),
    });
    await page.waitForFunction(() =>
      /safetensors/.test(document.querySelector(".status")?.textContent ?? ""),
    );
    expect(problems).toEqual([]);
    await page.context().close();
  });
});

describe("accessibility and speed", () => {
  const states: [string, Partial<State>][] = [
    [
      "sentence",
      { convention: "flamingo-pytorch@0.1.2 immediate", against: "mllama transformers", images: [2] },
    ],
    ["rows", { layout: "rows", against: "all-previous", latents: 3, show: "attention" }],
    [
      "decoding",
      {
        convention: "otter",
        known: 5,
        step: 3,
        prompts: ["Seven <image> and <image> and </s> more <image> here"],
      },
    ],
    [
      "batch",
      {
        prompts: ["A cat <image> sits", "Two <image> dogs <image> run", "No picture"],
        convention: "flamingo-pytorch@0.0.4",
      },
    ],
  ];
  const looks: [string, Looks][] = [
    ["light", {}],
    ["dark", { dark: true }],
    ["phone", { width: 390, height: 844 }],
    ["phone-dark", { width: 390, height: 844, dark: true }],
  ];

  for (const [look, size] of looks) {
    test(`${look}: texts have enough contrast, controls have labels, and the page fits the window`, async () => {
      for (const [name, patch] of states) {
        const { page, problems } = await open(patch, size);
        await page.waitForSelector(".numbers td");
        expect([name, await faintTexts(page)]).toEqual([name, []]);
        expect([name, await namelessControls(page)]).toEqual([name, []]);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect([name, wide <= 0]).toEqual([name, true]);
        const shot = await page.screenshot({
          path: picture(`${name}-${look}`),
          fullPage: !look.startsWith("phone"),
        });
        expect(shot.length).toBeGreaterThan(20_000);
        expect(problems).toEqual([]);
        await page.context().close();
      }
    });
  }

  test("a long list of warnings is folded and can be unfolded", async () => {
    const prompts = Array.from({ length: 9 }, () => "no <image> <image>");
    const { page } = await open({ prompts, images: [1], convention: "flamingo-pytorch@0.0.4" });
    await page.waitForSelector(".notices li");
    expect(await page.locator(".notices li").count()).toBe(4);
    await page.click("text=/and \\d+ more/");
    expect(await page.locator(".notices li").count()).toBeGreaterThan(15);
    await page.click("text=show fewer");
    expect(await page.locator(".notices li").count()).toBe(4);
    await page.context().close();
  });

  test("512 tokens and 16 images scroll smoothly, and few of them are built", async () => {
    for (const layout of ["sentence", "rows"] as const) {
      const { page } = await open({ prompts: [long], layout, show: "attention", latents: 2 });
      await page.waitForSelector(".numbers td");
      const built = await page.locator(".token").count();
      const { frames, work } = await scrolled(page, 90);
      const middle = frames[45] ?? 0;
      console.log(
        `${layout}: ${built} of 512 tokens built, frames of ${middle.toFixed(0)} ms, ${work.toFixed(1)} ms of them for the page`,
      );
      expect(built).toBeLessThan(200);
      expect(middle).toBeLessThan(100); // lenient, since the machine may be busy; the page's own work is checked below
      expect(work).toBeLessThan(33);
      await page.screenshot({ path: picture(`long-${layout}`) });
      const typed = await page.evaluate(async () => {
        const area = document.querySelector("textarea") as HTMLTextAreaElement;
        const since = performance.now();
        area.value += " end";
        area.dispatchEvent(new Event("input"));
        await new Promise(requestAnimationFrame);
        return performance.now() - since;
      });
      console.log(`${layout}: another word is shown after ${Math.round(typed)} ms`);
      expect(typed).toBeLessThan(400);
      await page.context().close();
    }
  });
});
