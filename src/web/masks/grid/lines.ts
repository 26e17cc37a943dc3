// Where things stand: tokens in lines like words on a page, and which lines are in sight. Only those are built.

import type { TokenView } from "../view.ts";

export interface Line {
  /** Tokens from, up to but not including to. */
  readonly from: number;
  readonly to: number;
}

/** Fills lines with tokens of these widths, as many as there is room for, at least one each. */
export function packed(widths: readonly number[], room: number): Line[] {
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

/** Where each line begins, and where the last one ends. */
export function offsetsOf(heights: readonly number[]): number[] {
  let end = 0;
  return [0, ...heights.map((height) => (end += height))];
}

/** Of lines that begin at these offsets those between top and bottom, and a few more. */
export function inSight(offsets: readonly number[], top: number, bottom: number, more = 2): Line {
  const count = offsets.length - 1;
  const clamp = (n: number) => Math.max(0, Math.min(count, n));
  const before = offsets.slice(1).filter((end) => end <= top).length;
  const after = offsets.filter((start) => start < bottom).length;
  const from = clamp(before - more);
  return { from, to: Math.max(from, clamp(after + more)) };
}

/** So many images are shown on every line. */
const FEW = 6;

/**
 * The images that a line of tokens shows: all, or of many those that its tokens stand for, or see under either convention,
 * and `also` some. The rest share one row.
 */
export function shownImages(
  tokens: readonly TokenView[],
  images: number,
  also: readonly number[] = [],
): number[] {
  const all = Array.from({ length: images }, (_, m) => m + 1);
  const bands = tokens.flatMap((token) => token.bands);
  if (images <= FEW || bands.some(({ row }) => row.outcome === "nan")) return all;
  const told = bands.flatMap(({ row }) => [row.image, ...row.images]);
  const wanted = new Set([...told, ...also]);
  return all.filter((m) => wanted.has(m));
}

/** The line that holds a token. */
export const lineWith = (lines: readonly Line[], token: number): number =>
  lines.findIndex(({ from, to }) => from <= token && token < to);
