// The sources of golden cases: every folder here that has a source.json (FORMAT.md §7).
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the repository. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A mistake in how the command was called; it ends with exit code 3. */
export class UsageError extends Error {}

const NONE = { data: [], uses: [], checkout: null };

/** Every source in alphabetical order: its source.json, its `name` and its `folder`. */
export function readSources(root = ROOT) {
  const home = join(root, "golden/export");
  return readdirSync(home)
    .filter((name) => existsSync(join(home, name, "source.json")))
    .sort()
    .map((name) => {
      const folder = join(home, name);
      const own = JSON.parse(readFileSync(join(folder, "source.json"), "utf8"));
      return { ...NONE, environment: name, ...own, name, folder };
    });
}

export function sourceNamed(name, sources) {
  const found = sources.find((source) => source.name === name);
  if (found) return found;
  const names = sources.map((source) => source.name).join(", ");
  throw new UsageError(`there is no source "${name}"; the sources are ${names}`);
}

/** The ids in the case files of a source; without the package, as the name of its file gives them. */
function caseIds({ folder }) {
  const cases = join(folder, "cases");
  if (!existsSync(cases)) return [];
  return readdirSync(cases).flatMap((file) => {
    const { cases: entries } = JSON.parse(readFileSync(join(cases, file), "utf8"));
    return entries.map(({ id }) => `${file.replace(/\.json$/, "")}--${id}`);
  });
}

/** Whether a source has case files, and so a small part without full-size cases. */
export const hasCaseFiles = ({ folder }) => existsSync(join(folder, "cases"));

const glob = (pattern) => {
  const escaped = pattern.replace(/[\\^$.|+()[\]{}]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`);
};

/** The sources with a case that one of the patterns matches, with or without the package in front. */
export function sourcesWithCases(patterns, sources) {
  const tests = patterns.map(glob);
  return sources.filter((source) => {
    const packages = source.committed.filter((path) => path.startsWith("cases/"));
    const ids = caseIds(source).flatMap((id) => [id, ...packages.map((path) => `${path.slice(6)}/${id}`)]);
    return ids.some((id) => tests.some((test) => test.test(id)));
  });
}

/** What a source that needs a checkout asks for, as a sentence. */
export const checkoutNeeded = ({ name, checkout: { repository, commit } }) =>
  `${name} needs a checkout of ${repository} at commit ${commit.slice(0, 7)}`;

/** Refuses a folder that is missing, or a git checkout of anything but the declared commit. Returns a remark or null. */
export function examineCheckout(source, path) {
  if (source.checkout === null)
    throw new UsageError(`${source.name} is installed from a registry; leave out --from`);
  if (path === undefined)
    throw new UsageError(`${checkoutNeeded(source)}: --source ${source.name} --from FOLDER`);
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError(`--from ${path} is not a folder; ${checkoutNeeded(source)}`);
  if (!existsSync(join(path, ".git"))) return `${path} is not a git checkout: its commit cannot be checked`;
  const git = (...words) => execFileSync("git", ["-C", path, ...words], { encoding: "utf8" }).trim();
  const head = git("rev-parse", "HEAD");
  if (head !== source.checkout.commit)
    throw new UsageError(`${path} is at commit ${head.slice(0, 7)}; ${checkoutNeeded(source)}`);
  if (git("status", "--porcelain") !== "") throw new UsageError(`${path} has changes that are not committed`);
  return null;
}

/** A source and all that its code imports, directly or indirectly. */
export function withUsed(source, sources, found = new Set()) {
  if (found.has(source)) return found;
  found.add(source);
  for (const name of source.uses) withUsed(sourceNamed(name, sources), sources, found);
  return found;
}

/** The environment a source runs in: the folder whose requirements it is made from. */
export const environmentOf = (source, sources) => sourceNamed(source.environment, sources).folder;
