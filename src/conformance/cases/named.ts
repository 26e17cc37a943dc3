// Finds golden cases by path, name, package, class or pattern.
import { kindOf } from "#host";
import { findCases, readManifest } from "../../io/golden/cases.ts";
import { quoted } from "../../io/wording.ts";
import { LoadError } from "../../tensor/errors.ts";
import { didYouMean } from "../../terminal/nearest.ts";
import { isPattern, matches } from "../../terminal/wildcard.ts";

export interface NamedCases {
  /** Folders of cases, or folders that hold some. */
  readonly paths: readonly string[];
  /** Folders that were found by a class or a pattern, which may match more than was meant: full-size cases among them need `--full`. */
  readonly matched: ReadonlySet<string>;
}

interface Catalogue {
  readonly root: string;
  /** The ids of all cases below it, "<package>/<case>". */
  readonly ids: readonly string[];
}

const caseOf = (id: string): string => id.slice(id.indexOf("/") + 1);

const MOST_NAMED = 5;
const some = (ids: readonly string[]): string =>
  `${ids.slice(0, MOST_NAMED).join(", ")}${ids.length > MOST_NAMED ? ` and ${ids.length - MOST_NAMED} more` : ""}`;

/** The ids that a pattern matches: with a "/" as a whole, otherwise behind their package. */
const matching = (pattern: string, ids: readonly string[]): string[] =>
  ids.filter((id) => matches(pattern, pattern.includes("/") ? id : caseOf(id)));

/** The ids of the cases of a class: "SwiGLU", or "flamingo-pytorch/SwiGLU". */
function ofClass(name: string, { root, ids }: Catalogue): string[] {
  const [first, second] = name.split("/");
  return ids.filter((id) => {
    const { source } = readManifest(`${root}/${id}`);
    return second === undefined
      ? source.class === first
      : source.package === first && source.class === second;
  });
}

const unknown = (name: string, { ids }: Catalogue): LoadError => {
  const known = name.includes("/") ? ids : ids.map(caseOf);
  const near = didYouMean(name, new Set([...known, ...ids.map((id) => id.split("/")[0] ?? "")]));
  const beginning = matching(`${name}--*`, ids).length;
  const remedy = beginning > 0 ? `"${name}--*" finds ${beginning}` : "flamboyance cases list shows all names";
  return new LoadError(
    `there is no path, package, class or case ${quoted(name)}${near}; ${remedy}  [case.name]`,
  );
};

function found(name: string, catalogue: Catalogue): { readonly paths: string[]; readonly named: boolean } {
  const { root, ids } = catalogue;
  const at = (id: string): string => `${root}/${id}`;
  if (isPattern(name)) {
    const all = matching(name, ids);
    if (all.length > 0) return { paths: all.map(at), named: false };
    const problem = `no case matches ${quoted(name)}; "*" stands for any characters but "/", and flamboyance cases list shows all names`;
    throw new LoadError(`${problem}  [case.name]`);
  }
  if (name !== "" && !name.includes("..") && kindOf(at(name)) === "folder")
    return { paths: [at(name)], named: true };
  const equal = ids.filter((id) => caseOf(id) === name);
  if (equal.length === 1) return { paths: equal.map(at), named: true };
  if (equal.length > 1) {
    const problem = `${equal.length} packages have a case ${quoted(name)}: ${some(equal)}`;
    throw new LoadError(`${problem}; write one of these, or "*/${name}" for all  [case.name]`);
  }
  const classes = ofClass(name, catalogue);
  if (classes.length === 0) throw unknown(name, catalogue);
  return { paths: classes.map(at), named: false };
}

/**
 * The paths of cases by their paths, or by the names of packages ("flamingo-pytorch"), cases ("swiglu--basic",
 * "flamingo-pytorch/swiglu--basic") or classes ("SwiGLU") below `root`, or by patterns of cases' names ("swiglu--*"). A path that exists
 * is meant as a path. Throws a LoadError where nothing, or more than one case of a name, is found. [case.name]
 */
export function namedCases(names: readonly string[], root: string | null): NamedCases {
  let catalogue: Catalogue | null = null;
  const paths: string[] = [];
  const matched = new Set<string>();
  for (const name of names) {
    const isPath = /^\.{0,2}\//.test(name) || name === "" || kindOf(name) !== "nothing";
    if (isPath || root === null) {
      paths.push(name);
      continue;
    }
    const folder = root.replace(/\/+$/, "");
    catalogue ??= { root: folder, ids: findCases([folder]).map((path) => path.slice(folder.length + 1)) };
    const { paths: folders, named } = found(name, catalogue); // [case.name]
    paths.push(...folders);
    if (!named) for (const path of folders) matched.add(path);
  }
  return { paths, matched };
}
