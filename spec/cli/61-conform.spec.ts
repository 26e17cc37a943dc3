import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { callOf } from "../../src/conformance/cases/check-case.ts";
import { evaluationOf } from "../../src/conformance/mutants/evaluation.ts";
import { mutants } from "../../src/conformance/mutants/mutants.ts";
import { type GoldenCase, readCase, writeActual } from "../../src/io/golden/cases.ts";
import type { Stored } from "../../src/io/safetensors/read.ts";
import { evaluate } from "../../src/tensor/program/evaluate.ts";
import { flat, Tensor, tensor, view } from "../../src/tensor/tensor.ts";
import { widthOf } from "../../src/terminal/width.ts";
import { flamboyance } from "../support/fixtures/command.ts";
import { folders } from "../support/fixtures/temporary.ts";

const CASES = "golden/cases/flamingo-pytorch";
const fresh = folders();
beforeAll(() => {
  if (!existsSync("dist/cli/main.js")) throw new Error("the command line is not built: npm run build");
});

const conform = (...args: string[]) => flamboyance("conform", ...args);

/** The results of a port with a known mistake: outputs and taps of the rewritten program, in float32. */
function results(golden: GoldenCase, mistake: string | null): Map<string, Stored> {
  const { context } = evaluationOf(golden);
  const program = mistake
    ? mutants.find(({ id }) => id === mistake)?.apply(context)
    : callOf(golden).record();
  const { outputs, taps } = evaluate(program ?? context.program, {}, "float32");
  const given = new Map<string, Stored>();
  for (const name of golden.manifest.outputs) if (outputs[name]) given.set(`outputs.${name}`, outputs[name]);
  for (const name of golden.manifest.taps) if (taps[name]) given.set(`taps.${name}`, taps[name]);
  return given;
}

/** A folder with the results of a port for these cases; `change` may alter those of a case. */
function port(
  cases: readonly string[],
  mistake: string | null,
  change: (given: Map<string, Stored>, id: string) => void = () => {},
): string {
  const folder = fresh();
  for (const path of cases) {
    const golden = readCase(path);
    const given = results(golden, mistake);
    change(given, golden.manifest.id);
    writeActual(folder, golden.manifest.id, given, { floats: "F64" });
    golden.close();
  }
  return folder;
}

const of = (...ids: string[]) => ids.map((id) => `${CASES}/${id}`);
const ATTENTION = of(
  "masked-cross-attention--lead-text",
  "masked-cross-attention--one-head",
  "masked-cross-attention--worked-example",
);
const BLOCKS = of("gated-cross-attention-block--lead-text", "gated-cross-attention-block--adjacent-and-end");
const LEAD_TEXT = "flamingo-pytorch/masked-cross-attention--lead-text";

interface FindingDocument {
  readonly module: string;
  readonly cases: readonly string[];
  readonly firstDivergence: Record<string, unknown>;
  readonly unexpected: readonly string[];
  readonly nearest: { readonly id: string; readonly error: number } | null;
  readonly searched: boolean;
}

function findings(...args: string[]): FindingDocument[] {
  return JSON.parse(conform(...args, "--json").stdout).findings;
}

describe("[conform.findings] cases that differ", () => {
  test("[conform.findings] are one finding for each class and mistake, the smallest class and case first", () => {
    const cases = [...BLOCKS, ...ATTENTION];
    const actual = port(cases, "no-zeroing");
    const found = findings("--actual", actual, ...cases);
    expect(found.map((one) => [one.module, one.cases.length, one.nearest?.id])).toEqual([
      ["flamingo-pytorch/MaskedCrossAttention", 3, "no-zeroing"],
      ["flamingo-pytorch/GatedCrossAttentionBlock", 2, "no-zeroing"],
    ]);
    expect(found[0]?.cases[0]).toBe("flamingo-pytorch/masked-cross-attention--one-head");
  });

  test("the text names class, mistake, source, worst element with axes and values, and fits 80 columns", () => {
    const actual = port(ATTENTION, "no-zeroing");
    const { status, stdout } = conform("--actual", actual, ...ATTENTION);
    const text = stdout.replaceAll(/\s+/g, " ");
    expect(status).toBe(1);
    expect(text).toContain("MaskedCrossAttention: 3 cases differ, first at taps.attn");
    expect(text).toContain(
      "nearest known mistake: no-zeroing. Rows before the first image are not set to zero",
    );
    expect(text).toContain("IDEFICS, transformers #26428");
    expect(text).toContain("masked-cross-attention--one-head: taps.attn [b 0, head 0, query 0, key 0]");
    expect(text).toContain("0.3333333 where 0 is expected; 3 of 12 rows differ"); // 1 / 3 keys; 3 rows before the image
    expect(stdout.split("\n").filter((line) => widthOf(line) > 80)).toEqual([]);
  });

  test.each(["gate-raw", "gelu-quick", "at-least", "heads-inside", "variance-unbiased", "keys-as-values"])(
    "[conform.findings] a port with the mistake %s alone is told its name",
    (mistake) => {
      const actual = port(BLOCKS, mistake);
      const found = findings("--actual", actual, ...BLOCKS);
      expect(found.map(({ nearest }) => nearest?.id)).toEqual([mistake]);
    },
  );

  test("[mutant.nearest] numbers that no known mistake gives have no name", () => {
    const actual = port(ATTENTION, null, (given) => {
      const out = given.get("outputs.out");
      if (!(out instanceof Tensor)) throw new Error("no output");
      const x = Float64Array.from(flat(out.data), (v, i) => v * (1 + 0.05 * (i % 3)));
      given.set("outputs.out", new Tensor(out.shape, view(x, out.shape)));
    });
    const [finding, ...more] = findings("--actual", actual, ...ATTENTION);
    expect([more, finding?.nearest, finding?.searched]).toEqual([[], null, true]);
    expect(conform("--actual", actual, ...ATTENTION).stdout).toContain(
      "no known mistake explains the output",
    );
  });

  test("[mutant.nearest] two mistakes at once are not called by the name of one", () => {
    const golden = readCase(BLOCKS[0] ?? "");
    const { context } = evaluationOf(golden);
    const both = ["gate-raw", "at-least"].reduce((program, id) => {
      const mutated = mutants.find((m) => m.id === id)?.apply({ ...context, program });
      if (!mutated) throw new Error(`${id} does not apply`);
      return mutated;
    }, context.program);
    const out = evaluate(both, {}, "float32").outputs.out;
    if (!out) throw new Error("no output");
    const actual = port([BLOCKS[0] ?? ""], null, (given) =>
      given.set("outputs.out", out).delete("taps.attn"),
    );
    expect(findings("--actual", actual, BLOCKS[0] ?? "").map(({ nearest }) => nearest)).toEqual([null]);
  });

  test("a misspelt output is missing, and the name in the file is shown", () => {
    const actual = port([ATTENTION[0] ?? ""], null, (given) => {
      const out = given.get("outputs.out");
      if (out) given.set("output.out", out).delete("outputs.out");
    });
    const [finding] = findings("--actual", actual, ATTENTION[0] ?? "");
    expect(finding?.firstDivergence.remark).toBe("missing");
    expect(finding?.unexpected).toEqual(["output.out"]);
    expect(conform("--actual", actual, ATTENTION[0] ?? "").status).toBe(1);
  });
});

test("[conform.submission] tensors under names that the case does not expect are reported, and the status stays", () => {
  const [attention = "", other = ""] = ATTENTION;
  const [gradients = ""] = of("feed-forward--gradients");
  const names = ["outputs.zz", "taps.zz", "grads.weights.zz", ...Array.from("abcdefg", (c) => `taps.z${c}`)];
  const cases = [attention, other, gradients];
  const actual = port(cases, null, (given, id) => {
    if (!cases[1]?.endsWith(id)) for (const name of names) given.set(name, tensor("n", [1], [0]));
  });
  const { status, stdout } = conform("--actual", actual, ...cases);
  expect(status).toBe(0);
  expect(stdout.replaceAll(/\s+/g, " ")).toContain(
    "not compared, tensors that the case does not expect (20 in 2 cases): ",
  );
  expect(stdout).toContain("and 2 more"); // 8 of 10 names are listed
  expect(stdout.split("\n").filter((line) => widthOf(line) > 80)).toEqual([]);
  const document: Record<"cases" | "skipped", { notCompared: { what: string; names: string[] }[] }[]> =
    JSON.parse(conform("--actual", actual, ...cases, "--json").stdout);
  const parts = [...document.cases, ...document.skipped].map(({ notCompared }) =>
    notCompared.map(({ what, names: found }) => [what, found.toSorted()]),
  );
  const unexpected = ["unexpected", names.toSorted()];
  expect(parts).toEqual([[unexpected], [], [unexpected]]); // the last without gradients that the case expects
});

describe("[conform.missing] cases without a result", () => {
  test("[conform.missing] are counted and named, and a part is not full conformance", () => {
    const actual = port([ATTENTION[0] ?? ""], null);
    const { status, stdout } = conform("--actual", actual, ...ATTENTION);
    expect(status).toBe(2);
    expect(stdout).toContain("1 of 3 cases conform");
    expect(stdout.replaceAll(/\s+/g, " ")).toContain(
      "no result for 2 of 3 cases: flamingo-pytorch/masked-cross-attention--one-head, " +
        "flamingo-pytorch/masked-cross-attention--worked-example.",
    );
    expect(JSON.parse(conform("--actual", actual, ...ATTENTION, "--json").stdout).missing).toHaveLength(2);
    expect(conform("--actual", actual, ATTENTION[0] ?? "").status).toBe(0);
  });

  test("[conform.missing] a folder without any is an error that says where results belong", () => {
    const { status, stderr } = conform("--actual", fresh(), ...ATTENTION);
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(/holds no result for any of the 3 cases: .*lead-text\/actual\.safetensors/),
    ]);
  });

  test("an empty path is refused, and does not stand for the root", () => {
    const { status, stderr } = conform("--actual", "", ...ATTENTION);
    expect([status, stderr]).toEqual([3, expect.stringContaining("conform needs --actual DIR")]);
    const cases = conform("--actual", fresh(), "");
    expect([cases.status, cases.stderr]).toEqual([2, expect.stringContaining("a path of cases is empty")]);
  });

  test("cases in which the release throws are skipped; with nothing else, nothing was compared", () => {
    const raising = `${CASES}/perceiver-resampler--num-time-embeds`;
    const alone = conform("--actual", fresh(), raising);
    expect(alone.status).toBe(2);
    expect(alone.stdout).toContain("nothing was compared");
    expect(alone.stdout).toContain("cases in which the release throws");
    const both = conform("--actual", port([ATTENTION[0] ?? ""], null), raising, ATTENTION[0] ?? "");
    expect([both.status, both.stdout]).toEqual([0, expect.stringContaining("1 of 1 cases conform")]);
  });

  test("[conform.outputs-only] a gradient case without gradients is skipped if its outputs conform, and differs otherwise", () => {
    const [gradients = ""] = of("feed-forward--gradients");
    const right = conform("--actual", port([gradients], null), gradients, "--json");
    expect(JSON.parse(right.stdout).skipped).toEqual([
      {
        id: "flamingo-pytorch/feed-forward--gradients",
        reason: "the outputs conform, and there are no gradients",
      },
    ]);
    expect(right.status).toBe(2);
    expect(conform("--actual", port([gradients], "relu"), gradients).status).toBe(1);
    const one = port([gradients], null, (given) => given.set("grads.inputs.input", tensor("n", [1], [0])));
    expect(conform("--actual", one, gradients).status, "some gradients and not all").toBe(1);
  });
});

describe("[conform.submission] files that cannot be used", () => {
  /** Results for two cases, of which the file of the first is replaced. */
  function spoilt(replace: (path: string) => void) {
    const actual = port(ATTENTION.slice(0, 2), null, (given, id) => {
      if (id === LEAD_TEXT) given.clear();
    });
    const path = join(actual, LEAD_TEXT, "actual.safetensors");
    execFileSync("rm", [path]);
    replace(path);
    const { status, stdout, stderr } = conform("--actual", actual, ...ATTENTION.slice(0, 2), "--json");
    const verdicts = JSON.parse(stdout).cases as { id: string; status: string; error?: string }[];
    const [bad, good] = [
      verdicts.find(({ id }) => id === LEAD_TEXT),
      verdicts.find(({ id }) => id !== LEAD_TEXT),
    ];
    return { status, stderr, error: bad?.error ?? "", bad: bad?.status, good: good?.status };
  }
  /** A file whose header is right for a tensor, followed by a hole. */
  function sparse(path: string, name: string, shape: readonly number[], dtype: string, bytes: number): void {
    const header = Buffer.from(JSON.stringify({ [name]: { dtype, shape, data_offsets: [0, bytes] } }));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(path, Buffer.concat([length, header]));
    truncateSync(path, 8 + header.length + bytes);
  }

  test.each([
    ["a pipe", (path: string) => void execFileSync("mkfifo", [path]), /not a file/],
    ["a link to an endless device", (path: string) => symlinkSync("/dev/zero", path), /not a file/],
    ["a link in a circle", (path: string) => symlinkSync(path, path), /./],
    ["a folder", (path: string) => mkdirSync(path), /not a file/],
    ["no safetensors", (path: string) => writeFileSync(path, "version https://git-lfs"), /./],
    ["an empty file", (path: string) => writeFileSync(path, ""), /./],
  ])("[conform.submission] %s is an error of its case, and the other is judged", (_, replace, message) => {
    const found = spoilt(replace);
    expect([found.bad, found.good, found.status]).toEqual(["errored", "passed", 2]);
    expect(found.error).toMatch(message);
    expect(found.error).not.toContain("\n    at ");
  });

  test("[conform.submission] 3 GB of another shape, or under a name that is not expected, are not read", () => {
    const shape = spoilt((path) => sparse(path, "outputs.out", [750_000_000], "F32", 3_000_000_000));
    expect([shape.bad, shape.good, shape.status]).toEqual(["failed", "passed", 1]);
    const name = spoilt((path) => sparse(path, "other", [750_000_000], "F32", 3_000_000_000));
    expect([name.bad, name.good]).toEqual(["failed", "passed"]);
  });

  test("[compare.nan] NaN in a result differs, and its place is named", () => {
    const actual = port([ATTENTION[0] ?? ""], null, (given) => {
      const out = given.get("outputs.out");
      if (!(out instanceof Tensor)) throw new Error("no output");
      const x = Float64Array.from(flat(out.data)).fill(NaN, 13, 14);
      given.set("outputs.out", new Tensor(out.shape, view(x, out.shape)));
    });
    const [finding] = findings("--actual", actual, ATTENTION[0] ?? "");
    const golden = readCase(ATTENTION[0] ?? "");
    const width = golden.expected.get("outputs.out")?.shape.at(-1) ?? 0;
    expect(finding?.firstDivergence).toMatchObject({
      tensor: "outputs.out",
      error: "infinite",
      actual: "NaN",
      axes: ["b", "l", "d"],
      index: [0, Math.floor(13 / width), 13 % width],
      beyond: 1,
    });
  });

  test("half-precision results with float32's names of dtype are read: F16 and BF16", () => {
    const [norm = ""] = of("palm-layer-norm--two-axes");
    for (const [floats, precision] of [
      ["F16", "float16"],
      ["BF16", "bfloat16"],
    ] as const) {
      const folder = fresh();
      const golden = readCase(norm);
      writeActual(folder, golden.manifest.id, results(golden, null), { floats });
      expect(conform("--actual", folder, "--precision", precision, norm).status).toBe(0);
      expect(
        conform("--actual", folder, norm).status,
        "rounding to half precision exceeds float32's noise",
      ).toBe(1);
    }
  });
});

test("[compare.half] a case that a precision cannot express is skipped by conform, with the reason", () => {
  const [huge = ""] = of("masked-cross-attention--huge-logits");
  const actual = port([huge, ATTENTION[0] ?? ""], null);
  const { status, stdout } = conform("--actual", actual, "--precision", "float16", huge, ATTENTION[0] ?? "");
  expect(status).toBe(0);
  expect(stdout).toContain("1 of 1 cases conform");
  expect(stdout).toContain("skipped, taps.scores leaves the range of float16");
  expect(readFileSync(join(huge, "case.json"), "utf8")).toContain("leaves the range of float16");
});

test("a case in another folder is judged under its id", () => {
  const copy = join(fresh(), LEAD_TEXT);
  cpSync(ATTENTION[0] ?? "", copy, { recursive: true });
  const actual = port([copy], null);
  expect(conform("--actual", actual, copy).status).toBe(0);
});
