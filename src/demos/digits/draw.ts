// Pictures in a terminal, two columns a pixel, with their captions below.
import { type Picture, SIDE } from "./data.ts";

const SHADES = [" ", "░", "▒", "▓", "█"];
const PLAIN = [" ", ".", ":", "+", "#"];

export interface PictureOptions {
  readonly ascii?: boolean | undefined;
}

/** Eight lines of one picture. */
function lines({ pixels }: Picture, ascii: boolean): string[] {
  const shades = ascii ? PLAIN : SHADES;
  const shade = (x: number): string => (shades[Math.min(4, Math.floor(5 * Math.max(0, x)))] ?? " ").repeat(2);
  return Array.from({ length: SIDE }, (_, y) =>
    Array.from(pixels.slice(y * SIDE, (y + 1) * SIDE), shade).join(""),
  );
}

const WIDTH = 2 * SIDE;

/** Pictures side by side, a caption under each. [digits.drawing] */
export function drawPictures(
  pictures: readonly Picture[],
  captions: readonly string[],
  { ascii = false }: PictureOptions = {},
): string {
  const drawn = pictures.map((picture) => lines(picture, ascii));
  const width = Math.max(WIDTH, ...captions.map((caption) => caption.length));
  const rows = Array.from({ length: SIDE }, (_, y) => drawn.map((one) => (one[y] ?? "").padEnd(width)));
  return [...rows, captions.map((caption) => caption.padEnd(width))]
    .map((row) => `  ${row.join("   ").trimEnd()}`) // [digits.drawing]
    .join("\n");
}
