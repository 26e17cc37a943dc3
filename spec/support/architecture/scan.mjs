// TypeScript as a list of tokens: enough to tell code from comments and strings, and to find imports. TypeScript 7 has
// no compiler API, and the tests of the house need no more than this.

const WORD = /[\p{ID_Start}$_#@][\p{ID_Continue}$]*/uy;
const NUMBER = /(?:0[xob][\da-f_]+|\d[\d_]*(?:\.[\d_]*)?(?:e[+-]?\d+)?|\.\d[\d_]*(?:e[+-]?\d+)?)n?/iy;
const MARK =
  /=>|\.\.\.|[=!]==?|\?\?=?|\?\.(?!\d)|&&=?|\|\|=?|\*\*=?|\+\+|--|[-+*%&|^]=|<=|[^\s\p{ID_Start}]/uy;
const REGEX = /\/(?![*/])(?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const COMMENT = /\/\/[^\n]*|\/\*.*?\*\//sy;
const QUOTED = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/sy;
const CHUNK = /(?:[^`\\$]|\\.|\$(?!\{))*(`|\$\{)/sy;
const SPACE = /\s+/y;

/** Words after which an expression begins, so that a slash begins a regular expression. */
const BEFORE_EXPRESSION = new Set(
  "return typeof case in of do else void delete throw new await yield instanceof".split(" "),
);

/** Does a slash here begin a regular expression? Otherwise it divides. */
function expectsExpression(before, startsLine) {
  if (before === undefined) return true;
  if (before.kind === "word") return BEFORE_EXPRESSION.has(before.text);
  if (before.kind === "template") return before.text.endsWith("${");
  if (before.kind !== "mark") return false;
  return before.text === "}" ? startsLine : ![")", "]", "++", "--"].includes(before.text);
}

/** Comments included, spaces left out. A template is one token for each piece of its text. */
export function tokens(source) {
  const found = [];
  const open = []; // for each open brace: does it belong to a template?
  let at = 0;
  let line = 1;
  let before; // the last token that is no comment

  const match = (pattern) => {
    pattern.lastIndex = at;
    return pattern.exec(source)?.[0];
  };
  const take = (kind, text) => {
    const token = { kind, text, at, line };
    if (kind !== "comment") before = token;
    found.push(token);
    at += text.length;
    line += text.split("\n").length - 1;
  };
  const takeTemplate = (from) => {
    CHUNK.lastIndex = at + from;
    const chunk = CHUNK.exec(source);
    if (chunk === null) throw new Error(`line ${line}: a template has no end`);
    take("template", source.slice(at, CHUNK.lastIndex));
    if (chunk[1] === "${") open.push(true);
  };

  if (source.startsWith("#!")) take("comment", source.split("\n", 1)[0] ?? "");
  while (at < source.length) {
    const space = match(SPACE);
    if (space !== undefined) {
      at += space.length;
      line += space.split("\n").length - 1;
      continue;
    }
    const first = source[at];
    const startsLine = source.slice(source.lastIndexOf("\n", at - 1) + 1, at).trim() === "";
    const comment = first === "/" ? match(COMMENT) : undefined;
    const regex =
      first === "/" && !comment && expectsExpression(before, startsLine) ? match(REGEX) : undefined;
    const quoted = first === '"' || first === "'" ? match(QUOTED) : undefined;
    const word = match(WORD);
    const number = match(NUMBER);
    if (comment !== undefined) take("comment", comment);
    else if (regex !== undefined) take("regex", regex);
    else if (quoted !== undefined) take("string", quoted);
    else if (first === '"' || first === "'") throw new Error(`line ${line}: a string has no end`);
    else if (first === "`") takeTemplate(1);
    else if (first === "}" && open.pop()) takeTemplate(0);
    else if (word !== undefined) take("word", word);
    else if (number !== undefined) take("number", number);
    else {
      if (first === "{") open.push(false);
      take("mark", match(MARK) ?? first);
    }
  }
  return found;
}

/** The token list without comments. */
export const codeOf = (list) => list.filter(({ kind }) => kind !== "comment");

/** How many lines have code on them; a string over several lines counts with all of them. */
export function codeLines(list) {
  const lines = new Set();
  for (const { text, line } of codeOf(list)) {
    for (const [i, part] of text.split("\n").entries()) if (part.trim() !== "") lines.add(line + i);
  }
  return lines;
}

const inner = ({ text }) => text.slice(1, -1);

/** Every import, whether it only brings types or not. One whose target is computed has the specifier null. */
export function imports(list) {
  const code = codeOf(list);
  const found = [];
  const is = (i, text) => code[i]?.kind !== "string" && code[i]?.text === text;
  const add = (i, specifier) => found.push({ specifier, line: code[i].line });
  code.forEach((token, i) => {
    if (token.kind !== "word" || is(i - 1, ".") || is(i - 1, "?.")) return;
    if (token.text === "require" && is(i + 1, "(")) add(i, null);
    if (token.text === "import" && is(i + 1, "(")) {
      const literal = code[i + 2]?.kind === "string" && (is(i + 3, ")") || is(i + 3, ","));
      add(i, literal ? inner(code[i + 2]) : null);
    } else if (token.text === "import" && code[i + 1]?.kind === "string") add(i, inner(code[i + 1]));
    else if (token.text === "import" || token.text === "export") {
      const from = clauseEnd(code, i + 1, token.text === "import");
      if (is(from, "from") && code[from + 1]?.kind === "string") add(i, inner(code[from + 1]));
    }
  });
  return found;
}

/** The position after `type Name, { a as b }` or `* as name`, where "from" stands if this is an import. */
function clauseEnd(code, start, named) {
  let i = start;
  if (code[i]?.text === "type") i++;
  for (; i < code.length; i++) {
    const { kind, text } = code[i];
    if (text === "{") while (i < code.length && code[i].text !== "}") i++;
    else if (text === "*") i += code[i + 1]?.text === "as" ? 2 : 0;
    else if (!(named && (text === "," || (kind === "word" && text !== "from")))) return i;
  }
  return i;
}
