// Sentences for a terminal, within its width.
import { type Paint, type Piece, type Style, wrap } from "./table.ts";

export const words = (text: string, style?: Style): Piece[] =>
  text.split(" ").map((word) => ({ text: word, style }));

export const heading = (text: string, paint: Paint, width: number): string =>
  wrap(words(text, "strong"), width, paint).join("\n");

/** A paragraph, its first line behind `head` and the others as far in. */
export function paragraph(head: string, indent: number, text: string, paint: Paint, width: number): string {
  const lines = wrap(words(text), width - indent, paint);
  return lines.map((line, i) => (i === 0 ? head : " ".repeat(indent)) + line).join("\n");
}
