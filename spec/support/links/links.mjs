// npm run links                  checks the links between rules, code, tests and documents
// npm run links -- --write       also updates the code blocks of documents
// npm run links -- --break [ID or PATH…] [--jobs N] [--minutes N]
//                                mutates each cited line in turn, in a copy, and lists the mutations that no test notices
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readTree, repository } from "../architecture/tree.mjs";
import { refresh } from "./regions.mjs";
import { collect, pairing, problems } from "./rules.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    write: { type: "boolean", default: false },
    break: { type: "boolean", default: false },
    jobs: { type: "string", default: String(Math.min(4, availableParallelism())) },
    minutes: { type: "string", default: "90" },
    root: { type: "string", default: repository },
  },
});
const { root } = values;

/** Compares the code blocks of documents with the code that they quote; with --write, updates them. */
function checkDocuments() {
  const sourceOf = (path) =>
    existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : undefined;
  return [...readTree(["README.md", "CONTRIBUTING.md", "docs", "spec"], /\.md$/, root)].flatMap(
    ([path, document]) => {
      const { text, problems: differences } = refresh(path, document, sourceOf);
      if (!values.write || text === document) return differences;
      writeFileSync(join(root, path), text);
      console.log(`updated ${path}`);
      return refresh(path, text, sourceOf).problems;
    },
  );
}

async function breakLines() {
  const [{ breaks }, { findSurvivors }, { baseline, copies, fails }] = await Promise.all([
    import("./breaking/breaks.mjs"),
    import("./breaking/search.mjs"),
    import("./breaking/evaluation.mjs"),
  ]);
  const isSelected = ({ id, path }) =>
    positionals.length === 0 || positionals.some((word) => id.startsWith(word) || path.startsWith(word));
  const citations = [...readTree(["src", "spec/support", ".ci"], /\.(ts|mjs)$/, root)]
    .filter(([path]) => !/\.d\.m?ts$|\.spec\.ts$/.test(path))
    .flatMap(([path, text]) => breaks(path, text))
    .filter(isSelected);

  const { specs, tested } = collect(root);
  const ids = new Set(citations.map(({ id }) => id));
  const paths = new Set(tested.filter(({ id }) => ids.has(id)).map(({ path }) => path));
  const trees = copies(root, Number(values.jobs));
  console.log(`running the tests of ${ids.size} rules on unbroken code`);
  const unbroken = baseline(trees[0], new Map([...specs].filter(([path]) => paths.has(path))));

  const tried = citations.filter(({ id }) => unbroken.get(id)?.passed);
  const untestable = [...ids].filter((id) => !unbroken.get(id)?.passed);
  const survivors = join(root, "spec/support/links/breaking/survivors.json");
  const known = existsSync(survivors) ? JSON.parse(readFileSync(survivors, "utf8")) : [];
  const end = Date.now() + Number(values.minutes) * 60_000;
  const { lines, variants, report } = await findSurvivors(
    tried,
    (citation, variant, job) => fails(trees[job], citation, variant, unbroken.get(citation.id)),
    { known, jobs: trees.length, log: console.log, until: () => Date.now() < end },
  );
  console.log(`\nbroke ${lines} lines in ${variants} ways`);
  return [...untestable.map((id) => `[${id}] has no test, or one that fails on unbroken code`), ...report];
}

const findings = values.break
  ? await breakLines()
  : [...checkDocuments(), ...problems(collect(root)), ...pairing(collect(root))];
for (const line of findings) console.log(line);
console.log(findings.length === 0 ? "no problems" : `problems: ${findings.length}`);
process.exitCode = findings.length === 0 ? 0 : 1;
