// The code that a citation is about, and mutations of it that a test must notice.

import { isValid, lineOf, parse, withoutComments } from "../../architecture/syntax.mjs";
import { citations, messages } from "../rules.mjs";
import { breakable, edits } from "./edits.mjs";

/** A range of more lines than this is mutated in a few places, and at least one mutation must be noticed. */
const LINES = 8;
const PLACES = 8;

const lineStart = (source, at) => source.lastIndexOf("\n", at - 1) + 1;
const oneLine = (text) => text.replace(/\s+/g, " ");
const isStatement = ({ type }) =>
  type !== "BlockStatement" && /(Statement|Declaration|Definition)$/.test(type);

const bySize = (a, b) => a.to - a.from - (b.to - b.from);

/**
 * The code that a citation is about, narrowest first. Of a comment: its own line and the statements around it, or the code
 * that it stands above. Of a message: the statement that throws it, and the one around that, which holds the condition.
 */
function rangesOf({ at, isComment }, source, code, nodes) {
  const around = (offset, select) =>
    nodes
      .filter(({ node }) => select(node) && node.start <= offset && offset < node.end)
      .map(({ node }) => ({ from: node.start, to: node.end }))
      .sort(bySize);
  if (!isComment) return around(at, isStatement).slice(0, 3);
  const start = lineStart(source, at);
  const before = code.slice(start, at).trimEnd();
  if (before !== "") {
    const short = ({ from, to }) => source.slice(from, to).split("\n").length <= LINES;
    const [closest, ...more] = around(start + before.length - 1, isStatement);
    return [{ from: start, to: at }, ...(closest ? [closest] : []), ...more.filter(short)];
  }
  const next = at + code.slice(at).search(/\S|$/);
  const below = nodes.find(({ node }) => node.start === next)?.node;
  if (below) return [{ from: below.start, to: below.end }];
  const enclosing = code.startsWith("import", next) ? [] : around(next, () => true);
  return [enclosing[0] ?? { from: 0, to: source.length }];
}

function editsWithin(nodes, source, { from, to }) {
  return nodes
    .flatMap(({ node, parent }) => edits(node, parent, source))
    .filter((edit) => edit.from >= from && (edit.to <= to || (edit.text === "{}" && edit.from < to)));
}

/** At most `most` of a list, evenly. */
const spread = (list, most) =>
  list.length <= most
    ? list
    : Array.from({ length: most }, (_, i) => list[Math.floor((i * list.length) / most)]);

/**
 * For each citation: { id, path, line, every, variants }. Each variant is the file with one edit. Where `every` is true all
 * of them must be noticed by the rule's tests, else at least one.
 */
export function breaks(path, source) {
  const cited = [
    ...citations(path, source).map((use) => ({ ...use, isComment: true })),
    ...messages(path, source).map((use) => ({ ...use, isComment: false })),
  ];
  if (cited.length === 0) return [];
  const parsed = parse(path, source);
  const code = withoutComments(parsed);
  const nodes = breakable(parsed.program);
  const apply = ({ from, to, text, shown: { start, end } }) => ({
    text: source.slice(0, from) + text + source.slice(to),
    line: lineOf(source, from),
    before: oneLine(source.slice(start, end)),
    after: oneLine(source.slice(start, from) + text + source.slice(to, end)),
  });
  return cited.map(({ id, line, ...citing }) => {
    const tries = rangesOf(citing, source, code, nodes).map((range) => {
      const all = editsWithin(nodes, source, range);
      const short = source.slice(range.from, range.to).split("\n").length <= LINES;
      return { short, all, strong: all.filter((edit) => edit.strong) };
    });
    const close = tries.filter(({ short }) => short);
    const any = ({ all }) => all.length > 0;
    const best = [close.find(({ strong }) => strong.length > 0), close.find(any), tries.find(any)].find(
      Boolean,
    );
    const { short = false, all = [], strong = [] } = best ?? {};
    const chosen = strong.length > 0 ? strong : all;
    const usual = chosen.filter((edit) => !edit.last);
    const variants = spread(usual.length > 0 ? usual : chosen, PLACES)
      .map(apply)
      .filter(({ text }) => isValid(text));
    return { id, path, line, every: short && strong.length > 0, variants };
  });
}
