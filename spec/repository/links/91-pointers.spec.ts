// The part of 91-links.md on pointers: documents name files, regions, names, lines and headings that exist.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { readTree, repository } from "../../support/architecture/tree.mjs";
import { temporary } from "../../support/fixtures/temporary.ts";
import { anchorOf, linkProblems, spanProblems } from "../../support/links/pointers.ts";

const documents = readTree(
  ["README.md", "CONTRIBUTING.md", "docs", "spec", "golden"],
  /^(?!golden\/(cases|export)).*\.md$/,
);
const files = new Map([
  ...readTree(["src", "spec", "docs", ".ci", "golden/export", "golden/adapters"], /\.(ts|mts|mjs|md)$/),
  ...documents,
]);

test("files that documents name in code spans exist, with the region, name or line that they point to", () => {
  expect(documents.size).toBeGreaterThan(100);
  expect([...documents].flatMap(([path, text]) => spanProblems(path, text, files))).toEqual([]);
});

test("relative links lead to files and headings that exist", () => {
  const exists = (path: string) => existsSync(join(repository, path));
  expect([...documents].flatMap(([path, text]) => linkProblems(path, text, files, exists))).toEqual([]);
});

test("a wrong path, region, name, line, link and heading are reported", () => {
  const planted = new Map([
    ["src/nn/a.ts", "// #region r\nexport const name = 1;\n// #endregion"],
    ["docs/b.md", '# One (1) [two](x)\n```\n# no heading\n```\n## Again\n## Again\n<a id="here"></a>'],
  ]);
  const spans = (text: string) => spanProblems("docs/c.md", text, planted);
  expect(
    spans("`nn/a.ts#r`, `a.ts#name`, `name` in `src/nn/a.ts`, `b.md`, `a.ts:3`, `other.py`, `NN-topic.md`"),
  ).toEqual([]);
  expect(spans("x\n`nn/b.ts`")).toEqual(["docs/c.md:2 there is no file nn/b.ts"]);
  expect(spans("`a.ts#q`")).toEqual(["docs/c.md:1 a.ts has no q"]);
  expect(spans("`a.ts#r`, `#q`")).toEqual(["docs/c.md:1 a.ts has no q"]);
  expect(spans("`names` in `nn/a.ts`")).toEqual(["docs/c.md:1 nn/a.ts has no names"]);
  expect(spans("`a.ts:4`")).toEqual(["docs/c.md:1 a.ts has no line 4"]);
  const links = (text: string) => linkProblems("docs/c.md", text, planted, (path) => planted.has(path));
  expect(
    links("[a](b.md#one-1-two) [d](b.md#again-1) [e](b.md#here) [b](../src/nn/a.ts) [c](https://x.y/z)"),
  ).toEqual([]);
  expect(links("[a](b.md#no-heading)")).toEqual([
    "docs/c.md:1 links to b.md#no-heading: there is no such heading",
  ]);
  expect(links("[a](d.md)")).toEqual(["docs/c.md:1 links to d.md: there is no such file"]);
  expect(anchorOf("8. Gates, and `tanh`")).toBe("8-gates-and-tanh");
});

const guide = readFileSync(join(repository, "docs/guides/11-flamingo-as-loops.md"), "utf8");
const breakpoints = [...guide.matchAll(/^\| [^|]+ \| `([\w./-]+\.(?:ts|mjs))` \| `(\w+)` \| (.*) \|$/gm)];
const coverage = temporary();

test("the recipe with breakpoints names files, functions and variables that exist, and a line that counts images", () => {
  expect(breakpoints.length).toBe(9);
  for (const [, file = "", name = "", variables = ""] of breakpoints) {
    const text = readFileSync(join(repository, file), "utf8");
    const declared = new RegExp(`function ${name}\\b|^ {2}${name}\\(`, "m").exec(text);
    expect([file, name, declared !== null]).toEqual([file, name, true]);
    const body = text.slice(declared?.index);
    for (const [, variable = ""] of variables.matchAll(/`(\w+)`/g))
      expect([file, name, variable, new RegExp(`\\b${variable}\\b`).test(body)]).toEqual([
        file,
        name,
        variable,
        true,
      ]);
  }
  const [, file = "", line = ""] = /sb\('([\w.-]+)', (\d+)\)/.exec(guide) ?? [];
  const lines = readFileSync(join(repository, "docs/examples", file), "utf8").split("\n");
  expect(lines[Number(line) - 1]).toContain("count += 1");
});

interface Coverage {
  readonly result: { url: string; functions: { functionName: string; ranges: { count: number }[] }[] }[];
}

test("step-through.mjs runs every function of the recipe with breakpoints, and its source map names the TypeScript file", () => {
  execFileSync(process.execPath, [join(repository, "docs/examples/step-through.mjs")], {
    env: { ...process.env, NODE_V8_COVERAGE: coverage },
  });
  const [report = ""] = readdirSync(coverage);
  const { result }: Coverage = JSON.parse(readFileSync(join(coverage, report), "utf8"));
  for (const [, file = "", name = ""] of breakpoints) {
    const built = file.replace(/^src\/(.*)\.ts$/, "dist/$1.js");
    const functions = result.find(({ url }) => url.endsWith(`/${built}`))?.functions ?? [];
    const calls = functions.find(({ functionName }) => functionName === name)?.ranges[0]?.count ?? 0;
    expect([file, name, calls > 0]).toEqual([file, name, true]);
    if (built === file) continue;
    const { sources } = JSON.parse(readFileSync(join(repository, `${built}.map`), "utf8"));
    const named = sources.map((source: string) => join(dirname(join(repository, built)), source));
    expect(named).toEqual([join(repository, file)]);
  }
});
