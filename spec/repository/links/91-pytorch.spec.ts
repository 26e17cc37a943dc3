// The part of 91-links.md on the table from PyTorch to this package: its names are exported by the entries that it names.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repository } from "../../support/architecture/tree.mjs";

const read = (path: string): string => readFileSync(join(repository, path), "utf8");
const page = read("docs/guides/14-coming-from-pytorch.md");
const entries: Readonly<Record<string, { readonly default: string }>> = JSON.parse(
  read("package.json"),
).exports;

/** Names in code spans of each group, groups divided by semicolons: | PyTorch | here | entry | note |. */
const rows = [...page.matchAll(/^\| .+? \| (`.+?) \| (`flamboyance.*?) \| .*\|$/gm)].flatMap(
  ([, here = "", of = ""]) => {
    const [groups, names] = [here.split("; "), of.split("; ")];
    return groups.map((group, i) => ({
      entry: (names[i] ?? "").replaceAll("`", ""),
      names: [...group.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name),
    }));
  },
);

/** What an entry exports, read from its sources rather than from a build. */
async function exportsOf(entry: string): Promise<string[]> {
  const key = entry.replace(/^flamboyance/, ".");
  const built = entries[key]?.default ?? `no entry ${entry}`;
  const source = built.replace("./dist/", "../../../src/").replace(/\.js$/, ".ts");
  return Object.keys(await import(/* @vite-ignore */ new URL(source, import.meta.url).pathname));
}

test("every name of the table is exported by its entry", async () => {
  expect(rows.length).toBeGreaterThan(35);
  expect(new Set(rows.map(({ entry }) => entry)).size).toBeGreaterThanOrEqual(6);
  for (const { entry, names } of rows) {
    const exported = await exportsOf(entry);
    expect([entry, names.length > 0, names.filter((name) => !exported.includes(name))]).toEqual([
      entry,
      true,
      [],
    ]);
  }
});

test("every row of the table names an entry, or says that there is nothing to import", () => {
  const all = [...page.matchAll(/^\| (?!PyTorch|---).*\|$/gm)].map(([row]) => row);
  const without = all.filter((row) => / – \|/.test(row));
  expect(all.length).toBe(
    new Set([...page.matchAll(/^\| .+? \| `.+? \| `flamboyance.*\|$/gm)].map(([row]) => row)).size +
      without.length,
  );
});
