// Rules of 80-inspector.md on the replay of decoding: the grid, the explanation and the stages of a layer are those of one step.
import { describe, expect, test } from "vitest";
import { conventionOf, conventions } from "../../../src/masks/conventions/conventions.ts";
import { replayDecoding } from "../../../src/masks/decoding/decode.ts";
import { addsNothing } from "../../../src/masks/outcome.ts";
import type { MaskRow } from "../../../src/masks/rows.ts";
import { traceOfCase } from "../../../src/web/masks/files/trace.ts";
import { effectOf, weightStatistics, weightsOf } from "../../../src/web/masks/layer/rows.ts";
import { Model } from "../../../src/web/masks/model.ts";
import { stepText } from "../../../src/web/masks/panels/decoding.ts";
import { START, type State } from "../../../src/web/masks/state.ts";
import { explanationOf } from "../../../src/web/masks/words.ts";

const state = (patch: Partial<State> = {}): State => ({ ...START, ...patch });
const place = (position: number, prompt = 0) => ({ prompt, position, image: 0 });
const names = [...Object.keys(conventions), "last 2"];
const prompts = ["a <image> b </s> c <image> <image> d", "<image> e f <image>"];

/** The row that the step which processed a position computed, or that of the whole text where no step has reached it. */
function rowIn(
  model: Model,
  name: string,
  { prompt: b, position }: { prompt: number; position: number },
): MaskRow {
  const { batch, step } = model.view;
  const { locations, images } = batch;
  const steps = replayDecoding(locations, images, conventionOf(name), { prompt: model.state.known });
  const taken = steps.slice(0, step + 1).find(({ from, to }) => from <= position && position < to);
  const whole = replayDecoding(locations, images, conventionOf(name), { passes: [locations.shape[1] ?? 0] });
  const row = taken ? taken.rows[b]?.[position - taken.from] : whole[0]?.full[b]?.[position];
  if (!row) throw new Error("no row");
  return row;
}

describe.each(names)("%s", (name) => {
  test("grid, explanation and stages agree at every step and position", () => {
    for (const known of [1, 3, 7]) {
      for (let step = 0; step <= 8 - known; step++) {
        const model = new Model(state({ prompts, convention: name, known, step }));
        expect(model.view.step).toBe(step);
        for (const [prompt, tokens] of model.view.prompts.entries()) {
          for (const { position, bands } of tokens) {
            const at = place(position, prompt);
            const { outcome, images } = rowIn(model, name, at);
            expect(bands[0]?.row).toMatchObject({ outcome, images });
            expect(explanationOf(model.view, at)?.bands[0]?.outcome).toBe(outcome);
            const stages = model.stages(at);
            if (!stages) throw new Error("no stages");
            const weights = weightsOf(stages, at, 1) ?? [];
            const reached = weights.flatMap((keys, m) => (keys.some((w) => w !== 0) ? [m + 1] : []));
            expect([name, known, step, at, reached]).toEqual([name, known, step, at, images]);
            const { sum, isUniform } = weightStatistics(stages, at, 1) ?? { sum: -1, isUniform: null };
            expect(sum).toBeCloseTo(images.length > 0 ? 1 : 0, 12);
            expect(isUniform).toBe(outcome === "uniform-leak");
            const effect =
              outcome === "identity" ? "none" : addsNothing(outcome) ? "feed-forward" : "attention";
            const runs = conventionOf(name).emptyRowFeedForward === "run" || !addsNothing(outcome);
            expect(effectOf(stages, at)).toBe(runs ? effect : "none");
          }
        }
      }
    }
  });
});

test("a generated token of Otter is zeroed in its step, where the whole text's row attends", () => {
  const model = new Model(state({ convention: "otter", known: 5, step: 1 }));
  const at = place(5);
  expect(explanationOf(model.view, at)?.bands[0]).toMatchObject({ outcome: "zeroed", stepDiffers: true });
  expect(weightsOf(model.stages(at) ?? never(), at, 0)?.flat()).toEqual([0, 0, 0, 0, 0, 0]);
  model.update({ known: 0, step: 0 });
  expect(explanationOf(model.view, at)?.bands[0]).toMatchObject({ outcome: "attends", stepDiffers: false });
  expect(weightsOf(model.stages(at) ?? never(), at, 0)?.map((keys) => keys.every((w) => w > 0))).toEqual([
    true,
    false,
    false,
  ]);
});

const never = () => {
  throw new Error("no stages");
};

test("a token that decoding has not reached is explained as such", () => {
  const { view } = new Model(state({ convention: "otter", known: 5, step: 1 }));
  expect([5, 6].map((position) => explanationOf(view, place(position))?.isLater)).toEqual([false, true]);
});

test("the step is described by the marks of the grid, with the prompt where there are several", () => {
  const { view } = new Model(
    state({ prompts: ["a b c d", "<image> e f g"], convention: "otter", known: 3, step: 1 }),
  );
  const marked = view.prompts.map((tokens) =>
    tokens.filter(({ bands }) => bands[0]?.stepDiffers).map(({ position }) => position),
  );
  expect(marked).toEqual([[], [3]]);
  expect(stepText(view)).toContain(
    "otter computes another row for position 3 of prompt 1 than in the whole text",
  );
});

test("a file's numbers are of the whole text, and a decoding step has the block's instead", () => {
  const model = new Model(START);
  model.take(traceOfCase("golden/cases/flamingo-pytorch/flamingo-palm--more-tokens-than-images"));
  expect(model.stages(place(0))?.origin).toContain("layers.0.1.attn.attn");
  model.update({ known: 2, step: 1 });
  expect(model.stages(place(0))?.origin).toBe("a small block with random weights");
  expect(model.recordedImages(place(3))).toEqual([]);
  model.update({ known: 0 });
  expect(model.stages(place(0))?.origin).toContain("layers.0.1.attn.attn");
  expect(model.recordedImages(place(3)).length).toBeGreaterThan(0);
});

test("the numbers of a token and an image do not depend on the rest of the text", () => {
  const scores = (text: string, latents: number) => {
    const model = new Model(state({ prompts: [text], latents }));
    const { stages = [] } = model.stages(place(1)) ?? {};
    return stages[0]?.values[0];
  };
  expect(scores("a <image> b", 2)).toBe(scores("a <image> b <image> c d", 3));
});
