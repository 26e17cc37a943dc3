// The executable half of 91-links.md. Planted ids are written with "<" for "[", so that they are not taken for real ones.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { readTree, repository } from "../../support/architecture/tree.mjs";
import { folders } from "../../support/fixtures/temporary.ts";
import { breaks, type Citation } from "../../support/links/breaking/breaks.mjs";
import { findSurvivors } from "../../support/links/breaking/search.mjs";
import { refresh, region } from "../../support/links/regions.mjs";
import { citations, collect, messages, pairing, problems, titles } from "../../support/links/rules.mjs";

const found = collect();
const problemsLike = (pattern: RegExp) => problems(found).filter((problem) => pattern.test(problem));

test("every rule of this repository is defined once", () => {
  expect(problemsLike(/defines .* again/)).toEqual([]);
  expect(found.defined.length).toBeGreaterThan(100);
});
test("every rule of this repository is cited", () => expect(problemsLike(/cited nowhere/)).toEqual([]));
test("every rule of this repository is tested", () => expect(problemsLike(/tested nowhere/)).toEqual([]));
test("every id of this repository is defined", () => expect(problemsLike(/defined nowhere/)).toEqual([]));
test("every chapter has a spec file and the five sections", () => expect(pairing(found)).toEqual([]));

test("every quoted code block equals the code", () => {
  const files = readTree(["src", "spec", ".ci", "docs/examples", "golden/export"], /\.(ts|mjs|py|json)$/);
  const documents = readTree(["README.md", "CONTRIBUTING.md", "docs", "spec"], /\.md$/);
  const differences = [...documents].flatMap(
    ([path, text]) => refresh(path, text, (source) => files.get(source)).problems,
  );
  expect(differences).toEqual([]);
});

const fresh = folders();

/** Applies a check to a repository of these files. */
function inRepository<T>(files: Readonly<Record<string, string>>, check: (root: string) => T): T {
  const root = fresh();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text.replaceAll("<", "[").replaceAll("§", "$"));
  }
  return check(root);
}
const problemsOf = (files: Readonly<Record<string, string>>) =>
  inRepository(files, (root) => problems(collect(root)));

const complete = {
  "spec/00-a.md": "**<a.one]** One.\n* **<a.two]** Two; see <a.one].\n",
  "spec/00-a.spec.ts": 'test("<a.one] <a.two] x", f);\n',
  "src/a.ts": "f(); // <a.one]\n/** G. <a.two] */\ng();\n",
};

test("a missing citation or test, and a second definition, are reported", () => {
  expect(problemsOf(complete)).toEqual([]);
  expect(problemsOf({ ...complete, "spec/01-b.md": "**<a.one]** Again." })).toEqual([
    "spec/01-b.md:1 defines [a.one] again",
  ]);
  expect(problemsOf({ ...complete, "src/a.ts": "f(); // <a.one]" })).toEqual([
    "spec/00-a.md:2 [a.two] is cited nowhere",
  ]);
  expect(problemsOf({ ...complete, "src/a.ts": 'f("x  <a.two]"); // <a.one]' })).toEqual([]);
  expect(
    problemsOf({ ...complete, "spec/00-a.spec.ts": 'test("<a.one] x <a.two]", f); // <a.two] y' }),
  ).toEqual(["spec/00-a.md:2 [a.two] is tested nowhere"]);
});

test("rules about the repository are cited in spec/support or .ci, other rules are not", () => {
  const files = { ...complete, "src/a.ts": "f(); // <a.one]", "spec/support/a.mjs": "g(); // <a.two]" };
  expect(problemsOf(files)).toEqual(["spec/00-a.md:2 [a.two] is cited nowhere"]);
  const { "spec/00-a.md": chapter, "spec/00-a.spec.ts": half, ...rest } = files;
  expect(
    problemsOf({ ...rest, "spec/repository/90-a.md": chapter, "spec/repository/90-a.spec.ts": half }),
  ).toEqual([]);
});

test("an undefined id is reported wherever it is used", () => {
  const places: [string, string][] = [
    ["src/b.ts", "f(); // <b.x]"],
    ["src/b.ts", 'throw new Error("no  <b.x]");'],
    ["src/b.ts", "throw new Error(`no §{1}  <b.x]\n`);"],
    ["src/b.ts", 'throw new RuleError(f("a", g()), "b.x");'],
    ["src/b.ts", 'throw new RuleError("a", "b.x", "c");'],
    ["spec/01-b.spec.ts", "test.each([1])('<b.x] %s', f);"],
    ["spec/01-b.md", "see <b.x]"],
    ["docs/papers/b.md", "see <b.x]"],
    ["README.md", "    error  <b.x]"],
    ["golden/cases/p/c/case.json", '{"rules": <"b.x"]}'],
    ["spec/support/b.ts", "// <b.x]"],
  ];
  for (const [path, text] of places) {
    const reported = problemsOf({ ...complete, [path]: text });
    expect([path, text, reported]).toEqual([path, text, [`${path}:1 [b.x] is defined nowhere`]]);
  }
});

test("an index, a link and a number are not taken for ids", () => {
  const code =
    'x[b.x]; // x[b.x] f(a)[b.x] [0.5] [B.x] [b] [b.x](link) [b .x]\nconst s = "[b.x] t"; f(a, "b.x");';
  expect([citations("a.ts", code), messages("a.ts", code)]).toEqual([[], []]);
  expect(titles("a.spec.ts", 'test("x [b.x] y", f); test("[b.x]", f); f("[b.x]: y"); // "[b.x] y"')).toEqual(
    [],
  );
  expect(titles("a.spec.ts", '\ntest("[b.x] y", f)')).toEqual([{ id: "b.x", path: "a.spec.ts", line: 2 }]);
  expect(citations("a.ts", "/**\n * [b.x]\n */")).toEqual([{ id: "b.x", path: "a.ts", line: 2, at: 0 }]);
  expect(problemsOf({ ...complete, "docs/a.md": "[b.x](y) x<b.x] 3 × <0.5]" })).toEqual([]);
});

test("chapters without spec files, spec files without chapters and other sections are reported", () => {
  const text = ["Semantics", "Inputs", "Rules", "Variants", "Example"]
    .map((name) => `## ${name}\n`)
    .join("\n");
  const reports = (chapters: Record<string, string>, specs: readonly string[]) =>
    pairing({ chapters: new Map(Object.entries(chapters)), specs: new Map(specs.map((path) => [path, ""])) });
  expect(reports({ "spec/00-a.md": text }, ["spec/00-a.spec.ts"])).toEqual([]);
  expect(reports({ "spec/00-a.md": text }, ["spec/00-b.spec.ts", "spec/00-c.spec.ts"])).toEqual([]);
  expect(reports({ "spec/00-a.md": `x\n## X\n${text}` }, ["spec/00-a.spec.ts"])).toEqual([]);
  expect(reports({ "spec/00-a.md": text }, [])).toEqual(["spec/00-a.md has no executable half"]);
  expect(reports({}, ["spec/00-ab.spec.ts"])).toEqual(["spec/00-ab.spec.ts has no chapter"]);
  expect(reports({ "spec/00-a.md": text }, ["spec/01-a.spec.ts"])).toHaveLength(2);
  expect(reports({ "spec/a_b.md": text }, ["spec/a_b.spec.ts"])).toEqual(
    Array(2).fill("spec/a_b is not named NN-topic"),
  );
  for (const other of [text.replace("## Inputs\n", ""), text.split("\n").reverse().join("\n"), ""])
    expect(reports({ "spec/00-a.md": other }, ["spec/00-a.spec.ts"])).toHaveLength(1);
});

const source = [
  "class A {",
  "  // #region b",
  "  f() {",
  "",
  "    // #region c",
  "    g(); // [x.y]",
  "    // #endregion",
  "  }",
  "  // #endregion",
  "  // #region d",
  "}",
].join("\n");

test("a region consists of its lines, dedented, without the marks inside", () => {
  expect(region(source, "b")).toEqual({ text: "f() {\n\n  g(); // [x.y]\n}\n" });
  expect(region(source, "c")).toEqual({ text: "g(); // [x.y]\n" });
  expect(region(source, "d")).toEqual({ problem: "the region d has no end" });
  expect(region(source, "e")).toEqual({ problem: "there is no region e" });
  expect(region(`${source}\n// #region c`, "c")).toEqual({ problem: "there are 2 regions c" });
});

const block = (name: string, code: string) => `<!-- source: a.ts#${name} -->\n\n\`\`\`ts\n${code}\`\`\`\n`;
const sourceOf = (path: string) => (path === "a.ts" ? source : undefined);

test("a block that differs or has no source is reported with its line", () => {
  const other = "Text.\n\n```ts\nfree();\n```\n";
  const reports = (document: string) => refresh("d.md", document, sourceOf).problems;
  expect(reports(other + block("c", "g(); // [x.y]\n"))).toEqual([]);
  expect(reports(other + block("c", "g();\n"))).toEqual([
    "d.md:6 differs from a.ts#c: npm run links -- --write",
  ]);
  expect(reports(block("e", ""))).toEqual(["d.md:1 a.ts: there is no region e"]);
  expect(reports(block("c", "").replace("a.ts", "b.ts"))).toEqual(["d.md:1 b.ts: there is no such file"]);
  for (const mark of ["<!-- source: a.ts#c -->\n\ntext\n\n```ts\n```\n", "<!-- source: a.ts -->\n```\n```\n"])
    expect(reports(mark)).toEqual(["d.md:1 names a source, but no code block follows"]);
});

test("a refreshed document differs in its quoted code only", () => {
  const around = (code: string) => `# $& $1\n${block("c", code)}between\n${block("b", code)}end\n`;
  const { text } = refresh("d.md", around("old();\nolder();\n"), sourceOf);
  expect(text).toBe(
    `# $& $1\n${block("c", "g(); // [x.y]\n")}between\n${block("b", "f() {\n\n  g(); // [x.y]\n}\n")}end\n`,
  );
  expect(refresh("d.md", text, sourceOf)).toEqual({ text, problems: [] });
});

const broken = (text: string) => breaks("a.ts", text);
const afters = (line: string) =>
  broken(`${line.replaceAll("§", "$")} // [x.y]\n`)[0]?.variants.map(({ after }) => after);

test("a line is mutated in every way it offers", () => {
  expect(afters("if (a < b) throw new Error(`no §{c && d}`);")).toEqual(["a >= b", "{}"]);
  expect(afters("if (a) f();")).toEqual(["!(a)", "{}"]);
  expect(afters("const x = !a && -b > c ? d : true;")).toEqual([
    "!a || -b > c",
    "a",
    "-b <= c",
    "b",
    "false",
  ]);
  expect(afters("const x = scale(q, d ** -0.5);")).toEqual(["q", "d * -0.5", "0.5"]);
  expect(afters("const x = Math.max(this.norm.forward(y), 1);")).toEqual(["this.norm.forward(y)", "y"]);
  expect(afters("const x = list.filter((a) => a);")).toEqual(["list"]);
  expect(afters('const x = rearrange("b l (h k) -> b h l k", tap(this, "a", y));')).toEqual([
    'tap(this, "a", y)',
    '"b l (k h) -> b h l k"',
  ]);
  expect(afters("const x = (a + b) * c;")).toEqual(["(a + b) / c", "a - b"]);
});

test("a file without citations has no mutations, and AssemblyScript is mutated like TypeScript", () => {
  expect(broken("const a = true;")).toEqual([]);
  const [kernel] = broken("@inline\nfunction f(x: f32): bool { return x < 0; } // [a.b]");
  expect(kernel?.variants.map(({ text }) => text)).toEqual([
    "@inline\nfunction f(x: f32): bool { return x >= 0; } // [a.b]",
  ]);
});

test("a line without a strong mutation gets a weak one", () => {
  expect(afters("const x = 1;")).toEqual(["2"]);
  expect(afters("const f = (x: number): T => new A(x);")).toEqual(["undefined", "undefined"]);
  expect(afters("const x = { a: b };")).toEqual(["undefined", "undefined"]);
  expect(afters("type X = 1 | 2;")).toEqual([]);
});

test("a comment is about its line, about the statement that its line ends, or about the code below it", () => {
  const lines = (text: string) =>
    broken(text).map(({ line, every, variants }) => [line, every, variants.map((v) => v.line)]);
  expect(lines("a(b > c);\nthrow new Error(\n  'x', // [x.y]\n);\nd();")).toEqual([[3, true, [2]]]);
  expect(lines("f(\n  a ? b : c,\n); // [x.y]")).toEqual([[3, true, [1, 2]]]);
  expect(lines("x();\n/** [x.y] */\nfunction f() {\n  g();\n}\nh();")).toEqual([[2, true, [4]]]);
  const table = `const t = {\n  a: 1, // [x.y]\n${"  b: !c,\n".repeat(10)}};`;
  expect(lines(table)).toEqual([[2, false, [2]]]);
  expect(lines("// [x.y]\nimport 'a';\ng();\nh();")).toEqual([[1, true, [3, 4]]]);
  expect(lines(`// [x.y]\nfunction f() {\n${"  g();\n".repeat(40)}}`)).toEqual([
    [1, false, [3, 8, 13, 18, 23, 28, 33, 38]],
  ]);
});

const citation = (id: string, every: boolean, ...afters: string[]): Citation => ({
  id,
  path: "a.ts",
  line: 1,
  every,
  variants: afters.map((after, i) => ({ text: after, line: i + 1, before: "x", after })),
});

test("unexplained survivors and obsolete explanations are listed", async () => {
  const all = [
    citation("a.b", true, "1", "2", "3"),
    citation("a.c", false, "4", "5", "6"),
    citation("a.d", true),
  ];
  const run = async (noticed: string, options = {}) =>
    (await findSurvivors(all, async (_, { after }) => noticed.includes(after), options)).report;
  const inert = "a.ts:1 [a.d] is cited where no code runs";
  expect(await run("123456")).toEqual([inert]);
  expect(await run("136")).toEqual(["a.ts:2 [a.b] survives x  ->  2", inert]);
  expect((await run("123")).length).toBe(4);
  const reason = { path: "a.ts", id: "a.b", before: "x", after: "2", reason: "the same thing" };
  expect(await run("134", { known: [reason] })).toEqual([inert]);
  expect(await run("1234", { known: [reason] })).toEqual([
    inert,
    "survivors.json: a.ts [a.b] x is noticed; remove the entry",
  ]);
  expect(await run("1234", { known: [{ ...reason, id: "a.e" }] })).toEqual([inert]);
  let time = 2;
  expect(await run("123456", { until: () => time-- > 1 })).toEqual([
    inert,
    "a.ts:1 [a.c] was not reached in time",
  ]);
});

test("the tests of the rule run on a mutated copy of the repository", () => {
  const support = (name: string) => readFileSync(join(repository, "spec/support", name), "utf8");
  const files = {
    "package.json": '{ "type": "module" }',
    "tsconfig.json": "{}",
    "spec/support/vitest.config.ts": support("vitest.config.ts"),
    "spec/support/setup.ts": support("setup.ts"),
    "spec/00-a.md": "**<a.one]** One.\n\n**<a.two]** Two.\n",
    "spec/00-a.spec.ts": [
      'import { expect, test } from "vitest";',
      'import { f, g } from "../src/a.ts";',
      'test("<a.one] x", () => expect(f(3)).toBe(4));',
      'test("<a.two] x", () => expect(g(0) === 0).toBe(true));',
    ].join("\n"),
    "src/a.ts":
      "export const f = (x: number) => x + 1; // <a.one]\nexport const g = (x: number) => -x; // <a.two]\n",
  };
  inRepository(files, (root) => {
    const words = [
      join(repository, "spec/support/links/links.mjs"),
      "--break",
      "--root",
      root,
      "--jobs",
      "1",
    ];
    const { stdout, status } = spawnSync(process.execPath, words, { encoding: "utf8" });
    expect(stdout.split("\n")).toEqual([
      "running the tests of 2 rules on unbroken code",
      "1/2 src/a.ts:1 [a.one] noticed",
      "2/2 src/a.ts:2 [a.two] NOT NOTICED",
      "      -x  ->  x",
      "",
      "broke 2 lines in 2 ways",
      "src/a.ts:2 [a.two] survives -x  ->  x",
      "problems: 1",
      "",
    ]);
    expect([status, readFileSync(join(root, "src/a.ts"), "utf8")]).toEqual([
      1,
      files["src/a.ts"].replaceAll("<", "["),
    ]);
  });
});
