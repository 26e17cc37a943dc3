// The parts of a case that a check compares: ties, gradients, taps, recipes, empty tensors, and the bounds of one case.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkCase } from "../../../src/conformance/cases/check-case.ts";
import {
  byCase,
  type CaseVerdict,
  exitCode,
  summariseCases,
} from "../../../src/conformance/cases/verdict.ts";
import { casesAsJson, casesAsJunit, casesAsMarkdown } from "../../../src/conformance/reports/report.ts";
import type { SystemUnderTest } from "../../../src/conformance/sources/interface/source.ts";
import { systemUnderTest } from "../../../src/conformance/sources/registry.ts";
import { readCase } from "../../../src/io/golden/cases.ts";
import { loadSafetensors, type Stored } from "../../../src/io/safetensors/read.ts";
import { saveSafetensors } from "../../../src/io/safetensors/write.ts";
import type { Backend } from "../../../src/kernels/backend.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { simd } from "../../../src/kernels/simd/index.ts";
import { RuleError } from "../../../src/tensor/errors.ts";
import { int, tensor } from "../../../src/tensor/tensor.ts";
import { folders } from "../../support/fixtures/temporary.ts";

const CASES = "golden/cases/flamingo-pytorch";
const PALM = `${CASES}/flamingo-palm--text`;
const GRADIENTS = `${CASES}/feed-forward--gradients`;
const LEAD_TEXT = `${CASES}/masked-cross-attention--lead-text`;

const fresh = folders();
const float64 = reference("float64");

type Manifest = Record<string, unknown> & {
  grads: string[];
  taps: string[];
  tolerance: { noise: Record<string, number> };
};
type Tensors = Map<string, Stored>;

function tensorsOf(path: string): Tensors {
  const file = loadSafetensors(path);
  const all: Tensors = new Map(file.keys.map((key) => [key, file.get(key)]));
  for (const t of all.values()) void ("data" in t && t.data);
  file.close();
  return all;
}

/** A copy of a case with another manifest or other expected tensors. */
function changed(
  from: string,
  manifest: (m: Manifest) => object,
  tensors: { inputs?: (t: Tensors) => void; expected?: (t: Tensors) => void } = {},
): string {
  const folder = fresh();
  cpSync(from, folder, { recursive: true });
  const path = join(folder, "case.json");
  const json = JSON.parse(readFileSync(path, "utf8"));
  writeFileSync(path, JSON.stringify({ ...json, ...manifest(json) }));
  for (const [name, change] of Object.entries(tensors)) {
    const all = tensorsOf(join(folder, `${name}.safetensors`));
    change(all);
    saveSafetensors(join(folder, `${name}.safetensors`), all);
  }
  return folder;
}

async function verdictOn(folder: string, backend: Backend = float64, system?: () => SystemUnderTest) {
  const golden = readCase(folder);
  try {
    return await checkCase(golden, backend, { systemFor: system });
  } finally {
    golden.close();
  }
}

const without = (noise: Record<string, number>, name: string): Record<string, number> =>
  Object.fromEntries(Object.entries(noise).filter(([key]) => key !== name));

describe("ties", () => {
  test("[conform.ties] a case that ties keys of different tensors, or a key that the model does not have, is an error", async () => {
    expect(await verdictOn(changed(PALM, () => ({})))).toMatchObject({ status: "passed", notCompared: [] });
    const tie = (ties: object) => verdictOn(changed(PALM, () => ({ ties })));
    const right = { "to_logits.1.weight": "token_emb.weight" };
    expect(await tie(right)).toMatchObject({ status: "passed" });
    expect(await tie({ ...right, "layers.0.0.fn.norm.beta": "layers.0.0.fn.norm.gamma" })).toMatchObject({
      status: "errored",
      error: expect.stringMatching(
        /norm\.beta", which the model does not share with it {2}\[conform\.ties\]$/,
      ),
    });
    for (const key of ["to_logits.2.weight", "toString", "constructor"])
      expect(await tie({ ...right, [key]: "token_emb.weight" })).toMatchObject({
        status: "errored",
        error: expect.stringContaining(`to "${key}", which the model does not have`),
      });
  });
});

describe("gradients", () => {
  const GRAD = "grads.weights.1.weight";
  const dropped = (more: object = {}) =>
    changed(
      GRADIENTS,
      ({ grads, tolerance }) => ({
        grads: grads.filter((name) => `grads.${name}` !== GRAD),
        tolerance: { policy: "noise", K: 8, noise: without(tolerance.noise, GRAD) },
        ...more,
      }),
      { expected: (t) => void t.delete(GRAD) },
    );

  test("[conform.listed-gradients] a gradient that is dropped from manifest and file is an error", async () => {
    expect(await verdictOn(dropped())).toMatchObject({
      status: "errored",
      error: expect.stringMatching(
        /"grads" does not list "weights\.1\.weight", on which the loss depends {2}\[conform\.listed-gradients\]/,
      ),
    });
  });

  test("[conform.listed-gradients] where the case does not say what is trainable, it is reported", async () => {
    expect(await verdictOn(dropped({ trainable: undefined }))).toMatchObject({
      status: "passed",
      notCompared: [{ what: "gradients", names: ["weights.1.weight"] }],
    });
    expect(await verdictOn(changed(GRADIENTS, () => ({})))).toMatchObject({
      status: "passed",
      notCompared: [],
    });
  });

  test("[conform.listed-gradients] a gradient that is dropped from trainable, too, is reported", async () => {
    const trainable = (json: { trainable: string[] }) => json.trainable.filter((name) => name !== "1.weight");
    const folder = dropped();
    const path = join(folder, "case.json");
    const json = JSON.parse(readFileSync(path, "utf8"));
    writeFileSync(path, JSON.stringify({ ...json, trainable: trainable(json) }));
    expect(await verdictOn(folder)).toMatchObject({
      status: "passed",
      notCompared: [{ what: "gradients", names: ["weights.1.weight"] }],
    });
  });

  // the text of this case is given as embeddings, so that the table of tokens is not read
  test("[conform.unread-gradients] the gradient of a weight that the forward pass does not read is zero", async () => {
    const name = "grads.weights.embed_tokens.weight";
    const listed = (value: number) =>
      changed(
        "golden/cases/torchscale/decoder--gradients-multiway",
        ({ grads, tolerance }) => ({
          grads: [...grads, name.replace("grads.", "")],
          tolerance: { ...tolerance, noise: { ...tolerance.noise, [name]: 2.4e-7 } },
        }),
        { expected: (t) => void t.set(name, tensor("n d", [12, 16], new Array(192).fill(value))) },
      );
    expect(await verdictOn(listed(0))).toMatchObject({ status: "passed" });
    expect(await verdictOn(listed(1))).toMatchObject({ status: "failed" });
  });

  // FlamingoPaLM.forward given images freezes the language model and the encoder: no gradient of theirs is missing
  test("[conform.listed-gradients] parameters that the release freezes are not reported", async () => {
    for (const name of ["images", "text"]) {
      const folder = `golden/cases/flamingo-pytorch/flamingo-palm--gradients-${name}`;
      expect(await verdictOn(folder)).toMatchObject({ status: "passed", notCompared: [] });
    }
  });
});

describe("taps", () => {
  const more = changedTaps("frobnicate");
  function changedTaps(name: string) {
    return () =>
      changed(
        LEAD_TEXT,
        ({ taps, tolerance }) => ({
          taps: [...taps, name],
          tolerance: { ...tolerance, noise: { ...tolerance.noise, [`taps.${name}`]: 1e-6 } },
        }),
        { expected: (t) => void t.set(`taps.${name}`, tensor("n", [2], [1, 2])) },
      );
  }

  test("[conform.verdict] a tap that the model does not produce fails, with fused kernels too", async () => {
    const folder = more();
    const fused = await simd();
    for (const backend of [float64, reference("float32"), fused])
      expect(await verdictOn(folder, backend)).toMatchObject({
        status: "failed",
        firstDivergence: { tensor: "taps.frobnicate", remark: "missing" },
      });
    await fused.close();
  });

  test("[conform.verdict] taps that a fused kernel leaves out are reported", async () => {
    const fused = await simd();
    const taps = JSON.parse(readFileSync(`${LEAD_TEXT}/case.json`, "utf8")).taps;
    expect(await verdictOn(LEAD_TEXT, fused)).toMatchObject({
      status: "passed",
      notCompared: [{ what: "taps", names: taps }],
    });
    expect((await verdictOn(LEAD_TEXT)).notCompared).toEqual([]);
    await fused.close();
  });
});

test("[case.recipe] a case whose tensors are not those of its seed does not conform", async () => {
  expect(await verdictOn(changed(LEAD_TEXT, () => ({ seed: 12345 })))).toMatchObject({
    status: "errored",
    error: expect.stringMatching(
      /"inputs\.x", .* in the file are not what case\.json says: .* {2}\[case\.recipe\]/,
    ),
  });
});

test("[case.fields] members that the format does not have, and empty tensors, are reported", async () => {
  const folder = changed(GRADIENTS, (m) => ({
    outputz: [],
    source: { ...(m.source as object), by: "somebody" },
  }));
  expect(await verdictOn(folder)).toMatchObject({
    status: "passed",
    notCompared: [{ what: "fields", names: ["outputz", "source.by"] }],
  });
  const raising = changed(`${CASES}/perceiver-resampler--num-time-embeds`, (m) => ({
    raises: { ...(m.raises as object), where: "" },
    comment: "",
  }));
  expect(await verdictOn(raising)).toMatchObject({
    status: "passed",
    notCompared: [{ what: "fields", names: ["comment", "raises.where"] }],
  });
  expect(await verdictOn("golden/cases/vit-pytorch/vit--gradients-mean")).toMatchObject({
    status: "passed",
    notCompared: [{ what: "empty", names: ["grads.weights.cls_token"] }],
  });
});

describe("bounds", () => {
  const within = async (seconds: number, run: () => Promise<CaseVerdict>) => {
    const start = performance.now();
    const verdict = await run();
    expect(performance.now() - start).toBeLessThan(1000 * seconds);
    expect(verdict.status).toBe("errored");
    return verdict.error;
  };
  const config = (name: string, change: object) =>
    changed(`golden/cases/${name}`, (m) => ({ config: { ...(m.config as object), ...change } }));

  test("[conform.budget] a model of a billion layers, or of infinitely many, is refused at once", async () => {
    const depths: [string, string][] = [
      ["vit-pytorch/vit--mean", "depth"],
      ["flamingo-pytorch/perceiver-resampler--basic", "depth"],
      ["flamingo-pytorch/flamingo-palm--text", "depth"],
      ["flamingo-pytorch/flamingo-palm--text", "perceiver_depth"],
    ];
    for (const [name, option] of depths)
      for (const depth of [1e9, 1025, 2 ** 53 - 1])
        expect(await within(2, () => verdictOn(config(name, { [option]: depth })))).toMatch(
          new RegExp(`"config\\.${option}" is ${depth}; it must be between 0 and 1024`),
        );
  });

  test("[conform.budget] a text that is too long for a small case is refused before its mask is made", async () => {
    const folder = changed(
      PALM,
      (m) => ({
        inputs: { text: { dtype: "I64", shape: [1, 30_000], axes: "b l" } },
        recipes: { ...(m.recipes as object), "inputs.text": { low: 4, high: 24 } },
      }),
      { inputs: (t) => void t.delete("inputs.text") },
    );
    expect(await within(2, () => verdictOn(folder))).toMatch(
      /needs 30000 positions in one input; 4096 at most.*\[conform\.budget\]/,
    );
  });

  test("[conform.budget] a program that is too large for a small case is refused before it runs", async () => {
    const wide = changed(`${CASES}/rotary-embedding--basic`, () => ({}), {
      inputs: (t) => void t.set("inputs.max_seq_len", int("", 1e9)),
    });
    expect(await within(2, () => verdictOn(wide))).toMatch(
      /max_seq_len is 1000000000; it has to be between 0 and 65536/,
    );
    const x = changed(
      `${CASES}/swiglu--basic`,
      (m) => ({
        inputs: { x: { dtype: "BF16", shape: [2 ** 12, 2 ** 12] } },
        recipes: { ...(m.recipes as object), "inputs.x": { mean: 0, exponent: -6, bits: 8 } },
      }),
      { inputs: (t) => void t.delete("inputs.x") },
    );
    expect(await within(2, () => verdictOn(x))).toMatch(/needs \d+ intermediate elements; 33554432 at most/);
  });
});

describe("[compare.raises] the phase", () => {
  const raising = `${CASES}/flamingo-palm--no-encoder`;
  const error = new RuleError("no", "flamingo.encoder-optional");
  const system = systemUnderTest({
    id: "x",
    source: { package: "flamingo-pytorch", class: "SwiGLU" },
    config: {},
    profile: "flamboyance",
  });

  test("[compare.raises] an error in the constructor where the call is to raise, and the other way round, fails", async () => {
    const late = (): SystemUnderTest => ({
      ...system,
      forward: () => {
        throw error;
      },
    });
    const early = (): SystemUnderTest => {
      throw error;
    };
    expect(await verdictOn(raising, float64, early)).toMatchObject({ status: "passed" });
    expect(await verdictOn(raising, float64, late)).toMatchObject({
      status: "failed",
      error: expect.stringContaining('in the phase "forward", but the release raises'),
    });
  });
});

describe("verdicts", () => {
  const base = { module: "M", rows: 1, worst: null, firstDivergence: null, error: null, kernels: null };
  const passed = { ...base, id: "a", precision: "float64", status: "passed" } as const;
  const skipped = {
    ...base,
    id: "b",
    precision: "float64",
    status: "skipped",
    rows: 0,
    error: "too large",
  } as const;

  test("skipped cases are counted apart, and alone they are no success", () => {
    expect(summariseCases([passed, skipped])).toMatchObject({ cases: 1, passed: 1, skipped: 1 });
    expect(exitCode(summariseCases([passed, skipped]))).toBe(0);
    expect(exitCode(summariseCases([skipped]))).toBe(2);
  });

  test("a case that is skipped in one precision only is reported with the other", () => {
    const [one] = byCase([passed, { ...skipped, id: "a", precision: "float16" }]);
    expect(one).toMatchObject({
      status: "passed",
      notCompared: [{ what: "precisions", names: ["float16"] }],
    });
    expect(summariseCases([passed, { ...skipped, id: "a" }])).toMatchObject({ cases: 1, skipped: 0 });
  });

  test("every document names the skipped cases and their number", () => {
    expect(JSON.parse(casesAsJson([passed, skipped]))).toMatchObject({
      summary: { cases: 1, skipped: 1 },
      cases: [{ id: "a", notCompared: [] }],
      skipped: [{ id: "b", reason: "too large" }],
    });
    expect(casesAsJunit([passed, skipped])).toMatch(
      /tests="2" .*skipped="1"[\s\S]*name="b"><skipped message="too large"\/>/,
    );
    expect(casesAsMarkdown([passed, skipped])).toMatch(
      /1 of 1 cases conform.*1 were not compared[\s\S]*\| b \| skipped \|.*too large/,
    );
  });
});
