// The executable half of 21-decoding.md.
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type CachedStep,
  type Convention,
  conventionOf,
  conventions,
  explainRow,
  maskRows,
  type Numbering,
} from "../../../src/entries/masks.ts";
import {
  type DecodeStep,
  type ReplayDecodingOptions,
  replayDecoding,
} from "../../../src/masks/decoding/decode.ts";
import { passVisibility } from "../../../src/masks/decoding/passes.ts";
import { MaskRow } from "../../../src/masks/rows.ts";
import { growth, LINEAR } from "../../support/measure/growth.ts";

const { immediate } = conventions;
const prompt = (text: string): number[] => [...text].map((token) => "tIE".indexOf(token));
const batch = (...texts: readonly string[]) => ({
  shape: [texts.length, texts[0]?.length ?? 0],
  data: texts.flatMap(prompt),
});
const by = (cachedStep: CachedStep, changes: Partial<Convention> = {}): Convention => ({
  ...immediate,
  ...changes,
  cachedStep,
});

const withoutOrigin = ({ origin: _, ...row }: MaskRow): MaskRow => new MaskRow(row);

/** What each position sees, prompt by prompt: "1 - 2". */
const seen = (steps: readonly DecodeStep[], which: "rows" | "full" = "rows"): string[] =>
  (steps[0]?.[which] ?? []).map((_, b) =>
    steps.flatMap((step) => (step[which][b] ?? []).map((row) => row.images.join("") || "-")).join(" "),
  );
const replay = (text: string, n: number, c: Convention, options: ReplayDecodingOptions = {}) =>
  seen(replayDecoding(batch(text), n, c, options))[0];

test("[mask.step-rows] without a cache, or with a right one, every step has its rows of the whole mask", () => {
  const texts = fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 2, maxLength: 10 });
  fc.assert(
    fc.property(texts, fc.nat(8), fc.integer({ min: 1, max: 4 }), fc.boolean(), (kinds, cut, n, chunks) => {
      const first = 1 + (cut % (kinds.length - 1));
      const passes = chunks ? { passes: [first, kinds.length - first] } : {};
      for (const cachedStep of ["none", "rows"] as const) {
        const c = by(cachedStep);
        const locations = { shape: [1, kinds.length], data: kinds };
        const steps = replayDecoding(locations, n, c, { prompt: first, ...passes });
        const cached = steps.flatMap((step) => step.rows[0] ?? []).map(withoutOrigin);
        expect(cached).toEqual(maskRows(locations, n, c)[0]);
        expect(steps.every((step) => step.differs === null && step.refused === null)).toBe(true);
      }
    }),
  );
});

test("[mask.step] a step has the first row that differs from the whole text's mask, in its images or its outcome", () => {
  const steps = replayDecoding(batch("tItt", "ttIt"), 1, by("restart"), { prompt: 2 });
  expect(steps.map(({ from, to }) => [from, to])).toEqual([
    [0, 2],
    [2, 3],
    [3, 4],
  ]);
  expect(steps.map(({ differs }) => differs)).toEqual([
    null,
    { prompt: 0, position: 2 },
    { prompt: 0, position: 3 },
  ]);
  expect(seen(steps, "full")).toEqual(["- 1 1 1", "- - 1 1"]);
  const leaking = conventionOf("open-flamingo@2.0.1");
  const uniform = replayDecoding(batch("tIt"), 1, { ...leaking, cachedStep: "restart" }, { prompt: 2 });
  expect(uniform[1]?.rows[0]?.[0]?.outcome).toBe("zeroed");
  const counted = replayDecoding(batch("IIt"), 1, leaking, { prompt: 2 });
  expect(counted[1]?.rows[0]?.[0]?.outcome).toBe("uniform-leak");
  expect(counted[1]?.differs).toBeNull(); // the whole mask leaks as well
});

test("[mask.step] by default everything but the last position is known", () => {
  const steps = replayDecoding(batch("tIt"), 1, immediate);
  expect(steps.map(({ from, to }) => [from, to])).toEqual([
    [0, 2],
    [2, 3],
  ]);
  expect(replayDecoding(batch(""), 1, immediate, { passes: [] })).toEqual([]);
});

test("[mask.step] a row keeps its own position, and names the row that it uses", () => {
  const [, step] = replayDecoding(batch("ItIt"), 2, by("last-row"), { prompt: 2, passes: [2, 2] });
  const [third, fourth] = step?.rows[0] ?? [];
  expect(third).toMatchObject({ position: 2, isImage: true, image: 2, images: [1] });
  expect(fourth).toMatchObject({ position: 3, isImage: false, image: 0 });
  expect(third && explainRow(third, prompt("ItIt"), by("last-row"))).toEqual({
    kind: "cached",
    position: 2,
    how: { kind: "prompt-row", position: 1 },
    reason: {
      kind: "seen",
      position: 1,
      images: [[1, 1]],
      because: { kind: "located", positions: [0], numbering: "inclusive", rank: "last", neighbours: false },
    },
  });
});

test("[mask.step] a row of a pass is explained from the text up to that pass", () => {
  const next = by("restart", { numbering: "next" });
  const [first] = replayDecoding(batch("ttI"), 1, next, { prompt: 2 });
  const row = first?.rows[0]?.[0];
  expect(row && explainRow(row, prompt("ttI"), next)).toMatchObject({
    kind: "empty",
    because: { kind: "no-image-after" }, // the image is not known yet
  });
});

test("[mask.step] a replay takes time in proportion to its steps", () => {
  const kinds = (n: number) =>
    Array.from({ length: n }, (_, l) => (l % 50 === 1 ? 1 : l % 50 === 40 ? 2 : 0));
  for (const name of ["all-previous", "idefics"]) {
    const c = conventionOf(name);
    const run = (n: number) =>
      void replayDecoding({ shape: [1, n], data: kinds(n) }, n / 50, c, { prompt: 2 });
    expect(growth(run, 2_500), name).toBeLessThan(LINEAR);
  }
});

test("[mask.step-restart] a pass counts its own images only", () => {
  expect(replay("ItItt", 3, by("restart"), { prompt: 2 })).toBe("1 1 1 - -");
  expect(replay("ItItt", 3, by("restart"), { prompt: 2, passes: [2, 3] })).toBe("1 1 1 1 1");
  expect(replay("ttItIt", 3, by("restart"), { prompt: 3, passes: [3, 3] })).toBe("- - 1 - 1 1");
  // Neighbours seen together are those of the pass: its first image has none before it, and its third stands beside the second.
  const together = by("restart", { neighbours: "together" });
  expect(replay("ItItIIt", 4, together, { prompt: 2, passes: [2, 5] })).toBe("1 1 1 1 2 23 23");
  expect(replay("IIIt", 4, together, { prompt: 1, passes: [1, 3] })).toBe("1 1 12 12");
});

test("[mask.step-restart] [mask.explicit] lists of images are those of a pass's own positions", () => {
  const lists = by("restart", { compare: { explicit: [[1], [2], [1, 3]] } });
  expect(replay("IIIt", 3, lists, { prompt: 2 })).toBe("1 2 1 1");
  expect(replay("IIIt", 3, lists, { prompt: 1, passes: [1, 3] })).toBe("1 1 2 13");
  const rows = by("rows", { compare: { explicit: [[1], [2], [1, 3]] } });
  expect(replay("IIIt", 3, rows, { prompt: 2 })).toBe("1 2 13 -");
});

test("[mask.step-restart] [mask.end-token] a pass counts as a loop over its own tokens does, with end tokens and images of several", () => {
  /** The number of position l in the pass that begins at `from`, from the sentences of the rules. */
  const numberIn = (kinds: readonly number[], from: number, l: number, numbering: Numbering): number => {
    const pass = kinds.slice(from);
    const seen = pass.slice(0, l - from + 1).filter((kind) => kind === 1).length;
    let cut = false;
    for (const kind of pass.slice(0, l - from)) cut = kind === 2 || (cut && kind !== 1);
    if (cut && kinds[l] !== 1) return 0;
    const isOwn = kinds[l] === 1 || (kinds[l] === 3 && seen > 0);
    if (numbering === "inclusive") return seen;
    if (numbering === "exclusive") return isOwn ? seen - 1 : seen;
    const comes = pass.slice(l - from + 1).includes(1);
    return isOwn ? seen : comes ? seen + 1 : 0;
  };
  const numberings = fc.constantFrom<Numbering>("inclusive", "exclusive", "next");
  const texts = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 2, maxLength: 10 });
  fc.assert(
    fc.property(texts, fc.nat(8), numberings, (kinds, at, numbering) => {
      const prompt = 1 + (at % (kinds.length - 1));
      const convention = by("restart", { numbering, endTokens: "cut" });
      const locations = { shape: [1, kinds.length], data: kinds };
      const options = { prompt, passes: [prompt, kinds.length - prompt] };
      const [first, second] = replayDecoding(locations, 3, convention, options);
      const numbers = [...(first?.rows[0] ?? []), ...(second?.rows[0] ?? [])].map(({ number }) => number);
      expect(numbers).toEqual(
        kinds.map((_, l) =>
          l < prompt
            ? numberIn(kinds.slice(0, prompt), 0, l, numbering)
            : numberIn(kinds, prompt, l, numbering),
        ),
      );
    }),
    { numRuns: 1000 },
  );
});

test("[mask.step-count] text sees the last counted image; an image restarts, for all, and is remembered", () => {
  expect(replay("tItItt", 3, by("count"), { prompt: 4 })).toBe("- 1 1 2 2 2");
  expect(replay("tItItt", 3, by("count"), { prompt: 2, passes: [2, 1, 3] })).toBe("- 1 1 1 1 1");
  expect(replay("IItIt", 3, by("count"), { prompt: 3 })).toBe("1 2 2 1 1");
  const steps = replayDecoding(batch("IItIt", "IIttt"), 3, by("count"), { prompt: 3 });
  expect(seen(steps)).toEqual(["1 2 2 1 1", "1 2 2 - -"]); // an image in the first prompt restarts the count of the second
  expect(replay("ttt", 1, by("count"), { prompt: 1 })).toBe("- - -");
});

test("[mask.step-prompt-end] a later pass has the numbers of the prompt's last positions", () => {
  expect(replay("tIttt", 2, by("prompt-end"), { prompt: 3 })).toBe("- 1 1 1 1");
  expect(replay("tItItt", 2, by("prompt-end"), { prompt: 4, passes: [4, 2] })).toBe("- 1 1 2 1 2");
  expect(replay("tItItt", 2, by("prompt-end"), { prompt: 6, passes: [4, 2] })).toBe("- 1 1 2 2 2");
  const [, refused] = replayDecoding(batch("Itttt"), 1, by("prompt-end"), { prompt: 2, passes: [2, 3] });
  expect(refused).toMatchObject({
    rows: [],
    differs: null,
    refused: { tokens: 3, prompt: 2 },
  });
});

test("[mask.step-mask-end] a pass has the mask's last rows, whichever positions it covers", () => {
  expect(replay("tItIt", 2, by("mask-end"), { prompt: 3 })).toBe("- 1 1 1 1");
  expect(replay("tItIt", 2, by("mask-end"), { prompt: 5, passes: [3, 2] })).toBe("1 2 2 2 2");
  expect(replay("tItIt", 2, by("mask-end"), { prompt: 4, passes: [4, 1] })).toBe("- 1 1 2 2");
  expect(replay("tItIt", 2, by("mask-end"), { prompt: 4, passes: [3, 2] })).toBe("1 1 2 2 2");
});

test("[mask.step-last-row] the prompt's positions have their rows, and later ones the prompt's last row", () => {
  expect(replay("tItIt", 2, by("last-row"), { prompt: 2 })).toBe("- 1 1 1 1");
  expect(replay("tItIt", 2, by("last-row"), { prompt: 5, passes: [1, 4] })).toBe("- 1 1 2 2");
});

test("[mask.step-ahead] text after the prompt sees a single image of the prompt, but none of several", () => {
  const c = by("ahead", { neighbours: "together", emptyRowFeedForward: "skip" });
  expect(replay("tIttt", 2, c, { prompt: 2 })).toBe("- 1 1 1 1");
  expect(replay("IItt", 2, c, { prompt: 3 })).toBe("1 12 12 -");
  expect(replay("ttIt", 2, c, { prompt: 2 })).toBe("- - - -");
  expect(replay("IItt", 2, c, { prompt: 4, passes: [2, 2] })).toBe("1 12 12 12");
  const [, step] = replayDecoding(batch("ItIt"), 2, c, { prompt: 3 });
  expect(step?.rows[0]?.[0]).toMatchObject({ position: 3, outcome: "identity" });
  expect(step?.rows[0]?.[0]?.origin?.how).toEqual({ kind: "beyond-prompt" });
});

test("[mask.step-beams] a beam continues its parent's text", () => {
  const beams = batch("IttI", "ItIt");
  const options = { prompt: 2, parents: [null, null, [1, 1]] };
  const right = replayDecoding(beams, 3, by("rows"), options);
  expect(seen(right)).toEqual(["1 1 1 3", "1 1 2 2"]); // the first beam's last token follows the second's image
  expect(right[2]?.full[0]?.[0]?.image).toBe(3); // I t I, then its own image
  expect(right[2]?.rows[0]?.[0]?.number).toBe(3);
});

test("[mask.step-beams] the counts that a package keeps for a row are not reordered", () => {
  const steps = replayDecoding(batch("IItt", "Ittt"), 2, by("count"), {
    prompt: 2,
    parents: [null, [1, 0], null],
  });
  expect(seen(steps)).toEqual(["1 2 2 2", "1 1 1 1"]); // the texts have changed places, the counts have not
  expect(seen(steps, "full")).toEqual(["1 2 1 1", "1 1 2 2"]);
});

test("[mask.step-input] impossible prompts and passes are refused with a RangeError", () => {
  const refused = (options: ReplayDecodingOptions, text: string) =>
    expect(() => replayDecoding(batch("tIt"), 1, immediate, options)).toThrow(new RangeError(text));
  refused({ prompt: 0 }, "A prompt has 1 to 3 of the 3 positions, not 0.");
  refused({ prompt: 4 }, "A prompt has 1 to 3 of the 3 positions, not 4.");
  refused({ prompt: 1.5 }, "A prompt has 1 to 3 of the 3 positions, not 1.5.");
  refused({ prompt: 2, passes: [2, 2] }, "Passes of 2, 2 do not make 3 positions.");
  refused({ prompt: 2, passes: [3, 0] }, "Passes of 3, 0 do not make 3 positions.");
});

test("[mask.step-input] options, passes and parents of the wrong kind are refused with a RangeError", () => {
  const one = "The parents of a pass are null or a list of 1 rows, each from 0 to 0, not";
  const wrong: readonly [unknown, string][] = [
    [null, "The options of replayDecoding are an object, not null."],
    [5, "The options of replayDecoding are an object, not 5."],
    [
      { promt: 1 },
      'replayDecoding has no option "promt" (did you mean "prompt"?); known are prompt, passes, parents.',
    ],
    [{ prompt: Symbol("two") }, "A prompt has 1 to 3 of the 3 positions, not Symbol(two)."],
    [{ passes: 5 }, "Passes are a list of numbers of positions, not 5."],
    [{ passes: [Symbol("two")] }, "Passes of Symbol(two) do not make 3 positions."],
    [{ parents: 5 }, `${one} 5.`],
    [{ parents: [null, [1]] }, `${one} [1].`],
    [{ parents: [[0, 0]] }, `${one} [0,0].`],
    [{ parents: [[-1]] }, `${one} [-1].`],
    [{ parents: [["0"]] }, `${one} ["0"].`],
  ];
  for (const [options, text] of wrong)
    expect(() => replayDecoding(batch("tIt"), 1, immediate, options as never)).toThrow(new RangeError(text));
  expect(() => passVisibility(batch("tIt"), [2, 1], 1, immediate, [null, [1]])).toThrow(`${one} [1].`);
  expect(() => replayDecoding(null as never, 1, immediate)).toThrow("Ids and locations are { shape");
  expect(() => replayDecoding(...([null] as unknown as Parameters<typeof replayDecoding>))).toThrow(
    "A convention is one such as",
  );
});

test("[mask.step-visibility] the visibility of a pass has the rows of the replay, for every convention and with beams", () => {
  const kinds = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 6, maxLength: 6 });
  const sizes = fc.constantFrom([6], [3, 3], [2, 1, 1, 2], [4, 1, 1]);
  const parents = fc.constantFrom(null, [1, 0], [0, 0]);
  fc.assert(
    fc.property(
      kinds,
      kinds,
      sizes,
      parents,
      fc.integer({ min: 1, max: 3 }),
      (one, other, passes, order, images) => {
        const locations = { shape: [2, 6], data: [...one, ...other] };
        for (const convention of Object.values<Convention>(conventions)) {
          const options = {
            prompt: passes[0] ?? 1,
            passes,
            parents: passes.map((_, p) => (p > 0 ? order : null)),
          };
          const steps = replayDecoding(locations, images, convention, options);
          for (const [p, { from, to, rows, refused }] of steps.entries()) {
            const known = { shape: [2, to], data: [one, other].flatMap((row) => row.slice(0, to)) };
            const visibility = () =>
              passVisibility(known, passes.slice(0, p + 1), images, convention, options.parents);
            if (refused) {
              expect(visibility).toThrow(RangeError);
              continue;
            }
            const { mayAttend, postSoftmaxMask } = visibility();
            expect(mayAttend.shape).toEqual([2, to - from, images]);
            for (const [i, row] of rows.flat().entries()) {
              const opened = convention.emptyRow === "unmasked" && !row.mayAttend.includes(true);
              const expected = row.mayAttend.map((may) => Number(may || opened));
              expect([...mayAttend.data.subarray(i * images, (i + 1) * images)]).toEqual(expected);
              const zeroed = convention.zeroBeforeFirstImage && row.number === 0;
              expect(postSoftmaxMask?.data[i] ?? 1).toBe(Number(!zeroed));
            }
          }
        }
      },
    ),
    { numRuns: 30 },
  );
});
