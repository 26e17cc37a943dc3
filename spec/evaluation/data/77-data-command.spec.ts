// The commands of `flamboyance data` on files of samples, of 77-data.md.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadTokenizer } from "../../../src/io/tokenizers/load.ts";
import { flamboyance } from "../../support/fixtures/command.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const folder = temporary();
const TOKENIZER = "golden/data/tokenizers/unigram";
/** A file of the workspace with these lines. */
function fileOf(name: string, ...lines: readonly string[]): string {
  writeFileSync(join(folder, name), lines.map((line) => `${line}\n`).join(""));
  return join(folder, name);
}
const text = (one: string): string => JSON.stringify({ text: one });
const linesIn = (path: string): string[] => readFileSync(path, "utf8").trimEnd().split("\n");

describe("data check", () => {
  const picture = join(process.cwd(), "golden/data/cat-64.png");
  const checked = () =>
    fileOf(
      "check.jsonl",
      text("a"),
      text(""),
      JSON.stringify({ image: picture, caption: "a cat" }),
      JSON.stringify({ image: "none.png", caption: "nothing" }),
      JSON.stringify({ image: "check.jsonl", caption: "no picture" }),
    );

  test("counts samples and names every line that is none", () => {
    const file = checked();
    const { status, stdout, stderr } = flamboyance("data", "check", file);
    expect(status).toBe(2);
    expect(stdout).toBe(`${file}: 1 text, 2 captions; 3 pictures; 2 lines left out\n`);
    expect(stderr).toContain(`${file}, line 2: "text" is empty`);
    expect(stderr).toContain(`${file}, line 4: cannot open ${join(folder, "none.png")}`);
  });

  test("a folder in the place of a picture is named as such", () => {
    const file = fileOf("folder.jsonl", JSON.stringify({ image: ".", caption: "a cat" }));
    expect(flamboyance("data", "check", file).stderr).toContain("/.: it is a folder");
  });

  test("decodes pictures if asked, and prints a document", () => {
    const { status, stdout } = flamboyance("data", "check", checked(), "--decode", "--json");
    expect(status).toBe(2);
    const [found] = JSON.parse(stdout).files;
    expect(found).toMatchObject({ samples: { text: 1, caption: 1, question: 0 }, pictures: 3, leftOut: 3 });
    expect(found.problems.map(({ line }: { line: number }) => line)).toEqual([2, 4, 5]);
  });

  test("names 20 bad lines of each file, or the number that is asked for, and counts all", () => {
    const bad = Array.from({ length: 30 }, () => text(""));
    const files = [fileOf("bad.jsonl", ...bad), fileOf("bad-too.jsonl", ...bad)];
    const named = (...args: readonly string[]): [number, number][] => {
      const { stdout } = flamboyance("data", "check", ...files, ...args, "--json");
      return JSON.parse(stdout).files.map((one: { leftOut: number; problems: unknown[] }) => [
        one.leftOut,
        one.problems.length,
      ]);
    };
    const both = (shown: number) => [
      [30, shown],
      [30, shown],
    ];
    expect([named(), named("--problems", "25"), named("--problems", "0")]).toEqual([20, 25, 0].map(both));
    expect(named("--problems", "100000")).toEqual(both(30));
    const { status, stderr } = flamboyance("data", "check", ...files, "--problems", "100001");
    expect([status, stderr.includes("--problems")]).toEqual([3, true]);
  });

  test("ends at the first bad line if asked, and takes one kind", () => {
    const file = checked();
    const stopped = flamboyance("data", "check", file, "--stop");
    expect([stopped.status, stopped.stdout]).toEqual([2, ""]);
    expect(stopped.stderr).toContain("line 2");
    const { stderr } = flamboyance("data", "check", file, "--kind", "caption");
    expect(stderr).toContain("line 1 is a text, and what is wanted is a caption");
    const good = fileOf("good.jsonl", text("a"));
    expect(flamboyance("data", "check", good)).toMatchObject({ status: 0, stderr: "" });
  });
});

describe("data mix", () => {
  const first = () => fileOf("first.jsonl", text("a0"), "{", text("a1"), text("a2"));
  const second = () => fileOf("second.jsonl", ...Array.from({ length: 50 }, (_, i) => text(`b${i}`)));
  const mix = (out: string, ...more: string[]) =>
    flamboyance("data", "mix", `${first()}=1`, `${second()}=3`, "--out", join(folder, out), ...more);

  test("draws samples by weight, the same ones for the same seed", () => {
    const { status, stdout, stderr } = mix("one.jsonl", "--count", "200", "--json");
    expect(status).toBe(0);
    const lines = linesIn(join(folder, "one.jsonl")).map((line) => JSON.parse(line).text as string);
    const ofFirst = lines.filter((line) => line.startsWith("a"));
    expect(ofFirst).toEqual(ofFirst.map((_, i) => `a${i % 3}`));
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({ samples: 200, leftOut: 1 });
    expect(document.sources[0].samples).toBe(ofFirst.length);
    expect(Math.abs(ofFirst.length - 50)).toBeLessThan(5 * Math.sqrt(200 * 0.25 * 0.75));
    expect(stderr.match(/line 2/g)).toHaveLength(1); // although the file is read many times
    mix("two.jsonl", "--count", "200");
    mix("three.jsonl", "--count", "200", "--seed", "2");
    const [one, two, three] = ["one", "two", "three"].map((name) =>
      readFileSync(join(folder, `${name}.jsonl`)),
    );
    expect(two).toEqual(one);
    expect(three).not.toEqual(one);
  });

  test("paths of pictures stay right in another folder", () => {
    const picture = fileOf("pictures.jsonl", '{"image":"x/cat.png","caption":"a cat"}');
    mkdirSync(join(folder, "deep"));
    const out = join(folder, "deep", "mixed.jsonl");
    flamboyance("data", "mix", `${picture}=1`, `${picture}=1`, "--count", "1", "--out", out);
    expect(linesIn(out)).toEqual(['{"image":"../x/cat.png","caption":"a cat"}']);
  });

  test("a file without samples is named, and nothing is written", () => {
    const empty = fileOf("empty.jsonl", "");
    const out = join(folder, "never.jsonl");
    const { status, stderr } = flamboyance(
      "data",
      "mix",
      `${empty}=1`,
      `${empty}=1`,
      "--count",
      "5",
      "--out",
      out,
    );
    expect(status).toBe(2);
    expect(stderr).toContain("empty.jsonl has no sample to draw");
    expect(readdirSync(folder)).not.toContain("never.jsonl");
  });
});

describe("data pack", () => {
  test("sequences have the ids of the texts in order", async () => {
    const words = Array.from({ length: 60 }, (_, i) => "cat sat mat ".repeat(1 + (i % 5)).trim());
    const file = fileOf("texts.jsonl", ...words.map(text));
    const out = join(folder, "packed.jsonl");
    const { status, stdout } = flamboyance(
      "data",
      "pack",
      file,
      "--tokenizer",
      TOKENIZER,
      "--length",
      "64",
      "--out",
      out,
      "--json",
    );
    expect(status).toBe(0);
    const tokenizer = await loadTokenizer(TOKENIZER);
    const around = (id: number | null): number[] => (id === null ? [] : [id]);
    const ids = words.flatMap((one) => [
      ...around(tokenizer.bos),
      ...tokenizer.encode(one, { special: false }),
      ...around(tokenizer.eos),
    ]);
    const sequences = linesIn(out).map((line) => JSON.parse(line) as { ids: number[]; starts: number[] });
    expect(sequences.flatMap((sequence) => sequence.ids)).toEqual(ids);
    expect(sequences.every((sequence) => sequence.ids.length <= 64)).toBe(true);
    expect(JSON.parse(stdout)).toMatchObject({ texts: 60, ids: ids.length, sequences: sequences.length });
  });

  test("samples that are no texts are left out, and counted", () => {
    const file = fileOf("some.jsonl", text("a"), '{"image": "a.png", "caption": "b"}');
    const out = join(folder, "some.packed.jsonl");
    const { status, stderr } = flamboyance("data", "pack", file, "--tokenizer", TOKENIZER, "--out", out);
    expect(status).toBe(0);
    expect(stderr).toContain("line 2 is a caption, and what is wanted is a text");
    expect(stderr).toContain("1 line left out");
  });

  test("files without any text are named, and nothing is written", () => {
    const file = fileOf("captions.jsonl", '{"image": "a.png", "caption": "b"}');
    const out = join(folder, "none.packed.jsonl");
    const { status, stderr } = flamboyance("data", "pack", file, "--tokenizer", TOKENIZER, "--out", out);
    expect([status, existsSync(out)]).toEqual([2, false]);
    expect(stderr).toContain(`${file}: there is no text to pack`);
  });
});

test.each([
  [["check"], "data check takes files"],
  [["check", "a.jsonl", "--kind", "x"], "--kind is one of text, caption"],
  [["mix", "a.jsonl=1"], "at least two files"],
  [["mix", "a.jsonl", "b.jsonl=1", "--count", "1", "--out", "x"], 'not "a.jsonl"'],
  [["mix", "a.jsonl=0", "b.jsonl=1", "--count", "1", "--out", "x"], 'not "a.jsonl=0"'],
  [["mix", "a.jsonl=1", "b.jsonl=1"], "--count N"],
  [["pack", "a.jsonl"], "--tokenizer FOLDER"],
  [["pack"], "data pack takes files"],
  [["check", "a.jsonl", "--seed", "1"], 'there is no option "--seed"'],
])("data %j is a mistake of usage", (args, message) => {
  const { status, stdout, stderr } = flamboyance("data", ...args);
  expect([status, stdout]).toEqual([3, ""]);
  expect(stderr).toContain(message);
});

test("files that are not there are named", () => {
  const { status, stderr } = flamboyance("data", "check", join(folder, "nothing.jsonl"));
  expect(status).toBe(2);
  expect(stderr).toContain("nothing.jsonl");
});
