// Tables in Markdown (GitHub Flavored Markdown, "Tables").

/** `numbers`: every column but the first is right-aligned. Cells are written as they are: a "|" has to be escaped. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { numbers = false } = {},
): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, i) => (numbers && i > 0 ? "---:" : "---"));
  return [line(head), line(rule), ...rows.map(line)];
}
