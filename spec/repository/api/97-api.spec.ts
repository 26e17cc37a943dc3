// The executable half of 97-api.md. Sizes in the calls are all different, so that a shape with exchanged axes does not fit.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { documented, findings, outdated, pages } from "../../support/api/reference.mjs";
import { calls, refused } from "../../support/api/sample/calls.ts";
import { disagreement } from "../../support/api/sample/shapes.ts";
import { readTree } from "../../support/architecture/tree.mjs";
import { folders } from "../../support/fixtures/temporary.ts";

const made = pages();
const known = documented();

test("the pages equal what the docstrings make of them; npm run api writes them", () => {
  expect(outdated(made)).toEqual([]);
  expect(made.size).toBeGreaterThan(4);
});

test("every export of every entry has a docstring, with what its kind needs", () => {
  expect(findings()).toEqual([]);
  expect(known.size).toBeGreaterThan(300);
});

const shapesOf = (name: string): readonly string[] => {
  const [top = "", member] = name.split(".");
  const lines = known.get(top)?.shapes ?? [];
  return member === undefined ? lines : lines.filter((line) => line.startsWith(`\`${member}\`: `));
};

test.each(calls)("the shapes of $name are those of a call", ({ name, given, result }) => {
  const lines = shapesOf(name);
  expect(lines).toHaveLength(1);
  expect(lines.map((line) => disagreement(line, given, result))).toEqual([null]);
});

test("at least forty shapes and twenty-five errors are compared with calls", () => {
  expect(calls.length).toBeGreaterThanOrEqual(40);
  expect(refused.length).toBeGreaterThanOrEqual(25);
});

test.each(refused)(
  "$name throws the error that its docstring names: $error",
  async ({ name, error, call }) => {
    expect([...(known.get(name)?.errors ?? [])]).toContain(error);
    const thrown = await Promise.resolve()
      .then(call)
      .then(
        () => null,
        (caught: unknown) => caught,
      );
    expect((thrown as Error | null)?.name).toBe(error);
  },
);

test("every link between pages leads to a heading, and every other one to a file", () => {
  const files = new Set(readTree(["src", "spec", "docs"], /\.(ts|md)$/).keys());
  const headings = new Map([...made].map(([path, text]) => [path, anchorsOf(text)]));
  const dead = [...made].flatMap(([page, text]) =>
    [...text.replace(/```[\s\S]*?```/g, "").matchAll(/\]\((?!https:)([^)#]*)(?:#([^)]*))?\)/g)].flatMap(
      ([link, path = "", anchor]) => {
        const target = path === "" ? page : path;
        const isPage = headings.has(target);
        const found = isPage
          ? anchor === undefined || headings.get(target)?.has(anchor)
          : files.has(join("docs/api", path));
        return found ? [] : [`${page}: ${link}`];
      },
    ),
  );
  expect(dead).toEqual([]);
});

/** The anchors that GitHub gives to headings: letters in lower case, blanks as hyphens, repetitions numbered. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of text.replace(/```[\s\S]*?```/g, "").matchAll(/^#+ (.*)$/gm)) {
    const base = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-");
    let anchor = base;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${base}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}

const fresh = folders();
/** A package of one entry with one source, and what its docstrings lack. `declared` is what tsc would emit. */
function lacking(path: string, declared: string, source = declared.replaceAll("declare ", "")): string[] {
  const root = fresh();
  const files = {
    "package.json": JSON.stringify({ name: "a", exports: { ".": { types: "./dist/index.d.ts" } } }),
    "dist/index.d.ts": `export * from "./${path}.ts";\n`,
    "src/index.ts": "// An entry.\nexport {};\n",
    [`dist/${path}.d.ts`]: declared,
    [`src/${path}.ts`]: source,
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return findings(root);
}

test("a missing description is reported, of types too", () => {
  for (const declared of ["export declare const a: number;", "export type a = 1;", "export interface a {}"]) {
    const commented = (comment: string) =>
      lacking("nn/linear", `${comment}\n${declared}\n`, "export const a = 1;\n");
    expect(commented("")).toEqual(["src/nn/linear.ts a has no docstring"]);
    expect(commented("/** Shapes: `b`. */")).toHaveLength(1);
    expect(commented("// A.")).toHaveLength(1);
    expect(commented("/** A. */")).toEqual([]);
  }
});

test("missing shapes are reported unless the types spell out every axis", () => {
  const f = (types: string, doc = "A.") =>
    lacking("nn/linear", `/** ${doc} */\nexport declare function f(${types};\n`, "export function f() {}\n");
  const missing = ["src/nn/linear.ts f does not name its shapes"];
  expect(f('x: Tensor<"b d">): Tensor<"b">')).toEqual([]);
  expect(f("n: number): Map<string, Tensor>")).toEqual([]);
  expect(f("x: Tensor): number")).toEqual(missing);
  expect(f('x: Tensor<"b d">): Promise<Tensor>')).toEqual(missing);
  expect(f("x: Tensor<A>): number")).toEqual(missing);
  expect(f("x: Tensor): Tensor", "A.\n * Shapes: x `b` → `b`.")).toEqual([]);
});

test("an error that a function throws, directly or in a function of its file, is to be named", () => {
  const f = (body: string, doc = "A.") =>
    lacking(
      "nn/linear",
      `/** ${doc} */\nexport declare function f(): void;\n`,
      `export function f() { ${body} }\nfunction g() { throw new LoadError("a"); }\nconst h = () => g();\n`,
    );
  const missing = ["src/nn/linear.ts f does not name the LoadError that it throws"];
  expect(f("return 1;")).toEqual([]);
  expect(f('throw new LoadError("a");')).toEqual(missing);
  expect(f("h();")).toEqual(missing);
  expect(f("h();", "Throws a RuleError.")).toEqual(missing);
  expect(f("h();", "A LoadError.")).toEqual(missing);
  expect(f("h();", "Throws a LoadError.")).toEqual([]);
  expect(f("h();", "Throws as `g` does.")).toEqual([]);
  expect(f("try { h(); } catch {}")).toEqual([]);
  expect(f('try { h(); } catch { throw new RuleError("a"); }', "Throws a RuleError.")).toEqual([]);
  expect(f('throw new Bug("a");')).toEqual([]);
});

test("an error of a method is named by the method or by its class", () => {
  const c = (doc: string, ofMethod: string) =>
    lacking(
      "kernels/auto",
      `/** ${doc} */\nexport declare class C {\n  /** ${ofMethod} */\n  f(): void;\n}\n`,
      'export class C {\n  f() { this.#g(); }\n  #g() { throw new LoadError("a"); }\n}\n',
    );
  expect(c("A.", "B.")).toEqual(["src/kernels/auto.ts C.f does not name the LoadError that it throws"]);
  expect(c("Throws a LoadError.", "B.")).toEqual([]);
  expect(c("A.", "Throws a LoadError.")).toEqual([]);
});

test("modules without a source and files without a topic are reported", () => {
  const c = (doc: string) => `/** ${doc} */\nexport declare class C {}\n`;
  expect(lacking("nn/linear", c("A."))).toEqual(["src/nn/linear.ts C does not name its source"]);
  expect(lacking("nn/linear", c("A.\n * Source: B."))).toEqual([]);
  expect(lacking("kernels/auto", c("A."))).toEqual([]);
  expect(lacking("other/file", c("A."))).toEqual([
    "src/other/file.ts C has no topic in spec/support/api/pages/topics.mjs",
  ]);
});

test("a shape that does not fit a call is noticed", () => {
  const line = "`forward`: x `b l d`, media `b m e` → `b l d`.";
  const given = { x: [2, 3, 5], media: [2, 7, 11] };
  expect(disagreement(line, given, [[2, 3, 5]])).toBeNull();
  expect(disagreement(line, given, [[2, 5, 3]])).toContain("`b l d`");
  expect(disagreement(line, given, [[2, 3]])).toContain("`b l d`");
  expect(disagreement(line, { x: [2, 3, 5], media: [3, 7, 11] }, [[2, 3, 5]])).toContain("media");
  expect(disagreement(line, { x: [2, 3, 5] }, [[2, 3, 5]])).toContain("media");
  expect(disagreement("x `... d` → `...`.", { x: [2, 3, 5] }, [[2, 3]])).toBeNull();
  expect(disagreement("x `... d` → `...`.", { x: [2, 3, 5] }, [[3, 2]])).toContain("`...`");
  expect(disagreement("x `b (n e)` → `b n e`.", { x: [2, 15] }, [[2, 3, 5]])).toBeNull();
  expect(disagreement("x `b (n e)` → `b n e`.", { x: [2, 15] }, [[2, 3, 4]])).toContain("`b (n e)`");
});
