// Rules of 80-inspector.md that need no browser. 80-browser.spec.ts tests the page in Chromium.
import { writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listen, pageServer } from "../../../src/cli/commands/inspect.ts";
import { batchOf } from "../../../src/mask-report/batch.ts";
import { maskReport } from "../../../src/mask-report/report.ts";
import { maskText } from "../../../src/mask-report/text.ts";
import { type ConventionName, conventions } from "../../../src/masks/conventions/conventions.ts";
import { differenceOf } from "../../../src/masks/difference.ts";
import { explainRow } from "../../../src/masks/explain.ts";
import { placeOf, toneOf } from "../../../src/masks/findings.ts";
import { tokensOf } from "../../../src/masks/prompts/prompt.ts";
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
import { stepText } from "../../../src/web/masks/panels/decoding.ts";
import { addressOf, START, type State, stateOf } from "../../../src/web/masks/state.ts";
import { viewOf } from "../../../src/web/masks/view.ts";
import { warningsOf } from "../../../src/web/masks/warnings.ts";
import { differenceInWords, explanationOf, fullOutcome, shortOutcome } from "../../../src/web/masks/words.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const state = (patch: Partial<State> = {}): State => ({ ...START, ...patch });
const names = Object.keys(conventions) as ConventionName[];

const IMAGE = { text: "<image>", tokens: 1, length: 1 } as const;

const word = fc.constantFrom("a", "cat", "<image>", "<image>", "</s>", ",");
const prompt = fc.array(word, { minLength: 1, maxLength: 9 }).map((words) => words.join(" "));
const anyState: fc.Arbitrary<State> = fc.record({
  prompts: fc.array(fc.oneof(prompt, fc.string({ unit: "binary" })), { minLength: 1, maxLength: 3 }),
  images: fc.array(fc.nat(64), { maxLength: 3 }),
  tiles: fc.array(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }), { maxLength: 3 }),
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
  [...s.prompts, s.convention, s.against].every((text) => !/\p{Surrogate}/u.test(text));

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
      prompts: ["A cat: <image> done"],
      convention: "paper next",
      at: { prompt: 0, position: 3, image: 1 },
    });
    expect(addressOf(page)).toBe("prompt=A+cat%3A+%3Cimage%3E+done&c=paper+next&at=0.3.1");
  });

  test("an address contains only the fields that differ from the initial state", () => {
    expect(addressOf(START)).toBe("");
    fc.assert(
      fc.property(anyState.filter(fitsAddress), (page) => {
        const changed = Object.entries(page).filter(
          ([key, value]) => `${JSON.stringify(value)}` !== JSON.stringify(START[key as keyof State]),
        );
        const texts = changed.some(([key]) => key === "prompts") ? page.prompts.length - 1 : 0;
        expect(addressOf(page).split("&").filter(Boolean)).toHaveLength(changed.length + texts);
      }),
    );
  });

  test("any address opens the page", () => {
    expect(stateOf("as=diagonal&r=99&head=-1&n=1.x&at=1.2&known=1e9&show=&pad=up")).toEqual(START);
    expect(stateOf("at=1.2.3.4&step=2.5&r=0&n=65")).toEqual(START);
    expect(stateOf("as=__proto__&pad=constructor&show=toString&c=&__proto__=1").layout).toBe("sentence");
    expect(stateOf("prompt=%E0%A4%A&c=%&at=%31.2.0")).toEqual(
      state({ prompts: ["\ufffd%A"], convention: "%", at: { prompt: 1, position: 2, image: 0 } }),
    );
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
  test("prompts with a token are the batch, padded to the longest", () => {
    const prompts = ["A <image> b", "", " \r\n", "<image>"];
    const { batch, numbers } = viewOf(state({ prompts, padding: "left" }));
    expect(numbers).toEqual([0, null, null, 1]);
    expect(batch.prompts.map((tokens) => tokens.map(({ text }) => text))).toEqual([
      ["A", "<image>", "b"],
      ["<pad>", "<pad>", "<image>"],
    ]);
    expect(batch).toEqual(
      batchOf([tokensOf("A <image> b"), tokensOf("<image>")], { pad: "left", marker: IMAGE }),
    );
    expect(viewOf(state({ prompts, images: [2, 1] })).batch).toMatchObject({ images: 2, real: [2, 1] });
    expect(viewOf(state({ prompts: [" ", ""] })).prompts).toEqual([]);
  });

  test("every token has its row of the mask", () => {
    fc.assert(
      fc.property(
        fc.array(prompt, { minLength: 1, maxLength: 3 }),
        fc.constantFrom(...names),
        (lines, convention) => {
          const view = viewOf(state({ prompts: lines, convention }));
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
        expect(to - from).toBeLessThanOrEqual(more / 20 + 2);
        list.forEach((height, i) => {
          const start = list.slice(0, i).reduce((a, h) => a + h, 0);
          if (start < bottom && start + height > top) expect(from <= i && i < to).toBe(true);
        });
      }),
    );
    expect(visibleLines(offsetsOf([10, 10, 10, 10]), 10, 20)).toEqual({ from: 1, to: 2 });
  });

  test("with many images a line shows those that its tokens represent or see", () => {
    const MOST = 10;
    const text = Array.from({ length: 8 }, (_, i) => `${"w ".repeat(i)}<image>`).join(" ");
    const shown = (from: number, to: number, patch: Partial<State> = {}, also: number[] = []) => {
      const view = viewOf(state({ prompts: [text], ...patch }));
      return shownImages(view.prompts[0]?.slice(from, to) ?? [], view.batch.images, MOST, also);
    };
    expect(shown(0, 1)).toEqual([1]);
    expect(shown(0, 3)).toEqual([1, 2]);
    expect(shown(4, 6)).toEqual([2, 3]);
    expect(shown(4, 5, { convention: "paper" })).toEqual([2]);
    expect(shown(5, 6, { convention: "paper" })).toEqual([2, 3]);
    expect(shown(4, 5, {}, [7])).toEqual([2, 7]);
    expect(shown(4, 5, { against: "all-previous" })).toEqual([1, 2]);
    expect(shown(1, 2, { convention: "paper next", against: "mllama transformers" })).toEqual([1, 2]);
    expect(shown(0, 1, { convention: "flamingo-pytorch@0.0.4", prompts: [`w ${text}`] })).toHaveLength(8);
    expect(shown(0, 1, { prompts: ["w <image> <image> <image> <image> <image> <image>"] })).toEqual([
      1, 2, 3, 4, 5, 6,
    ]);
    const first = viewOf(state({ prompts: [text] })).prompts[0]?.slice(0, 1) ?? [];
    const nan = first.map((token) => ({
      ...token,
      bands: token.bands.map((band) => ({
        ...band,
        row: new MaskRow({ ...band.row, outcome: "nan", reaching: [] }),
      })),
    }));
    expect(shownImages(nan, 8, MOST)).toHaveLength(8);
    const leak = viewOf(state({ prompts: [`w ${text}`], convention: "flamingo-pytorch@0.0.4" })).prompts[0];
    expect(shownImages(leak?.slice(0, 1) ?? [], 8, 5)).toEqual([1, 2, 3, 4, 5]);
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
          const view = viewOf(state({ prompts: [text], images: [n], convention, against }));
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
              expect(
                view.prompts[0]?.[position]?.bands.map(({ differing }) => differing()[image - 1]),
              ).toEqual([true, true]);
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
    const same = viewOf(state({ prompts: ["a <image> b"], against: "all-previous" }));
    expect(differenceInWords(same)).toEqual({
      sentence: expect.stringMatching(/^immediate and all-previous agree on every row/),
      at: null,
    });
    expect(differenceInWords(viewOf(START))).toBeNull();
    const two = viewOf(state({ prompts: ["a <image> b <image>"], against: "all-previous" }));
    expect(differenceInWords(two)).toEqual({
      sentence: "1 row differs, in 1 cell of the mask; the first is prompt 0, position 3, image 1.",
      at: { prompt: 0, position: 3, image: 1 },
    });
    expect(
      two.prompts[0]?.map(({ bands }) =>
        bands.map(({ differing }) => differing().map(Number).join("")).join(" "),
      ),
    ).toEqual(["00 00", "00 00", "00 00", "10 10"]);
  });

  test("a position shows the row of its decoding step, and rows that differ from the whole text are marked", () => {
    const text = "A <image> b <image> c d";
    const view = viewOf(state({ prompts: [text], convention: "flamingo-mini", known: 3, step: 2 }));
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
    const both = viewOf(
      state({ prompts: [text], convention: "otter", against: "immediate", known: 3, step: 0 }),
    );
    expect(stepText(both)).toBe(
      "Step 0 of 3 processes positions 0 to 2. otter computes the same rows as in the whole text; immediate computes the same rows as in the whole text.",
    );
    expect(stepText(viewOf(START))).toBe("The whole text is processed in one pass.");
    const last = viewOf(state({ prompts: [text], convention: "flamingo-mini", known: 3, step: 99 }));
    expect(last.step).toBe(3);
    expect(
      viewOf(state({ prompts: [text], known: 0, step: 2 }))
        .prompts.flat()
        .every(({ when }) => when === "known"),
    ).toBe(true);
    const long = viewOf(state({ prompts: ["a ".repeat(2000)], known: 1 }));
    expect([long.steps[0]?.length, long.leastKnown]).toEqual([1001, 1000]);
  });
});

describe("explanations", () => {
  const text = "a <image> b <image> c";
  const at = (position: number, image = 0) => ({ prompt: 0, position, image });

  /** The reason for a row, or for one image in it, as the page prints it. */
  const sentence = (convention: ConventionName, position: number, image?: number) => {
    const { batch, prompts } = viewOf(state({ prompts: [text], convention }));
    const kinds = prompts[0]?.map(({ token }) => token.kind) ?? [];
    const row = maskRows(batch.locations, batch.images, conventions[convention])[0]?.[position];
    return row && asSentence(reasonClause(explainRow(row, kinds, conventions[convention], image)));
  };

  test("outcome and reason for each convention, the image's first", () => {
    const view = viewOf(state({ prompts: [text], against: "all-previous" }));
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
    const view = viewOf(state({ prompts: [text] }));
    expect(explanationOf(view, at(0, 1))?.bands[0]?.sentences).toEqual([sentence("immediate", 0)]);
  });

  test("a row's outcome as a short and as a full label", () => {
    const labels = (text: string, convention: ConventionName, position: number) => {
      const row = viewOf(state({ prompts: [text], convention })).prompts[0]?.[position]?.bands[0]?.row;
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
    const view = viewOf(state({ prompts: [text], convention: "otter", known: 3, step: 2 }));
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
      state({
        prompts: [text],
        images: [1],
        convention: "flamingo-pytorch@0.1.2 immediate",
        against: "paper next",
      }),
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
    expect(warningsOf(viewOf(state({ prompts: [""], convention: "paper next" })))).toEqual([]);
  });

  test("the copied text is the output of flamboyance mask", () => {
    const page = state({
      prompts: ["a <image> b", "<image> c"],
      images: [1],
      convention: "flamingo-mini",
      against: "otter",
      known: 2,
      latents: 2,
    });
    const view = viewOf(page);
    const batch = batchOf(["a <image> b", "<image> c"].map(tokensOf), { images: [1], marker: IMAGE });
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
    expect(drawingOf(viewOf(state({ prompts: [""] })), START)).toBe("");
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
