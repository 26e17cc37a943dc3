// The executable half of 73-digits.md on the Perceiver IO. The full run takes a minute or two; these tests run a few steps.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Picture, readDigits, SIDE } from "../../../src/demos/digits/data.ts";
import { perceiverDigits, savePerceiver } from "../../../src/demos/digits/perceiver/model.ts";
import {
  type PerceiverReport,
  perceiverDocument,
  perceiverText,
} from "../../../src/demos/digits/perceiver/report.ts";
import { readPictures, shifted, trainPerceiver } from "../../../src/demos/digits/perceiver/training.ts";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { loadStateDict, stateDict } from "../../../src/nn/state-dict.ts";
import { flat } from "../../../src/tensor/tensor.ts";
import { flamboyance } from "../../support/fixtures/command.ts";
import { temporary } from "../../support/fixtures/temporary.ts";
import { at, linear, mat, norm, range, row, under } from "../../support/oracles/layers.ts";
import { weightsOf } from "../../support/oracles/modules.ts";
import { fourier, placeOf } from "../../support/oracles/perceiver-io/loops.ts";

const digits = readDigits("golden/data/digits.safetensors");
const workspace = temporary();
const backend = reference();

/** A picture of zeros with ink at some pixels. */
const inkAt = (...pixels: readonly number[]): Picture => ({
  digit: 4,
  pixels: Float64Array.from({ length: SIDE ** 2 }, (_, i) => (pixels.includes(i) ? 1 : 0)),
});

test("[digits.shifted] ink moves with the shift, leaves at the edges and does not come back on the other side", () => {
  const picture = inkAt(0, 7, 27, 63); // corners: top left, top right, bottom right; and row 3, column 3
  expect(shifted(picture, 1, 0)).toEqual(inkAt(1, 28));
  expect(shifted(picture, -1, 0)).toEqual(inkAt(6, 26, 62));
  expect(shifted(picture, 0, 1)).toEqual(inkAt(8, 15, 35));
  expect(shifted(picture, 1, -1)).toEqual(inkAt(20)); // 63 moves out at the right
  expect(shifted(picture, 0, 0)).toEqual(picture);
});

test("[digits.seeded] the same seed gives the same weights, bit for bit, and every parameter is trained", async () => {
  const trained = async (seed: number): Promise<Map<string, number[]>> => {
    const model = perceiverDigits(1);
    for await (const _ of trainPerceiver({ model, train: digits.train, steps: 1, seed, backend }));
    return new Map([...stateDict(model)].map(([name, { data }]) => [name, [...flat(data)]]));
  };
  const [one, again, other] = [await trained(1), await trained(1), await trained(2)];
  expect(again).toEqual(one);
  const before = stateDict(perceiverDigits(1));
  for (const [name, values] of one) {
    if (values.length === 0) continue; // the padding of the query, which has no channels
    // Adding one number to the scores of all pixels does not change a softmax, so the bias of keys has no gradient but rounding.
    const initial = before.get(name);
    if (initial && !name.endsWith("proj_k.bias")) expect(values, name).not.toEqual([...flat(initial.data)]);
  }
  expect(other).not.toEqual(one);
});

test("[digits.latents] the attention of latents equals the softmax by loops, averaged over heads and pictures", async () => {
  const model = perceiverDigits(3);
  const pictures = digits.heldOut.slice(0, 3);
  const { attention, predicted } = await readPictures(model, pictures, backend);
  const encoder = under(weightsOf(model), "_encoder");
  const cross = under(encoder, "cross_attend");
  const project = (name: string, normOf: string, x: readonly number[]) =>
    linear(under(under(cross, "attention"), name), norm(under(cross, normOf), x));
  const latents = mat(under(encoder, "latent_pos_enc"), "pos_embs");
  const queries = latents.map((x) => project("proj_q", "layer_norm_q", x));
  const [heads, width] = [4, 12];
  const expected = latents.map(() => new Array<number>(64).fill(0));
  for (const { pixels } of pictures) {
    const keys = range(64).map((i) => {
      const place = [placeOf(Math.floor(i / 8), 8), placeOf(i % 8, 8)]; // row, column
      return project("proj_k", "layer_norm_kv", [pixels[i] ?? 0, ...fourier(place, 4, [8, 8])]);
    });
    for (const [r, query] of queries.entries())
      for (const h of range(heads)) {
        const part = range(width).map((k) => h * width + k);
        const powers = keys.map((key) =>
          Math.exp(part.reduce((sum, k) => sum + at(query, k) * at(key, k), 0) / Math.sqrt(width)),
        );
        const total = powers.reduce((a, b) => a + b, 0);
        for (const [i, power] of powers.entries())
          (expected[r] as number[])[i] = at(row(expected, r), i) + power / total / heads / pictures.length;
      }
  }
  expect(attention).toHaveLength(16);
  for (const [r, shares] of attention.entries())
    for (const [i, share] of shares.entries()) expect(share).toBeCloseTo(at(row(expected, r), i), 6); // features are float32 numbers
  expect(predicted).toHaveLength(3);
  expect(predicted.every((digit) => Number.isInteger(digit) && digit >= 0 && digit <= 9)).toBe(true);
});

const report: PerceiverReport = {
  seed: 3,
  steps: 7,
  seconds: 61.4,
  processorSeconds: 99.6,
  backend: "reference",
  heldOut: [4, 4, 9, 1, 4, 2, 7, 7].map((digit) => ({ ...inkAt(), digit })),
  predicted: [4, 9, 4, 1, 9, 3, 7, 7],
  attention: [Float64Array.from({ length: 64 }, (_, i) => (i === 0 ? 0.5 : i === 9 ? 0.26 : 0.24 / 62))],
};

test("[digits.perceiver-document] accuracy and confusions, counted by hand", () => {
  expect(perceiverDocument(report)).toEqual({
    seed: 3,
    steps: 7,
    seconds: 61.4,
    processorSeconds: 99.6,
    backend: "reference",
    heldOut: {
      pictures: 8,
      accuracy: 0.5, // the first, the 1 and both 7
      confusions: [
        { digit: 4, predicted: 9, times: 2 },
        { digit: 2, predicted: 3, times: 1 },
        { digit: 9, predicted: 4, times: 1 },
      ],
    },
    attention: [[...(report.attention[0] ?? [])]],
  });
});

test("[digits.latents] a latent is drawn relative to its largest share", () => {
  const lines = perceiverText(report).split("\n");
  expect(lines.join("\n")).toContain("classifies 50.0 % of 8 held-out digits");
  expect(lines.slice(-9).map((line) => line.trimEnd())).toEqual([
    "  ██",
    "    ▒▒",
    ...new Array(6).fill(""),
    "  0: 50.0 %",
  ]); // 0.26 / 0.5 is the third of five shades
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  const perfect = { ...report, predicted: report.heldOut.map(({ digit }) => digit) };
  expect(perceiverText(perfect)).not.toContain("taken for");
});

test("[digits.perceiver-file] a saved model has float32 weights and reads pictures as before", async () => {
  const [model, copy] = [perceiverDigits(5), perceiverDigits(6)];
  const path = join(workspace, "model.safetensors");
  savePerceiver(path, model, "flamboyance-perceiver-digits/1");
  const file = loadSafetensors(path);
  expect(file.metadata.get("schema")).toBe("flamboyance-perceiver-digits/1");
  expect(new Set(file.keys)).toEqual(new Set(stateDict(model).keys()));
  loadStateDict(copy, new Map(file.keys.map((key) => [key, file.tensor(key)])));
  const pictures = digits.heldOut.slice(0, 4);
  const [a, b] = [await readPictures(model, pictures, backend), await readPictures(copy, pictures, backend)];
  expect(b.predicted).toEqual(a.predicted);
  for (const [name, { data }] of stateDict(model))
    expect([...flat(stateDict(copy).get(name)?.data ?? data)], name).toEqual(
      [...flat(data)].map(Math.fround),
    );
});

test("[digits.perceiver-document] [digits.perceiver-file] a short run prints one document and writes its files", () => {
  const out = join(workspace, "run");
  const args = ["train", "perceiver-digits", "--steps", "2", "--out", out];
  const { status, stdout, stderr } = flamboyance(...args, "--json");
  expect([status, stderr]).toEqual([0, ""]);
  const document = JSON.parse(stdout);
  expect([document.seed, document.steps, document.heldOut.pictures]).toEqual([1, 2, 299]);
  expect(document.processorSeconds).toBeGreaterThan(0);
  for (const shares of document.attention)
    expect(shares.reduce((a: number, b: number) => a + b, 0)).toBeCloseTo(1, 6);
  expect(readdirSync(out).sort()).toEqual([
    "checkpoint-training.safetensors",
    "model.safetensors",
    "report.txt",
  ]);
  expect(readFileSync(join(out, "report.txt"), "utf8")).toMatch(
    /^Seed 1, 2 steps on backend (simd|reference)/,
  );
  const shown = flamboyance(...args);
  expect(shown.stdout).toMatch(/^ +2\/2 {3}loss \d\.\d{3}\n\nSeed 1, 2 steps/);
  expect(shown.stdout).toContain(`Weights and report.txt are in ${out}`);
});

test.each([
  [["--steps", "0"], "--steps"],
  [["--seed", "x"], "--seed"],
  [["digits"], "options only"],
  [["--out", ""], "--out is empty"],
])("[digits.perceiver-document] train perceiver-digits %j is a usage error", (args, word) => {
  const { status, stderr } = flamboyance("train", "perceiver-digits", ...args);
  expect(stderr).toContain(word);
  expect(status).toBe(3);
  expect(existsSync("flamboyance-perceiver-digits")).toBe(false);
});
