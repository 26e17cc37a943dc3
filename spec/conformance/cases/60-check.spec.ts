// [conform.check] of 60-conformance.md: ports in this process. The port here is SwiGLU as a loop, from N. Shazeer, "GLU variants improve
// Transformer" (arXiv 2002.05202): SiLU(gate) · value, with the second half as the gate, as flamingo-pytorch 0.1.2 has it.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { check, type PortCase, type PortForward } from "../../../src/entries/conformance.ts";
import { readActual, readCase } from "../../../src/io/golden/cases.ts";
import { bool, int, tensor } from "../../../src/tensor/tensor.ts";
import { flamboyance } from "../../support/fixtures/command.ts";
import { folders } from "../../support/fixtures/temporary.ts";

const fresh = folders();
const NAMES = ["basic", "saturated", "two-axes", "wide"];
const CASES = NAMES.map((name) => `swiglu--${name}`);
const ID = "flamingo-pytorch/swiglu--basic";

function swiglu({ inputs: { x } }: PortCase, gateFirst = false): Float64Array {
  if (!x) throw new Error("no x");
  const width = (x.shape.at(-1) ?? 0) / 2;
  return Float64Array.from({ length: x.data.length / 2 }, (_, i) => {
    const at = 2 * width * Math.floor(i / width) + (i % width);
    const halves = [x.data[at] ?? 0, x.data[at + width] ?? 0];
    const [value = 0, gate = 0] = gateFirst ? halves.reverse() : halves;
    return (gate / (1 + Math.exp(-gate))) * value;
  });
}
const halved = ({ inputs: { x } }: PortCase): number[] =>
  (x?.shape ?? []).map((n, axis, all) => (axis === all.length - 1 ? n / 2 : n));

const nested = <T>(value: T): T[][][] => [0, 1].map(() => [0, 1, 2].map(() => [value, value, value, value]));

const onlyCase = async (forward: PortForward, more: object = {}) => {
  const report = await check(forward, { cases: ID, ...more });
  expect(report.cases.length).toBe(1);
  return { report, ...report.cases[0] };
};

test("[conform.check] a port that conforms passes, returning numbers, a tensor, or { shape, data }, now or later", async () => {
  const forms: PortForward[] = [
    (one) => swiglu(one),
    (one) => Float32Array.from(swiglu(one)),
    (one) => [...swiglu(one)],
    async (one) => ({ out: swiglu(one) }),
    (one) => ({ "outputs.out": { shape: halved(one), data: swiglu(one) } }),
  ];
  for (const forward of forms) {
    const report = await check(forward, { cases: CASES });
    expect(report.summary).toMatchObject({ cases: 4, passed: 4, failed: 0, errored: 0 });
    expect(report.passed).toBe(true);
  }
  const { report } = await onlyCase((one) => tensor("b l d", [2, 3, 4], [...swiglu(one)]));
  expect(report.passed).toBe(true);
});

test("[conform.check] a known mistake is named, with the tensor, the element and the error, as conform prints it", async () => {
  const report = await check((one) => swiglu(one, true), { cases: "swiglu--two-axes" });
  const [result] = report.cases;
  expect(report.passed).toBe(false);
  expect(result).toMatchObject({
    id: "flamingo-pytorch/swiglu--two-axes",
    status: "failed",
    mistake: { id: "swiglu-halves-exchanged", seenIn: "mlx-lm #767" },
    firstDivergence: { tensor: "outputs.out", beyond: 5, rows: 5 },
  });
  const { worst } = result ?? {};
  expect(worst?.error).toBeGreaterThan(0.1);
  expect(worst?.tolerance).toBeCloseTo(1.92e-6, 10); // 8 times the noise in case.json
  const text = `${report}`;
  expect(text).toContain("nearest known mistake: swiglu-halves-exchanged");
  expect(text).toContain("SwiGLU: 1 case differs, first at outputs.out");
  expect(text.split("\n").every((line) => line.length <= 80)).toBe(true);
  expect(JSON.parse(JSON.stringify(report))).toMatchObject({
    summary: { failed: 1 },
    findings: [{ module: "SwiGLU", nearest: { id: "swiglu-halves-exchanged" } }],
  });
});

const nothing = Object.create(null);
const endless = () => new Promise<never>(() => {});
/** Functions whose case counts as errored, with the message. */
const BROKEN: [string, unknown, RegExp][] = [
  [
    "throws",
    () => {
      throw new TypeError("no kernel");
    },
    /the function threw TypeError: no kernel/,
  ],
  [
    "throws no error",
    () => {
      throw "text";
    },
    /the function threw text/,
  ],
  [
    "throws what has no text",
    () => {
      throw nothing;
    },
    /cannot be shown as text/,
  ],
  [
    "throws a long text",
    () => {
      throw new Error("x".repeat(1e6));
    },
    /^.{1,2200}$/,
  ],
  ["rejects", () => Promise.reject(new Error("later")), /the function threw Error: later/],
  ["does not end", endless, /no result within 40 ms; raise timeoutMs/],
  [
    "returns nothing",
    () => undefined,
    /returned a value of type undefined; return the outputs by name, such as \{ out: … \}/,
  ],
  ["returns null", () => null, /returned null/],
  ["returns a text", () => "out", /returned a value of type string/],
  ["returns a Map", () => new Map([["out", [1]]]), /an object without fields \(a Map has none\)/],
  ["names a text", () => ({ out: "1 2 3" }), /"outputs.out" is a value of type string/],
  ["nests lists", () => Array.from({ length: 24 }, () => [1]), /"outputs.out" has a list at position 0/],
  ["has holes", () => new Array(24), /"outputs.out" has undefined at position 0/],
  ["has no numbers", () => ({ out: { shape: [2, 3, 4] } }), /an object without a shape and a list/],
  [
    "has fewer numbers",
    () => ({ out: { shape: [2, 3, 4], data: [1] } }),
    /has 1 numbers and the shape \[2 3 4\], which has 24/,
  ],
  [
    "has no shape",
    () => ({ out: { shape: [-1], data: [] } }),
    /has a shape that is no list of whole numbers/,
  ],
  [
    "has a getter that throws",
    () => ({
      get out(): never {
        throw new Error("getter");
      },
    }),
    /threw Error: getter/,
  ],
  ["is huge", () => ({ out: { shape: [1e9, 1e9], data: [] } }), /has 0 numbers and the shape/],
];

/** Results whose case differs, with the remark. */
const DIFFERING: [string, unknown, string][] = [
  ["has no such name", { result: new Float64Array(24) }, "missing"],
  ["has another number", new Float64Array(7), "shape [7] where [2 3 4] is expected"],
  [
    "has another order of axes",
    { out: { shape: [4, 3, 2], data: new Float64Array(24) } },
    "shape [4 3 2] where [2 3 4] is expected",
  ],
  ["is a long list", new Array(4e9), "shape [4000000000] where [2 3 4] is expected"],
  ["is one number", 3, "shape [] where [2 3 4] is expected"],
  ["is NaN", new Float64Array(24).fill(Number.NaN), "NaN where"],
  ["is infinite", new Float64Array(24).fill(Number.POSITIVE_INFINITY), "Infinity where"],
  ["is of integers", int("b l d", nested(1)), ""],
  ["is of booleans", bool("b l d", nested(true)), ""],
];

test("[conform.check] whatever the function does is a result", async () => {
  for (const [what, forward, message] of BROKEN) {
    const { status, error } = await onlyCase(forward as PortForward, {
      timeoutMs: what === "does not end" ? 40 : 60_000,
    });
    expect([what, status, error]).toEqual([what, "errored", expect.stringMatching(message)]);
  }
  for (const [what, value, remark] of DIFFERING) {
    const { status, worst, report } = await onlyCase(() => value as never);
    expect([what, status, worst?.remark ?? ""]).toEqual([what, "failed", expect.stringContaining(remark)]);
    expect(`${report}`).toContain("1 case differs");
  }
});

test("[conform.check] what the function does to its case changes nothing that it is compared with", async () => {
  const { report, mistake } = await onlyCase((one) => {
    const out = swiglu(one, true);
    one.inputs.x?.data.fill(0);
    return out;
  });
  expect([report.passed, mistake?.id]).toEqual([false, "swiglu-halves-exchanged"]);
  const spoiled = await onlyCase((one) => {
    one.inputs.x?.data.fill(0);
    return swiglu(one);
  });
  expect(spoiled.status).toBe("failed");
});

test("[conform.check] a function that writes into its case changes neither the files nor the search for a mistake", async () => {
  const id = "flamingo-pytorch/parallel-transformer-block--basic"; // rotary frequencies are stored as float32, the other numbers as bfloat16
  const read = (name: string) => readFileSync(`golden/cases/${id}/${name}`);
  const data = Object.fromEntries(
    ["case.json", "inputs.safetensors", "expected.safetensors"].map((name) => [name, read(name)]),
  );
  const tensors: PortCase["inputs"][string][] = [];
  const writes: PortForward = (one) => {
    tensors.push(...Object.values(one.inputs), ...Object.values(one.weights));
    for (const tensor of tensors) tensor.data.fill(1);
    return new Float64Array(1);
  };
  for (const cases of [id, [data as never]]) {
    const { summary } = await check(writes, { cases });
    expect(summary).toMatchObject({ cases: 1, failed: 1 });
  }
  const floats = tensors.filter(({ dtype }) => dtype === "float");
  expect(floats.length).toBeGreaterThan(4);
  expect(floats.every((tensor) => tensor.data instanceof Float64Array)).toBe(true);
  expect(new Set(tensors.map((tensor) => tensor.data.buffer)).size).toBe(tensors.length);
  for (const [name, bytes] of Object.entries(data)) expect(read(name).equals(bytes)).toBe(true);
});

test("[conform.check] a named activation locates the first tensor that differs; names that the case does not have are listed", async () => {
  const golden = readCase("golden/cases/flamingo-pytorch/masked-cross-attention--lead-text");
  const all = Object.fromEntries(golden.expected);
  const right = await check(() => all as never, { cases: "masked-cross-attention--lead-text" });
  expect(right.cases[0]).toMatchObject({ status: "passed", notCompared: [] });
  const { data, shape } = golden.expected.get("taps.attn") as never as {
    data: { data: Float64Array };
    shape: number[];
  };
  const uniform = { shape, data: new Float64Array(data.data.length).fill(1 / (shape.at(-1) ?? 1)) };
  const zero = (name: string) => {
    const of = golden.expected.get(name)?.shape ?? [];
    return { shape: of, data: new Float64Array(of.reduce((n, m) => n * m, 1)) };
  };
  const wrong = {
    ...all,
    "taps.attn": uniform,
    "taps.out": zero("taps.out"),
    "outputs.out": zero("outputs.out"),
    stray: [1],
  };
  const report = await check(() => wrong as never, { cases: "masked-cross-attention--lead-text" });
  expect(report.cases[0]?.firstDivergence?.tensor).toBe("taps.attn");
  expect(report.cases[0]?.notCompared).toContainEqual({ what: "unexpected", names: ["stray"] });
});

test("[conform.check] the report is that of the command conform on the same results", async () => {
  const out = fresh();
  flamboyance("check", ID, "--precision", "bfloat16", "--out", out);
  const { stdout } = flamboyance("conform", "--actual", out, ID, "--json");
  const file = readActual(out, ID);
  const { report } = await onlyCase(
    () => Object.fromEntries(file.keys.map((key) => [key, file.get(key)])) as never,
  );
  const { missing: _, ...document } = JSON.parse(stdout);
  expect(JSON.parse(JSON.stringify(report))).toEqual(document);
});

test("[case.data] cases are given as the bytes of their files, where there is no folder", async () => {
  const bytes = (name: string) => readFileSync(`golden/cases/${ID}/${name}`);
  const files = {
    "case.json": bytes("case.json"),
    "inputs.safetensors": bytes("inputs.safetensors"),
    "expected.safetensors": bytes("expected.safetensors"),
  };
  const report = await check((one) => swiglu(one), { cases: [files] });
  expect(report.cases).toMatchObject([{ id: ID, status: "passed" }]);
  const { "expected.safetensors": _, ...without } = files;
  const damaged = [
    without,
    { ...files, "case.json": new Uint8Array(3) },
    { ...files, "inputs.safetensors": "text" },
    {},
  ];
  for (const one of damaged) {
    const { summary, cases } = await check((it) => swiglu(it), { cases: [one as never, files] });
    expect(summary).toMatchObject({ errored: 1, passed: 1 });
    expect(cases.find(({ status }) => status === "errored")?.error).toMatch(/^LoadError: .*cases\[0\]/);
  }
  const twice = await check((one) => swiglu(one), { cases: [files, files] });
  expect(twice.cases.map(({ status }) => status).sort()).toEqual(["errored", "passed"]);
});

test("[conform.check] half precision, full-size cases and wrong options", async () => {
  const half = await check((one) => swiglu(one), { cases: CASES, precision: "bfloat16" });
  expect([half.precision, half.passed]).toEqual(["bfloat16", true]);
  const exact = await check((one) => Float32Array.from(swiglu(one)), { cases: CASES, precision: "float64" });
  expect(exact.summary.failed).toBe(4); // float32 is beyond 1e-12
  const full = await check(() => [], { cases: "perceiver-resampler--full-*" });
  expect([full.passed, full.summary]).toEqual([false, expect.objectContaining({ cases: 0, skipped: 1 })]);
  await expect(check((() => []) as never, { cases: [] })).rejects.toThrow(/cases/);
  await expect(check((() => []) as never, { cases: "swiglu--none" })).rejects.toThrow(/cases list/);
  await expect(check((() => []) as never, { cases: ID, precison: "float32" } as never)).rejects.toThrow(
    /precision/,
  );
  await expect(check((() => []) as never, { cases: [[ID]] as never })).rejects.toThrow(/cases/);
  await expect(check("port" as never, { cases: ID })).rejects.toThrow(/takes a function/);
});
