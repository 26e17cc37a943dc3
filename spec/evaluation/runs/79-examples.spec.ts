// Examples, their scores, and the file of an evaluation, of 79-runs.md.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fromBytes } from "#host";
import { Records } from "../../../src/cli/evaluate/records.ts";
import { goodSamples } from "../../../src/evaluation/data/samples.ts";
import {
  type Example,
  type ExampleRecord,
  examplesOf,
  type TaskName,
} from "../../../src/evaluation/runs/examples.ts";
import { metricsOf } from "../../../src/evaluation/runs/metrics.ts";
import { captionTokens } from "../../../src/evaluation/scorers/captions/caption-tokens.ts";
import { cider } from "../../../src/evaluation/scorers/cider.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const folder = temporary();

const examplesIn = (task: TaskName, ...lines: readonly object[]): Example[] => {
  const bytes = new TextEncoder().encode(lines.map((line) => JSON.stringify(line)).join("\n"));
  const refuse = ({ problem }: { problem: string }): never => {
    throw new Error(problem);
  };
  return examplesOf(task, goodSamples(fromBytes(bytes), "a.jsonl", null, refuse));
};

describe("examples", () => {
  test("[runs.examples] the captions of one image are one example", () => {
    const found = examplesIn(
      "caption",
      { image: "b.png", caption: "one" },
      { image: "a.png", caption: "two" },
      { image: "b.png", caption: "three" },
    );
    expect(found).toEqual([
      { line: 1, image: "b.png", question: "", texts: ["one", "three"], right: 0 },
      { line: 2, image: "a.png", question: "", texts: ["two"], right: 0 },
    ]);
  });

  test("[runs.examples] questions and choices, in their order", () => {
    expect(
      examplesIn(
        "vqa",
        { image: "a.png", question: "q", answers: ["x", "y"] },
        { question: "r", answers: ["z"] },
      ),
    ).toEqual([
      { line: 1, image: "a.png", question: "q", texts: ["x", "y"], right: 0 },
      { line: 2, image: null, question: "r", texts: ["z"], right: 0 },
    ]);
    expect(examplesIn("rank", { context: "c", choices: ["a", "b"], answer: 1 })).toEqual([
      { line: 1, image: null, question: "c", texts: ["a", "b"], right: 1 },
    ]);
  });
});

describe("scores", () => {
  const record = (example: number, more: Partial<ExampleRecord>): ExampleRecord => ({
    example,
    line: example + 1,
    demonstrations: [],
    ...more,
  });
  const means = (task: TaskName, examples: Example[], records: ExampleRecord[]) =>
    Object.fromEntries(metricsOf(task, examples, records).map(({ name, mean }) => [name, mean]));

  test("[runs.metrics] captions: CIDEr of all, and exact matches", () => {
    const examples = examplesIn(
      "caption",
      { image: "a", caption: "A cat sits." },
      { image: "a", caption: "the cat is here" },
      { image: "b", caption: "Two dogs run in a park." },
    );
    const records = [record(0, { answer: "a cat sits" }), record(1, { answer: "a dog" })];
    const own = cider([
      { candidate: captionTokens("a cat sits"), references: ["a cat sits", "the cat is here"] },
      { candidate: captionTokens("a dog"), references: ["two dogs run in a park"] },
    ]);
    const found = means("caption", examples, records);
    expect(found.CIDEr).toBeCloseTo(own.score, 12);
    expect(found["exact match"]).toBe(0.5);
  });

  test("[runs.metrics] questions: VQA accuracy, exact match and F1, by hand", () => {
    const examples = examplesIn(
      "vqa",
      { question: "q", answers: ["red", "red", "red", "red"] },
      { question: "r", answers: ["blue car"] },
    );
    const found = means("vqa", examples, [record(0, { answer: "Red" }), record(1, { answer: "a blue bus" })]);
    // Three others agree with each of the four; nobody agrees with the second one's only annotator.
    expect(found["VQA accuracy"]).toBe(0.5);
    expect(found["exact match"]).toBe(0.5);
    expect(found.F1).toBeCloseTo((1 + 0.5) / 2, 12); // blue of two words each
  });

  test("[runs.metrics] [runs.rank] choices: by the sum and by the mean, the first of equal ones", () => {
    const choice = { context: "c", choices: ["a", "b", "c"], answer: 0 };
    const examples = examplesIn("rank", choice, { ...choice, answer: 1 }, { ...choice, answer: 2 });
    const records = [
      record(0, { sums: [-1, -2, -3], means: [-1, -0.5, -1] }),
      record(1, { sums: [-4, -2, -3], means: [-1, -2, -3] }),
      record(2, { sums: [-1, -1, -1], means: [-3, -2, -1] }),
    ];
    const found = means("rank", examples, records);
    expect(found["accuracy, by the sum"]).toBeCloseTo(2 / 3, 12);
    expect(found["accuracy, by the mean"]).toBeCloseTo(1 / 3, 12);
  });
});

test("[runs.positive] [runs.metrics] the area under the ROC curve of the probability of a choice, by hand", () => {
  const choices = (answer: number, texts = ["no", "yes"]) => ({ context: "c", choices: texts, answer });
  const examples = examplesIn("rank", choices(1), choices(0), choices(0, ["yes", "no"]), choices(0));
  const sums = [
    [-3, -1], // yes 0.88, right
    [-1, -2], // yes 0.27, wrong
    [-9, -8], // yes 0.27, right: it is the first choice here, and equals the one before
    [-5, -1], // yes 0.98, wrong
  ];
  const records = sums.map((one, i) => ({
    example: i,
    line: i + 1,
    demonstrations: [],
    sums: one,
    means: one,
  }));
  const auc = metricsOf("rank", examples, records, "yes").find(({ name }) => name === "ROC AUC");
  expect(auc?.mean).toBe((1 + 0 + 0.5 + 0) / 4); // pairs: 0.88 above 0.27, below 0.98; 0.27 equal, below
  expect(auc?.n).toBe(4);
  const same = () => metricsOf("rank", examples.slice(0, 1), records.slice(0, 1), "yes");
  expect(same).toThrow("all labels are alike");
});

test("[runs.metrics] names, matrices and descriptions are scored by accuracy", () => {
  const named = examplesIn("name", { image: "a", caption: "Cat" }, { image: "b", caption: "dog" });
  const answers = ["a cat.", "cat"].map((answer, i) => ({ example: i, line: 1, demonstrations: [], answer }));
  expect(metricsOf("name", named, answers)).toMatchObject([{ name: "accuracy", mean: 0.5 }]);
  const matrix = { matrix: ["a", "b", "c"], candidates: ["d", "e"], answer: 1 };
  const matrices = examplesIn("iq", matrix);
  expect(matrices[0]).toMatchObject({ matrix: ["a", "b", "c"], texts: ["d", "e"], right: 1, image: null });
  const score = { example: 0, line: 1, demonstrations: [], sums: [-2, -1], means: [-1, -2] };
  expect(metricsOf("iq", matrices, [score])).toMatchObject([{ name: "accuracy", mean: 1 }]);
  const description = { image: "a", descriptions: ["x"], category: "bird", choices: ["b", "c"], answer: 1 };
  const described = examplesIn("describe", description);
  expect(described[0]).toMatchObject({ question: "bird", descriptions: ["x"], texts: ["b", "c"], right: 1 });
  expect(metricsOf("describe", described, [score]).map(({ mean }) => mean)).toEqual([1, 0]);
});

describe("the file of an evaluation", () => {
  const header = { task: "vqa", seed: 1 };
  const record = (example: number): ExampleRecord => ({
    example,
    line: example,
    demonstrations: [2],
    answer: "ä",
  });
  const expected = {
    task: "vqa" as const,
    examples: [0, 1, 2].map((line) => ({ line, image: null, question: "q", texts: ["ä"], right: 0 })),
  };
  /** Writes a file from wherever it is to its end, and returns how many records it had. */
  function run(path: string): number {
    const records = new Records(path, header, expected);
    const found = records.found.length;
    if (records.scores === null) {
      for (let i = found; i < 3; i++) records.add(record(i));
      records.finish({ "exact match": 1, demonstrationsLeftOut: 0 });
    }
    records.close();
    return found;
  }

  test("[runs.resume] a run that ended after any byte goes on to the same bytes", () => {
    const whole = join(folder, "whole.jsonl");
    expect(run(whole)).toBe(0);
    const bytes = readFileSync(whole);
    const ends = [...bytes.keys()].filter((i) => bytes[i] === 10);
    for (let n = 0; n <= bytes.length; n++) {
      const path = join(folder, "part.jsonl");
      writeFileSync(path, bytes.subarray(0, n));
      const lines = ends.filter((end) => end < n).length;
      expect(run(path)).toBe(Math.min(3, Math.max(0, lines - 1)));
      expect(readFileSync(path)).toEqual(bytes);
    }
  });

  test("[runs.resume] the file of another evaluation, or of something else, is left as it is", () => {
    const path = join(folder, "other.jsonl");
    run(path);
    const before = readFileSync(path);
    expect(() => new Records(path, { ...header, seed: 2 }, expected)).toThrow('its "seed" is another');
    expect(() => new Records(path, { ...header, shots: 2 }, expected)).toThrow('its "shots" is another');
    expect(readFileSync(path)).toEqual(before);
    const text = join(folder, "text.jsonl");
    writeFileSync(text, '{"text": "a"}\n');
    expect(() => new Records(text, header, expected)).toThrow("is not of this evaluation");
    writeFileSync(text, "no json\n");
    expect(() => new Records(text, header, expected)).toThrow("line 1 is not of this evaluation");
    expect(readFileSync(text, "utf8")).toBe("no json\n");
    writeFileSync(text, "a note"); // no whole line at all
    expect(() => new Records(text, header, expected)).toThrow("is not of this evaluation");
    expect(readFileSync(text, "utf8")).toBe("a note");
    mkdirSync(join(folder, "folder"));
    expect(() => new Records(join(folder, "folder"), header, expected)).toThrow("it is not a file");
  });
});
