// Where rules are defined, cited, tested and mentioned, and the problems with these links.
import { lineOf, parse, strings } from "../architecture/syntax.mjs";
import { readTree } from "../architecture/tree.mjs";

const ID = "[a-z][a-z0-9]*(?:\\.[a-z0-9-]+)+";
/** An id in brackets. Neither x[attrs.axis] nor the text of a link, [case.json](…), is an id. */
const MENTION = new RegExp(`(?<![\\w)\\]*])\\[(${ID})\\](?![(*])`, "g");
const DEFINITION = new RegExp(`\\*\\*\\[(${ID})\\]\\*\\*`, "g");
const TITLE = new RegExp(`^(?:\\[${ID}\\] )+`);
const REMARK = new RegExp(` {2}\\[(${ID})\\]`, "g");

const idsIn = (text, pattern) => [...text.matchAll(pattern)].map((match) => match[1]);

/** The ids that the comments of a TypeScript file cite. `at` is the offset of the comment. */
export function citations(path, text) {
  return parse(path, text).comments.flatMap(({ value, start }) =>
    [...value.matchAll(MENTION)].map((match) => ({
      id: match[1],
      path,
      line: lineOf(text, start) + lineOf(value, match.index) - 1,
      at: start,
    })),
  );
}

/** The ids that test titles begin with: text in a spec file that opens with one or more ids in brackets. */
export function titles(path, text) {
  return strings(parse(path, text))
    .filter(({ opens }) => opens)
    .flatMap(({ value, start }) =>
      idsIn(TITLE.exec(value)?.[0] ?? "", MENTION).map((id) => ({ id, path, line: lineOf(text, start) })),
    );
}

/** The ids that messages carry: two spaces and the id, or an argument after the first of a RuleError, `refuse` or `fail`. */
export function messages(path, text) {
  return strings(parse(path, text)).flatMap(({ value, start, parent }) => {
    const bare = new RegExp(`^${ID}$`).test(value) && isRuleOfError(parent, start);
    const ids = [...idsIn(value, REMARK), ...(bare ? [value] : [])];
    return ids.map((id) => ({ id, path, line: lineOf(text, start), at: start }));
  });
}

const isRuleOfError = ({ callee, arguments: given }, start) =>
  /^(RuleError|refuse|fail)$/.test(callee?.name ?? "") &&
  given.some((one, i) => i > 0 && one.start === start);

function inText(path, text, pattern) {
  return [...text.matchAll(pattern)].map((match) => ({
    id: match[1],
    path,
    line: lineOf(text, match.index),
  }));
}

/** The rules that a golden case lists. */
function inManifest(path, text) {
  const { rules } = JSON.parse(text);
  return (rules ?? []).map((id) => ({ id, path, line: 1 }));
}

const flat = (files, read) => [...files].flatMap(([path, text]) => read(path, text));

export function collect(root) {
  const read = (paths, matching) => readTree(paths, matching, root);
  const chapters = read(["spec"], /^spec\/(?!support\/).*\.md$/);
  const src = read(["src"], /\.ts$/);
  const specs = read(["spec"], /\.spec\.ts$/);
  const support = read(["spec/support", ".ci"], /\.(ts|mjs)$|^\.ci\/run$/);
  const prose = read(["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs", "golden/FORMAT.md"], /\.md$/);
  return {
    chapters,
    specs,
    defined: flat(chapters, (path, text) => inText(path, text, DEFINITION)),
    cited: flat(src, (path, text) => [...citations(path, text), ...messages(path, text)]),
    kept: flat(support, (path, text) =>
      path.endsWith("run") ? inText(path, text, MENTION) : citations(path, text),
    ),
    tested: flat(specs, titles),
    mentioned: [
      ...flat(new Map([...chapters, ...prose]), (path, text) => inText(path, text, MENTION)),
      ...flat(read(["golden/cases"], /\/case\.json$/), inManifest),
    ],
  };
}

/** Chapters from 90 on are about the repository itself: the code that enforces their rules is in spec/support and .ci. */
const isAboutRepository = ({ path }) => path.startsWith("spec/repository/");

/** Rules that are not linked as chapter 91 requires, a line each. */
export function problems({ defined, cited, kept, tested, mentioned }) {
  const first = new Map();
  const problems = [];
  for (const rule of defined) {
    const { id, path, line } = rule;
    if (first.has(id)) problems.push(`${path}:${line} defines [${id}] again`);
    else first.set(id, rule);
  }
  const [inSource, inSupport, inTests] = [cited, kept, tested].map(
    (uses) => new Set(uses.map(({ id }) => id)),
  );
  for (const [id, rule] of first) {
    const at = `${rule.path}:${rule.line}`;
    const isCited = inSource.has(id) || (isAboutRepository(rule) && inSupport.has(id));
    if (!isCited) problems.push(`${at} [${id}] is cited nowhere`);
    if (!inTests.has(id)) problems.push(`${at} [${id}] is tested nowhere`);
  }
  for (const { id, path, line } of [...cited, ...kept, ...tested, ...mentioned])
    if (!first.has(id)) problems.push(`${path}:${line} [${id}] is defined nowhere`);
  return [...new Set(problems)];
}

const SECTIONS = ["Semantics", "Inputs", "Rules", "Variants", "Example"];

/** Chapters without a spec file, spec files without a chapter, and chapters with other sections. */
export function pairing({ chapters, specs }) {
  const names = [...chapters.keys()].map((path) => path.slice(0, -".md".length));
  const specNames = [...specs.keys()].map((path) => path.slice(0, -".spec.ts".length));
  /** spec/tensor/ops/01-ops and spec/tensor/ops/01-numbers: one folder, one number. */
  const chapterOf = (path) => /^(.*\/\d\d)-[^/]*$/.exec(path)?.[1];
  const belongs = (spec, name) => spec === name || chapterOf(spec) === chapterOf(name);
  const misordered = [...chapters].flatMap(([path, text]) => {
    const sections = [...text.matchAll(/^## (.*)$/gm)].map((match) => match[1]);
    const positions = SECTIONS.map((name) => sections.indexOf(name));
    const inOrder = positions.every((position, i) => position > (positions[i - 1] ?? -1));
    return inOrder ? [] : [`${path} has other sections than ${SECTIONS.join(", ")}`];
  });
  const misnamed = [...names, ...specNames].filter(
    (name) => !/^spec\/(.*\/)?\d\d-[a-z0-9]+(-[a-z0-9]+)*$/.test(name),
  );
  return [
    ...names
      .filter((name) => !specNames.some((spec) => belongs(spec, name)))
      .map((name) => `${name}.md has no executable half`),
    ...specNames
      .filter((spec) => !names.some((name) => belongs(spec, name)))
      .map((spec) => `${spec}.spec.ts has no chapter`),
    ...misordered,
    ...misnamed.map((name) => `${name} is not named NN-topic`),
  ];
}
