// The part of 91-links.md on the letters of equations: what they are in the code.
import { basename } from "node:path";
import { expect, test } from "vitest";
import { parse, withoutComments } from "../../support/architecture/syntax.mjs";
import { readTree } from "../../support/architecture/tree.mjs";
import {
  codeNames,
  equations,
  inlineSymbols,
  rows,
  symbols,
  unexplained,
} from "../../support/links/letters.ts";

const pages = readTree(["docs/papers", "docs/guides/10-reading-flamingo.md"], /\.md$/);
const letters = pages.get("docs/papers/letters.md") ?? "";
pages.delete("docs/papers/letters.md");
const src = readTree(["src"], /\.ts$/);

test("every equation has a line Paper → code, and every letter is in it or in the table of letters", () => {
  const table = rows(letters);
  expect(table.length).toBeGreaterThan(25);
  expect(pages.size).toBeGreaterThan(15);
  expect([...pages].flatMap(([path, text]) => unexplained(basename(path), text, table))).toEqual([]);
});

test("every row of the table is about pages that exist, and about letters that they use", () => {
  const used = (page: string): Set<string> => {
    const [, text = ""] = [...pages].find(([path]) => basename(path) === page) ?? [];
    return new Set(equations(text).flatMap(({ tex }) => [...symbols(tex)]));
  };
  const idle = rows(letters).flatMap(({ letters: row, pages: of }) => {
    const all = of ?? [...pages.keys()].map((path) => basename(path));
    const inPages = all.map(used);
    const unused = [...row].filter((s) => !inPages.some((page) => page.has(s)));
    const without = of === null ? [] : all.filter((_, i) => ![...row].some((s) => inPages[i]?.has(s)));
    return [
      ...unused.map((s) => `${[...row]}: ${s} is in no equation`),
      ...without.map((p) => `${[...row]}: not in ${p}`),
    ];
  });
  expect(idle).toEqual([]);
});

/** Identifiers in the code of files, comments left out, in strings too: axes of patterns, names of activations. */
const identifiers = (files: Iterable<readonly [string, string]>): Set<string> =>
  new Set(
    [...files].flatMap(([path, text]) => withoutComments(parse(path, text)).match(/[A-Za-z_$][\w$]*/g) ?? []),
  );

/** The files of src that a page names: in its table, or as the source of a quotation. */
const filesOf = (page: string): [string, string][] =>
  [...src].filter(([path]) => {
    const named = [...page.matchAll(/[\w./-]+\.ts/g)].map(([name]) => name.replace(/^src\//, ""));
    return named.some((name) => path === `src/${name}` || path.endsWith(`/${name}`));
  });

test("every name of code in a line Paper → code occurs in a file that its page names", () => {
  const strangers = [...pages].flatMap(([path, text]) => {
    const known = identifiers(filesOf(text));
    return equations(text).flatMap(({ line, key }) =>
      codeNames(key ?? "").flatMap((name) => (known.has(name) ? [] : [`${path}:${line} ${name}`])),
    );
  });
  expect(strangers).toEqual([]);
});

test("every name of code in the table of letters occurs in src", () => {
  const known = identifiers(src);
  expect(rows(letters).flatMap(({ here }) => codeNames(here).filter((name) => !known.has(name)))).toEqual([]);
});

test("letters, names of functions and names of code are told apart", () => {
  expect([
    ...symbols(String.raw`\mathrm{LN}(x)\,W_q + \alpha_{\mathrm{xattn}} \cdot \text{where } y`),
  ]).toEqual(["LN", "x", "W", "q", "\\alpha", "xattn", "y"]);
  expect([...inlineSymbols(String.raw`$W_q$ → a; $\theta$`)]).toEqual(["W", "q", "\\theta"]);
  expect(codeNames("`to_q`, `(m r)` and `<image>`")).toEqual(["to_q", "m", "r"]);
  const page = "$$y = x$$\n\nPaper → code: $y$ → `y`.\n\n$$z$$\n\ntext";
  expect(unexplained("a.md", page, [])).toEqual([
    "a.md:1 does not explain x",
    "a.md:5 has no line Paper → code",
  ]);
  const row = { letters: new Set(["x", "z"]), here: "" };
  expect(unexplained("a.md", page, [{ ...row, pages: ["a.md"] }])).toEqual([
    "a.md:5 has no line Paper → code",
  ]);
  expect(unexplained("a.md", page, [{ ...row, pages: ["b.md"] }])).toHaveLength(2);
});
