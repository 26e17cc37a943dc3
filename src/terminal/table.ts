// Tables of text, aligned by the columns that a terminal shows, with or without colour.
import type { Paint, Style } from "./colour.ts";
import { type Alignment, fill, printableLine, widthOf } from "./width.ts";

export interface Piece {
  readonly text: string;
  readonly style?: Style | undefined;
}

export interface Column {
  /** Lines of the heading, the lowest last. */
  readonly head?: readonly string[];
  /** A cell is a list of pieces, one space apart. All columns of a table have as many cells. */
  readonly cells: readonly (readonly Piece[])[];
  readonly align?: Alignment;
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

const columnWidth = ({ head = [], cells }: Column): number =>
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
  const height = most(columns, ({ head = [] }) => head.length);
  const laidOut = columns.map(({ head = [], cells, align, gap = 2 }) => {
    const headings = [...new Array<string>(height - head.length).fill(""), ...head];
    const all = [...headings.map((text): Piece[] => [{ text, style: "faint" }]), ...cells];
    const plain = all.map(plainOf);
    const width = most(plain, widthOf);
    return all.map((cell, line) => {
      const painted = cell.map(({ text, style }) => paint(printableLine(text), style)).join(" ");
      return " ".repeat(gap) + fill(plain[line] ?? "", width, align, painted);
    });
  });
  return (laidOut[0] ?? []).map((_, line) =>
    laidOut
      .map((cells) => cells[line])
      .join("")
      .trimEnd(),
  );
}

/** A share in per cent, without the sign; a dot for none. */
export const percentCell = (share: number): string => (share === 0 ? "·" : (100 * share).toFixed(0));
