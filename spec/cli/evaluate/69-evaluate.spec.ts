// The executable half of 69-evaluate.md. The language model is a Markov chain whose log-probabilities are those of its table.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { contextOf } from "../../../src/cli/evaluate/answering.ts";
import { drawnShots } from "../../../src/evaluation/runs/shots.ts";
import { flamboyance } from "../../support/fixtures/command.ts";
import { writeJsonLines } from "../../support/fixtures/files/json-lines.ts";
import {
  bytesOf,
  chainOf,
  END,
  idOf,
  writeChainFolder,
} from "../../support/fixtures/folders/chain-folder.ts";
import {
  END_OF_CHUNK,
  writeFlamingoFolder,
  writePicture,
} from "../../support/fixtures/folders/flamingo-folder.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const folder = temporary();
const at = (name: string): string => join(folder, name);
const fileOf = (name: string, lines: readonly object[]): string => writeJsonLines(at(name), lines);

const chain = chainOf(
  [bytesOf("x "), [...bytesOf(":k"), END], bytesOf("? ")],
  [
    [
      idOf(" "),
      [
        [idOf("a"), 0.5],
        [idOf("b"), 0.3],
        [idOf("c"), 0.2],
      ],
    ],
    [
      idOf("a"),
      [
        [idOf("d"), 0.1],
        [END, 0.9],
      ],
    ],
    [
      idOf("b"),
      [
        [idOf("e"), 0.9],
        [END, 0.1],
      ],
    ],
  ],
);
beforeAll(async () => {
  writeChainFolder(at("chain"), { chain });
  await writeFlamingoFolder(at("flamingo"), chainOf([[...bytesOf(':"a dog'), END_OF_CHUNK]], []), 0);
  for (const [i, name] of ["one.png", "two.png"].entries()) await writePicture(at(name), i + 1);
});

const run = (model: string, task: string, data: string, ...more: string[]) =>
  flamboyance(
    "evaluate",
    "--model",
    at(model),
    "--task",
    task,
    "--data",
    data,
    "--backend",
    "reference",
    ...more,
  );
const recordsIn = (path: string) =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

const choices = () =>
  fileOf("choices.jsonl", [
    { context: "x", choices: ["a", "b", "c"], answer: 0 },
    { context: "x", choices: ["ad", "be", "c"], answer: 1 },
    { context: "x", choices: ["b", "ad"], answer: 1 },
  ]);

describe("choices", () => {
  test("[runs.choices] the log-probabilities of a choice are those of a space and its tokens", () => {
    const out = at("choices.out");
    rmSync(out, { force: true });
    const { status, stderr } = run("chain", "rank", choices(), "--out", out);
    expect([status, stderr]).toEqual([0, ""]);
    const [, first, second, third, { scores }] = recordsIn(out);
    // The space is certain behind x, so that the sums are those of the letters.
    const logs = (...ps: number[]) => ps.map(Math.log);
    const close = (given: number[], wanted: number[]) => {
      expect(given.length).toBe(wanted.length);
      for (const [i, value] of given.entries()) expect(value).toBeCloseTo(wanted[i] ?? 0, 5);
    };
    close(first.sums, logs(0.5, 0.3, 0.2));
    close(second.sums, logs(0.05, 0.27, 0.2));
    close(
      second.means,
      logs(0.05, 0.27, 0.2).map((sum, i) => sum / ([3, 3, 2][i] ?? 0)),
    );
    close(third.sums, logs(0.3, 0.05));
    // By the sum the third one is wrong: b has 0.3. By the mean as well: ln 0.3 / 2 = −0.60, ln 0.05 / 3 = −1.
    expect(scores.metrics.map(({ mean }: { mean: number }) => mean)).toEqual([2 / 3, 2 / 3]);
  });

  test("demonstrations are drawn from the file, and end with their right choice", () => {
    const out = at("shots.out");
    rmSync(out, { force: true });
    run("chain", "rank", choices(), "--out", out, "--shots", "2", "--seed", "5");
    const [header, ...records] = recordsIn(out);
    expect(header.evaluation).toMatchObject({ shots: 2, seed: 5, task: "rank" });
    for (const [example, record] of records.slice(0, 3).entries()) {
      const drawn = drawnShots(3, { shots: 2, seed: 5, example, own: example });
      expect(record.demonstrations).toEqual(drawn.map((i) => i + 1));
      expect(record.sums.length).toBeGreaterThan(1);
    }
  });
});

test("an answer ends at a line break, greedily and with beams", () => {
  writeChainFolder(at("talking"), { chain: chainOf([[...bytesOf(":k\nR"), END]], []) });
  const data = fileOf("one-question.jsonl", [{ question: "Q", answers: ["k"] }]);
  for (const beams of [[], ["--beams", "2"]]) {
    const out = at("talking.out");
    rmSync(out, { force: true });
    const { status, stderr } = run("talking", "vqa", data, "--out", out, ...beams);
    expect([status, stderr]).toEqual([0, ""]);
    expect(recordsIn(out)[1].answer).toBe("k");
  }
});

test("questions are answered by a language model, and scored", () => {
  const data = fileOf("questions.jsonl", [
    { question: "Q", answers: ["k"] },
    { question: "R", answers: ["a k."] },
    { question: "S", answers: ["no"] },
    { question: "T", image: "one.png", answers: ["k"] },
  ]);
  const { status, stdout, stderr } = run("chain", "vqa", data, "--json");
  expect(status).toBe(0);
  expect(stderr).toContain(`${data}, line 4: the model is a language model, which reads no images`);
  const document = JSON.parse(stdout);
  expect(document).toMatchObject({ task: "vqa", examples: 3, leftOut: 1, linesLeftOut: 0 });
  const means = Object.fromEntries(
    document.metrics.map(({ name, mean }: { name: string; mean: number }) => [name, mean]),
  );
  expect(means["exact match"]).toBeCloseTo(2 / 3, 12);
});

test("captions are generated behind demonstrations, and pictures that are missing or broken are left out", () => {
  writeFileSync(at("broken.png"), "no picture");
  const data = fileOf("captions.jsonl", [
    { image: "one.png", caption: "a dog" },
    { image: "two.png", caption: "two cats" },
    { image: "none.png", caption: "nothing" },
    { image: "broken.png", caption: "broken" },
    { image: "one.png", caption: "the dog" },
  ]);
  const demos = fileOf("demos.jsonl", [{ image: "two.png", caption: "cats" }]);
  const { status, stdout, stderr } = run("flamingo", "caption", data, "--demos", demos, "--shots", "1");
  expect(status).toBe(0);
  expect(stderr).toMatch(/captions\.jsonl, line 3: .*none\.png/);
  expect(stderr).toMatch(/captions\.jsonl, line 4: .*broken\.png/);
  expect(stdout).toContain("caption, 1 demonstration, 2 examples");
  expect(stdout).toContain("2 examples left out");
  expect(stdout).toMatch(/exact match +0\.5000/);
  const stopped = run("flamingo", "caption", data, "--stop");
  expect([stopped.status, stopped.stdout]).toEqual([2, ""]);
  expect(stopped.stderr).toContain("line 3");
});

describe("the file of a run", () => {
  const many = () =>
    fileOf(
      "many.jsonl",
      Array.from({ length: 40 }, (_, i) => ({ context: "x", choices: ["a", "be", "c"], answer: i % 3 })),
    );
  const args = (out: string) => [
    "evaluate",
    "--model",
    at("chain"),
    "--task",
    "rank",
    "--data",
    many(),
    "--shots",
    "1",
    "--backend",
    "reference",
    "--out",
    out,
  ];

  test("two runs leave the same bytes, and one that has its scores needs no model", () => {
    const [first, second] = [at("first.out"), at("second.out")];
    const { stdout } = flamboyance(...args(first));
    flamboyance(...args(second));
    expect(readFileSync(second)).toEqual(readFileSync(first));
    expect(flamboyance(...args(first)).stdout).toBe(stdout);
    expect(flamboyance(...args(first), "--seed", "2")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('its "seed" is another'),
    });
  });

  const captions = () =>
    fileOf(
      "many-captions.jsonl",
      Array.from({ length: 40 }, (_, i) => ({
        image: `${"./".repeat(i >> 1)}${i % 2 ? "two" : "one"}.png`,
        caption: "a dog",
      })),
    );
  const ofFlamingo = (out: string) => [
    ...["evaluate", "--model", at("flamingo"), "--task", "caption", "--data", captions(), "--shots", "1"],
    ...["--rices", "--backend", "reference", "--out", out],
  ];

  test.each([
    ["a language model", "text", args],
    ["an OpenFlamingo", "images", ofFlamingo],
  ])(
    "a run of %s that is killed and continued leaves the same bytes",
    { timeout: 120_000 },
    async (_, name, command) => {
      const whole = at(`whole-${name}.out`);
      expect(flamboyance(...command(whole)).status).toBe(0);
      const killed = at(`killed-${name}.out`);
      for (let lines = 0; lines < 42; ) {
        const child = spawn(process.execPath, ["dist/cli/main.js", ...command(killed)], { stdio: "ignore" });
        const ended = once(child, "exit");
        const isDone = () =>
          existsSync(killed) && readFileSync(killed, "utf8").split("\n").length > lines + 12;
        while (child.exitCode === null && !isDone()) await new Promise((resolve) => setTimeout(resolve, 5));
        child.kill("SIGKILL");
        await ended;
        lines = readFileSync(killed, "utf8").split("\n").length - 1;
      }
      expect(readFileSync(killed)).toEqual(readFileSync(whole));
    },
  );
});

test.each([
  ["maxTokens", ["--max-tokens", "3"]],
  ["beams", ["--beams", "2"]],
])("[runs.resume] answers with another %s are not continued", (name, more) => {
  const data = fileOf("asked.jsonl", [{ question: "Q", answers: ["k"] }]);
  const out = at("asked.out");
  rmSync(out, { force: true });
  expect(run("chain", "vqa", data, "--out", out).status).toBe(0);
  const { status, stderr } = run("chain", "vqa", data, "--out", out, ...more);
  expect([status, stderr]).toEqual([2, expect.stringContaining(`"${name}" is another`)]);
});

describe("another file in --out", () => {
  const data = () => choices();
  const whole = (): string[] => {
    const out = at("own.out");
    rmSync(out, { force: true });
    run("chain", "rank", data(), "--out", out);
    return readFileSync(out, "utf8").trimEnd().split("\n");
  };
  const record = { example: 0, line: 1, demonstrations: [], sums: [0, 0, 0], means: [0, 0, 0] };
  const refused = "is not of this evaluation; remove the file, or name another one with --out";

  test.each([
    ["no record", { note: "mine" }],
    ["the record of another example", { ...record, example: 1 }],
    ["the record of another line", { ...record, line: 2 }],
    ["a record without scores", { ...record, sums: [] }],
    ["a record of another task", { ...record, answer: "a", sums: undefined, means: undefined }],
    ["a record with a score that is none", { ...record, sums: [0, "0", 0] }],
    ["a record with a field that is none", { ...record, more: 1 }],
    ["scores before the end", { scores: {} }],
  ])("[runs.resume] %s is refused, and the file stays as it is", (_, line) => {
    const out = at("other.out");
    const text = `${whole()[0]}\n${JSON.stringify(line)}\n`;
    writeFileSync(out, text);
    const { status, stdout, stderr } = run("chain", "rank", data(), "--out", out);
    expect([status, stdout, stderr]).toEqual([2, "", `flamboyance: ${out}, line 2 ${refused}\n`]);
    expect(readFileSync(out, "utf8")).toBe(text);
  });

  test("lines behind the scores, and lines that are no JSON, are refused", () => {
    const [out, lines] = [at("behind.out"), whole()];
    writeFileSync(out, `${[...lines, lines[1]].join("\n")}\n`);
    expect(run("chain", "rank", data(), "--out", out).stderr).toContain(`line ${lines.length} ${refused}`);
    writeFileSync(out, "# notes\n");
    expect(run("chain", "rank", data(), "--out", out).stderr).toContain(`line 1 ${refused}`);
  });

  test("[runs.resume] records of other weights are not continued; without the model, scores are printed", () => {
    writeChainFolder(at("changing"), { chain });
    const out = at("changing.out");
    rmSync(out, { force: true });
    const { stdout } = run("changing", "rank", data(), "--out", out);
    rmSync(at("changing"), { recursive: true });
    expect(run("changing", "rank", data(), "--out", out)).toMatchObject({ status: 0, stdout });
    writeChainFolder(at("changing"), { chain: chainOf([bytesOf("x a")]) });
    const other = run("changing", "rank", data(), "--out", out);
    expect([other.status, other.stderr]).toEqual([2, expect.stringContaining('"modelDigest" is another')]);
  });

  test.each([
    ["its tokenizer", "tokenizer_config.json", true],
    ["the settings of its generation", "language/generation_config.json", true],
    ["the language model that its settings name", "language/config.json", true],
    ["its image tower", "vision/config.json", true],
    ["a report", "report.md", false],
    ["other results", "results.jsonl", false],
  ])("[runs.model] a change of %s makes another model, or not", async (_, name, isOther) => {
    const captions = fileOf("one-caption.jsonl", [{ image: "one.png", caption: "a dog" }]);
    const out = at("linked.out");
    for (const path of [out, at("linked"), at("elsewhere")]) rmSync(path, { recursive: true, force: true });
    await writeFlamingoFolder(at("linked"), chainOf([[...bytesOf(':"a dog'), END_OF_CHUNK]], []), 0);
    renameSync(at("linked/language"), at("elsewhere"));
    const settings = at("linked/open-flamingo.json");
    const json = JSON.parse(readFileSync(settings, "utf8"));
    writeFileSync(settings, JSON.stringify({ ...json, lang_encoder_path: "../elsewhere" }));
    const first = run("linked", "caption", captions, "--out", out);
    expect([first.status, first.stderr]).toEqual([0, ""]);
    const path = name.startsWith("language/")
      ? at(name.replace("language", "elsewhere"))
      : at(`linked/${name}`);
    const before = existsSync(path) ? readFileSync(path, "utf8") : "{}";
    writeFileSync(path, `${before} `);
    const again = run("linked", "caption", captions, "--out", out);
    if (isOther)
      expect([again.status, again.stderr]).toEqual([2, expect.stringContaining('"modelDigest" is another')]);
    else expect(again).toMatchObject({ status: 0, stdout: first.stdout });
  });

  test("what is no file is named", () => {
    const { status, stderr } = run("chain", "rank", data(), "--out", "/dev/null");
    expect([status, stderr]).toEqual([2, expect.stringContaining("/dev/null: it is not a file; name one")]);
  });
});

test("[shots.others] an example is none of its demonstrations, whatever the name of their file", () => {
  const data = choices();
  const copy = fileOf("copy.jsonl", []);
  writeFileSync(copy, readFileSync(data));
  for (const demos of [`${folder}/./choices.jsonl`, copy]) {
    const out = at("names.out");
    rmSync(out, { force: true });
    const { status, stderr } = run("chain", "rank", data, "--demos", demos, "--shots", "2", "--out", out);
    expect([status, stderr]).toEqual([0, ""]);
    const shown = recordsIn(out).slice(1, 4);
    expect(shown.map(({ demonstrations }) => demonstrations.toSorted())).toEqual([
      [2, 3],
      [1, 3],
      [1, 2],
    ]);
  }
});

test("an example that cannot be used is named, also before a line that is none", () => {
  const data = fileOf("both.jsonl", [
    { image: "none.png", caption: "nothing" },
    { image: "one.png", caption: "a dog" },
    { note: "no sample" },
  ]);
  const { stdout, stderr } = run("flamingo", "caption", data);
  expect(stderr).toMatch(/both\.jsonl, line 3: a sample has one of the fields/);
  expect(stderr).toMatch(/both\.jsonl, line 1: .*none\.png/);
  expect(stdout).toContain("1 example left out\n1 line of the files left out");
});

test("a text that is longer than the model's is left out, and lines beyond the printed ones are counted", () => {
  writeChainFolder(at("short"), { chain, config: { max_position_embeddings: 20 } });
  const long = (n: number) => ({ context: "x".repeat(n), choices: ["a", "be"], answer: 0 });
  const none = Array.from({ length: 23 }, () => ({ note: "no sample" }));
  const data = fileOf("long.jsonl", [long(100_000), long(17), long(18), ...none]);
  const { status, stdout, stderr } = run("short", "rank", data);
  expect(status).toBe(0);
  // A space and two letters are three tokens: 17 letters fit, 18 do not.
  expect(stderr).toContain("line 1: the text with its longest choice has 100003 tokens, and a text of this");
  expect(stderr).toContain("line 3: the text with its longest choice has 21 tokens");
  expect(stdout).toContain("0 demonstrations, 1 example\n");
  expect(stdout).toContain(
    "2 examples left out\n23 lines of the files left out, 3 of them not shown above\n",
  );
});

test("a demonstration ends with its right choice, and a space in front of text alone", () => {
  const example = (line: number, image: string | null) => ({
    line,
    image,
    question: `Q${line}`,
    texts: ["no", "yes"],
    right: 1,
  });
  const [text, picture] = [example(1, null), example(2, "a.png")];
  expect(contextOf([text, picture], text)).toEqual({ text: "Q1 yes<image>Q2 yes Q1", images: ["a.png"] });
  expect(contextOf([text], picture)).toEqual({ text: "Q1 yes<image>Q2", images: ["a.png"] });
  expect(contextOf([], picture).text).toBe("<image>Q2");
});

test("image tokens in contexts and choices are named", () => {
  const data = fileOf("markers.jsonl", [
    { context: "x <image>", choices: ["a", "b"], answer: 0 },
    { context: "x", choices: ["a", "<|endofchunk|>"], answer: 0 },
  ]);
  const { status, stderr } = run("chain", "rank", data);
  expect(status).toBe(2);
  expect(stderr).toContain("line 1: the context contains <image>");
  expect(stderr).toContain("line 2: a choice contains <|endofchunk|>");
});

test.each([
  [[], "evaluate needs --task"],
  [["--task", "x"], "--task is one of caption, vqa, name, rank, iq, describe"],
  [["--task", "rank"], "evaluate needs --data"],
  [["--task", "rank", "--data", "a.jsonl"], "evaluate needs --model"],
  [["--task", "rank", "--data", "a", "--model", "b", "--beams", "2"], "--beams generates answers"],
  [["--task", "rank", "--data", "a", "--model", "b", "--max-tokens", "2"], "--max-tokens bounds generated"],
  [["--task", "vqa", "--data", "a", "--model", "b", "--shots", "-1"], "--shots"],
  [["a.jsonl"], "evaluate takes options only"],
])("evaluate %j is a mistake of usage", (args, message) => {
  const { status, stdout, stderr } = flamboyance("evaluate", ...args);
  expect([status, stdout]).toEqual([3, ""]);
  expect(stderr).toContain(message);
});

test("files without examples, too many demonstrations, and folders that are none, are named", () => {
  const data = choices();
  const wrong = run("chain", "caption", data);
  expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining("has no example for caption")]);
  const few = run("chain", "rank", data, "--shots", "3");
  expect([few.status, few.stderr]).toEqual([
    2,
    expect.stringContaining("there are 2 beside the example itself"),
  ]);
  const none = run("nothing", "rank", data);
  expect([none.status, none.stderr]).toEqual([2, expect.stringContaining("there is no such folder")]);
});
