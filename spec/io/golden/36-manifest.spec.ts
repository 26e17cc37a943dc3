import fs from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readCase } from "../../../src/io/golden/cases.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import { tensor } from "../../../src/tensor/tensor.ts";
import { floats, INPUTS, MANIFEST, refused, write } from "../../support/fixtures/minimal-case.ts";
import { folders } from "../../support/fixtures/temporary.ts";

const fresh = folders();
const broken = (message: RegExp, manifest: unknown) => refused(write(fresh(), manifest), message);

test("[case.json] a manifest is one JSON object of limited size", () => {
  broken(/case\.json is not JSON; /, "{");
  broken(/is not a JSON object/, "[]");
  broken(/has a key twice/, `{"a":1,"\\u0061":2}`);
  broken(/nested more than 16 levels/, `{"a":${"[".repeat(16)}${"]".repeat(16)}}`);
  broken(/has 1000002 bytes; at most 1000000 are read {2}\[case\.json\]/, `{}${" ".repeat(1e6)}`);
  const folder = write(fresh(), MANIFEST);
  fs.writeFileSync(`${folder}/case.json`, Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d));
  refused(folder, /not valid UTF-8/);
});

test("[case.schema] another schema is the first error", () => {
  broken(/"schema" is "flamboyance-case\/2"; this version reads flamboyance-case\/1.*\[case\.schema\]/, {
    schema: "flamboyance-case/2",
  });
  broken(/"schema" is no text/, {});
});

test("[case.fields] every field has its type", () => {
  const change = (field: string, value: unknown): unknown => {
    const copy = structuredClone(MANIFEST) as Record<string, unknown>;
    const path = field.split(".");
    const last = path.pop() ?? "";
    const at = path.reduce((o, name) => (o[name] as Record<string, unknown>) ?? {}, copy);
    at[last] = value;
    return copy;
  };
  const needed = [
    "title",
    "level",
    "source",
    "source.version",
    "profile",
    "config",
    "call",
    "inputs",
    "inputs.x.shape",
  ];
  for (const field of [...needed, "weights", "tolerance.K"]) {
    broken(
      new RegExp(
        `case\\.json: "${field.replaceAll(".", "\\.")}" is missing; it has to be .*\\[case\\.fields\\]`,
      ),
      change(field, undefined),
    );
  }
  const wrong: [string, unknown, string][] = [
    ["inputs.x.shape", [2, -1], "inputs.x.shape[1]"],
    ["call", ["x"], "call"],
  ];
  wrong.push(
    ["seed", 0.5, "seed"],
    ["config", [], "config"],
    ["outputs", ["out", 1], "outputs[1]"],
    ["inputs.x.dtype", "F8", "inputs.x.dtype"],
  );
  wrong.push(
    ["tolerance.noise", { "outputs.out": "2" }, "tolerance.noise.outputs.out"],
    ["ship", "yes", "ship"],
    ["weights.w", null, "weights.w"],
  );
  wrong.push(
    ["level", "house", "level"],
    ["raises", { type: "x" }, "raises.phase"],
    ["source.class", null, "source.class"],
  );
  for (const [field, value, named] of wrong) {
    const folder = write(fresh(), change(field, value));
    refused(folder, `case.json: "${named}" `);
    refused(folder, /\[case\.fields\]$/);
  }
});

test("[case.fields] members that the format does not have are listed, at any depth", () => {
  const manifest = {
    ...MANIFEST,
    outputz: ["out"],
    source: { ...MANIFEST.source, languagePackage: "transformers@5.23.0", licence: "MIT" },
    inputs: { x: { ...MANIFEST.inputs.x, comment: "" } },
    tolerance: { ...MANIFEST.tolerance, measured: { "outputs.out": "draw 1" }, k: 9 },
  };
  const { unread } = readCase(write(fresh(), manifest)).manifest;
  expect(unread).toEqual(["outputz", "source.licence", "inputs.x.comment", "tolerance.k"]);
  expect(readCase(write(fresh(), MANIFEST)).manifest.unread).toEqual([]);
});

const NAMES = Object.getOwnPropertyNames(Object.prototype);

test("[case.names] the names of Object.prototype are declared only where the manifest declares them", () => {
  for (const name of NAMES) {
    const own = (value: unknown): unknown =>
      JSON.parse(`{ ${JSON.stringify(name)}: ${JSON.stringify(value)} }`);
    const quotedName = new RegExp(`"${name}|"(weights|outputs|taps)\\.${name}"`);
    const wrong: object[] = [
      { call: { x: name } },
      { positional: [name] },
      { ties: { u: name } },
      { grads: [`weights.${name}`] },
      { trainable: [name] },
      { outputs: ["out", name] },
      { taps: [name] },
      { recipes: { ...MANIFEST.recipes, [`weights.${name}`]: floats } },
      { tolerance: { ...MANIFEST.tolerance, noise: { ...MANIFEST.tolerance.noise, [`taps.${name}`]: 0 } } },
      { probed: own([2]) },
    ];
    for (const change of wrong.slice(0, -1)) broken(quotedName, { ...MANIFEST, ...change });
    broken(/"probed"/, { ...MANIFEST, ...wrong.at(-1) });
    const declared = own({ dtype: "F64", shape: [2] });
    const { inputs } = readCase(
      write(
        fresh(),
        `{ "schema": ${JSON.stringify(MANIFEST.schema)}, ${JSON.stringify({ ...MANIFEST, schema: undefined, call: { x: name }, inputs: declared, grads: [], tolerance: { ...MANIFEST.tolerance, noise: { "outputs.out": 0 } } }).slice(1)}`,
        new Map([[`inputs.${name}`, tensor("d", [1, 2])]]),
        new Map([["outputs.out", tensor("d", [3, 4])]]),
      ),
    );
    expect([...inputs.keys()]).toEqual([name]);
  }
});

test("[case.fields] names are not listed twice", () => {
  const twice: object[] = [
    { outputs: ["out", "out"] },
    { taps: ["a", "b", "a"] },
    { grads: ["weights.w", "weights.w"] },
    { trainable: ["w", "w"] },
    { positional: ["x", "x"] },
  ];
  for (const change of twice) broken(/has "[\w.]+" twice {2}\[case\.fields\]/, { ...MANIFEST, ...change });
});

test("[case.tolerance] K is at most 8 and a noise at most 1e-3", () => {
  const tolerance = (change: object) => ({ ...MANIFEST, tolerance: { ...MANIFEST.tolerance, ...change } });
  const noise = (value: unknown) =>
    tolerance({ noise: { ...MANIFEST.tolerance.noise, "outputs.out": value } });
  expect(readCase(write(fresh(), noise(1e-3))).manifest.tolerance?.K).toBe(8);
  for (const K of [8.001, 9, 1000, 1e300, 0, -8, 0.5])
    broken(
      new RegExp(
        `"tolerance\\.K" is ${`${K}`.replace("+", "\\+")}, and K is at most 8; write 8 {2}\\[case\\.tolerance\\]`,
      ),
      tolerance({ K }),
    );
  for (const value of [1.0001e-3, 1, 1.65, 1e300, -1e-9])
    broken(
      /"tolerance\.noise\.outputs\.out" is .*between 0 and 0\.001; .* {2}\[case\.tolerance\]/,
      noise(value),
    );
  for (const value of [null, "1e-7", true, [1e-7], {}])
    broken(/"tolerance\.noise\.outputs\.out" has to be a number/, noise(value));
  const text = JSON.stringify(noise(7));
  for (const value of ["NaN", "Infinity"])
    broken(/is not JSON/, text.replace('"outputs.out":7', `"outputs.out":${value}`));
  broken(
    /"tolerance\.noise\.outputs\.out" has to be a number/,
    text.replace('"outputs.out":7', '"outputs.out":1e999'),
  );
  broken(/"tolerance\.noise" names "grads\.weights\.v", which case\.json does not declare/, {
    ...tolerance({ noise: { ...MANIFEST.tolerance.noise, "grads.weights.v": 1e-6 } }),
  });
});

test("[case.axes] a letter stands for each axis and has one size in a case", () => {
  const two = (shape: number[], axes: string) => ({
    ...MANIFEST,
    call: { x: "x", y: "y" },
    inputs: { x: MANIFEST.inputs.x, y: { dtype: "F64", shape, axes } },
  });
  const files = new Map(INPUTS).set("inputs.y", tensor("b d", [1, 2], [5, 6]));
  expect(readCase(write(fresh(), two([1, 2], "b d"), files)).inputs.size).toBe(2);
  broken(
    /"inputs\.y\.axes" gives "d" the size 1, and elsewhere it is 2 {2}\[case\.axes\]/,
    two([1, 2], "d b"),
  );
  broken(/"inputs\.y\.axes" has 1 letters, and the shape 2 axes {2}\[case\.axes\]/, two([1, 2], "b"));
  broken(/"inputs\.y\.axes" gives "a" the size 2, and elsewhere it is 1/, two([1, 2], "a a"));
});

test("[case.unused] whatever a manifest gives is compared or used", () => {
  const raises = { phase: "forward", type: "TypeError", message: "no" };
  const { outputs, grads, tolerance, ...rest } = MANIFEST;
  const cases: [RegExp, object][] = [
    [
      /"inputs" has "y", which no argument of the call takes/,
      { inputs: { ...MANIFEST.inputs, y: MANIFEST.inputs.x } },
    ],
    [/"call" names "cotangent"/, { call: { x: "x", y: "cotangent" } }],
    [/"recipes" names "weights\.v"/, { recipes: { ...MANIFEST.recipes, "weights.v": floats } }],
    [/"generator" is missing, and the recipes need "splitmix64-dyadic8\/1"/, { generator: undefined }],
    [/"probed" is given, and only a full-size case has probes/, { probed: { out: [2] } }],
    [/"trainable" names "v"/, { trainable: ["w", "v"] }],
    [/"grads" is empty, and the level is grad/, { level: "grad", grads: [], tolerance: onlyOut }],
    [/"grads" is empty, and trainable is given/, { trainable: ["w"], grads: [], tolerance: onlyOut }],
    [
      /"grads" is empty, and there is a cotangent/,
      {
        inputs: { ...MANIFEST.inputs, cotangent: { dtype: "F64", shape: [2] } },
        grads: [],
        tolerance: onlyOut,
      },
    ],
  ];
  for (const [message, change] of cases) {
    broken(message, { ...MANIFEST, ...change });
    broken(/\[case\.(unused|names)\]$/, { ...MANIFEST, ...change });
  }
  for (const [field, change] of Object.entries({
    outputs: { outputs },
    grads: { grads },
    taps: { taps: ["a"] },
    tolerance: { tolerance },
    full: { full: true },
    probed: { probed: { out: [2] } },
  }))
    broken(new RegExp(`"${field}" is given, and a case that raises expects nothing else; remove it`), {
      ...rest,
      raises,
      ...change,
    });
  const full = {
    ...rest,
    outputs,
    full: true,
    probed: { out: [2] },
    tolerance: { ...tolerance, noise: { "probes.out": 1e-6 } },
  };
  for (const [field, change] of Object.entries({ taps: { taps: ["a"] }, grads: { grads } }))
    broken(new RegExp(`"${field}" is given, and a full-size case expects probes only`), {
      ...full,
      ...change,
    });
  broken(/"outputs" names "other", which case\.json does not declare/, {
    ...full,
    probed: { out: [2], other: [2] },
  });
});
const onlyOut = { ...MANIFEST.tolerance, noise: { "outputs.out": 1e-6 } };

test("[case.names] a manifest declares every name that it uses", () => {
  const noise = { policy: "noise", K: 8, noise: { "outputs.out": 1e-6 } };
  broken(/"call" names "y", which case.json does not declare {2}\[case\.names\]/, {
    ...MANIFEST,
    call: { x: "y" },
  });
  broken(/"positional" names "y"/, { ...MANIFEST, positional: ["y"] });
  broken(/"ties" names "v"/, { ...MANIFEST, ties: { u: "v" } });
  broken(/"grads" names "weights\.v"/, { ...MANIFEST, grads: ["weights.v"] });
  broken(/"tolerance\.noise" names "grads\.weights\.w"/, { ...MANIFEST, tolerance: noise });
  broken(/"tolerance\.noise" names "outputs\.out"/, { ...MANIFEST, tolerance: undefined });
  broken(/"outputs" names no tensor to compare/, { ...MANIFEST, outputs: [] });
  const names = { call: { toString: "x" }, ties: { __proto__: "w" } };
  expect(readCase(write(fresh(), { ...MANIFEST, ...names })).manifest.call.get("toString")).toBe("x");
});

test("[case.fields] for any value of a field, a manifest is read or a LoadError is thrown", () => {
  const folder = write(fresh(), MANIFEST);
  const paths = Object.keys(MANIFEST);
  const law = fc.property(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 4 }), (field, value) => {
    fs.writeFileSync(`${folder}/case.json`, JSON.stringify({ ...MANIFEST, [field]: value }));
    try {
      readCase(folder).close();
    } catch (error) {
      expect(error).toBeInstanceOf(LoadError);
    }
  });
  fc.assert(law, { numRuns: 500 });
});
