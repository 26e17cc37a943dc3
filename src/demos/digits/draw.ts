// Pictures in a terminal, two columns for each pixel, with captions below.
import { fill, widthOf } from "../../terminal/width.ts";
import { type Picture, SIDE } from "./data.ts";

const SHADES = [" ", "░", "▒", "▓", "█"];
const PLAIN = [" ", ".", ":", "+", "#"];

export interface PictureOptions {
  readonly ascii?: boolean | undefined;
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

/** Pictures side by side, each with its caption below. [digits.drawing] */
export function drawPictures(
  pictures: readonly Picture[],
  captions: readonly string[],
  { ascii = false }: PictureOptions = {},
): string {
  const drawings = pictures.map((picture) => lines(picture, ascii));
  const width = Math.max(WIDTH, ...captions.map(widthOf));
  const rows = Array.from({ length: SIDE }, (_, y) =>
    drawings.map((drawing) => fill(drawing[y] ?? "", width)),
  );
  return [...rows, captions.map((caption) => fill(caption, width))]
    .map((row) => `  ${row.join("   ").trimEnd()}`) // [digits.drawing]
    .join("\n");
}
