// Columns of text for a terminal: aligned by what a reader sees, with or without colour.

/** dim, strong, alarm, or the colour of an image (its number). Colour only repeats what the text says. */
export type Style = "dim" | "strong" | "alarm" | number;

export interface Piece {
  readonly text: string;
  readonly style?: Style | undefined;
}

export interface Column {
  /** Heading lines, the lowest last. */
  readonly head: readonly string[];
  /** A cell is pieces side by side, one space apart. */
  readonly cells: readonly (readonly Piece[])[];
  readonly align?: "left" | "center" | "right";
  /** Spaces before the column. */
  readonly gap?: number;
}

export type Paint = (text: string, style?: Style) => string;

const codes = { dim: "2", strong: "1", alarm: "1;31" };
const imageColours = [36, 35, 32, 33, 34]; // red is the alarm's

/** Ink for the words, none for the spaces around them. */
export function painter(colour = false): Paint {
  if (!colour) return (text) => text;
  return (text, style) => {
    if (style === undefined) return text;
    const code = typeof style === "number" ? imageColours[(style - 1) % imageColours.length] : codes[style];
    return text.replace(/\S(?:.*\S)?/, (words) => `\x1b[${code}m${words}\x1b[0m`); // [mask.drawing]
  };
}

const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** How many columns a terminal gives the text. */
export function widthOf(text: string): number {
  let width = 0;
  for (const char of text) width += /\p{Mn}|\u200d/u.test(char) ? 0 : wide.test(char) ? 2 : 1;
  return width;
}

const escaped = (char: string): string =>
  char === "\n" ? "\\n" : char === "\t" ? "\\t" : `\\u{${char.codePointAt(0)?.toString(16)}}`;

/** A token as it may be shown: on one line, without control characters, at most `most` columns wide. */
export function label(token: string, most = 16): string {
  const plain = token.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, escaped);
  if (widthOf(plain) <= most) return plain;
  let short = "";
  for (const char of plain) {
    if (widthOf(short + char) > most - 2) break;
    short += char;
  }
  return `${short}..`;
}

const plainOf = (cell: readonly Piece[]): string => cell.map((piece) => piece.text).join(" ");

/** The lines of a table: heading lines first. */
export function table(columns: readonly Column[], paint: Paint): string[] {
  const widths = columns.map(({ head, cells }) =>
    Math.max(0, ...head.map(widthOf), ...cells.map((c) => widthOf(plainOf(c)))),
  );
  const line = (cellOf: (column: Column) => readonly Piece[]): string =>
    columns
      .map((column, i) => {
        const cell = cellOf(column);
        const room = (widths[i] ?? 0) - widthOf(plainOf(cell));
        const before = column.align === "right" ? room : column.align === "center" ? Math.floor(room / 2) : 0;
        const inked = cell.map((piece) => paint(piece.text, piece.style)).join(" ");
        return " ".repeat((column.gap ?? 2) + before) + inked + " ".repeat(room - before);
      })
      .join("")
      .trimEnd();

  const headLines = Math.max(0, ...columns.map((column) => column.head.length));
  const rows = columns[0]?.cells.length ?? 0;
  return [
    ...Array.from({ length: headLines }, (_, i) =>
      line(({ head }) => [{ text: head[head.length - headLines + i] ?? "", style: "dim" }]),
    ),
    ...Array.from({ length: rows }, (_, i) => line((column) => column.cells[i] ?? [])),
  ];
}

/** Words on lines of at most `width` columns. */
export function wrap(words: readonly Piece[], width: number, paint: Paint, gap = " "): string[] {
  const lines: Piece[][] = [[]];
  let used = 0;
  for (const word of words) {
    const more = widthOf(word.text) + (used > 0 ? gap.length : 0);
    if (used > 0 && used + more > width) {
      lines.push([]);
      used = 0;
    }
    lines.at(-1)?.push(word);
    used += used > 0 ? more : widthOf(word.text);
  }
  return lines.map((line) => line.map((word) => paint(word.text, word.style)).join(gap));
}
