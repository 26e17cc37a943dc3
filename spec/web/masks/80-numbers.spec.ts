// Rules of 80-inspector.md on the numbers of a layer, and on the files that they can come from.

import { describe, expect, test } from "vitest";
import { loadSafetensors, type Stored } from "../../../src/io/safetensors/read.ts";
import { maskReport } from "../../../src/mask-report/report.ts";
import { type ConventionName, conventions } from "../../../src/masks/conventions/conventions.ts";
import { maskRows } from "../../../src/masks/rows.ts";
import { findingSentence } from "../../../src/masks/sentences.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import { Bool, Int } from "../../../src/tensor/tensor.ts";
import { traceOf, traceOfCase, traceOfTensors } from "../../../src/web/masks/files/trace.ts";
import { blockStages } from "../../../src/web/masks/layer/block.ts";
import {
  effectOf,
  rowOf,
  stageNamed,
  weightStatistics,
  weightsOf,
} from "../../../src/web/masks/layer/rows.ts";
import { Model } from "../../../src/web/masks/model.ts";
import { tilesIn } from "../../../src/web/masks/panels/controls.ts";
import { rowFacts } from "../../../src/web/masks/panels/stages.ts";
import { START, type State } from "../../../src/web/masks/state.ts";
import { viewOf } from "../../../src/web/masks/view.ts";
import { warningsOf } from "../../../src/web/masks/warnings.ts";

const state = (patch: Partial<State> = {}): State => ({ ...START, ...patch });
const names = Object.keys(conventions) as ConventionName[];
const CASES = "golden/cases/flamingo-pytorch";
const place = (position: number, prompt = 0) => ({ prompt, position });

describe("numbers", () => {
  const text = "a <image> b <image> c";
  const { batch } = viewOf(state({ prompts: [text] }));
  const stagesOf = (name: ConventionName, images = batch.images) => {
    const rows = maskRows(batch.locations, images, conventions[name])[0] ?? [];
    const stages = blockStages(rows, { images, latents: 3 }, conventions[name]);
    if (!stages) throw new Error("no stages");
    return stages;
  };
  const row = (name: ConventionName, stage: Parameters<typeof stageNamed>[1], position: number) => {
    const stages = stagesOf(name);
    const named = stageNamed(stages, stage);
    return named ? rowOf(stages, named, place(position), 1) : [];
  };

  test("each stage follows from the previous one", () => {
    for (const name of names) {
      const rows = maskRows(batch.locations, 2, conventions[name])[0] ?? [];
      rows.forEach(({ mayAttend, outcome: kind }, position) => {
        const [scores, masked, softmax, weights] = (["scores", "masked", "softmax", "weights"] as const).map(
          (stage) => row(name, stage, position),
        );
        const open = kind === "unmasked-leak" ? [true, true] : mayAttend;
        expect(masked).toEqual(
          scores?.map((score, i) => (open[Math.floor(i / 3)] ? score : Number.NEGATIVE_INFINITY)),
        );
        const sum = softmax?.reduce((a, w) => a + w, 0) ?? 0;
        expect(sum).toBeCloseTo(open.includes(true) || conventions[name].emptyRow === "uniform" ? 1 : 0, 12);
        expect(weights).toEqual(kind === "zeroed" || kind === "identity" ? softmax?.map(() => 0) : softmax);
        const stages = stagesOf(name);
        const input = stages.input ? rowOf(stages, stages.input, place(position), 0) : [];
        const residual = row(name, "residual", position);
        row(name, "gated", position).forEach((gated, i) => {
          expect(gated + (input[i] ?? 0)).toBeCloseTo(residual[i] ?? 0, 12);
        });
        const same = `${row(name, "output", position)}` === `${residual}`;
        expect(same).toBe(conventions[name].emptyRowFeedForward === "skip" && !mayAttend.includes(true));
      });
    }
  });

  test("rows are read from every stage; without an image there are no stages", () => {
    const stage = {
      name: "scores",
      over: "keys",
      shape: [2, 2, 2, 3],
      values: Array.from({ length: 24 }, (_, i) => i),
    } as const;
    const start = { first: place(0) };
    expect(rowOf(start, stage, place(1, 1), 0)).toEqual([15, 16, 17]);
    expect(rowOf(start, stage, place(1), 1)).toEqual([9, 10, 11]);
    expect(rowOf({ first: place(6, 1) }, stage, place(7, 2), 0)).toEqual([15, 16, 17]);
    expect([place(0, 2), place(2)].map((at) => rowOf(start, stage, at, 0))).toEqual([[], []]);
    expect(rowOf({ first: place(1) }, stage, place(0), 0)).toEqual([]);
    expect(rowOf(start, stage, place(0), 2)).toEqual([]);
    const features = { ...stage, over: "features", shape: [2, 4, 3] } as const;
    expect(rowOf(start, features, place(1, 1), 1)).toEqual([15, 16, 17]);
    expect(blockStages([], { images: 2, latents: 2 }, conventions.immediate)).toBeNull();
    expect(
      blockStages(
        maskRows(batch.locations, 0, conventions.immediate)[0] ?? [],
        { images: 0, latents: 2 },
        conventions.immediate,
      ),
    ).toBeNull();
    expect(weightsOf(stagesOf("immediate"), place(4), 0)?.map((keys) => keys.length)).toEqual([3, 3]);
  });

  test("statistics of a row's weights", () => {
    const statistics = (name: ConventionName, position: number) =>
      weightStatistics(stagesOf(name), place(position), 0);
    const uniform = statistics("flamingo-pytorch@0.0.4", 0);
    expect(uniform).toMatchObject({ keys: 6, largestEntropy: Math.log(6), isUniform: true });
    expect(uniform?.sum).toBeCloseTo(1, 12);
    expect(uniform?.entropy).toBeCloseTo(Math.log(6), 12);
    expect(statistics("immediate", 0)).toMatchObject({ sum: 0, isUniform: false });
    expect(statistics("immediate", 0)?.entropy).toBeCloseTo(0, 12);
    const attends = statistics("immediate", 4); // to the three latents of one image
    expect(attends?.sum).toBeCloseTo(1, 12);
    expect(attends?.entropy).toBeLessThanOrEqual(Math.log(3));
    expect(weightStatistics(stagesOf("immediate"), place(99), 0)).toBeNull();
  });

  test("the effect of a layer on a row", () => {
    const effect = (name: ConventionName, position: number) => effectOf(stagesOf(name), place(position));
    expect(effect("immediate", 4)).toBe("attention");
    expect(effect("immediate", 0)).toBe("feed-forward");
    expect(effect("mllama reference", 0)).toBe("none");
    expect(effectOf({ ...stagesOf("immediate"), input: null }, place(0))).toBeNull();
    expect(rowFacts(stagesOf("immediate"), place(4), 0)).toHaveLength(1);
    expect(rowFacts(stagesOf("immediate"), place(0), 0)).toHaveLength(2);
    expect(rowFacts(stagesOf("flamingo-pytorch@0.0.4"), place(0), 0)[0]).toMatch(/1\.00.*1\.79.*log 6/);
  });

  test("a golden case provides its prompts, weights and convention", () => {
    const trace = traceOfCase(`${CASES}/flamingo-palm--more-tokens-than-images`);
    expect(trace.state).toMatchObject({
      images: [2],
      latents: 3,
      convention: "flamingo-pytorch@0.1.2 immediate",
    });
    expect(trace.state.prompts).toEqual([
      "6 <image> 10 <image> 10 <image> 13",
      "8 6 <image> 12 23 <image> <image>",
    ]);
    const expected = loadSafetensors(`${CASES}/flamingo-palm--more-tokens-than-images/expected.safetensors`);
    const weights = expected.tensor("taps.layers.0.1.attn.attn").data;
    expect((trace.stages && weightsOf(trace.stages, place(3, 1), 1))?.flat()).toEqual(
      Array.from({ length: 6 }, (_, i) => ndArray(weights).get(1, 1, 3, i)),
    );
    expect(trace.stages?.stages.map(({ name }) => name)).toEqual(["scores", "masked", "weights"]);

    const page = state(trace.state);
    const view = viewOf(page);
    const block = traceOfCase(`${CASES}/gated-cross-attention-block--adjacent-and-end-all-previous`);
    expect(block.state).toMatchObject({
      convention: "flamingo-pytorch@0.1.2 all-previous",
      prompts: ["text <image> <image> text text <image>", "text text text <image> <image> <image>"],
    });
    expect(view.batch.images).toBe(2);
  });

  test("recorded weights are compared with the convention", async () => {
    const model = new Model(START);
    model.take(traceOfCase(`${CASES}/flamingo-palm--more-tokens-than-images`));
    const mismatches = () => {
      const { batch, conventions: shown } = model.view;
      const findings = shown.flatMap(
        (convention) => maskReport({ batch, convention, against: null, known: null }).findings,
      );
      const sentences = findings.filter(({ kind }) => kind === "attention-mismatch").map(findingSentence);
      return warningsOf(model.view).filter(({ sentence }) => sentences.includes(sentence));
    };
    const agreement = () => warningsOf(model.view).filter(({ sentence }) => sentence.includes("agree with"));
    const [first] = warningsOf(model.view);
    expect(first).toMatchObject({
      tone: "note",
      at: null,
      sentence: expect.stringContaining("(layers.0.1.attn.attn) agree with flamingo-pytorch@0.1.2 immediate"),
    });
    expect(mismatches()).toEqual([]);
    expect(model.state).toMatchObject({ show: "attention", latents: 3 });
    expect(model.weights(place(3, 1))?.length).toBe(2);
    model.update({ against: "open-flamingo@2.0.1" });
    expect(agreement()[0]?.sentence).toContain("flamingo-pytorch@0.1.2 immediate and open-flamingo@2.0.1");
    model.update({ convention: "immediate", against: "" });
    expect(mismatches()[0]).toMatchObject({ tone: "alarm", at: { prompt: 0, position: 5, image: 0 } });
    expect(agreement()).toEqual([]);
    model.update({ convention: "mllama reference" });
    expect(warningsOf(model.view)).toContainEqual(
      expect.objectContaining({
        tone: "note",
        sentence: expect.stringContaining("tiles of the images are not known"),
      }),
    );
    model.update({ prompts: ["a <image>"] });
    expect(model.stages(place(0))?.origin).toBe("a small block with random weights");
    expect(model.view.batch.attention).toBeNull();
  });

  test("a file of taps belongs to the prompt on the page; a file without attention weights is an error", () => {
    const folder = `${CASES}/gated-cross-attention-block--adjacent-and-end`;
    const tensorsIn = (name: string) => {
      const file = loadSafetensors(`${folder}/${name}.safetensors`);
      return new Map(file.keys.map((key) => [key, file.get(key)]));
    };
    const taps = tensorsIn("expected");
    const page = state({
      prompts: ["text <image> <image> text text <image>", "text text text <image> <image> <image>"],
    });
    const trace = traceOfTensors(taps, page, "run");
    expect(trace.state).toMatchObject({ prompts: page.prompts, images: [3], latents: 2 });
    expect(trace.stages?.origin).toBe("run, attn.attn");
    const both = traceOfTensors(new Map([...taps, ...tensorsIn("inputs")]), START, "run");
    expect(both.state).toMatchObject({ prompts: page.prompts, images: [3], latents: 2 });
    expect(() => traceOfTensors(taps, START, "run")).toThrow(
      /^run has no attention of text over images; .* of 1 × 10 tokens over 3 images/,
    );
    expect(() => traceOf(new Map(), START)).toThrow(/^Drop the three files/);
  });
});

describe("tiles", () => {
  const text = "<|image|> a <|image|> b";
  const page = (tiles: State["tiles"], patch: Partial<State> = {}) =>
    state({ prompts: [text], convention: "mllama reference", tiles, ...patch });

  test("padding tiles have no weight in a row that attends, and every tile has in one that is not masked", () => {
    const model = new Model(page([[1, 3]], { convention: "mllama transformers", prompts: [`x ${text}`] }));
    const seen = (position: number) => {
      const stages = model.stages(place(position));
      return (
        stages &&
        weightsOf(stages, place(position), 0)?.map((keys) => keys.map((w) => Number(w > 0)).join(""))
      );
    };
    expect(seen(0)).toEqual(["1111", "1111"]); // the additive mask of an empty row is multiplied by 0, for padding tiles as well
    expect(seen(1)).toEqual(["1000", "0000"]);
    expect(seen(4)).toEqual(["0000", "1110"]);
    const stages = model.stages(place(4));
    expect(stages && weightStatistics(stages, place(4), 1)?.sum).toBeCloseTo(1, 12);
  });

  test("tiles are given for each image, prompt by prompt, and otherwise not shown", () => {
    const { batch, misfit } = viewOf(page([[1, 3]]));
    expect([batch.tiles, misfit]).toEqual([{ most: 4, counts: [[1, 3]] }, null]);
    const two = viewOf(page([[1, 3], [2]], { prompts: [text, "<|image|>"] }));
    expect(two.batch.tiles?.counts).toEqual([[1, 3], [2]]);
    const wrong = page([[1, 3, 2]]);
    expect(viewOf(wrong).batch.tiles).toBeNull();
    expect(warningsOf(viewOf(wrong))[0]?.sentence).toBe(
      "Tiles are given for 3 images of prompt 0, which has 2 images; they are not shown.",
    );
    expect(tilesIn("1, 3; 4")).toEqual([[1, 3], [4]]);
    expect([tilesIn(" "), tilesIn("5"), tilesIn("1.5"), tilesIn("x")]).toEqual([[], null, null, null]);
  });

  test("a file with a recorded mask and tiles is compared with the convention", () => {
    const locations = new Bool([1, 3], Uint8Array.of(1, 0, 0));
    const ratios = new Int([1, 1, 4], Int32Array.of(1, 1, 0, 0));
    const maskOf = (padding: number) =>
      new Int([1, 3, 1, 4], Int32Array.from([0, 1, 2].flatMap(() => [1, 1, padding, 0])));
    const sentences = (padding: number) => {
      const model = new Model(START);
      const tensors = new Map<string, Stored>([
        ["inputs.media_locations", locations],
        ["inputs.aspect_ratio_mask", ratios],
        ["inputs.cross_attention_mask", maskOf(padding)],
      ]);
      model.take(traceOfTensors(tensors, START, "run"));
      model.update({ convention: "mllama reference" });
      expect(model.view.batch.tiles).toEqual({ most: 4, counts: [[2]] });
      return warningsOf(model.view).map(({ sentence }) => sentence);
    };
    expect(sentences(0)).toEqual([
      "The recorded mask (cross_attention_mask) agrees with mllama reference on every row.",
    ]);
    expect(sentences(1)[0]).toMatch(
      /tiles 1, 2 and 3 of image 1 in cross_attention_mask, but the image has 2 of 4 tiles\./,
    );
  });
});
