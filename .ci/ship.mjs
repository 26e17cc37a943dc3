// Selects the golden cases of the npm package: writes golden/cases/.npmignore, which leaves out all but the cases marked "ship", those that
// the README or a guide names, and the exhaustive cases of masks.
// With --clean, removes it again.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const cases = "golden/cases";
const guides = "docs/guides";
const list = join(cases, ".npmignore");

/** Names in the form of a case's, "swiglu--basic". Patterns are none. */
function namedInDocuments() {
  const pages = readdirSync(guides).filter((name) => name.endsWith(".md"));
  const texts = ["README.md", ...pages.map((name) => join(guides, name))].map((path) =>
    readFileSync(path, "utf8"),
  );
  return new Set(texts.flatMap((text) => text.match(/[a-z0-9][a-z0-9-]*--[a-z0-9-]+(?![*a-z0-9-])/g) ?? []));
}

if (process.argv.includes("--clean")) rmSync(list, { force: true });
else {
  const named = namedInDocuments();
  const manifests = readdirSync(cases, { recursive: true })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => path.endsWith("/case.json"));
  const shipped = manifests.filter(
    (path) =>
      named.has(basename(dirname(path))) || JSON.parse(readFileSync(join(cases, path), "utf8")).ship === true,
  );
  const kept = shipped.map((path) => `!/${dirname(path)}/*`).sort();
  writeFileSync(list, `${["*", "!*/", "!/masks/*", ...kept].join("\n")}\n`);
  console.error(`${shipped.length} of ${manifests.length} golden cases are in the package`);
}
