// The entries of the package: which names they export. The executable half of 92-entries.md.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readTree, repository } from "../support/architecture/tree.mjs";
import { entriesOf, genericNames, sharedNames } from "../support/package/entries.ts";

const { exports } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
const SUBPATHS = "nn masks training generation evaluation conformance io simd gpu".split(" ");
const src = [...readTree(["src"], /\.ts$/)].map(
  ([path, text]) => [path.replace(/^src\//, ""), text] as const,
);
const entries = entriesOf(new Map(src));

test("package.json has an entry for each file of src/entries and one for src/index.ts, with types", () => {
  const target = (path: string) => ({ types: `./dist/${path}.d.ts`, default: `./dist/${path}.js` });
  const subpaths = SUBPATHS.map((name) => [`./${name}`, target(`entries/${name}`)]);
  const expected = { ".": target("index"), ...Object.fromEntries(subpaths) };
  expect(exports).toEqual({ ...expected, "./package.json": "./package.json" });
  expect([...entries.keys()].sort()).toEqual(["index", ...SUBPATHS].sort());
  for (const name of SUBPATHS) expect(existsSync(join(repository, `src/entries/${name}.ts`))).toBe(true);
});

test("every name is exported by one entry, and stands for one thing", () => {
  expect(sharedNames(entries)).toEqual([]);
  expect(
    sharedNames(
      entriesOf(
        new Map([
          ["index.ts", 'export { a } from "./a.ts";'],
          ["entries/nn.ts", 'export { type a } from "../b.ts";'],
        ]),
      ),
    ),
  ).toEqual(["a is exported by index and nn"]);
});

test("an entry exports names under which they are declared", () => {
  for (const [name, list] of entries) {
    expect([name, list.filter(({ from, name }) => from !== name)]).toEqual([name, []]);
    expect(list.length).toBeGreaterThan(0);
  }
});

test("no entry exports a generic word", () => {
  expect(genericNames(entries)).toEqual([]);
  const planted = new Map([
    ["entries/masks.ts", 'export { explain, type Source, textTime } from "../masks/a.ts";'],
  ]);
  expect(genericNames(entriesOf(planted))).toEqual(["masks exports explain", "masks exports Source"]);
});
