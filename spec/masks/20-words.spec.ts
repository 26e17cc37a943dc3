// The words of a convention beyond the project's own: other numberings, comparisons and fates of an empty row.
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Convention,
  conventionOf,
  conventions,
  distinguishingPrompt,
  explain,
  maskRows,
  mediaMask,
  numbersOf,
  rowOutcome,
  softmaxRule,
  textTime,
} from "../../src/masks/index.ts";
import { feedForwardRuns, leaks } from "../../src/masks/outcome.ts";

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

test("[mask.neighbours] neighbours are seen together as far as they have come, and until one that is none", () => {
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

test("[mask.end-token] an end token cuts what follows it off, until the next image; it still sees what it ends", () => {
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

test("[mask.unmasked-leak] an empty row attends everything, and the softmax is told so", () => {
  const open: Convention = { ...immediate, emptyRow: "unmasked" };
  const [first, second] = rows("tI", 2, open);
  expect(first).toMatchObject({ outcome: "unmasked-leak", images: [1, 2], mayAttend: [false, false] });
  expect(second).toMatchObject({ outcome: "attends", images: [1] });
  const locations = { shape: [1, 2], data: prompt("tI") };
  expect([...softmaxRule(locations, 2, open).mayAttend.data]).toEqual([1, 1, 1, 0]);
  expect([...mediaMask(locations, 2, open).data]).toEqual([0, 0, 1, 0]);
  for (const emptyRow of ["zero", "uniform", "nan"] as const) {
    const rule = softmaxRule(locations, 2, { ...immediate, emptyRow });
    expect(rule).toEqual({ mayAttend: mediaMask(locations, 2, immediate), emptyRow, zeroed: null });
  }
  expect(["uniform-leak", "unmasked-leak"].every((kind) => leaks(kind as "uniform-leak"))).toBe(true);
  expect(leaks("zeroed") || leaks("attends") || leaks("nan")).toBe(false);
});

test("[mask.identity] skipping the feed-forward makes a zeroed row an identity, and leaves a leak a leak", () => {
  const skip: Convention = { ...immediate, emptyRowFeedForward: "skip" };
  expect(rows("tI", 1, skip).map((row) => row.outcome)).toEqual(["identity", "attends"]);
  expect(rowOutcome([false], true, { ...skip, emptyRow: "uniform" })).toBe("identity");
  expect(rowOutcome([false], false, { ...skip, emptyRow: "unmasked" })).toBe("unmasked-leak");
  expect([[true], [false]].map((may) => feedForwardRuns(may, skip))).toEqual([true, false]);
  expect(feedForwardRuns([false], immediate)).toBe(true);
});

test("[mask.row-class] the census, for those who group, cut, leak and look ahead", () => {
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

test("[mask.lookup] by name, by a part that no other has, or not at all", () => {
  for (const c of Object.values(conventions)) expect(conventionOf(c.name)).toBe(c);
  expect(conventionOf("idef").name).toBe("idefics");
  expect(conventionOf("paper").name).toBe("paper"); // although "paper next" has it too
  expect(() => conventionOf("mllama")).toThrow(
    /^"mllama" may be any of "mllama transformers", "mllama reference"/,
  );
  expect(() => conventionOf("kosmos")).toThrow(/No convention is called "kosmos"; there are "immediate", /);
});

test("[mask.convention] a new one is a line, and no two say the same in other words", () => {
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

test("[mask.convention] each says where people asked about it, if they did", () => {
  const silent = Object.values<Convention>(conventions).filter(({ source }) => !source.thread);
  expect(silent.map(({ name }) => name)).toEqual([
    "immediate",
    "all-previous",
    "paper",
    "paper next",
    "mllama reference",
  ]);
});

const reason = (text: string, n: number, c: Convention, position: number, image?: number) => {
  const row = rows(text, n, c)[position];
  return row ? explain(row, prompt(text), c, image) : "";
};

test("[mask.reason] other conventions have their own sentences", () => {
  const next = conventionOf("open-flamingo@0.0.2");
  expect(reason("tIt", 1, next, 0)).toBe(
    "position 0 sees image 1: it is the next image after it (position 1)",
  );
  expect(reason("tIt", 1, next, 1)).toBe("position 1 sees image 1: it is that image's own token");
  expect(reason("tIt", 1, next, 2)).toBe(
    "position 2 sees nothing: no image comes after it; its row is silenced after the softmax",
  );
  expect(reason("tItI", 1, next, 2)).toBe(
    "position 2 asks for image 2, but there is only 1: every image leaks in, evenly",
  );
  expect(reason("ItI", 2, conventions.paper, 2)).toBe(
    "position 2 sees image 1: it is the last image before it (position 0)",
  );
  const mllama = conventionOf("mllama transformers");
  expect(reason("tIIt", 2, mllama, 3)).toBe(
    "position 3 sees images 1 and 2: they stand side by side at or before it (positions 1 and 2)",
  );
  expect(reason("tIIt", 2, mllama, 0)).toBe(
    "position 0 should see nothing: no image comes before it; yet every image leaks in, as if there were no mask",
  );
  expect(reason("tI", 1, conventionOf("mllama reference"), 0)).toBe(
    "position 0 sees nothing: no image comes before it; the layer leaves its row as it is",
  );
  const idefics = conventionOf("idefics");
  expect(reason("IttEt", 1, idefics, 4)).toBe(
    "position 4 sees nothing: the end token at position 3 cuts it off; its row is set to zero",
  );
  expect(reason("tEt", 1, idefics, 2)).toBe(
    "position 2 sees nothing: no image comes before it; its row is set to zero",
  );
  expect(reason("tt", 2, { ...immediate, compare: "everything" }, 0)).toBe(
    "position 0 sees images 1 and 2: nothing is masked",
  );
  const listed: Convention = { ...immediate, compare: { explicit: [[2], []] } };
  expect(reason("tI", 2, listed, 0)).toBe("position 0 sees image 2: the list for this position says so");
  expect(reason("tI", 2, listed, 1)).toBe(
    "position 1 sees nothing: the list for this position names no image; its row is set to zero",
  );
  expect(reason("IIII", 2, { ...immediate, compare: { last: 3 } }, 3)).toBe(
    "position 3 sees image 2: 4 image tokens stand at or before it, but there are only 2 images",
  );
});

test("[mask.reason] a single image has a sentence: why it is seen, or why not", () => {
  const of = (c: Convention, position: number, image: number, text = "ItItt") =>
    reason(text, 2, c, position, image);
  expect(of(immediate, 4, 2)).toBe(
    "position 4 sees image 2: it is the last image at or before it (position 2)",
  );
  expect(of(immediate, 4, 1)).toBe("position 4 does not see image 1: image 2 comes after it (position 2)");
  expect(of(immediate, 1, 2)).toBe("position 1 does not see image 2: it comes later (position 2)");
  expect(of(immediate, 1, 2, "It")).toBe("position 1 does not see image 2: no token stands for it");
  expect(of(immediate, 1, 3)).toBe("position 1 does not see image 3: there are only 2");
  expect(of(conventions["all-previous"], 4, 1)).toBe(
    "position 4 sees image 1: it stands at or before it (position 0)",
  );
  expect(of(conventions.paper, 2, 2, "ItI")).toBe(
    "position 2 does not see image 2: an image's own token does not see it yet",
  );
  expect(of({ ...immediate, compare: { explicit: [[1]] } }, 0, 2)).toBe(
    "position 0 does not see image 2: the list for this position leaves it out",
  );
  expect(of(immediate, 0, 1, "tI")).toBe(
    "position 0 sees nothing: no image comes before it; its row is set to zero",
  );
});
