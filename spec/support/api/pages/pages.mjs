// The pages of the reference: one for each entry of the package, and an index.
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { lineOf, parse } from "../../architecture/syntax.mjs";
import { repository } from "../../architecture/tree.mjs";
import { collect } from "../../links/rules.mjs";
import { thrown } from "../checks/errors.mjs";
import { callables } from "../reading/callables.mjs";
import { partsOf } from "../reading/docstrings.mjs";
import { basesOf, declarationFiles, entries, resolve, sourceOf, typesIn } from "../reading/entries.mjs";
import { sourceSpan } from "../reading/spans.mjs";
import { INTRODUCTION } from "./introduction.mjs";
import { linked } from "./references.mjs";
import { shapesOf, shapesText, signature, spelledOut } from "./signatures.mjs";
import { topicOf } from "./topics.mjs";

export const FOLDER = "docs/api";
const NOTE = "<!-- Generated from the docstrings by `npm run api`. Change those, not this page. -->";
const toRoot = (path) => posix.relative(FOLDER, path);

/** Values by the key that each has, in the order of their first occurrence. */
function grouped(values, keyOf) {
  const groups = new Map();
  for (const value of values) groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
  return groups;
}

/** What pages need beside declarations: where rules are defined, and which rules each source cites. */
function rulesOf(root) {
  const { defined, cited } = collect(root);
  return {
    chapterOf: new Map(defined.map(({ id, path }) => [id, path])),
    cited: grouped(cited, ({ path }) => path),
  };
}

/** Every entry with the types that its exports name and that no entry exports, and the page on which each name is described. */
export function reference(root = repository) {
  const read = declarationFiles(root);
  const all = entries(read, root);
  const pageOf = new Map();
  for (const { name, exports } of all)
    for (const one of exports) {
      const key = `${one.path}#${one.name}`;
      if (!pageOf.has(key)) pageOf.set(key, { entry: name, exported: one.exported });
    }
  const described = all.map((entry) => {
    const own = entry.exports.filter((one) => pageOf.get(`${one.path}#${one.name}`).entry === entry.name);
    return { ...entry, own, elsewhere: entry.exports.filter((one) => !own.includes(one)) };
  });
  for (const entry of described) entry.parts = partsNamed(read, entry, pageOf);
  return { root, read, entries: described, pageOf, rules: rulesOf(root) };
}

/** Types that the exports of an entry name, with the types that these extend or alias, and that no entry exports. */
function partsNamed(read, entry, pageOf) {
  const found = [];
  const queue = entry.own.flatMap((one) => typesIn(one).map((type) => ({ path: one.path, type })));
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const known = resolve(read, next.path, next.type);
    const key = known && `${known.path}#${known.name}`;
    if (known === null || pageOf.has(key) || known.parts[0].node.type === "ClassDeclaration") continue;
    pageOf.set(key, { entry: entry.name, exported: known.name });
    found.push({ ...known, exported: known.name });
    queue.push(...basesOf(known).map((type) => ({ path: known.path, type })));
  }
  return found;
}

export const pageName = (entry) => `${entry.replace("/", "-")}.md`;

const slug = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");

/** Gives each heading of a page its anchor: a second one of the same letters ends in -1. */
function anchors() {
  const count = new Map();
  return (heading) => {
    const base = slug(heading);
    const n = count.get(base) ?? 0;
    count.set(base, n + 1);
    return n === 0 ? base : `${base}-${n}`;
  };
}

/** The lines on shapes: those of the docstrings, or those that the types spell out. */
export function shapeLines(read, one) {
  return callables(read, one).flatMap(({ member, doc, node }) => {
    const documented = doc === null ? [] : partsOf(doc).shapes;
    const arrays = shapesOf(node);
    const typed = arrays && spelledOut(arrays) ? [`${shapesText(arrays)}.`] : [];
    const lines = documented.length > 0 ? documented : typed;
    return lines.map((line) => `${member === null ? "" : `\`${member}\`: `}${line}`);
  });
}

const CHECKED = {
  options: "an argument that is unknown, missing or out of range throws a RuleError that names it",
  shapes: "shapes that do not match throw a ShapeError that lists the size of every axis",
};

/** What the code has checked by the functions for options and shapes. */
function checkLines({ root }, { path, name }) {
  const source = sourceOf(path);
  const found = thrown(parse(source, readFileSync(join(root, source), "utf8")), name);
  return Object.entries(CHECKED).flatMap(([check, text]) => {
    const members = [...new Set(found.filter(({ checks }) => checks.has(check)).map(({ member }) => member))];
    if (members.length === 0) return [];
    return [`${members[0] === null ? "" : `in ${members.map((one) => `\`${one}\``).join(", ")}, `}${text}.`];
  });
}

const isType = ([{ node }]) => /^TS(Interface|TypeAlias)/.test(node.type);

/** The rules that the lines of a declaration cite, or of its whole file where it is no type and cites none, by chapter. */
function ruleLines({ root, rules }, { path, name, parts }) {
  const source = sourceOf(path);
  const text = readFileSync(join(root, source), "utf8");
  const cited = rules.cited.get(source) ?? [];
  const span = sourceSpan(source, text, name);
  const within = cited.filter(
    ({ line }) => span && line >= lineOf(text, span.start) && line <= lineOf(text, span.end),
  );
  const ids = [...new Set((within.length > 0 || isType(parts) ? within : cited).map(({ id }) => id))];
  const chapters = grouped(ids, (id) => rules.chapterOf.get(id));
  const list = (some) =>
    `${some
      .slice(0, 6)
      .map((id) => `\`${id}\``)
      .join(", ")}${some.length > 6 ? ", …" : ""}`;
  return [...chapters]
    .filter(([chapter]) => chapter !== undefined)
    .map(([chapter, some]) => `[${posix.basename(chapter, ".md")}](${toRoot(chapter)}) (${list(some)})`);
}

const labelled = (label, lines) => {
  if (lines.length === 0) return "";
  return lines.length === 1
    ? `**${label}:** ${lines[0]}`
    : `**${label}:**\n\n${lines.map((line) => `* ${line}`).join("\n")}`;
};

/** The description of one declaration. */
function description(made, one) {
  const { read, rules } = made;
  const file = read(one.path);
  const docs = one.parts.map(({ doc }) => doc).filter((doc) => doc !== null);
  const parts = docs.map(partsOf);
  const prose = parts.map(({ text }) => text.replace(/(^|[.)] |\n)Throws /g, "$1**Throws** ")).join("\n\n");
  const source = sourceOf(one.path);
  const where = [`[${source}](${toRoot(source)})`, ...ruleLines(made, one)];
  return [
    `\`\`\`ts\n${signature(file, one)}\n\`\`\``,
    linked(prose, rules, toRoot),
    labelled("Shapes", shapeLines(read, one)),
    labelled("Checked", checkLines(made, one)),
    labelled(
      "Source",
      parts.flatMap(({ sources }) => sources.map((line) => linked(line, rules, toRoot))),
    ),
    `**Code and rules:** ${where.join(" · ")}`,
  ].filter((part) => part !== "");
}

/** The exports of an entry by topic, in the order of the topics and of the alphabet. */
export function byTopic(exports) {
  const known = exports.map((one) => ({
    one,
    topic: topicOf(sourceOf(one.path)) ?? { at: Infinity, title: "Other exports" },
  }));
  const compare = (a, b) => a.topic.at - b.topic.at || compareNames(a.one.exported, b.one.exported);
  return [...grouped(known.toSorted(compare), ({ topic }) => topic.title)].map(([title, list]) => ({
    title,
    exports: list.map(({ one }) => one),
  }));
}

const compareNames = (a, b) => {
  const [x, y] = [a.toLowerCase(), b.toLowerCase()];
  return x < y || (x === y && a < b) ? -1 : 1;
};

/** The page of an entry: { path, text, anchors }, with the anchor of each name. */
function page(made, entry) {
  const topics = byTopic(entry.own);
  const parts = entry.parts.toSorted((a, b) => compareNames(a.exported, b.exported));
  const anchor = anchors();
  anchor(entry.name);
  const at = new Map();
  const body = [];
  const contents = [];
  const sections = [...topics, { title: "Types named above, not exported", exports: parts }];
  for (const { title, exports } of sections.filter((one) => one.exports.length > 0)) {
    anchor(title);
    body.push(`## ${title}`);
    for (const one of exports) {
      at.set(one.exported, anchor(one.exported));
      body.push(`### ${one.exported}`, ...description(made, one));
    }
    const names = exports.map(({ exported }) => `[${exported}](#${at.get(exported)})`);
    contents.push(`**${title}:** ${names.join(", ")}`);
  }
  const elsewhere = entry.elsewhere.map((one) => {
    const { entry: name, exported } = made.pageOf.get(`${one.path}#${one.name}`);
    return `\`${one.exported}\` ([${name}](${pageName(name)}), as \`${exported}\`)`;
  });
  const also = elsewhere.length > 0 ? [`**Also exported here:** ${elsewhere.join(", ")}`] : [];
  const head = [
    NOTE,
    `# \`${entry.name}\``,
    entry.introduction,
    "[All entries and names](README.md)",
    ...contents,
    ...also,
  ];
  return { path: pageName(entry.name), text: `${[...head, ...body].join("\n\n")}\n`, anchors: at };
}

function index(made, pages) {
  const rows = made.entries.map(({ name, own, introduction }, i) => {
    const [first] = introduction.split("\n");
    return `| [\`${name}\`](${pages[i].path}) | ${own.length} | ${first} |`;
  });
  const names = made.entries.flatMap(({ own, name }, i) =>
    own.map(({ exported }) => ({
      exported,
      link: `[${exported}](${pages[i].path}#${pages[i].anchors.get(exported)})`,
      name,
    })),
  );
  const letters = grouped(
    names.toSorted((a, b) => compareNames(a.exported, b.exported)),
    ({ exported }) => exported[0].toUpperCase(),
  );
  const alphabet = [...letters].map(
    ([letter, list]) => `**${letter}** ${list.map(({ link }) => link).join(", ")}`,
  );
  const intro = INTRODUCTION;
  const table = ["| entry | names | |", "|---|---|---|", ...rows].join("\n");
  return { path: "README.md", text: `${[NOTE, intro, table, "## All names", ...alphabet].join("\n\n")}\n` };
}

/** Every page, by its path below docs/api. */
export function pages(root = repository) {
  const made = reference(root);
  const ofEntries = made.entries.map((entry) => page(made, entry));
  return new Map([index(made, ofEntries), ...ofEntries].map(({ path, text }) => [path, text]));
}
