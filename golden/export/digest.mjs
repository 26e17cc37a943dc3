// The digest of a source: hashes of everything that its committed cases depend on, and of the cases themselves. A successful
// verification writes them to the source's verified.json; a source whose digest differs from that file needs verifying again.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { environmentOf, ROOT, withUsed } from "./sources.mjs";

const RECORD = "verified.json";

/** Not part of any digest: it follows the folders of src, and no case depends on it. */
const EXCHANGE = "exchange.mjs";

/** The parts of a digest, and how a message calls them. */
export const PARTS = {
  exporter: "its exporter",
  shared: "the shared exporter",
  requirements: "its requirements",
  caseFiles: "its case files",
  cases: "its committed cases",
};

const ignored = (name) => name.startsWith(".") || name === "__pycache__";

/** The files at or below a path, sorted; hidden ones, such as environments, are left out. */
function filesBelow(path) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => !ignored(name))
    .sort()
    .flatMap((name) => filesBelow(join(path, name)));
}

/** The part that a file in the folder of a source belongs to; null for the record itself. */
export function partOf(path) {
  if (path === RECORD) return null;
  if (/^requirements|^packages\.json$/.test(path)) return "requirements";
  if (/^cases\/|^cases\.json$/.test(path)) return "caseFiles";
  return "exporter";
}

const within = (folder, file) => relative(folder, file).split(sep).join("/");

/** The section of COVERAGE.md with this title. */
const sectionOf = (text, title) =>
  text.split(/^(?=## )/m).find((section) => section.startsWith(`## ${title}:`)) ?? "";

/** What a path in `committed` or `data` stands for: files, or with "#" a section of one, as pairs [name, content]. */
function contents(golden, path) {
  const [file, section] = path.split("#");
  const full = join(golden, file);
  if (section === undefined)
    return filesBelow(full).map((found) => [within(golden, found), readFileSync(found)]);
  return [[path, existsSync(full) ? sectionOf(readFileSync(full, "utf8"), section) : ""]];
}

/** The files behind each part, as pairs [name, content]. */
function collect(source, sources, root) {
  const golden = join(root, "golden");
  const home = join(golden, "export");
  const found = { exporter: [], shared: [], requirements: [], caseFiles: [], cases: [] };
  const add = (part, file) => found[part].push([within(home, file), readFileSync(file)]);
  for (const used of withUsed(source, sources))
    for (const file of filesBelow(used.folder)) {
      const part = partOf(within(used.folder, file));
      if (part !== null && (part !== "caseFiles" || used === source)) add(part, file);
    }
  const environment = environmentOf(source, sources);
  for (const file of filesBelow(environment))
    if (partOf(within(environment, file)) === "requirements") add("requirements", file);
  for (const file of filesBelow(join(home, "common"))) add("shared", file);
  for (const name of readdirSync(home))
    if (name.endsWith(".mjs") && name !== EXCHANGE) add("shared", join(home, name));
  for (const path of source.data) found.caseFiles.push(...contents(golden, path));
  for (const path of source.committed) found.cases.push(...contents(golden, path));
  return found;
}

/** The hash of named contents, whatever the order in which they were found and however often. */
function hash(pairs) {
  const sum = createHash("sha256");
  const sorted = [...new Map(pairs)].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  for (const [name, content] of sorted)
    sum.update(`${name}\0${Buffer.byteLength(content)}\0`).update(content);
  return sum.digest("hex");
}

/** part -> hash, of the files as they are now. */
export function digest(source, sources, root = ROOT) {
  const found = collect(source, sources, root);
  return Object.fromEntries(Object.keys(PARTS).map((part) => [part, hash(found[part])]));
}

/** What the last successful verification recorded; null if there was none or the file cannot be read. */
function recorded({ folder }) {
  try {
    return JSON.parse(readFileSync(join(folder, RECORD), "utf8"));
  } catch {
    return null;
  }
}

/** The parts that have changed since the last successful verification; null if the source was never verified. */
export function changedParts(source, sources, root = ROOT) {
  const before = recorded(source);
  if (before === null) return null;
  const now = digest(source, sources, root);
  return Object.keys(PARTS).filter((part) => before[part] !== now[part]);
}

export const needsVerifying = (source, sources, root = ROOT) =>
  changedParts(source, sources, root)?.length !== 0;

/** The status of a source as a sentence without its name. */
export function describeChanges(parts) {
  if (parts === null) return "was never verified";
  if (parts.length === 0) return "is verified";
  return `changed since it was last verified: ${parts.map((part) => PARTS[part]).join(", ")}`;
}

/** Runs `check`, a complete verification that returns { passed, failed }, and records the digest if all of it passed and no file
    changed in the meantime. This is the only way to write the record. Returns the result and whether the digest was written. */
export async function verifyAndRecord(source, sources, check, root = ROOT) {
  const before = digest(source, sources, root);
  const result = await check();
  const succeeded = result.failed === 0 && result.passed > 0;
  const same = hash(Object.entries(before)) === hash(Object.entries(digest(source, sources, root)));
  if (succeeded && same) writeFileSync(join(source.folder, RECORD), `${JSON.stringify(before, null, 2)}\n`);
  return { ...result, recorded: succeeded && same };
}
