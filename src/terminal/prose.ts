// Text broken into lines that fit a terminal.
import type { Paint, Style } from "./colour.ts";
import type { Piece } from "./table.ts";
import { printableLine, widthOf } from "./width.ts";

/** The words of a text, all in one style. */
export const words = (text: string, style?: Style): Piece[] =>
  printableLine(text)
    .split(" ")
    .map((word) => ({ text: word, style }));

/** Words on lines of at most `width` columns; a word that is wider has a line of its own. */
export function wrap(words: readonly Piece[], width: number, paint: Paint, gap = " "): string[] {
  const lines: Piece[][] = [[]];
  let used = 0;
  for (const word of words) {
    const needed = widthOf(word.text);
    if (used > 0 && used + needed > width) {
      lines.push([]);
      used = 0;
    }
    lines.at(-1)?.push(word);
    used += needed + gap.length;
  }
  return lines.map((line) => line.map((word) => paint(word.text, word.style)).join(gap));
}

export const heading = (text: string, paint: Paint, width: number): string =>
  wrap(words(text, "strong"), width, paint).join("\n");

/** Words whose first line follows `head`; the other lines are indented by `indent` columns. */
export const hanging = (
  head: string,
  indent: number,
  words: readonly Piece[],
  paint: Paint,
  width: number,
  gap = " ",
): string =>
  wrap(words, width - indent, paint, gap)
    .map((line, i) => ((i === 0 ? head : " ".repeat(indent)) + line).trimEnd())
    .join("\n");

/** A paragraph whose first line follows `head`; the other lines are indented by `indent` columns. */
export const paragraph = (head: string, indent: number, text: string, paint: Paint, width: number): string =>
  hanging(head, indent, words(text), paint, width);
