// Long, wide and hostile input of `flamboyance mask`: answers in runs of equal rows, or a sentence, with bounded time and memory.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { batchOf } from "../../src/mask-report/batch.ts";
import { maskDocument } from "../../src/mask-report/document.ts";
import { maskReport } from "../../src/mask-report/report.ts";
import { maskText } from "../../src/mask-report/text.ts";
import { conventionOf } from "../../src/masks/conventions/conventions.ts";
import { readPrompts, tokensOfIds } from "../../src/masks/prompts/prompt.ts";
import { temporary } from "../support/fixtures/temporary.ts";
import { growth, LINEAR } from "../support/measure/growth.ts";
import { runMask } from "../support/measure/run-mask.ts";

const folder = temporary();
/** The command on a file of this text, in which 3 is the image, unless the options name another file. */
const runOn = (text: string, options: readonly string[]) => {
  const file = join(folder, "ids");
  writeFileSync(file, text);
  const ids = options.includes("--ids") ? [] : ["--ids", file];
  return runMask(...ids, "--image-token", "3", ...options);
};
const idsOf = (length: number, isImage: (l: number) => boolean): string =>
  JSON.stringify(Array.from({ length }, (_, l) => (isImage(l) ? 3 : 10)));

/** Every 50th of 10,000 tokens is an image (MMDU issue 4, LLaVA-NeXT issue 128). */
const LONG = idsOf(10_000, (l) => l % 50 === 0);
/** Two thousand tokens with ten images at the beginning. */
const CACHED = idsOf(2_000, (l) => l % 2 === 1 && l < 20);
const IMAGES = "3 ".repeat(6000);
const PROMPTS = `[${"[1,2],".repeat(199_999)}[1,2]]`;
const MOST = "3 ".repeat(400_000);

// Each limit in seconds of processor time is several times what the command takes, since other processes slow it down.
test.each<[string, { text: string; options?: string[]; seconds: number }]>([
  ["10,000 tokens with 200 images", { text: LONG, seconds: 2 }],
  ["the same as a document", { text: LONG, options: ["--json"], seconds: 2 }],
  ["the same against another convention", { text: LONG, options: ["--against", "all-previous"], seconds: 2 }],
  ["the same, decoded", { text: LONG, options: ["--cached", "--convention", "otter"], seconds: 2 }],
  ["2,000 decoded tokens", { text: CACHED, options: ["--cached"], seconds: 2 }],
  [
    "2,000 decoded tokens of which 50 are known",
    { text: CACHED, options: ["--cached", "--known", "50"], seconds: 2 },
  ],
  ["50,000 tokens with one image", { text: idsOf(50_000, (l) => l === 1), seconds: 2 }],
  ["6,000 image tokens", { text: IMAGES, seconds: 2 }],
  [
    "6,000 that see each other",
    { text: IMAGES, options: ["--json", "--convention", "all-previous"], seconds: 3 },
  ],
  ["125,000 prompts", { text: "5 3\n".repeat(125_000), seconds: 5 }],
  ["200,000 prompts", { text: PROMPTS, seconds: 5 }],
  ["400,000 image tokens", { text: MOST, options: ["--against", "all-previous"], seconds: 8 }],
])("%s are answered within 500 MB", async (_, { text, options = [], seconds }) => {
  const run = await runOn(text, options);
  expect(run.stderr).toBe("");
  expect(run.status).toBe(0);
  expect(run.seconds).toBeLessThan(seconds);
  expect(run.megabytes).toBeLessThan(500);
  expect(run.stdout.length).toBeLessThan(2_000_000);
});

test.each<[string, { text: string; options?: string[]; sentence: string }]>([
  [
    "100,000 nested brackets",
    { text: "[".repeat(1e5) + "]".repeat(1e5), sentence: "brackets within brackets" },
  ],
  ["400,001 ids", { text: "5 ".repeat(400_001), sentence: "more than 400,000 token ids" }],
  ["a device that never ends", { text: "", options: ["--ids", "/dev/zero"], sentence: "longer than 16 MB" }],
  [
    "many prompts beside a long one",
    { text: `${"5\n".repeat(999)}${"5 ".repeat(999)}`, sentence: "the most are 400,000" },
  ],
  [
    "a document of too many prompts",
    { text: PROMPTS, options: ["--json", "--images", "1"], sentence: "the most are 100,000" },
  ],
  [
    "decoding of 400,000 tokens",
    { text: MOST, options: ["--cached"], sentence: "--cached decodes at most 100,000 positions" },
  ],
])("%s are refused in a sentence, with status 2", async (_, { text, options = [], sentence }) => {
  const run = await runOn(text, options);
  expect(run.stderr).toContain(sentence);
  expect(run.stderr.trim().split("\n")).toHaveLength(1);
  expect(run.status).toBe(2);
  expect(run.stdout).toBe("");
  expect(run.seconds).toBeLessThan(5);
  expect(run.megabytes).toBeLessThan(500);
});

const report = (ids: readonly number[], name: string, { cached = false, against = "" } = {}) =>
  maskReport({
    batch: batchOf([tokensOfIds(ids, { image: 3 })]),
    convention: conventionOf(name),
    against: against === "" ? null : conventionOf(against),
    known: cached ? 1 : null,
  });

test("the time of a report is proportional to its tokens and images, with a second convention and decoding", () => {
  const run = (n: number) => {
    const ids = Array.from({ length: n }, (_, l) => (l % 4 === 0 ? 3 : 10));
    const made = report(ids, "all-previous", { cached: true, against: "idefics" });
    maskText(made);
    maskDocument(made);
  };
  expect(growth(run, 2_500)).toBeLessThan(LINEAR);
});

test("[mask.runs] long prompts are printed as runs of equal rows", () => {
  const ids = Array.from({ length: 10_000 }, (_, l) => (l % 50 === 0 ? 3 : 10));
  const text = maskText(report(ids, "immediate"));
  const lines = text.split("\n");
  expect(lines).toContain("prompt 0   10000 tokens, 200 image tokens");
  expect(text).toMatch(/^ {2}50 to 99 +\[image 2\] +2 +attends \{2\}$/m); // by hand: image k is at 50 (k - 1)
  expect(text).toMatch(/^ {2}9950 to 9999 +\[image 200\] +200 +attends \{200\}$/m);
  expect(lines.filter((line) => line.includes(" attends {"))).toHaveLength(200);
  expect(lines.every((line) => line.length <= 80)).toBe(true);
  const all = maskText(report(ids, "all-previous"));
  expect(all).toMatch(/^ {2}9950 to 9999 +\[image 200\] +200 +attends \{1-200\}$/m);
  const few = maskText(
    report([10, ...new Array<number>(200).fill(3).map((id, l) => (l === 100 ? id : 10))], "immediate"),
  );
  expect(few).toMatch(/0 to 100 +10 +0 +zeroed/);
  expect(few).toContain("position 101 sees image 1: it is that image's own token");
});

test("[mask.runs] a grid that is wider than the terminal is printed as runs, too", () => {
  const wide = (images: number, width: number) =>
    maskText(report(new Array<number>(images).fill(3), "immediate"), { width });
  expect(wide(4, 80)).toContain("■");
  const belowLegend = (text: string) => text.slice(text.indexOf("prompt 0"));
  const runs = belowLegend(wide(30, 80));
  expect(runs).not.toContain("■");
  expect(runs).toMatch(/^ {2}29 +\[image 30\] +30 +attends \{30\}$/m);
  expect(belowLegend(wide(30, 200))).toContain("■");
  for (const images of [1, 5, 9, 10, 11, 30, 64, 100, 300])
    for (const line of wide(images, 80).split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  const against = maskText(report(new Array<number>(40).fill(3), "immediate", { against: "all-previous" }));
  for (const line of against.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  expect(against).toMatch(/^ {2}39 +attends \{40\} +attends \{1-40\} +<- differs$/m);
});

test("more than 256 runs and more than 16 prompts are counted, not printed", () => {
  const text = maskText(report(new Array<number>(300).fill(3), "immediate"));
  expect(text).toContain("attends {256}");
  expect(text).not.toContain("attends {257}");
  expect(text).toContain("and 44 more runs, which --json lists");
  const { prompts } = readPrompts(new Array<string>(20).fill("<image> a"));
  const batch = batchOf(prompts);
  const many = maskText(
    maskReport({ batch, convention: conventionOf("immediate"), against: null, known: null }),
  );
  expect(many.match(/^prompt \d+/gm)).toHaveLength(16);
  expect(many).toContain("prompt 15");
  expect(many).toContain("and 4 more prompts, which --json lists");
});

test("a small document lists rows and runs, a large one runs alone", () => {
  const small = maskDocument(report([10, 3, 10], "immediate", { cached: true, against: "idefics" }));
  expect(Object.keys(small)).toEqual(
    "convention tokens mayAttend rows warnings length runs images against cached".split(" "),
  );
  expect(small).toMatchObject({
    length: 3,
    runs: [
      {
        from: 0,
        to: 0,
        number: 0,
        class: "zeroed",
        ranges: [],
        reason: expect.stringMatching(/^position 0 /),
      },
      { from: 1, to: 2, number: 1, class: "attends", ranges: [[1, 1]] },
    ],
    against: { rows: [], runs: [] },
    cached: {
      runs: [{ prompt: 0, from: 1, to: 2, cached: { class: "attends", ranges: [[1, 1]] }, differs: false }],
    },
  });
  const ids = Array.from({ length: 2_000 }, (_, l) => (l % 40 === 0 ? 3 : 10)); // 100,000 entries
  const large = maskDocument(report(ids, "immediate", { cached: true, against: "all-previous" }));
  expect(Object.keys(large)).toEqual("convention warnings length runs images against cached".split(" "));
  expect(large).toMatchObject({
    length: 2_000,
    against: {
      cells: 49_000,
      runs: expect.arrayContaining([expect.objectContaining({ from: 40, to: 79, differs: true })]),
    },
  }); // 40 · (1 + … + 49) entries
  expect(large).not.toHaveProperty("against.rows");
  expect(large).not.toHaveProperty("cached.steps");
  expect(large).toHaveProperty("runs.length", 50);
});
