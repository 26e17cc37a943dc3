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

/** The lines between top and bottom, and `margin` more on either side. */
export function visibleLines(offsets: readonly number[], top: number, bottom: number, margin = 2): Line {
  const count = offsets.length - 1;
  const clamp = (n: number) => Math.max(0, Math.min(count, n));
  const before = offsets.slice(1).filter((end) => end <= top).length;
  const after = offsets.filter((start) => start < bottom).length;
  const from = clamp(before - margin);
  return { from, to: Math.max(from, clamp(after + margin)) };
}

/** Up to this number, all images are shown on every line. */
const MAX_IMAGES_ON_ALL_LINES = 6;

/**
 * The images with a row of their own on a line. If there are many images, these are the images that the line's tokens represent or see
 * under either convention, and those of `also`; the others share one row.
 */
export function shownImages(
  tokens: readonly TokenView[],
  images: number,
  also: readonly number[] = [],
): number[] {
  const all = Array.from({ length: images }, (_, m) => m + 1);
  const bands = tokens.flatMap((token) => token.bands);
  if (images <= MAX_IMAGES_ON_ALL_LINES || bands.some(({ row }) => row.outcome === "nan")) return all;
  const relevant = bands.flatMap(({ row }) => [row.image, ...row.images]);
  const wanted = new Set([...relevant, ...also]);
  return all.filter((m) => wanted.has(m));
}

/** The line that holds a token. */
export const lineWith = (lines: readonly Line[], token: number): number =>
  lines.findIndex(({ from, to }) => from <= token && token < to);
