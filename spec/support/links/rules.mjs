// Where rules are defined, cited, tested and mentioned, and what is wrong with that.
import { codeOf, tokens } from "../architecture/scan.mjs";
import { readTree } from "../architecture/tree.mjs";

const ID = "[a-z][a-z0-9]*(?:\\.[a-z0-9-]+)+";
/** An id in brackets; x[attrs.axis] and the text of a link, [case.json](…), are none. */
const MENTION = new RegExp(`(?<![\\w)\\]*])\\[(${ID})\\](?![(*])`, "g");
const DEFINITION = new RegExp(`\\*\\*\\[(${ID})\\]\\*\\*`, "g");
const TITLE = new RegExp(`^["'\`](?:\\[${ID}\\] )+`);
const REMARK = new RegExp(` {2}\\[(${ID})\\]`, "g");

const lineOf = (text, at) => text.slice(0, at).split("\n").length;
const idsIn = (text, pattern) => [...text.matchAll(pattern)].map((found) => found[1]);

/** The ids that the comments of a TypeScript file cite. */
export function citations(path, text) {
  return tokens(text)
    .filter(({ kind }) => kind === "comment")
    .flatMap((comment) =>
      [...comment.text.matchAll(MENTION)].map((found) => ({
        id: found[1],
        path,
        line: comment.line + lineOf(comment.text, found.index) - 1,
      })),
    );
}

/** The ids that test titles begin with: text in a spec file that opens with one or more ids in brackets. */
export function titles(path, text) {
  return codeOf(tokens(text))
    .filter(({ kind }) => kind === "string" || kind === "template")
    .flatMap((token) =>
      idsIn(TITLE.exec(token.text)?.[0] ?? "", MENTION).map((id) => ({ id, path, line: token.line })),
    );
}

/** The ids that messages carry: two spaces and the id, or the last argument of a RuleError, `refuse` or `fail`. */
export function messages(path, text) {
  const code = codeOf(tokens(text));
  return code.flatMap(({ kind, text: token, line }, i) => {
    if (kind !== "string" && kind !== "template") return [];
    const bare = new RegExp(`^"(${ID})"$`).exec(token)?.[1];
    const argument = bare !== undefined && code[i - 1]?.text === "," && inError(code, i);
    const ids = [...idsIn(token, REMARK), ...(argument ? [bare] : [])];
    return ids.map((id) => ({ id, path, line }));
  });
}

function inError(code, i) {
  let depth = 0;
  for (let at = i - 1; at > 0; at--) {
    const { text, kind } = code[at];
    if (text === ";" || kind === "comment") return false;
    if (text === ")") depth++;
    if (text === "(" && depth-- === 0) return /^(RuleError|refuse|fail)$/.test(code[at - 1]?.text ?? "");
  }
  return false;
}

function inText(path, text, pattern) {
  return [...text.matchAll(pattern)].map((found) => ({
    id: found[1],
    path,
    line: lineOf(text, found.index),
  }));
}

/** The rules that a case says it shows. */
function inManifest(path, text) {
  const { rules } = JSON.parse(text);
  return (rules ?? []).map((id) => ({ id, path, line: 1 }));
}

const flat = (files, look) => [...files].flatMap(([path, text]) => look(path, text));

export function collect(root) {
  const read = (paths, matching) => readTree(paths, matching, root);
  const chapters = read(["spec"], /^spec\/(?!support\/).*\.md$/);
  const src = read(["src"], /\.ts$/);
  const specs = read(["spec"], /\.spec\.ts$/);
  const keepers = read(["spec/support", ".ci"], /\.(ts|mjs)$|^\.ci\/run$/);
  const prose = read(["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs", "golden/FORMAT.md"], /\.md$/);
  return {
    chapters,
    specs,
    defined: flat(chapters, (path, text) => inText(path, text, DEFINITION)),
    cited: flat(src, (path, text) => [...citations(path, text), ...messages(path, text)]),
    kept: flat(keepers, (path, text) =>
      path.endsWith("run") ? inText(path, text, MENTION) : citations(path, text),
    ),
    tested: flat(specs, titles),
    mentioned: [
      ...flat(new Map([...chapters, ...prose]), (path, text) => inText(path, text, MENTION)),
      ...flat(read(["golden/cases"], /\/case\.json$/), inManifest),
    ],
  };
}

/** Chapters from 90 on are about the repository itself: what keeps their rules stands in spec/support and .ci. */
const isAboutTheHouse = ({ path }) => path.startsWith("spec/repository/");

/** Everything that is wrong, a line each. */
export function problems({ defined, cited, kept, tested, mentioned }) {
  const first = new Map();
  const found = [];
  for (const rule of defined) {
    const { id, path, line } = rule;
    if (first.has(id)) found.push(`${path}:${line} defines [${id}] again`);
    else first.set(id, rule);
  }
  const [inSource, inKeepers, inTests] = [cited, kept, tested].map(
    (uses) => new Set(uses.map(({ id }) => id)),
  );
  for (const [id, rule] of first) {
    const at = `${rule.path}:${rule.line}`;
    const isCited = inSource.has(id) || (isAboutTheHouse(rule) && inKeepers.has(id));
    if (!isCited) found.push(`${at} [${id}] is cited nowhere`);
    if (!inTests.has(id)) found.push(`${at} [${id}] is tested nowhere`);
  }
  for (const { id, path, line } of [...cited, ...kept, ...tested, ...mentioned])
    if (!first.has(id)) found.push(`${path}:${line} [${id}] is defined nowhere`);
  return [...new Set(found)];
}

const SECTIONS = ["Semantics", "Inputs", "Rules", "Variants", "Example"];

/** Chapters and their executable halves belong together, and every chapter is laid out alike. */
export function pairing({ chapters, specs }) {
  const names = [...chapters.keys()].map((path) => path.slice(0, -".md".length));
  const halves = [...specs.keys()].map((path) => path.slice(0, -".spec.ts".length));
  /** spec/tensor/ops/01-ops and spec/tensor/ops/01-numbers: one folder, one number. */
  const chapterOf = (path) => /^(.*\/\d\d)-[^/]*$/.exec(path)?.[1];
  const belong = (half, name) => half === name || chapterOf(half) === chapterOf(name);
  const laidOut = [...chapters].flatMap(([path, text]) => {
    const sections = [...text.matchAll(/^## (.*)$/gm)].map((found) => found[1]);
    const places = SECTIONS.map((name) => sections.indexOf(name));
    const inOrder = places.every((place, i) => place > (places[i - 1] ?? -1));
    return inOrder ? [] : [`${path} is not laid out as ${SECTIONS.join(", ")}`];
  });
  const odd = [...names, ...halves].filter(
    (name) => !/^spec\/(.*\/)?\d\d-[a-z0-9]+(-[a-z0-9]+)*$/.test(name),
  );
  return [
    ...names
      .filter((name) => !halves.some((half) => belong(half, name)))
      .map((name) => `${name}.md has no executable half`),
    ...halves
      .filter((half) => !names.some((name) => belong(half, name)))
      .map((half) => `${half}.spec.ts has no chapter`),
    ...laidOut,
    ...odd.map((name) => `${name} is not named NN-topic`),
  ];
}
