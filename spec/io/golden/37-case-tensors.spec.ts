import { expect, test } from "vitest";
import { readCase } from "../../../src/io/golden/cases.ts";
import type { Stored } from "../../../src/io/safetensors/read.ts";
import { bool, Int, int, tensor } from "../../../src/tensor/tensor.ts";
import {
  EXPECTED,
  floats,
  type Given,
  INPUTS,
  MANIFEST,
  refused,
  write,
} from "../../support/fixtures/minimal-case.ts";
import { valuesOf } from "../../support/fixtures/official-file.ts";
import { folders } from "../../support/fixtures/temporary.ts";

const fresh = folders();
const broken = (message: RegExp, ...files: [manifest: unknown, inputs?: Given, expected?: Given | null]) =>
  refused(write(fresh(), ...files), message);

test("[case.expected] reading a case gives inputs, weights by recipe, expected values and defaults", () => {
  const { manifest, inputs, weights, expected, close } = readCase(write(fresh(), MANIFEST));
  expect(manifest).toMatchObject({
    id: "somewhere/scale--tiny",
    taps: [],
    full: false,
    raises: null,
    ship: false,
  });
  expect([...manifest.inputs]).toEqual([["x", { dtype: "F64", shape: [2], axes: "d" }]]);
  const read = (map: ReadonlyMap<string, Stored>) => [...map].map(([name, t]) => [name, valuesOf(t)]);
  expect(read(inputs)).toEqual([["x", [1, 2]]]);
  expect(weights.get("w")?.shape).toEqual([2]);
  expect(read(expected)).toEqual([
    ["outputs.out", [3, 4]],
    ["grads.weights.w", [1, 2]],
  ]);
  close();
});

test("[case.expected] a missing expected file or tensor is an error, unless the source throws", () => {
  broken(/cannot open .*expected\.safetensors: there is no such file/, MANIFEST, INPUTS, null);
  broken(/there is no tensor "grads\.weights\.w"/, MANIFEST, INPUTS, new Map([...EXPECTED].slice(0, 1)));
  const single = new Map(EXPECTED).set("outputs.out", tensor("d", [2], Float32Array.of(3, 4)));
  broken(
    /"outputs\.out" is F32 \[2\], and F64, integers or booleans by case\.json.*\[case\.declared\]/,
    MANIFEST,
    INPUTS,
    single,
  );
  const ids = new Map(EXPECTED).set("outputs.out", int("d", [3, 4]));
  expect(readCase(write(fresh(), MANIFEST, INPUTS, ids)).expected.get("outputs.out")).toBeInstanceOf(Int);
  const { outputs, grads, tolerance, ...rest } = MANIFEST;
  const raises = { phase: "forward", type: "NameError", message: "name 'video' is not defined" };
  const raising = readCase(write(fresh(), { ...rest, raises }, INPUTS, null));
  expect([raising.manifest.raises, raising.expected.size]).toEqual([raises, 0]);
});

test("[case.declared] files have exactly the tensors of the manifest", () => {
  const more = (name: string, value: Stored) => new Map(INPUTS).set(name, value);
  broken(
    /"inputs\.x" is F64 \[3\], and F64 \[2\] by case\.json; make/,
    MANIFEST,
    more("inputs.x", tensor("d", [1, 2, 3])),
  );
  broken(/"inputs\.x" is I64 \[2\], and F64 \[2\] by/, MANIFEST, more("inputs.x", int("d", [1, 2])));
  broken(/"weights\.w" is I64 \[2\], and floats \[2\] by/, MANIFEST, more("weights.w", int("d", [1, 2])));
  broken(
    /there is "inputs\.y", which case\.json does not name {2}\[case\.declared\]/,
    MANIFEST,
    more("inputs.y", int("", 1)),
  );
  const odd = new Map(EXPECTED).set("taps.x", tensor("d", [1]));
  broken(/expected\.safetensors: there is "taps\.x", which/, MANIFEST, INPUTS, odd);
  const wide = new Map(EXPECTED).set("grads.weights.w", tensor("d", [1]));
  broken(/"grads\.weights\.w" is F64 \[1\], and F64 \[2\] by/, MANIFEST, INPUTS, wide);
});

test("[case.declared] the only weights of integers are counts without axes, in 64 bits", () => {
  const declaring = (shape: number[]) => ({ ...MANIFEST, weights: { ...MANIFEST.weights, n: shape } });
  const given = (n: Stored) => new Map(INPUTS).set("weights.n", n);
  const { weights } = readCase(write(fresh(), declaring([]), given(int("", 7))));
  expect(valuesOf(weights.get("n") as Stored)).toEqual([7]);
  broken(/"weights\.n" is I64 \[1\], and floats \[1\] by/, declaring([1]), given(int("d", [7])));
  broken(/"weights\.n" is I64 \[0\], and floats \[0\] by/, declaring([0]), given(int("d", [])));
  broken(/"weights\.n" is BOOL \[\], and floats \[\] by/, declaring([]), given(bool("", true)));
});

test("[case.made] a tensor that the file does not have needs a recipe of its kind", () => {
  for (const recipes of [{}, { "weights.w": { file: true } }]) {
    broken(/inputs\.safetensors: "weights\.w" is missing, and no recipe makes it {2}\[case\.made\]/, {
      ...MANIFEST,
      recipes,
    });
  }
  broken(/"recipes\.weights\.w" makes integers, and the tensor is of floats/, {
    ...MANIFEST,
    recipes: { "weights.w": { low: 0, high: 2 } },
  });
  const unsound = [
    { ...floats, bits: 9 },
    { ...floats, mean: "0" },
    { ...floats, exponent: 0.5 },
    {},
    [],
    { low: 4, high: 4 },
  ];
  for (const bad of unsound)
    broken(/"recipes\.weights\.w.*\[case\.fields\]/, { ...MANIFEST, recipes: { "weights.w": bad } });
  for (const bad of [[-1], [2], [0, 0]]) {
    const recipes = { "weights.w": { ...floats, rows: [{ at: bad }] } };
    broken(/"recipes\.weights\.w/, { ...MANIFEST, recipes });
  }
  for (const bad of [
    { ...floats, row: [] },
    { low: 0, high: 2, mean: 0 },
    { true: [], bits: 8 },
    { file: true, seed: 1 },
    { file: false },
  ])
    broken(/"recipes\.weights\.w" has "\w+"; a recipe of this kind has|member "file" that is not true/, {
      ...MANIFEST,
      recipes: { "weights.w": bad },
    });
});

const noise = (...names: string[]) => ({
  ...MANIFEST.tolerance,
  noise: Object.fromEntries(names.map((name) => [name, 1e-6])),
});

test("[case.made] the elements that recipes make are bounded for the whole case, before any is made", () => {
  const expected: Given = new Map([["outputs.out", tensor("d", [3, 4])]]);
  const weights = (shapes: readonly number[][], more: object = {}) => {
    const named = Object.fromEntries(shapes.map((shape, i) => [`w${i}`, shape]));
    return {
      ...MANIFEST,
      grads: [],
      tolerance: noise("outputs.out"),
      weights: { generated: true, shapes: named },
      recipes: Object.fromEntries(Object.keys(named).map((key) => [`weights.${key}`, floats])),
      ...more,
    };
  };
  const parts = (count: number): number[][] => Array.from({ length: count }, () => [2 ** 17]);
  expect(readCase(write(fresh(), weights(parts(128)), INPUTS, expected)).weights.size).toBe(128);
  const over = /"recipes" make \d+ elements; (16777216|536870912) at most.* \[case\.made\]/;
  for (const shapes of [parts(129), [[2 ** 20, 2 ** 20]], [[2 ** 25]]]) broken(over, weights(shapes));
  const full = {
    full: true,
    probed: { out: [2] },
    tolerance: noise("probes.out"),
  };
  broken(over, weights([[2 ** 15, 2 ** 15]], full));
  // 14 KB of manifest that would make 150 times 2^24 integers
  const inputs = Object.fromEntries(
    Array.from({ length: 150 }, (_, i) => [`z${i}`, { dtype: "I64", shape: [2 ** 24] }]),
  );
  const call = Object.fromEntries(Object.keys(inputs).map((name) => [name, name]));
  const recipes = Object.fromEntries(
    Object.keys(inputs).map((name) => [`inputs.${name}`, { low: 0, high: 7 }]),
  );
  const start = performance.now();
  broken(over, {
    ...MANIFEST,
    call: { ...MANIFEST.call, ...call },
    inputs: { ...MANIFEST.inputs, ...inputs },
    recipes: { ...MANIFEST.recipes, ...recipes },
  });
  broken(/make 4194305 integers and booleans; 4194304 at most/, {
    ...MANIFEST,
    call: { x: "x", z: "z" },
    inputs: { ...MANIFEST.inputs, z: { dtype: "I64", shape: [2 ** 22 + 1] } },
    recipes: { ...MANIFEST.recipes, "inputs.z": { low: 0, high: 7 } },
  });
  const rows = Array.from({ length: 1000 }, () => ({ at: [], mean: 1 }));
  broken(/has rows of 2000 elements, and the tensor has 2/, {
    ...MANIFEST,
    recipes: { "weights.w": { ...floats, rows } },
  });
  expect(performance.now() - start).toBeLessThan(2000);
});

test("[case.recipe] stored tensors that seed and recipe do not make are named", () => {
  // FORMAT.md §4, test vectors: seed 1, "inputs.x", { mean: 0, exponent: -6, bits: 8 } begins 0.25 0.4375
  const manifest = (seed: number, recipe: object = floats) => ({
    ...MANIFEST,
    seed,
    recipes: { ...MANIFEST.recipes, "inputs.x": recipe },
  });
  const stored = (x: number[]) => new Map(INPUTS).set("inputs.x", tensor("d", x));
  const unlike = (given: object, x: number[]) => {
    const golden = readCase(write(fresh(), given, stored(x)));
    const names = golden.strayTensors();
    golden.close();
    return names;
  };
  expect(unlike(manifest(1), [0.25, 0.4375])).toEqual([]);
  expect(unlike(manifest(2), [0.25, 0.4375])).toEqual(["inputs.x"]);
  expect(unlike(manifest(1), [0.25, 0.4375 + 1e-9])).toEqual(["inputs.x"]);
  expect(unlike(manifest(1), [0.25, Number.NaN])).toEqual(["inputs.x"]);
  expect(unlike(manifest(1, { file: true }), [7, 8])).toEqual([]);
  // seed 7, "inputs.text", { low: 4, high: 20000 } begins 1266 9808
  const ids = (seed: number) => ({
    ...MANIFEST,
    seed,
    call: { x: "x", text: "text" },
    inputs: { ...MANIFEST.inputs, text: { dtype: "I64", shape: [2] } },
    recipes: { ...MANIFEST.recipes, "inputs.text": { low: 4, high: 20000 } },
  });
  const text = new Map(INPUTS).set("inputs.text", int("l", [1266, 9808]));
  expect(readCase(write(fresh(), ids(7), text)).strayTensors()).toEqual([]);
  expect(readCase(write(fresh(), ids(8), text)).strayTensors()).toEqual(["inputs.text"]);
});

test("[case.declared] floats that are stored wider than declared are numbers of the declared type", () => {
  const declared = (dtype: string) => ({ ...MANIFEST, inputs: { x: { ...MANIFEST.inputs.x, dtype } } });
  const stray = (dtype: string, x: number[]) => {
    const golden = readCase(write(fresh(), declared(dtype), new Map(INPUTS).set("inputs.x", tensor("d", x))));
    golden.close();
    return golden.strayTensors();
  };
  expect(stray("BF16", [1.5, -0.0078125])).toEqual([]);
  expect(stray("BF16", [1.5, 1.001])).toEqual(["inputs.x"]);
  expect(stray("F32", [0.1, 1])).toEqual(["inputs.x"]);
  expect(stray("F16", [65536, 1])).toEqual(["inputs.x"]);
  expect(stray("F64", [0.1, 1])).toEqual([]);
});

test("[case.expected] a raising case has no results", () => {
  const { outputs, grads, tolerance, ...rest } = MANIFEST;
  const raises = { phase: "forward", type: "NameError", message: "name 'video' is not defined" };
  broken(
    /there is "outputs\.out", which case\.json does not name/,
    { ...rest, raises },
    INPUTS,
    new Map([...EXPECTED].slice(0, 1)),
  );
});

test("[case.probes] probes are at 256 valid positions of the output", () => {
  const full = {
    ...MANIFEST,
    grads: [],
    full: true,
    probed: { out: [2, 3] },
    tolerance: noise("probes.out"),
  };
  const many = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);
  const probes = (index: number[], value: number[]): Given =>
    new Map<string, Stored>([
      ["probes.out.index", int("n", index)],
      ["probes.out.value", tensor("n", value)],
      ["probes.out.sum", tensor("", 1)],
      ["probes.out.norm", tensor("", 2)],
    ]);
  const right = probes(many(256, 5), many(256, 1));
  const { expected } = readCase(write(fresh(), full, INPUTS, right));
  expect([...expected.values()].map((t) => t instanceof Int)).toEqual([true, false, false, false]);
  const wrong: Given[] = [
    probes([...many(255, 0), 6], many(256, 1)),
    probes([...many(255, 0), -1], many(256, 1)),
    probes(many(256, 0), many(255, 1)),
    probes(many(255, 0), many(255, 1)),
    probes(many(257, 0), many(257, 1)),
    probes([], []),
  ];
  for (const given of wrong)
    broken(/the probes of "out" are not 256 of its 6 elements {2}\[case\.probes\]/, full, INPUTS, given);
  broken(/"probed" names "out", which case.json does not declare {2}\[case\.names\]/, {
    ...full,
    probed: {},
  });
});
