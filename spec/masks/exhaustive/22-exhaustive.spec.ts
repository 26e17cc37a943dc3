// The executable half of 22-exhaustive.md: the conventions reproduce the packages' rows, and the rows detect mistakes.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import {
  asVerdict,
  disagreementClause,
  maskLine,
  maskTable,
  printMasks,
  runMasks,
  splitPaths,
} from "../../../src/cli/mask-checks.ts";
import { checkMasks, EVERYTHING, QUICK, summariseMasks } from "../../../src/conformance/cases/check-masks.ts";
import { lastLine } from "../../../src/conformance/reports/verdict-table.ts";
import { type Convention, conventionOf, conventions, maskRows } from "../../../src/entries/masks.ts";
import { findMaskCases, readMaskCases } from "../../../src/io/golden/masks.ts";
import { onlyInBatch, promptRefusal } from "../../../src/masks/counting/refused.ts";
import { checkCounts } from "../../../src/masks/counts.ts";
import { type ReplayDecodingOptions, replayDecoding } from "../../../src/masks/decoding/decode.ts";
import { differenceOf, distinguishingPrompt } from "../../../src/masks/difference.ts";
import { comparisonTables } from "../../../src/masks/drawing/comparison-table.ts";
import { EFFECT, effectInWords, effectOf } from "../../../src/masks/exhaustive/effect.ts";
import { effectsOf, passesOf, promptsOfMode } from "../../../src/masks/exhaustive/exhaustive.ts";
import { kindStrings } from "../../../src/masks/exhaustive/prompts.ts";
import { findingsOf, placeOf, toneOf } from "../../../src/masks/findings.ts";
import { invariants, verdictsOf, violationsOf } from "../../../src/masks/invariants.ts";
import { findingSentence } from "../../../src/masks/sentences.ts";
import { painter } from "../../../src/terminal/colour.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const FOLDER = "golden/cases/masks";
const cases = readMaskCases(FOLDER);
const { immediate, "all-previous": allPrevious } = conventions;
const all: readonly Convention[] = Object.values(conventions);
const plain = painter(false);
const prompt = (text: string): number[] => [...text].map((token) => "tIE".indexOf(token));
const batch = (...texts: readonly string[]) => ({
  shape: [texts.length, texts[0]?.length ?? 0],
  data: texts.flatMap(prompt),
});
const folder = temporary();

test("[mask.golden] [mask.refuses] every row of every source is reproduced, and every refusal: prompts up to 8 tokens, decoded ones up to 5", () => {
  const verdicts = checkMasks(cases, { full: 8, cached: 5 });
  expect(verdicts.filter(({ first }) => first !== null)).toEqual([]);
  expect(summariseMasks(verdicts).rows).toBeGreaterThan(300_000);
});

test("[mask.golden] the files hold every group completely", () => {
  for (const { name } of cases.sources) {
    const groups = cases.rowsOf(name);
    expect([0, 1, 2, 3, 4].every((n) => groups.has(`full.${n}`))).toBe(true);
    for (const [group, rows] of groups) {
      const [mode = ""] = group.split(".");
      const sum = (longest: number, letters: number, each: (l: number) => number) =>
        Array.from({ length: longest }, (_, i) => letters ** (i + 1) * each(i + 1)).reduce(
          (a, n) => a + n,
          0,
        );
      const rowsAfterCuts = (l: number) => (l * (l - 1)) / 2;
      const wanted =
        { full: sum(8, 2, (l) => l), ends: sum(5, 3, (l) => l), pairs: 8 * 8 * 2 * 2 }[mode] ??
        sum(8, 2, rowsAfterCuts);
      expect(rows.length, `${name} ${group}`).toBe(wanted);
    }
  }
  const total = cases.sources.flatMap(({ name }) => [...cases.rowsOf(name).values()]);
  expect(total.reduce((n, rows) => n + rows.length, 0)).toBeGreaterThan(1_000_000);
});

test("[mask.golden] prompts are in numerical order, and decoded ones are cut at every position", () => {
  expect(kindStrings(2)).toEqual([
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ]);
  expect(kindStrings(1, 3)).toEqual([[0], [1], [2]]);
  expect(promptsOfMode("full", 2).map(({ kinds }) => kinds.join(""))).toEqual([
    "0",
    "1",
    "00",
    "01",
    "10",
    "11",
  ]);
  const cut = promptsOfMode("steps", 3).map(({ kinds, first }) => `${kinds.join("")}/${first}`);
  expect(cut).toHaveLength(4 + 2 * 8);
  expect(cut.slice(0, 5)).toEqual(["00/1", "01/1", "10/1", "11/1", "000/1"]);
  expect(cut[12]).toBe("000/2");
  expect(passesOf("steps", 5, 2)).toEqual({ prompt: 2, passes: [2, 1, 1, 1] });
  expect(passesOf("chunks", 5, 2)).toEqual({ prompt: 5, passes: [2, 3] });
  expect(passesOf("several", 5, 2)).toEqual({ prompt: 2, passes: [2, 3] });
});

test("[mask.golden] one wrong byte, and one missing row, are found", () => {
  const rowsOf = (change: (rows: Int32Array) => Int32Array) => (name: string) => {
    const groups = new Map(cases.rowsOf(name));
    groups.set("full.2", change(Int32Array.from(groups.get("full.2") ?? [])));
    return groups;
  };
  const one = { ...cases, sources: cases.sources.slice(-1) };
  const wrong = rowsOf((rows) => rows.with(9, 49));
  const [byte] = checkMasks({ ...one, rowsOf: wrong }, QUICK);
  expect(byte?.disagreements).toBe(1);
  expect(byte?.first).toEqual({
    kind: "row",
    prompt: { kinds: [1, 1] },
    images: 2,
    position: 1,
    measured: 49,
    expected: 51,
  });
  expect(byte && disagreementClause(byte)).toBe(
    "II with 2 images, position 1: {1}, but under mllama torchtune {1,2}",
  );
  const [short] = checkMasks({ ...one, rowsOf: rowsOf((rows) => rows.slice(0, -1)) }, EVERYTHING);
  expect(short?.disagreements).toBeGreaterThan(0);
  const more = (rows: Int32Array) => Int32Array.from([...rows, 49]);
  const [long] = checkMasks({ ...one, rowsOf: rowsOf(more) }, EVERYTHING);
  expect(long).toMatchObject({
    disagreements: 1,
    first: { kind: "row-count", group: "full.2", rows: 3587, expected: 3586 },
  });
  expect(long && disagreementClause(long)).toBe("full.2 has 3587 rows instead of 3586");
});

/** The mask mutants, as changes of a convention or of its effects. */
const mutants: Readonly<Record<string, Partial<Convention> | typeof effectsOf>> = {
  "1 at least": { compare: "at-least" },
  "2 and 3 no zeroing": { emptyRow: "uniform", zeroBeforeFirstImage: false },
  "4 zeroing of the feed-forward only": {
    emptyRow: "uniform",
    zeroBeforeFirstImage: false,
    emptyRowFeedForward: "skip",
  },
  "5 zeroing of every empty row": { emptyRow: "zero" },
  "6 exclusive": { numbering: "exclusive" },
  "7 images from 0": (mode, { kinds, ...rest }, images, c) =>
    effectsOf(mode, { kinds, ...rest }, images + 1, c).map((byte) => {
      const reached = byte & 31 & ~EFFECT.weighs;
      return (byte & ~15) | (reached >> 1);
    }),
  "8 next image": { numbering: "next" },
  "9 the first prompt's mask for all": (mode, { kinds, ...rest }, images, c) =>
    effectsOf(mode, { kinds: kinds.map(() => 0), ...rest }, images, c),
  "the whole batch's images do not count": (mode, { kinds, beside, first = 0 }, images, c) =>
    (beside ? [kinds, beside] : [kinds]).flatMap((text) =>
      effectsOf(mode === "pairs" ? "steps" : mode, { kinds: text, first }, images, c),
    ),
  "10 steps restart": { cachedStep: "restart" },
  "11 chunks are not cut out of the mask": { cachedStep: "mask-end" },
  "12 padding shifts the mask": (mode, { kinds, ...rest }, images, c) =>
    effectsOf(mode, { kinds: [0, ...kinds.slice(0, -1)], ...rest }, images, c),
  "13 causal": (mode, one, images, c) =>
    effectsOf(mode, one, images, c).map((_, l) => {
      const sees = Math.min(images, 1 + (l >> 1));
      return (2 ** sees - 1) | EFFECT.weighs | EFFECT.feedForward;
    }),
  "14 no mask": { compare: "everything" },
  "14 empty rows unmasked": { emptyRow: "unmasked", zeroBeforeFirstImage: false },
  "15 NaN": { emptyRow: "nan", zeroBeforeFirstImage: false },
};

test.each(Object.entries(mutants))(
  "[mask.golden] mutant %s is killed by two sources or more",
  (_, mutant) => {
    const options =
      typeof mutant === "function"
        ? { effects: mutant }
        : { conventionFor: (name: string) => ({ ...conventionOf(name), ...mutant }) };
    const killers = checkMasks(cases, { full: 4, cached: 4 }, options).filter((v) => v.disagreements > 0);
    expect(killers.length).toBeGreaterThanOrEqual(2);
  },
);

test("[mask.effect] the effect of a row with each outcome", () => {
  const effects = (text: string, n: number, c: Convention) =>
    (maskRows(batch(text), n, c)[0] ?? []).map((row) => effectOf(row, c));
  expect(effects("tII", 2, immediate)).toEqual([32, 49, 50]);
  expect(effects("tII", 2, allPrevious)).toEqual([32, 49, 51]);
  expect(effects("tI", 3, { ...immediate, emptyRow: "uniform" })).toEqual([39, 49]);
  expect(effects("tI", 3, { ...immediate, emptyRow: "unmasked" })).toEqual([55, 49]);
  expect(effects("tI", 3, { ...immediate, emptyRow: "nan" })).toEqual([96, 49]);
  expect(effects("tI", 3, { ...immediate, emptyRowFeedForward: "skip" })).toEqual([0, 49]);
  expect(effects("tI", 1, conventionOf("mllama transformers"))).toEqual([17, 49]);
  expect([255, 96, 32, 39, 0, 51, 19].map(effectInWords)).toEqual([
    "refused",
    "NaN",
    "nothing",
    "{1,2,3} evenly",
    "nothing, no feed-forward",
    "{1,2}",
    "{1,2}, no feed-forward",
  ]);
});

test("[mask.golden-files] folders of mask cases are found and read; a damaged one is refused", () => {
  expect(findMaskCases(["golden/cases", `${FOLDER}/`])).toEqual([FOLDER]);
  expect(findMaskCases(["golden/cases/flamingo-pytorch", "nowhere"])).toEqual([]);
  expect(cases.longest).toEqual({ full: 8, ends: 5, cached: 8 });
  expect([...(cases.rowsOf("llama-models-0.3.0").get("full.1") ?? [])].slice(0, 6)).toEqual([
    0, 49, 0, 0, 0, 49,
  ]);
  writeFileSync(join(folder, "masks.json"), '{"schema": "flamboyance-masks/2"}');
  expect(() => readMaskCases(folder)).toThrow(/"schema" has to be flamboyance-masks\/1 {2}\[case.fields\]/);
});

test("[mask.refused] refusals are counted beside the rows that were computed", () => {
  const one = { ...cases, sources: cases.sources.filter(({ name }) => name === "torchtune-0.6.1") };
  const [verdict] = checkMasks(one, { full: 2, cached: 2 });
  // N = 0: all 10 rows; N = 1: the two rows of II; N = 2 to 4: none
  expect(verdict).toMatchObject({ rows: 4 * 10 - 2, refused: 10 + 2, disagreements: 0 });
  const raising = cases.sources.find(({ name }) => name === "flamingo-pytorch-0.1.2--immediate");
  expect(raising?.refuses.get("full.0")?.[0]).toMatch(/^IndexError: amax\(\)/);
});

test("[mask.refuses] a convention refuses exactly the prompts that its sources refuse", () => {
  // Counted from the packages' bytes alone: 255 in every group that has no cache
  for (const { name, convention } of cases.sources) {
    for (const [group, rows] of cases.rowsOf(name)) {
      const [mode, images] = group.split(".");
      if (mode !== "full" && mode !== "ends") continue;
      const expected = promptsOfMode(mode, mode === "full" ? 8 : 5).flatMap(({ kinds }) =>
        kinds.map(() => promptRefusal(kinds, Number(images), conventionOf(convention)) !== null),
      );
      expect(
        expected.findIndex((refused, i) => refused !== (rows[i] === EFFECT.refused)),
        `${name} ${group}`,
      ).toBe(-1);
    }
  }
});

test("[mask.refuses] Mllama takes a prompt with fewer image tokens than images only in a batch; other sources take it alone", () => {
  const mllama = conventions["mllama transformers"];
  const alone = (text: string, images: number, c: Convention) => onlyInBatch(prompt(text), images, c);
  // MllamaProcessor 5.23.0 accepts [[a, b], []] with "<|image|> a <|image|> b" and "c", and raises a ValueError for [[a, b, c]] with "<|image|> a"
  expect([alone("It", 3, mllama), alone("tt", 2, mllama), alone("ItI", 2, mllama)]).toEqual([
    true,
    true,
    false,
  ]);
  expect(alone("It", 3, immediate)).toBe(false);
  expect(alone("It", 3, conventions.otter)).toBe(false);
  expect(promptRefusal(prompt("tt"), 0, conventions.otter)).toEqual({ kind: "no-image", tokens: 0 });
  expect(promptRefusal(prompt("III"), 2, mllama)).toEqual({ kind: "more-tokens", tokens: 3 });
  expect(promptRefusal(prompt("III"), 0, conventions.idefics)).toBeNull();
  expect(
    verdictsOf({ ...immediate, emptyRow: "uniform", zeroBeforeFirstImage: true }, { longest: 3 })["no-leak"],
  ).not.toBeNull();
  expect(
    verdictsOf(
      { ...immediate, emptyRow: "uniform", zeroBeforeFirstImage: true, refuses: "count" },
      { longest: 3 },
    )["no-leak"],
  ).toBeNull(); // every prompt that leaks is refused
  expect(() => maskRows(batch("t"), 1, { ...immediate, refuses: "all" as "count" })).toThrow(
    'A convention\'s refuses is undefined or "no-image" or "count", not "all".',
  );
});

test("[mask.unproven] a convention either was run or gives the reason why not", () => {
  const run = new Set(cases.sources.map(({ convention }) => convention));
  for (const { name, unproven } of all) expect(run.has(name), name).toBe(unproven === undefined);
  const decoded = new Set(
    cases.sources.flatMap(({ name, convention }) => (cases.rowsOf(name).has("steps.1") ? [convention] : [])),
  );
  for (const { name, unproven, unprovenStep, cachedStep } of all) {
    const bare = cachedStep === "none" || unproven !== undefined;
    if (!bare) expect(decoded.has(name), name).toBe(unprovenStep === undefined);
  }
  expect(summariseMasks([]).unproven.map(({ name }) => name)).toEqual([
    "immediate",
    "all-previous",
    "paper",
    "paper next",
    "mllama torchtune (cached step)",
  ]);
});

const WRONG_ROW = {
  kind: "row",
  prompt: { kinds: [0, 1] },
  images: 1,
  position: 0,
  measured: 32,
  expected: 49,
} as const;

test("[mask.check] [mask.unproven] the table has a line for each convention and lists the unproven ones", () => {
  const verdicts = checkMasks(cases, { full: 2, cached: 2 });
  const text = maskTable(verdicts, plain);
  for (const { convention } of cases.sources) expect(text).toMatch(new RegExp(`^${convention} +\\d`, "m"));
  expect(text).toMatch(/^flamingo-pytorch@0\.0\.4 +400 +100 +0\n {2}flamingo-pytorch 0\.0\.4 to 0\.0\.14$/m);
  for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  expect(text).toContain("unproven  paper next: the paper came without code");
  expect(maskLine(verdicts, plain)).toMatch(
    /^[\d,]+ mask rows of \d+ released sources: 0 disagree, [\d,]+ refused/,
  );
  const bad = { ...verdicts[0], disagreements: 3, first: WRONG_ROW } as (typeof verdicts)[0];
  expect(maskTable([bad], plain)).toContain(lastLine(`differs ${bad.name}: ${disagreementClause(bad)}`));
  expect(asVerdict(bad)).toMatchObject({ status: "failed", error: disagreementClause(bad) });
  expect(asVerdict({ ...bad, disagreements: 0, first: null })).toMatchObject({
    status: "passed",
    error: null,
  });
});

test("[mask.check] mask cases alone: a table or a document, and the exit status", () => {
  const written: string[] = [];
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  try {
    const verdicts = checkMasks(cases, { full: 2, cached: 2 });
    expect(printMasks({ verdicts, broken: [] }, null)).toBe(0);
    expect(written.splice(0)).toEqual([`${maskTable(verdicts, plain)}\n`]);
    const bad = { ...verdicts[0], disagreements: 3, first: WRONG_ROW } as (typeof verdicts)[0];
    expect(printMasks({ verdicts: [bad], broken: [] }, "json")).toBe(1);
    const { summary, masks, cases: documents } = JSON.parse(written.join(""));
    expect(summary).toMatchObject({ cases: 1, failed: 1 });
    expect(masks).toMatchObject({ disagreements: 3, sources: 1 });
    expect(documents).toMatchObject([{ status: "failed", error: disagreementClause(bad) }]);
  } finally {
    write.mockRestore();
  }
});

test("[mask.check] a folder named on the command line is checked in full, any other only up to the limits of a quick check", () => {
  expect(splitPaths([`${FOLDER}/`, "golden/cases/vit-pytorch"])).toEqual({
    masks: [FOLDER],
    others: ["golden/cases/vit-pytorch"],
  });
  expect(splitPaths(["golden/cases"])).toEqual({ masks: [], others: ["golden/cases"] });
  const quick = summariseMasks(runMasks([FOLDER], false).verdicts);
  expect(quick.disagreements).toBe(0);
  expect(quick.rows).toBeLessThan(summariseMasks(checkMasks(cases, { full: 7, cached: 2 })).rows);
});

test("[mask.counts] missing, padding and unreachable images, and prompts without image tokens, are found", () => {
  const [check] = checkCounts(batch("tItII"), 2, [1]);
  expect(check).toMatchObject({ tokens: 3, real: 1, padded: 1, missing: 1 });
  expect(check?.findings).toEqual([
    { kind: "padding-image", prompt: 0, image: 2, position: 3, images: 2 },
    { kind: "missing-image", prompt: 0, image: 3, position: 4, images: 2 },
  ]);
  const [one, none, fits] = checkCounts(batch("tI", "tt", "II"), 2);
  expect(one?.findings).toEqual([
    { kind: "unreachable-image", prompt: 0, image: 2, position: null, images: 2 },
  ]);
  expect(none?.findings).toEqual([
    { kind: "no-image-token", prompt: 1, image: null, position: null, images: 2 },
  ]);
  expect(fits?.findings).toEqual([]);
  expect(checkCounts(batch("tt"), 0)[0]?.findings).toEqual([]);
  expect(() => checkCounts(batch("tt"), 2, [3])).toThrow("Prompt 0 cannot have 3 of 2 images.");
  expect(() => checkCounts(batch("tt"), 2, [-1])).toThrow("Prompt 0 cannot have -1 of 2 images.");
});

test("[mask.findings] neighbouring leaks are one finding, and each finding has its place and tone", () => {
  const leaking = conventionOf("flamingo-pytorch@0.0.16 immediate");
  const found = findingsOf(batch("ttIII", "ttttt"), 1, leaking, { real: [1, 0] });
  expect(found.map((finding) => [finding.kind, placeOf(finding), toneOf(finding)])).toEqual([
    ["missing-image", { prompt: 0, position: 3, image: 2 }, "alarm"],
    ["missing-image", { prompt: 0, position: 4, image: 3 }, "alarm"],
    ["no-image-token", null, "note"],
    ["leak", { prompt: 0, position: 0, image: 0 }, "alarm"],
    ["leak", { prompt: 0, position: 3, image: 0 }, "alarm"],
    ["leak", { prompt: 1, position: 0, image: 0 }, "alarm"],
  ]);
  expect(found[3]).toEqual({
    kind: "leak",
    convention: leaking.name,
    outcome: "uniform-leak",
    prompt: 0,
    from: 0,
    to: 1,
  });
  expect(findingsOf(batch("tI"), 1, { ...immediate, emptyRow: "nan" })).toMatchObject([
    { kind: "leak", outcome: "nan", from: 0, to: 0 },
  ]);
});

test("[mask.findings] cached steps that differ, or are refused, and conventions that are not prefix-stable", () => {
  const decoded = (text: string, c: Convention, options: ReplayDecodingOptions) =>
    findingsOf(batch(text), 2, c, { steps: replayDecoding(batch(text), 2, c, options) }).filter(
      ({ kind }) => kind !== "unreachable-image",
    );
  const differing = decoded("Ittt", conventions.otter, { prompt: 1 });
  expect(differing).toMatchObject([{ kind: "steps-differ", steps: 3, prompt: 0, position: 1 }]);
  expect(differing.map(placeOf)).toEqual([{ prompt: 0, position: 1, image: 0 }]);
  expect(decoded("Itttt", conventions["flamingo-mini"], { prompt: 2, passes: [2, 3] })).toEqual([
    { kind: "step-refused", convention: "flamingo-mini", from: 2, refused: { tokens: 3, prompt: 2 } },
  ]);
  expect(decoded("It", immediate, { prompt: 1 })).toEqual([]);
  const unstable = findingsOf(batch("I"), 1, conventions["paper next"]);
  expect(unstable).toEqual([{ kind: "not-prefix-stable", convention: "paper next" }]);
  expect(unstable.map(toneOf)).toEqual(["note"]);
});

test("[mask.difference] the first row, token and image; masks that agree although rows do not", () => {
  const { rows, first, cells } = differenceOf(batch("tttt", "ItIt"), 3, immediate, allPrevious);
  expect(first).toMatchObject({ prompt: 1, position: 2, image: 1 });
  expect(rows.map(({ position }) => position)).toEqual([2, 3]);
  expect(cells).toBe(2);
  const zeroing = conventionOf("flamingo-pytorch@0.1.2 immediate");
  const leaking = conventionOf("flamingo-pytorch@0.0.16 immediate");
  const empty = differenceOf(batch("tI"), 2, zeroing, leaking);
  expect(empty).toMatchObject({ cells: 0, first: { position: 0, image: 1 } });
  const reversed = differenceOf(batch("tI"), 2, leaking, zeroing);
  expect(reversed).toMatchObject({ cells: 0, first: { position: 0, image: 1 } });
  const zeroedDespiteMask: Convention = { ...immediate, compare: "everything", zeroBeforeFirstImage: true };
  expect(differenceOf(batch("tI"), 1, zeroedDespiteMask, immediate)).toMatchObject({
    cells: 1, // both rows are zeroed, but one mask allows the image
    rows: [{ position: 0, image: 1 }],
  });
  const skipped = differenceOf(batch("tI"), 1, immediate, { ...immediate, emptyRowFeedForward: "skip" });
  expect(skipped).toMatchObject({ cells: 0, first: { position: 0, image: null } });
  fc.assert(
    fc.property(fc.constantFrom(...all), fc.array(fc.nat(2), { maxLength: 8 }), (c, kinds) => {
      const locations = { shape: [1, kinds.length], data: kinds };
      expect(differenceOf(locations, 2, c, c)).toEqual({ rows: [], first: null, cells: 0 });
    }),
  );
});

test("[mask.distinguishing-prompt] the shortest prompt that distinguishes two conventions", () => {
  const of = (one: Convention, other: Convention, longest?: number) => {
    const found = distinguishingPrompt(one, other, longest === undefined ? {} : { longest });
    return found && `${found.kinds.map((kind) => "tIE"[kind]).join("")} ${found.images}`;
  };
  expect(of(immediate, allPrevious)).toBe("II 1");
  expect(of(immediate, conventionOf("mllama reference"))).toBe("t 1");
  expect(of(immediate, conventionOf("idefics"))).toBe("IEt 1");
  expect(of(conventionOf("otter"), conventionOf("open-flamingo@2.0.1"), 4)).toBeNull(); // their caches differ
  expect(of(immediate, allPrevious, 1)).toBeNull();
});

test("[mask.prefix-stable] every numbering but next is prefix-stable, as the invariant finds", () => {
  for (const c of all) {
    const broken = verdictsOf(c, { longest: 4, images: 2 })["prefix-stable"];
    expect(broken === null, c.name).toBe(c.numbering !== "next");
  }
  const next = verdictsOf(conventionOf("open-flamingo@0.0.2"), { longest: 2, images: 1 })["prefix-stable"];
  expect(next).toMatchObject({
    kinds: [0, 1],
    images: 1,
    position: 0,
    reason: { kind: "empty", because: { kind: "no-image-after" } },
    change: { kind: "more-text" },
  });
});

const kept = (changes: Partial<Convention>) => {
  const verdicts = verdictsOf({ ...immediate, ...changes }, { longest: 4, images: 2 });
  return Object.entries(verdicts).flatMap(([name, broken]) => (broken ? [name] : []));
};

test("[mask.no-leak] a leak of either kind breaks it, and so does NaN", () => {
  expect(kept({})).toEqual([]);
  expect(kept({ emptyRow: "uniform" })).toContain("no-leak");
  expect(kept({ emptyRow: "unmasked" })).toContain("no-leak");
  expect(kept({ emptyRow: "nan" })).toEqual(["no-leak", "zero-without-image"]);
});

test("[mask.zero-without-image] a row that counts no image and still gets something breaks it", () => {
  expect(kept({ compare: "everything" })).toEqual(["zero-without-image"]);
  expect(kept({ emptyRowFeedForward: "skip" })).toEqual([]);
});

test("[mask.reach] an image that reaches a row it may not attend breaks it", () => {
  expect(kept({ emptyRow: "uniform", zeroBeforeFirstImage: true })).toEqual(["no-leak", "reach-within-mask"]);
});

test("[mask.padding-side] a rule that counts positions breaks it", () => {
  expect(kept({ compare: { explicit: [[], [1], [1], [1], [1], [1]] } })).toContain("padding-side");
  const [broken] = violationsOf([0, 1], 1, { ...immediate, compare: { explicit: [[], [1]] } }).filter(
    ({ invariant }) => invariant === "padding-side",
  );
  expect(broken?.change).toMatchObject({ kind: "padding" });
});

test("[mask.step] the invariant finds the first cut at which a step is wrong, and a step that is refused", () => {
  const [restart] = violationsOf(prompt("It"), 1, { ...immediate, cachedStep: "restart" });
  expect(restart).toMatchObject({ invariant: "step-equals-rows", position: 1 });
  const refused = violationsOf(prompt("ttt"), 1, { ...immediate, cachedStep: "prompt-end" });
  expect(refused.map(({ refused }) => refused)).toEqual([{ tokens: 2, prompt: 1 }]);
  expect(Object.keys(invariants)).toEqual(Object.keys(verdictsOf(immediate, { longest: 1, images: 1 })));
});

test("[mask.findings] a prompt that the source refuses is a note, unless it has neither images nor image tokens", () => {
  const mllama = conventions["mllama reference"];
  const found = (text: string, n: number, c: Convention) =>
    findingsOf(batch(text), n, c).filter(({ kind }) => kind === "refused-prompt");
  expect(found("ItI", 1, mllama)).toEqual([
    { kind: "refused-prompt", convention: "mllama reference", prompt: 0, tokens: 2, images: 1 },
  ]);
  expect(found("ItI", 1, mllama).map((finding) => [placeOf(finding), toneOf(finding)])).toEqual([
    [null, "note"],
  ]);
  expect(found("ItI", 1, mllama).map(findingSentence)).toEqual([
    "mllama reference refuses prompt 0, which has 2 image tokens and 1 image: its rows are those of the mask alone.",
  ]);
  expect(found("It", 0, conventions.otter).map(findingSentence)).toEqual([
    "otter refuses prompt 0, which has 1 image token and no image: its rows are those of the mask alone.",
  ]);
  expect(found("tt", 0, conventions.otter)).toEqual([]);
  expect(found("ItI", 2, mllama)).toEqual([]);
});

test("[mask.comparison] the table of cases says which prompts a source refuses, or takes only in a batch", () => {
  const row = (name: string) =>
    comparisonTables
      .cases()
      .split("\n")
      .find((line) => line.startsWith(`| \`${name}\` |`))
      ?.split(" | ")
      .slice(1, 5);
  // By hand: ttIt with 1 image, Ittt with 3 (two are padding), ItIt with 1 (too few), IItt with 2
  expect(row("mllama reference")).toEqual([
    "= = {1} {1}",
    "{1} {1} {1} {1} †",
    "refused",
    "{1} {1,2} {1,2} {1,2}",
  ]);
  expect(row("otter")).toEqual(["0 0 {1} {1}", "{1} {1} {1} {1}", "{1} {1} **U** **U**", "{1} {2} {2} {2}"]);
});

test("[mask.comparison] conventions of one line of the groups have equal rows, and those of two lines have not", () => {
  const groups = comparisonTables
    .groups()
    .split("\n")
    .slice(2)
    .map((line) =>
      [...(line.split(" | ")[0] ?? "").matchAll(/`([^`]+)`/g)].map(([, name = ""]) => conventionOf(name)),
    );
  expect(groups.length).toBeGreaterThan(2);
  const whole = (c: Convention) =>
    JSON.stringify(
      [1, 2, 3].map((n) =>
        kindStrings(4, 3).map((kinds) =>
          maskRows({ shape: [1, 4], data: kinds }, n, c)[0]?.map(({ outcome, images, mayAttend }) => [
            outcome,
            images,
            mayAttend,
          ]),
        ),
      ),
    );
  const rows = groups.map((group) => group.map(whole));
  for (const group of rows) expect(new Set(group).size).toBe(1);
  expect(new Set(rows.map(([first]) => first)).size).toBe(groups.length);
  const grouped = groups.flat().map(({ name }) => name);
  const rest = all.filter(({ name }) => !grouped.includes(name)).map(whole);
  expect(new Set([...rest, ...rows.flatMap((group) => group.slice(0, 1))]).size).toBe(
    rest.length + groups.length,
  );
});

const PAGE = "docs/guides/20-masks.md";

test("[mask.refused] documents that count rows count refusals beside them, and both figures are those of the cases", () => {
  const { rows, refused, sources } = summariseMasks(checkMasks(cases));
  const figure = (n: number) => n.toLocaleString("en-US");
  for (const path of [PAGE, "README.md"]) {
    const paragraphs = readFileSync(path, "utf8")
      .split(/\n\n|\n(?=[*-] )/)
      .filter((paragraph) => /\d released sources/.test(paragraph));
    expect(paragraphs.length, path).toBeGreaterThan(0);
    for (const paragraph of paragraphs) {
      expect(paragraph, path).toContain(`${sources} released sources`);
      expect(paragraph, path).toMatch(
        new RegExp(
          `${figure(rows)} rows[^]*refuse[^]*${figure(refused)} rows|${figure(rows)} rows[^]*${figure(refused)} rows[^]*refuse`,
        ),
      );
    }
  }
});

test("[mask.comparison] the page's tables are computed from the conventions", () => {
  let page = readFileSync(PAGE, "utf8");
  for (const [name, table] of Object.entries(comparisonTables)) {
    const part = new RegExp(`(<!-- comparison: ${name} -->\\n)[^]*?(<!-- end -->)`);
    expect(page).toMatch(part);
    page = page.replace(part, (_, before, after) => `${before}\n${table()}\n\n${after}`);
  }
  if (process.env.WRITE_TABLES) writeFileSync(PAGE, page);
  expect(readFileSync(PAGE, "utf8"), "WRITE_TABLES=1 npx vitest run … updates it").toBe(page);
});
