// What a single file may contain. Each check takes files (path below src -> text) and gives its violations as lines.
import { type Files, folderOf } from "./imports.ts";
import { lineOf, type Node, nodesOf, parse, type Source, strings } from "./syntax.mjs";

/** Folders in which functions may be asynchronous. */
const ASYNCHRONOUS = new Set([
  "host",
  "io",
  "kernels",
  "training",
  "pretrained",
  "writing",
  "evaluation",
  "generation",
  "conformance",
  "mask-report",
  "demos",
  "bench",
  "cli",
  "web",
]);
/** Folders that may use the globals of Node and of browsers. */
const PLATFORM = new Set(["host", "cli", "web", "bench"]);
const GLOBALS = new Set(
  "process Buffer navigator document window self __dirname __filename setImmediate localStorage".split(" "),
);
const KEBAB = /^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*(\.as)?\.ts$/;

/** A check of each file by itself. */
const eachFile =
  (applies: (path: string) => boolean, check: (source: Source) => string[]) =>
  (files: Files): string[] =>
    [...files].flatMap(([path, text]) => (applies(path) ? check(parse(path, text)) : []));

type Select = (node: Node, parent: Node | null) => boolean;

/** Nodes of a file as violations: "path:line name". In `{ a }` one place is both key and value, and counts once. */
function report(source: Source, select: Select, describe: (node: Node) => string): string[] {
  const places = new Map(nodesOf(source, select).map(({ node }) => [node.start, describe(node)]));
  return [...places].map(([start, name]) => `${source.path}:${lineOf(source.text, start)} ${name}`);
}

const isAsync: Select = (node) =>
  node.async === true || node.await === true || node.type === "AwaitExpression";

/** `await` and `async` occur only in folders that do input and output. */
export const asynchronous = eachFile(
  (path) => !ASYNCHRONOUS.has(folderOf(path)),
  (source) => report(source, isAsync, (node) => (node.async === true ? "async" : "await")),
);

const nameOf = (node: unknown): string => (node as { name?: string } | null)?.name ?? "";

/** An identifier that names a property or is declared: x.process, { process: 1 }, (process: string). */
const isReference: Select = (node, parent) => {
  if (node.type !== "Identifier" || parent === null) return false;
  const isKey = parent.key === node && parent.computed !== true && parent.shorthand !== true;
  const isProperty = parent.property === node && parent.computed !== true;
  return !isKey && !isProperty && !/^TS/.test(parent.type);
};

/** globalThis.process */
const isGlobalMember: Select = (node, parent) =>
  parent?.property === node && nameOf(parent.object) === "globalThis";

const isPattern = (parent: Node | null): boolean =>
  parent !== null && /^(ObjectPattern|ArrayPattern|AssignmentPattern|RestElement)$/.test(parent.type);

/** Names that a file declares itself, as variables, functions, classes or parameters. */
function declaredNames(source: Source): Set<string> {
  const names = nodesOf(source).flatMap(({ node, parent }) => {
    const parameters = (node.params as readonly unknown[] | undefined) ?? [];
    const bound = node.type === "Property" && isPattern(parent) ? nameOf(node.value) : "";
    return [nameOf(node.id), ...parameters.map(nameOf), bound];
  });
  return new Set(names);
}

/** Globals of Node and of browsers occur only in folders that are about the platform. */
export const platform = eachFile(
  (path) => !PLATFORM.has(folderOf(path)),
  (source) => {
    const own = declaredNames(source);
    const isGlobal: Select = (node, parent) =>
      GLOBALS.has(nameOf(node)) &&
      (isGlobalMember(node, parent) || (isReference(node, parent) && !own.has(nameOf(node))));
    return report(source, isGlobal, nameOf);
  },
);

const STREAMS = new Set(["stdout", "stderr"]);
const memberName = (node: unknown): string => nameOf((node as { property?: unknown } | null)?.property);

/** The streams of the command line are written in one file, which cleans the text. */
export const streams = eachFile(
  (path) => path !== "cli/terminal.ts" && folderOf(path) !== "web",
  (source) =>
    report(
      source,
      (node) => memberName(node) === "write" && STREAMS.has(memberName(node.object)),
      (node) => `${memberName(node.object)}.write`,
    ),
);

const ESCAPES: Readonly<Record<string, string>> = {
  TSAsExpression: "as",
  TSTypeAssertion: "as",
  TSAnyKeyword: "any",
  TSNonNullExpression: "!",
};

const isConstAssertion = (node: Node): boolean =>
  nameOf((node.typeAnnotation as Node | undefined)?.typeName) === "const";

/** `as`, `any` and `!` after a value do not occur in blocks and models. */
export const assertions = eachFile(
  (path) => ["blocks", "models"].includes(folderOf(path)),
  (source) =>
    report(
      source,
      (node) => (node.type in ESCAPES && !isConstAssertion(node)) || node.definite === true,
      (node) => ESCAPES[node.type] ?? "!",
    ),
);

/** Text with an arrow, an argument of `named`, the axes of a tensor's type: these are patterns of axes. */
function isAxes({ value, parent }: { value: string; parent: Node }): boolean {
  if (/Template/.test(parent.type) || !/^[\w~.,() >-]*$/.test(value)) return false;
  const isNamed = nameOf(parent.callee) === "named";
  return isNamed || parent.type === "TSLiteralType" || (value.includes("->") && /\w/.test(value));
}

/** "b l (h k) -> b h l k": one space between words, none at the ends or inside brackets. */
const TIDY = /^(?! )(?!.* {2})(?!.*[( ] )(?!.* [),])(?!.*,\S)(?!.*\S->)(?!.*->\S).*(?<! )$/;
export const patterns = eachFile(
  () => true,
  (source) =>
    strings(source)
      .filter((found) => isAxes(found) && !TIDY.test(found.value))
      .map(({ value, start }) => `${source.path}:${lineOf(source.text, start)} "${value}"`),
);

/** The parts of a page that are no TypeScript, and the script that builds the pages. */
const OTHER_FILES = /^(web\/.*\.(html|css)|web\/build\.mjs|tsconfig\.json)$/;

/** Code in src is TypeScript, which alone the other checks read. */
export const otherFiles = (files: Files): string[] =>
  [...files.keys()].filter((path) => !path.endsWith(".ts") && !OTHER_FILES.test(path));

export const fileNames = (files: Files): string[] => [...files.keys()].filter((path) => !KEBAB.test(path));

/** A file begins with a comment that describes it, or has a doc comment on what it holds. */
export const headers = eachFile(
  () => true,
  ({ path, text, comments }) => {
    const described = comments.some(
      ({ type, value, start }) => lineOf(text, start) === 1 || (type === "Block" && value.startsWith("*")),
    );
    return described ? [] : [`${path} has neither a header nor a doc comment`];
  },
);

/** Only spec/support/fixtures/temporary.ts makes temporary folders, since it removes them as well. */
export const temporaryFolders = eachFile(
  (path) => path.endsWith(".ts") && path !== "spec/support/fixtures/temporary.ts",
  (source) =>
    report(source, (node) => node.type === "Identifier" && /^(mkdtemp|tmpdir)/.test(nameOf(node)), nameOf),
);

/** Tests that would not be run, or that would keep others from running. */
export const inactiveTests = eachFile(
  () => true,
  (source) =>
    report(
      source,
      (node) =>
        node.type === "MemberExpression" &&
        /^(test|it|describe|suite)$/.test(nameOf(node.object)) &&
        /^(only|skip|skipIf|runIf|todo|fails)$/.test(nameOf(node.property)),
      (node) => nameOf(node.property),
    ),
);
