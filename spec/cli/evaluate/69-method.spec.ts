// Options of `flamboyance evaluate` for other ways to put examples to a model. Prompts are written out as the release and the paper have them, and
// probabilities are those of the tables of Markov chains.
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type Answering, recordOf } from "../../../src/cli/evaluate/answering.ts";
import type { Method } from "../../../src/cli/evaluate/method.ts";
import { type EvaluatedModel, evaluatedModel } from "../../../src/cli/evaluate/models.ts";
import { ensembleOrders } from "../../../src/evaluation/classes.ts";
import type { Example, TaskName } from "../../../src/evaluation/runs/examples.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { flamboyance } from "../../support/fixtures/command.ts";
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
function fileOf(name: string, lines: readonly object[]): string {
  writeFileSync(at(name), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return at(name);
}

/** Behind "x " stand a or b, behind "y " they are less or more probable; ":" is followed by k. */
const chain = chainOf(
  [[...bytesOf(":k"), END]],
  [
    [
      idOf("x"),
      [
        [idOf("a"), 0.5],
        [idOf("b"), 0.25],
        [idOf(":"), 0.25],
      ],
    ],
    [
      idOf("y"),
      [
        [idOf("a"), 0.125],
        [idOf("b"), 0.5],
        [idOf(":"), 0.375],
      ],
    ],
  ],
);
beforeAll(async () => {
  writeChainFolder(at("chain"), { chain });
  await writeFlamingoFolder(at("flamingo"), chainOf([[...bytesOf(':"a dog'), END_OF_CHUNK]], []), 0);
  for (const i of [1, 2, 3, 4]) await writePicture(at(`${i}.png`), i);
  copyFileSync(at("3.png"), at("same.png"));
});

const usual: Method = {
  ...{ textOnly: false, rices: false, tower: null, orders: false },
  ...{ positive: null, chain: false, only: null },
};
const example = (more: Partial<Example>): Example => ({
  ...{ line: 1, image: "own.png", question: "", texts: ["an answer"], right: 0 },
  ...more,
});

/** A record by a model of another kind in place of which the chain answers, and the prompts that it was given. */
async function recorded(
  {
    kind,
    task,
    method = {},
    ids = (text) => text,
  }: {
    kind: EvaluatedModel["kind"];
    task: TaskName;
    method?: Partial<Method>;
    /** The text in place of which the chain is given a prompt. */
    ids?: (text: string) => string;
  },
  shown: readonly Example[],
  asked: Example,
) {
  const base = await evaluatedModel(at("chain"));
  const [texts, images]: [string[], (readonly string[])[]] = [[], []];
  const model: EvaluatedModel = {
    ...base,
    kind,
    idsOf(text) {
      texts.push(text);
      return base.idsOf(ids(text));
    },
    async withPictures(paths) {
      images.push(paths);
      return base.withPictures([]);
    },
  };
  const answering: Answering = {
    ...{ task, model, method: { ...usual, ...method }, only: [], seed: 5 },
    ...{ generation: { maxTokens: 4 }, backend: reference(), signal: new AbortController().signal },
  };
  const record = await recordOf(answering, shown, asked);
  base.close();
  return { record, texts, images };
}

test("demonstrations as text alone are those of open-flamingo's zero-shot evaluation", async () => {
  const shown = ["a cat", "two dogs"].map((text, i) => example({ image: `${i}.png`, texts: [text] }));
  const { texts, images } = await recorded(
    { kind: "open-flamingo", task: "caption", method: { textOnly: true }, ids: () => "x" },
    shown,
    example({}),
  );
  expect(texts[0]).toBe("Output:a cat<|endofchunk|>\nOutput:two dogs<|endofchunk|>\n<image>Output:");
  expect(images[0]).toEqual(["own.png"]);
});

test("names are asked for with the prompts of ImageNet", async () => {
  const shown = [example({ image: "0.png", texts: ["cat"] })];
  const prompt = async (kind: EvaluatedModel["kind"]) =>
    (await recorded({ kind, task: "name" }, shown, example({}))).texts[0];
  expect(await prompt("open-flamingo")).toBe("<image>Output:cat<|endofchunk|><image>Output:");
  expect(await prompt("kosmos")).toBe("<image>The photo of the cat<image>The photo of the");
});

test("[evaluate.ensemble] log-probabilities are means over orders of the demonstrations", async () => {
  const shown = ["D", "E", "F"].map((question) =>
    example({ image: null, question, texts: ["no", "yes"], right: 1 }),
  );
  const { record, texts } = await recorded(
    {
      kind: "text",
      task: "rank",
      method: { orders: true },
      // Where D stands first, the chain goes on from x, else from y.
      ids: (text) => (text.startsWith("D") ? "x" : "y") + (/ [ab]$/.exec(text)?.[0].trim() ?? ""),
    },
    shown,
    example({ image: null, question: "Q", texts: ["a", "b"] }),
  );
  const orders = ensembleOrders(3, 5);
  expect(orders).toHaveLength(6);
  const first = orders.filter(([place]) => place === 0).length;
  expect(first % 6).toBeGreaterThan(0);
  const mean = (x: number, y: number) => (first * Math.log(x) + (6 - first) * Math.log(y)) / 6;
  expect(record.sums?.[0]).toBeCloseTo(mean(0.5, 0.125), 5);
  expect(record.sums?.[1]).toBeCloseTo(mean(0.25, 0.5), 5);
  expect(texts[0]).toMatch(/^[DEF] yes [DEF] yes [DEF] yes Q$/);
});

test("[evaluate.kosmos-chain] a question stands behind the description that was generated", async () => {
  const { record, texts, images } = await recorded(
    { kind: "kosmos", task: "vqa", method: { chain: true } },
    [],
    example({ question: "Why?" }),
  );
  expect(texts).toEqual(["<image>Introduce this picture in detail:", "<image>k Question: Why? Answer:"]);
  expect(images).toEqual([["own.png"], ["own.png"]]);
  expect(record).toEqual({ rationale: "k", answer: "k" });
});

test("[evaluate.kosmos-iq] each candidate is scored by the probability of Yes", async () => {
  const matrix = ["m1.png", "m2.png", "m3.png"];
  let asked = 0;
  const { record, texts, images } = await recorded(
    // The chain knows no Yes: a and b stand for it behind x, one for each candidate.
    { kind: "kosmos", task: "iq", ids: (text) => (text.endsWith(" Yes") ? `x${"ab"[asked++]}` : "x") },
    [],
    example({ image: null, texts: ["c1.png", "c2.png"], matrix }),
  );
  expect(texts[0]).toBe(
    "Here are three images:<image><image><image>The following image is:<image>Is it correct?",
  );
  expect(images).toEqual([
    [...matrix, "c1.png"],
    [...matrix, "c2.png"],
  ]);
  expect(record.sums?.[0]).toBeCloseTo(Math.log(0.5), 5);
  expect(record.sums?.[1]).toBeCloseTo(Math.log(0.25), 5);
});

test("[evaluate.kosmos-descriptions] descriptions stand before the image", async () => {
  const { record, texts, images } = await recorded(
    { kind: "kosmos", task: "describe", ids: (text) => `x${/ ([ab])$/.exec(text)?.[1] ?? ""}` },
    [],
    example({ question: "woodpecker", texts: ["a", "b"], descriptions: ["One.", "Two."] }),
  );
  expect(texts[0]).toBe("One. Two.<image>Question:what is the name of woodpecker in the picture? Answer:");
  expect(images).toEqual([["own.png"]]);
  expect(record.sums?.[1]).toBeCloseTo(Math.log(0.25), 5);
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

describe("names that an answer can be", () => {
  const data = () => fileOf("question.jsonl", [{ question: "Q", answers: ["zz"] }]);

  test("the answer is one of them", () => {
    writeFileSync(at("names.txt"), "zz\n\nvv\n");
    const out = at("only.out");
    rmSync(out, { force: true });
    const { status, stderr } = run("chain", "vqa", data(), "--only", at("names.txt"), "--out", out);
    expect([status, stderr]).toEqual([0, ""]);
    expect(["zz", "vv"]).toContain(recordsIn(out)[1].answer); // without them it is k
    writeFileSync(at("names.txt"), "zz\n");
    expect(run("chain", "vqa", data(), "--only", at("names.txt"), "--out", out)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('"onlyDigest" is another'),
    });
  });

  test.each([
    ["a\nb\na\n", "line 3: the name stands twice"],
    ["\n \n", "has no names"],
    ["a\n<image>\n", "line 2 contains <image>"],
  ])("%j is refused", (text, message) => {
    writeFileSync(at("bad.txt"), text);
    const { status, stderr } = run("chain", "vqa", data(), "--only", at("bad.txt"));
    expect([status, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});

describe("demonstrations by similarity", () => {
  const demos = () =>
    fileOf(
      "pool.jsonl",
      ["1.png", "none.png", "2.png", "same.png", "4.png"].map((image) => ({ image, caption: "a dog" })),
    );
  const data = () =>
    fileOf("query.jsonl", [
      { image: "3.png", caption: "a dog" },
      { image: "2.png", caption: "a dog" },
    ]);

  test.each([[[]], [["--tower", "flamingo/vision"]]])(
    "[shots.similar] equal pixels come last, next to the example, with %j",
    (more) => {
      const out = at("rices.out");
      rmSync(out, { force: true });
      const tower = more.map((one) => (one.startsWith("-") ? one : at(one)));
      const args = [data(), "--demos", demos(), "--rices", "--shots", "2", "--out", out, ...tower] as const;
      const { status, stdout, stderr } = run("flamingo", "caption", ...args);
      expect(status).toBe(0);
      expect(stdout).toContain("1 demonstration left out, which has no image that can be read");
      expect(stderr).toMatch(/pool\.jsonl, line 2: no demonstration: .*none\.png/);
      const [, first, second] = recordsIn(out);
      expect([first.demonstrations.at(-1), second.demonstrations.at(-1)]).toEqual([4, 3]);
      expect(first.demonstrations).toHaveLength(2);
      // The number is kept: a run that has its scores prints it again, and one that lacks them alone finds it again.
      const whole = readFileSync(out, "utf8");
      expect(run("flamingo", "caption", ...args).stdout).toBe(stdout);
      writeFileSync(out, whole.slice(0, whole.lastIndexOf("\n", whole.length - 2) + 1));
      const json = JSON.parse(run("flamingo", "caption", ...args, "--json").stdout);
      expect(json).toMatchObject({ examples: 2, leftOut: 0, demonstrationsLeftOut: 1 });
      expect(readFileSync(out, "utf8")).toBe(whole);
    },
  );

  test("an example that cannot be used is named, although it is no demonstration either", () => {
    const all = fileOf(
      "holes.jsonl",
      ["1.png", "none.png", "2.png", "gone.png"].map((image) => ({ image, caption: "a dog" })),
    );
    const { status, stdout, stderr } = run("flamingo", "caption", all, "--rices", "--shots", "1");
    expect(status).toBe(0);
    for (const line of [2, 4]) {
      expect(stderr).toContain(`line ${line}: no demonstration:`);
      expect(stderr).toContain(`line ${line}: cannot open`);
    }
    expect(stdout).toContain("2 examples left out\n2 demonstrations left out, which have no image");
  });

  test("[shots.others] an example is not similar to itself", () => {
    const out = at("own.out");
    rmSync(out, { force: true });
    const all = fileOf(
      "own.jsonl",
      ["1.png", "3.png", "same.png"].map((image) => ({ image, question: "Q", answers: ["x"] })),
    );
    expect(run("flamingo", "vqa", all, "--rices", "--shots", "1", "--out", out).status).toBe(0);
    expect(
      recordsIn(out)
        .slice(2, 4)
        .map((one) => one.demonstrations),
    ).toEqual([[3], [2]]);
  });
});

test.each([
  ["caption", ["--text-only"], "give --shots 2"],
  ["rank", ["--text-only", "--shots", "2"], "--text-only is an option of caption"],
  ["caption", ["--rices"], "give their number with --shots"],
  ["caption", ["--tower", "t"], "--tower compares images for --rices"],
  ["caption", ["--orders", "--shots", "2"], "--orders averages log-probabilities of rank"],
  ["rank", ["--orders", "--shots", "1"], "--orders needs at least two"],
  ["vqa", ["--positive", "yes"], "--positive names a choice of rank"],
  ["caption", ["--chain"], "its task is vqa"],
  ["vqa", ["--chain", "--shots", "2"], "--chain has no demonstrations"],
  ["vqa", ["--chain", "--only", "n"], "--only and --chain do not go together"],
  ["rank", ["--only", "n"], "--only restricts generated answers"],
  ["iq", ["--shots", "1"], "iq has no demonstrations"],
  ["describe", ["--shots", "1"], "describe has descriptions for demonstrations"],
  ["iq", ["--beams", "2"], "--beams generates answers; iq scores choices"],
  ["vqa", ["--chain"], "--chain has prompts of KOSMOS-1"],
  ["iq", [], "iq has prompts of KOSMOS-1"],
  ["vqa", ["--text-only", "--shots", "2"], "--text-only is open-flamingo's"],
  ["vqa", ["--rices", "--shots", "2"], "a language model has no tower"],
])("%s with %j is a mistake of usage", (task, more, message) => {
  const { status, stdout, stderr } = run("chain", task, "a.jsonl", ...more);
  expect([status, stdout]).toEqual([3, ""]);
  expect(stderr).toContain(message);
});

test("[runs.positive] a line without the choice is named; the others are scored", () => {
  const data = fileOf("memes.jsonl", [
    { context: "x", choices: ["a", "b"], answer: 0 },
    { context: "y", choices: ["a", "b"], answer: 1 },
    { context: "x", choices: ["a", "c"], answer: 0 },
  ]);
  const { status, stdout, stderr } = run("chain", "rank", data, "--positive", "b");
  expect(status).toBe(0);
  expect(stderr).toContain('line 3: it has no choice "b", which --positive names');
  expect(stdout).toMatch(/ROC AUC +0\.5000/); // both lines have the same probability of b, which counts half
});
