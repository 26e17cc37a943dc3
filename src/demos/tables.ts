// Tables of results, as Markdown and for a terminal.
import type { Paint } from "../terminal/colour.ts";
import { markdownTable, markdownText } from "../terminal/markdown.ts";
import { columnsFrom, tables } from "../terminal/table.ts";

/** The first column has names, the others have numbers. */
export interface ResultTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The lines of a table in Markdown. */
export const resultMarkdown = ({ head, rows }: ResultTable): string[] =>
  markdownTable(
    head.map(markdownText),
    rows.map((cells) => cells.map(markdownText)),
    { numbers: true },
  );

/** A table of at most `width` columns of a terminal. */
export const resultText = ({ head, rows }: ResultTable, paint: Paint, width: number): string =>
  tables(
    columnsFrom(
      head.map((one, i) => ({ head: [one], align: i === 0 ? ("left" as const) : ("right" as const) })),
      rows,
    ),
    paint,
    width,
  ).join("\n");
