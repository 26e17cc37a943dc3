// The executable half of 94-examples.md. `npm run test:docs -- --full` sets the variables of the environment below.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readTree } from "../../support/architecture/tree.mjs";
import { blocksOf } from "../../support/documents/blocks.ts";
import { FIXTURES, makeFolders } from "../../support/documents/fixtures.ts";
import { difference, formOf } from "../../support/documents/output.ts";
import { type Result, runPage } from "../../support/documents/page.ts";
import { SCAFFOLDS } from "../../support/documents/scaffolds.ts";
import { type Mode, places, REASONS, SUBSTITUTIONS } from "../../support/documents/substitutions.ts";
import { typeErrors } from "../../support/documents/types.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const mode: Mode = process.env.DOCUMENTS === "full" ? "full" : "quick";
const python = process.env.DOCUMENTS_PYTHON ?? null;
const smollm2 = process.env.DOCUMENTS_SMOLLM2 ?? null;
const selected = process.env.DOCUMENTS_PAGES?.split(" ");

/** Pages that a program writes from the source and that spec/repository/api/97-api.spec.ts holds to it. */
const GENERATED = /^docs\/api\//;

const pages = [...readTree(["README.md", "docs"], /\.md$/)]
  .filter(([path]) => !GENERATED.test(path))
  .filter(([path]) => selected?.includes(path) ?? true)
  .map(([path, text]) => ({ path, ...blocksOf(path, text) }));
const folder = temporary();
const results: Result[] = [];

beforeAll(() => makeFolders(join(folder, "made"), smollm2));

test("every code block has a role", () => {
  expect(pages.flatMap(({ problems }) => problems)).toEqual([]);
});

test("blocks of TypeScript compile", () => {
  const typescript = pages.map(
    ({ path, blocks }) =>
      [path, blocks.filter(({ role, language }) => role === "run" && language === "ts")] as const,
  );
  const found = typeErrors(join(folder, "types"), new Map(typescript.filter(([, { length }]) => length > 0)));
  expect(found).toEqual([]);
});

const every = [...readTree(["README.md", "docs"], /\.md$/)].map(([path, text]) => ({
  path,
  ...blocksOf(path, text),
}));
const runs = every.flatMap(({ blocks }) => blocks).filter(({ role }) => role === "run");

test("every substitution is used, and has a reason for commands of its form", () => {
  for (const substitution of SUBSTITUTIONS) {
    const found = runs.flatMap(({ text }) =>
      [...text.matchAll(places(substitution))].map(([match]) => match),
    );
    expect(found, String(substitution.command)).not.toEqual([]);
    for (const command of found) expect(command).toMatch(REASONS[substitution.reason]);
  }
});

test("only commands that install, build, test, or compare with PyTorch do not run at all", () => {
  const idle = SUBSTITUTIONS.filter(({ quick }) => quick.script === null).map(({ reason }) => reason);
  expect([...new Set(idle)].sort()).toEqual([
    "builds dist/, which the tests are using",
    "compares with PyTorch for minutes",
    "installs packages",
    "is the run of the tests itself",
  ]);
  expect(SCAFFOLDS.filter(({ compiled }) => compiled).map(({ block }) => block)).toEqual([
    "new LanguagePerceiver",
  ]);
});

test("every scaffold surrounds one block, and a page names every file that it expects of its reader", () => {
  for (const { page, block } of SCAFFOLDS)
    expect(
      runs.filter(({ path, text }) => path === page && text.includes(block)),
      block,
    ).toHaveLength(1);
  const unnamed = FIXTURES.filter(
    ({ page, path }) => !runs.some((one) => one.path === page && one.text.includes(path)),
  );
  expect(unnamed).toEqual([]);
});

test("a block of another language, one that nothing prints, and code without a fence are reported", () => {
  const problems = (...lines: readonly string[]) => blocksOf("a.md", lines.join("\n")).problems;
  expect(problems("```rust", "fn main() {}", "```")[0]).toMatch(/^a\.md:1 the language "rust"/);
  expect(problems("text", "", "```", "a picture", "```")[0]).toMatch(/^a\.md:3 it is behind no block/);
  expect(problems("```sh", "ls", "```", "```", "a", "```", "```text", "b", "```")[0]).toMatch(
    /^a\.md:7 it is behind/,
  );
  expect(problems("text", "", "    code")[0]).toMatch(/^a\.md:3 an indented code block/);
  expect(problems("- item", "", "  ~~~~c", "  int x;", "  ~~~~")[0]).toMatch(/^a\.md:3 the language "c"/);
  expect(problems("```sh", "ls")[0]).toMatch(/^a\.md:1 the fence has no end/);
  expect(
    problems("```sh", "ls", "```", "```", "a", "```", "<!-- illustration -->", "```", "b", "```"),
  ).toEqual([]);
  expect(problems("<!-- illustration -->", "```sh", "ls", "```")).toHaveLength(1);
});

test("an output is compared exactly, but for elided lines and what it says that varies", () => {
  const equal = (shown: string, printed: string, varies?: string) =>
    difference(shown, printed, formOf(varies)) === null;
  expect([equal("a\nb", "a \nb\n\n"), equal("a", "a\nb"), equal("a\nb", "a"), equal("a  b", "a b")]).toEqual([
    true,
    false,
    false,
    false,
  ]);
  expect([equal("a\n…\nd", "a\nb\nc\nd"), equal("a\n…\nd", "a\nb\nc"), equal("…\nd", "a\nd")]).toEqual([
    true,
    false,
    true,
  ]);
  expect([
    equal("in 0.7 s", "in 12.1 s", "times"),
    equal("in 0.7 s", "in 12.1 s"),
    equal("7 in 1 s", "8 in 1 s", "times"),
  ]).toEqual([true, false, false]);
  expect(difference("a\nb\nc", "a\nx\nc", formOf(undefined))?.line).toBe(2);
  expect(() => equal("a", "b", "weather")).toThrow(/weather/);
});

describe("the blocks of a page run and print what it shows", () => {
  const running = pages.filter(({ blocks }) => blocks.some(({ role }) => role === "run"));
  test.each(running)("$path", { timeout: 600_000 }, async ({ path, blocks }) => {
    const own = join(folder, path.replaceAll("/", "-"));
    mkdirSync(own);
    const found = await runPage(blocks, { mode, folder: own, made: join(folder, "made"), python });
    results.push(...found);
    const problems = found.flatMap(({ block, problem }) =>
      problem === null ? [] : [`${block.path}:${block.line} ${problem}`],
    );
    expect(problems).toEqual([]);
  });
});

/** What was run, a line for each kind of verdict. */
afterAll(() => {
  const count = (verdict: string) => results.filter((one) => one.verdict === verdict).length;
  const kinds = ["exactly", "shortened", "declared", "left to --full"].map(
    (kind) => `${kind}: ${count(kind)}`,
  );
  console.log(`blocks of documents run ${kinds.join(", ")}`);
});
