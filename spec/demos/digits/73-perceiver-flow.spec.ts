// The executable half of 73-digits.md on optical flow. The full run takes a few minutes; these tests run a few steps.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Picture, readDigits } from "../../../src/demos/digits/data.ts";
import { perceiverFlow } from "../../../src/demos/digits/flow/model.ts";
import {
  distances,
  type FlowReport,
  flowDocument,
  flowPicture,
  flowText,
} from "../../../src/demos/digits/flow/report.ts";
import {
  frame,
  heldOutScenes,
  type Moving,
  motion,
  type Scene,
  scene,
} from "../../../src/demos/digits/flow/scenes.ts";
import { estimateFlow, pixelWeights, trainFlow } from "../../../src/demos/digits/flow/training.ts";
import { decodePng } from "../../../src/io/images/png/decode.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { stateDict } from "../../../src/nn/state-dict.ts";
import { generator } from "../../../src/tensor/random.ts";
import { flat } from "../../../src/tensor/tensor.ts";
import { flamboyance } from "../../support/fixtures/command.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const digits = readDigits("golden/data/digits.safetensors");
const workspace = temporary();
const backend = reference();
const [HEIGHT, WIDTH] = [16, 24];

/** A picture with ink of some strength at some of its 64 pixels. */
const inkAt = (strengths: Readonly<Record<number, number>>): Picture => ({
  digit: 1,
  pixels: Float64Array.from({ length: 64 }, (_, i) => strengths[i] ?? 0),
});

/** Pixels that are not zero, as "row,column": value. */
const shownIn = (plane: ArrayLike<number>): Record<string, number> =>
  Object.fromEntries(
    Array.from(plane)
      .map((value, i) => [`${Math.floor(i / WIDTH)},${i % WIDTH}`, value] as const)
      .filter(([, value]) => value !== 0),
  );

const [DOT, CORNERS] = [inkAt({ 10: 0.5 }), inkAt({ 0: 1, 63: 0.25 })]; // 10: row 1, column 2
const pair: Scene = [
  { picture: DOT, left: 3, top: 4, right: 2, down: -1 },
  { picture: CORNERS, left: 12, top: 8, right: -3, down: 0 },
];

test("[digits.flow-truth] frames and motions of two digits, by hand", () => {
  expect(shownIn(frame(pair, 0))).toEqual({ "5,5": 0.5, "8,12": 1, "15,19": 0.25 });
  expect(shownIn(frame(pair, 1))).toEqual({ "4,7": 0.5, "8,9": 1, "15,16": 0.25 });
  const moved = motion(pair);
  expect(moved).toHaveLength(2 * HEIGHT * WIDTH);
  expect(shownIn(moved.subarray(0, HEIGHT * WIDTH))).toEqual({ "5,5": 2, "8,12": -3, "15,19": -3 });
  expect(shownIn(moved.subarray(HEIGHT * WIDTH))).toEqual({ "5,5": -1 });
});

test("[digits.flow-scenes] digits stay inside, apart from each other, and every motion and edge occurs", () => {
  const draw = generator(5, "scenes");
  const scenes = Array.from({ length: 2000 }, () => scene(digits.train, draw));
  const squares = ({ left, top, right, down }: Moving) => [
    [left, top],
    [left + right, top + down],
  ];
  for (const [one, other] of scenes as [Moving, Moving][]) {
    for (const [x = 0, y = 0] of [...squares(one), ...squares(other)])
      expect([x >= 0, x <= WIDTH - 8, y >= 0, y <= HEIGHT - 8]).not.toContain(false);
    const [now, later] = squares(one).map(([x = 0, y = 0], t) => {
      const [u = 0, v = 0] = squares(other)[t] ?? [];
      return Math.abs(x - u) >= 8 || Math.abs(y - v) >= 8;
    });
    expect([now, later]).toEqual([true, true]);
  }
  const all = scenes.flat();
  const range = (of: (digit: Moving) => number) => [Math.min(...all.map(of)), Math.max(...all.map(of))];
  expect([range((d) => d.right), range((d) => d.down)]).toEqual([
    [-3, 3],
    [-3, 3],
  ]);
  expect([range((d) => d.left), range((d) => d.top)]).toEqual([
    [0, 16],
    [0, 8],
  ]);
  expect(new Set(all.map((d) => d.picture)).size).toBeGreaterThan(1200); // of 1,498
});

test("[digits.flow-held-out] 200 pairs, the same ones each time, of held-out digits only", () => {
  const scenes = heldOutScenes(digits.heldOut);
  expect(scenes).toHaveLength(200);
  expect(heldOutScenes(digits.heldOut)).toEqual(scenes);
  const known = new Set(digits.heldOut);
  expect(scenes.flat().every(({ picture }) => known.has(picture))).toBe(true);
});

test("[digits.flow-loss] weights are the inverse of the number of pixels of ink, and of white ones", () => {
  const weights = [...flat(pixelWeights([pair]).data)];
  const one = weights.slice(0, HEIGHT * WIDTH);
  expect(weights.slice(HEIGHT * WIDTH)).toEqual(one);
  const isInk = (i: number) => [5 * 24 + 5, 8 * 24 + 12, 15 * 24 + 19].includes(i);
  expect(one).toEqual(one.map((_, i) => (isInk(i) ? 1 / 3 : 1 / 381)));
});

test("[digits.flow-loss] the first step's loss equals the squared distances of the model's own estimates, by loops", async () => {
  const model = perceiverFlow(4);
  const draw = generator(9, "flow 0");
  const scenes = Array.from({ length: 32 }, () => scene(digits.train, draw));
  const estimates = await estimateFlow(model, scenes, backend);
  const sums = { ink: 0, white: 0, inkPixels: 0, whitePixels: 0 };
  for (const [b, shown] of scenes.entries()) {
    const [ink, truth] = [frame(shown, 0), motion(shown)];
    for (const [i, value] of ink.entries()) {
      const [x, y] = [0, 384].map((k) => (estimates[b]?.[k + i] ?? 0) - (truth[k + i] ?? 0));
      const squared = (x ?? 0) ** 2 + (y ?? 0) ** 2;
      if (value > 0) [sums.ink, sums.inkPixels] = [sums.ink + squared, sums.inkPixels + 1];
      else [sums.white, sums.whitePixels] = [sums.white + squared, sums.whitePixels + 1];
    }
  }
  const run = trainFlow({ model, train: digits.train, steps: 2, seed: 9, backend });
  const first = await run.next();
  await run.return(undefined);
  const expected = sums.ink / sums.inkPixels + sums.white / sums.whitePixels;
  expect(first.value?.loss).toBeCloseTo(expected, 9);
});

test("[digits.seeded] every parameter of the flow model is trained, and a seed decides the data", async () => {
  const trained = async (seed: number) => {
    const model = perceiverFlow(1);
    for await (const _ of trainFlow({ model, train: digits.train, steps: 1, seed, backend }));
    return new Map([...stateDict(model)].map(([name, { data }]) => [name, [...flat(data)]]));
  };
  const [one, other] = [await trained(1), await trained(2)];
  const before = stateDict(perceiverFlow(1));
  for (const [name, values] of one) {
    const initial = before.get(name);
    // A bias of keys adds one number to all scores of a query, which a softmax ignores: its gradient is rounding at most.
    if (initial && values.length > 0 && !name.endsWith("proj_k.bias"))
      expect(values, name).not.toEqual([...flat(initial.data)]);
  }
  expect(other).not.toEqual(one);
});

/** Estimates: the dot's motion is off by (3, 4), that of the corners by (0, 1) and exact; one white pixel moves by 2. */
const estimate = ((): Float64Array => {
  const moved = motion(pair);
  const [x, y] = [0, HEIGHT * WIDTH];
  moved[x + 5 * WIDTH + 5] = 5;
  moved[y + 5 * WIDTH + 5] = 3;
  moved[y + 8 * WIDTH + 12] = 1;
  moved[x] = -2;
  return moved;
})();
const report: FlowReport = {
  seed: 3,
  steps: 7,
  seconds: 61.4,
  processorSeconds: 99.6,
  backend: "reference",
  scenes: [pair],
  estimates: [estimate],
};

test("[digits.flow-distances] [digits.flow-document] mean distances, by hand", () => {
  const { ink, white } = distances(report);
  expect([ink.pixels, white.pixels]).toEqual([3, 381]);
  expect(ink.estimated).toBeCloseTo((5 + 1 + 0) / 3, 12);
  expect(ink.unmoved).toBeCloseTo((Math.sqrt(5) + 3 + 3) / 3, 12);
  expect([white.estimated, white.unmoved]).toEqual([2 / 381, 0]);
  expect(flowDocument(report)).toEqual({
    seed: 3,
    steps: 7,
    seconds: 61.4,
    processorSeconds: 99.6,
    backend: "reference",
    heldOut: { pairs: 1, ink, white },
  });
  const lines = flowText(report).split("\n");
  expect(lines).toContain("ink          3       2.00              2.75");
  expect(lines).toContain("white      381       0.01              0.00");
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
});

test("[digits.flow-picture] frames, true and estimated motions stand below each other, enlarged, in one scale", () => {
  const still: Scene = [{ picture: DOT, left: 0, top: 0, right: 0, down: 0 }];
  const both = { scenes: [pair, still], estimates: [estimate, motion(still)] };
  const { width, height, channels, data } = flowPicture(both);
  expect([width, height, channels]).toEqual([6 * (24 + 1 + 24), 6 * 4 * (16 + 1), 3]);
  const at = (row: number, column: number, y: number, x: number): number[] => {
    const from = 3 * (6 * (17 * row + y) * width + 6 * (25 * column + x));
    return [...data.subarray(from, from + 3)];
  };
  expect(at(0, 0, 5, 5)).toEqual([127, 127, 127]); // half of the ink
  expect([at(0, 0, 8, 12), at(0, 0, 0, 0)]).toEqual([
    [0, 0, 0],
    [255, 255, 255],
  ]);
  expect(at(1, 0, 4, 7)).toEqual([127, 127, 127]);
  expect([at(0, 1, 1, 2), at(1, 1, 1, 2)]).toEqual([
    [127, 127, 127],
    [127, 127, 127],
  ]);
  expect(at(2, 1, 1, 2)).toEqual([255, 255, 255]); // no motion is white
  // To the left is the middle of the wheel, index 27 of 0 … 54: between green and blue. The greatest motion of all planes is the
  // estimate (5, 3), so (−3, 0) is drawn with 3 / √34 of its depth.
  const depth = 3 / (Math.sqrt(34) + 1e-5);
  const expected = [0, 255 - Math.floor((255 * 2) / 11), 255].map((_, c) => at(2, 0, 8, 12)[c] ?? Number.NaN);
  expect(expected[0]).toBe(Math.floor(255 * (1 - depth))); // no red in the hue
  expect(at(3, 0, 15, 19)).toEqual(at(2, 0, 15, 19)); // estimated exactly
  expect(at(3, 0, 5, 5)).not.toEqual(at(2, 0, 5, 5));
  expect(at(0, 0, 5, 5)).toEqual([...data.subarray(3 * ((6 * 5 + 5) * width + 6 * 5 + 5)).subarray(0, 3)]); // 6 × 6 pixels alike
});

test("[digits.flow-document] [digits.perceiver-file] a short run prints one document and writes its files", async () => {
  const out = join(workspace, "run");
  const { status, stdout, stderr } = flamboyance(
    "train",
    "perceiver-flow",
    "--steps",
    "1",
    "--out",
    out,
    "--json",
  );
  expect([status, stderr]).toEqual([0, ""]);
  const document = JSON.parse(stdout);
  expect([document.seed, document.steps, document.heldOut.pairs]).toEqual([1, 1, 200]);
  expect(document.heldOut.ink.estimated).toBeGreaterThan(0);
  expect(readdirSync(out).sort()).toEqual([
    "checkpoint-training.safetensors",
    "flow.png",
    "model.safetensors",
    "report.txt",
  ]);
  const picture = await decodePng(readFileSync(join(out, "flow.png")), "flow.png");
  expect([picture.width, picture.height]).toEqual([6 * (6 * 25 - 1), 6 * 4 * 17]);
  expect(readFileSync(join(out, "report.txt"), "utf8")).toMatch(
    /^Seed 1, 1 step on backend (simd|reference)/,
  );
});

test("[digits.flow-document] train perceiver-flow has a help text, and takes options only", () => {
  const help = flamboyance("train", "perceiver-flow", "--help");
  expect([help.status, help.stdout.split("\n").every((line) => line.length <= 80)]).toEqual([0, true]);
  expect(help.stdout).toContain("--steps N           steps of 32 pairs of frames each (default: 1000)");
  const wrong = flamboyance("train", "perceiver-flow", "digits");
  expect([wrong.status, wrong.stderr]).toEqual([3, expect.stringContaining("options only")]);
});
