// The executable half of 96-citations.md.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { outcomeLabel, type RowOutcome } from "../../../src/masks/outcome.ts";
import { readTree } from "../../support/architecture/tree.mjs";

const BIBLIOGRAPHY = "docs/bibliography.md";
const GLOSSARY = "docs/glossary.md";
const documents: ReadonlyMap<string, string> = new Map(
  [...readTree(["README.md", "CONTRIBUTING.md", "docs", "spec", "golden"], /\.md$/)].filter(
    ([path]) => !path.includes("node_modules") && !path.startsWith("golden/cases/"),
  ),
);
const bibliography = documents.get(BIBLIOGRAPHY) ?? "";
const glossary = documents.get(GLOSSARY) ?? "";

const LINK = /\[((?:[^[\]]|\[[^\]]*\])*)\]\(([^)]*)\)/g;

/** A document without its code blocks, code spans and comments. */
const prose = (text: string): string =>
  text
    .replaceAll(/^ *(```|~~~)[\s\S]*?^ *\1.*$/gm, "")
    .replaceAll(/^ {4}.*$/gm, "")
    .replaceAll(/<!--[\s\S]*?-->/g, "")
    .replaceAll(/(`+)[^`]*\1/g, "");

/** The citations of a document that are no links. */
function unlinkedPapers(text: string): string[] {
  const linked = prose(text).replaceAll(LINK, (whole, label: string, target: string) => {
    const [, id] = /arXiv[: ](\d{4}\.\d{4,5}(?:v\d+)?)/.exec(label) ?? [];
    return id === undefined ||
      target === `https://arxiv.org/abs/${id}` ||
      /(^|\/)bibliography\.md#/.test(target)
      ? ""
      : whole;
  });
  return [...linked.matchAll(/arXiv[: ]\d{4}\.\d{4,5}(?:v\d+)?/g)].map(([citation]) => citation);
}

/** The papers of the bibliography: number and version as written there. */
const papers = [...bibliography.matchAll(/\[arXiv (\d{4}\.\d{4,5})(v\d+)?\]/g)].map(
  ([, id = "", version]) => ({
    id,
    version,
  }),
);

test("every paper that is cited is a link to its arXiv number", () => {
  // docs/api is made of docstrings, whose citations are plain text.
  const written = [...documents].filter(([path]) => !path.startsWith("docs/api/"));
  const found = written.flatMap(([path, text]) =>
    unlinkedPapers(text).map((citation) => `${path}: ${citation}`),
  );
  expect(found).toEqual([]);
  expect(unlinkedPapers("by X, arXiv 2204.14198v2, and `arXiv 1`")).toEqual(["arXiv 2204.14198v2"]);
  expect(unlinkedPapers("[arXiv 2204.14198v2](https://arxiv.org/abs/2204.14198v2)")).toEqual([]);
  expect(unlinkedPapers("[arXiv 2204.14198v2](https://arxiv.org/abs/2204.14198)")).toEqual([
    "arXiv 2204.14198v2",
  ]);
});

test("the bibliography has every paper that is cited, in the version that is named", () => {
  const cited = [...documents].flatMap(([path, text]) =>
    [...text.matchAll(/arXiv[: ](\d{4}\.\d{4,5})(v\d+)?/g)].map(([, id = "", version]) => ({
      path,
      id,
      version,
    })),
  );
  expect(cited.length).toBeGreaterThan(100);
  const missing = cited.filter(({ id, version }) => {
    const entry = papers.find((paper) => paper.id === id);
    return !entry || (version !== undefined && entry.version !== version);
  });
  expect(missing).toEqual([]);
  expect(new Set(papers.map(({ id }) => id)).size).toBe(papers.length);
  for (const [, year = "", month = "", first] of bibliography.matchAll(
    /\[arXiv (\d\d)(\d\d)\.[^|]*\| ([\d-]+) \|/g,
  ))
    expect(first).toBe(`20${year}-${month}`);
});

const packages = [
  ...bibliography.matchAll(/^\| <a id="[^"]+"><\/a>(?<names>[^|]+)\| (?<versions>[^|]+)\|[^|]*\|[^|]*\|$/gm),
]
  .filter(([line]) => !line.includes("arXiv"))
  .map(({ groups }) => ({
    names: (groups?.names ?? "")
      .split(/[()]/)
      .map((name) => name.trim())
      .filter((name) => /^[A-Za-z][\w-]*$/.test(name)),
  }));

test("the bibliography has every version of a package that a document names", () => {
  const names = packages.flatMap((entry) => entry.names);
  expect(names).toEqual(
    expect.arrayContaining(["flamingo-pytorch", "transformers", "torch", "PyTorch", "kosmosx"]),
  );
  const pattern = new RegExp(
    `(?<![\\w/-])(${names.join("|")}) (\\d+\\.\\d+(?:\\.\\d+)?(?:a\\d+)?)(?![\\w.]*\\d)`,
    "g",
  );
  const versionsIn = (text: string) =>
    [...text.matchAll(pattern)].map(([, name = "", version = ""]) => ({ name, version }));
  expect(versionsIn("transformers 4.57.6, torch 2.13")).toHaveLength(2);
  const known = (name: string): readonly string[] =>
    bibliography
      .split("\n")
      .filter((line) => line.includes(name))
      .join("\n")
      .match(/\d+\.\d+(?:\.\d+)?(?:a\d+)?/g) ?? [];
  const missing = [...documents].flatMap(([path, text]) =>
    versionsIn(prose(text))
      .filter(({ name, version }) => !known(name).includes(version))
      .map(({ name, version }) => `${path}: ${name} ${version}`),
  );
  expect(missing).toEqual([]);
});

test("an issue of another repository is a link", () => {
  const names = [
    "flamingo-pytorch",
    "open_flamingo",
    "flamingo-mini",
    "Otter",
    "transformers",
    "torchtune",
    "mlx-vlm",
  ];
  const pattern = new RegExp(`(?:${names.join("|")})[^\\w\\n|.;]{1,3}#\\d+`, "g");
  const unlinked = (text: string) => prose(text).replaceAll(LINK, "").match(pattern) ?? [];
  expect(unlinked("see transformers #34280")).toEqual(["transformers #34280"]);
  const found = [...documents]
    .filter(([path]) => path.startsWith("docs/"))
    .flatMap(([path, text]) => unlinked(text).map((issue) => `${path}: ${issue}`));
  expect(found).toEqual([]);
});

/** The anchors of a document: explicit ones, and those that GitHub makes of headings. */
const anchors = (text: string): string[] => [
  ...[...text.matchAll(/<a id="([^"]+)">/g)].map(([, id = ""]) => id),
  ...[...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, "")
      .trim()
      .replaceAll(" ", "-"),
  ),
];

test("links to the bibliography and the glossary lead to an entry, and their own links to files", () => {
  let links = 0;
  for (const [path, text] of documents) {
    for (const [, , target = ""] of text.replaceAll(/^ *```[\s\S]*?^ *```/gm, "").matchAll(LINK)) {
      const [file = "", anchor] = target.split("#");
      const to = file === "" ? path : join(dirname(path), file);
      const own = path === BIBLIOGRAPHY || path === GLOSSARY;
      if (own && !/^https?:/.test(target)) expect(existsSync(to), `${path}: ${target}`).toBe(true);
      if (anchor === undefined || (to !== BIBLIOGRAPHY && to !== GLOSSARY)) continue;
      expect(anchors(documents.get(to) ?? ""), `${path}: ${target}`).toContain(anchor);
      links++;
    }
  }
  expect(links).toBeGreaterThan(20);
});

const terms = [...glossary.matchAll(/^\| \*\*([^*]+)\*\* \| ([^|]|\\\|)+ \| (.+) \|$/gm)].map(
  ([, term = "", , where = ""]) => ({
    names: term.split(", ").map((name) => name.toLowerCase()),
    where,
  }),
);
const defined = terms.flatMap(({ names }) => names);

test("every term of the glossary has a link, and none stands twice", () => {
  expect(terms.length).toBeGreaterThan(40);
  for (const { names, where } of terms) expect(where, names.join()).toMatch(/\]\([^)]+\)/);
  expect(new Set(defined).size).toBe(defined.length);
  expect(glossary.match(/^\| \*\*/gm)).toHaveLength(terms.length); // each line is of that form
});

test("the glossary has the outcomes of rows, and the words that guides introduce in bold", () => {
  const outcomes = { attends: 0, zeroed: 0, identity: 0, "uniform-leak": 0, "unmasked-leak": 0, nan: 0 };
  for (const outcome of Object.keys(outcomes satisfies Record<RowOutcome, number>) as RowOutcome[])
    expect(defined).toContain(outcomeLabel(outcome).toLowerCase());
  const introduced = [...documents]
    .filter(([path]) => path.startsWith("docs/guides/"))
    .flatMap(([path, text]) =>
      prose(text)
        .split("\n")
        .filter((line) => !line.startsWith("|"))
        .flatMap((line) =>
          [...line.matchAll(/\*\*([a-z][a-z-]+)\*\*/g)].map(([, word = ""]) => ({ path, word })),
        ),
    );
  expect(introduced.length).toBeGreaterThan(0);
  expect(introduced.filter(({ word }) => !defined.includes(word))).toEqual([]);
});

test("the documents name the bibliography and the glossary", () => {
  const map = readFileSync("docs/README.md", "utf8");
  expect(map).toContain("](bibliography.md)");
  expect(map).toContain("](glossary.md)");
});
