// Tables of text, aligned by the columns that a terminal shows, with or without colour.
import type { Paint, Style } from "./colour.ts";
import { printableLine, widthOf } from "./width.ts";

export interface Piece {
  readonly text: string;
  readonly style?: Style | undefined;
}

export interface Column {
  /** Lines of the heading, the lowest last. */
  readonly head: readonly string[];
  /** A cell is a list of pieces, one space apart. */
  readonly cells: readonly (readonly Piece[])[];
  readonly align?: "left" | "center" | "right";
  /** Spaces before the column. */
  readonly gap?: number;
}

/** Columns from rows of cells. The first column starts at the left margin. */
export const columnsFrom = (
  heads: readonly Omit<Column, "cells">[],
  rows: readonly (readonly (Piece | string)[])[],
): Column[] =>
  heads.map((head, i) => ({
    gap: i === 0 ? 0 : 2,
    ...head,
    cells: rows.map((row) => {
      const cell = row[i] ?? "";
      return [typeof cell === "string" ? { text: cell } : cell];
    }),
  }));

const plainOf = (cell: readonly Piece[]): string => cell.map((piece) => printableLine(piece.text)).join(" ");

const most = <T>(list: readonly T[], of: (item: T) => number): number =>
  list.reduce((highest, item) => Math.max(highest, of(item)), 0);

const columnWidth = ({ head, cells }: Column): number =>
  Math.max(
    most(head, widthOf),
    most(cells, (cell) => widthOf(plainOf(cell))),
  );

/**
 * The lines of a table that fits into `width`: columns that do not fit are in further tables below, each with the first column and
 * at least one other.
 */
export function tables(columns: readonly Column[], paint: Paint, width: number): string[] {
  const needed = columns.map((column) => (column.gap ?? 2) + columnWidth(column));
  const [first, ...rest] = columns;
  const groups: Column[][] = [[]];
  let used = needed[0] ?? 0;
  for (const [i, column] of rest.entries()) {
    const wide = needed[i + 1] ?? 0;
    if (used + wide > width && groups.at(-1)?.length !== 0) {
      groups.push([]);
      used = needed[0] ?? 0;
    }
    groups.at(-1)?.push(column);
    used += wide;
  }
  return groups.flatMap((group, i) => [
    ...(i > 0 ? [""] : []),
    ...table(first ? [first, ...group] : group, paint),
  ]);
}

/** The lines of a table: heading lines first. */
export function table(columns: readonly Column[], paint: Paint): string[] {
  const widths = columns.map(columnWidth);
  const line = (cellOf: (column: Column) => readonly Piece[]): string =>
    columns
      .map((column, i) => {
        const cell = cellOf(column);
        const space = (widths[i] ?? 0) - widthOf(plainOf(cell));
        const before =
          column.align === "right" ? space : column.align === "center" ? Math.floor(space / 2) : 0;
        const painted = cell.map((piece) => paint(printableLine(piece.text), piece.style)).join(" ");
        return " ".repeat((column.gap ?? 2) + before) + painted + " ".repeat(space - before);
      })
      .join("")
      .trimEnd();

  const headLines = most(columns, ({ head }) => head.length);
  const rows = columns[0]?.cells.length ?? 0;
  return [
    ...Array.from({ length: headLines }, (_, i) =>
      line(({ head }) => [{ text: head[head.length - headLines + i] ?? "", style: "faint" }]),
    ),
    ...Array.from({ length: rows }, (_, i) => line((column) => column.cells[i] ?? [])),
  ];
}

/** A share in per cent, without the sign; a dot for none. */
export const percentCell = (share: number): string => (share === 0 ? "·" : (100 * share).toFixed(0));
