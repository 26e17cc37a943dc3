// The exports of every entry of the package, with their declarations, read from the type declarations in dist/.
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { parse, visit } from "../../architecture/syntax.mjs";
import { repository } from "../../architecture/tree.mjs";
import { leading } from "./docstrings.mjs";

const nameOf = (node) => node?.name ?? node?.value;

/** The names that a statement declares, with the node that declares each: { name, node }. */
function declarationsIn(statement) {
  const declared = statement.declaration ?? statement;
  if (declared.type === "VariableDeclaration")
    return declared.declarations.map((node) => ({ name: nameOf(node.id), node }));
  return declared.id ? [{ name: nameOf(declared.id), node: declared }] : [];
}

/** Reads declaration files, each once. Paths are relative to dist/. */
export function declarationFiles(root = repository) {
  const files = new Map();
  return (path) => {
    const known = files.get(path);
    if (known !== undefined) return known;
    const text = readFileSync(join(root, "dist", path), "utf8").replace(/\n\/\/# sourceMappingURL=.*$/, "\n");
    const { program, comments } = parse(path, text);
    const file = { path, text, comments, statements: program.body };
    files.set(path, file);
    return file;
  };
}

const targetOf = (from, specifier) =>
  posix.join(posix.dirname(from), specifier.replace(/\.(ts|js)$/, ".d.ts"));

/** The declaration of a name that is visible in a file: declared there, or imported or exported from another file; null elsewhere. */
export function resolve(read, path, name) {
  const { statements, text, comments } = read(path);
  const own = statements.flatMap((statement) =>
    declarationsIn(statement)
      .filter((one) => one.name === name)
      .map(({ node }) => ({ statement, node, doc: leading(text, comments, statement.start) })),
  );
  if (own.length > 0) return { name, path, parts: own };
  for (const { type, source, specifiers } of statements) {
    if (!source?.value.startsWith(".")) continue;
    const found = (specifiers ?? []).find(
      ({ local, exported }) => nameOf(type === "ImportDeclaration" ? local : exported) === name,
    );
    const there = found && nameOf(type === "ImportDeclaration" ? found.imported : found.local);
    if (there !== undefined) return resolve(read, targetOf(path, source.value), there);
  }
  return null;
}

/** The exported names of a file, in the order of its statements, each with its declaration. */
function exportsOf(read, path) {
  return read(path).statements.flatMap((statement) => {
    const { type, source, specifiers, declaration } = statement;
    if (type === "ExportAllDeclaration") return exportsOf(read, targetOf(path, source.value));
    if (type !== "ExportNamedDeclaration") return [];
    const names = declaration
      ? declarationsIn(statement).map(({ name }) => name)
      : specifiers.map(({ exported }) => nameOf(exported));
    return names.map((name) => ({ exported: name, ...resolve(read, path, name) }));
  });
}

/** The comment at the beginning of an entry's source, as text. */
function introduction(root, path) {
  const lines = readFileSync(join(root, sourceOf(path)), "utf8").split("\n");
  const end = lines.findIndex((line) => !line.startsWith("//"));
  return lines
    .slice(0, end)
    .map((line) => line.slice(2).trim())
    .join("\n");
}

/** The source of a declaration file: kernels/gpu/index.d.ts -> src/kernels/gpu/index.ts */
export const sourceOf = (path) => `src/${path.replace(/\.d\.ts$/, ".ts")}`;

/** Every entry that package.json lists: { name, path, introduction, exports }. */
export function entries(read, root = repository) {
  const { name: main, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return Object.entries(exports)
    .filter(([, target]) => typeof target === "object")
    .map(([subpath, { types }]) => {
      const path = types.replace("./dist/", "");
      const seen = new Map(exportsOf(read, path).map((one) => [one.exported, one]));
      const name = subpath === "." ? main : `${main}/${subpath.slice(2)}`;
      return { name, path, introduction: introduction(root, path), exports: [...seen.values()] };
    });
}

/** The names of the types to which a declaration refers. */
export function typesIn({ parts }) {
  const names = new Set();
  for (const { node } of parts)
    visit(node, ({ type, typeName, expression, exprName }) => {
      if (type === "TSTypeReference") names.add(nameOf(typeName));
      if (type === "TSTypeQuery") names.add(nameOf(exprName));
      if (type === "TSInterfaceHeritage" || type === "TSClassImplements") names.add(nameOf(expression));
    });
  return [...names].filter((name) => name !== undefined);
}

/** The names of what a declaration extends, or is another name for. */
export function basesOf({ parts }) {
  const [{ node }] = parts;
  const extended = (node.extends ?? []).map(({ expression }) => nameOf(expression));
  return node.type === "TSTypeAliasDeclaration"
    ? typesIn({ parts })
    : extended.filter((name) => name !== undefined);
}
