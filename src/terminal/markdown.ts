// Markdown (GitHub Flavored Markdown): tables, and text from outside as a cell shows it.
import { printableLine } from "./width.ts";

/** Text that Markdown shows as it is, on one line: punctuation with a meaning is escaped (GFM, "Backslash escapes"). */
export const markdownText = (text: string): string =>
  printableLine(text.replaceAll("\n", " ")).replace(/[\\`*_[\]<>|~&$!#]/g, "\\$&");

/** `numbers`: every column but the first is right-aligned. Cells are Markdown: other text has to pass `markdownText`. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { numbers = false } = {},
): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, i) => (numbers && i > 0 ? "---:" : "---"));
  return [line(head), line(rule), ...rows.map(line)];
}
