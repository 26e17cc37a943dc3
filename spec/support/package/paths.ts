// Links and paths in the documents and messages of a package: which of them lead nowhere.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const read = (root: string, path: string): string => readFileSync(join(root, path), "utf8");

/** The lines of a document outside fenced code. */
const prose = (text: string): string => text.replace(/^(```|~~~)[\s\S]*?^\1.*$/gm, "");

/** The anchors of a document's headings, as GitHub makes them. */
function anchorsOf(text: string): Set<string> {
  const headings = [...prose(text).matchAll(/^#+ +(.*)$/gm)].map(([, heading = ""]) =>
    heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
  const ids = [...text.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, id = ""]) => id);
  return new Set([...headings, ...headings.map((one) => `${one}-1`), ...ids]);
}

/** The links of the Markdown documents of a package that lead to no file of it, or to no heading of a file. */
export function brokenLinks(root: string, paths: readonly string[]): string[] {
  const documents = paths.filter((path) => path.endsWith(".md"));
  return documents.flatMap((document) => {
    const text = prose(read(root, document)).replace(/`[^`\n]*`/g, "");
    const targets = [
      ...text.matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)|(?:src|href)="([^"]+)"|^\[[^\]]+\]: (\S+)/gm),
    ];
    return targets.flatMap((match) => {
      const target = match[1] ?? match[2] ?? match[3] ?? "";
      if (/^[a-z]+:/.test(target)) return [];
      const [file = "", anchor] = target.split("#");
      const path = file === "" ? document : normalize(join(dirname(document), file)).replace(/\/$/, "");
      if (!existsSync(join(root, path)) || path.startsWith("..")) return [`${document}: ${target}`];
      if (anchor === undefined || anchor === "" || !path.endsWith(".md")) return [];
      return anchorsOf(read(root, path)).has(anchor) ? [] : [`${document}: ${target}`];
    });
  });
}

const PATH = /(?<![\w./~$-])(?:src|spec|docs|golden|dist|\.ci)\/[\w.*/-]*[\w*/]/g;

const asPattern = (path: string): RegExp =>
  new RegExp(`^${path.replace(/[.]/g, "\\.").replaceAll("*", "[^/]*")}$`);

/** The paths of the repository that a text names and that a package does not have. "*" stands for any part of a name. */
export function missingPaths(name: string, text: string, root: string, paths: readonly string[]): string[] {
  const folders = new Set(
    paths.flatMap((path) => path.split("/").map((_, i, parts) => parts.slice(0, i).join("/"))),
  );
  const all = [...paths, ...folders];
  const named = new Set([...text.matchAll(PATH)].map(([path]) => path.replace(/\/$/, "")));
  return [...named]
    .filter((path) =>
      path.includes("*") ? !all.some((one) => asPattern(path).test(one)) : !existsSync(join(root, path)),
    )
    .map((path) => `${name}: ${path}`);
}

/** The messages and help texts of the sources: everything that is no comment. */
export function messagesOf(root: string): [string, string][] {
  return readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .map((path) => `src/${path.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".ts"))
    .map((path): [string, string] => [
      path,
      read(root, path)
        .replace(/\/\*[\s\S]*?\*\//g, "")
        .replace(/(^|\s)\/\/.*$/gm, "")
        .replace(/(?:from|import\()\s*"[^"]*"/g, ""),
    ]);
}

/** The commands that a text calls: the word after "flamboyance" in code. */
export function commandsIn(text: string): string[] {
  const blocks = [...text.matchAll(/^```[\s\S]*?^```/gm)].map(([block]) => block);
  const spans = [...prose(text).matchAll(/`([^`\n]+)`/g)].map(([, span = ""]) => span);
  const lines = [...blocks.flatMap((block) => block.split("\n")), ...spans];
  return lines.flatMap((line) => {
    const [, command] = /^(?:\$ )?(?:npx )?flamboyance ([a-z][a-z-]*)/.exec(line.trim()) ?? [];
    return command === undefined ? [] : [command];
  });
}

/** The cases that a text names, "swiglu--basic", and the patterns of cases, "swiglu--*". */
export const casesIn = (text: string): string[] => [
  ...new Set(
    [...text.matchAll(/(?<![\w-])[a-z0-9*][a-z0-9*-]*--[a-z0-9*][a-z0-9*-]*/g)].map(([name]) => name),
  ),
];
