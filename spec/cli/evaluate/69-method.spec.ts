// Options of `flamboyance evaluate` for other ways to put examples to a model. Prompts are written out as the release and the paper have them, and
// probabilities are those of the tables of Markov chains.
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type Answering, recordOf } from "../../../src/cli/evaluate/answering.ts";
import type { Method } from "../../../src/cli/evaluate/method.ts";
import { type EvaluatedModel, evaluatedModel } from "../../../src/cli/evaluate/models.ts";
import { ensembleOrders } from "../../../src/evaluation/classes.ts";
import { imageFeatures, towerOf } from "../../../src/evaluation/retrieval.ts";
import type { Example, TaskName } from "../../../src/evaluation/runs/examples.ts";
import { readImageFile } from "../../../src/io/images/read.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { loadClip } from "../../../src/pretrained/clip/load.ts";
import { rearrange } from "../../../src/tensor/ops/arrange.ts";
import { named } from "../../../src/tensor/pattern.ts";
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
  writeTower,
} from "../../support/fixtures/folders/flamingo-folder.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const folder = temporary();
const at = (name: string): string => join(folder, name);
const fileOf = (name: string, lines: readonly object[]): string => writeJsonLines(at(name), lines);

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
    folder = "chain",
    beams = {},
  }: {
    kind: EvaluatedModel["kind"];
    task: TaskName;
    method?: Partial<Method>;
    /** The text in place of which the chain is given a prompt. */
    ids?: (text: string) => string;
    folder?: string;
    beams?: { readonly beams?: number };
  },
  shown: readonly Example[],
  asked: Example,
) {
  const base = await evaluatedModel(at(folder));
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
    ...{
      generation: { maxTokens: 12, ...beams },
      backend: reference(),
      signal: new AbortController().signal,
    },
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

test("[evaluate.ensemble] log-probabilities are means over orders of the demonstrations, which the seed draws", async () => {
  const shown = ["D", "E", "F", "G"].map((question) =>
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
  const orders = ensembleOrders(4, 5);
  const asked = texts.filter((text) => text.endsWith(" Q"));
  expect([...new Set(asked)]).toEqual(
    orders.map((order) => `${order.map((place) => `${"DEFG"[place]} yes `).join("")}Q`),
  );
  const first = orders.filter(([place]) => place === 0).length;
  expect([orders.length, first % 6 > 0]).toEqual([6, true]);
  const mean = (x: number, y: number) => (first * Math.log(x) + (6 - first) * Math.log(y)) / 6;
  for (const values of [record.sums, record.means]) {
    expect(values?.[0]).toBeCloseTo(mean(0.5, 0.125), 5); // a choice is one token
    expect(values?.[1]).toBeCloseTo(mean(0.25, 0.5), 5);
  }
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

test.each([{}, { beams: 2 }])(
  "[evaluate.kosmos-chain] description and answer end before a further question, without spaces around them, with %j",
  async (beams) => {
    writeChainFolder(at("rambling"), { chain: chainOf([bytesOf(": kQuestion:")]) });
    const { record, texts } = await recorded(
      { kind: "kosmos", task: "vqa", method: { chain: true }, folder: "rambling", beams },
      [],
      example({ question: "Why?" }),
    );
    expect(texts.at(-1)).toBe("<image>k Question: Why? Answer:");
    expect(record).toEqual({ rationale: "k", answer: "k" });
  },
);

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
  expect(record.means).toEqual(record.sums); // "Yes" is one token here
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
  const marked = example({ question: "woodpecker", texts: ["a", "<image>"], descriptions: ["One."] });
  await expect(recorded({ kind: "kosmos", task: "describe" }, [], marked)).rejects.toThrow(
    "a choice contains <image>",
  );
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
    [`${"x".repeat(1_000_000)}\n`, "is longer than 1 MB"],
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

  test("[shots.same-picture] another line with the example's picture is no demonstration among the examples themselves, and is one in another file", () => {
    const lines = ["1.png", "2.png", "2.png", "4.png"].map((image, i) => ({
      image,
      question: `is it ${i}?`,
      answers: ["a dog"],
    }));
    const all = fileOf("twice.jsonl", lines);
    const out = at("twice.out");
    expect(run("flamingo", "vqa", all, "--rices", "--shots", "2", "--out", out).status).toBe(0);
    const shown = recordsIn(out)
      .slice(1, 5)
      .map(({ demonstrations }) => demonstrations);
    expect(shown.slice(1, 3).map((two) => [...two].sort())).toEqual([
      [1, 4],
      [1, 4],
    ]);
    const other = fileOf("other.jsonl", [
      ...lines,
      { image: "3.png", question: "is it?", answers: ["a cat"] },
    ]);
    const more = at("twice-other.out");
    const args = ["--demos", other, "--rices", "--shots", "2", "--out", more];
    expect(run("flamingo", "vqa", all, ...args).status).toBe(0);
    expect([...recordsIn(more)[2].demonstrations].sort()).toEqual([2, 3]);
    const few = run("flamingo", "vqa", all, "--rices", "--shots", "3", "--out", at("few-others.out"));
    expect(few.stderr).toContain("2 have a usable image, another than the example's");
  });

  test("[shots.similar] [runs.model] another tower compares in its own way, and its records are not continued", async () => {
    const names = [1, 2, 3, 4, 5, 6, 7, 8].map((i) => `side-${i}.png`);
    for (const [i, name] of names.entries()) await writePicture(at(name), i + 20);
    const all = fileOf(
      "sides.jsonl",
      names.map((image) => ({ image, caption: "a dog" })),
    );
    const [out, tower] = [at("tower.out"), at("tower")];
    const args = ["--rices", "--shots", "1", "--out", out, "--tower", tower];
    const found: number[][] = [];
    for (const seed of [6, 7]) {
      writeTower(tower, seed);
      rmSync(out, { force: true });
      expect(run("flamingo", "caption", all, ...args).status).toBe(0);
      const shown = recordsIn(out).slice(1, 9);
      found.push(shown.flatMap(({ demonstrations }) => demonstrations));
    }
    for (const [i, seed] of [6, 7].entries()) {
      writeTower(tower, seed);
      const { encoder, imageProcessor, close } = loadClip(tower);
      const pictures = await Promise.all(
        names.map(async (name) => imageProcessor(await readImageFile(at(name)))),
      );
      const batches = pictures.map((image) => named("b c h w", rearrange("c h w -> 1 c h w", image)));
      const features = await imageFeatures(towerOf(encoder), batches, { backend: reference() });
      close();
      const product = (a: ArrayLike<number>, b: ArrayLike<number>) =>
        Array.from(a).reduce((sum, x, k) => sum + x * (b[k] ?? 0), 0);
      const cosine = (a: ArrayLike<number>, b: ArrayLike<number>) =>
        product(a, b) / Math.sqrt(product(a, a) * product(b, b));
      const nearest = features.map((one, at) => {
        const others = features.map((other, k) => (k === at ? -2 : cosine(one, other)));
        return others.indexOf(Math.max(...others)) + 1;
      });
      expect(found[i]).toEqual(nearest);
    }
    expect(found[0]).not.toEqual(found[1]);
    writeTower(tower, 8);
    const other = run("flamingo", "caption", all, ...args);
    expect([other.status, other.stderr]).toEqual([2, expect.stringContaining('"towerDigest" is another')]);
    const usual = run("flamingo", "caption", all, "--shots", "1", "--out", out);
    expect(usual).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/"(?:rices|towerDigest)" is another/),
    });
    const [text, image] = [["--text-only"], []].map((more) => [...more, "--shots", "1", "--out", out]);
    rmSync(out);
    expect(run("flamingo", "caption", all, ...(image ?? [])).status).toBe(0);
    expect(run("flamingo", "caption", all, ...(text ?? [])).stderr).toContain('"textOnly" is another');
  });

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
    const few = run("flamingo", "caption", all, "--rices", "--shots", "2");
    expect([few.status, few.stderr]).toEqual([
      2,
      expect.stringContaining("asked for, and 1 have a usable image"),
    ]);
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
