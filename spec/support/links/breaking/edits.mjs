// Mutations of a line: small edits to the syntax tree of a TypeScript file. An edit is { from, to, text, strong, shown }:
// `shown` is the range to print, and an edit marked `last` is used where there is no other.

import { visit } from "../../architecture/syntax.mjs";

const SWAPS = {
  "+": "-",
  "-": "+",
  "*": "/",
  "/": "*",
  "%": "*",
  "**": "*",
  "&": "|",
  "|": "&",
  "<<": ">>",
  ">>": "<<",
  ">>>": "<<",
  "<": ">=",
  ">=": "<",
  ">": "<=",
  "<=": ">",
  "==": "!=",
  "!=": "==",
  "===": "!==",
  "!==": "===",
  "&&": "||",
  "||": "&&",
  "+=": "-=",
  "-=": "+=",
  "*=": "/=",
};
const NEIGHBOURS = { "<": "<=", "<=": "<", ">": ">=", ">=": ">" };
/** Conditions with these operators are negated by swapping or dropping the operator. */
const NEGATED_BY_OPERATOR = /^(&&|\|\||[=!]==?|[<>]=?|!)$/;

/** Functions that return their argument, under another name. */
const SAME = new Set(["tap", "named"]);

/** Types, imports and messages of errors are not mutated: no test would notice. */
const isInert = (node, parent) =>
  (/^TS/.test(node.type) && !/^TS(As|Satisfies|NonNull)Expression$/.test(node.type)) ||
  /^(Import.*Declaration|ExportAllDeclaration)$/.test(node.type) ||
  (parent?.type === "ThrowStatement" && node.type !== "ConditionalExpression");

/** The nodes of a program that can be broken, with their parents. */
export function breakable(program) {
  const nodes = [];
  visit(program, (node, parent) => {
    if (isInert(node, parent)) return false;
    if (node.type !== "Program") nodes.push({ node, parent });
  });
  return nodes;
}

/** Every edit that this node offers. Strong ones reverse its meaning; weak ones may have no effect that matters. */
export function edits(node, parent, source) {
  const text = ({ start, end }) => source.slice(start, end);
  const found = [];
  const offer = (strong) => (what, replacement) =>
    found.push({ from: what.start, to: what.end, text: replacement, strong, shown: what.operates ?? what });
  const [strong, weak] = [offer(true), offer(false)];
  const operator = () => {
    const start = source.indexOf(node.operator, node.left.end);
    return { start, end: start + node.operator.length, operates: node };
  };
  switch (node.type) {
    case "ThrowStatement":
      strong(node, "{}");
      break;
    case "ExpressionStatement":
      if (!node.directive && node.expression.callee?.type !== "Super") strong(node, "{}");
      break;
    case "IfStatement":
    case "ConditionalExpression":
      if (!NEGATED_BY_OPERATOR.test(node.test.operator)) strong(node.test, `!(${text(node.test)})`);
      break;
    case "BinaryExpression":
    case "LogicalExpression":
    case "AssignmentExpression":
      if (SWAPS[node.operator] !== undefined) strong(operator(), SWAPS[node.operator]);
      if (NEIGHBOURS[node.operator] !== undefined) weak(operator(), NEIGHBOURS[node.operator]);
      break;
    case "UnaryExpression":
      if (["!", "-", "~"].includes(node.operator)) strong(node, text(node.argument));
      break;
    case "Literal":
      if (typeof node.value === "boolean") strong(node, String(!node.value));
      if (typeof node.value === "number" && parent?.operator !== "??") weak(node, String(node.value + 1));
      if (typeof node.value === "string" && / -> /.test(node.value) && /\(\w+ \w+/.test(node.value))
        strong(node, text(node).replace(/\((\w+) (\w+)/, "($2 $1")); // the two parts of a joined axis exchanged
      break;
    case "CallExpression": {
      const rest = withoutCall(node);
      if (rest && parent?.type !== "ExpressionStatement") strong(node, text(rest));
      break;
    }
    case "ReturnStatement":
      if (node.argument) found.push({ ...blank(node.argument), last: true });
      break;
    case "PropertyDefinition":
      if (node.value?.type === "ArrayExpression" && node.value.elements.length > 0) strong(node.value, "[]");
      break;
    case "VariableDeclarator":
      if (node.init) found.push({ ...blank(node.init), last: true });
      break;
    case "ArrowFunctionExpression":
      if (node.expression) found.push({ ...blank(node.body), last: true });
      break;
    case "Property":
      if (parent?.type === "ObjectExpression" && !node.shorthand && !node.method)
        found.push({ ...blank(node.value), last: true });
      break;
  }
  return found;
}

/** For a line that offers no other edit. */
const blank = ({ start, end }) => ({
  from: start,
  to: end,
  text: "undefined",
  strong: false,
  shown: { start, end },
});

/** The value that a call was applied to, in place of the call. */
function withoutCall({ callee, arguments: given }) {
  if (SAME.has(callee.name)) return undefined;
  const values = given.filter(({ type }) => !/^(This|Literal|Object|Arrow|Function|Spread)/.test(type));
  if (callee.type !== "MemberExpression") return values[0];
  const { object } = callee;
  const root = rootOf(object);
  const isNamespace = object === root && root.type === "Identifier" && /^[A-Z]/.test(root.name);
  return isNamespace || /^(Super|This)/.test(root.type) ? values[0] : object; // this.norm.forward(x) -> x
}

const rootOf = (node) => (node.type === "MemberExpression" ? rootOf(node.object) : node);
