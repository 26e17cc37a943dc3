// The letters of equations in documents, and the names of code that stand beside them.
//
//   $$y = W x$$
//                                                       symbols of the equation: y W x
//   Paper → code: $W$ → `to_out`; $x$ → `media`.        symbols of its line: W x; names: to_out, media

/** An equation, with the line Paper → code below it, or null where there is none. */
export interface Equation {
  readonly line: number;
  readonly tex: string;
  readonly key: string | null;
}

const BLOCK = /^\$\$(.*?)\$\$(?:\s*\n\nPaper → code: (.*?)(?=\n\n|\n*$))?/gms;

export const equations = (document: string): Equation[] =>
  [...document.matchAll(BLOCK)].map(({ 1: tex = "", 2: key = null, index }) => ({
    line: document.slice(0, index).split("\n").length,
    tex,
    key,
  }));

const GREEK =
  /^(?:alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|Theta|lambda|mu|pi|sigma|phi|varphi|ell)$/;

/** Single letters, Greek letters as commands, and names in \mathrm; words of \text and \texttt are prose. */
export function symbols(tex: string): Set<string> {
  const found = new Set<string>();
  const math = tex.replace(/\\(?:text|texttt|begin|end|mathbb)\{[^}]*\}/g, " ");
  for (const [, name, command, letter] of math.matchAll(/\\mathrm\{([^}]*)\}|\\([A-Za-z]+)|([A-Za-z])/g)) {
    if (name) found.add(name);
    else if (command && GREEK.test(command)) found.add(`\\${command}`);
    else if (letter) found.add(letter);
  }
  return found;
}

/** The symbols in the formulas $…$ of a text. */
export const inlineSymbols = (text: string): Set<string> =>
  new Set([...text.matchAll(/\$([^$]+)\$/g)].flatMap(([, tex = ""]) => [...symbols(tex)]));

/** The identifiers in the code spans of a text: `fused_attn_ff_proj`, or `m` and `r` of `(m r)`. Tokens such as `<image>` are none. */
export const codeNames = (text: string): string[] =>
  [...text.matchAll(/`([^`]+)`/g)].flatMap(([, code = ""]) =>
    code.startsWith("<") ? [] : (code.match(/[A-Za-z_$][\w$]*/g) ?? []),
  );

export interface Row {
  readonly letters: Set<string>;
  /** File names of the pages that the row is about, or null for all. */
  readonly pages: readonly string[] | null;
  readonly here: string;
}
/** The rows of the tables | letters | pages | meaning | here |. */
export const rows = (document: string): Row[] =>
  [...document.matchAll(/^\| (\$.*?) \| (.*?) \| .*? \| (.*?) \|$/gm)].map(
    ([, letters = "", pages = "", here = ""]) => ({
      letters: inlineSymbols(letters),
      pages:
        pages === "all"
          ? null
          : [...pages.matchAll(/\]\((?:\.\.\/guides\/)?([^)]+)\)/g)].map((m) => m[1] ?? ""),
      here,
    }),
  );

/** Symbols that neither the line of an equation nor a row for its page explains, and equations without a line. */
export const unexplained = (page: string, document: string, table: readonly Row[]): string[] =>
  equations(document).flatMap(({ line, tex, key }) => {
    if (key === null) return [`${page}:${line} has no line Paper → code`];
    const known = table.filter(({ pages }) => pages === null || pages.includes(page));
    const explained = new Set([...inlineSymbols(key), ...known.flatMap(({ letters }) => [...letters])]);
    return [...symbols(tex)]
      .filter((s) => !explained.has(s))
      .map((s) => `${page}:${line} does not explain ${s}`);
  });
