import fs from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { namedCases } from "../../../src/conformance/cases/named.ts";
import { selectCases } from "../../../src/conformance/cases/selection.ts";
import { findCases, listCases, readActual, readCase, writeActual } from "../../../src/io/golden/cases.ts";
import { make } from "../../../src/io/golden/recipe.ts";
import { loadSafetensors, type Stored } from "../../../src/io/safetensors/read.ts";
import { matches } from "../../../src/terminal/wildcard.ts";
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

test("[case.name] paths that exist come first; otherwise packages, cases, classes and patterns are found", () => {
  const root = fresh();
  const add = (id: string, more: object) => write(`${root}/${id}`, { ...MANIFEST, id, ...more });
  const of = (name: string, type: string) => ({ source: { ...MANIFEST.source, package: name, class: type } });
  const one = add("a/scale--one", of("a", "Scale"));
  const two = add("a/scale--two", of("a", "Scale"));
  const other = add("b/scale--two", of("b", "Scale"));
  const shift = add("b/shift--one", of("b", "Shift"));
  const find = (...names: readonly string[]) => namedCases(names, root);
  expect(find("scale--one", "a", shift)).toEqual({ paths: [one, `${root}/a`, shift], matched: new Set() });
  expect(find("Shift")).toEqual({ paths: [shift], matched: new Set([shift]) });
  expect(find("a/Scale").paths).toEqual([one, two]);
  expect(find("scale--*").paths).toEqual([one, two, other]);
  expect(find("b/*").paths).toEqual([other, shift]);
  expect(find("*/scale--two", "s?ift--one").paths).toEqual([two, other, shift]);
  expect(() => find("scale--two")).toThrow(
    '2 packages have a case "scale--two": a/scale--two, b/scale--two; write one of these, or "*/scale--two" for all  [case.name]',
  );
  expect(() => find("scale--on")).toThrow(
    'there is no path, package, class or case "scale--on" (did you mean "scale--one"?)',
  );
  expect(() => find("*x*")).toThrow('no case matches "*x*"');
  expect(namedCases(["scale--one"], null).paths).toEqual(["scale--one"]); // no package: a path
});

test("[case.name] a full-size case that a pattern finds is run with --full only", () => {
  const matched = namedCases(["perceiver-resampler--full-*"], cases);
  expect(matched.paths.length).toBeGreaterThan(0);
  expect(selectCases(matched.paths, { full: false, matched: matched.matched }).folders).toEqual([]);
  const [path = ""] = matched.paths;
  const named = namedCases([path.slice(cases.length + 1)], cases);
  expect(selectCases(named.paths, { full: false, matched: named.matched }).folders).toEqual([path]);
});

test("[case.name] a star stands for any characters but a slash, a question mark for one", () => {
  const escaped = (text: string) => text.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  const oracle = (pattern: string) =>
    new RegExp(`^${escaped(pattern).replaceAll("*", "[^/]*").replaceAll("?", "[^/]")}$`);
  const text = (letters: string) =>
    fc.array(fc.constantFrom(...letters), { maxLength: 8 }).map((all) => all.join(""));
  fc.assert(
    fc.property(text("ab/*?.("), text("ab/.("), (pattern, name) => {
      expect(matches(pattern, name)).toBe(oracle(pattern).test(name));
    }),
    { numRuns: 3000 },
  );
  const began = performance.now();
  expect(matches(`${"*a".repeat(2000)}b`, "a".repeat(20_000))).toBe(false);
  expect(performance.now() - began).toBeLessThan(5000); // backtracking over every star would not end
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
