// Which lines a citation stands for, and the broken versions of the file that a test must notice.

import { codeOf, tokens } from "../../architecture/scan.mjs";
import { citations, messages } from "../rules.mjs";
import { edits, visit } from "./edits.mjs";

/** A range of more lines than this is broken in a few places, and one of them must be noticed. */
const LINES = 8;
const PLACES = 8;

const lineStart = (source, at) => source.lastIndexOf("\n", at - 1) + 1;
const lineOf = (source, at) => source.slice(0, at).split("\n").length;
const oneLine = (text) => text.replace(/\s+/g, " ");
const isStatement = ({ type }) =>
  type !== "BlockStatement" && /(Statement|Declaration|Definition)$/.test(type);

function nodesOf(program) {
  const nodes = [];
  visit(program, (node, parent) => {
    if (node.type !== "Program") nodes.push({ node, parent });
  });
  return nodes;
}

const bySize = (a, b) => a.to - a.from - (b.to - b.from);

/**
 * The code that a citation is about, narrowest first. Of a comment: its own line and the statements around it, or what it stands
 * above. Of a message: the statement that throws it, and the one around that, which says when.
 */
function rangesOf(comment, source, code, nodes) {
  const around = (at, wanted) =>
    nodes
      .filter(({ node }) => wanted(node) && node.start <= at && at < node.end)
      .map(({ node }) => ({ from: node.start, to: node.end }))
      .sort(bySize);
  if (comment.kind !== "comment") return around(comment.at, isStatement).slice(0, 3);
  const start = lineStart(source, comment.at);
  const last = code.findLast(({ at }) => at >= start && at < comment.at);
  if (last) {
    const short = ({ from, to }) => source.slice(from, to).split("\n").length <= LINES;
    const [closest, ...more] = around(last.at, isStatement);
    return [{ from: start, to: comment.at }, ...(closest ? [closest] : []), ...more.filter(short)];
  }
  const next = code.find(({ at }) => at > comment.at);
  const below = nodes.find(({ node }) => node.start === next?.at)?.node;
  if (below) return [{ from: below.start, to: below.end }];
  const enclosing = next?.text === "import" ? [] : around(comment.at, () => true);
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
export function breaks(path, source, parse) {
  const cited = [...citations(path, source), ...messages(path, source)];
  if (cited.length === 0) return []; // such a file need not be JavaScript: a kernel's decorators are AssemblyScript's
  const list = tokens(source);
  const code = codeOf(list);
  const program = parse(source);
  const nodes = nodesOf(program);
  const parses = ({ text }) => {
    try {
      parse(text);
      return true;
    } catch {
      return false;
    }
  };
  const apply = ({ from, to, text, shown: { start, end } }) => ({
    text: source.slice(0, from) + text + source.slice(to),
    line: lineOf(source, from),
    before: oneLine(source.slice(start, end)),
    after: oneLine(source.slice(start, from) + text + source.slice(to, end)),
  });
  return cited.map(({ id, line }) => {
    const citing = list.find((token) => covers(token, line) && token.text.includes(id));
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
      .filter(parses);
    return { id, path, line, every: short && strong.length > 0, variants };
  });
}

const covers = ({ text, line: first }, line) => first <= line && line < first + text.split("\n").length;
