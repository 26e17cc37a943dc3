// The executable half of 18-xpos.md. Numbers of torchscale: XPOS of torchscale 0.3.0 under torch 2.13.0, in float64.
import { expect, test } from "vitest";
import { XPos } from "../../../src/nn/positions/xpos.ts";
import { parameterNames, stateDict } from "../../../src/nn/state-dict.ts";
import { ShapeError } from "../../../src/tensor/errors.ts";
import { einsum } from "../../../src/tensor/ops/arrange.ts";
import { type Any, type Tensor, tensor } from "../../../src/tensor/tensor.ts";
import type { Mat, Vec } from "../../support/oracles/layers.ts";
import { expectNear, forAll, from, list, seeds } from "../../support/oracles/modules.ts";
import { randomTensor } from "../../support/properties/arbitraries.ts";
import {
  expectClose,
  replayEqualsEager,
  valuesOf,
  vjpEqualsFiniteDifferences,
} from "../../support/properties/programs.ts";

/** The chapter's equations, with angles and ζ in float32, one pair after another. */
function xposLoop(rows: Mat, zeta: Vec, base: number, offset: number, downscale: boolean): Mat {
  const n = rows.length + offset;
  return rows.map((row, i) => {
    const t = offset + i;
    const m = Math.floor(-n / 2) + t;
    return row.map((_, c) => {
      const pair = Math.floor(c / 2);
      const theta = Math.fround(1 / Math.fround(10_000 ** Math.fround((2 * pair) / row.length)));
      const angle = Math.fround(t * theta);
      const scale = (zeta[pair] ?? NaN) ** (m / base);
      const [a, b] = [row[2 * pair] ?? NaN, row[2 * pair + 1] ?? NaN];
      const turned =
        c % 2 === 0 ? a * Math.cos(angle) - b * Math.sin(angle) : a * Math.sin(angle) + b * Math.cos(angle);
      return downscale ? turned / scale : turned * scale;
    });
  });
}

test("[xpos.rotate] [xpos.downscale] equals the loop for every width, base, offset and length", () => {
  const all = {
    b: from(1, 2),
    l: from(1, 7),
    half: from(1, 4),
    base: from(4, 600),
    offset: from(0, 6),
    seed: seeds,
  };
  forAll(all, ({ b, l, half, base, offset, seed }) => {
    const x = randomTensor<"b l k">([b, l, 2 * half], seed);
    const xpos = new XPos({ width: 2 * half, scaleBase: base });
    for (const downscale of [false, true]) {
      const expected = list<Mat>(x).map((rows) =>
        xposLoop(rows, valuesOf(xpos.scale), base, offset, downscale),
      );
      expectNear(xpos.forward(x, { offset, downscale }), expected, 1e-12);
    }
  });
});

test("[xpos.rotate] equals torchscale, and its defaults are the source's", () => {
  const ones = tensor(
    "l k",
    [1, 1, 1].map(() => [1, 1, 1, 1]),
  );
  const xpos = new XPos({ width: 4 });
  expectClose(
    valuesOf(xpos.forward(ones)),
    [
      1.0049055984122623, 1.0049055984122623, 1.0017273994788987, 1.0017273994788987, -0.30190648150258437,
      1.3851583567416594, 0.990804818088234, 1.0108217505628472, -1.325444263372824, 0.4931505902785393,
      0.9798013404291301, 1.0197986729219055,
    ],
    1e-14,
  );
  expectClose(
    valuesOf(xpos.forward(ones, { offset: 2, downscale: true })),
    [
      -1.3222051273014996, 0.4919454231434827, 0.9789561810551046, 1.0189190125535483, -1.1311125046603125,
      -0.8488724885405782, 0.969554534236856, 1.0295455333013463, 0.10341159289502433, -1.4139014248806168,
      0.9600388860324912, 1.0400866003671476,
    ],
    1e-14,
  );
  expect(valuesOf(xpos.forward(ones))).toEqual(valuesOf(xpos.forward(ones, { offset: 0, downscale: false })));
  expect(valuesOf(xpos.forward(ones))).toEqual(
    valuesOf(new XPos({ width: 4, scaleBase: 512 }).forward(ones)),
  );
});

test("[xpos.rotate] heads of another width are refused; replay equals eager, and derivatives equal finite differences", async () => {
  const xpos = new XPos({ width: 4, scaleBase: 8 });
  expect(() => xpos.forward(randomTensor<"l k">([3, 6], 1))).toThrow(ShapeError);
  expect(() => xpos.forward(randomTensor<"l k">([3, 6], 1))).toThrow("[3 6] are no heads of width 4");
  const x = randomTensor<"b l k">([2, 3, 4], 2);
  await replayEqualsEager(() => xpos.forward(x, { offset: 1 }), { model: xpos, inputs: { x } });
  vjpEqualsFiniteDifferences(() => xpos.forward(x, { downscale: true }), { x, scale: xpos.scale });
});

test("[xpos.scale] ζ is torchscale's, a buffer of the state dict", () => {
  const xpos = new XPos({ width: 4 });
  expect(valuesOf(xpos.scale)).toEqual([0.2857142984867096, 0.6428571343421936]);
  expect([...stateDict(xpos).keys()]).toEqual(["scale"]);
  expect(parameterNames(xpos)).toEqual([]);
});

/** Scores of all pairs of tokens: queries are scaled, keys are downscaled. */
function scores(xpos: XPos, q: Tensor<"l k">, k: Tensor<"l k">): readonly Vec[] {
  const keys = xpos.forward(k, { downscale: true }) as Tensor<Any>;
  return list<Vec>(einsum("l k, s k -> l s", xpos.forward(q), keys));
}

test("[xpos.centre] [xpos.downscale] a score depends on the distance of two tokens only, and has its scale", () => {
  const xpos = new XPos({ width: 2, scaleBase: 3 });
  const ones = (n: number) =>
    tensor(
      "l k",
      Array.from({ length: n }, () => [1, 1]),
    );
  for (const n of [5, 6]) {
    const all = scores(xpos, ones(n), ones(n));
    for (const [l, row] of all.entries())
      for (const [s, score] of row.entries()) {
        // one pair, θ₀ = 1: 2 cos(l − s) ζ₀^((l − s)/3)
        const expected = 2 * Math.cos(l - s) * Math.fround(0.4 / 1.4) ** ((l - s) / 3);
        expectClose([score], [expected], 1e-13);
      }
  }
});

test("[xpos.centre] the exponents of five tokens are −3 … 1, and an offset continues them", () => {
  const xpos = new XPos({ width: 2, scaleBase: 1 });
  const lengths = (n: number, offset: number) =>
    list<Vec>(
      xpos.forward(
        tensor(
          "l k",
          Array.from({ length: n }, () => [1, 0]),
        ),
        { offset },
      ),
    ).map((row) => 0 + Math.round(Math.log(Math.hypot(...row)) / Math.log(0.4 / 1.4)) /* 0 + −0 is 0 */);
  expect(lengths(5, 0)).toEqual([-3, -2, -1, 0, 1]);
  expect(lengths(2, 3)).toEqual([0, 1]);
  expect(lengths(4, 0)).toEqual([-2, -1, 0, 1]);
});

test("[xpos.float32] angles are float32 numbers, and their sines are not rounded", () => {
  const xpos = new XPos({ width: 4 });
  const at = list<Vec>(xpos.forward(tensor("l k", [[0, 0, 1, 0]]), { offset: 777 }))[0] ?? [];
  const angle = Math.fround(777 * Math.fround(0.01)); // torch: tensor(777.) * (1/10000**0.5)
  expectClose([Math.atan2(at[3] ?? NaN, at[2] ?? NaN)], [angle - 2 * Math.PI], 1e-14);
  expect(Math.abs(angle - 7.77)).toBeGreaterThan(1e-9);
  const exact = new XPos({ width: 4, precision: "float64" });
  const [, , c = NaN, d = NaN] =
    list<Vec>(exact.forward(tensor("l k", [[0, 0, 1, 0]]), { offset: 777 }))[0] ?? [];
  expectClose([Math.atan2(d, c)], [7.77 - 2 * Math.PI], 1e-14);
});
