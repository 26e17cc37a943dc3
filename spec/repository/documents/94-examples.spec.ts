// The executable half of 94-examples.md. `npm run test:docs -- --full` sets the variables of the environment below.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readTree } from "../../support/architecture/tree.mjs";
import { blocksOf } from "../../support/documents/blocks.ts";
import { makeFolders } from "../../support/documents/fixtures.ts";
import { type Result, runPage } from "../../support/documents/page.ts";
import type { Mode } from "../../support/documents/substitutions.ts";
import { typeErrors } from "../../support/documents/types.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const mode: Mode = process.env.DOCUMENTS === "full" ? "full" : "quick";
const python = process.env.DOCUMENTS_PYTHON ?? null;
const smollm2 = process.env.DOCUMENTS_SMOLLM2 ?? null;
const selected = process.env.DOCUMENTS_PAGES?.split(" ");

/** Pages that do not run yet. */
const PENDING: readonly string[] = ["docs/guides/20-masks.md"];

/** Pages that a program writes from the source and that spec/repository/api/94-api.spec.ts holds to it. */
const GENERATED = /^docs\/api\//;

const pages = [...readTree(["README.md", "docs"], /\.md$/)]
  .filter(([path]) => !GENERATED.test(path))
  .filter(([path]) => selected?.includes(path) ?? !PENDING.includes(path))
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
