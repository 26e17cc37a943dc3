// Batches, combinations and exit statuses of 63-probe.md. The implementations under test are nested loops with one fault each, which
// share no code with this project's blocks; the right verdicts are those of the public reports that the faults were taken from.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { probe as command } from "../../../src/cli/commands/probe.ts";
import { AdapterUnavailable, type ProbeAdapter } from "../../../src/conformance/probe/ask.ts";
import { mixed, reordered } from "../../../src/conformance/probe/batch/calls.ts";
import { compareCopies, compareRows } from "../../../src/conformance/probe/batch/compare.ts";
import { combinationOf } from "../../../src/conformance/probe/combinations.ts";
import { effectsOfConvention } from "../../../src/conformance/probe/mistakes.ts";
import {
  AGAIN,
  calls,
  changedImage,
  inputsOf,
  LENGTH,
  lettersOf,
  type ProbeCall,
  VARIANTS,
} from "../../../src/conformance/probe/plan.ts";
import { findConvention, type ProbeResult } from "../../../src/conformance/probe/probe.ts";
import { probeDocument } from "../../../src/conformance/probe/report/document.ts";
import { probeText } from "../../../src/conformance/probe/report/text.ts";
import { verdictSentence } from "../../../src/conformance/probe/report/words.ts";
import { readOutputs, UnusableOutputs } from "../../../src/conformance/probe/rows.ts";
import { exitStatus, probeVerdict } from "../../../src/conformance/probe/verdict.ts";
import type { Stored } from "../../../src/io/safetensors/read.ts";
import { type Convention, conventionOf, conventions } from "../../../src/masks/conventions/conventions.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import { flat, Tensor, view } from "../../../src/tensor/tensor.ts";
import { faultyAdapter } from "../../support/fixtures/batch-adapters.ts";
import { blockAdapter } from "../../support/fixtures/probe-adapters.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const shape = { dim: 8, dimMedia: 6, latents: 2 };

/** The result, and the names of the calls. */
async function probed(adapter: ProbeAdapter, expected: Convention | null = null) {
  const asked: string[] = [];
  const result = await findConvention(
    (call, inputs) => {
      asked.push(call.folder ?? call.name);
      return adapter(call, inputs);
    },
    { shape, expect: expected },
  );
  const verdict = probeVerdict(result, expected);
  return { result, asked, verdict, status: exitStatus(verdict), sentence: verdictSentence(verdict) };
}

const differing = ({ batch }: ProbeResult) =>
  Object.fromEntries((batch?.differences ?? []).map(({ call, differing }) => [call ?? "copies", differing]));

test("[probe.batch] an implementation whose rows are independent is asked eight times and certified", async () => {
  const { asked, status, sentence, result } = await probed(faultyAdapter("ok"));
  expect(asked).toEqual([
    "full",
    "full-mixed",
    "strict",
    "alone",
    "text-only",
    "cached",
    "cached-mixed",
    "without-locations",
  ]);
  expect([status, sentence, result.batch]).toEqual([0, "This is immediate.", null]);
});

describe("rows that depend on the batch are not certified", () => {
  test.each([
    // transformers #28032: prompts of 0, 1 and 2 images, of which the later ones see the images of the earlier
    ["flat", "other-images", "Rows see other prompts' images.", ["copies", "full-mixed", "strict", "alone"]],
    // vllm-fork #1621
    [
      "batchimg",
      "images-disabled",
      "A prompt without images silences the batch: with it, no image changes any row.",
      ["strict", "alone"],
    ],
    // llama3 #369
    [
      "row0media",
      "first-images",
      "All rows see the images of the first prompt of the batch.",
      ["full-mixed", "alone"],
    ],
    [
      "second row sees the first's images",
      "other-images",
      "Rows see other prompts' images.",
      ["copies", "full-mixed"], // the first two rows of "strict" are those of "full"
    ],
    [
      "odd rows see the first's images",
      "other-images",
      "Rows see other prompts' images.",
      ["full-mixed"], // a prompt's copies are 6 rows apart in "full" and 2 in "strict": all of them odd, or none
    ],
    [
      "previous",
      "other-images",
      "Rows see other prompts' images.",
      ["copies", "full-mixed", "strict", "alone"],
    ],
    [
      "reversed",
      "other-images",
      "Rows see other prompts' images.",
      ["copies", "full-mixed", "strict", "alone"],
    ],
    ["mean", "other-images", "Rows see other prompts' images.", ["full-mixed", "strict", "alone"]],
    ["first of the same text", "other-images", "Rows see other prompts' images.", ["full-mixed", "alone"]],
    ["place", "place", "The rows depend on their place in the batch, ", ["full-mixed"]],
    [
      "second half lost",
      "place",
      "The rows depend on their place in the batch, ",
      ["full-mixed", "strict", "alone"],
    ],
    ["cache", "place", "The rows depend on their place in the batch, ", ["full-mixed"]],
    ["slightly by place", "place", "The rows depend on their place in the batch, ", ["full-mixed"]],
    [
      "last row's images",
      "other-images",
      "Rows see other prompts' images.",
      ["full-mixed", "strict", "alone"],
    ],
    [
      "all previous where a prompt has an end token",
      "other-prompts",
      "The rows depend on the other prompts of the batch: ",
      ["alone"],
    ],
    [
      "silent if there are many",
      "other-prompts",
      "The rows depend on the other prompts",
      ["strict", "alone"],
    ],
    [
      "equal counts share",
      "other-prompts",
      "The rows depend on the other prompts of the batch: ",
      ["strict"],
    ],
    ["size", "other-prompts", "The rows depend on the other prompts of the batch: ", ["strict", "alone"]],
    ["alone differs", "other-prompts", "The rows depend on the other prompts of the batch: ", ["alone"]],
    [
      "text alone sees all",
      "other-prompts",
      "The rows depend on the other prompts of the batch: ",
      ["text-only"],
    ],
    [
      "most images",
      "other-prompts",
      "The rows depend on the other prompts of the batch: ",
      ["strict", "alone"],
    ],
    [
      "first mask",
      "first-mask",
      "All rows have the mask of the first prompt of the batch.",
      ["full-mixed", "text-only"],
    ],
  ])("[probe.batch] [probe.batch-fault] [probe.exit] %s: %s", async (fault, dependence, words, where) => {
    for (const expected of [null, conventions.immediate]) {
      const { result, verdict, status, sentence, asked } = await probed(faultyAdapter(fault), expected);
      expect(verdict).toMatchObject({
        status: "dependent",
        finding: { kind: "batch", call: "full", dependence },
      });
      expect([status, sentence.startsWith(words)]).toEqual([1, true]);
      expect(Object.keys(differing(result))).toEqual(where);
      expect(asked.length).toBeLessThanOrEqual(11);
      expect(asked.filter((name) => name === "full")).toHaveLength(1);
      if (dependence !== "first-mask") expect(asked).toContain("full-repeated");
    }
  });

  test("[probe.batch] the number of rows that differ is counted: those that see the image of another prompt", async () => {
    const { result } = await probed(faultyAdapter("row0media"));
    // 36 rows are compared; the 6 of the prompt without images, and none of the 5 others, stay the same
    expect(result.batch?.differences).toContainEqual({ call: "full-mixed", differing: 30, compared: 36 });
    expect(result.batch?.differences).toContainEqual({ call: "alone", differing: 1, compared: 1 });
  });

  test.each(["random", "slightly random", "other weights in each run"])(
    "[probe.batch-fault] [probe.exit] %s: nothing can be concluded",
    async (fault) => {
      for (const expected of [null, conventions.immediate]) {
        const { verdict, status, sentence } = await probed(faultyAdapter(fault), expected);
        expect(verdict).toMatchObject({
          status: "inconclusive",
          finding: { kind: "batch", dependence: "random" },
        });
        expect(status).toBe(2);
        expect(sentence).toMatch(/^The output is random: .*eval mode/);
      }
    },
  );

  test.each(["cached rows see others", "cached mean"])(
    "[probe.batch-fault] [probe.cached] %s: also in cached decoding alone",
    async (fault) => {
      const { verdict, status, sentence, result } = await probed(faultyAdapter(fault));
      expect(verdict).toMatchObject({
        status: "dependent",
        finding: { kind: "batch", call: "cached", dependence: "other-images" },
      });
      expect([status, sentence]).toEqual([1, "In cached decoding: Rows see other prompts' images."]);
      expect(result.exact[0]?.name).toBe("immediate"); // the whole text is right
    },
  );

  test("[probe.batch-fault] [probe.without-locations] also in calls without locations", async () => {
    const right = faultyAdapter("ok");
    const adapter: ProbeAdapter = async (call, inputs) => {
      if (inputs.has("inputs.media_locations")) return right(call, inputs);
      const sizes = [call.rows.length, LENGTH, 8];
      const values = Float32Array.from({ length: call.rows.length * LENGTH * 8 }, (_, i) =>
        Math.floor(i / 64),
      );
      return { outputs: new Map([["out", new Tensor(sizes, view(values, sizes))]]) };
    };
    const { verdict, status, sentence } = await probed(adapter);
    expect(verdict).toMatchObject({ finding: { kind: "batch", call: "without-locations" } });
    expect([status, sentence]).toEqual([
      1,
      "Without media_locations: The rows depend on their place in the batch, or on the texts beside them.",
    ]);
  });

  // every row is moved by the mean of the batch, so that equal rows of one batch stay equal
  test("[probe.batch] rows without locations that see the mean of the batch are not certified", async () => {
    const right = faultyAdapter("ok");
    const adapter: ProbeAdapter = async (call, inputs) => {
      if (inputs.has("inputs.media_locations")) return right(call, inputs);
      const media = inputs.get("inputs.media");
      if (!(media instanceof Tensor)) throw new Error("no media");
      const [b = 0, n = 0, r = 0, e = 0] = media.shape;
      const first = (row: number) => ndArray(media.data).get(row, 0, 0, 0);
      const mean =
        Array.from({ length: b }, (_, row) => first(row)).reduce((sum, value) => sum + value, 0) / b;
      expect([n, r, e]).toEqual([3, 2, 6]);
      const sizes = [b, LENGTH, 8];
      const values = Float32Array.from(
        { length: b * LENGTH * 8 },
        (_, i) => first(Math.floor(i / 64)) + mean,
      );
      return { outputs: new Map([["out", new Tensor(sizes, view(values, sizes))]]) };
    };
    const { verdict, status } = await probed(adapter);
    expect(status).toBe(1);
    expect(verdict).toMatchObject({
      finding: { kind: "batch", call: "without-locations", dependence: "other-images" },
    });
  });

  test("[probe.json] [probe.text] the fault is data, and its comparisons are sentences", async () => {
    const { result } = await probed(faultyAdapter("batchimg"));
    expect(JSON.parse(JSON.stringify(probeDocument(result, null)))).toMatchObject({
      status: "dependent",
      exitStatus: 1,
      finding: {
        kind: "batch",
        call: "full",
        dependence: "images-disabled",
        differences: [
          { call: "strict", differing: 14, compared: 14 },
          { call: "alone", differing: 1, compared: 1 },
        ],
      },
    });
    const text = probeText(result, null);
    expect(text).toContain('  In the call "alone", 1 of 1 prompt differs from the same in the first batch.');
    expect(text).not.toContain("measured"); // rows that depend on the batch have no mask
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });
});

describe("the calls that compare batches", () => {
  test("[probe.batch] mixed holds every row but the copies, each behind another one, and unrelated prompts", () => {
    for (const call of [calls.full, calls.padded, calls.strict, calls.cached]) {
      const key = ({ prompts }: ProbeCall, { prompt, variant }: ProbeCall["rows"][number]) =>
        `${lettersOf(prompts[prompt] ?? [])} ${variant}`;
      const predecessors = (of: ProbeCall) =>
        new Map(
          of.rows.map((row, i) => [key(of, row), of.rows[i - 1] && key(of, of.rows[i - 1] as typeof row)]),
        );
      const own = mixed(call).rows.filter(({ otherImages }) => !otherImages);
      expect(new Set(own.map((row) => key(call, row))).size).toBe((VARIANTS - 1) * call.prompts.length);
      expect(mixed(call).rows[0]?.otherImages).toBe(true);
      const [first, second] = [predecessors(call), predecessors(reordered(call))];
      for (const [row, behind] of first) expect([row, behind]).not.toEqual([row, second.get(row)]);
      expect(second.size).toBe(first.size);
    }
  });

  test("[probe.inputs] the same prompt has the same text and images in every call", () => {
    const rowsOf = (call: ProbeCall, key: string) => {
      const stored = inputsOf(call, shape).get(key);
      if (!(stored instanceof Tensor)) throw new Error(`no ${key}`);
      const values = Array.from(stored.data.data as Float32Array);
      const size = values.length / call.rows.length;
      return new Map(
        call.rows.flatMap(({ prompt, variant, otherImages }, i) =>
          otherImages
            ? []
            : [
                [
                  `${lettersOf(call.prompts[prompt] ?? [])} ${variant}`,
                  values.slice(i * size, (i + 1) * size),
                ],
              ],
        ) as [string, number[]][],
      );
    };
    for (const key of ["inputs.x", "inputs.media"])
      for (const other of [mixed(calls.full), calls.strict, calls.padded]) {
        const full = rowsOf(calls.full, key);
        for (const [row, values] of rowsOf(other, key)) expect([row, full.get(row)]).toEqual([row, values]);
      }
  });

  /** Every position of a row holds one number. */
  const answerOf = (call: ProbeCall, numberOf: (row: number) => number) => {
    const values = Float64Array.from({ length: call.rows.length * LENGTH }, (_, i) =>
      numberOf(Math.floor(i / LENGTH)),
    );
    const sizes = [call.rows.length, LENGTH, 1];
    return readOutputs(call, new Map([["out", new Tensor(sizes, view(values, sizes))]]));
  };
  /** The first image moves every row by `effect`. No number is one of half precision. */
  const answer = (call: ProbeCall, effect: number, by: number, noise = 0) =>
    answerOf(call, (row) => {
      const variant = call.rows[row]?.variant;
      return 1.0001 + by + (variant === changedImage(1) ? effect : variant === AGAIN ? noise : 0);
    });
  const apart = (other: ProbeCall, effect: number, by: number, noise = 0) =>
    compareRows(answer(calls.strict, effect, 0, noise), answer(other, effect, by, noise)).differing;

  test("[probe.batch] a row differs by more than 1e-4 of the largest effect and 1e-5 of the scale", () => {
    expect([apart(calls.strict, 1.001, 0.9e-4), apart(calls.strict, 1.001, 1.1e-4)]).toEqual([0, 14]);
    expect([apart(calls.strict, 1e-5, 0.9e-5), apart(calls.strict, 1e-5, 1.1e-5)]).toEqual([0, 14]);
    // equal rows that differ by 1e-5: sixteen times as much
    expect([apart(calls.strict, 0.1001, 1.5e-4, 1e-5), apart(calls.strict, 0.1001, 1.7e-4, 1e-5)]).toEqual([
      0, 14,
    ]);
  });

  test("[probe.batch] in a batch of another size a row differs by more than 2e-3 of the largest effect", () => {
    expect([apart(calls.full, 0.1001, 1.9e-4), apart(calls.full, 0.1001, 2.1e-4)]).toEqual([0, 14]);
  });

  test("[probe.batch] numbers of half precision may differ by 4 spacings, and by 16 in a batch of another size", () => {
    const coarse = (one: ProbeCall, other: ProbeCall, by: number) =>
      compareRows(
        answerOf(one, () => 1),
        answerOf(other, () => 1 + by),
      ).differing;
    // bfloat16 has a spacing of 2^-7 at 1, and float16 of 2^-10
    expect([
      coarse(calls.strict, calls.strict, 4 / 128),
      coarse(calls.strict, calls.strict, 5 / 128),
    ]).toEqual([0, 14]);
    expect([coarse(calls.strict, calls.full, 16 / 128), coarse(calls.strict, calls.full, 20 / 128)]).toEqual([
      0, 14,
    ]);
    const fine = (by: number) =>
      compareRows(
        answerOf(calls.strict, () => 1 + 1 / 1024),
        answerOf(calls.strict, () => 1 + 1 / 1024 + by),
      ).differing;
    expect([fine(4 / 1024), fine(5 / 1024)]).toEqual([0, 14]);
  });

  test("[probe.batch] copies differ by more than 1e-4 of the largest effect and 1e-5 of the scale", () => {
    const noisy = (effect: number, by: number) =>
      compareCopies(answer(calls.strict, effect, 0, by)).differing;
    expect([noisy(1.001, 0.9e-4), noisy(1.001, 1.1e-4)]).toEqual([0, 1]);
    expect([noisy(1e-5, 0.9e-5), noisy(1e-5, 1.1e-5)]).toEqual([0, 1]);
  });
});

describe("exit statuses", () => {
  test.each([
    ["all-previous", false, "all-previous", "at-least"],
    ["ok", true, "flamingo-pytorch@0.0.16 immediate", "no-zeroing"],
    ["all-previous", true, "flamingo-pytorch@0.1.2 all-previous", "no-zeroing"],
    ["next-image", false, "paper next", "next-image"],
  ])(
    "[probe.ambiguous] [probe.exit] %s (no zeroing: %s) has status 1, and 0 where it is expected",
    async (fault, noZeroing, convention, mistake) => {
      const adapter = () => faultyAdapter(fault, { noZeroing, skipsPasses: true });
      const { verdict, status, sentence } = await probed(adapter());
      expect(verdict).toMatchObject({
        status: "ambiguous",
        finding: {
          kind: "ambiguous",
          convention: { name: convention },
          candidate: { mistake: { id: mistake } },
        },
      });
      expect([status, sentence]).toEqual([
        1,
        expect.stringContaining(`If ${convention} is intended, certify it with --expect "${convention}".`),
      ]);
      expect((await probed(adapter(), conventionOf(convention))).status).toBe(0);
      expect((await probed(adapter(), conventions.immediate)).status).toBe(1);
    },
  );

  test("[probe.ambiguous] immediate is certified, although a mistake in the release gives the same rows", async () => {
    const { result, status } = await probed(faultyAdapter("ok"));
    expect(result.mistakes.map(({ mistake }) => mistake.id)).toEqual(["zeroing-of-every-empty-row"]);
    expect(status).toBe(0);
  });

  test.each(["full", "full-mixed", "strict", "alone", "text-only", "cached-mixed"])(
    "[probe.refused] [probe.skipped] [probe.exit] an implementation that does not answer %s is not certified",
    async (name) => {
      for (const skips of [true, false]) {
        const right = faultyAdapter("ok");
        const adapter: ProbeAdapter = async (call, inputs) => {
          if (call.name !== name) return right(call, inputs);
          if (skips) return { skipped: "not this one" };
          throw new LoadError("not this one");
        };
        for (const expected of [null, conventions.immediate]) {
          const { verdict, status, result } = await probed(adapter, expected);
          expect(verdict).toMatchObject({ status: "inconclusive", finding: { kind: "incomplete" } });
          expect(status).toBe(2);
          expect(result.refused).toMatchObject([{ call: name, reason: "not this one" }]);
          expect(probeText(result, expected)).toContain(`The call "${name}" was not answered: not this one.`);
        }
      }
    },
  );

  test("[probe.refused] [probe.cached] a failure of cached decoding is not a call that is skipped", async () => {
    const right = faultyAdapter("ok");
    const cached =
      (answer: () => ReturnType<ProbeAdapter>): ProbeAdapter =>
      async (call, inputs) =>
        call.passes ? answer() : right(call, inputs);
    const skips = await probed(cached(async () => ({ skipped: "no cache" })));
    expect([skips.status, skips.result.cached.skipped]).toEqual([0, "no cache"]);
    const fails = await probed(cached(() => Promise.reject(new LoadError("index out of range"))));
    expect(fails.status).toBe(2);
    expect(fails.result.refused).toMatchObject([{ call: "cached", reason: "index out of range" }]);
    // a departure is a departure, whatever else was not answered
    expect(
      (
        await probed(
          cached(() => Promise.reject(new LoadError("no"))),
          conventions["all-previous"],
        )
      ).status,
    ).toBe(1);
  });

  test("[probe.strict] prompts are left out one kind after the other, and flat lists of images are found without them", async () => {
    const refusing = (fault: string, most: number, least: number): ProbeAdapter => {
      const right = faultyAdapter(fault);
      return async (call, inputs) => {
        const counts = call.rows.map(
          ({ prompt }) => call.prompts[prompt]?.filter((kind) => kind === 1).length ?? 0,
        );
        if (Math.max(...counts) > most || Math.min(...counts) < least) throw new LoadError("unequal numbers");
        return right(call, inputs);
      };
    };
    const padded = await probed(refusing("flat", 3, 0));
    expect([padded.result.call.name, padded.status]).toEqual(["padded", 1]);
    expect(padded.verdict).toMatchObject({ finding: { dependence: "other-images" } });
    const strict = await probed(refusing("flat", 3, 3)); // with equal numbers nothing is wrong
    expect([strict.result.call.name, strict.status]).toEqual(["strict", 2]);
    expect(strict.result.refused.map(({ call }) => call)).toEqual(["full", "padded", "cached"]);
  });

  test("[probe.strict] an adapter that cannot run, unusable outputs and errors of another kind are not answered with fewer prompts", async () => {
    for (const error of [
      new AdapterUnavailable("it hangs"),
      new UnusableOutputs("no shape"),
      new TypeError("a bug"),
    ]) {
      const asked: string[] = [];
      const adapter: ProbeAdapter = async ({ name }) => {
        asked.push(name);
        throw error;
      };
      await expect(findConvention(adapter, { shape })).rejects.toBe(error);
      expect(asked).toEqual(["full"]);
      const right = faultyAdapter("ok");
      const later = findConvention(
        (call, inputs) => (call.name === "alone" ? adapter(call, inputs) : right(call, inputs)),
        { shape },
      );
      if (error instanceof UnusableOutputs) expect((await later).refused).toMatchObject([{ call: "alone" }]);
      else await expect(later).rejects.toBe(error);
    }
  });

  test("[probe.without-locations] the reason why that call was not measured is reported", async () => {
    const { result, status } = await probed(faultyAdapter("ok"));
    expect([status, result.withoutLocationsSkipped]).toEqual([0, "it needs locations"]);
    expect(probeText(result, null)).toContain(
      "Calls without media_locations were not probed: it needs locations.",
    );
    const right = faultyAdapter("ok");
    const unavailable = probed(async (call, inputs) => {
      if (!inputs.has("inputs.media_locations")) throw new AdapterUnavailable("it was still running");
      return right(call, inputs);
    });
    await expect(unavailable).rejects.toThrow("it was still running");
  });
});

describe("combinations of the vocabulary", () => {
  test("[probe.combinations] the last 2 images, which --expect certifies", async () => {
    const { verdict, status, sentence } = await probed(faultyAdapter("last 2", { skipsPasses: true }));
    expect(verdict).toMatchObject({
      status: "unknown",
      finding: { kind: "combination", convention: { name: "last 2" } },
    });
    expect([status, sentence]).toEqual([
      1,
      'This is no released convention, but "last 2": a token sees the last 2 images at or before it; a row without an image adds nothing. If that is intended, certify it with --expect "last 2".',
    ]);
    expect((await probed(faultyAdapter("last 2"), conventionOf("last 2"))).status).toBe(0);
    expect((await probed(faultyAdapter("ok"), conventionOf("last 2"))).status).toBe(1);
  });

  test("[probe.combinations] each field is found by the rows that it changes", async () => {
    const fields = [
      { compare: { last: 3 } },
      { compare: { last: 2 }, emptyRow: "uniform" },
      { compare: { last: 2 }, numbering: "exclusive" },
      { compare: "at-least", endTokens: "cut" },
      { compare: { last: 2 }, emptyRow: "unmasked" },
      { neighbours: "together", emptyRow: "uniform", zeroBeforeFirstImage: true },
      { numbering: "exclusive", emptyRowFeedForward: "skip" },
      { numbering: "exclusive", emptyRow: "nan" },
    ] as const;
    for (const some of fields) {
      const convention: Convention = { ...conventions.immediate, ...some };
      const { result, verdict } = await probed(blockAdapter("tapped", convention));
      expect([some, verdict.finding.kind]).toEqual([some, "combination"]);
      expect(result.combination).toMatchObject(some);
      expect(result.mismatches).toEqual([]);
    }
  });

  test("[probe.combinations] any combination is found, or one with the same rows that departs less from the paper", () => {
    const known = calls.full.prompts.map((kinds) => kinds.map(() => 0xff));
    const changes = (convention: Convention) =>
      (
        [
          "compare",
          "numbering",
          "emptyRow",
          "zeroBeforeFirstImage",
          "endTokens",
          "neighbours",
          "emptyRowFeedForward",
        ] as const
      ).filter((field) => convention[field] !== conventions.immediate[field]).length;
    let seed = 1;
    const oneOf = <T>(values: readonly T[]): T => {
      seed = (seed * 48271) % 2147483647; // Lehmer's generator
      return values[seed % values.length] as T;
    };
    for (let i = 0; i < 40; i++) {
      const convention: Convention = {
        ...conventions.immediate,
        numbering: oneOf(["inclusive", "exclusive", "next"] as const),
        compare: oneOf(["equal", "at-least", "everything", { last: 2 }, { last: 3 }] as const),
        emptyRow: oneOf(["zero", "uniform", "unmasked", "nan"] as const),
        zeroBeforeFirstImage: oneOf([false, true]),
        endTokens: oneOf(["ignored", "cut"] as const),
        neighbours: oneOf(["apart", "together"] as const),
        emptyRowFeedForward: oneOf(["run", "skip"] as const),
      };
      const effects = effectsOfConvention(convention, calls.full.prompts, 3);
      const found = combinationOf({ effects, known, kind: "block" }, calls.full);
      expect(found && effectsOfConvention(found, calls.full.prompts, 3)).toEqual(effects);
      expect(found && changes(found)).toBeLessThanOrEqual(changes(convention));
    }
  });

  test("[probe.combinations] [probe.json] fields and words of a combination", async () => {
    const convention: Convention = {
      ...conventions.immediate,
      numbering: "exclusive",
      endTokens: "cut",
      compare: "at-least",
    };
    const { result, sentence } = await probed(blockAdapter("tapped", convention));
    expect(sentence).toBe(
      "No named convention has these rows, but a combination of known behaviours: a token sees every image before it, so that an image's own token does not see that image; an end token hides the images before it; a row without an image adds nothing.",
    );
    expect(probeDocument(result, null)).toMatchObject({
      exitStatus: 1,
      finding: {
        kind: "combination",
        convention: null,
        fields: { compare: "at-least", numbering: "exclusive", endTokens: "cut", emptyRow: "zero" },
      },
    });
    const expected = await probed(blockAdapter("tapped", convention), conventions.immediate);
    expect(expected.sentence).toMatch(/^It does not follow immediate: a token sees every image before it/);
  });
});

describe("the command", () => {
  const workspace = temporary();
  const PLAIN = "spec/support/fixtures/plain-adapter.mjs";
  test("[probe.exit] status 1 where the rows of a batch see each other, also for a process", async () => {
    const written: string[] = [];
    const spy = vi
      .spyOn(process.stdout, "write")
      .mockImplementation((text) => written.push(String(text)) > 0);
    const kept = join(workspace, "kept");
    const status = await command([
      "--dim",
      "8",
      "--keep",
      kept,
      "--",
      process.execPath,
      PLAIN,
      "flat",
    ]).finally(() => spy.mockRestore());
    expect([status, written.join("").split("\n")[0]]).toEqual([1, "Rows see other prompts' images."]);
    expect(readdirSync(kept)).toContain("full-repeated");
  });
});

describe("the attention's output and the rows that it is added to", () => {
  const change = (
    adapter: ProbeAdapter,
    edit: (
      outputs: Map<string, Stored>,
      call: ProbeCall,
      inputs: ReadonlyMap<string, Stored>,
    ) => Promise<void>,
  ): ProbeAdapter => {
    return async (call, inputs) => {
      const answer = await adapter(call, inputs);
      if (!("outputs" in answer)) return answer;
      const outputs = new Map(answer.outputs);
      await edit(outputs, call, inputs);
      return { outputs };
    };
  };
  const tapped = () => blockAdapter("tapped", conventions.immediate);

  test("[probe.measure] rows that see other images than the recorded attention are not certified", async () => {
    const wrong = blockAdapter("block", conventions["all-previous"]);
    const { status } = await probed(
      change(tapped(), async (outputs, call, inputs) => {
        const answer = await wrong(call, inputs);
        const out = "outputs" in answer ? answer.outputs.get("outputs.out") : undefined;
        if (out) outputs.set("outputs.out", out);
      }),
    );
    expect(status).toBe(1);
    expect((await probed(tapped())).status).toBe(0);
  });

  test("[probe.outputs] numbers so large that the images' effects are below 1e-5 of them are refused as such", async () => {
    const plus = (constant: number) =>
      change(faultyAdapter("ok"), async (outputs) => {
        const out = outputs.get("outputs.out");
        if (!(out instanceof Tensor)) throw new Error("no floats");
        const values = Float32Array.from(flat(out.data), (value) => value + constant);
        outputs.set("outputs.out", new Tensor(out.shape, view(values, [...out.shape])));
      });
    expect((await probed(plus(0))).status).toBe(0);
    await expect(probed(plus(1e6))).rejects.toThrow(
      /^images change "outputs\.out" by at most \d\.\de[+-]\d, less than 1e-5 of its scale 1\.0e\+6: set the gates/,
    );
  });

  test("[probe.attended] rows that do not contain the recorded attention are refused", async () => {
    const keep = (from: number) =>
      change(tapped(), async (outputs, _, inputs) => {
        const [out, x] = [outputs.get("outputs.out"), inputs.get("inputs.x")];
        if (!(out instanceof Tensor) || !(x instanceof Tensor)) throw new Error("no floats");
        const values = Float64Array.from({ length: out.size }, (_, i) => {
          const at = [Math.floor(i / (LENGTH * 8)), Math.floor(i / 8) % LENGTH, i % 8] as const;
          return ndArray((at[1] < from ? out : x).data).get(...at);
        });
        outputs.set("outputs.out", new Tensor(out.shape, view(values, [...out.shape])));
      });
    await expect(probed(keep(LENGTH))).resolves.toMatchObject({ status: 0 });
    await expect(probed(keep(5))).rejects.toThrow(
      /^image \d changes position [5-7] of "taps\.attn" in prompt \d, but not of "outputs\.out": .*\[probe\.attended\]$/,
    );
    await expect(probed(keep(0))).rejects.toThrow(/no image changes any row/);
  });
});
