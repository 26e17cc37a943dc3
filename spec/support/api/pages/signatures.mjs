// Declarations as they are shown on a page: without export, private members and nested literals, wrapped to the width of the code.
import { visit } from "../../architecture/syntax.mjs";
import { plain } from "../reading/docstrings.mjs";

const WIDTH = 110;
/** Of a constant that takes more lines than this, the members are shown without their own members. */
const LINES = 16;

/** Replaces parts of a text: { start, end, by }, which do not overlap. */
function replaced(text, start, end, edits) {
  let shown = "";
  let at = start;
  for (const edit of edits.toSorted((a, b) => a.start - b.start)) {
    if (edit.start < at || edit.end > end) continue;
    shown += text.slice(at, edit.start) + edit.by;
    at = edit.end;
  }
  return shown + text.slice(at, end);
}

/** Private members, and the lines of comments on shapes and sources, which the page shows below the code. */
function hidden(file, { start, end }) {
  const edits = [];
  visit(
    file.statements.find((one) => one.start <= start && end <= one.end),
    (node) => {
      const isMember = node.type === "PropertyDefinition" || node.type === "MethodDefinition";
      if (isMember && (node.accessibility === "private" || node.key?.type === "PrivateIdentifier"))
        edits.push({ start: node.start, end: node.end, by: "" });
    },
  );
  for (const comment of file.comments)
    if (comment.start > start && comment.end < end && /\n\s*\* (Shapes|Source):/.test(comment.value))
      edits.push({ start: comment.start, end: comment.end, by: withoutLabels(comment.value) });
  return edits;
}

function withoutLabels(value) {
  const { text } = plain(value);
  if (text === "") return "";
  const lines = text.split("\n");
  return lines.length === 1
    ? `/** ${text} */`
    : `/**\n${lines.map((line) => `     * ${line}`).join("\n")}\n     */`;
}

/** The literals inside the members of a constant's type, as { … }. */
function nestedLiterals(node) {
  const edits = [];
  let depth = 0;
  const look = (one) => {
    if (one.type !== "TSTypeLiteral" && one.type !== "TSTupleType") return;
    if (depth > 0)
      edits.push({ start: one.start, end: one.end, by: one.type === "TSTupleType" ? "[…]" : "{ … }" });
    depth++;
    for (const child of Object.values(one)) if (typeof child === "object" && child) visit(child, look);
    depth--;
    return false;
  };
  visit(node, look);
  return edits;
}

/** One parameter a line where a line is too long for the page. */
function wrapped(line) {
  if (line.length <= WIDTH || /^\s*(\*|\/\*)/.test(line)) return line;
  const open = openingParenthesis(line);
  if (open < 0) return line;
  const indent = /^\s*/.exec(line)[0];
  const { pieces, close } = argumentsAt(line, open);
  if (close < 0 || pieces.length === 0) return line;
  const lines = pieces.map((piece) => `${indent}  ${piece.trim()},`);
  return [line.slice(0, open + 1), ...lines, `${indent}${line.slice(close)}`].join("\n");
}

const OPENING = "([{<";
const CLOSING = ")]}>";
const isArrow = (line, at) => line[at] === ">" && line[at - 1] === "=";

/** The parenthesis of the parameters: the first one outside of type parameters. */
function openingParenthesis(line) {
  let depth = 0;
  for (let at = 0; at < line.length; at++) {
    if (line[at] === "<") depth++;
    else if (line[at] === ">" && !isArrow(line, at)) depth--;
    else if (line[at] === "(" && depth === 0) return at;
  }
  return -1;
}

function argumentsAt(line, open) {
  const pieces = [];
  let depth = 0;
  let from = open + 1;
  for (let at = open; at < line.length; at++) {
    if (isArrow(line, at)) continue;
    if (OPENING.includes(line[at])) depth++;
    if (CLOSING.includes(line[at])) depth--;
    const ends = depth === 0;
    if ((ends || (depth === 1 && line[at] === ",")) && line.slice(from, at).trim() !== "") {
      pieces.push(line.slice(from, at));
      from = at + 1;
    }
    if (ends) return { pieces, close: at };
  }
  return { pieces, close: -1 };
}

/** The code of one declaration. A long constant is shown with its members only. */
function codeOf(file, { statement, node }) {
  const { start, end } = statement.declaration ?? statement;
  const isVariable = node.type === "VariableDeclarator";
  const edits = hidden(file, { start, end });
  const whole = replaced(file.text, start, end, edits);
  const long = isVariable && whole.split("\n").length > LINES;
  return long ? replaced(file.text, start, end, nestedLiterals(node.id.typeAnnotation)) : whole;
}

/** A declaration as code: all overloads, two blanks a level. */
export function signature(file, { parts }) {
  return parts
    .map((part) => codeOf(file, part))
    .join("\n")
    .replace(/^declare /gm, "")
    .replace(/^( {4})+/gm, (blanks) => " ".repeat(blanks.length / 2))
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map(wrapped)
    .join("\n");
}

const ARRAYS = /^(Tensor|Parameter|Bool|Int|KeptTensor)$/;

/** The axes of an array type as it is written: "b l d", or null where the type does not spell them out. */
function axesOf(type) {
  const [axes] = type.typeArguments?.params ?? [];
  return axes?.type === "TSLiteralType" && axes.literal.type === "Literal" ? axes.literal.value : null;
}

/**
 * The axes of the arrays that a type has itself, in its unions, tuples, lists and promises; null for axes that are not spelled out. Arrays
 * inside of maps, records and functions are not its own.
 */
function arraysIn(node) {
  const found = [];
  visit(node ?? {}, (one) => {
    if (/^TS(FunctionType|TypeLiteral)$/.test(one.type)) return false;
    if (one.type !== "TSTypeReference") return;
    const name = one.typeName.name ?? "";
    if (ARRAYS.test(name)) found.push(axesOf(one));
    return name === "Promise";
  });
  return found;
}

/** Parameters and result of a function that takes or returns arrays, as far as its types spell the axes out; null for other functions. */
export function shapesOf({ params, returnType }) {
  const given = params.map((one) => {
    const parameter = one.type === "AssignmentPattern" ? one.left : one;
    return { name: parameter.name ?? "", axes: arraysIn(parameter.typeAnnotation) };
  });
  const returned = arraysIn(returnType);
  if (given.every(({ axes }) => axes.length === 0) && returned.length === 0) return null;
  return { given: given.filter(({ axes }) => axes.length > 0), returned };
}

/** Whether every axis of every array is spelled out by its type, so that the compiler checks what the page shows. */
export const spelledOut = ({ given, returned }) =>
  [...given.flatMap(({ axes }) => axes), ...returned].every((axes) => axes !== null);

/** Shapes in the notation of the docstrings: x `b l d`, media `b m r e` → `b l d`. */
export function shapesText({ given, returned }) {
  const text = (axes) => axes.map((one) => `\`${one === "" ? "a scalar" : one}\``).join(", ");
  const from = given.map(({ name, axes }) => `${name} ${text(axes)}`).join(", ");
  return returned.length === 0 ? from : `${from}${from === "" ? "" : " "}→ ${text(returned)}`;
}
