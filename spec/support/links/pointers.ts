// Pointers of documents into the repository: code spans such as `src/nn/linear.ts`, `blocks/perceiver-attention.ts#perceive`, `xpos.ts:12`
// or `rotary` in `nn/positions/rotary.ts`, and relative links, with their anchors.
import { dirname, join, normalize } from "node:path";
import { region } from "./regions.mjs";

/** The text of a file by its path from the root of the repository. */
export type Files = ReadonlyMap<string, string>;

/** Files of this repository that a path may mean: from the root, from src, beside the document, or by the end of their path. */
function meant(named: string, document: string, files: Files): string[] {
  const path = named.replace(/^node_modules\/flamboyance\//, "");
  const exact = [path, `src/${path}`, `docs/${path}`, normalize(join(dirname(document), path))];
  const found = exact.filter((one) => files.has(one));
  return found.length > 0 ? found : [...files.keys()].filter((one) => one.endsWith(`/${path}`));
}

const hasName = (text: string, name: string): boolean =>
  region(text, name).text !== undefined || new RegExp(`(?<![\\w$-])${name}(?![\\w$-])`).test(text);

/** Placeholders of chapters, and patterns. */
const isPattern = (path: string): boolean => /^\.\w+\.ts$|NN-/.test(path);

/** Problems with one code span: a path that no file has, a name or a line that the file has not. */
function spanProblem(
  path: string,
  name: string | undefined,
  line: string | undefined,
  where: string,
  files: Files,
) {
  const found = meant(path, where, files);
  if (found.length === 0) return `there is no file ${path}`;
  const texts = found.map((one) => files.get(one) ?? "");
  if (name && !texts.some((text) => hasName(text, name))) return `${path} has no ${name}`;
  if (line && !texts.some((text) => text.split("\n").length >= Number(line)))
    return `${path} has no line ${line}`;
  return null;
}

const SPAN =
  /`((?:[\w@.-]+\/)*[\w.-]+\.(?:ts|mts|mjs|md))(?:#([\w-]+)|:(\d+))?`(?:,? (?:and )?`#([\w-]+)`)?/g;
const NAMED = /`([A-Za-z_$][\w$]*)` in `((?:[\w-]+\/)*[\w.-]+\.(?:ts|mjs))`/g;

/** Code spans with a file, and with a name or a line in it. Python files belong to other projects. */
export function spanProblems(where: string, text: string, files: Files): string[] {
  const lineAt = (at: number) => `${where}:${text.slice(0, at).split("\n").length}`;
  const spans = [...text.matchAll(SPAN)].flatMap(({ 1: path = "", 2: name, 3: line, 4: second, index }) => {
    if (isPattern(path)) return [];
    const problems = [
      spanProblem(path, name, line, where, files),
      second && spanProblem(path, second, undefined, where, files),
    ];
    return problems.flatMap((problem) => (problem ? [`${lineAt(index)} ${problem}`] : []));
  });
  const named = [...text.matchAll(NAMED)].flatMap(({ 1: name = "", 2: path = "", index }) => {
    const problem = spanProblem(path, name, undefined, where, files);
    return problem ? [`${lineAt(index)} ${problem}`] : [];
  });
  return [...new Set([...spans, ...named])];
}

/** The anchor that GitHub gives a heading. */
export const anchorOf = (heading: string): string =>
  heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M} _-]/gu, "")
    .trim()
    .replaceAll(" ", "-");

const prose = (text: string): string =>
  text.replace(/^```.*?^```$/gms, (block) => block.replace(/[^\n]/g, " "));

/** The anchors of a document: its headings, of which GitHub numbers repeated ones, and `<a id="…">`. */
function anchorsOf(text: string): Set<string> {
  const count = new Map<string, number>();
  const headings = [...prose(text).matchAll(/^#{1,6} (.*)$/gm)].map(([, heading = ""]) => {
    const anchor = anchorOf(heading);
    const before = count.get(anchor) ?? 0;
    count.set(anchor, before + 1);
    return before === 0 ? anchor : `${anchor}-${before}`;
  });
  return new Set([...headings, ...[...text.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, id = ""]) => id)]);
}

/** Relative links of a document to files that do not exist, or to headings that a document has not. `exists` knows folders and images too. */
export function linkProblems(
  where: string,
  text: string,
  files: Files,
  exists: (path: string) => boolean,
): string[] {
  const known = new Map<string, Set<string>>();
  const anchors = (file: string): Set<string> => {
    const found = known.get(file) ?? anchorsOf(files.get(file) ?? "");
    known.set(file, found);
    return found;
  };
  return [...prose(text).matchAll(/(?<!`)\]\(([^)\s]+)\)/g)].flatMap(({ 1: target = "", index }) => {
    if (/^[a-z]+:/.test(target)) return [];
    const [path = "", anchor] = target.split("#");
    const file = path === "" ? where : normalize(join(dirname(where), path)).replace(/\/$/, "");
    const report = (problem: string) => [
      `${where}:${text.slice(0, index).split("\n").length} links to ${target}: there is no such ${problem}`,
    ];
    if (!exists(file)) return report("file");
    const isMissing = anchor && file.endsWith(".md") && !anchors(file).has(anchor);
    return isMissing ? report("heading") : [];
  });
}
