// Sizes and names of folders, files and functions. Each check takes files (path -> text) and gives its violations as lines.
import type { Files } from "./imports.ts";
import { lineOf, type Node, nodesOf, parse } from "./syntax.mjs";

const FILES_PER_FOLDER = 12;
const FILES_PER_PREFIX = 2;
const LINES_PER_FUNCTION = 60;

const folderAndName = (path: string): [string, string] => {
  const end = path.lastIndexOf("/") + 1;
  return [path.slice(0, end), path.slice(end)];
};

function grouped(paths: Iterable<string>, keyOf: (path: string) => string): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const path of paths) groups.set(keyOf(path), [...(groups.get(keyOf(path)) ?? []), path]);
  return groups;
}

/** A declaration file stands for the module beside it and is not counted. */
const modules = (files: Files): string[] => [...files.keys()].filter((path) => !path.endsWith(".d.mts"));

/** A folder has at most 12 files side by side. */
export const crowdedFolders = (files: Files): string[] =>
  [...grouped(modules(files), (path) => folderAndName(path)[0])].flatMap(([folder, paths]) =>
    paths.length > FILES_PER_FOLDER
      ? [`${folder} has ${paths.length} files, more than ${FILES_PER_FOLDER}`]
      : [],
  );

/** "spec/io/31-stored-values.spec.ts" -> "spec/io/stored"; a chapter's number is not a prefix. */
function prefixOf(path: string): string {
  const [folder, name] = folderAndName(path);
  const topic = name.replace(/^\d\d-/, "").replace(/\..*$/, "");
  return folder + (topic.split("-")[0] ?? "");
}

/** A chapter and its spec file are one topic: file names that differ in their extension only count once. */
const topics = (files: Files): Set<string> =>
  new Set(modules(files).map((path) => path.replace(/(\.spec)?\.\w+$/, "")));

/** No prefix is shared by three file names of a folder: that prefix is a folder. */
export const sharedPrefixes = (files: Files): string[] =>
  [...grouped(topics(files), prefixOf)].flatMap(([prefix, paths]) =>
    paths.length > FILES_PER_PREFIX
      ? [`${prefix}-* is a folder: ${paths.map((path) => folderAndName(path)[1]).join(", ")}`]
      : [],
  );

/** The first name of a callee: describe for describe.each([1])(…). */
function rootOf(node: Node | undefined): string {
  const inner = (node?.callee ?? node?.object) as Node | undefined;
  return inner === undefined ? String(node?.name ?? "") : rootOf(inner);
}

const isFunction = ({ type }: Node): boolean =>
  /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(type);

/** The callback of a `describe`, which groups the tests of a spec file. */
const groupsTests = (path: string, parent: Node | null): boolean =>
  path.endsWith(".spec.ts") && parent?.type === "CallExpression" && rootOf(parent) === "describe";

/** The name of a function, from itself or from what it is assigned to. */
function nameOf(node: Node, parent: Node | null): string {
  const named = [node.id, parent?.id, parent?.key] as ({ name?: string } | null | undefined)[];
  return named.find((id) => id?.name !== undefined)?.name ?? "a function";
}

/** No function body is longer than 60 lines. */
export const longFunctions = (files: Files): string[] =>
  [...files].flatMap(([path, text]) =>
    nodesOf(parse(path, text), isFunction).flatMap(({ node, parent }) => {
      if (groupsTests(path, parent)) return [];
      const { start, end } = (node.body as Node | null) ?? node;
      const lines = lineOf(text, end) - lineOf(text, start) - 1;
      return lines > LINES_PER_FUNCTION
        ? [
            `${path}:${lineOf(text, node.start)} ${nameOf(node, parent)} has ${lines} lines, more than ${LINES_PER_FUNCTION}`,
          ]
        : [];
    }),
  );
