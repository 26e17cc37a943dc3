// Pictures in a terminal, two columns for each pixel, with captions below.
import { fill, widthOf } from "../../terminal/width.ts";
import { type Picture, SIDE } from "./data.ts";

const SHADES = [" ", "░", "▒", "▓", "█"];
const PLAIN = [" ", ".", ":", "+", "#"];

export interface PictureOptions {
  readonly ascii?: boolean | undefined;
  /** Columns of the terminal; pictures that do not fit are drawn below. Default 80. */
  readonly width?: number | undefined;
}

/** The lines of one picture, one for each row of pixels. */
function lines({ pixels }: Picture, ascii: boolean): string[] {
  const shades = ascii ? PLAIN : SHADES;
  const shade = (x: number): string => (shades[Math.min(4, Math.floor(5 * Math.max(0, x)))] ?? " ").repeat(2);
  return Array.from({ length: SIDE }, (_, y) =>
    Array.from(pixels.slice(y * SIDE, (y + 1) * SIDE), shade).join(""),
  );
}

const WIDTH = 2 * SIDE;
const [MARGIN, GAP] = [2, 3];

/** Pictures side by side, each with its caption below; as many in a row as fit. [digits.drawing] */
export function drawPictures(
  pictures: readonly Picture[],
  captions: readonly string[],
  { ascii = false, width = 80 }: PictureOptions = {},
): string {
  const cell = Math.max(WIDTH, ...captions.map(widthOf));
  const perRow = Math.max(1, Math.floor((width - MARGIN + GAP) / (cell + GAP)));
  const row = (first: number): string => {
    const drawings = pictures.slice(first, first + perRow).map((picture) => lines(picture, ascii));
    const below = captions.slice(first, first + perRow).map((caption) => fill(caption, cell));
    const rows = Array.from({ length: SIDE }, (_, y) =>
      drawings.map((drawing) => fill(drawing[y] ?? "", cell)),
    );
    return [...rows, below]
      .map((cells) => `${" ".repeat(MARGIN)}${cells.join(" ".repeat(GAP)).trimEnd()}`) // [digits.drawing]
      .join("\n");
  };
  const rows = Math.ceil(pictures.length / perRow);
  return Array.from({ length: rows }, (_, i) => row(i * perRow)).join("\n\n");
}
