// The executable half of 90-architecture.md. Each check is applied to planted files first, to show that it finds a breach.
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import * as content from "../support/architecture/files.ts";
import * as identifiers from "../support/architecture/identifiers.ts";
import * as dependencies from "../support/architecture/imports.ts";
import * as layout from "../support/architecture/layout.ts";
import { imports, lineOf, parse, strings, withoutComments } from "../support/architecture/syntax.mjs";
import { readTree } from "../support/architecture/tree.mjs";
import { temporary } from "../support/fixtures/temporary.ts";

type Files = dependencies.Files;
type Check = (files: Files) => string[];

const src = new Map([...readTree(["src"], /\.ts$/)].map(([path, text]) => [path.slice("src/".length), text]));
const spec = readTree(["spec"], /\.(ts|mjs)$/);

/** Files of which each imports the targets that are listed. */
const importing = (plan: Readonly<Record<string, readonly string[]>>): Files =>
  new Map(
    Object.entries(plan).map(([path, targets]) => [path, targets.map((t) => `import "${t}";`).join("\n")]),
  );
const file = (path: string, text: string): Files => new Map([[path, text]]);
const paths = (...names: readonly string[]): Files => new Map(names.map((name) => [name, ""]));

/** For each case "file imports target": whether `check` reports it. */
function expectReports(check: Check, cases: readonly [string, string, boolean][]) {
  const reported = cases.map(([from, target]) => check(importing({ [from]: [target] })).length > 0);
  expect(cases.map(([from, target], i) => [from, target, reported[i]])).toEqual(cases);
}

test.each<[string, Check]>([
  ["imports lead to lower layers", dependencies.layers],
  ["packages are imported where they belong", dependencies.packages],
  ["no imports form a circle", dependencies.cycles],
  ["every index is an entry", dependencies.entries],
  ["every backend can be deleted", dependencies.backends],
  ["asynchronous functions are where input and output are", content.asynchronous],
  ["globals of the platform are where the platform is", content.platform],
  ["streams are written in one file", content.streams],
  ["blocks and models assert no types", content.assertions],
  ["patterns are written with single spaces", content.patterns],
  ["file names are kebab-case", content.fileNames],
  ["every file is described", content.headers],
])("in src, %s", (_, check) => expect(check(src)).toEqual([]));

test.each<[string, Check, Files]>([
  ["a folder has at most 12 files", layout.crowdedFolders, readTree(["src", "spec"], /./)],
  ["no prefix is shared by three file names", layout.sharedPrefixes, readTree(["src", "spec"], /./)],
  ["a function has at most 60 lines", layout.longFunctions, readTree(["src", "spec"], /\.(ts|mjs)$/)],
])("in src and spec, %s", (_, check, files) => expect(check(files)).toEqual([]));

const code = readTree(["src", "spec", ".ci", "docs", "golden/export"], /\.(ts|mjs)$/);
code.delete("spec/support/architecture/identifiers.ts"); // it has the list
code.delete("spec/repository/90-architecture.spec.ts"); // it plants the words

test("renamed concepts do not come back as identifiers", () =>
  expect(identifiers.renamedIdentifiers(code)).toEqual([]));

test("renamed concepts do not come back in titles, messages, comments or documents", () => {
  expect(identifiers.renamedWords(code)).toEqual([]);
  const documents = readTree(["README.md", "CONTRIBUTING.md", "docs", "spec", "golden/FORMAT.md"], /\.md$/);
  expect(identifiers.renamedProse(documents)).toEqual([]);
});

/** Rows of a table `| layer | folders | … |` as folder -> layer; a row may cover several layers: 2–4. */
function tableOfLayers(document: string): Record<string, string> {
  const rows = document.matchAll(/^\| (\d(?:–\d)?) \| ((?:`[^`]+` ?)+)\|/gm);
  return Object.fromEntries(
    [...rows].flatMap(([, layer = "", folders = ""]) =>
      [...folders.matchAll(/`([^`]+)`/g)].map(([, folder = ""]) => [folder.replace(/^src\//, ""), layer]),
    ),
  );
}

test("the tables of layers in CONTRIBUTING and in chapter 90, and the map in docs, are complete", () => {
  const documents = readTree(["CONTRIBUTING.md", "spec/repository/90-architecture.md"], /\.md$/);
  const layers = Object.entries(dependencies.LAYERS).map(([folder, layer]) => [
    folder || "index.ts",
    `${layer}`,
  ]);
  expect(documents.size).toBe(2);
  for (const [path, text] of documents)
    expect([path, tableOfLayers(text)]).toEqual([path, Object.fromEntries(layers)]);
  const map = readTree(["docs/README.md"], /\.md$/).get("docs/README.md") ?? "";
  const mapped = [...map.matchAll(/^ {2}([\w-]+)\/\S* +(\d) {3}/gm)].map(([, folder, layer]) => [
    folder,
    layer,
  ]);
  expect(mapped.sort()).toEqual(layers.filter(([folder]) => folder !== "index.ts").sort());
  const folders = new Set([...src.keys()].map(dependencies.folderOf));
  expect([...folders].sort()).toEqual(Object.keys(dependencies.LAYERS).sort());
  expect(tableOfLayers("| 1 | `src/a` `b` | x |\n| 2 | `c` | |\n| x | `d` | |")).toEqual({
    a: "1",
    b: "1",
    c: "2",
  });
});

test("an import of a higher layer, or of a folder of the same layer, is reported", () => {
  expectReports(dependencies.layers, [
    ["tensor/a.ts", "../masks/a.ts", true],
    ["tensor/a.ts", "./b.ts", false],
    ["masks/a.ts", "../tensor/a.ts", true],
    ["masks/a.ts", "../terminal/a.ts", false],
    ["masks/a.ts", "#host", true],
    ["host/a.ts", "../tensor/a.ts", false],
    ["host/a.ts", "../io/a.ts", true],
    ["io/a.ts", "#host", false],
    ["tensor/a.ts", "../terminal/a.ts", false],
    ["terminal/a.ts", "../tensor/a.ts", true],
    ["io/a.ts", "../kernels/a.ts", true],
    ["kernels/gpu/a.ts", "#host", false],
    ["kernels/gpu/a.ts", "../../tensor/a.ts", false],
    ["nn/a.ts", "../blocks/a.ts", true],
    ["blocks/a.ts", "../nn/a.ts", false],
    ["training/a.ts", "../models/a.ts", false],
    ["training/a.ts", "../generation/a.ts", true],
    ["cli/a.ts", "../conformance/a.ts", false],
    ["cli/a.ts", "../bench/a.ts", false],
    ["web/a.ts", "../bench/a.ts", false],
    ["bench/a.ts", "../models/a.ts", false],
    ["cli/a.ts", "../web/web.ts", true],
    ["conformance/a.ts", "../cli/a.ts", true],
    ["index.ts", "./cli/a.ts", false],
    ["cli/a.ts", "../index.ts", true],
    ["attic/a.ts", "../tensor/a.ts", true],
    ["cli/a.ts", "../attic/a.ts", true],
  ]);
});

test("modules with parameters import no devices, files or platform", () => {
  const forbidden = ["nn", "blocks", "models"].flatMap((folder) =>
    ["../kernels/replay.ts", "../io/a.ts", "#host"].map((target): [string, string, boolean] => [
      `${folder}/a.ts`,
      target,
      true,
    ]),
  );
  expectReports(dependencies.layers, [
    ...forbidden,
    ["models/a.ts", "../masks/a.ts", false],
    ["cli/a.ts", "../io/a.ts", false],
  ]);
});

test("a package is imported from its own folders only", () => {
  expectReports(dependencies.packages, [
    ["tensor/a.ts", "ndarray", false],
    ["nn/a.ts", "ndarray", true],
    ["tensor/a.ts", "pure-rand/generator/x", true],
    ["io/a.ts", "ndarray-ops", true],
    ["kernels/gpu/a.ts", "gpu.js", false],
    ["kernels/a.ts", "gpu.js", true],
    ["kernels/gpu-two/a.ts", "gpu.js", true],
    ["io/tokenizers/a.ts", "@huggingface/tokenizers", false],
    ["io/a.ts", "@huggingface/tokenizers", true],
    ["cli/a.ts", "node:fs", false],
    ["host/a.ts", "node:fs", false],
    ["io/a.ts", "node:fs", true],
    ["bench/a.ts", "node:child_process", true],
    ["cli/a.ts", "fs", true],
    ["cli/a.ts", "@scope/name", true],
    ["tensor/a.ts", "./a", true],
  ]);
  expect(dependencies.packages(file("io/a.ts", "const x = await import(name);"))).toHaveLength(1);
  expect(dependencies.packages(file("io/a.ts", 'const x = require("node:fs");'))).toHaveLength(1);
});

test("only cli/terminal.ts writes to the streams of the command line", () => {
  const text = "process.stdout.write(a); process.stderr.write(b); stream.write(c); process.stdout.columns;";
  expect(content.streams(file("cli/a.ts", text))).toEqual([
    "cli/a.ts:1 stdout.write",
    "cli/a.ts:1 stderr.write",
  ]);
  expect(content.streams(file("cli/terminal.ts", text))).toEqual([]);
});

test("the platform is reached through #host only", () => {
  const host = { "host/host.ts": [], "host/node.ts": ["./host.ts"] };
  expect(dependencies.packages(importing({ ...host, "io/a.ts": ["#host"] }))).toEqual([]);
  expect(dependencies.packages(importing({ ...host, "io/a.ts": ["../host/node.ts"] }))).toHaveLength(1);
  expect(content.platform(file("io/a.ts", "process.cwd(); x.process; ({ process: 1 });"))).toEqual([
    "io/a.ts:1 process",
  ]);
  expect(content.platform(file("io/a.ts", "f({ process }); x[process]; (a = self) => a;"))).toHaveLength(3);
  expect(content.platform(file("cli/a.ts", "process.exitCode = 1"))).toEqual([]);
  expect(content.platform(file("io/a.ts", "globalThis.process.cwd(); globalThis.fetch();"))).toHaveLength(1);
  const declarations = [
    "function f(a: string, document: string) {}",
    "const document = 1;",
    "(document: string) => 1;",
    "({ document }: T) => 1;",
  ];
  for (const own of declarations)
    expect(content.platform(file("io/a.ts", `${own} document.slice(1);`))).toEqual([]);
});

test("a violation names file, line, import and reason", () => {
  const cases: [Check, string, string, string][] = [
    [dependencies.layers, "nn/a.ts", "../blocks/a.ts", "layer 2 does not import layer 3"],
    [dependencies.layers, "masks/a.ts", "../tensor/a.ts", "masks imports nothing but terminal"],
    [dependencies.layers, "io/a.ts", "../masks/a.ts", "io and masks share layer 1"],
    [dependencies.layers, "models/a.ts", "../io/a.ts", "a model is independent of its execution and storage"],
    [dependencies.layers, "attic/a.ts", "../io/a.ts", "the folder attic has no layer"],
    [dependencies.packages, "cli/a.ts", "../host/node.ts", "host is imported as #host"],
    [dependencies.packages, "io/a.ts", "node:fs", "node is used in host/, cli/, web/ only"],
    [dependencies.packages, "io/a.ts", "@a/b/c", "@a/b is used nowhere"],
    [dependencies.packages, "io/a.ts", "./b.ts", "there is no such file; relative imports end in .ts"],
    [dependencies.entries, "kernels/gpu/a.ts", "./index.ts", "files import files, not a folder's index"],
    [
      dependencies.entries,
      "cli/a.ts",
      "../index.ts",
      "src/index.ts is an entry of the package, imported by no file",
    ],
    [
      dependencies.entries,
      "web/a.ts",
      "../entries/masks.ts",
      "src/entries/masks.ts is an entry of the package, imported by no file",
    ],
    [
      dependencies.backends,
      "kernels/a.ts",
      "./gpu/a.ts",
      "of kernels, only kernels/auto.ts imports a backend",
    ],
  ];
  for (const [check, from, target, reason] of cases)
    expect(check(importing({ [from]: [target] }))).toEqual([`${from}:1 imports ${target}: ${reason}`]);
});

test("a circle of imports is reported once, from whichever file it is entered", () => {
  const plan = { "tensor/a.ts": ["./b.ts"], "tensor/b.ts": ["./c.ts"], "tensor/d.ts": ["./b.ts"] };
  expect(dependencies.cycles(importing(plan))).toEqual([]);
  expect(dependencies.cycles(importing({ ...plan, "tensor/c.ts": ["./b.ts"] }))).toEqual([
    "tensor/b.ts -> tensor/c.ts -> tensor/b.ts",
  ]);
  expect(dependencies.cycles(file("tensor/a.ts", 'import type { A } from "./a.ts";'))).toHaveLength(1);
});

test("an index that is not an entry, and an import of an entry from inside, are reported", () => {
  expectReports(dependencies.entries, [
    ["cli/a.ts", "../entries/masks.ts", true],
    ["entries/masks.ts", "../index.ts", true],
    ["entries/gpu.ts", "../kernels/gpu/index.ts", false],
    ["cli/a.ts", "../kernels/gpu/index.ts", false],
    ["kernels/gpu/a.ts", "./index.ts", true],
    ["cli/a.ts", "../index.ts", true],
    ["nn/index.ts", "./a.ts", true],
  ]);
});

test("an import of a backend from elsewhere in kernels is reported", () => {
  expectReports(dependencies.backends, [
    ["kernels/replay.ts", "./gpu/index.ts", true],
    ["kernels/auto.ts", "./simd/index.ts", false],
    ["kernels/simd/a.ts", "../gpu/matmul.ts", true],
    ["kernels/simd/a.ts", "./b.ts", false],
    ["kernels/simd/a.ts", "../backend.ts", false],
    ["cli/a.ts", "../kernels/gpu/index.ts", false],
  ]);
});

test("await and async are reported in folders without input and output", () => {
  const text =
    "// await\nconst a = async () => 'await'; x.await; ({ async: 1 });\nfor await (const y of z) {}\nawait 1;";
  for (const folder of ["tensor", "masks", "nn", "blocks", "models"])
    expect(content.asynchronous(file(`${folder}/a.ts`, text))).toEqual([
      `${folder}/a.ts:2 async`,
      `${folder}/a.ts:3 await`,
      `${folder}/a.ts:4 await`,
    ]);
  for (const folder of [
    "host",
    "io",
    "kernels",
    "conformance",
    "mask-report",
    "demos",
    "bench",
    "cli",
    "web",
  ])
    expect(content.asynchronous(file(`${folder}/a.ts`, text))).toEqual([]);
});

test("type assertions are distinguished from renames, negations and text", () => {
  const reported = (text: string) =>
    content.assertions(file("blocks/a.ts", text)).map((violation) => violation.split(" ").at(-1));
  const harmless = [
    'import { a as b } from "x";',
    'import * as b from "x";',
    "export { type T as U };",
    'export * as x from "y";',
    "const a = [1] as const;",
    "// as any",
    'const t = "x as any!";',
    "function f() { if (!a && a !== b) return !c; }",
    "masks.any(x); Array.any(1); const any1 = 1;",
  ];
  for (const text of harmless) expect([text, reported(text)]).toEqual([text, []]);
  expect(reported("const a = b as C;")).toEqual(["as"]);
  expect(reported("const a = { b: c as D };")).toEqual(["as"]);
  expect(reported("function f(x: any): any[] {}")).toEqual(["any", "any"]);
  expect(reported("a!.b; f()!; c[0]!.d; let e!: T;")).toEqual(["!", "!", "!", "!"]);
  expect(content.assertions(file("nn/a.ts", "x as any"))).toEqual([]);
});

test("a pattern with other spacing than one space between words is reported", () => {
  const reports = (text: string) => content.patterns(file("nn/a.ts", text)).length;
  for (const tidy of ["b l (h k) -> b h l k", "... d, o d -> ... o", "b d -> b 1 d", "b d -> (b d)"])
    expect([tidy, reports(`f("${tidy}")`)]).toEqual([tidy, 0]);
  const loose = [
    "b  l -> l",
    "b l->l",
    "b ( h k) -> b",
    "b (h k ) -> b",
    "b,c -> b c",
    "b , c -> b c",
    " b -> b",
    "b -> ",
  ];
  for (const text of loose) expect([text, reports(`f("${text}")`)]).toEqual([text, 1]);
  expect(reports('named("b  l", x)') + reports('let x: Tensor<"b  l">') + reports('let x: Bool<" b">')).toBe(
    3,
  );
  expect(reports('named("b l", x); let y: Tensor<"b l d">; f("a  sentence"); f("  [x.y]")')).toBe(0);
});

test("a thirteenth file in a folder is reported", () => {
  const folder = (count: number) =>
    paths(...Array.from({ length: count }, (_, i) => `nn/f${i}.ts`), "nn/x/y.ts");
  expect(layout.crowdedFolders(folder(12))).toEqual([]);
  expect(layout.crowdedFolders(folder(13))).toEqual(["nn/ has 13 files, more than 12"]);
  expect(layout.crowdedFolders(new Map([...folder(12), ["nn/f0.d.mts", ""]]))).toEqual([]);
});

test("a third file name with the same prefix is reported", () => {
  const reports = (...names: readonly string[]) => layout.sharedPrefixes(paths(...names));
  expect(reports("nn/gpu-a.ts", "nn/gpu-b.ts", "nn/gpus.ts", "blocks/gpu-c.ts")).toEqual([]);
  expect(reports("nn/gpu-a.ts", "nn/gpu-b.ts", "nn/gpu.ts")).toEqual([
    "nn/gpu-* is a folder: gpu-a, gpu-b, gpu",
  ]);
  expect(
    reports("spec/io/30-a.md", "spec/io/30-a.spec.ts", "spec/io/30-a-part.spec.ts", "spec/io/30-b.spec.ts"),
  ).toEqual([]);
  expect(reports("spec/io/30-a.md", "spec/io/30-a-b.spec.ts", "spec/io/31-a-c.spec.ts")).toHaveLength(1);
});

test("a function whose body has more than 60 lines is reported", () => {
  const body = (lines: number) => `{\n${"  x();\n".repeat(lines)}}`;
  const reports = (text: string, path = "nn/a.ts") => layout.longFunctions(file(path, text));
  const forms: [string, (body: string) => string][] = [
    ["f", (body) => `function f() ${body}`],
    ["f", (body) => `const f = () => ${body};`],
    ["f", (body) => `class A { f() ${body} }`],
    ["f", (body) => `const a = { f() ${body} };`],
    ["a function", (body) => `g(() => ${body});`],
  ];
  for (const name of ["describe", "describe.each([1])"]) {
    const group = `${name}("x", () => ${body(61)});`;
    expect([reports(group, "nn/a.spec.ts"), reports(group).length]).toEqual([[], 1]);
  }
  const test = `test("y", () => ${body(61)});`;
  expect(reports(`describe("x", () => {\n${test}\n});`, "nn/a.spec.ts")).toHaveLength(1);
  for (const [name, form] of forms) {
    expect(reports(form(body(60)))).toEqual([]);
    expect(reports(form(body(61)))).toEqual([`nn/a.ts:1 ${name} has 61 lines, more than 60`]);
  }
});

test("identifiers and file names with a renamed word are reported, other words are not", () => {
  const reports = (text: string, path = "nn/a.ts") => identifiers.renamedIdentifiers(file(path, text)).length;
  for (const name of [
    "crew",
    "crewSize",
    "theCrew",
    "CREW_SIZE",
    "geluSlope",
    "sumTo",
    "wakeUp",
    "Contestant",
  ])
    expect([name, reports(`const ${name} = 1;`)]).toEqual([name, 1]);
  for (const name of ["screw", "consumTo", "checkTotal", "awake", "unheardOf"])
    expect([name, reports(`const ${name} = 1;`)]).toEqual([name, 0]);
  expect(reports("class A { #crew = 1; }")).toBe(1);
  expect(reports("", "nn/thread-crew.ts")).toBe(1);
  expect(reports("// crew")).toBe(0);
  expect(identifiers.renamedWords(file("a.ts", '// The Crew.\ntest("of the house", f); screw();'))).toEqual([
    "a.ts:2 the house",
    "a.ts:1 Crew",
  ]);
  expect(identifiers.renamedProse(file("a.md", "x\na census\nthe household"))).toEqual(["a.md:2 census"]);
});

test("code in another language than TypeScript is reported", () => {
  const all = new Map([...readTree(["src"], /./)].map(([path, text]) => [path.slice("src/".length), text]));
  expect(content.otherFiles(all)).toEqual([]);
  const planted = ["nn/a.mjs", "nn/a.mts", "nn/a.js", "web/a.mjs", "nn/a.css"];
  expect(content.otherFiles(paths("nn/a.ts", "web/a.css", ...planted))).toEqual(planted);
});

test("file names are kebab-case", () => {
  const names = [
    "nn/layer-norm.ts",
    "kernels/simd/matmul.as.ts",
    "nn/LayerNorm.ts",
    "nn/layer_norm.ts",
    "nn/-a.ts",
  ];
  expect(content.fileNames(paths(...names))).toEqual(names.slice(2));
});

test("a comment on the first line or a doc comment describes a file", () => {
  const reports = (text: string) => content.headers(file("nn/a.ts", text)).length;
  expect([reports("// What it is.\na();"), reports("a();\n/** What b is. */\nb();")]).toEqual([0, 0]);
  expect([reports("a();\n// aside\nb();"), reports("")]).toEqual([1, 1]);
});

test("every test of this repository runs", () => {
  expect(content.inactiveTests(spec)).toEqual([]);
  const text = 'test.skip("x", f); describe.only("y", f); it.todo("z"); test.each([1])("w", f); a.skip(1);';
  expect(content.inactiveTests(file("a.spec.ts", text))).toEqual(
    ["skip", "only", "todo"].map((w) => `a.spec.ts:1 ${w}`),
  );
});

test("tests make no temporary folders by themselves", () => {
  expect(content.temporaryFolders(spec)).toEqual([]);
  const text =
    'import { tmpdir } from "node:os";\nfs.mkdtempSync("a"); await mkdtemp(`b`); "mkdtemp"; // mkdtemp';
  expect(content.temporaryFolders(file("spec/a.spec.ts", text))).toEqual([
    "spec/a.spec.ts:1 tmpdir",
    "spec/a.spec.ts:2 mkdtempSync",
    "spec/a.spec.ts:2 mkdtemp",
  ]);
});

describe("a temporary folder", () => {
  let folder = "";
  describe("in use", () => {
    folder = temporary();
    test("exists while tests run, with the files that they write", () => {
      writeFileSync(join(folder, "file"), "");
      expect(readdirSync(folder)).toEqual(["file"]);
    });
  });
  test("is removed after them", () => expect(existsSync(folder)).toBe(false));
});

describe("sources as syntax trees", () => {
  test("every form of import is found, and text that looks like one is not", () => {
    const text = [
      '#!/usr/bin/env node\nimport a, { type b as c, d } from "1";import"2"',
      'import type { T } from "3"; import type from "4"; import * as e from "5";',
      'export { f, g as default } from "6"; export * from "7"; export * as h from "8"; export type { U } from "9";',
      'const i = await import("10"); type V = import("11").V; const j = import(`12`); import(k);',
      '// import "no"\n/* import "no" */ const l = \'import "no"\'; const m = `import "no" §{import("13")} import "no"`;',
      'const n = /import "no"/; const o = 1 / 2; const p = o / import("14") / 3; x.import("no"); export const q = "no";',
      'const r = { from: "no" }; export { r }; "no"; Array.from("no"); export default import.meta.url; require("no");',
      'if (s) /"/.test(s); const t = [/[/"]/, /\\//]; import { u } from "15"; // "',
    ].join("\n");
    const found = imports(parse("a.ts", text.replaceAll("§", "$"))).map(({ specifier }) => specifier);
    const targets = [
      "1",
      "2",
      "3",
      "4",
      "5",
      "6",
      "7",
      "8",
      "9",
      "10",
      "11",
      null,
      null,
      "13",
      "14",
      null,
      "15",
    ];
    expect(found).toEqual(targets);
  });

  test("a syntax error is reported with file and line", () => {
    expect(() => parse("nn/a.ts", "\nconst a = ;")).toThrow(/^nn\/a\.ts:2 /);
  });

  test("decorators of AssemblyScript are skipped without moving anything", () => {
    const text = "// é\n@inline\nexport function f(): i32 { return 1; } // [a.b]\n";
    const { comments } = parse("a.as.ts", text);
    expect(comments.map(({ value, start }) => [value, lineOf(text, start)])).toEqual([
      [" é", 1],
      [" [a.b]", 3],
    ]);
  });

  test("strings are found with their values, comments are blanked", () => {
    const source = parse("a.ts", 'f("a\\n", `b§{c}d`); // "e"\ntype T = "g";'.replace("§", "$"));
    expect(strings(source).map(({ value, opens }) => [value, opens])).toEqual([
      ["a\n", true],
      ["b", true],
      ["d", false],
      ["g", true],
    ]);
    expect(withoutComments(source)).toBe('f("a\\n", `b§{c}d`);       \ntype T = "g";'.replace("§", "$"));
  });
});
