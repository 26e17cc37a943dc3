// The executable half of 60-initial-weights.md. Distributions are compared with their formulas by the statistic of Kolmogorov and Smirnov.
import { describe, expect, test } from "vitest";
import {
  type MagnetoInit,
  type MagnetoLinear,
  type MagnetoScheme,
  magnetoLinear,
  magnetoTables,
  residualGain,
  xavierBound,
} from "../../../src/models/language-models/magneto/initializers.ts";
import { Embedding } from "../../../src/nn/embedding.ts";
import { Linear } from "../../../src/nn/linear.ts";
import { initialize } from "../../../src/nn/state-dict.ts";
import { flat, type Tensor } from "../../../src/tensor/tensor.ts";
import { refusal } from "../../support/properties/refusals.ts";

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
      expect(magnetoLinear(name, 7, 9, init)).toEqual(
        magnetoLinear(name, 7, 9, { ...init, scheme: "torchscale" }),
      );
    expect(magnetoTables(100, 8)).toEqual(magnetoTables(100, 8, "torchscale"));
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
  expect(() => magnetoTables(3, 4, "xavier" as MagnetoScheme)).toThrow("scheme");
});

test("[magnetoinit.tables] [magnetoinit.bert] tokens, positions and the output projection", () => {
  // √(6 / (32,002 + 2,048)), the bound of Kosmos-1's token embeddings.
  expect(magnetoTables(32_002, 2048).tokens.bound).toBeCloseTo(0.0132744662, 10);
  const { tokens, positionsStd, biasStd, output } = magnetoTables(300, 64);
  const { weight } = initialize(new Embedding("d", 300, 64, { ...tokens, paddingId: 1 }), 4);
  const table = [...flat(weight.data)];
  expect(new Set(table.slice(64, 128))).toEqual(new Set([0]));
  expect(distance([...table.slice(0, 64), ...table.slice(128)], U(Math.sqrt(6 / 364)))).toBeLessThan(2.2);
  expect([positionsStd, biasStd, output]).toEqual([1, 1, { kind: "normal", std: 0.125, zeroed: undefined }]);
  const bert = magnetoTables(300, 64, "bert");
  expect([bert.tokens, bert.positionsStd, bert.biasStd, bert.output]).toEqual([
    { std: 0.02 },
    0.02,
    0.02,
    { kind: "normal", std: 0.02, zeroed: undefined },
  ]);
});

test("[magnetoinit.xavier-bound] the bound of torch.nn.init.xavier_uniform_", () => {
  expect(xavierBound(2, 4)).toBe(1);
  expect(xavierBound(10, 44, 3)).toBe(1);
});
