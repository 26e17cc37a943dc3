import { expect, test } from "vitest";
import { readCase } from "../../../src/io/golden/cases.ts";
import type { Stored } from "../../../src/io/safetensors/read.ts";
import { Int, int, tensor } from "../../../src/tensor/tensor.ts";
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

test("[case.made] a tensor that the file does not have needs a recipe of its kind", () => {
  for (const recipes of [{}, { "weights.w": { file: true } }]) {
    broken(/inputs\.safetensors: "weights\.w" is missing, and no recipe makes it {2}\[case\.made\]/, {
      ...MANIFEST,
      recipes,
    });
  }
  broken(/no recipe makes it/, { ...MANIFEST, generator: undefined });
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
  const huge = { weights: { generated: true, shapes: { w: [2 ** 20, 2 ** 20] } }, grads: [] };
  broken(/would make 1099511627776 elements; 1073741824 at most/, { ...MANIFEST, ...huge });
});

test("[case.probes] probes are at valid positions of the output", () => {
  const tolerance = { ...MANIFEST.tolerance, noise: { "probes.out": 1e-6 } };
  const full = { ...MANIFEST, grads: [], full: true, probed: { out: [2, 3] }, tolerance };
  const probes = (index: number[], value: number[]): Given =>
    new Map<string, Stored>([
      ["probes.out.index", int("n", index)],
      ["probes.out.value", tensor("n", value)],
      ["probes.out.sum", tensor("", 1)],
      ["probes.out.norm", tensor("", 2)],
    ]);
  const { expected } = readCase(write(fresh(), full, INPUTS, probes([0, 5, 5], [1, 2, 2])));
  expect([...expected.values()].map((t) => t instanceof Int)).toEqual([true, false, false, false]);
  broken(
    /the probes of "out" do not fit its 6 elements {2}\[case\.probes\]/,
    full,
    INPUTS,
    probes([0, 6], [1, 2]),
  );
  broken(/\[case\.probes\]/, full, INPUTS, probes([0, -1], [1, 2]));
  broken(/\[case\.probes\]/, full, INPUTS, probes([0, 1], [1]));
  broken(/"probed" names "out", which case.json does not declare {2}\[case\.names\]/, {
    ...full,
    probed: {},
  });
});
