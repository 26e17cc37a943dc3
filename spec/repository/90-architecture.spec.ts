// The executable half of 90-house.md. Each law is shown a planted house first, to see that it catches what it is for.
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseAst } from "vitest/node";
import * as words from "../support/architecture/files.ts";
import * as law from "../support/architecture/imports.ts";
import { codeLines, imports, tokens } from "../support/architecture/scan.mjs";
import { readTree } from "../support/architecture/tree.mjs";
import { temporary } from "../support/fixtures/temporary.ts";

const src = new Map([...readTree(["src"], /\.ts$/)].map(([path, text]) => [path.slice("src/".length), text]));
const spec = readTree(["spec"], /\.(ts|mjs)$/);

/** Files that need more than the budget, and how many lines they may have. */
const LONGER = {};

/** A house in which each file imports what is listed. */
const house = (plan: Readonly<Record<string, readonly string[]>>): law.Files =>
  new Map(
    Object.entries(plan).map(([path, targets]) => [path, targets.map((t) => `import "${t}";`).join("\n")]),
  );
const file = (path: string, text: string): law.Files => new Map([[path, text]]);

/** For each line of `imports`: "folder/file imports target", whether the law `judge` has anything to say. */
function expectVerdicts(judge: (files: law.Files) => string[], cases: readonly [string, string, boolean][]) {
  const told = cases.map(([from, target]) => judge(house({ [from]: [target] })).length > 0);
  expect(cases.map(([from, target], i) => [from, target, told[i]])).toEqual(cases);
}

const lawful: [string, (files: law.Files) => string[]][] = [
  ["src keeps the law", law.floors],
  ["src keeps the law", law.outside],
  ["src keeps the law", law.cycles],
  ["src keeps the law", law.barrels],
  ["src keeps the law", law.backends],
  ["src keeps the law", words.waiting],
  ["src keeps the law", words.machine],
  ["src keeps the law", words.assertions],
  ["src keeps the law", words.patterns],
  ["src keeps the law", (files) => words.budget(files, LONGER)],
  ["src keeps the law", words.names],
  ["src keeps the law", words.headers],
];
for (const [title, judge] of lawful) test(title, () => expect(judge(src)).toEqual([]));

test("up is forbidden, down is not, and neighbours are strangers", () => {
  expectVerdicts(law.floors, [
    ["tensor/a.ts", "../masks/a.ts", true],
    ["tensor/a.ts", "./b.ts", false],
    ["masks/a.ts", "../tensor/a.ts", true],
    ["masks/a.ts", "../terminal/a.ts", false],
    ["masks/a.ts", "#host", true],
    ["host/a.ts", "../tensor/a.ts", false],
    ["host/a.ts", "../io/a.ts", true],
    ["io/a.ts", "#host", false],
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

test("nothing that has parameters knows devices, files or the machine", () => {
  const folders = ["nn", "blocks", "models"].flatMap((folder) =>
    ["../kernels/replay.ts", "../io/a.ts", "#host"].map((target): [string, string, boolean] => [
      `${folder}/a.ts`,
      target,
      true,
    ]),
  );
  expectVerdicts(law.floors, [
    ...folders,
    ["models/a.ts", "../masks/a.ts", false],
    ["cli/a.ts", "../io/a.ts", false],
  ]);
});

test("what is not ours has one home", () => {
  expectVerdicts(law.outside, [
    ["tensor/a.ts", "ndarray", false],
    ["nn/a.ts", "ndarray", true],
    ["tensor/a.ts", "pure-rand/generator/x", false],
    ["io/a.ts", "ndarray-ops", true],
    ["kernels/gpu/a.ts", "gpu.js", false],
    ["kernels/a.ts", "gpu.js", true],
    ["kernels/gpu-two/a.ts", "gpu.js", true],
    ["cli/a.ts", "node:fs", false],
    ["host/a.ts", "node:fs", false],
    ["io/a.ts", "node:fs", true],
    ["cli/a.ts", "fs", true],
    ["cli/a.ts", "@scope/name", true],
    ["tensor/a.ts", "./a", true],
  ]);
  expect(law.outside(file("io/a.ts", "const x = await import(name);"))).toHaveLength(1);
  expect(law.outside(file("io/a.ts", 'const x = require("node:fs");'))).toHaveLength(1);
});

test("#host is the only way to the machine", () => {
  const host = { "host/host.ts": [], "host/node.ts": ["./host.ts"] };
  expect(law.outside(house({ ...host, "io/a.ts": ["#host"] }))).toEqual([]);
  expect(law.outside(house({ ...host, "io/a.ts": ["../host/node.ts"] }))).toHaveLength(1);
  expect(words.machine(file("io/a.ts", "process.cwd(); x.process; ({ process: 1 });"))).toEqual([
    "io/a.ts:1 process",
  ]);
  expect(words.machine(file("cli/a.ts", "process.exitCode = 1"))).toEqual([]);
  for (const own of ["function f(a: string, document: string)", "const document =", "(document: string) =>"])
    expect(words.machine(file("io/a.ts", `${own} {}; document.slice(1);`))).toEqual([]);
});

test("a violation says where and why", () => {
  const told: [(files: law.Files) => string[], string, string, string][] = [
    [law.floors, "nn/a.ts", "../blocks/a.ts", "layer 2 does not import layer 3"],
    [law.floors, "masks/a.ts", "../tensor/a.ts", "masks imports nothing but terminal"],
    [law.floors, "io/a.ts", "../masks/a.ts", "io and masks share layer 1"],
    [law.floors, "models/a.ts", "../io/a.ts", "a model does not know how it is executed or stored"],
    [law.floors, "attic/a.ts", "../io/a.ts", "the folder attic has no layer"],
    [law.outside, "cli/a.ts", "../host/node.ts", "#host is the door"],
    [
      law.outside,
      "io/a.ts",
      "node:fs",
      "node is used in host/, cli/, web/, conformance/adapters/, bench/ only",
    ],
    [law.outside, "io/a.ts", "@a/b/c", "@a/b is used nowhere"],
    [law.outside, "io/a.ts", "./b.ts", "there is no such file; relative imports end in .ts"],
    [law.barrels, "cli/a.ts", "../masks/index.ts", "files import files, not a folder's index"],
    [law.barrels, "cli/a.ts", "../index.ts", "nothing imports the list of everything public"],
    [law.backends, "kernels/a.ts", "./gpu/a.ts", "a backend is known to those who choose it"],
  ];
  for (const [judge, from, target, why] of told)
    expect(judge(house({ [from]: [target] }))).toEqual([`${from}:1 imports ${target}: ${why}`]);
});

test("a circle is found and told, whoever comes first", () => {
  const plan = { "tensor/a.ts": ["./b.ts"], "tensor/b.ts": ["./c.ts"], "tensor/d.ts": ["./b.ts"] };
  expect(law.cycles(house(plan))).toEqual([]);
  expect(law.cycles(house({ ...plan, "tensor/c.ts": ["./b.ts"] }))).toEqual([
    "tensor/b.ts -> tensor/c.ts -> tensor/b.ts",
  ]);
  expect(law.cycles(file("tensor/a.ts", 'import type { A } from "./a.ts";'))).toHaveLength(1);
});

test("an index is an entry and no shortcut", () => {
  expectVerdicts(law.barrels, [
    ["index.ts", "./masks/index.ts", false],
    ["cli/a.ts", "../masks/index.ts", true],
    ["masks/a.ts", "./index.ts", true],
    ["cli/a.ts", "../kernels/gpu/index.ts", false],
    ["kernels/gpu/a.ts", "./index.ts", true],
    ["cli/a.ts", "../index.ts", true],
    ["nn/index.ts", "./a.ts", true],
  ]);
});

test("a backend can be deleted", () => {
  expectVerdicts(law.backends, [
    ["kernels/replay.ts", "./gpu/index.ts", true],
    ["kernels/auto.ts", "./simd/index.ts", false],
    ["kernels/simd/a.ts", "../gpu/matmul.ts", true],
    ["kernels/simd/a.ts", "./b.ts", false],
    ["kernels/simd/a.ts", "../backend.ts", false],
    ["cli/a.ts", "../kernels/gpu/index.ts", false],
  ]);
});

test("waiting is a word of the upper floors", () => {
  const text =
    "// await\nconst a = async () => 'await'; x.await; ({ async: 1 });\nfor await (const y of z) {}";
  for (const folder of ["tensor", "masks", "nn", "blocks", "models"])
    expect(words.waiting(file(`${folder}/a.ts`, text))).toEqual([
      `${folder}/a.ts:2 async`,
      `${folder}/a.ts:3 await`,
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
    expect(words.waiting(file(`${folder}/a.ts`, text))).toEqual([]);
});

test("assertions are told from renames, negations and words in text", () => {
  const told = (text: string) =>
    words.assertions(file("blocks/a.ts", text)).map((found) => found.split(" ").at(-1));
  const harmless = [
    'import { a as b } from "x";',
    'import * as b from "x";',
    "export { type T as U };",
    'export * as x from "y";',
    "const a = [1] as const;",
    "// as any",
    'const t = "x as any!";',
    "if (!a && a !== b) return !c;",
    "masks.any(x); Array.any(1); const any1 = 1;",
  ];
  for (const text of harmless) expect([text, told(text)]).toEqual([text, []]);
  expect(told("const a = b as C;")).toEqual(["as"]);
  expect(told("const a = { b: c as D };")).toEqual(["as"]);
  expect(told("function f(x: any): any[] {}")).toEqual(["any", "any"]);
  expect(told("a!.b; f()!; c[0]!.d; let e!: T;")).toEqual(["!", "!", "!", "!"]);
  expect(words.assertions(file("nn/a.ts", "x as any"))).toEqual([]);
});

test("one space between words, none inside brackets", () => {
  const told = (text: string) => words.patterns(file("nn/a.ts", text)).length;
  for (const tidy of ["b l (h k) -> b h l k", "... d, o d -> ... o", "b d -> b 1 d", "b d -> (b d)", "b -> "])
    expect([tidy, told(`f("${tidy}")`)]).toEqual([tidy, tidy.endsWith(" ") ? 1 : 0]);
  const loose = [
    "b  l -> l",
    "b l->l",
    "b ( h k) -> b",
    "b (h k ) -> b",
    "b,c -> b c",
    "b , c -> b c",
    " b -> b",
  ];
  for (const text of loose) expect([text, told(`f("${text}")`)]).toEqual([text, 1]);
  expect(told('named("b  l", x)') + told('const x: Tensor<"b  l">') + told('const x: Bool<" b">')).toBe(3);
  expect(told('named("b l", x); const x: Tensor<"b l d">; f("a  sentence"); f("  [x.y]")')).toBe(0);
});

test("only lines with code on them count", () => {
  const text = "// a\n\n/**\n * b\n */\nconst a = 1; // c\nconst b = `\n\n  d`; /* e\n */ f();\n";
  expect([...codeLines(tokens(text))]).toEqual([6, 7, 9, 10]);
  const long = (lines: number): law.Files => file("nn/a.ts", "x();\n".repeat(lines));
  expect([words.budget(long(150)), words.budget(long(151))].map((told) => told.length)).toEqual([0, 1]);
  expect(words.budget(long(151), { "nn/a.ts": 151 })).toEqual([]);
  expect(words.budget(long(152), { "nn/a.ts": 151 })).toHaveLength(1);
  expect(words.budget(long(150), { "nn/a.ts": 151 })).toHaveLength(1);
});

test("kebab-case", () => {
  const names = [
    "nn/layer-norm.ts",
    "kernels/simd/matmul.as.ts",
    "nn/LayerNorm.ts",
    "nn/layer_norm.ts",
    "nn/-a.ts",
  ];
  expect(words.names(new Map(names.map((name) => [name, ""])))).toEqual(names.slice(2));
});

test("a first line or a doc comment will do", () => {
  const told = (text: string) => words.headers(file("nn/a.ts", text)).length;
  expect([told("// What it is.\na();"), told("a();\n/** What b is. */\nb();")]).toEqual([0, 0]);
  expect([told("a();\n// aside\nb();"), told("")]).toEqual([1, 1]);
});

test("every test of this repository runs", () => {
  expect(words.sleeping(spec)).toEqual([]);
  const idle = 'test.skip("x", f); describe.only("y", f); it.todo("z"); test.each([1])("w", f); a.skip(1);';
  expect(words.sleeping(file("a.spec.ts", idle))).toEqual(
    ["skip", "only", "todo"].map((w) => `a.spec.ts:1 ${w}`),
  );
});

test("tests make no temporary folders by themselves", () => {
  expect(words.littering(spec)).toEqual([]);
  const text =
    'import { tmpdir } from "node:os";\nfs.mkdtempSync("a"); await mkdtemp(`b`); "mkdtemp"; // mkdtemp';
  expect(words.littering(file("spec/a.spec.ts", text))).toEqual([
    "spec/a.spec.ts:1 tmpdir",
    "spec/a.spec.ts:2 mkdtempSync",
    "spec/a.spec.ts:2 mkdtemp",
  ]);
});

describe("a temporary folder", () => {
  let folder = "";
  describe("in use", () => {
    folder = temporary();
    test("it is there while tests run, with what they write", () => {
      writeFileSync(join(folder, "file"), "");
      expect(readdirSync(folder)).toEqual(["file"]);
    });
  });
  test("it is gone when they are over", () => expect(existsSync(folder)).toBe(false));
});

test("imports are found wherever they hide, and nowhere else", () => {
  const found = (text: string) => imports(tokens(text)).map(({ specifier }) => specifier);
  const text = [
    '#!/usr/bin/env node\nimport a, { type b as c, d } from "1";import"2"',
    'import type { T } from "3"; import type from "4"; import * as e from "5";',
    'export { f, g as default } from "6"; export * from "7"; export * as h from "8"; export type { U } from "9";',
    'const i = await import("10"); type V = import("11").V; const j = import(`12`); import(k);',
    '// import "no"\n/* import "no" */ const l = \'import "no"\'; const m = `import "no" §{import("13")} import "no"`;',
    'const n = /import "no"/; const o = 1 / 2; const p = o / import("14") / 3; x.import("no"); export const q = "no";',
    'const r = { from: "no" }; export { r }; "no"; Array.from("no"); export default import.meta.url; const s = `§{`}`}`;',
    'if (s) /"/.test(s); const t = [/[/"]/, /\\//]; import { u } from "15"; // "',
  ];
  const numbers = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", null, null, "13", "14", "15"];
  expect(found(text.join("\n").replaceAll("§", "$"))).toEqual(numbers);
  for (const open of ['"a', "'a\n'", "`a§{1}"])
    expect(() => tokens(`\n${open.replace("§", "$")}`)).toThrow(/^line 2: .*no end$/);
});

test("the scanner and a full parser find the same imports in every file", () => {
  const kinds = ["ImportDeclaration", "ExportNamedDeclaration", "ExportAllDeclaration", "ImportExpression"];
  const parsed = (text: string): unknown[] => {
    const found: unknown[] = [];
    const visit = (node: unknown): void => {
      if (typeof node !== "object" || node === null) return;
      const { type, source } = node as { type?: string; source?: { value?: unknown } | null };
      if (type !== undefined && kinds.includes(type) && source) found.push(source.value ?? null);
      for (const child of Object.values(node)) visit(child);
    };
    visit(parseAst(text.replace(/^@inline$/gm, ""), { lang: "ts" })); // AssemblyScript lets functions be decorated
    return found.sort();
  };
  for (const [path, text] of [...src, ...spec]) {
    const scanned = imports(tokens(text)).map(({ specifier }) => specifier);
    expect([path, scanned.sort()]).toEqual([path, parsed(text)]);
  }
});
