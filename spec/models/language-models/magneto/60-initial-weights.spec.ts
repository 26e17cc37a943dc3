// The executable half of 60-initial-weights.md. Distributions are compared with their formulas by the statistic of Kolmogorov and Smirnov, and with
// quantiles of what torchscale 0.3.0, torch 2.13.0 and bitsandbytes 0.50.2 draw (golden/magneto-initial-weights.json).
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { MagnetoDecoder } from "../../../../src/models/language-models/magneto/decoder.ts";
import {
  type MagnetoInit,
  type MagnetoLinear,
  type MagnetoScheme,
  type MagnetoTables,
  magnetoLinear,
  magnetoTables,
  residualGain,
  xavierBound,
} from "../../../../src/models/language-models/magneto/initializers.ts";
import type { MagnetoOptions } from "../../../../src/models/language-models/magneto/options.ts";
import { Linear } from "../../../../src/nn/linear.ts";
import { initialize, stateDict } from "../../../../src/nn/state-dict.ts";
import { generator } from "../../../../src/tensor/random.ts";
import { flat, type Tensor } from "../../../../src/tensor/tensor.ts";
import { refusal } from "../../../support/properties/refusals.ts";

const [INS, OUTS] = [96, 160];
const NAMES: readonly MagnetoLinear[] = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"];

const drawn = (name: MagnetoLinear, init: MagnetoInit): { weight: number[]; bias: number[] } => {
  const layer = initialize(new Linear("i -> o", INS, OUTS, magnetoLinear(name, INS, OUTS, init)), 3);
  return { weight: [...flat(layer.weight.data)], bias: [...flat((layer.bias as Tensor).data)] };
};

/** Φ, by the series of erf, which converges everywhere. */
function normalBelow(x: number): number {
  const z = x / Math.SQRT2;
  let [term, sum] = [z, z];
  for (let n = 1; Math.abs(term) > 1e-17; n++) {
    term *= -(z * z) / n;
    sum += term / (2 * n + 1);
  }
  return 0.5 + sum / Math.sqrt(Math.PI);
}

type Expected = { readonly uniform: number } | { readonly normal: number };
const below = (of: Expected, x: number): number =>
  "uniform" in of ? Math.min(1, Math.max(0, (x / of.uniform + 1) / 2)) : normalBelow(x / of.normal);

/** √n · sup |F_n − F|: above 2.2 once in 8,000 samples of the distribution. */
function distance(values: readonly number[], of: Expected): number {
  const [n, sorted] = [values.length, values.toSorted((a, b) => a - b)];
  const gap = (x: number, i: number) => Math.max(below(of, x) - i / n, (i + 1) / n - below(of, x));
  return Math.sqrt(n) * Math.max(...sorted.map(gap));
}

const U = (uniform: number): Expected => ({ uniform });
const N = (normal: number): Expected => ({ normal });

/** Weight and bias by hand, from the formulas of the chapter. */
const formulas: Readonly<
  Record<MagnetoScheme, (name: MagnetoLinear) => readonly [weight: Expected, bias: Expected | 0]>
> = {
  torchscale: () => [U(1 / Math.sqrt(96)), U(1 / Math.sqrt(96))],
  bert: () => [N(0.02), 0],
  "xavier-uniform": (name) => {
    if (name === "fc1" || name === "fc2") return [U(1 / Math.sqrt(96)), U(1 / Math.sqrt(96))];
    if (name === "out_proj") return [U(Math.sqrt(6 / 256)), 0];
    return [U(Math.sqrt(3 / 256)), U(1 / Math.sqrt(96))];
  },
  magneto: () => [N(Math.sqrt(2 / 256)), 0],
};
const times = (of: Expected, gain: number): Expected =>
  "uniform" in of ? U(of.uniform * gain) : N(of.normal * gain);

describe("distributions of the linear layers", () => {
  const gains: [string, Partial<MagnetoInit>, number][] = [
    ["sub-LN", { subLN: true }, Math.sqrt(Math.log(10))],
    ["DeepNorm", { deepNorm: true }, 40 ** -0.25],
    ["neither", {}, 1],
  ];
  const schemes = Object.keys(formulas) as MagnetoScheme[];
  test.each(schemes.flatMap((scheme) => gains.map((gain) => [scheme, ...gain] as const)))(
    "[magnetoinit.torchscale] [magnetoinit.bert] [magnetoinit.xavier-uniform] [magnetoinit.xavier-bound] [magnetoinit.magneto] [magnetoinit.scaled] %s with %s",
    (scheme, _, init, gain) => {
      for (const name of NAMES) {
        const { weight, bias } = drawn(name, { scheme, layers: 5, ...init });
        const factor = name === "q_proj" || name === "k_proj" ? 1 : gain;
        const [ofWeight, ofBias] = formulas[scheme](name);
        expect(distance(weight, times(ofWeight, factor)), `${name}.weight`).toBeLessThan(2.2);
        // A deviation that is 3 % off is noticed in 15,360 numbers.
        expect(distance(weight, times(ofWeight, factor * 1.05)), `${name}.weight`).toBeGreaterThan(1.2);
        if (ofBias === 0) expect(new Set(bias), `${name}.bias`).toEqual(new Set([0]));
        else expect(distance(bias, times(ofBias, factor)), `${name}.bias`).toBeLessThan(2.2);
      }
    },
  );

  test("[magnetoinit.torchscale] the scheme is torchscale's unless another is named", () => {
    const init = { layers: 5, subLN: true };
    for (const name of NAMES)
      expect(drawn(name, init)).toEqual(drawn(name, { ...init, scheme: "torchscale" }));
    const sizes = { vocabSize: 100, width: 8 };
    const values = (tables: MagnetoTables) =>
      Object.entries(tables).map(([name, initial]) => [name, initial(generator(1), 0)]);
    expect(values(magnetoTables(sizes))).toEqual(
      values(magnetoTables({ ...sizes, scheme: "torchscale", tokenTable: "torchscale" })),
    );
  });
});

test("[magnetoinit.sub-ln] [magnetoinit.deepnorm] gains of residual branches", () => {
  // √ln 2, √ln 4 and √ln 48 to ten digits, computed with bc.
  for (const [layers, gain] of [
    [1, 0.8325546112],
    [2, 1.1774100226],
    [24, 1.9675367877],
  ] as const)
    expect(residualGain({ layers, subLN: true })).toBeCloseTo(gain, 9);
  expect(residualGain({ layers: 2, deepNorm: true })).toBeCloseTo(0.5, 15); // 16^−¼
  expect(residualGain({ layers: 2, deepNorm: true, subLN: true })).toBeCloseTo(1.1774100226 / 2, 9);
  expect(residualGain({ layers: 24 })).toBe(1);
  expect(residualGain({ layers: 0, subLN: true })).toBe(1);
  expect(refusal(() => residualGain({ layers: -1 })).rule).toBe("options.values");
  for (const init of [{ layers: 2, scheme: "xavier" }, { layers: 2, subLn: true }, { layers: 0.5 }, {}])
    expect(() => magnetoLinear("fc1", 3, 4, init as MagnetoInit)).toThrow(/scheme|subLn|layers/);
  expect(() => magnetoTables({ vocabSize: 3, width: 4, scheme: "xavier" as MagnetoScheme })).toThrow(
    "scheme",
  );
});

/** What a decoder of these options draws. */
const decoder = (options: Partial<MagnetoOptions> = {}) =>
  stateDict(
    initialize(
      new MagnetoDecoder({
        vocabSize: 300,
        width: 64,
        heads: 4,
        feedForwardWidth: 96,
        layers: 2,
        maxPositions: 70,
        paddingId: 3,
        relativePosition: { buckets: 32, maxDistance: 50 },
        ...options,
      }),
      4,
    ),
  );
const valuesIn = (state: ReadonlyMap<string, Tensor>, name: string): number[] => [
  ...flat((state.get(name) as Tensor).data),
];

/** Compares a decoder's tensors with distributions; values that are 0, those of padding, are left out. */
function expectDrawn(options: Partial<MagnetoOptions>, expected: Readonly<Record<string, Expected>>): void {
  const state = decoder(options);
  for (const [name, of] of Object.entries(expected)) {
    const nonzero = valuesIn(state, name).filter((x) => x !== 0);
    expect(nonzero.length, name).toBeGreaterThan(60);
    expect(distance(nonzero, of), name).toBeLessThan(2.2);
  }
}

describe("a decoder", () => {
  const bias = "self_attn_relative_position.relative_attention_bias.weight";
  test("[magnetoinit.tables] [magnetoinit.tokens] its tables", () => {
    const others = { "embed_positions.weight": N(1), "output_projection.weight": N(1 / 8), [bias]: N(1) };
    expectDrawn({}, { "embed_tokens.weight": N(1 / 8), ...others });
    expectDrawn({ tokenTable: "bitsandbytes" }, { "embed_tokens.weight": U(Math.sqrt(6 / 364)), ...others });
    // √(6 / (32,002 + 2,048)), the bound of Kosmos-1's token embeddings.
    const kosmos = magnetoTables({ vocabSize: 32_002, width: 2048, tokenTable: "bitsandbytes" });
    const largest = kosmos.tokens({ uniform: () => 1, normal: () => NaN }, 0);
    expect(largest).toBeCloseTo(0.0132744662, 10);
  });

  test("[magnetoinit.tables] the rows of padding are 0, in the table of tokens and in that of positions", () => {
    const state = decoder();
    const zeroRows = (name: string) => {
      const all = valuesIn(state, name);
      return Array.from({ length: all.length / 64 }, (_, row) => row).filter((row) =>
        all.slice(row * 64, row * 64 + 64).every((x) => x === 0),
      );
    };
    expect(zeroRows("embed_tokens.weight")).toEqual([3]);
    expect(zeroRows("embed_positions.weight")).toEqual([1]);
  });

  test("[magnetoinit.scaled] [magnetoinit.sub-ln] [magnetoinit.torchscale] its layers, multiway or not", () => {
    const gain = Math.sqrt(Math.log(4));
    const [wide, narrow] = [1 / Math.sqrt(96), 1 / 8];
    const ffn = {
      "layers.1.ffn.fc1.weight": U(gain * narrow),
      "layers.1.ffn.fc1.bias": U(gain * narrow),
      "layers.1.ffn.fc2.weight": U(gain * wide),
      "layers.1.ffn.fc2.bias": U(gain * wide),
    };
    const attention = (branch: string) =>
      Object.fromEntries(
        ["q", "k", "v", "out"].flatMap((name) =>
          ["weight", "bias"].map((part) => [
            `layers.0.self_attn.${name}_proj${branch}.${part}`,
            U(name === "q" || name === "k" ? narrow : gain * narrow),
          ]),
        ),
      );
    expectDrawn({}, { ...ffn, ...attention("") });
    expectDrawn({ multiway: true }, { ...ffn, ...attention(".A"), ...attention(".B") });
    const deep = { "layers.0.ffn.fc2.weight": U(wide / 2), "layers.0.self_attn.q_proj.weight": U(narrow) };
    expectDrawn({ deepNorm: true }, deep); // 16^−¼
    expectDrawn({ normalization: "pre-ln" }, { "layers.0.ffn.fc2.weight": U(wide) });
  });

  test("[magnetoinit.bert] with bert_init every table and weight has the deviation 0.02, times the gain", () => {
    const gain = Math.sqrt(Math.log(4));
    const names = ["embed_tokens.weight", "embed_positions.weight", "output_projection.weight", bias];
    expectDrawn(
      { init: "bert" },
      {
        ...Object.fromEntries(names.map((name) => [name, N(0.02)])),
        "layers.0.self_attn.k_proj.weight": N(0.02),
        "layers.0.self_attn.out_proj.weight": N(0.02 * gain),
        "layers.1.ffn.fc1.weight": N(0.02 * gain),
      },
    );
    expect(new Set(valuesIn(decoder({ init: "bert" }), "layers.0.ffn.fc1.bias"))).toEqual(new Set([0]));
  });
});

test("[magnetoinit.xavier-bound] the bound of torch.nn.init.xavier_uniform_", () => {
  expect(xavierBound(2, 4)).toBe(1);
  expect(xavierBound(10, 44, 3)).toBe(1);
});

/** What a released class drew: values that are 0, the number of others, their deviation from 0, and their quantiles 0.05, 0.1, …, 0.95. */
interface Drawn {
  readonly zeros: number;
  readonly values: number;
  readonly deviation?: number;
  readonly quantiles?: readonly number[];
}
type DrawnTensors = Readonly<Record<string, Drawn>>;

/** Compares values with those that a released class drew: each check fails for one pair of samples of a distribution in some thousands. */
function expectAlike(values: readonly number[], drawn: Drawn, name: string): void {
  const sorted = values.filter((x) => x !== 0).toSorted((a, b) => a - b);
  expect([values.length - sorted.length, sorted.length], `zeros and others of ${name}`).toEqual([
    drawn.zeros,
    drawn.values,
  ]);
  if (drawn.deviation === undefined) return;
  const n = sorted.length;
  const deviation = Math.sqrt(sorted.reduce((sum, x) => sum + x * x, 0) / n);
  expect(Math.abs(deviation / drawn.deviation - 1), `deviation of ${name}`).toBeLessThan(4 / Math.sqrt(n)); // 4 √(2 / 2n)
  const share = (bound: number) => sorted.filter((x) => x < bound).length / n;
  const gaps = (drawn.quantiles ?? []).map((bound, i) => Math.abs(share(bound) - (i + 1) / 20));
  expect(gaps).toHaveLength(19);
  expect(Math.max(...gaps), `quantiles of ${name}`).toBeLessThan(2.2 * Math.sqrt(2 / n));
}

describe("what the released classes draw", () => {
  const { sizes, models } = JSON.parse(readFileSync("golden/magneto-initial-weights.json", "utf8")) as {
    readonly sizes: { readonly [name in "width" | "inner" | "layers" | "words" | "rows"]: number };
    readonly models: Readonly<Record<string, DrawnTensors>>;
  };
  const { width, inner, layers, words, rows } = sizes;

  /** A decoder's tensors by name, those of all layers together. */
  function together(options: Partial<MagnetoOptions>): Map<string, number[]> {
    const state = decoder({
      vocabSize: words,
      width,
      layers,
      feedForwardWidth: inner,
      maxPositions: rows - 2,
      ...options,
    });
    const found = new Map<string, number[]>();
    for (const [name, t] of state) {
      const group = name
        .split(".")
        .filter((part) => !/^\d+$/.test(part))
        .join(".");
      found.set(group, [...(found.get(group) ?? []), ...flat(t.data)]);
    }
    return found;
  }

  const relativePosition = { buckets: 32, maxDistance: 50 };
  test.each([
    ["sub-ln", { relativePosition: null }],
    ["multiway", { relativePosition: null, multiway: true }],
    ["pre-ln", { relativePosition: null, normalization: "pre-ln" }],
    ["deepnorm", { relativePosition: null, deepNorm: true }],
    ["bert, sub-ln", { relativePosition, init: "bert" }],
  ] as const)(
    "[magnetoinit.torchscale] [magnetoinit.scaled] [magnetoinit.sub-ln] [magnetoinit.deepnorm] [magnetoinit.bert] [magnetoinit.tables] [magnetoinit.tokens] a decoder of torchscale: %s",
    (name, options) => {
      const expected = models[name] ?? {};
      const found = together(options);
      expect(Object.keys(expected).length).toBeGreaterThan(14);
      for (const [tensor, drawn] of Object.entries(expected))
        expectAlike(found.get(tensor) ?? [], drawn, tensor);
    },
  );

  test("[magnetoinit.xavier-uniform] reset_parameters of torchscale's attention", () => {
    const expected = models.reset_parameters ?? {};
    const names = ["q_proj", "k_proj", "v_proj", "out_proj"] as const;
    expect(Object.keys(expected)).toEqual(
      expect.arrayContaining(names.flatMap((name) => [`${name}.weight`, `${name}.bias`])),
    );
    for (const name of names) {
      const options = magnetoLinear(name, width, width, { scheme: "xavier-uniform", layers });
      const layer = initialize(new Linear("i -> o", width, width, options), 6);
      const { weight, bias } = { weight: layer.weight, bias: layer.bias as Tensor };
      for (const [part, t] of Object.entries({ weight, bias }))
        expectAlike([...flat(t.data)], expected[`${name}.${part}`] as Drawn, `${name}.${part}`);
    }
  });

  test("[magnetoinit.magneto] torch's xavier_normal_ with the gains of the papers", () => {
    for (const [gain, init, name] of [
      ["1", { subLN: true }, "q_proj"],
      ["sub-ln", { subLN: true }, "fc1"],
      ["deepnorm", { deepNorm: true }, "v_proj"],
    ] as const) {
      const options = magnetoLinear(name, width, inner, { scheme: "magneto", layers, ...init });
      const layer = initialize(new Linear("i -> o", width, inner, options), 7);
      expectAlike([...flat(layer.weight.data)], models.papers?.[gain] as Drawn, gain);
    }
  });

  test("[magnetoinit.tokens] the Embedding of bitsandbytes", () => {
    const table = decoder({ vocabSize: words, width, tokenTable: "bitsandbytes", paddingId: 1 }).get(
      "embed_tokens.weight",
    );
    expectAlike([...flat((table as Tensor).data)], models.bitsandbytes?.weight as Drawn, "weight");
  });
});
