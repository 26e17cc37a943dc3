// TypeScript sources as syntax trees (ESTree with types), from the parser that Vite exports.
import { parseSync } from "vite";

/** Decorators of AssemblyScript, such as @inline before a function, are not JavaScript. Blanks keep every offset. */
const withoutDecorators = (text) => text.replace(/^[ \t]*@\w+[ \t]*$/gm, (line) => " ".repeat(line.length));

const parsed = new Map();

const OPTIONS = { astType: "ts", preserveParens: false };
const parseText = (text) => parseSync("source.ts", withoutDecorators(text), OPTIONS);

/** The tree and the comments of a source; an error names the file and the line. */
export function parse(path, text) {
  const known = parsed.get(text);
  if (known !== undefined) return { ...known, path };
  const { program, comments, errors } = parseText(text);
  const [error] = errors;
  if (error !== undefined)
    throw new Error(`${path}:${lineOf(text, error.labels[0]?.start ?? 0)} ${error.message}`);
  const source = { path, text, program, comments: [...hashbang(text), ...comments] };
  parsed.set(text, source);
  return source;
}

function hashbang(text) {
  const line = /^#!.*/.exec(text)?.[0];
  return line === undefined ? [] : [{ type: "Line", value: line, start: 0, end: line.length }];
}

/** Whether this text is a valid program. */
export const isValid = (text) => parseText(text).errors.length === 0;

/** The line of an offset, counted from 1. */
export const lineOf = (text, at) => text.slice(0, at).split("\n").length;

/** Calls `look(node, parent)` for every node, parents first; a node for which it returns false is not entered. */
export function visit(node, look, parent = null) {
  const isNode = typeof node?.type === "string";
  if (isNode && look(node, parent) === false) return;
  for (const [key, child] of Object.entries(node)) {
    if (typeof child === "object" && child !== null && key !== "parent")
      visit(child, look, isNode ? node : parent);
  }
}

/** Every node for which `select(node, parent)` holds, in the order of the source. */
export function nodesOf({ program }, select = () => true) {
  const nodes = [];
  visit(program, (node, parent) => {
    if (select(node, parent)) nodes.push({ node, parent });
  });
  return nodes.sort((a, b) => a.node.start - b.node.start);
}

/** String literals and the pieces of templates: { value, start, parent, opens }; later pieces of a template do not open it. */
export function strings(source) {
  const isString = ({ type, value }) =>
    type === "TemplateElement" || (type === "Literal" && typeof value === "string");
  return nodesOf(source, isString).map(({ node, parent }) => ({
    value: node.type === "Literal" ? node.value : node.value.raw,
    start: node.start,
    parent,
    opens: node.type === "Literal" || parent.quasis[0] === node,
  }));
}

/** The text with its comments blanked, so that offsets stay valid. */
export function withoutComments({ text, comments }) {
  const parts = [];
  let end = 0;
  for (const comment of comments) {
    parts.push(text.slice(end, comment.start), text.slice(comment.start, comment.end).replace(/[^\n]/g, " "));
    end = comment.end;
  }
  return parts.join("") + text.slice(end);
}

const IMPORTS = new Set([
  "ImportDeclaration",
  "ExportNamedDeclaration",
  "ExportAllDeclaration",
  "ImportExpression",
  "TSImportType",
  "TSExternalModuleReference",
]);

const isRequire = ({ type, callee }) => type === "CallExpression" && callee.name === "require";

/** Every import, of types too: { specifier, line }. The specifier is null where the target is not a plain string. */
export const imports = (source) =>
  nodesOf(source, (node) => IMPORTS.has(node.type) || isRequire(node)).flatMap(({ node }) => {
    const target = isRequire(node) ? {} : (node.source ?? node.argument ?? node.expression);
    if (!target) return [];
    const specifier = target.type === "Literal" ? target.value : null;
    return [{ specifier, line: lineOf(source.text, node.start) }];
  });
