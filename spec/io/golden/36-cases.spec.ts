import fs from "node:fs";
import { expect, test } from "vitest";
import { findCases, listCases, readActual, readCase, writeActual } from "../../../src/io/golden/cases.ts";
import { make } from "../../../src/io/golden/recipe.ts";
import { loadSafetensors, type Stored } from "../../../src/io/safetensors/read.ts";
import { EXPECTED, MANIFEST, refused, write } from "../../support/fixtures/minimal-case.ts";
import { valuesOf } from "../../support/fixtures/official-file.ts";
import { folders } from "../../support/fixtures/temporary.ts";

const fresh = folders();
const cases = new URL("../../../golden/cases", import.meta.url).pathname;

test("[case.find] a path is a case, or stands for the cases below it, in order and each once", () => {
  const at = fresh();
  const paths = ["b/2", "b/10", "a", "b/2/inner"].map((name) => write(`${at}/${name}`, MANIFEST));
  const [b2, b10, a] = paths;
  expect(findCases([at])).toEqual([a, b10, b2, `${b2}/inner`]);
  expect(findCases([`${at}/b/2/`])).toEqual([b2]); // a case ends the search
  expect(findCases([`${at}/b`, `${at}/a`, `${at}//a`.replace("//", "/")])).toEqual([
    a,
    b10,
    b2,
    `${b2}/inner`,
  ]);
  const message = (path: string) => () => findCases([at, path]);
  expect(message(`${at}/nowhere`)).toThrow(
    /no cases at .*nowhere: there is nothing; name a folder of cases {2}\[case\.find\]/,
  );
  expect(message(`${at}/a/case.json`)).toThrow(/there is a file, not a folder/);
  fs.mkdirSync(`${at}/empty/deep`, { recursive: true });
  expect(message(`${at}/empty`)).toThrow(/a folder without a case\.json at or below it/);
});

test("[case.id] results are written below their folder only", () => {
  const at = fresh();
  writeActual(at, "somewhere/scale--tiny", EXPECTED, { floats: "F32" });
  expect(fs.readdirSync(`${at}/somewhere/scale--tiny`)).toEqual(["actual.safetensors"]);
  const actual = readActual(at, "somewhere/scale--tiny");
  expect([actual.info("outputs.out").dtype, valuesOf(actual.get("outputs.out"))]).toEqual(["F32", [3, 4]]);
  expect(() => readActual(at, "somewhere/else")).toThrow(/cannot open .*else\/actual\.safetensors/);
  for (const id of [
    "../up",
    "a/../../up",
    "/etc",
    "a//b",
    "a/",
    "",
    ".",
    "a/.hidden",
    "a\\b",
    "a\0",
    "c:x",
    "a b",
    "x".repeat(201),
  ]) {
    expect(() => writeActual(at, id, EXPECTED)).toThrow(/\[case\.id\]$/);
    refused(write(fresh(), { ...MANIFEST, id }), /case\.json: "id" is .*\[case\.id\]$/);
  }
});

test("[case.find] golden/cases holds cases alone", () => {
  expect(listCases([cases]).broken).toEqual([]);
});

test("[case.declared] every golden case can be read, and stored tensors equal those of their recipes", () => {
  const found = findCases([cases]);
  const ids = new Set<string>();
  let compared = 0;
  for (const folder of found) {
    const { manifest, inputs, weights, expected, close } = readCase(folder);
    expect(folder.endsWith(`/${manifest.id}`)).toBe(true);
    ids.add(manifest.id);
    expect(expected.size > 0).toBe(manifest.raises === null);
    const stored = loadSafetensors(`${folder}/inputs.safetensors`);
    const all = new Map([...inputs].map(([name, t]) => [`inputs.${name}`, t] as [string, Stored]));
    for (const [key, t] of weights) all.set(`weights.${key}`, t);
    for (const [name, recipe] of manifest.recipes) {
      const t = all.get(name);
      if (recipe.kind === "file" || t === undefined || !stored.has(name)) continue;
      const made = make(recipe, manifest.seed, name, t.shape, { file: folder, field: name });
      expect([name, valuesOf(made)]).toEqual([name, valuesOf(t)]);
      compared++;
    }
    for (const t of expected.values()) expect(valuesOf(t).some(Number.isNaN)).toBe(false);
    close();
  }
  expect(ids.size).toBe(found.length);
  expect(compared).toBeGreaterThan(100);
});
