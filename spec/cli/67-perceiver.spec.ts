// `flamboyance perceiver`, of 67-perceiver.md. Expected values are computed from the formulas of the chapter, from the labels of the source,
// or with the models themselves, which golden cases hold to the source.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { languageModel } from "../../src/demos/perceiver/models.ts";
import {
  flowInput,
  framesOf,
  middleSquare,
  middleSquareOfFrame,
  pictureInput,
  videoInput,
} from "../../src/demos/perceiver/pictures.ts";
import { flowBetween, mostProbable, reconstruct } from "../../src/demos/perceiver/tasks.ts";
import type { Image } from "../../src/io/images/image.ts";
import { encodePng } from "../../src/io/images/png/write.ts";
import { readImageFile } from "../../src/io/images/read.ts";
import { saveSafetensors } from "../../src/io/safetensors/write.ts";
import { encodeWav, readWavFile } from "../../src/io/sound/wav.ts";
import type { Backend } from "../../src/kernels/backend.ts";
import { reference } from "../../src/kernels/reference/index.ts";
import { simd } from "../../src/kernels/simd/index.ts";
import type { PerceiverProfileName } from "../../src/models/perceiver-io/profiles.ts";
import { FlowPerceiver } from "../../src/models/perceiver-io/tasks/flow.ts";
import { MultiModalPerceiver } from "../../src/models/perceiver-io/tasks/multi-modal.ts";
import { initialize, stateDict } from "../../src/nn/state-dict.ts";
import { generator } from "../../src/tensor/random.ts";
import { Bool, flat, Int, Tensor, tensor, view } from "../../src/tensor/tensor.ts";
import { widthOf } from "../../src/terminal/width.ts";
import { flamboyance } from "../support/fixtures/command.ts";
import { temporary } from "../support/fixtures/temporary.ts";

const workspace = temporary();
const perceiver = (...args: string[]) => flamboyance("perceiver", ...args);
const document = (...args: string[]) => JSON.parse(perceiver(...args, "--json").stdout);

/** A picture of wh pixels, each different from its neighbours. */
const picture = (width: number, height: number, shift = 0): Image => ({
  width,
  height,
  channels: 3,
  data: Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 7 + shift * 31 + (i >> 6)) % 256),
});
const path = (name: string) => join(workspace, name);

beforeAll(async () => {
  writeFileSync(path("a.png"), await encodePng(picture(140, 100)));
  writeFileSync(path("b.png"), await encodePng(picture(140, 100, 1)));
  writeFileSync(path("narrow.png"), await encodePng(picture(127, 100)));
  for (const folder of ["frames", "few"]) mkdirSync(path(folder));
  for (const n of [1, 2, 3, 10]) writeFileSync(path(`frames/${n}.png`), await encodePng(picture(40, 32, n)));
  writeFileSync(path("few/1.png"), await encodePng(picture(40, 32)));
  const sound = Float64Array.from({ length: 7680 }, (_, i) => Math.sin(i / 9));
  const quiet = new Float64Array(7680);
  writeFileSync(path("sound.wav"), encodeWav({ rate: 48_000, channels: [sound, quiet] }));
  writeFileSync(path("short.wav"), encodeWav({ rate: 48_000, channels: [sound.slice(1)] }));
  writeFileSync(path("slow.wav"), encodeWav({ rate: 44_100, channels: [sound] }));
});

describe("classify", () => {
  test("[perceiver.guesses] five classes are named, and random weights are announced", () => {
    const { status, stdout, stderr } = perceiver("classify", path("a.png"), "--small");
    expect(status).toBe(0);
    expect(stderr).toMatch(/^RANDOM WEIGHTS \(seed 1\)/);
    expect(stdout).toContain("140×100 pixels; the middle 100×100 of it, resized to 64×64");
    expect(stdout).toContain("by random weights");
    const { classes, weights, logits } = document("classify", path("a.png"), "--small", "--seed", "2");
    const labels = readFileSync("golden/data/perceiver-io/imagenet-1000.txt", "utf8").split("\n");
    expect(weights).toEqual({ random: true, seed: 2 });
    expect(logits).toEqual([1, 1000]);
    expect(classes).toHaveLength(5);
    for (const { index, label } of classes) expect(label).toBe(labels[index]);
  });

  test("[perceiver.guesses] of equal probabilities the first index comes first", () => {
    const guesses = mostProbable(tensor("b e", [[0, Math.log(2), 0, Math.log(4), Math.log(2)]]), 4);
    expect(guesses.map(({ index }) => index)).toEqual([3, 1, 4, 0]);
    expect(guesses[0]?.probability).toBeCloseTo(0.4, 12); // 4 / (1 + 2 + 1 + 4 + 2)
  });

  test("[perceiver.picture] the middle square is normalised by channel", () => {
    const image = picture(6, 4, 3);
    const input = pictureInput(image, [4, 4]);
    const [mean, deviation] = [
      [123.675, 116.28, 103.53],
      [58.395, 57.12, 57.375],
    ];
    for (let c = 0; c < 3; c++)
      for (let y = 0; y < 4; y++)
        for (let x = 0; x < 4; x++) {
          const sample = image.data[(y * 6 + x + 1) * 3 + c] ?? 0; // the square begins at column int(6 / 2 − 4 / 2) = 1
          expect(flat(input.data)[(c * 4 + y) * 4 + x]).toBeCloseTo(
            (sample - (mean[c] ?? 0)) / (deviation[c] ?? 1),
            12,
          );
        }
  });

  test("[perceiver.picture] [perceiver.frames] squares of pictures and frames begin where those of the source do", () => {
    expect(middleSquare(picture(4, 3))).toEqual({ left: 0, top: 0, width: 3, height: 3 }); // int(2 − 1.5)
    expect(middleSquareOfFrame(picture(4, 3))).toEqual({ left: 1, top: 0, width: 3, height: 3 }); // 4 // 2 − 3 // 2
    expect(middleSquare(picture(3, 8))).toEqual({ left: 0, top: 2, width: 3, height: 3 });
  });
});

describe("mask-fill", () => {
  test("[perceiver.masked-text] [MASK], [MASK:N] and --hide mask bytes", () => {
    const { ids, predicted, length } = document("mask-fill", "aé[MASK:2]b[MASK]", "--small");
    expect(ids).toEqual([103, 201, 175, 3, 3, 104, 3]);
    expect(predicted.map(({ position }: { position: number }) => position)).toEqual([3, 4, 6]);
    expect(length).toBe(256);
    expect(
      document("mask-fill", "one é one", "--hide", "é", "--small").ids.filter((id: number) => id === 3),
    ).toHaveLength(2);
  });

  test("[perceiver.mask-fill] [perceiver.weights] the predictions are those of the model whose weights the file has", () => {
    const request = { weights: undefined, seed: 5, isSmall: true, profile: "perceiver-io@64947cf" } as const;
    const model = languageModel(request);
    const weights = [...stateDict(model)].map(([name, t]): [string, Tensor] => [
      `model_state_dict.${name}`,
      t,
    ]);
    saveSafetensors(path("language.safetensors"), new Map(weights));
    const run = perceiver(
      "mask-fill",
      "ab[MASK:3]",
      "--small",
      "--model",
      path("language.safetensors"),
      "--json",
      "--backend",
      "reference",
    );
    expect([run.status, run.stderr]).toEqual([0, ""]);
    const { predicted, weights: source } = JSON.parse(run.stdout);
    expect(source).toEqual({ random: false, model: path("language.safetensors") });
    const ids = [103, 104, 3, 3, 3, ...new Array(251).fill(0)];
    const mask = Uint8Array.from({ length: 256 }, (_, i) => Number(i < 5));
    const logits = flat(model.forward(intRow(ids), boolRow(mask)).data);
    for (const { position, id } of predicted) {
      const row = [...logits.slice(position * 262, (position + 1) * 262)];
      expect(id).toBe(row.indexOf(Math.max(...row)));
    }
    expect(predicted).toHaveLength(3);
  });
});

const intRow = (ids: number[]) => new Int<"b n">([1, ids.length], Int32Array.from(ids));
const boolRow = (mask: Uint8Array) => new Bool<"b n">([1, mask.length], mask);

describe("flow", () => {
  test("[perceiver.flow-input] pictures keep their size, and values are from −1 to 1", () => {
    const image = picture(5, 3);
    const input = flowInput(image);
    expect(input.shape).toEqual([1, 3, 3, 5]);
    for (const [i, value] of flat(input.data).entries())
      expect(value).toBeCloseTo((2 * (image.data[(i % 15) * 3 + Math.floor(i / 15)] ?? 0)) / 255 - 1, 12);
  });

  test("[perceiver.flow] a flow is drawn in the size of the pictures", async () => {
    const { status, stdout } = perceiver(
      "flow",
      path("a.png"),
      path("b.png"),
      "--small",
      "--out",
      path("flow.png"),
    );
    expect(status).toBe(0);
    expect(stdout).toContain("2 of 140×100 pixels, 4 tiles");
    const drawn = await readImageFile(path("flow.png"));
    expect([drawn.width, drawn.height]).toEqual([140, 100]);
  });

  test("[perceiver.flow] tiles one after the other give the flow of the model", async () => {
    const small = { numSelfAttendsPerBlock: 1, numLatents: 3, numLatentChannels: 16 };
    const model = initialize(new FlowPerceiver({ imgSize: [24, 32], ...small }), 1);
    const last = model.perceiver._decoder.final_layer;
    last?.weight.assign(
      view(
        Float64Array.from({ length: last.weight.size }, (_, i) => Math.sin(i)),
        last.weight.shape,
      ),
    );
    const random = (from: number) =>
      new Tensor<"b c h w">(
        [1, 3, 24, 60],
        view(
          Float64Array.from({ length: 3 * 24 * 60 }, (_, i) => Math.sin(from * i)),
          [1, 3, 24, 60],
        ),
      );
    const [first, second] = [random(0.7), random(1.3)];
    const backend = reference("float64");
    const { flow, tiles } = await flowBetween(model, first, second, { backend, onStep() {} });
    const expected = flat(model.forward(first, second, { testMode: true }).data);
    expect(tiles).toBe(4); // columns 0, 12, 24 and 28
    expect(Math.max(...expected)).toBeGreaterThan(0.01);
    expect(
      Math.max(...[...flat(flow.data)].map((x, i) => Math.abs(x - (expected[i] ?? Number.NaN)))),
    ).toBeLessThan(1e-12);
    await backend.close();
  });
});

describe("autoencode", () => {
  test("[perceiver.frames] frames and a sound of the same length are written", async () => {
    const args = ["autoencode", path("frames"), path("sound.wav"), "--small", "--out", path("out")];
    const { status, stdout } = perceiver(...args);
    expect(status).toBe(0);
    expect(stdout).toContain("4 frames of 32×32 pixels, encoded in 1 group, decoded in 4 chunks each");
    expect(stdout).toMatch(/Kinetics-700's classes, by random weights/);
    const last = await readImageFile(path("out/frame-0004.png"));
    expect([last.width, last.height]).toEqual([32, 32]);
    const { rate, channels } = readWavFile(path("out/sound.wav"));
    expect([rate, channels.length, channels[0]?.length]).toEqual([48_000, 1, 7680]);
  });

  test("[perceiver.frames] values beyond 0 … 1 are limited, and fractions of a byte dropped", () => {
    const video = tensor("b t c h w", [
      [
        [[[-0.1]], [[1.2]], [[0.999]]],
        [[[0]], [[1]], [[0.5]]],
      ],
    ]);
    expect(framesOf(video).map(({ data }) => [...data])).toEqual([
      [0, 255, 254],
      [0, 255, 127],
    ]);
  });

  /** A small model whose biases and norms are not 0 and 1, as those of an untrained model are. */
  function smallModel(profile: PerceiverProfileName): MultiModalPerceiver {
    const model = new MultiModalPerceiver({
      imgSize: [8, 8],
      numFrames: 2,
      audioSamplesPerFrame: 32,
      audioSamplesPerPatch: 4,
      numClasses: 5,
      numSelfAttendsPerBlock: 1,
      numLatents: 3,
      numLatentChannels: 16,
      profile,
    });
    const { normal } = generator(3);
    for (const [name, t] of stateDict(initialize(model, 3))) {
      const mean = /norm.*weight$/.test(name) ? 1 : 0;
      if (t.shape.length > 1 && !name.includes("padding")) continue;
      t.assign(
        view(
          Float64Array.from({ length: t.size }, () => mean + 0.5 * normal()),
          t.shape,
        ),
      );
    }
    return model;
  }
  const images = videoInput([picture(8, 8), picture(8, 8, 4)], [8, 8]);
  const sound = Float64Array.from({ length: 64 }, (_, i) => Math.sin(i));
  const audio = new Tensor<"b n 1">([1, 64, 1], view(sound, [1, 64, 1]));

  /** The largest difference of a reconstruction in parts from what the model computes, for each result. */
  async function differences(model: MultiModalPerceiver, backend: Backend) {
    const made = await reconstruct(model, images, audio, 4, { backend, onStep() {} });
    const expected = model.forward(images, audio, 2);
    await backend.close();
    return (["image", "audio", "label"] as const).map((name) => {
      expect(made[name].shape).toEqual(expected[name].shape);
      const wanted = flat(expected[name].data);
      return Math.max(...[...flat(made[name].data)].map((x, i) => Math.abs(x - (wanted[i] ?? Number.NaN))));
    });
  }

  test.each(["perceiver-io@64947cf", "deepmind"] as const)(
    "[perceiver.encoded-once] [perceiver.folded] parts give the reconstruction of the model (%s)",
    async (profile) => {
      for (const difference of await differences(smallModel(profile), reference("float64")))
        expect(difference).toBeLessThan(1e-12);
    },
  );

  test("[perceiver.folded] in float32 the parts differ from the model by rounding", async () => {
    for (const difference of await differences(
      smallModel("perceiver-io@64947cf"),
      await simd({ threads: 1 }),
    ))
      expect(difference).toBeLessThan(2e-5); // results are of the order of 1 and are sums of a thousand products
  });

  test("[perceiver.folded] a channel that depends on others does not matter", async () => {
    const model = smallModel("perceiver-io@64947cf");
    const { weight } = model.perceiver._decoder.decoding_cross_attn.attention.final;
    const values = Float64Array.from(flat(weight.data));
    const [rows = 0, columns = 0] = weight.shape;
    for (let row = 0; row < rows; row++) {
      values[row * columns + 5] = 2 * (values[row * columns + 2] ?? 0);
      values[row * columns + 7] = 0;
    }
    stateDict(model)
      .get("perceiver._decoder.decoding_cross_attn.attention.final.weight")
      ?.assign(view(values, weight.shape));
    for (const difference of await differences(model, reference("float64")))
      expect(difference).toBeLessThan(1e-12);
  });
});

describe("mistakes", () => {
  test.each([
    [[], 3, "classify, mask-fill, flow, autoencode"],
    [["paint", "a.png"], 3, '"paint"'],
    [["classify"], 3, "PICTURE"],
    [["classify", "a.png", "--out", "x.png"], 3, "--out is an option of perceiver flow and autoencode"],
    [["classify", "a.png", "--prep", "patches"], 3, "--prep"],
    [["classify", "nowhere.png", "--small"], 2, "nowhere.png"],
    [["classify", "sound.wav", "--small"], 2, "sound.wav"],
    [["classify", "a.png", "--small", "--model", "nowhere.pth"], 2, "it does not exist"],
    [["classify", "a.png", "--small", "--model", "b.png"], 2, "b.png"],
    [["classify", "a.png", "--model", "m.pth", "--seed", "1"], 3, "--seed"],
    [["mask-fill", "nothing", "--small"], 3, "no masked byte"],
    [["mask-fill", "text", "--hide", "other", "--small"], 3, '"other"'],
    [["mask-fill", "[MASK:257]", "--small"], 3, "256 bytes"],
    [["mask-fill", "[MASK:99999999999999999999]", "--small"], 3, "256 bytes"],
    [["flow", "a.png", "narrow.png", "--small"], 2, "one size"],
    [["flow", "narrow.png", "narrow.png", "--small"], 2, "at least 128×96"],
    [["flow", "a.png", "b.png"], 2, "or try --small"],
    [["autoencode", "frames", "sound.wav", "--small"], 3, "--out FOLDER"],
    [["autoencode", "frames", "sound.wav", "--small", "--out", "o", "--frames", "6"], 3, "multiple of 4"],
    [["autoencode", "frames", "sound.wav", "--small", "--out", "o", "--chunks", "7"], 3, "--chunks divides"],
    [["autoencode", "few", "sound.wav", "--small", "--out", "o"], 2, "4 frames are needed"],
    [["autoencode", "a.png", "sound.wav", "--small", "--out", "o"], 2, "is no folder"],
    [["autoencode", "frames", "short.wav", "--small", "--out", "o"], 2, "7679 samples; 4 frames need 7680"],
    [["autoencode", "frames", "slow.wav", "--small", "--out", "o"], 2, "-ar 48000"],
    [["autoencode", "frames", "a.png", "--small", "--out", "o"], 2, "no WAV file"],
  ])("%j exits with %i", (args, exit, word) => {
    const isFile = /\.(png|wav)$|^(frames|few|o)$/;
    const { status, stderr, stdout } = perceiver(...args.map((arg) => (isFile.test(arg) ? path(arg) : arg)));
    expect(stderr).toContain(word);
    expect([status, stdout]).toEqual([exit, ""]);
  });
});

test("help and results fit 80 columns", () => {
  const outputs = [
    perceiver("--help").stdout,
    perceiver("classify", path("a.png"), "--small").stdout,
    perceiver("mask-fill", `${"long ".repeat(40)}[MASK]`, "--small").stdout,
  ];
  for (const output of outputs) expect(output.split("\n").filter((line) => widthOf(line) > 80)).toEqual([]);
});
