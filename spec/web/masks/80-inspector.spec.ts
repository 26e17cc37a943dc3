// Rules of 80-inspector.md that need no browser. 80-browser.spec.ts tests the page in Chromium.
import { writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listen, pageServer } from "../../../src/cli/commands/inspect.ts";
import { tokensOf } from "../../../src/io/prompt.ts";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import { batchOf } from "../../../src/mask-report/batch.ts";
import { maskReport } from "../../../src/mask-report/report.ts";
import { maskText } from "../../../src/mask-report/text.ts";
import { type ConventionName, conventions } from "../../../src/masks/conventions/conventions.ts";
import { differenceOf } from "../../../src/masks/difference.ts";
import { explain } from "../../../src/masks/explain.ts";
import { placeOf, toneOf } from "../../../src/masks/findings.ts";
import { MaskRow, maskRows } from "../../../src/masks/rows.ts";
import { asSentence, findingSentence, reasonClause } from "../../../src/masks/sentences.ts";
import { drawingOf } from "../../../src/web/masks/copies.ts";
import { placeAfterKey } from "../../../src/web/masks/grid/keyboard.ts";
import {
  linesOf,
  lineWith,
  offsetsOf,
  shownImages,
  visibleLines,
} from "../../../src/web/masks/grid/lines.ts";
import { blockStages } from "../../../src/web/masks/layer/block.ts";
import {
  effectOf,
  rowOf,
  stageNamed,
  weightStatistics,
  weightsOf,
} from "../../../src/web/masks/layer/rows.ts";
import { stepText } from "../../../src/web/masks/panels/decoding.ts";
import { rowFacts } from "../../../src/web/masks/panels/stages.ts";
import { addressOf, START, type State, stateOf } from "../../../src/web/masks/state.ts";
import { traceOf, traceOfCase, traceOfTensors } from "../../../src/web/masks/trace.ts";
import { viewOf } from "../../../src/web/masks/view.ts";
import { warningsOf } from "../../../src/web/masks/warnings.ts";
import { differenceInWords, explanationOf, fullOutcome, shortOutcome } from "../../../src/web/masks/words.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const state = (patch: Partial<State> = {}): State => ({ ...START, ...patch });
const names = Object.keys(conventions) as ConventionName[];
const CASES = "golden/cases/flamingo-pytorch";

const word = fc.constantFrom("a", "cat", "<image>", "<image>", "</s>", ",");
const prompt = fc.array(word, { minLength: 1, maxLength: 9 }).map((words) => words.join(" "));
const anyState: fc.Arbitrary<State> = fc.record({
  text: fc.oneof(
    fc.array(prompt, { maxLength: 3 }).map((lines) => lines.join("\n")),
    fc.string({ unit: "binary" }),
  ),
  images: fc.array(fc.nat(64), { maxLength: 3 }),
  convention: fc.oneof(fc.constantFrom(...names), fc.string()),
  against: fc.oneof(fc.constantFrom("", ...names), fc.string()),
  padding: fc.constantFrom("right", "left"),
  layout: fc.constantFrom("sentence", "rows"),
  show: fc.constantFrom("mask", "attention"),
  latents: fc.integer({ min: 1, max: 16 }),
  head: fc.nat(63),
  at: fc.option(fc.record({ prompt: fc.nat(999), position: fc.nat(999), image: fc.nat(99) })),
  known: fc.nat(999_999),
  step: fc.nat(999_999),
});
/** Whether an address can hold the texts of a state: they contain no unpaired surrogates. */
const fitsAddress = (s: State) =>
  [s.text, s.convention, s.against].every((text) => !/\p{Surrogate}/u.test(text));

describe("the link", () => {
  test("every state is restored from its address", () => {
    fc.assert(
      fc.property(anyState.filter(fitsAddress), (page) => {
        const address = addressOf(page);
        expect(stateOf(address)).toEqual(page);
        expect(stateOf(`#${address}`)).toEqual(page);
        expect(address).not.toMatch(/[\s<>"#]/);
      }),
    );
  });

  test("an address is readable", () => {
    const page = state({
      text: "A cat: <image> done",
      convention: "paper next",
      at: { prompt: 0, position: 3, image: 1 },
    });
    expect(addressOf(page)).toBe("p=A+cat%3A+%3Cimage%3E+done&c=paper+next&at=0.3.1");
  });

  test("an address contains only the fields that differ from the initial state", () => {
    expect(addressOf(START)).toBe("");
    fc.assert(
      fc.property(anyState.filter(fitsAddress), (page) => {
        const changed = Object.entries(page).filter(
          ([key, value]) => `${JSON.stringify(value)}` !== JSON.stringify(START[key as keyof State]),
        );
        expect(addressOf(page).split("&").filter(Boolean)).toHaveLength(changed.length);
      }),
    );
  });

  test("any address opens the page", () => {
    expect(stateOf("as=diagonal&r=99&head=-1&n=1.x&at=1.2&known=1e9&show=&pad=up")).toEqual(START);
    expect(stateOf("at=1.2.3.4&step=2.5&r=0&n=65")).toEqual(START);
    expect(stateOf("n=&vs=otter&as=rows&r=16&at=0.1.2&n=4")).toEqual(
      state({ against: "otter", layout: "rows", latents: 16, at: { prompt: 0, position: 1, image: 2 } }),
    );
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        (address) => viewOf(stateOf(address)).conventions.length > 0,
      ),
    );
  });

  test("an unknown convention gives a warning, and another one is shown", () => {
    const view = viewOf(state({ convention: "nobody", against: "otter" }));
    expect(view.conventions.map(({ name }) => name)).toEqual(["otter"]);
    expect(warningsOf(view)[0]).toMatchObject({
      tone: "alarm",
      sentence: expect.stringContaining("“nobody”"),
    });
    expect(viewOf(state({ convention: "nobody" })).conventions).toEqual([conventions.immediate]);
  });
});

describe("the grid", () => {
  test("each line that is not empty is a prompt, padded to the longest", () => {
    const text = "A <image> b\n\n  \r\n<image>";
    const { batch } = viewOf(state({ text, padding: "left" }));
    expect(batch.prompts.map((tokens) => tokens.map(({ text }) => text))).toEqual([
      ["A", "<image>", "b"],
      ["<pad>", "<pad>", "<image>"],
    ]);
    expect(batch).toEqual(batchOf([tokensOf("A <image> b"), tokensOf("<image>")], { pad: "left" }));
    expect(viewOf(state({ text, images: [2, 1] })).batch).toMatchObject({ images: 2, real: [2, 1] });
    expect(viewOf(state({ text: " \n" })).prompts).toEqual([]);
  });

  test("every token has its row of the mask", () => {
    fc.assert(
      fc.property(
        fc.array(prompt, { minLength: 1, maxLength: 3 }),
        fc.constantFrom(...names),
        (lines, convention) => {
          const view = viewOf(state({ text: lines.join("\n"), convention }));
          const { locations, images } = view.batch;
          const shown = view.prompts.map((tokens) => tokens.map(({ bands }) => bands[0]?.row));
          expect(shown).toEqual(maskRows(locations, images, conventions[convention]));
        },
      ),
      { numRuns: 40 },
    );
  });

  test("tokens fill lines in order, and no line is empty", () => {
    expect(linesOf([3, 3, 3, 9, 1], 6)).toEqual([
      { from: 0, to: 2 },
      { from: 2, to: 3 },
      { from: 3, to: 4 },
      { from: 4, to: 5 },
    ]);
    const widths = fc.array(fc.integer({ min: 1, max: 50 }));
    fc.assert(
      fc.property(widths, fc.integer({ min: 1, max: 120 }), (list, room) => {
        const lines = linesOf(list, room);
        const sum = (from: number, to: number) => list.slice(from, to).reduce((a, w) => a + w, 0);
        expect(lines.flatMap(({ from, to }) => list.slice(from, to))).toEqual(list);
        for (const { from, to } of lines) {
          expect(to - from === 1 || (to > from && sum(from, to) <= room)).toBe(true);
          if (to < list.length) expect(sum(from, to + 1)).toBeGreaterThan(room);
        }
        list.forEach((_, i) => {
          const { from, to } = lines[lineWith(lines, i)] ?? { from: 1, to: 0 };
          expect(from <= i && i < to).toBe(true);
        });
      }),
    );
  });

  test("all visible lines are built, and few others", () => {
    const heights = fc.array(fc.integer({ min: 20, max: 90 }), { maxLength: 80 });
    fc.assert(
      fc.property(heights, fc.integer({ min: -4000, max: 9000 }), fc.nat(2000), (list, top, more) => {
        const bottom = top + more;
        const offsets = offsetsOf(list);
        const { from, to } = visibleLines(offsets, top, bottom);
        expect(0 <= from && from <= to && to <= list.length).toBe(true);
        expect(to - from).toBeLessThanOrEqual(more / 20 + 6);
        list.forEach((height, i) => {
          const start = list.slice(0, i).reduce((a, h) => a + h, 0);
          if (start < bottom && start + height > top) expect(from <= i && i < to).toBe(true);
        });
      }),
    );
    expect(visibleLines(offsetsOf([10, 10, 10, 10]), 10, 20, 0)).toEqual({ from: 1, to: 2 });
  });

  test("with many images a line shows those that its tokens represent or see", () => {
    const text = Array.from({ length: 8 }, (_, i) => `${"w ".repeat(i)}<image>`).join(" ");
    const shown = (from: number, to: number, patch: Partial<State> = {}, also: number[] = []) => {
      const view = viewOf(state({ text, ...patch }));
      return shownImages(view.prompts[0]?.slice(from, to) ?? [], view.batch.images, also);
    };
    expect(shown(0, 1)).toEqual([1]);
    expect(shown(0, 3)).toEqual([1, 2]);
    expect(shown(4, 6)).toEqual([2, 3]);
    expect(shown(4, 5, { convention: "paper" })).toEqual([2]);
    expect(shown(5, 6, { convention: "paper" })).toEqual([2, 3]);
    expect(shown(4, 5, {}, [7])).toEqual([2, 7]);
    expect(shown(4, 5, { against: "all-previous" })).toEqual([1, 2]);
    expect(shown(1, 2, { convention: "paper next", against: "mllama transformers" })).toEqual([1, 2]);
    expect(shown(0, 1, { convention: "flamingo-pytorch@0.0.4", text: `w ${text}` })).toHaveLength(8);
    expect(shown(0, 1, { text: "w <image> <image> <image> <image> <image> <image>" })).toEqual([
      1, 2, 3, 4, 5, 6,
    ]);
    const first = viewOf(state({ text })).prompts[0]?.slice(0, 1) ?? [];
    const nan = first.map((token) => ({
      ...token,
      bands: token.bands.map((band) => ({
        ...band,
        row: new MaskRow({ ...band.row, outcome: "nan", reaching: [] }),
      })),
    }));
    expect(shownImages(nan, 8)).toHaveLength(8);
  });

  test("arrow keys follow the layout, and no key leaves the grid", () => {
    const at = { prompt: 1, position: 4, image: 1 };
    const extent = { length: 30, images: 2 };
    const go = (key: string, layout: State["layout"]) => {
      const place = placeAfterKey(at, key, layout, extent);
      return place && [place.prompt, place.position, place.image];
    };
    expect(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].map((key) => go(key, "sentence"))).toEqual([
      [1, 3, 1],
      [1, 5, 1],
      [1, 4, 0],
      [1, 4, 2],
    ]);
    expect(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"].map((key) => go(key, "rows"))).toEqual([
      [1, 3, 1],
      [1, 5, 1],
      [1, 4, 0],
      [1, 4, 2],
    ]);
    expect(["Home", "End", "PageUp", "PageDown"].map((key) => go(key, "rows"))).toEqual([
      [1, 0, 1],
      [1, 29, 1],
      [1, 0, 1],
      [1, 14, 1],
    ]);
    expect(["a", "Tab", "Enter"].map((key) => go(key, "sentence"))).toEqual([null, null, null]);
    expect(
      placeAfterKey({ prompt: 0, position: 29, image: 2 }, "ArrowRight", "sentence", extent),
    ).toMatchObject({
      position: 29,
    });
    expect(
      placeAfterKey({ prompt: 0, position: 29, image: 2 }, "ArrowDown", "sentence", extent),
    ).toMatchObject({
      image: 2,
    });
  });

  test("the rows that differ are those of differenceOf, and their cells are marked", () => {
    fc.assert(
      fc.property(
        prompt,
        fc.nat(3),
        fc.constantFrom(...names),
        fc.constantFrom(...names),
        (text, n, convention, against) => {
          const view = viewOf(state({ text, images: [n], convention, against }));
          const { locations, images } = view.batch;
          const { rows, cells } = differenceOf(
            locations,
            images,
            conventions[convention],
            conventions[against],
          );
          const shown = view.prompts.flat().filter(({ differs }) => differs);
          expect(shown.map(({ position }) => position)).toEqual(rows.map(({ position }) => position));
          for (const { image, position } of rows)
            if (image !== null)
              expect(view.prompts[0]?.[position]?.bands.map(({ differing }) => differing[image - 1])).toEqual(
                [true, true],
              );
          const difference = differenceInWords(view);
          expect(difference?.at ?? null).toEqual(
            rows[0] ? expect.objectContaining({ prompt: 0, position: rows[0].position }) : null,
          );
          expect(difference?.sentence).toMatch(
            rows.length === 0
              ? /agree on every row/
              : cells === 0
                ? /masks are equal/
                : new RegExp(`^${rows.length} rows? differs?, in ${cells} cell`),
          );
        },
      ),
      { numRuns: 60 },
    );
    const same = viewOf(state({ text: "a <image> b", against: "all-previous" }));
    expect(differenceInWords(same)).toEqual({
      sentence: expect.stringMatching(/^immediate and all-previous agree on every row/),
      at: null,
    });
    expect(differenceInWords(viewOf(START))).toBeNull();
    const two = viewOf(state({ text: "a <image> b <image>", against: "all-previous" }));
    expect(differenceInWords(two)).toEqual({
      sentence: "1 row differs, in 1 cell of the mask; the first is prompt 0, position 3, image 1.",
      at: { prompt: 0, position: 3, image: 1 },
    });
    expect(
      two.prompts[0]?.map(({ bands }) =>
        bands.map(({ differing }) => differing.map(Number).join("")).join(" "),
      ),
    ).toEqual(["00 00", "00 00", "00 00", "10 10"]);
  });

  test("a position shows the row of its decoding step, and rows that differ from the whole text are marked", () => {
    const text = "A <image> b <image> c d";
    const view = viewOf(state({ text, convention: "flamingo-mini", known: 3, step: 2 }));
    const [tokens = []] = view.prompts;
    expect(tokens.map(({ when }) => when)).toEqual(["known", "known", "known", "known", "now", "later"]);
    expect(view.steps[0]).toHaveLength(4);
    const full = maskRows(view.batch.locations, 2, conventions["flamingo-mini"])[0] ?? [];
    expect(tokens.map(({ bands }) => bands[0]?.stepDiffers)).toEqual([
      false,
      false,
      false,
      true,
      true,
      false,
    ]);
    expect(tokens[4]?.bands[0]?.row).toEqual(view.steps[0]?.[2]?.rows[0]?.[0]);
    expect(tokens[5]?.bands[0]?.row).toEqual(full[5]);
    expect(stepText(view)).toBe(
      "Step 2 of 3 processes position 4, “c”. flamingo-mini computes another row for position 4 than in the whole text.",
    );
    const both = viewOf(state({ text, convention: "otter", against: "immediate", known: 3, step: 0 }));
    expect(stepText(both)).toBe(
      "Step 0 of 3 processes positions 0 to 2. otter computes the same rows as in the whole text; immediate computes the same rows as in the whole text.",
    );
    expect(stepText(viewOf(START))).toBe("The whole text is processed in one pass.");
    const last = viewOf(state({ text, convention: "flamingo-mini", known: 3, step: 99 }));
    expect(last.step).toBe(3);
    expect(
      viewOf(state({ text, known: 0, step: 2 }))
        .prompts.flat()
        .every(({ when }) => when === "known"),
    ).toBe(true);
    const long = viewOf(state({ text: "a ".repeat(200), known: 1 }));
    expect(long.steps[0]?.length).toBeLessThanOrEqual(65);
  });
});

describe("explanations", () => {
  const text = "a <image> b <image> c";
  const at = (position: number, image = 0) => ({ prompt: 0, position, image });

  /** The reason for a row, or for one image in it, as the page prints it. */
  const sentence = (convention: ConventionName, position: number, image?: number) => {
    const { batch, prompts } = viewOf(state({ text, convention }));
    const kinds = prompts[0]?.map(({ token }) => token.kind) ?? [];
    const row = maskRows(batch.locations, batch.images, conventions[convention])[0]?.[position];
    return row && asSentence(reasonClause(explain(row, kinds, conventions[convention], image)));
  };

  test("outcome and reason for each convention, the image's first", () => {
    const view = viewOf(state({ text, against: "all-previous" }));
    expect(explanationOf(view, at(4))).toMatchObject({
      title: "Position 4: “c”",
      differs: true,
      bands: [
        { outcome: "attends", label: "attends 2", sentences: [sentence("immediate", 4)] },
        { label: "attends 1, 2" },
      ],
    });
    const sentences = explanationOf(view, at(4, 1))?.bands.map((band) => band.sentences);
    expect(sentences).toEqual([
      [sentence("immediate", 4, 1), sentence("immediate", 4)],
      [sentence("all-previous", 4, 1), sentence("all-previous", 4)],
    ]);
    expect(explanationOf(view, at(1, 1))?.bands[0]?.sentences).toHaveLength(1);
    expect(explanationOf(view, at(9))).toBeNull();
    expect(explanationOf(view, at(4, 7))?.image).toBe(0);
  });

  test("an empty row has one reason, whichever image is pointed at", () => {
    const view = viewOf(state({ text }));
    expect(explanationOf(view, at(0, 1))?.bands[0]?.sentences).toEqual([sentence("immediate", 0)]);
  });

  test("a row's outcome as a short and as a full label", () => {
    const labels = (text: string, convention: ConventionName, position: number) => {
      const row = viewOf(state({ text, convention })).prompts[0]?.[position]?.bands[0]?.row;
      return row && [shortOutcome(row), fullOutcome(row)];
    };
    const five = "a <image> <image> <image> <image> <image> b <image> c";
    expect(labels(five, "immediate", 0)).toEqual(["–", "zeroed"]);
    expect(labels(five, "immediate", 6)).toEqual(["5", "attends 5"]);
    expect(labels(five, "all-previous", 3)).toEqual(["1,2,3", "attends 1, 2, 3"]);
    expect(labels(five, "all-previous", 6)).toEqual(["1–5", "attends 1–5"]);
    expect(labels(five, "mllama reference", 0)).toEqual(["=", "identity"]);
    expect(labels(five, "mllama transformers", 0)).toEqual(["leak", "UNMASKED LEAK"]);
    expect(labels(five, "flamingo-pytorch@0.0.4", 0)).toEqual(["leak", "UNIFORM LEAK"]);
  });

  test("the row of a decoding step has one reason, with the row that the step uses", () => {
    const view = viewOf(state({ text, convention: "otter", known: 3, step: 2 }));
    const band = view.prompts[0]?.[4]?.bands[0];
    expect(band?.explain()).toMatchObject({ kind: "cached", how: { kind: "own-pass", from: 4 } });
    expect(explanationOf(view, at(4, 1))?.bands[0]).toMatchObject({
      stepDiffers: true,
      outcome: "zeroed",
      sentences: [band && asSentence(reasonClause(band.explain()))],
    });
  });

  test("warnings are the findings of both conventions, once, with their places and tones", () => {
    const view = viewOf(
      state({ text, images: [1], convention: "flamingo-pytorch@0.1.2 immediate", against: "paper next" }),
    );
    const { batch } = view;
    const of = (name: ConventionName) =>
      maskReport({ batch, convention: conventions[name], against: null, known: null }).findings;
    const all = [...of("flamingo-pytorch@0.1.2 immediate"), ...of("paper next")];
    const once = all.filter((one, i) => all.findIndex((other) => isDeepStrictEqual(one, other)) === i);
    expect(once.length).toBeLessThan(all.length);
    expect(warningsOf(view)).toEqual(
      once.map((finding) => ({
        sentence: findingSentence(finding),
        tone: toneOf(finding),
        at: placeOf(finding),
      })),
    );
    expect(warningsOf(view).map(({ at, tone }) => [at, tone])).toEqual([
      [{ prompt: 0, position: 3, image: 2 }, "alarm"],
      [{ prompt: 0, position: 3, image: 0 }, "alarm"],
      [null, "note"],
    ]);
    expect(warningsOf(viewOf(state({ convention: "nobody" })))).toEqual([
      { sentence: expect.stringContaining("“nobody”"), tone: "alarm", at: null },
    ]);
    expect(warningsOf(viewOf(state({ text: "", convention: "paper next" })))).toEqual([]);
  });

  test("the copied text is the output of flamboyance mask", () => {
    const page = state({
      text: "a <image> b\n<image> c",
      images: [1],
      convention: "flamingo-mini",
      against: "otter",
      known: 2,
      latents: 2,
    });
    const view = viewOf(page);
    const batch = batchOf(["a <image> b", "<image> c"].map(tokensOf), { images: [1] });
    const report = maskReport({
      batch,
      convention: conventions["flamingo-mini"],
      against: conventions.otter,
      known: 2,
    });
    expect(drawingOf(view, page)).toBe(`${maskText(report, { latents: 2 })}\n`);
    expect(drawingOf(viewOf(START), START)).toMatch(
      /^immediate\n[\s\S]*\[image 2\] +2 +· +■ +· +attends \{2\}/,
    );
    expect(drawingOf(viewOf(state({ text: "" })), START)).toBe("");
  });
});

describe("numbers", () => {
  const text = "a <image> b <image> c";
  const { batch } = viewOf(state({ text }));
  const stagesOf = (name: ConventionName, images = batch.images) => {
    const stages = blockStages(batch.locations, images, 3, conventions[name]);
    if (!stages) throw new Error("no stages");
    return stages;
  };
  const row = (name: ConventionName, stage: Parameters<typeof stageNamed>[1], position: number) => {
    const stages = stagesOf(name);
    const named = stageNamed(stages, stage);
    return named ? rowOf(named, 0, position, 1) : [];
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
        const input = rowOf(stagesOf(name).input ?? ({ shape: [] } as never), 0, position, 0);
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
    expect(rowOf(stage, 1, 1, 0)).toEqual([15, 16, 17]);
    expect(rowOf(stage, 0, 1, 1)).toEqual([9, 10, 11]);
    expect([rowOf(stage, 2, 0, 0), rowOf(stage, 0, 2, 0), rowOf(stage, 0, 0, 2)]).toEqual([[], [], []]);
    expect(rowOf({ ...stage, over: "features", shape: [2, 4, 3] }, 1, 1, 1)).toEqual([15, 16, 17]);
    expect(blockStages(batch.locations, 0, 2, conventions.immediate)).toBeNull();
    expect(weightsOf(stagesOf("immediate"), 0, 4, 0)?.map((keys) => keys.length)).toEqual([3, 3]);
  });

  test("statistics of a row's weights", () => {
    const statistics = (name: ConventionName, position: number) =>
      weightStatistics(stagesOf(name), 0, position, 0);
    const uniform = statistics("flamingo-pytorch@0.0.4", 0);
    expect(uniform).toMatchObject({ keys: 6, largestEntropy: Math.log(6), isUniform: true });
    expect(uniform?.sum).toBeCloseTo(1, 12);
    expect(uniform?.entropy).toBeCloseTo(Math.log(6), 12);
    expect(statistics("immediate", 0)).toMatchObject({ sum: 0, isUniform: false });
    expect(statistics("immediate", 0)?.entropy).toBeCloseTo(0, 12);
    const attends = statistics("immediate", 4); // to the three latents of one image
    expect(attends?.sum).toBeCloseTo(1, 12);
    expect(attends?.entropy).toBeLessThanOrEqual(Math.log(3));
    expect(weightStatistics(stagesOf("immediate"), 0, 99, 0)).toBeNull();
  });

  test("the effect of a layer on a row", () => {
    const effect = (name: ConventionName, position: number) => effectOf(stagesOf(name), 0, position);
    expect(effect("immediate", 4)).toBe("attention");
    expect(effect("immediate", 0)).toBe("feed-forward");
    expect(effect("mllama reference", 0)).toBe("none");
    expect(effectOf({ ...stagesOf("immediate"), input: null }, 0, 0)).toBeNull();
    expect(rowFacts(stagesOf("immediate"), 0, 4, 0)).toHaveLength(1);
    expect(rowFacts(stagesOf("immediate"), 0, 0, 0)).toHaveLength(2);
    expect(rowFacts(stagesOf("flamingo-pytorch@0.0.4"), 0, 0, 0)[0]).toMatch(/1\.00.*1\.79.*log 6/);
  });

  test("a golden case provides its prompts, weights and convention", () => {
    const trace = traceOfCase(`${CASES}/flamingo-palm--more-tokens-than-images`);
    expect(trace.state).toMatchObject({
      images: [2],
      latents: 3,
      convention: "flamingo-pytorch@0.1.2 immediate",
    });
    expect(trace.state.text).toBe("6 <image> 10 <image> 10 <image> 13\n8 6 <image> 12 23 <image> <image>");
    const expected = loadSafetensors(`${CASES}/flamingo-palm--more-tokens-than-images/expected.safetensors`);
    const weights = expected.tensor("taps.layers.0.1.attn.attn").data;
    expect(weightsOf(trace.stages, 1, 3, 1)?.flat()).toEqual(
      Array.from({ length: 6 }, (_, i) => weights.get(1, 1, 3, i)),
    );
    expect(trace.stages.stages.map(({ name }) => name)).toEqual(["scores", "masked", "weights"]);

    const page = state(trace.state);
    const view = viewOf(page);
    const block = traceOfCase(`${CASES}/gated-cross-attention-block--adjacent-and-end-all-previous`);
    expect(block.state).toMatchObject({
      convention: "flamingo-pytorch@0.1.2 all-previous",
      text: "text <image> <image> text text <image>\ntext text text <image> <image> <image>",
    });
    expect(view.batch.images).toBe(2);
  });

  test("recorded weights are compared with the convention", async () => {
    const { Model } = await import("../../../src/web/masks/model.ts");
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
    expect(model.weights(1, 3)?.length).toBe(2);
    model.update({ against: "open-flamingo@2.0.1" });
    expect(agreement()[0]?.sentence).toContain("flamingo-pytorch@0.1.2 immediate and open-flamingo@2.0.1");
    model.update({ convention: "immediate", against: "" });
    expect(mismatches()[0]).toMatchObject({ tone: "alarm", at: { prompt: 0, position: 5, image: 0 } });
    expect(agreement()).toEqual([]);
    model.update({ text: "a <image>" });
    expect(model.stages()?.origin).toBe("a small block with random weights");
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
      text: "text <image> <image> text text <image>\ntext text text <image> <image> <image>",
    });
    const trace = traceOfTensors(taps, page, "run");
    expect(trace.state).toMatchObject({ text: page.text, images: [3], latents: 2 });
    expect(trace.stages.origin).toBe("run, attn.attn");
    const both = traceOfTensors(new Map([...taps, ...tensorsIn("inputs")]), START, "run");
    expect(both.state).toMatchObject({ text: page.text, images: [3], latents: 2 });
    expect(() => traceOfTensors(taps, START, "run")).toThrow(
      /^run has no attention of text over images; .* of 1 × 10 tokens over 3 images/,
    );
    expect(() => traceOf(new Map([["a.txt", new Uint8Array()]]), START)).toThrow(/^Drop the three files/);
  });
});

describe("the server", () => {
  const folder = temporary();
  let server: ReturnType<typeof pageServer>;
  beforeAll(() => {
    writeFileSync(join(folder, "index.html"), "<p>page");
    writeFileSync(join(folder, "inspector.js"), "1");
    writeFileSync(join(folder, "secret.txt"), "no");
    server = pageServer(folder); // reads the list of files when it is created
  });
  afterAll(() => server.close().closeAllConnections());

  test("serves the files of the page, to this computer only", async () => {
    const address = await listen(server, 0);
    expect((server.address() as AddressInfo).address).toBe("127.0.0.1");
    expect(address).toBe(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const get = async (path: string, method = "GET") => {
      const response = await fetch(new URL(path, address), { method });
      return [response.status, response.headers.get("content-type"), await response.text()];
    };
    expect(await get("/")).toEqual([200, "text/html; charset=utf-8", "<p>page"]);
    expect(await get("/inspector.js?x")).toEqual([200, "text/javascript; charset=utf-8", "1"]);
    expect(await get("/", "HEAD")).toEqual([200, "text/html; charset=utf-8", ""]);
    expect((await get("/secret.txt"))[0]).toBe(404);
    expect((await get("/..%2f..%2fpackage.json"))[0]).toBe(404);
    expect((await get("/", "POST"))[0]).toBe(405);
    const policy = (await fetch(address)).headers.get("content-security-policy") ?? "";
    expect(policy).toMatch(
      /default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self'; img-src 'self' data:;/,
    );
    expect(policy).toContain("worker-src blob:;");
    const second = pageServer(folder);
    await expect(listen(second, (server.address() as AddressInfo).port)).rejects.toThrow(
      /another program uses it; --port chooses another/,
    );
  });

  test("sends the headers of cross-origin isolation, which shared memory needs", async () => {
    const { port } = server.address() as AddressInfo;
    for (const path of ["", "inspector.js"]) {
      const { headers } = await fetch(`http://127.0.0.1:${port}/${path}`);
      expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
      expect(headers.get("cross-origin-embedder-policy")).toBe("require-corp");
    }
  });
});
