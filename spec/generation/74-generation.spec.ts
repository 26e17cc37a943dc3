// The executable half of 74-generation.md.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { readPng } from "../../src/cli/png.ts";
import { IMAGE, NUMBERS, STOP, VOCABULARY } from "../../src/demos/digits/captions.ts";
import { asSequences, type Picture, readDigits } from "../../src/demos/digits/data.ts";
import { digitsModel, loadDigitsModel, withBehaviour } from "../../src/demos/digits/model.ts";
import { attentionMaps } from "../../src/generation/attention-maps.ts";
import { greedy, sampled } from "../../src/generation/choose.ts";
import { generate } from "../../src/generation/generate.ts";
import { conventions } from "../../src/masks/conventions/conventions.ts";
import { temporary } from "../support/fixtures/temporary.ts";

const workspace = temporary();
const { heldOut } = readDigits("golden/data/digits.safetensors");
const model = loadDigitsModel("golden/models/digits.safetensors");
const flamboyance = (...args: string[]) =>
  spawnSync(process.execPath, ["dist/cli/main.js", ...args], { encoding: "utf8" });

describe("choosing a token", () => {
  const logits = Float64Array.of(0, 2, -1, 2, -Infinity);
  test("[generate.greedy] the highest logit; ties go to the lowest id", () => {
    expect(greedy(logits)).toBe(1);
    expect(greedy(Float64Array.of(-5, -3))).toBe(1);
  });

  const counts = (options: object, n = 4000) => {
    const choose = sampled({ seed: 7, ...options });
    const shares = new Array<number>(logits.length).fill(0);
    for (let i = 0; i < n; i++) {
      const id = choose(logits);
      shares[id] = (shares[id] ?? 0) + 1 / n;
    }
    return shares;
  };
  test.each([0.5, 1, 2])(
    "[generate.sampled] shares are the probabilities at temperature %d",
    (temperature) => {
      const powers = [...logits].map((x) => Math.exp(x / temperature));
      const all = powers.reduce((a, b) => a + b);
      counts({ temperature }).forEach((share, id) => {
        expect(Math.abs(share - (powers[id] ?? 0) / all)).toBeLessThan(0.03);
      });
    },
  );
  test("[generate.sampled] the same seed draws the same tokens, and huge logits do not overflow", () => {
    expect(counts({}, 50)).toEqual(counts({}, 50));
    for (const far of [2000, -2000]) {
      const choose = sampled({ seed: 1 });
      const drawn = Array.from({ length: 40 }, () => choose(Float64Array.of(far, far, -Infinity)));
      expect(new Set(drawn)).toEqual(new Set([0, 1]));
    }
    expect(counts({ seed: 8 }, 50)).not.toEqual(counts({}, 50));
    for (const bad of [{ temperature: 0 }, { topK: 0 }])
      expect(() => sampled({ seed: 1, ...bad })).toThrow("sampling");
  });
  test("[generate.top-k] tokens outside of the top k are never drawn", () => {
    const [none, a, no, b] = counts({ topK: 2 });
    expect([none, no]).toEqual([0, 0]);
    expect(Math.abs((a ?? 0) - (b ?? 0))).toBeLessThan(0.05);
    expect(counts({ topK: 3, temperature: 10 })[2]).toBe(0);
    expect(counts({})[2]).toBeGreaterThan(0); // without k every token can be drawn
  });
});

const shown = (pictures: readonly (readonly Picture[])[]) =>
  model.flamingo.withMedia({ images: asSequences(pictures) });
const words = (row: readonly number[]): string => row.map((id) => VOCABULARY[id]).join(" ");

test("[generate.stop] [generate.never] rows end with their stop token or after maxTokens, and excluded tokens do not occur", async () => {
  const pictures = heldOut.slice(0, 6).map((picture) => [picture]);
  const prompts = pictures.map(() => [IMAGE]);
  const rows = await generate(shown(pictures), prompts, { stop: STOP, maxTokens: 9 });
  for (const row of rows) {
    expect(row.indexOf(STOP)).toBe(row.length - 1);
    expect(row[0]).toBe(IMAGE);
  }
  const short = await generate(shown(pictures), prompts, { stop: STOP, maxTokens: 2 });
  expect(short.map((row) => row.length)).toEqual(rows.map(() => 3));
  const first = rows.map((row) => row[1] ?? 0);
  const other = await generate(shown(pictures), prompts, {
    stop: STOP,
    maxTokens: 1,
    never: first,
  });
  for (const row of other) expect(first).not.toContain(row[1]);
});

test("[generate.padding] a batch generates the same tokens as its rows one by one", async () => {
  const pictures = heldOut.slice(0, 4).map((picture) => [picture]);
  const starts = ["this", "it looks", "a", "the digit is"].map((text) => [
    IMAGE,
    ...text.split(" ").map((word) => VOCABULARY.indexOf(word)),
  ]);
  const together = await generate(shown(pictures), starts, { stop: STOP, maxTokens: 8 });
  let right = 0;
  for (const [i, start] of starts.entries()) {
    const [alone = []] = await generate(shown(pictures.slice(i, i + 1)), [start], {
      stop: STOP,
      maxTokens: 8,
    });
    expect(words(together[i] ?? [])).toBe(words(alone));
    const digit = NUMBERS[pictures[i]?.[0]?.digit ?? 0];
    right += Number(words(alone).endsWith(`${digit} .`));
  }
  expect(right).toBeGreaterThanOrEqual(3); // and the rows are captions of their pictures
});

test("[generate.attend] attention to images sums to 1 or 0, and follows the mask convention", async () => {
  const media = { images: asSequences([heldOut.slice(0, 2)]) };
  const options = { weights: model.flamingo.crossAttentionWeights, images: 2 };
  const row = [VOCABULARY.indexOf("a"), IMAGE, VOCABULARY.indexOf("a"), IMAGE, VOCABULARY.indexOf("a")];
  const tables = await attentionMaps(model.flamingo.withMedia(media), row, options);
  expect(tables).toHaveLength(model.depth);
  for (const table of tables) {
    const sums = [0, 1, 1, 1, 1];
    for (const [i, shares] of table.entries())
      expect(shares.reduce((a, b) => a + b)).toBeCloseTo(sums[i] ?? 0, 12);
    expect(table[2]).toEqual([expect.closeTo(1, 12), 0]);
    expect(table[4]).toEqual([0, expect.closeTo(1, 12)]);
  }
  const open = withBehaviour(model, { immediate: conventions["all-previous"] });
  const [table] = await attentionMaps(open.flamingo.withMedia(media), row, options);
  expect(table?.[4]?.every((share) => share > 0)).toBe(true);
  expect(digitsModel(1, 1).depth).toBe(1);
});

/** A PNG from rows of bytes, with a filter for each row. */
function png(
  width: number,
  depth: number,
  colour: number,
  rows: readonly (readonly number[])[],
  more: [string, number[]][] = [],
) {
  const chunk = (kind: string, body: Uint8Array): Buffer => {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(body.length);
    head.write(kind, 4, "latin1");
    return Buffer.concat([head, body, Buffer.alloc(4)]);
  };
  const ihdr = Buffer.alloc(13);
  ihdr.writeUInt32BE(width, 0);
  ihdr.writeUInt32BE(rows.length, 4);
  ihdr.set([depth, colour], 8);
  return Buffer.concat([
    Buffer.from("89504e470d0a1a0a", "hex"),
    chunk("IHDR", ihdr),
    ...more.map(([kind, bytes]) => chunk(kind, Uint8Array.from(bytes))),
    chunk("IDAT", deflateSync(Uint8Array.from(rows.flat()))),
    chunk("IEND", new Uint8Array(0)),
  ]);
}
const grey = (bytes: Uint8Array): number[] =>
  [...readPng(bytes, "x.png").values].map((x) => Math.round(255 * x));

test("the five filters, and every depth", () => {
  const rows = [
    [0, 10, 20, 30],
    [1, 10, 10, 10],
    [2, 1, 1, 1],
    [3, 5, 5, 5],
    [4, 1, 2, 3],
  ];
  // by hand: none; + left; + above; + the floor of their mean; + whichever of left, above and corner is nearest
  expect(grey(png(3, 8, 0, rows))).toEqual([10, 20, 30, 10, 20, 30, 11, 21, 31, 10, 20, 30, 11, 22, 33]);
  expect(grey(png(4, 2, 0, [[0, 0b00011011]]))).toEqual([0, 85, 170, 255]);
  expect(grey(png(9, 1, 0, [[0, 0b10100000, 0b10000000]]))).toEqual([255, 0, 255, 0, 0, 0, 0, 0, 255]);
  expect(grey(png(2, 4, 0, [[0, 0x0f]]))).toEqual([0, 255]);
  expect(grey(png(1, 16, 0, [[0, 0x80, 0x80]]))).toEqual([128]);
});

test("colours, palettes and transparency", () => {
  expect(grey(png(3, 8, 2, [[0, 255, 0, 0, 0, 255, 0, 0, 0, 255]]))).toEqual([76, 150, 29]);
  expect(grey(png(2, 8, 6, [[0, 0, 0, 0, 255, 0, 0, 0, 0]]))).toEqual([0, 255]);
  expect(grey(png(2, 8, 4, [[0, 100, 255, 100, 0]]))).toEqual([100, 255]);
  const palette: [string, number[]][] = [
    ["PLTE", [0, 0, 0, 90, 90, 90]],
    ["tRNS", [255, 0]],
  ];
  expect(grey(png(2, 8, 3, [[0, 0, 1]], palette))).toEqual([0, 255]);
  expect(grey(png(2, 8, 3, [[0, 0, 1]], palette.slice(0, 1)))).toEqual([0, 90]);
});

test("what is broken is refused by name", () => {
  const good = png(3, 8, 0, [[0, 1, 2, 3]]);
  const interlaced = Buffer.from(good);
  interlaced[28] = 1;
  const bad: [Uint8Array, string][] = [
    [Buffer.from("hello"), "no PNG"],
    [good.subarray(0, 8), "no picture"],
    [good.subarray(0, 46), "cut short"],
    [interlaced, "interlaced"],
    [png(3, 3, 0, [[0, 1]]), "unknown kind"],
    [png(0, 8, 0, [[0]]), "none, or too many"],
    [png(9, 8, 0, [[0, 1]]), "missing"],
    [png(1, 8, 0, [[0, 1, 2, 3, 4, 5, 6]]), "cannot be unpacked"],
  ];
  for (const [bytes, why] of bad)
    expect(() => readPng(bytes, "x.png")).toThrow(new RegExp(`x\\.png.*${why}`));
});

describe("the command", () => {
  const four = heldOut.findIndex(({ digit }) => digit === 4);
  const drawn = (): string => {
    const path = join(workspace, "four.png");
    const rows = Array.from({ length: 64 }, (_, y) => [
      0,
      ...Array.from(
        { length: 64 },
        (_, x) => 255 - 255 * (heldOut[four]?.pixels[(y >> 3) * 8 + (x >> 3)] ?? 0),
      ),
    ]);
    writeFileSync(path, png(64, 8, 0, rows));
    return path;
  };

  test("[generate.attend] a PNG file and a number are captioned, with the attention of each word", () => {
    const { status, stdout, stderr } = flamboyance("generate", drawn(), String(four), "--json", "--attend");
    expect([status, stderr]).toEqual([0, ""]);
    const { captions, tokens, attended } = JSON.parse(stdout);
    expect(captions).toHaveLength(2);
    for (const caption of captions) expect(caption).toMatch(/four \.$/);
    expect(attended).toHaveLength(model.depth);
    expect(attended[0]).toHaveLength(tokens.length);
    const text = flamboyance("generate", String(four), "--attend").stdout;
    expect(text).toMatch(/█/);
    expect(text).toMatch(/four +100/);
    expect(text).toMatch(/\n\n[^\n,]+ \(one column an image, per cent\)\n/);
  });

  test("[generate.sampled] the same --seed samples the same captions", () => {
    const sample = (...more: string[]) => flamboyance("generate", "0", "1", "--json", ...more).stdout;
    const five = sample("--sample", "--seed", "5");
    expect(sample("--sample", "--seed", "5")).toBe(five);
    expect(sample("--sample", "--seed", "6", "--temperature", "3", "--top-k", "9")).not.toBe(five);
  });

  test.each([
    [["generate"], 3, "one to 4 pictures"],
    [["generate", "0", "--top-k", "3"], 3, "belong to --sample"],
    [["generate", "99999"], 3, "held-out digits have the numbers"],
    [["generate", "0", "--sample", "--temperature", "-1"], 3, "--temperature"],
    [["generate", "nowhere.png"], 2, "nowhere.png"],
    [["generate", "package.json"], 2, "no PNG"],
  ])("[generate.options] %j exits with %i", (args, exit, word) => {
    const { status, stderr } = flamboyance(...args);
    expect(stderr).toContain(word);
    expect(status).toBe(exit);
  });

  test("[generate.tour] the tour ends with captions", () => {
    const { status, stdout } = flamboyance(
      "check",
      "golden/cases/flamingo-pytorch/palm-layer-norm--two-axes",
      "--tour",
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /Digits that it never saw[^\n]*\n\(flamboyance train[^\n]*\):\n\n[\s\S]*█[\s\S]* \.\s/,
    );
  });
});
