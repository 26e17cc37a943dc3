// How large a line of the grid is, and the labels before it or above it.
import { h, ink } from "../../shared/dom.ts";
import type { TokenLook } from "./token-element.ts";

export interface GridLook extends Omit<TokenLook, "prompt" | "before" | "after" | "weights" | "shown"> {
  readonly layout: "sentence" | "rows";
  readonly images: number;
  /** Cells hold bars, and need the height. */
  readonly bars: boolean;
  weights(prompt: number, position: number, c: number): readonly (readonly number[])[] | null;
}

export const GUTTER = { sentence: 44, rows: 0 };
const pen = document.createElement("canvas").getContext("2d");
const measured = new Map<string, number>();

/** Of a chip's text, as the browser will set it. */
export function textWidth(text: string): number {
  const known = measured.get(text);
  if (known !== undefined) return known;
  if (pen) pen.font = `500 15px ${getComputedStyle(document.body).fontFamily}`;
  const width = pen?.measureText(text).width ?? text.length * 8;
  measured.set(text, width);
  return width;
}

/** Lines of a sentence: position, chip, and for each convention its name, time, so many rows of cells, the verdict. */
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

/** A short prompt is written larger. */
export const LARGE = 1.25;

function bandLabels({ images, names }: GridLook, shown: readonly number[], name: string): HTMLElement[] {
  const badges = shown.map((image) => h(`span.cell.label.${ink(image)}`, {}, h("b", {}, `${image}`)));
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
    { "aria-hidden": true },
    h("span.position"),
    h("span.chip.blank", {}, chip),
    ...look.names.flatMap((name) => bandLabels(look, shown, name)),
  );

/** Before a line of a sentence. */
export const gutter = (look: GridLook, shown: readonly number[]): HTMLElement =>
  labels(look, shown, "gutter", " ");

/** Above the rows. */
export const heading = (look: GridLook, shown: readonly number[]): HTMLElement =>
  labels(look, shown, "token.heading", "token");
