// `flamboyance digits caption` and the end of the tour, of 64-captions.md.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PNG } from "pngjs";
import { describe, expect, test } from "vitest";
import { readDigits } from "../../src/demos/digits/data.ts";
import { loadDigitsModel } from "../../src/demos/digits/model.ts";
import { loadSafetensors } from "../../src/io/safetensors/read.ts";
import { saveSafetensors } from "../../src/io/safetensors/write.ts";
import { sizeOf, Tensor, tensor, view } from "../../src/tensor/tensor.ts";
import { widthOf } from "../../src/terminal/width.ts";
import { flamboyance } from "../support/fixtures/command.ts";
import { temporary } from "../support/fixtures/temporary.ts";

const workspace = temporary();
const { heldOut } = readDigits("golden/data/digits.safetensors");
const { depth } = loadDigitsModel("golden/models/digits.safetensors");
const caption = (...args: string[]) => flamboyance("digits", "caption", ...args);

const four = heldOut.findIndex(({ digit }) => digit === 4);

/** A file with a held-out four, black on white, eight times as large. */
function fileOfFour(): string {
  const path = join(workspace, "four.png");
  const image = new PNG({ width: 64, height: 64 });
  for (let y = 0; y < 64; y++)
    for (let x = 0; x < 64; x++) {
      const ink = heldOut[four]?.pixels[(y >> 3) * 8 + (x >> 3)] ?? 0;
      image.data.set([255 - 255 * ink, 255 - 255 * ink, 255 - 255 * ink, 255], 4 * (64 * y + x));
    }
  writeFileSync(path, PNG.sync.write(image));
  return path;
}

test("[generate.attend] a PNG file and a number are captioned, with the attention of each token", () => {
  const { status, stdout, stderr } = caption(fileOfFour(), String(four), "--json", "--attend");
  expect([status, stderr]).toEqual([0, ""]);
  const { captions, tokens, attended } = JSON.parse(stdout);
  expect(captions).toHaveLength(2);
  for (const text of captions) expect(text).toMatch(/four \.$/);
  expect(attended).toHaveLength(depth);
  expect(attended[0]).toHaveLength(tokens.length);
});

test("[generate.attend] the drawing has the picture and a row of percentages for each token", () => {
  const { stdout } = caption(String(four), "--attend");
  expect(stdout).toMatch(/█/);
  expect(stdout).toMatch(/\n +token +layer 0 +layer 1/);
  expect(stdout).toMatch(/\n +four( +100){4}\n/);
});

test("[generate.sampled] the same --seed samples the same captions", () => {
  const sample = (...args: string[]) => caption("0", "1", "--json", ...args).stdout;
  const five = sample("--sample", "--seed", "5");
  expect(sample("--sample", "--seed", "5")).toBe(five);
  expect(sample("--sample", "--seed", "6", "--temperature", "3", "--top-k", "9")).not.toBe(five);
});

describe("mistakes", () => {
  test.each([
    [["generate", "0"], 3, "digits caption"],
    [["digits"], 3, "caption"],
    [["digits", "frame", "0"], 3, "frame"],
    [["digits", "caption"], 3, "1 to 4"],
    [["digits", "caption", "0", "--top-k", "3"], 3, "--sample"],
    [["digits", "caption", "99999"], 3, "0 to 298"],
    [["digits", "caption", "0", "--sample", "--temperature", "-1"], 3, "--temperature"],
    [["digits", "caption", "nowhere.png"], 2, "nowhere.png"],
    [["digits", "caption", "package.json"], 2, "package.json"],
  ])("[generate.options] %j exits with %i", (args, exit, word) => {
    const { status, stderr, stdout } = flamboyance(...args);
    expect(stderr).toContain(word);
    expect([status, stdout]).toEqual([exit, ""]);
  });
});

/** The model of the package with other metadata or other tensors. */
function modelWith(
  name: string,
  metadata: Record<string, string>,
  tensors: [string, Tensor | null][] = [],
): string {
  const file = loadSafetensors("golden/models/digits.safetensors");
  const all = new Map(file.keys.map((key): [string, Tensor] => [key, file.tensor(key)]));
  for (const [key, t] of tensors) {
    if (t) all.set(key, t);
    else all.delete(key);
  }
  const path = join(workspace, name);
  saveSafetensors(path, all, {
    floats: "F16",
    metadata: new Map([...file.metadata, ...Object.entries(metadata)]),
  });
  return path;
}

describe("model files", () => {
  test.each(["1e9", "1000000000", "Infinity", "NaN", "-1", "0", "3", "4.0", "04", "", "\u001b[31m"])(
    "[digits.model-file] a depth of %j is refused in seconds and within 500 MB",
    (claimed) => {
      const since = performance.now();
      const run = spawnSync(
        process.execPath,
        [
          "--max-old-space-size=400",
          "dist/cli/main.js",
          "digits",
          "caption",
          "3",
          "--model",
          modelWith("m", { depth: claimed }),
        ],
        { encoding: "utf8" },
      );
      expect(run.stderr).toContain(
        `its depth is ${JSON.stringify(claimed)}, and it has ${depth} layers; train the model again`,
      );
      expect([run.status, run.stdout]).toEqual([2, ""]);
      expect(performance.now() - since).toBeLessThan(20_000);
    },
  );

  test("[digits.model-file] missing, additional and misshapen tensors are refused", () => {
    const weight = "token_emb.weight";
    const { shape } = loadSafetensors("golden/models/digits.safetensors").tensor(weight);
    const notFinite = new Tensor(shape, view(new Float64Array(sizeOf(shape)).fill(Number.NaN), shape));
    const changes: [string, [string, Tensor | null][], string][] = [
      ["missing", [[weight, null]], weight],
      ["shape", [[weight, tensor("n", [1])]], weight],
      ["more", [["other\u001b[2J", tensor("n", [1])]], "other"],
      ["nan", [[weight, notFinite]], `weight "${weight}" is NaN at [0 0]`],
      ["layer", [["layers.1000000000.0.fn.norm.gamma", tensor("n", [1])]], `it has ${depth + 1} layers`],
    ];
    for (const [name, tensors, words] of changes) {
      const { status, stdout, stderr } = caption("3", "--model", modelWith(name, {}, tensors));
      expect(stderr).toContain(words);
      expect(stderr).toContain(`${join(workspace, name)} is broken`);
      expect(stderr).not.toContain("\u001b");
      expect([status, stdout]).toEqual([2, ""]);
    }
  });
});

test("four pictures and their attention fit 80 columns", () => {
  const { stdout } = caption("0", "1", "2", "3", "--attend");
  expect(stdout.split("\n").filter((line) => widthOf(line) > 80)).toEqual([]);
});

test("[generate.tour] the tour ends with captioned pictures", () => {
  const { status, stdout } = flamboyance(
    "check",
    "golden/cases/flamingo-pytorch/palm-layer-norm--two-axes",
    "--tour",
  );
  expect(status).toBe(0);
  expect(stdout).toMatch(
    /Held-out digits[^\n]*\n\(flamboyance train digits[^\n]*\):\n\n[\s\S]*█[\s\S]* \.\s/,
  );
  expect(stdout.split("\n").filter((line) => widthOf(line) > 80)).toEqual([]);
});
