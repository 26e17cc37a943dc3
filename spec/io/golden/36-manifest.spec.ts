import fs from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readCase } from "../../../src/io/golden/cases.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import { MANIFEST, refused, write } from "../../support/fixtures/minimal-case.ts";
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
    ["tolerance.noise", { "outputs.out": 2 }, "tolerance.noise.outputs.out"],
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
  expect(readCase(write(fresh(), change("somethingNew", 1))).manifest.id).toBe(MANIFEST.id);
});

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
