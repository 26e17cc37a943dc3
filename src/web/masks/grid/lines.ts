// The layout of tokens in lines, like words on a page, and the lines that are visible. Only these are built.

import type { TokenView } from "../view.ts";

export interface Line {
  /** The first token and the one after the last. */
  readonly from: number;
  readonly to: number;
}

/** Distributes tokens of these widths over lines: as many as fit, at least one in each. */
export function linesOf(widths: readonly number[], room: number): Line[] {
  const lines: Line[] = [];
  let from = 0;
  let used = 0;
  widths.forEach((width, i) => {
    if (i > from && used + width > room) {
      lines.push({ from, to: i });
      from = i;
      used = 0;
    }
    used += width;
  });
  if (widths.length > from) lines.push({ from, to: widths.length });
  return lines;
}

/** The offset of each line, and the end of the last one. */
export function offsetsOf(heights: readonly number[]): number[] {
  let end = 0;
  return [0, ...heights.map((height) => (end += height))];
}

/** The lines between top and bottom. */
export function visibleLines(offsets: readonly number[], top: number, bottom: number): Line {
  const from = offsets.slice(1).filter((end) => end <= top).length;
  const to = offsets.slice(0, -1).filter((start) => start < bottom).length;
  return { from, to: Math.max(from, to) };
}

/** Up to this number, all images are shown on every line. */
const MAX_IMAGES_ON_ALL_LINES = 6;

/** The first images, at most `most` of them. */
export const firstImages = (images: number, most: number): number[] =>
  Array.from({ length: Math.min(images, most) }, (_, m) => m + 1);

/**
 * The images with a row of their own on a line. If there are many images, these are the images that the line's tokens represent or see
 * under either convention, and those of `also`, at most `most` of them; the others share one row.
 */
export function shownImages(
  tokens: readonly TokenView[],
  images: number,
  most: number,
  also: readonly number[] = [],
): number[] {
  const bands = tokens.flatMap((token) => token.bands);
  if (images <= MAX_IMAGES_ON_ALL_LINES || bands.some(({ row }) => row.outcome === "nan"))
    return firstImages(images, most);
  const wanted = new Set(also);
  for (const { row } of bands) {
    if (row.image > 0 && row.image <= images) wanted.add(row.image);
    for (const [first, last] of row.reaching)
      for (let image = first; image <= Math.min(last, first + most); image++) wanted.add(image);
  }
  return [...wanted].sort((a, b) => a - b).slice(0, most);
}

/** The line that holds a token. */
export const lineWith = (lines: readonly Line[], token: number): number =>
  lines.findIndex(({ from, to }) => from <= token && token < to);
