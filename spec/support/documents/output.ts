// Compares what a block printed with the block that shows it.

/** Parts of an output that differ from run to run, by the name under which a `varies` comment lists them. */
export const VARYING: Readonly<Record<string, RegExp>> = {
  times: /\d+(\.\d+)? ?(ms|s|min)\b/g,
  rates: /\d+(\.\d+)? (a second|per second|GB\/s|GFLOP\/s)/g,
  numbers: /-?\d+(\.\d+)?(e[+-]?\d+)?/g,
};

/** Elides a line that stands for any number of lines. */
const ELISION = "…";

/** How two texts are made comparable: the names of what varies. */
export interface Form {
  readonly varies: readonly string[];
}

export const formOf = (comment: string | undefined): Form => ({
  varies: comment === undefined ? [] : comment.split(", "),
});

function normal(text: string, { varies }: Form): string[] {
  let result = text.replace(/\s+$/, "");
  for (const name of varies) {
    const pattern = VARYING[name];
    if (pattern === undefined)
      throw new Error(`"varies" lists ${name}, which is none of ${Object.keys(VARYING).join(", ")}`);
    result = result.replace(pattern, `‹${name}›`);
  }
  const lines = result.split("\n").map((line) => line.trimEnd());
  return varies.length === 0 ? lines : lines.map((line) => line.replace(/(\S) +/g, "$1 "));
}

/** The line of `shown`, counted from 0, at which it stops to be what was printed, or null. */
function mismatch(shown: readonly string[], printed: readonly string[], from = 0, at = 0): number | null {
  let furthest = from;
  for (let i = from, j = at; i < shown.length; i++, j++) {
    if (shown[i]?.trim() === ELISION) {
      for (let next = j + 1; next <= printed.length; next++) {
        const found = mismatch(shown, printed, i + 1, next);
        if (found === null) return null;
        furthest = Math.max(furthest, found);
      }
      return furthest;
    }
    if (shown[i] !== printed[j]) return Math.max(furthest, i);
    if (i === shown.length - 1 && j < printed.length - 1) return shown.length;
  }
  return null;
}

/** Null if a program printed what is shown; otherwise the first line, counted from 1, that differs, and both texts. */
export function difference(
  shown: string,
  printed: string,
  form: Form,
): { readonly line: number; readonly shown: string; readonly printed: string } | null {
  const [left, right] = [normal(shown, form), normal(printed, form)];
  const at = mismatch(left, right);
  return at === null ? null : { line: at + 1, shown: left.join("\n"), printed: right.join("\n") };
}
