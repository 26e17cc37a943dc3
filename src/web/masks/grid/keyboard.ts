// Keyboard navigation. In the sentence layout tokens run from left to right with images below each other; in the rows layout tokens
// run from top to bottom with images side by side.
import type { Place, State } from "../state.ts";

export interface Extent {
  readonly length: number;
  readonly images: number;
}

type Step = readonly [positions: number, images: number];

const PAGE = 10;
const FAR = 1e9;
const sentence: Readonly<Record<string, Step>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
const rows: Readonly<Record<string, Step>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};
const both: Readonly<Record<string, Step>> = {
  Home: [-FAR, 0],
  End: [FAR, 0],
  PageUp: [-PAGE, 0],
  PageDown: [PAGE, 0],
};

const clamp = (n: number, least: number, most: number): number => Math.max(least, Math.min(most, n));

/** The place that a key leads to; null for keys without a meaning in the grid. Does not leave the grid. */
export function placeAfterKey(
  at: Place,
  key: string,
  layout: State["layout"],
  { length, images }: Extent,
): Place | null {
  const step = both[key] ?? (layout === "sentence" ? sentence : rows)[key];
  if (!step) return null;
  const [positions, down] = step;
  return {
    ...at,
    position: clamp(at.position + positions, 0, length - 1),
    image: clamp(at.image + down, 0, images),
  };
}
