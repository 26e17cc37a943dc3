// What the files of src look like inside: see house-imports.ts for what a law is.
import { type Files, folderOf } from "./imports.ts";
import { codeLines, codeOf, type Token, tokens } from "./scan.mjs";

/** Lines of code a file may have. */
const BUDGET = 150;

const WAITING = new Set([
  "host",
  "io",
  "kernels",
  "training",
  "generation",
  "conformance",
  "mask-report",
  "demos",
  "bench",
  "cli",
  "web",
]);
const HOSTED = new Set(["host", "terminal", "cli", "web", "bench"]);
const MACHINE = new Set(
  "process Buffer navigator document window self __dirname __filename setImmediate localStorage".split(" "),
);
const KEBAB = /^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*(\.as)?\.ts$/;

type Law = (path: string, code: readonly Token[]) => string[];

/** A law about each file for itself. */
const each =
  (law: Law) =>
  (files: Files): string[] =>
    [...files].flatMap(([path, text]) => law(path, codeOf(tokens(text))));

/** A name that something gives itself: x.await, { await: 1 }. */
const isProperty = (code: readonly Token[], i: number): boolean =>
  [".", "?."].includes(code[i - 1]?.text ?? "") || code[i + 1]?.text === ":";

const words = (
  code: readonly Token[],
  path: string,
  wanted: (text: string, i: number) => boolean,
): string[] =>
  code.flatMap(({ kind, text, line }, i) =>
    kind === "word" && !isProperty(code, i) && wanted(text, i) ? [`${path}:${line} ${text}`] : [],
  );

/** `await` and `async` where something can be waited for. */
export const waiting = each((path, code) =>
  WAITING.has(folderOf(path)) ? [] : words(code, path, (text) => text === "await" || text === "async"),
);

/** Names that a file gives to something of its own: const document, (document: string). */
function ownNames(code: readonly Token[]): Set<string> {
  const declared = code.filter((_, i) => {
    const before = code[i - 1]?.text ?? "";
    const isParameter = (before === "(" || before === ",") && code[i + 1]?.text === ":";
    return /^(const|let|var|function|class)$/.test(before) || isParameter;
  });
  return new Set(declared.map(({ text }) => text));
}

/** The machine's own names where the machine is. */
export const machine = each((path, code) => {
  if (HOSTED.has(folderOf(path)) || path.startsWith("conformance/adapters/")) return [];
  const own = ownNames(code);
  return words(code, path, (text) => MACHINE.has(text) && !own.has(text));
});

/** Names in an import's or export's braces, and `* as name`, rename; they assert nothing. */
function renames(code: readonly Token[], i: number): boolean {
  if (code[i - 1]?.text === "*") return true;
  let start = i;
  while (start >= 0 && !["{", "}", ";"].includes(code[start]?.text ?? "")) start--;
  const before = [code[start - 1]?.text, code[start - 2]?.text];
  return code[start]?.text === "{" && before.some((text) => text === "import" || text === "export");
}

/** A `!` after a value claims that it is there; a `!` before a value negates it. */
const claims = (code: readonly Token[], i: number): boolean => {
  const before = code[i - 1];
  if (code[i]?.text !== "!" || before === undefined) return false;
  const keyword = /^(return|typeof|case|in|of|void|await|yield|else|do)$/.test(before.text);
  return (before.kind === "word" && !keyword) || before.text === ")" || before.text === "]";
};

/** Blocks and models say what they mean in types: no assertion, no escape from them. */
export const assertions = each((path, code) => {
  if (!["blocks", "models"].includes(folderOf(path))) return [];
  const asserted = words(
    code,
    path,
    (text, i) => text === "as" && code[i + 1]?.text !== "const" && !renames(code, i),
  );
  const loose = words(code, path, (text, i) => text === "any" && code[i + 1]?.text !== "(");
  const claimed = code.filter((_, i) => claims(code, i)).map(({ line }) => `${path}:${line} !`);
  return [...asserted, ...loose, ...claimed];
});

const isPattern = (code: readonly Token[], i: number): boolean => {
  const text = code[i]?.text ?? "";
  if (code[i]?.kind !== "string" || !/^.[\w~.,() >-]*.$/.test(text)) return false;
  const typed = code[i - 1]?.text === "<" && /^(Tensor|Bool|Int)$/.test(code[i - 2]?.text ?? "");
  const named = code[i - 1]?.text === "(" && code[i - 2]?.text === "named";
  return typed || named || (text.includes("->") && /\w/.test(text));
};

/** "b l (h k) -> b h l k": one space between words, none at the ends or inside brackets. */
const TIDY = /^(?! )(?!.* {2})(?!.*[( ] )(?!.* [),])(?!.*,\S)(?!.*\S->)(?!.*->\S).*(?<! )$/;
export const patterns = each((path, code) =>
  code.flatMap(({ text, line }, i) =>
    isPattern(code, i) && !TIDY.test(text.slice(1, -1)) ? [`${path}:${line} ${text}`] : [],
  ),
);

/** `longer` names the exceptions and how many lines they may have. */
export const budget = (files: Files, longer: Readonly<Record<string, number>> = {}): string[] => {
  const idle = Object.keys(longer).filter(
    (path) => codeLines(tokens(files.get(path) ?? "")).size <= BUDGET, // an exception that nobody needs
  );
  const long = [...files].flatMap(([path, text]) => {
    const lines = codeLines(tokens(text)).size;
    const most = longer[path] ?? BUDGET;
    return lines > most ? [`${path} has ${lines} lines of code, not ${most}`] : [];
  });
  return [...idle.map((path) => `${path} fits the budget: strike the exception`), ...long];
};

export const names = (files: Files): string[] => [...files.keys()].filter((path) => !KEBAB.test(path));

/** A file says what it is: a comment on its first line, or a doc comment on what it has. */
export const headers = (files: Files): string[] =>
  [...files].flatMap(([path, text]) => {
    const comments = tokens(text).filter(({ kind }) => kind === "comment");
    const said = comments.some((comment) => comment.line === 1 || comment.text.startsWith("/**"));
    return said ? [] : [`${path} has neither a header nor a doc comment`];
  });

/** Temporary folders of tests that are made elsewhere than where they are removed. */
export const littering = each((path, code) =>
  path.endsWith(".ts") && path !== "spec/support/fixtures/temporary.ts"
    ? code.flatMap(({ text, line }) => (/^(mkdtemp|tmpdir)/.test(text) ? [`${path}:${line} ${text}`] : []))
    : [],
);

/** Tests that are not run. */
export const sleeping = each((path, code) =>
  code.flatMap(({ text, line }, i) => {
    const test = code[i - 1]?.text === "." && /^(test|it|describe|suite)$/.test(code[i - 2]?.text ?? "");
    return test && /^(only|skip|skipIf|runIf|todo|fails)$/.test(text) ? [`${path}:${line} ${text}`] : [];
  }),
);
