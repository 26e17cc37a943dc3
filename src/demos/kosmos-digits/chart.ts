// A chart of what each position of a sequence sees: one cell for each position and picture, darker where the picture changes more.
import type { Reach } from "./evidence.ts";
import type { ReaderResult } from "./run.ts";

const [LEFT, TOP, CELL, ROW, GAP] = [110, 56, 44, 15, 60] as const;
const PICTURES = 3;
const WIDTH = LEFT + PICTURES * CELL + GAP;
/** The hue of each picture, as of its column. */
const HUES = [210, 140, 25] as const;

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const labelOf = (one: Reach["positions"][number]): string =>
  typeof one === "number" ? `picture ${one + 1}` : escaped(one.trim());

/** How dark a change is drawn: on a logarithmic scale from a thousandth to the largest. */
function depth(change: number, largest: number): number {
  if (change === 0 || largest === 0) return 0;
  return Math.min(1, Math.max(0.08, 1 + Math.log10(change / largest) / 3));
}

function column({ name, reach }: ReaderResult, at: number): string[] {
  const left = at * WIDTH + LEFT;
  const largest = Math.max(...reach.changes.flat());
  const y = (row: number): number => TOP + row * ROW;
  const heads = HUES.map(
    (hue, picture) =>
      `<text x="${left + (picture + 0.5) * CELL}" y="${TOP - 8}" text-anchor="middle" fill="hsl(${hue} 60% 35%)">${picture + 1}</text>`,
  );
  const rows = reach.positions.flatMap((one, row) => {
    const isPicture = typeof one === "number";
    const color = isPicture ? `hsl(${HUES[one] ?? 0} 60% 35%)` : "#333";
    const cells = (reach.changes[row] ?? []).map(
      (change, picture) =>
        `<rect x="${left + picture * CELL + 1}" y="${y(row) + 1}" width="${CELL - 2}" height="${ROW - 2}" fill="hsl(${HUES[picture] ?? 0} 65% 45%)" fill-opacity="${depth(change, largest).toFixed(2)}" stroke="#e4e4e4"/>`,
    );
    return [
      `<text x="${left - 8}" y="${y(row) + ROW - 4}" text-anchor="end" fill="${color}">${labelOf(one)}</text>`,
      ...cells,
    ];
  });
  return [`<text x="${left}" y="20" font-weight="bold">${name}</text>`, ...heads, ...rows];
}

/** An SVG chart with the models beside each other. [kosmosDigits.chart] */
export function reachChart(readers: readonly ReaderResult[]): string {
  const longest = Math.max(0, ...readers.map(({ reach }) => reach.positions.length));
  const [width, height] = [readers.length * WIDTH, TOP + longest * ROW + 16];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">`,
    "<title>How much a change of each picture changes the logits at each position</title>",
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...readers.flatMap(column),
    "</svg>",
    "",
  ].join("\n");
}
