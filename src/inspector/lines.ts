// Where things stand: tokens in lines like words on a page, and which lines are in sight. Only those are built.

export interface Line {
  /** Tokens from, up to but not including to. */
  readonly from: number;
  readonly to: number;
}

/** Fills lines with tokens of these widths, as many as there is room for, at least one each. [inspector.lines] */
export function packed(widths: readonly number[], room: number): Line[] {
  const lines: Line[] = [];
  let from = 0;
  let used = 0;
  widths.forEach((width, i) => {
    if (i > from && used + width > room) {
      lines.push({ from, to: i }); // [inspector.lines]
      from = i;
      used = 0;
    }
    used += width;
  });
  if (widths.length > from) lines.push({ from, to: widths.length });
  return lines;
}

/** Lines of one height each, of which those between top and bottom are in sight, and a few more. [inspector.sight] */
export function inSight(count: number, height: number, top: number, bottom: number, more = 2): Line {
  const clamp = (n: number) => Math.max(0, Math.min(count, n));
  const from = clamp(Math.floor(top / height) - more);
  return { from, to: Math.max(from, clamp(Math.ceil(bottom / height) + more)) }; // [inspector.sight]
}

/** The line that holds a token. */
export const lineWith = (lines: readonly Line[], token: number): number =>
  lines.findIndex(({ from, to }) => from <= token && token < to);
