// The executable half of 63-probe.md. The implementations under test are this project's blocks under every convention and known
// mistake, and an adapter in plain JavaScript that shares no code with them.

import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { probe as command } from "../../../src/cli/commands/probe.ts";
import { UsageError } from "../../../src/cli/usage-error.ts";
import { maskMistakes } from "../../../src/conformance/mistakes/mask-mistakes.ts";
import { mutants } from "../../../src/conformance/mutants/mutants.ts";
import type { ProbeAdapter } from "../../../src/conformance/probe/ask.ts";
import { cachedStepsOf, mismatchesOf } from "../../../src/conformance/probe/match.ts";
import { measure } from "../../../src/conformance/probe/measure.ts";
import {
  baseConventions,
  effectsOfConvention,
  effectsOfMistake,
} from "../../../src/conformance/probe/mistakes.ts";
import {
  AGAIN,
  BASE,
  calls,
  caseOf,
  changedImage,
  IMAGES,
  inputsOf,
  LENGTH,
  type ProbeCall,
  rowOf,
  SPREAD,
  TEXT,
  textsOf,
  VARIANTS,
} from "../../../src/conformance/probe/plan.ts"; // prettier-ignore
import { findConvention, type ProbeResult } from "../../../src/conformance/probe/probe.ts";
import { probeDocument } from "../../../src/conformance/probe/report/document.ts";
import { leakStretches, mismatchStretches } from "../../../src/conformance/probe/report/effects.ts";
import { probeText } from "../../../src/conformance/probe/report/text.ts";
import {
  mistakeSentences,
  stretchSentence,
  verdictSentence,
} from "../../../src/conformance/probe/report/words.ts";
import { readOutputs } from "../../../src/conformance/probe/rows.ts";
import { probeVerdict } from "../../../src/conformance/probe/verdict.ts";
import type { Stored } from "../../../src/io/safetensors/read.ts";
import { type Convention, conventionOf, conventions } from "../../../src/masks/conventions/conventions.ts";
import { distinguishingPrompt } from "../../../src/masks/difference.ts";
import { EFFECT } from "../../../src/masks/exhaustive/effect.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import { flat, Tensor, view } from "../../../src/tensor/tensor.ts";
import { blockAdapter, causalAdapter, type Level } from "../../support/fixtures/probe-adapters.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const every: readonly Convention[] = Object.values(conventions);
const shape = { dim: 8, dimMedia: 6, latents: 2 };
const released = conventions["flamingo-pytorch@0.1.2 immediate"];
/** Two released conventions with the same rows, also in cached steps: the default of Otter, and a random choice of OpenFlamingo's training. */
const RESTARTING = ["open-flamingo@0.0.2 previous", "otter"];
const LEVELS: readonly Level[] = ["attention", "block", "tapped"];
const sentenceOf = (result: ProbeResult, expect: Convention | null) =>
  verdictSentence(probeVerdict(result, expect));
const leaks = (result: ProbeResult) => leakStretches(result).map((one) => stretchSentence(one, result));
const mismatches = (result: ProbeResult) =>
  mismatchStretches(result).map((one) => stretchSentence(one, result));
const names = (list: readonly Convention[]) => list.map(({ name }) => name);

describe("the test plan", () => {
  const known = { effects: [], known: calls.full.prompts.map((kinds) => kinds.map(() => 0xff)) };
  const rows = (convention: Convention) => effectsOfConvention(convention, calls.full.prompts, IMAGES);

  test("[probe.distinguishing] conventions that these prompts do not distinguish agree on every short prompt", () => {
    for (const one of every)
      for (const other of every) {
        if (mismatchesOf({ ...known, effects: rows(one) }, rows(other)).length > 0) continue;
        expect([one.name, other.name, distinguishingPrompt(one, other, { longest: 5, images: 3 })]).toEqual([
          one.name,
          other.name,
          null,
        ]); // prettier-ignore
      }
  });

  test("[probe.distinguishing] every mistake differs from one of the conventions on some row", () => {
    for (const mistake of maskMistakes) {
      const apart = baseConventions.filter(
        (convention) =>
          mismatchesOf(
            { ...known, effects: rows(convention) },
            effectsOfMistake(mistake, convention, calls.full.prompts, IMAGES),
          ).length > 0, // prettier-ignore
      );
      expect([mistake.id, apart.length > 0]).toEqual([mistake.id, true]);
    }
  });

  const part = (call: ProbeCall, key: string, variant: number, p: number): number[] => {
    const stored = inputsOf(call, shape).get(key);
    if (!(stored instanceof Tensor)) throw new Error(`no ${key}`);
    const size = stored.size / (stored.shape[0] ?? 1);
    return Array.from(
      flat(stored.data).subarray(rowOf(call, variant, p) * size, (rowOf(call, variant, p) + 1) * size),
    );
  };

  test("[probe.one-thing] each copy of a prompt changes one input, and one copy changes nothing", () => {
    for (const [p] of calls.full.prompts.entries()) {
      const [x, media] = ["inputs.x", "inputs.media"].map(
        (key) => (variant: number) => part(calls.full, key, variant, p),
      ) as [(v: number) => number[], (v: number) => number[]]; // prettier-ignore
      expect(x(AGAIN)).toEqual(x(BASE));
      expect(media(AGAIN)).toEqual(media(BASE));
      expect(x(TEXT)).not.toEqual(x(BASE));
      expect(media(TEXT)).toEqual(media(BASE));
      for (let image = 1; image <= IMAGES; image++) {
        const size = shape.latents * shape.dimMedia;
        const differs = media(changedImage(image)).map((value, i) => value !== media(BASE)[i]);
        const touched = new Set(differs.flatMap((so, i) => (so ? [Math.floor(i / size) + 1] : [])));
        expect([...touched]).toEqual([image]);
        expect(x(changedImage(image))).toEqual(x(BASE));
      }
    }
  });

  test("[probe.spread] latents move apart while the average of each pair does not change", () => {
    const { dimMedia } = shape;
    const averages = (values: number[]) =>
      values.map((value, i) =>
        Math.floor(i / dimMedia) % 2 === 0 ? value + (values[i + dimMedia] ?? 0) : 0,
      );
    const [before, after] = [BASE, SPREAD].map((variant) => part(calls.full, "inputs.media", variant, 0));
    expect(after).not.toEqual(before);
    expect(averages(after ?? [])).toEqual(averages(before ?? []));
  });

  test("[probe.inputs] the tensors and shapes of a case, without locations in the call without locations", () => {
    const inputs = inputsOf(calls.full, shape);
    const b = VARIANTS * calls.full.prompts.length;
    expect(Object.fromEntries([...inputs].map(([key, stored]) => [key, stored.shape]))).toEqual({
      "inputs.x": [b, LENGTH, 8],
      "inputs.media": [b, IMAGES, 2, 6],
      "inputs.text": [b, LENGTH],
      "inputs.media_locations": [b, LENGTH],
    });
    expect(inputsOf(calls["without-locations"], shape).has("inputs.media_locations")).toBe(false);
    expect(caseOf(calls.cached, shape)).toMatchObject({
      schema: "flamboyance-probe/1",
      passes: [4, 2, 1, 1],
      config: { dim: 8, dim_media: 6, num_latents: 2, num_images: 3, media_token_id: 3, end_token_id: 2 },
    });
  });
});

describe("every convention is identified", () => {
  for (const convention of every)
    test(`[probe.names] [probe.measure] [probe.match] ${convention.name}, from each kind of output`, async () => {
      for (const level of LEVELS) {
        const result = await findConvention(blockAdapter(level, convention), { shape });
        expect([level, names(result.exact)]).toEqual([level, expect.arrayContaining([convention.name])]);
        expect(result.mismatches).toEqual([]);
        expect(probeVerdict(result, convention)).toMatchObject({
          status: "followed",
          finding: { kind: "expected", convention, follows: true },
        });
      }
    });
});

const mutant = (id: string) => mutants.find((one) => one.id === id) ?? null;

describe("known mistakes are identified", () => {
  test.each(maskMistakes.map(({ id, number }) => [number, id] as const))(
    "[probe.mistakes] number %i, %s, as a rewrite of the released block",
    async (number, id) => {
      for (const level of ["block", "tapped"] as const) {
        const result = await findConvention(blockAdapter(level, released, mutant(id)), { shape });
        const found = result.mistakes.map((one) => [one.mistake.number, one.mistake.id, one.convention.name]);
        expect(found).toContainEqual([number, id, released.name]);
        expect(names(result.exact)).not.toContain(released.name);
      }
    },
  );

  test("[probe.mistakes] a mistake is reported only where it changes a row", async () => {
    const result = await findConvention(blockAdapter("tapped", released), { shape });
    expect(result.mistakes).toEqual([]);
    const corrected = await findConvention(blockAdapter("tapped", conventions.immediate), { shape });
    const beside = corrected.mistakes.map(({ mistake, convention }) => [mistake.number, convention.name]);
    expect(beside).toEqual([[5, released.name]]);
    const wrong = await findConvention(blockAdapter("tapped", released, mutant("zeroing-of-feed-forward")), {
      shape,
    });
    expect(wrong.mistakes.map(({ mistake }) => mistake.number)).toEqual([4]);
    expect(probeVerdict(wrong, null)).toMatchObject({ status: "mistaken", finding: { kind: "mistake" } });
  });

  test("[probe.mistakes] number 10: each cached step counts from 0", async () => {
    for (const convention of [released, conventions.immediate]) {
      const adapter = blockAdapter("block", { ...convention, cachedStep: "restart" });
      const result = await findConvention(adapter, { shape });
      expect(result.cached).toEqual({ skipped: null, steps: ["restart"] });
      expect(result.mistakes.map(({ mistake }) => [mistake.number, mistake.id])).toContainEqual([
        10,
        "counting-restarts",
      ]);
      if (convention === released) expect(names(result.exact.slice(0, 2))).toEqual(RESTARTING);
      else
        expect(probeVerdict(result, null)).toMatchObject({
          status: "mistaken",
          finding: { kind: "cached-steps", convention },
        });
    }
  });

  test("[probe.mistakes] [probe.without-locations] number 13: causal attention without a mask", async () => {
    const result = await findConvention(causalAdapter("block", released), { shape });
    expect(result.withoutLocations).toBe("causal");
    expect(result.exact[0]).toBe(released);
    expect(probeVerdict(result, null)).toMatchObject({
      status: "mistaken",
      finding: { kind: "causal", convention: released },
    });
    const found = result.mistakes.map(({ mistake }) => [mistake.number, mistake.id]);
    expect(found).toContainEqual([13, "causal-without-mask"]);
  });
});

test("[probe.names] an expected convention is not followed where calls without locations are causal", async () => {
  const result = await findConvention(causalAdapter("block", released), { shape, expect: released });
  expect(probeVerdict(result, released)).toEqual({
    status: "mistaken",
    finding: { kind: "expected", convention: released, follows: false, instead: released },
  });
});

test("[probe.without-locations] rows see everything, nothing or something else, or the call is skipped", async () => {
  const resultOf = async (
    change: (
      call: ProbeCall,
      inputs: ReadonlyMap<string, Stored>,
    ) => Promise<ReadonlyMap<string, Stored> | null>,
  ) => {
    // prettier-ignore
    const right = blockAdapter("attention", released);
    const adapter: ProbeAdapter = async (call, inputs) => {
      const outputs = inputs.has("inputs.media_locations") ? null : await change(call, inputs);
      return inputs.has("inputs.media_locations")
        ? right(call, inputs)
        : outputs
          ? { outputs }
          : { skipped: "no" };
    };
    return (await findConvention(adapter, { shape })).withoutLocations;
  };
  const x = (inputs: ReadonlyMap<string, Stored>) => inputs.get("inputs.x") as Tensor;
  expect(await resultOf(async () => null)).toBe("skipped");
  expect(await resultOf(async (_, inputs) => new Map([["out", x(inputs)]]))).toBe("nothing");
  const nan = (of: readonly number[]) =>
    view(new Float64Array(of.reduce((a, b) => a * b)).fill(Number.NaN), of);
  expect(
    await resultOf(
      async (_, inputs) => new Map([["out", new Tensor(x(inputs).shape, nan(x(inputs).shape))]]),
    ),
  ).toBe("not finite");
  const firstImage = async (_: ProbeCall, inputs: ReadonlyMap<string, Stored>) => {
    const media = inputs.get("inputs.media") as Tensor;
    const of = x(inputs).shape;
    const values = Float64Array.from({ length: x(inputs).size }, (_, i) => {
      const [row, feature] = [Math.floor(i / (8 * LENGTH)), (i % 8) % 6];
      return (
        ndArray(media.data).get(row, 0, 0, feature) +
        ndArray(x(inputs).data).get(row, Math.floor(i / 8) % LENGTH, i % 8)
      );
    });
    return new Map([["out", new Tensor(of, view(values, of))]]);
  };
  expect(await resultOf(firstImage)).toBe("something else");
});

test("[probe.cached] the ways of making cached steps are distinguished, and choose among conventions that agree", async () => {
  const found = async (name: string) => {
    const { exact, cached } = await findConvention(blockAdapter("attention", conventionOf(name)), { shape });
    expect(new Set(exact).size).toBe(exact.length);
    return [exact[0]?.name, cached.steps.length === 0 ? cached.skipped : cached.steps];
  };
  expect(await found("open-flamingo@2.0.1 all")).toEqual(["open-flamingo@2.0.1 all-previous", ["count"]]);
  for (const name of RESTARTING) expect(await found(name)).toEqual([RESTARTING[0], ["restart"]]);
  expect(await found("flamingo-mini")).toEqual(["flamingo-mini", ["prompt-end"]]);
  expect(await found("flamingo-pytorch@0.1.2 imm")).toEqual([released.name, "no cache"]);
  expect(await found("all-prev".concat("ious").replace("all-previous", "paper next"))).toEqual([
    "paper next",
    ["rows"],
  ]);
  const other = { effects: [[], []], known: [[0xff], [0xff]] };
  expect(cachedStepsOf({ ...other, kind: "block", effects: [[255], [255]] }, released)).toEqual([]);
});

/** Rows of an attention made up by hand: for each variant, prompt and position, d numbers. */
function outputs(call: ProbeCall, of: (variant: number, p: number, l: number) => number[]): Tensor {
  const rows = Array.from({ length: VARIANTS }, (_, variant) =>
    call.prompts.map((_, p) => Array.from({ length: LENGTH }, (_, l) => of(variant, p, l))),
  );
  const values = Float64Array.from(rows.flat(3));
  const wide = [
    VARIANTS * call.prompts.length,
    LENGTH,
    values.length / VARIANTS / call.prompts.length / LENGTH,
  ];
  return new Tensor(wide, view(values, wide));
}
const measured = (of: (variant: number, p: number, l: number) => number[], more: [string, Tensor][] = []) =>
  measure(
    textsOf(calls.strict, shape),
    readOutputs(calls.strict, new Map([["out", outputs(calls.strict, of)], ...more])),
  );
const moves = (variant: number, ...changes: number[]) => (changes.includes(variant) ? 1 : 0);

test("[probe.noise] a difference of up to sixteen times the noise of equal inputs is no effect", () => {
  const noisy = (by: number) =>
    measured((variant, p, l) => [
      1 + 1e-4 * moves(variant, AGAIN),
      l === 0 && p === 0 ? 1 + moves(variant, changedImage(1)) : 1 + by * moves(variant, changedImage(2)),
    ]); // prettier-ignore
  expect(noisy(1.5e-3).effects[0]?.[1]).toBe(0);
  expect(noisy(1.7e-3).effects[0]?.[1]).toBe(2);
  expect(
    measured((v, _, l) => [
      1 + (l === 0 ? moves(v, changedImage(1)) : 0.9e-5 * moves(v, changedImage(1))),
    ]).effects[0]?.slice(0, 2),
  ).toEqual([1, 0]); // prettier-ignore
});

test("[probe.weighs] a plain average depends neither on the text nor on the spread of the latents", () => {
  // row 0 is 0, so the output is the attention's: the effect of the text decides
  const added = measured((v, _, l) =>
    l === 0 ? [0] : [1 + moves(v, changedImage(1)) + (l === 1 ? moves(v, TEXT) : 0)],
  );
  expect(added.kind).toBe("attention");
  expect(added.effects[0]?.slice(0, 3)).toEqual([0, 1 | EFFECT.weighs, 1]);
  // row 0 is not 0, so the output contains the text: the effect of the spread decides
  const through = measured((v, _, l) => [
    1 +
      moves(v, TEXT) +
      (l === 0
        ? 0
        : 100 * moves(v, changedImage(1)) + (l === 1 ? 0.4 * moves(v, SPREAD) : 0.2 * moves(v, SPREAD))),
  ]); // prettier-ignore
  expect(through.kind).toBe("block");
  expect(through.effects[0]?.slice(0, 3)).toEqual([0, 1 | EFFECT.weighs, 1]);
});

test("[probe.kind] a row that its text does not move shows that the outputs do not contain the text", () => {
  const all = changedImage(1);
  expect(measured((v) => [1 + moves(v, all)]).kind).toBe("attention");
  expect(measured((v) => [1 + moves(v, all, TEXT) + moves(v, SPREAD)]).kind).toBe("unclear");
  expect(measured((v) => [1 + 100 * moves(v, all, TEXT) + 0.1 * moves(v, SPREAD)]).kind).toBe("block");
  const first = (row: number[]) =>
    measured((v, _, l) => (l === 0 ? row : [1 + moves(v, all, TEXT) + moves(v, SPREAD), 1])).kind;
  expect(first([0, 0])).toBe("attention"); // a row that no image changes is zero: the output is the attention's
  expect(first([-1, 0])).toBe("block");
});

test("[probe.measure] rows with numbers that are not finite are NaN, with an unknown feed-forward", () => {
  const { effects, known } = measured((v, _, l) => [
    l === 2 ? Number.NaN : l === 0 ? 0 : 1 + moves(v, changedImage(3), TEXT),
  ]);
  expect(effects[0]?.slice(0, 4)).toEqual([0, 4 | EFFECT.weighs, EFFECT.nan, 4 | EFFECT.weighs]);
  expect((known[0]?.[2] ?? 0) & EFFECT.feedForward).toBe(0);
});

test("[probe.feed-forward] a feed-forward is found by a row that no image moves, or by the tap", () => {
  const inputs = inputsOf(calls.strict, shape);
  const x = inputs.get("inputs.x") as Tensor;
  const text = (v: number, p: number, l: number) =>
    Array.from({ length: 8 }, (_, i) => ndArray(x.data).get(rowOf(calls.strict, v, p), l, i));
  const attn = (v: number, l: number) =>
    Array.from({ length: 8 }, (_, i) =>
      l === 0 ? 0 : i - 3 + moves(v, changedImage(1)) + 0.1 * moves(v, TEXT),
    ); // prettier-ignore
  const fed = (v: number, p: number, l: number, runs: boolean) =>
    text(v, p, l).map((value, i) => value + 0.5 * (attn(v, l)[i] ?? 0) + (runs ? Math.sin(value) : 0));
  const tap: [string, Tensor] = ["taps.attn", outputs(calls.strict, (v, _, l) => attn(v, l))];
  const found = measured((v, p, l) => fed(v, p, l, l === 1), [tap]);
  expect(found.effects[0]?.slice(0, 3)).toEqual([
    0,
    1 | EFFECT.weighs | EFFECT.feedForward,
    1 | EFFECT.weighs,
  ]);
  expect(found.known[0]?.slice(0, 3)).toEqual([0xff, 0xff, 0xff]);
  const never = measured((v, p, l) => fed(v, p, l, false), [tap]);
  expect(new Set(never.known.flat())).toEqual(new Set([0xff & ~EFFECT.feedForward]));
  // without the tap: a row with a plain average depends on its text through the feed-forward
  const plain = (v: number, p: number, l: number, runs: boolean) =>
    text(v, p, l).map(
      (value, i) =>
        value + (l === 0 ? Math.sin(value) : moves(v, changedImage(2)) + i + (runs ? Math.sin(value) : 0)),
    ); // prettier-ignore
  expect(measured((v, p, l) => plain(v, p, l, l === 1)).effects[0]?.slice(0, 3)).toEqual([
    EFFECT.feedForward,
    2 | EFFECT.feedForward,
    2,
  ]); // prettier-ignore
});

test("[probe.strict] an adapter that refuses prompts with too many or too few image tokens is given the others", async () => {
  const right = blockAdapter("block", conventions["mllama reference"]);
  const adapter: ProbeAdapter = async (call, inputs) => {
    if (call.name === "full") throw new LoadError("3 images, but 2 image tokens");
    return right(call, inputs);
  };
  const result = await findConvention(adapter, { shape });
  expect(result.refused).toMatchObject([{ call: "full", reason: "3 images, but 2 image tokens" }]);
  expect(result.call.name).toBe("padded");
  expect(names(result.exact)).toContain("mllama reference");
  const never: ProbeAdapter = async ({ name }) => Promise.reject(new LoadError(`no ${name}`));
  await expect(findConvention(never, { shape })).rejects.toThrow("no full");
});

test("[probe.words] [probe.names] the verdict is one sentence, and each mistake another", async () => {
  const result = await findConvention(blockAdapter("tapped", released), { shape, expect: released });
  expect(sentenceOf(result, released)).toBe(`It follows ${released.name}.`);
  const wrong = await findConvention(blockAdapter("tapped", released, mutant("zeroing-of-feed-forward")), {
    shape,
  });
  expect(sentenceOf(wrong, null)).toContain("number 4: The feed-forward of rows before the first image");
  expect(mistakeSentences(wrong.mistakes)).toEqual([
    expect.stringMatching(
      /^Compared with .*: number 4, zeroing-of-feed-forward: The feed-forward of rows before/,
    ),
  ]);
});

test("[probe.words] each stretch of rows is one sentence, with number and verb in agreement", async () => {
  const { "flamingo-pytorch@0.1.2 all-previous": leaky } = conventions;
  const result = await findConvention(blockAdapter("tapped", leaky), {
    shape,
    expect: conventions["all-previous"],
  });
  expect(leaks(result)).toContain('In "t t I t t t I t", rows 0–1 average all images.');
  expect(leaks(result)).toContain('In "t I t t I I t t", row 0 averages all images.');
  expect(mismatches(result)).toContain(
    'In "t t I t t t I t", rows 0–1 average all images, where under all-previous they see nothing.',
  ); // prettier-ignore
  expect(sentenceOf(result, conventions["all-previous"])).toBe(
    "It does not follow all-previous: this is flamingo-pytorch@0.1.2 all-previous; see flamingo-pytorch #10.",
  ); // prettier-ignore
  const skips = await findConvention(blockAdapter("tapped", released, mutant("zeroing-of-feed-forward")), {
    shape,
    expect: released,
  });
  expect(mismatches(skips)[0]).toBe(
    'In "t I t t I I t t", row 0 averages all images, and the feed-forward skips it, where under flamingo-pytorch@0.1.2 immediate it sees nothing, and the feed-forward runs.',
  ); // prettier-ignore
});

test("[probe.words] a stretch ends where rows are not neighbours, and where either effect changes", () => {
  const row = (position: number, measured: number, expected: number) => ({
    prompt: 0,
    position,
    measured,
    expected,
  });
  const [one, two] = [1 | EFFECT.weighs, 2 | EFFECT.weighs];
  const mismatches = [row(0, one, two), row(1, one, two), row(3, one, two), row(4, one, 0), row(5, two, 0)];
  const known = [Array.from({ length: LENGTH }, () => 0xff)];
  const effects = [[0, 7, 7, EFFECT.nan, EFFECT.nan, 3, 7 | EFFECT.weighs, 7]];
  const result = { mismatches, measured: { effects, known, kind: "block" } } as unknown as ProbeResult;
  const rows = (stretches: ReturnType<typeof leakStretches>) => stretches.map(({ from, to }) => [from, to]);
  expect(rows(mismatchStretches(result))).toEqual([
    [0, 1],
    [3, 3],
    [4, 4],
    [5, 5],
  ]);
  expect(rows(leakStretches(result))).toEqual([
    [1, 2],
    [3, 4],
    [7, 7],
  ]);
});

test("[probe.names] rows that follow no known convention are compared with the nearest one", async () => {
  // every other image, which no combination of the vocabulary has
  const explicit = Array.from({ length: LENGTH }, (_, l) => (l % 2 === 0 ? [1, 3] : [2]));
  const unknown = blockAdapter("attention", { ...conventions.immediate, compare: { explicit } });
  const result = await findConvention(unknown, { shape });
  expect(result.exact).toEqual([]);
  expect(probeVerdict(result, null)).toMatchObject({
    status: "unknown",
    finding: { kind: "unknown", mismatchingRows: result.mismatches.length },
  });
  expect(result.mismatches.length).toBeGreaterThan(0);
});

test("[probe.text] the text begins with the verdict, fits the terminal, and is the same without colour", async () => {
  for (const [adapter, expected] of [
    [blockAdapter("tapped", released), null],
    [blockAdapter("tapped", released, mutant("next-image")), released],
    [blockAdapter("block", { ...conventions.immediate, compare: { last: 2 } }), null],
  ] as const) {
    const result = await findConvention(adapter, { shape, expect: expected });
    const plain = probeText(result, expected);
    expect(plain.startsWith(sentenceOf(result, expected).slice(0, 40))).toBe(true);
    for (const line of plain.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    expect(stripVTControlCharacters(probeText(result, expected, { colour: true }))).toBe(plain);
    expect(plain).toMatch(/\n {2}measured +(-|\{1\}) +\{/);
  }
});

test("[probe.text] leaks are listed where they are no mismatches", async () => {
  const { "flamingo-pytorch@0.1.2 all-previous": leaky } = conventions;
  const text = async (expected: Convention) => {
    const result = await findConvention(blockAdapter("tapped", leaky), { shape, expect: expected });
    return probeText(result, expected).split("\n");
  };
  expect(await text(leaky)).toContain("Leaks");
  expect(await text(leaky)).not.toContain("Mismatches");
  expect(await text(conventions["all-previous"])).toContain("Mismatches");
  expect(await text(conventions["all-previous"])).not.toContain("Leaks");
});

test("[probe.json] the stable keys", async () => {
  const result = await findConvention(blockAdapter("tapped", released, mutant("no-zeroing")), { shape });
  const document = JSON.parse(JSON.stringify(probeDocument(result, null)));
  expect(document).toMatchObject({
    status: "ambiguous",
    exitStatus: 1,
    finding: { kind: "ambiguous", convention: "flamingo-pytorch@0.0.16 immediate", mistake: "no-zeroing" },
    convention: "flamingo-pytorch@0.0.16 immediate",
    also: [],
    comparedWith: "flamingo-pytorch@0.0.16 immediate",
    mismatches: [],
    mismatchingRows: 0,
    withoutLocations: "everything",
    withoutLocationsSkipped: null,
    refused: [],
    output: "block",
  });
  expect(document.mistakes.map(({ number }: { number: number }) => number)).toEqual([2, 3]);
  expect(document.prompts[0].tokens).toBe("t I t t I I t t");
  expect(document.prompts[0].rows[0]).toEqual({
    images: [1, 2, 3],
    evenly: true,
    feedForward: true,
    nan: false,
  });
  expect(document.prompts[0].rows[1]).toEqual({ images: [1], evenly: false, feedForward: true, nan: false });
  expect(document.leaks[0]).toEqual({ prompt: 0, from: 0, to: 0, images: [1, 2, 3], nan: false });
  expect(document).not.toHaveProperty("departures");
});

test("[probe.json] mismatches are values: prompt, rows, measured and expected effects", async () => {
  const skips = await findConvention(blockAdapter("tapped", released, mutant("zeroing-of-feed-forward")), {
    shape,
    expect: released,
  });
  const document = JSON.parse(JSON.stringify(probeDocument(skips, released)));
  expect(document.mismatches[0]).toEqual({
    prompt: 0,
    from: 0,
    to: 0,
    measured: { images: [1, 2, 3], evenly: true, feedForward: false, nan: false },
    expected: { images: [], evenly: false, feedForward: true, nan: false },
  });
  const rows = document.mismatches.map(({ from, to }: { from: number; to: number }) => to - from + 1);
  expect(rows.reduce((sum: number, n: number) => sum + n, 0)).toBe(document.mismatchingRows);
  expect(document.mismatchingRows).toBe(skips.mismatches.length);
});

const workspace = temporary();
const PLAIN = "spec/support/fixtures/plain-adapter.mjs";

async function run(...args: string[]): Promise<{ status: number; text: string }> {
  const written: string[] = [];
  const spy = vi.spyOn(process.stdout, "write").mockImplementation((text) => written.push(String(text)) > 0);
  try {
    return { status: await command(args), text: written.join("") };
  } finally {
    spy.mockRestore();
  }
}
const plain = (...wrong: string[]) => ["--dim", "8", "--", process.execPath, PLAIN, ...wrong];

describe("the command", () => {
  test("[probe.protocol] [probe.exit] an adapter that shares no code with this project", async () => {
    const kept = join(workspace, "kept");
    const { status, text } = await run("--json", "--keep", kept, ...plain());
    expect(status).toBe(0);
    expect(JSON.parse(text)).toMatchObject({
      convention: "immediate",
      output: "attention",
      withoutLocations: "everything",
      cached: { skipped: "no cache" },
    }); // prettier-ignore
    expect(readdirSync(kept).sort()).toEqual([
      "alone",
      "cached",
      "full",
      "full-mixed",
      "strict",
      "text-only",
      "without-locations",
      "without-locations-mixed",
    ]);
    expect(JSON.parse(readFileSync(join(kept, "full/case/case.json"), "utf8")).config.dim).toBe(8);
    expect(existsSync(join(kept, "full/out/outputs.safetensors"))).toBe(true);
  });

  test("[probe.exit] the status is 0 if the expected convention is followed, else 1, and no files are left", async () => {
    const own = join(workspace, "own");
    mkdirSync(own);
    for (const name of ["TMPDIR", "TEMP", "TMP"]) vi.stubEnv(name, own);
    onTestFinished(() => void vi.unstubAllEnvs());
    const { status, text } = await run("--expect", "flamingo-mini", ...plain());
    expect(text).toMatch(/^It does not follow flamingo-mini: this is immediate\./);
    expect(status).toBe(1);
    expect((await run("--expect", "immediate", ...plain())).status).toBe(0);
    const refusing = await run("--expect", "immediate", ...plain("strict"));
    expect(refusing.status).toBe(2);
    expect(refusing.text).toContain("3 images, but not 3 image tokens");
    expect(readdirSync(own)).toEqual([]);
  });

  test.each([
    ["nothing", "wrote no outputs.safetensors"],
    ["throws", "no such layer"],
    ["garbage", "outputs.safetensors"],
    ["bad adapter.json", "is not JSON"],
    ["skips with a number", '"skipped" in'],
    ["skips all", 'skips the call "full": not today'],
    ["shape", "has the shape"],
    ["name", 'there is no "outputs.out" among the written tensors ("result")'],
    ["zeros", "gates away from 0"],
    ["constant", "no image changes any row"],
  ])(
    "[probe.outputs] [probe.adapter] [probe.skipped] %s: a broken adapter is refused with the remedy",
    async (wrong, named) => {
      const found = await command(plain(wrong)).catch((error) => error);
      expect(found).toBeInstanceOf(LoadError);
      expect(found.message).toContain(named);
      expect(stripVTControlCharacters(found.message)).toBe(found.message);
    },
  );

  test("[probe.batch-fault] [probe.exit] dropout is named as such, with the remedy and status 2", async () => {
    const { status, text } = await run(...plain("dropout"));
    expect(text).toMatch(/^The output is random: .*\n.*eval mode/);
    expect(status).toBe(2);
  });

  test("[probe.adapter] an adapter that hangs is ended and not run again", async () => {
    const kept = join(workspace, "hung");
    await expect(command(["--timeout", "1", "--keep", kept, ...plain("hangs")])).rejects.toThrow("--timeout");
    expect(readdirSync(kept)).toEqual(["full"]);
    await expect(command(["--", "no-such-command-anywhere"])).rejects.toThrow("cannot run");
  });

  test.each([
    [[], "needs a command"],
    [["--latents", "3", "--", "x"], "even"],
    [["--dim", "0", "--", "x"], "--dim"],
    [["--expect", "frobnicate", "--", "x"], "frobnicate"],
    [["--frobnicate"], "--frobnicate"],
  ])("[probe.usage] %j is refused", async (args, named) => {
    await expect(command(args)).rejects.toThrow(named);
    await expect(command(args)).rejects.toThrow(UsageError);
  });

  test("[probe.usage] help has an example", async () => {
    expect((await run("--help")).text).toMatch(/Example\n( +flamboyance cases .+\n)? +flamboyance probe /);
  });
});
