// The vocabulary of conventions beyond the project's own: other numberings, comparisons and behaviours of an empty row.
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Convention,
  conventionOf,
  conventions,
  distinguishingPrompt,
  explainRow,
  maskRows,
  mediaMask,
  type NamedConvention,
  rowOutcome,
  runsOf,
  textTime,
  visibilityOf,
} from "../../src/entries/masks.ts";
import { countText, wholeText } from "../../src/masks/counting/counted-text.ts";
import { differingCells, differingImages, rowsDiffer } from "../../src/masks/difference.ts";
import { numbersOf } from "../../src/masks/numbering.ts";
import { feedForwardRuns, isLeak } from "../../src/masks/outcome.ts";
import { growth, LINEAR } from "../support/measure/growth.ts";

const { immediate } = conventions;
/** "tIE" -> 0 1 2 */
const prompt = (text: string): number[] => [...text].map((token) => "tIE".indexOf(token));
const rows = (text: string, n: number, c: Convention) => {
  const kinds = prompt(text);
  return maskRows({ shape: [1, kinds.length], data: kinds }, n, c)[0] ?? [];
};
const sees = (text: string, n: number, c: Convention): string =>
  rows(text, n, c)
    .map(({ mayAttend }) => mayAttend.flatMap((may, m) => (may ? [m + 1] : [])).join("") || "-")
    .join(" ");
const numbers = (text: string, changes: Partial<Convention>) =>
  numbersOf(prompt(text), { ...immediate, ...changes });

test("[mask.exclusive] an image's own token has the number of the image before", () => {
  expect(numbers("tItIIt", { numbering: "exclusive" })).toEqual([0, 0, 1, 1, 2, 3]);
  expect(sees("ItIIt", 3, conventions.paper)).toBe("- 1 1 2 3");
});

test("[mask.next] text has the number of the image to come, an image its own, text after the last 0", () => {
  expect(numbers("ttItIt", { numbering: "next" })).toEqual([1, 1, 1, 2, 2, 0]);
  expect(numbers("ttt", { numbering: "next" })).toEqual([0, 0, 0]);
  expect(sees("ItIt", 2, conventionOf("open-flamingo@0.0.2"))).toBe("1 2 2 -");
  expect([...textTime({ shape: [1, 4], data: prompt("ItIt") }, "next").data]).toEqual([1, 2, 2, 0]);
});

test("[mask.neighbours] neighbouring images at or before a position are seen together, until an image that is no neighbour", () => {
  const together: Convention = { ...immediate, neighbours: "together" };
  expect(sees("IItt", 2, together)).toBe("1 12 12 12");
  expect(sees("ItItIIIt", 5, together)).toBe("1 1 2 2 3 34 345 345");
  expect(sees("tIIt", 1, together)).toBe("- 1 1 1");
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 1 }), { maxLength: 12 }), (kinds) => {
      const text = kinds.map((kind) => "tI"[kind]).join("");
      if (!text.includes("II")) expect(sees(text, 4, together)).toBe(sees(text, 4, immediate));
    }),
  );
});

test("[mask.end-token] after an end token no image is seen until the next one comes; the end token itself still sees its image", () => {
  const cut: Convention = { ...immediate, endTokens: "cut" };
  expect(sees("ItEtIt", 2, cut)).toBe("1 1 1 - 2 2");
  expect(sees("EtIE", 1, cut)).toBe("- - 1 1");
  expect(sees("IEEt", 1, cut)).toBe("1 1 - -");
  expect(sees("IEttIt", 2, cut)).toBe("1 1 - - 2 2");
  expect(sees("ItEtIt", 2, immediate)).toBe("1 1 1 1 2 2");
});

test("[mask.everything] every position may attend every image", () => {
  expect(sees("tItE", 3, { ...immediate, compare: "everything" })).toBe("123 123 123 123");
});

test("[mask.last] the last k images at or before it", () => {
  const last = (k: number): Convention => ({ ...immediate, compare: { last: k } });
  expect(sees("tIIItI", 4, last(2))).toBe("- 1 12 23 23 34");
  expect(sees("ItI", 1, last(2))).toBe("1 1 1");
  expect(sees("tIIItI", 4, last(1))).toBe(sees("tIIItI", 4, immediate));
  expect(sees("tIIItI", 4, last(9))).toBe(sees("tIIItI", 4, conventions["all-previous"]));
});

test("[mask.explicit] the images that a position's list names", () => {
  const listed: Convention = { ...immediate, compare: { explicit: [[2], [], [1, 3]] } };
  expect(sees("tttt", 3, listed)).toBe("2 - 13 -");
});

test("[mask.unmasked-leak] an empty row attends to everything: it is open in the mask of the softmax, and empty in the convention's mask", () => {
  const open: Convention = { ...immediate, emptyRow: "unmasked" };
  const [first, second] = rows("tI", 2, open);
  expect(first).toMatchObject({ outcome: "unmasked-leak", images: [1, 2], mayAttend: [false, false] });
  expect(second).toMatchObject({ outcome: "attends", images: [1] });
  const locations = { shape: [1, 2], data: prompt("tI") };
  expect([...visibilityOf(locations, 2, open).mayAttend.data]).toEqual([1, 1, 1, 0]);
  expect([...mediaMask(locations, 2, open).data]).toEqual([0, 0, 1, 0]);
  for (const emptyRow of ["zero", "uniform", "nan"] as const) {
    const visibility = visibilityOf(locations, 2, { ...immediate, emptyRow });
    const mayAttend = mediaMask(locations, 2, immediate);
    expect(visibility).toEqual({ mayAttend, emptyRow, postSoftmaxMask: null, feedForward: null });
  }
  expect(["uniform-leak", "unmasked-leak"].every((kind) => isLeak(kind as "uniform-leak"))).toBe(true);
  expect(isLeak("zeroed") || isLeak("attends") || isLeak("nan")).toBe(false);
});

test("[mask.identity] skipping the feed-forward makes a zeroed row an identity, and leaves a leak a leak", () => {
  const skip: Convention = { ...immediate, emptyRowFeedForward: "skip" };
  expect(rows("tI", 1, skip).map((row) => row.outcome)).toEqual(["identity", "attends"]);
  expect(rowOutcome([], 1, true, { ...skip, emptyRow: "uniform" })).toBe("identity");
  expect(rowOutcome([], 1, false, { ...skip, emptyRow: "unmasked" })).toBe("unmasked-leak");
  expect([true, false].map((allowsAnImage) => feedForwardRuns(allowsAnImage, skip))).toEqual([true, false]);
  expect(feedForwardRuns(false, immediate)).toBe(true);
  const neverEmpty: Convention = { ...skip, compare: "everything", zeroBeforeFirstImage: true };
  expect(rows("tI", 1, neverEmpty)[0]?.outcome).toBe("zeroed"); // the mask is not empty, so the feed-forward runs
});

test("[mask.outcome] conventions with neighbours, end tokens, leaks and the next image", () => {
  const classes = (text: string, n: number, name: string) =>
    rows(text, n, conventionOf(name)).map((row) =>
      row.outcome === "attends" ? row.images.join("") : row.outcome.replace("-leak", ""),
    );
  expect(classes("ttIt", 1, "mllama transformers")).toEqual(["unmasked", "unmasked", "1", "1"]);
  expect(classes("ttII", 2, "mllama reference")).toEqual(["identity", "identity", "1", "12"]);
  expect(classes("ItIt", 1, "idefics")).toEqual(["1", "1", "zeroed", "zeroed"]);
  expect(classes("ItEtIt", 2, "idefics")).toEqual(["1", "1", "1", "zeroed", "2", "2"]);
  expect(classes("ItIt", 1, "open-flamingo@0.0.2")).toEqual(["1", "uniform", "uniform", "zeroed"]);
  expect(classes("ItIt", 1, "open-flamingo@2.0.1")).toEqual(["1", "1", "uniform", "uniform"]);
  expect(classes("tIt", 1, "flamingo-pytorch@0.0.16 immediate")).toEqual(["uniform", "1", "1"]);
  expect(classes("tIt", 2, "flamingo-pytorch@0.0.3")).toEqual(["12", "12", "12"]);
});

test("[mask.neighbours] an image whose marker has several tokens is one image, and a neighbour of the next", () => {
  const kinds = [0, 1, 3, 3, 1, 3, 0, 1]; // t I m m I m t I, m: a further token of the same image
  const seen = (changes: Partial<Convention>) =>
    (maskRows({ shape: [1, 8], data: kinds }, 3, { ...immediate, ...changes })[0] ?? [])
      .map(({ images }) => images.join("") || "-")
      .join(" ");
  expect(seen({})).toBe("- 1 1 1 2 2 2 3");
  expect(seen({ neighbours: "together" })).toBe("- 1 1 1 12 12 12 3");
  expect(seen({ numbering: "exclusive" })).toBe("- - - - 1 1 2 2");
  expect(seen({ numbering: "next" })).toBe("1 1 1 1 2 2 3 3");
});

test("[mask.runs] neighbouring rows with the same mask and outcome are one run", () => {
  const runs = (text: string, n: number, c: Convention) =>
    runsOf(rows(text, n, c)).map(({ from, to, row }) => `${from}-${to} ${row.outcome} ${row.images}`);
  expect(runs("ttItIEt", 2, immediate)).toEqual(["0-1 zeroed ", "2-3 attends 1", "4-6 attends 2"]);
  expect(runs("ItItIt", 1, conventionOf("open-flamingo@2.0.1"))).toEqual([
    "0-1 attends 1",
    "2-5 uniform-leak 1",
  ]);
  expect(runs("", 1, immediate)).toEqual([]);
  const zeroing: Convention = { ...immediate, zeroBeforeFirstImage: true };
  // equal masks, another outcome; and equal outcomes, another mask
  expect(runs("tI", 1, { ...zeroing, compare: "everything" })).toEqual(["0-0 zeroed ", "1-1 attends 1"]);
  expect(runs("ttt", 2, { ...zeroing, compare: { explicit: [[1], [1], [2]] } })).toEqual([
    "0-1 zeroed ",
    "2-2 zeroed ",
  ]);
});

test("[mask.runs] rows, their reasons and their runs take time in proportion to the text, however many images it has", () => {
  for (const [name, every] of [
    ["all-previous", 2],
    ["immediate", 1],
    ["mllama reference", 1],
    ["last 1000", 3],
  ] as const) {
    const c = conventionOf(name);
    const run = (n: number) => {
      const kinds = Array.from({ length: n }, (_, l) => Number(l % every === 0));
      const whole = wholeText(countText(kinds));
      const all = maskRows({ shape: [1, n], data: kinds }, n, c)[0] ?? [];
      expect(runsOf(all).length).toBeGreaterThan(name === "immediate" ? n - 1 : 0);
      for (const row of all) explainRow(row, whole, c, n);
    };
    expect(growth(run, 5_000), name).toBeLessThan(LINEAR);
  }
});

test("[mask.difference] differing images and entries equal a comparison one by one", () => {
  const all = Object.values<Convention>(conventions).concat(conventionOf("last 2"));
  const kinds = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 12 });
  fc.assert(
    fc.property(kinds, fc.nat(6), fc.constantFrom(...all), fc.constantFrom(...all), (text, n, a, b) => {
      const [ones = [], others = []] = [a, b].map(
        (c) => maskRows({ shape: [1, text.length], data: text }, n, c)[0],
      );
      ones.forEach((one, l) => {
        const other = others[l] ?? one;
        const masks = one.mayAttend.map((may, m) => may !== other.mayAttend[m]);
        const reach = one.mayAttend.map(
          (_, m) => one.images.includes(m + 1) !== other.images.includes(m + 1),
        );
        expect(differingCells(one, other)).toBe(masks.filter(Boolean).length);
        expect(differingImages(one, other)).toEqual(masks.map((differs, m) => differs || reach[m]));
        expect(rowsDiffer(one, other)).toBe(
          [...masks, ...reach].includes(true) || one.outcome !== other.outcome,
        );
      });
    }),
  );
});

test("[mask.lookup] last k is a family: a number or a word, never 0", () => {
  // by hand, from streaming-vlm #18: <image> a <image> b <image> c
  expect(sees("ItItIt", 3, conventionOf("last 2"))).toBe("1 1 12 12 23 23");
  expect(conventionOf("last two")).toEqual(conventionOf("last 2"));
  expect(conventionOf("last ten").compare).toEqual({ last: 10 });
  expect(conventionOf("last 1234567").compare).toEqual({ last: 1234567 });
  expect(sees("tItIt", 2, conventionOf("last 1"))).toBe(sees("tItIt", 2, immediate));
  expect(rows("tI", 1, conventionOf("last 3"))[0]?.outcome).toBe("zeroed");
  for (const name of ["last 0", "last", "last -1", "last 1.5", "last eleven", "last 2 images"])
    expect(() => conventionOf(name)).toThrow(/and "last k" for any k from 1 up\.$/);
});

test("[mask.lookup] a name that is none is shown on one line and without control characters", () => {
  for (const [name, text] of [
    ["\u001b[31mx\u009b\u202e\n", '"\\u001b[31mx\\u{9b}\\u{202e}\\n"'],
    [Symbol("x"), '"Symbol(x)"'],
    [undefined, '"undefined"'],
    ["x".repeat(50), `"${"x".repeat(37)}..`],
  ] as const)
    expect(() => conventionOf(name as string)).toThrow(`No convention is called ${text}; there are`);
});

test("[mask.lookup] by name, or by a part that no other name has", () => {
  for (const c of Object.values(conventions)) expect(conventionOf(c.name)).toBe(c);
  expect(conventionOf("idef").name).toBe("idefics");
  expect(conventionOf("paper").name).toBe("paper"); // although "paper next" has it too
  expect(() => conventionOf("mllama")).toThrow(
    /^"mllama" matches several conventions; name one of "mllama transformers", "mllama reference"/,
  );
  for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"])
    expect(() => conventionOf(name)).toThrow(RangeError);
  expect(() => conventionOf("kosmos")).toThrow(/No convention is called "kosmos"; there are "immediate", /);
});

test("[mask.convention] a new convention is one line, and no two conventions with equal behaviour have different fields", () => {
  const mine: Convention = { ...immediate, name: "mine", compare: { last: 2 } };
  expect(rows("II", 2, mine)[1]?.images).toEqual([1, 2]);

  const all = Object.values<Convention>(conventions);
  const words = ({ name: _, source: __, note: ___, unproven: ____, ...c }: Convention) => JSON.stringify(c);
  for (const [i, one] of all.entries()) {
    for (const other of all.slice(i + 1)) {
      const same =
        one.cachedStep === other.cachedStep && !distinguishingPrompt(one, other, { longest: 3, images: 2 });
      if (same) expect(words(one), `${one.name} and ${other.name}`).toBe(words(other));
    }
  }
});

test("[mask.convention] every convention except these links to a discussion", () => {
  const unlinked = Object.values<NamedConvention>(conventions).filter(({ source }) => !source.thread);
  expect(unlinked.map(({ name }) => name)).toEqual([
    "immediate",
    "all-previous",
    "paper",
    "paper next",
    "mllama reference",
  ]);
});
