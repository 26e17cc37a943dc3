// Sizes of the grid, and the labels before or above its lines.
import { colourClass, h } from "../../shared/dom.ts";
import type { RowPlace } from "../layer/block.ts";
import type { TokenLook } from "./token-element.ts";

export interface GridLook extends Omit<TokenLook, "prompt" | "before" | "after" | "weights" | "shown"> {
  readonly layout: "sentence" | "rows";
  readonly images: number;
  /** Whether cells contain bars, which need more height. */
  readonly bars: boolean;
  weights(at: RowPlace, c: number): readonly (readonly number[])[] | null;
  /** Images with recorded weight in a row, whatever its mask. */
  recordedImages(at: RowPlace): readonly number[];
}

const MOST_COLUMNS = 64;
const MOST_BARS = 256;

/** The largest number of images with a cell of their own in a row; the others share one. */
export const mostColumns = ({ bars, latents }: Pick<GridLook, "bars" | "latents">): number =>
  bars ? Math.min(MOST_COLUMNS, Math.floor(MOST_BARS / latents)) : MOST_COLUMNS;

export const GUTTER = { sentence: 44, rows: 0 };
const context = document.createElement("canvas").getContext("2d");
const widths = new Map<string, number>();
const MOST_WIDTHS = 50_000;

/** The width of a chip's text in pixels. */
export function textWidth(text: string): number {
  const known = widths.get(text);
  if (known !== undefined) return known;
  if (widths.size >= MOST_WIDTHS) widths.clear();
  if (context && widths.size === 0) context.font = `500 15px ${getComputedStyle(document.body).fontFamily}`;
  const width = context?.measureText(text).width ?? text.length * 8;
  widths.set(text, width);
  return width;
}

/** The heights of a line and of a cell. A line has the position, the chip, and for each convention its name, time, cells and outcome. */
export function heightOf(
  { layout, names, bars }: GridLook,
  scale: number,
  rows = 0,
): { line: number; cell: number } {
  if (layout === "rows") return { line: 30, cell: 22 };
  const cell = Math.round((bars ? 23 : 18) * scale);
  const head = 14 + 34 * scale;
  const band = (names.length > 1 ? 18 : 0) + 18 * scale + rows * cell + 20 * scale;
  return { line: head + names.length * band + 22, cell };
}

/** The scale of a prompt that fits one line. */
export const LARGE = 1.25;

function bandLabels({ images, names }: GridLook, shown: readonly number[], name: string): HTMLElement[] {
  const badges = shown.map((image) => h(`span.cell.label.${colourClass(image)}`, {}, h("b", {}, `${image}`)));
  const hidden = images - shown.length;
  return [
    ...(names.length > 1 ? [h("span.band-name", {}, name)] : []),
    h("span.time", {}, "time"),
    ...badges,
    ...(hidden > 0 ? [h("span.cell.others", {}, `+ ${hidden}`)] : []),
    h("span.verdict", {}, "row"),
  ];
}

const labels = (look: GridLook, shown: readonly number[], kind: string, chip: string): HTMLElement =>
  h(
    `div.${kind}`,
    { "aria-hidden": "true" },
    h("span.position"),
    h("span.chip.blank", {}, chip),
    ...look.names.flatMap((name) => bandLabels(look, shown, name)),
  );

/** The labels before a line of the sentence layout. */
export const gutter = (look: GridLook, shown: readonly number[]): HTMLElement =>
  labels(look, shown, "gutter", " ");

/** The labels above the rows layout. */
export const heading = (look: GridLook, shown: readonly number[]): HTMLElement =>
  labels(look, shown, "token.heading", "token");
