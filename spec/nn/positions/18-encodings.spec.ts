// The executable half of 18-encodings.md. Numbers of the source: transformers 4.57.6 under torch 2.13.0.
import { expect, test } from "vitest";
import { normal } from "../../../src/nn/parameter.ts";
import { fourierFeatures, linearPositions } from "../../../src/nn/positions/fourier.ts";
import { LearnedPositions } from "../../../src/nn/positions/learned.ts";
import { initialize, stateDict } from "../../../src/nn/state-dict.ts";
import { ShapeError } from "../../../src/tensor/errors.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { abstractTensor, int, type Tensor, tensor } from "../../../src/tensor/tensor.ts";
import { range, type Vec } from "../../support/oracles/layers.ts";
import { expectNear, forAll, from, list, seeds, weighted } from "../../support/oracles/modules.ts";
import { randomTensor } from "../../support/properties/arbitraries.ts";
import {
  expectClose,
  replayEqualsEager,
  valuesOf,
  vjpEqualsFiniteDifferences,
} from "../../support/properties/programs.ts";
import { refusal } from "../../support/properties/refusals.ts";

test("[learned.offset] position p has row p + offset, for any axes", async () => {
  const table = weighted(new LearnedPositions("d", { rows: 7, dim: 3, offset: 2 }), 1);
  const rows = list<Vec>(table.weight);
  const positions = [
    [-1, 0, 1],
    [4, -2, 3],
  ]; // OPT: a padded token has the position −1
  const found = table.forward(int("b l", positions));
  expect(list<readonly Vec[]>(found)).toEqual(positions.map((row) => row.map((p) => rows[p + 2])));
  const plain = weighted(new LearnedPositions("d", { rows: 7, dim: 3 }), 1);
  expect(valuesOf(plain.forward(int("l", [0, 6])))).toEqual([...(rows[0] ?? []), ...(rows[6] ?? [])]);
  expect([...stateDict(table).entries()].map(([name, { shape }]) => [name, ...shape])).toEqual([
    ["weight", 7, 3],
  ]);
  await replayEqualsEager(() => table.forward(int("b l", positions)), { model: table });
  const weight: Tensor = table.weight;
  vjpEqualsFiniteDifferences(() => table.forward(int("b l", positions)), { weight });
});

test("[learned.rows] the table has the given distribution, which is normal with deviation 1 unless it is given", () => {
  for (const std of [1, 0.02]) {
    const initial = std === 1 ? undefined : normal(std);
    const drawn = valuesOf(new LearnedPositions("d", { rows: 100, dim: 100, initial }).weight);
    const mean = drawn.reduce((a, b) => a + b, 0) / drawn.length;
    const deviation = Math.sqrt(drawn.reduce((a, b) => a + b * b, 0) / drawn.length);
    expect(Math.abs(mean / std)).toBeLessThan(0.05); // five standard errors
    expect(Math.abs(deviation / std - 1)).toBeLessThan(0.04);
  }
});

test("[learned.zero-row] one row is 0 at first, and the others are those of a table without it", () => {
  // torch.nn.Embedding(4, 3, padding_idx=1): the row is filled with 0 after all have been drawn.
  const table = (zeroRow: number | null) =>
    valuesOf(initialize(new LearnedPositions("d", { rows: 4, dim: 3, zeroRow }), 7).weight);
  const drawn = table(null);
  expect(drawn.every((x) => x !== 0)).toBe(true);
  for (const row of [0, 1, 3])
    expect(table(row)).toEqual(drawn.map((x, i) => (Math.floor(i / 3) === row ? 0 : x)));
});

test("[learned.rows] positions without a row are refused by their number", () => {
  const table = new LearnedPositions("d", { rows: 7, dim: 3, offset: 2 });
  const message = (p: number) => refusal(() => table.forward(int("l", [0, p]))).message;
  expect(message(5)).toContain(
    "position 5 has no row in a table of 7 rows, of which 2 come before position 0",
  );
  expect(message(-3)).toContain("position -3 has no row");
  expect(refusal(() => table.forward([1] as never)).rule).toBe("learned.rows");
  expect(
    refusal(() => new LearnedPositions("d", { rows: 7, dim: 3 }).forward(int("l", [-1]))).message,
  ).toContain("-1");
});

test("[fourier.grid] points are in row-major order, and coordinates run from −1 to 1", () => {
  const grid = list<Vec>(linearPositions([3, 2]));
  expect(grid).toEqual([
    [-1, -1],
    [-1, 1],
    [0, -1],
    [0, 1],
    [1, -1],
    [1, 1],
  ]);
  expect(list<Vec>(linearPositions([1, 2]))).toEqual([
    [-1, -1],
    [-1, 1],
  ]);
  forAll({ a: from(1, 9), b: from(1, 9), c: from(1, 3) }, ({ a, b, c }) => {
    const sides = [a, b, c];
    const points = list<Vec>(linearPositions(sides));
    expect(points.length).toBe(a * b * c);
    const along = (n: number, i: number) => (n === 1 ? -1 : -1 + (2 * i) / (n - 1));
    const expected = range(a).flatMap((i) =>
      range(b).flatMap((j) => range(c).map((k) => [along(a, i), along(b, j), along(c, k)])),
    );
    expectClose(points.flat(), expected.flat(), 1e-15);
    expect(
      points
        .map((point) => point.map((x) => -x))
        .reverse()
        .flat()
        .map((x) => x + 0),
    ).toEqual(
      sides.includes(1) ? expect.anything() : points.flat().map((x) => x + 0), // the grid is symmetric
    );
  });
});

test("[fourier.linspace] float32 grids and bands are torch.linspace's", () => {
  const column = (n: number, axis = 0, sides = [n]) =>
    list<Vec>(linearPositions(sides, { precision: "float32" })).map((row) => row[axis]);
  // build_linear_positions([6]), ([3, 4]) and ([1]) of transformers 4.57.6
  expect(column(6)).toEqual([
    -1, -0.6000000238418579, -0.19999998807907104, 0.19999998807907104, 0.6000000238418579, 1,
  ]);
  expect(column(4, 1, [3, 4]).slice(0, 4)).toEqual([-1, -0.3333333134651184, 0.3333333134651184, 1]);
  expect(column(1)).toEqual([-1]);
  // torch.linspace(-1, 1, 7): the middle is computed from the end
  expect(column(7)[3]).toBe(-2.9802322387695312e-8);
});

test("[fourier.precision] float32 features are those of generate_fourier_features, within torch's last bit", () => {
  const grid = linearPositions([5], { precision: "float32" });
  const found = fourierFeatures(grid, { bands: 3, maxResolution: [9], precision: "float32" });
  // generate_fourier_features(build_linear_positions([5])[None], 3, (9,)) of transformers 4.57.6
  const torch = [
    -1, 8.742277657347586e-8, -0.7071062922477722, -1, -1, -0.7071072459220886, -3.5774640139152325e-8, -0.5,
    -1, 0.9238796830177307, -0.7071067690849304, -4.371138828673793e-8, -0.382683128118515,
    0.7071067690849304, 0, 0, 0, 0, 1, 1, 1, 0.5, 1, -0.9238796830177307, 0.7071067690849304,
    -4.371138828673793e-8, -0.382683128118515, 0.7071067690849304, 1, -8.742277657347586e-8,
    0.7071062922477722, 1, -1, -0.7071072459220886, -3.5774640139152325e-8,
  ];
  const values = valuesOf(found);
  expect(values).toEqual(values.map(Math.fround));
  for (const [i, value] of values.entries())
    expect(Math.abs(value - (torch[i] ?? NaN))).toBeLessThanOrEqual(2 ** -24);
  expect(values.filter((value, i) => value === torch[i]).length).toBeGreaterThan(30);
  expect(values).not.toEqual(
    valuesOf(fourierFeatures(linearPositions([5]), { bands: 3, maxResolution: [9] })),
  );
});

test("[fourier.precision] the features do not depend on the precision of the replay", () => {
  const features = (precision: "float32" | "float64") =>
    fourierFeatures(linearPositions([64], { precision }), { bands: 64, maxResolution: [30_720], precision });
  for (const precision of ["float32", "float64"] as const) {
    const program = record(() => features(precision));
    const inFloat32 = valuesOf(evaluate(program, {}, "float32").outputs.out as Tensor);
    expect(inFloat32).toEqual(valuesOf(features(precision)).map(Math.fround));
  }
  const [a, b] = (["float32", "float64"] as const).map((precision) => valuesOf(features(precision)));
  expect(Math.max(...(a ?? []).map((x, i) => Math.abs(x - (b?.[i] ?? NaN))))).toBeGreaterThan(1e-3);
});

test("[fourier.bands] [fourier.order] coordinates, sines and cosines equal the loop, bands the fastest", () => {
  const all = { n: from(1, 4), bands: from(1, 5), first: from(2, 9), second: from(2, 300), seed: seeds };
  forAll(all, ({ n, bands, first, second, seed }) => {
    const x = randomTensor<"n d">([n, 2], seed);
    const maxResolution = [first, second];
    const angles = (row: Vec) =>
      range(2).flatMap((axis) =>
        range(bands).map((j) => {
          const f = bands === 1 ? 1 : 1 + (j * ((maxResolution[axis] ?? 0) / 2 - 1)) / (bands - 1);
          return Math.PI * f * (row[axis] ?? NaN);
        }),
      );
    const rows = list<Vec>(x);
    const both = (row: Vec) => [...angles(row).map(Math.sin), ...angles(row).map(Math.cos)];
    expectNear(
      fourierFeatures(x, { bands, maxResolution }),
      rows.map((row) => [...row, ...both(row)]),
    );
    expectNear(fourierFeatures(x, { bands, maxResolution, concatPositions: false }), rows.map(both));
    expectNear(
      fourierFeatures(x, { bands, maxResolution, sineOnly: true }),
      rows.map((row) => [...row, ...angles(row).map(Math.sin)]),
    );
  });
});

test("[fourier.bands] widths are those of Perceiver IO's image, audio and video encodings", () => {
  // 224 × 224 pixels of ImageNet: 2·64·2 + 2; audio: 192·2 + 1; video: 3·32·2 + 3        arXiv 2107.14795, tables of the appendix
  const width = (sides: readonly number[], bands: number) =>
    fourierFeatures(linearPositions(sides.map(() => 1)), { bands, maxResolution: sides }).shape[1];
  expect([width([224, 224], 64), width([30_720], 192), width([16, 224, 224], 32)]).toEqual([258, 385, 195]);
});

test("[fourier.bands] [options.bounds] other coordinates and endless grids are refused", () => {
  const grid = linearPositions([2, 3]);
  expect(() => fourierFeatures(grid, { bands: 2, maxResolution: [4] })).toThrow(ShapeError);
  expect(() => fourierFeatures(grid, { bands: 2, maxResolution: [4] })).toThrow(
    "[6 2] are no positions of 1 coordinates",
  );
  expect(refusal(() => linearPositions([2 ** 20, 2 ** 20])).rule).toBe("options.bounds");
  expect(refusal(() => linearPositions([])).message).toContain("sides is a list of 0");
  expect(refusal(() => linearPositions([0])).rule).toBe("options.values");
  const rows = linearPositions([2 ** 20]);
  expect(refusal(() => fourierFeatures(rows, { bands: 2 ** 20, maxResolution: [9] })).rule).toBe(
    "options.bounds",
  );
});

test("[fourier.positions] positions without values are refused", () => {
  const call = () => fourierFeatures(abstractTensor("n d", [6, 2]), { bands: 2, maxResolution: [4, 4] });
  expect(refusal(call).message).toContain("the positions have no values; compute them with linearPositions");
  const grid = linearPositions([2, 3]);
  const { nodes } = record(() => fourierFeatures(grid, { bands: 2, maxResolution: [4, 4] }), {
    symbolic: true,
  });
  expect(nodes.length).toBe(1);
});

/** The float32 recipe, one step after another, for bands of torch.linspace(1, 30720/2, 6) (torch 2.13.0). */
test("[fourier.precision] [fourier.linspace] every step of float32 features is rounded", () => {
  const bands = [1, 3072.800048828125, 6144.60009765625, 9216.400390625, 12288.2001953125, 15360];
  const points = range(200).map((i) => Math.sin(i) / 1.1); // float64 numbers
  const found = fourierFeatures(
    tensor(
      "n d",
      points.map((x) => [x]),
    ),
    {
      bands: 6,
      maxResolution: [30_720],
      precision: "float32",
    },
  );
  const round = Math.fround;
  const row = (x: number) => {
    const angles = bands.map((f) => round(round(round(x) * f) * round(Math.PI)));
    return [round(x), ...angles.map((a) => round(Math.sin(a))), ...angles.map((a) => round(Math.cos(a)))];
  };
  expect(list<Vec>(found)).toEqual(points.map(row));
});

test("[fourier.order] a model's features are constants of the recording, without a warning", () => {
  const model = new (class Model {
    held = tensor("n d", [[0.5]]);
  })();
  const f = () => fourierFeatures(linearPositions([100, 100]), { bands: 2, maxResolution: [4, 4] });
  const { warnings, nodes } = record(() => ({ a: f(), b: model.held }), { model, symbolic: true });
  expect(warnings).toEqual([]);
  expect(nodes.map(({ op }) => op)).toEqual(["leaf", "leaf"]);
});
